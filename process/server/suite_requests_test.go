package server_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
)

// after answers with n when d has passed.
func after(d time.Duration, n int) Ask {
	return Ask{func(ctx context.Context, _ *Counter) (int, error) {
		r, err := server.Defer[int](ctx)
		if err != nil {
			return 0, err
		}
		_, err = server.After[Counter](ctx, d, Do{func(context.Context, *Counter) error { r.Send(n, nil); return nil }})
		return 0, err
	}}
}

func gsSendRequest(t *testing.T, ctx context.Context) {
	c := unlinked(t, ctx, server.Spec[Counter]{})
	now := server.SendRequest(ctx, c, Add{By: 2})
	if n, err := now.Wait(ctx); n != 2 || err != nil {
		t.Errorf("answer %d, %v", n, err)
	}
	if n, err := now.Wait(ctx); n != 2 || err != nil || now.Abandon() {
		t.Errorf("asked again: %d, %v; want the same", n, err)
	}
	// Who gives up waiting can wait again; who abandons cannot.
	soon := process.WithCallTimeout(ctx, time.Second)
	slow := server.SendRequest(ctx, c, after(3*time.Second, 7))
	_, err := slow.Wait(soon)
	wantErr(t, "first wait", err, process.ErrTimeout)
	if n, err := slow.Wait(ctx); n != 7 || err != nil {
		t.Errorf("second wait: %d, %v", n, err)
	}
	left := server.SendRequest(ctx, c, after(time.Second, 8))
	if !left.Abandon() || left.Abandon() {
		t.Error("a request is abandoned once")
	}
	_, err = left.Wait(ctx)
	wantErr(t, "wait for what was abandoned", err, process.ErrAbandoned)
	time.Sleep(2 * time.Second)
	// The end of the server is its answer, and nobody at all is one too.
	doomed := server.SendRequest(ctx, c, Ask{func(context.Context, *Counter) (int, error) { panic(errBoom) }})
	_, err = doomed.Wait(ctx)
	if x, ok := errors.AsType[*process.ExitError](err); !ok || !errors.Is(err, errBoom) || x.PID != c.PID() {
		t.Errorf("its server crashed: %v", err)
	}
	synctest.Wait()
	for _, nobody := range []server.Target[Counter]{c, registry.NewKey[server.Ref[Counter]]("undefined")} {
		_, err = server.SendRequest(ctx, nobody, Add{}).Wait(ctx)
		wantErr(t, "request to nobody", err, process.ErrNoProc)
	}
}

// three are two that answer and one that does not live.
func three(t *testing.T, ctx context.Context, q *server.Requests[string, int]) {
	c, dead := unlinked(t, ctx, server.Spec[Counter]{}), unlinked(t, ctx, server.Spec[Counter]{})
	wantErr(t, "stop", process.Stop(ctx, dead, nil), nil)
	q.Add("slow", server.SendRequest(ctx, c, after(4*time.Second, 2)))
	q.Add("fast", server.SendRequest(ctx, c, after(time.Second, 1)))
	q.Add("dead", server.SendRequest(ctx, dead, Add{}))
	q.Add("unknown", server.SendRequest(ctx, registry.NewKey[server.Ref[Counter]]("undefined"), Add{}))
}

func gsWaitCollection(t *testing.T, ctx context.Context) {
	var q server.Requests[string, int]
	_, _, err := q.Next(ctx)
	wantErr(t, "none at all", err, server.ErrNoneLeft)
	three(t, ctx, &q)
	if q.Len() != 4 {
		t.Errorf("%d requests, want 4", q.Len())
	}
	soon := process.WithCallTimeout(ctx, 2*time.Second)
	for _, want := range []string{"dead", "unknown", "fast"} {
		label, a, err := q.Next(soon)
		if label != want || err != nil || (want == "fast") != (a.Value == 1 && a.Err == nil) || want != "fast" && !errors.Is(a.Err, process.ErrNoProc) {
			t.Errorf("%q: %v, %v; want %s", label, a, err, want)
		}
	}
	_, _, err = q.Next(soon)
	wantErr(t, "wait for the slow one", err, process.ErrTimeout)
	if label, a, err := q.Next(ctx); label != "slow" || a.Value != 2 || err != nil { // it stayed
		t.Errorf("%q: %v, %v; want the slow one", label, a, err)
	}
	_, _, err = q.Next(ctx)
	wantErr(t, "and then", err, server.ErrNoneLeft)
}

// OTP's receive_response abandons all when its time is up.
func gsReceiveCollection(t *testing.T, ctx context.Context) {
	var q server.Requests[string, int]
	three(t, ctx, &q)
	soon := process.WithCallTimeout(ctx, 2*time.Second)
	var got []string
	for {
		label, _, err := q.Next(soon)
		if err != nil {
			wantErr(t, "the end", err, process.ErrTimeout)
			break
		}
		got = append(got, label)
	}
	q.Abandon()
	if want := []string{"dead", "unknown", "fast"}; !slices.Equal(got, want) || q.Len() != 0 {
		t.Errorf("got %v, %d left; want %v, and the rest abandoned", got, q.Len(), want)
	}
	time.Sleep(5 * time.Second)
	_, _, err := q.Next(ctx)
	wantErr(t, "after that", err, server.ErrNoneLeft)
}

// OTP's check_response takes answers out of whatever messages come: here they
// come as messages of the server's own, among the others and in order.
func gsCheckCollection(t *testing.T, ctx context.Context) {
	c, crashes := unlinked(t, ctx, server.Spec[Counter]{}), unlinked(t, ctx, server.Spec[Counter]{})
	asker := from(t, ctx, func(ctx context.Context, _ *Counter) error {
		note := func(label string) func(int, error) Note {
			return func(n int, err error) Note { return Note{fmt.Sprint(label, ":", n, ",", errors.Is(err, errBoom))} }
		}
		left := server.SendRequest(ctx, c, after(time.Second, 3))
		err := errors.Join(
			server.Notify(ctx, server.SendRequest(ctx, c, after(2*time.Second, 2)), note("slow")),
			server.Notify(ctx, server.SendRequest(ctx, c, after(time.Second, 1)), note("fast")),
			server.Notify(ctx, server.SendRequest(ctx, crashes, Ask{func(context.Context, *Counter) (int, error) { panic(errBoom) }}), note("crash")),
			server.Notify(ctx, left, note("abandoned")),
			process.SendSelf(ctx, Note{"another"}),
		)
		left.Abandon()
		return err
	})
	time.Sleep(3 * time.Second)
	got, err := server.Call(ctx, asker, Diary{})
	if err != nil || got != "another crash:0,true fast:1,false slow:2,false" && got != "crash:0,true another fast:1,false slow:2,false" {
		t.Errorf("diary %q, %v", got, err)
	}
	if err := server.Notify(ctx, server.SendRequest(ctx, c, Add{}), func(int, error) Note { return Note{} }); err == nil {
		t.Error("Notify outside a server succeeded")
	}
}

// An answer keeps its place among the other signals of the one who gave it.
func TestNotifyInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := unlinked(t, ctx, server.Spec[Counter]{})
		asker := from(t, ctx, func(ctx context.Context, _ *Counter) error {
			me := process.Self(ctx)
			_, err := server.Monitor(ctx, c, func(process.Down) Note { return Note{"down"} })
			return errors.Join(err, server.Notify(ctx, server.SendRequest(ctx, c, Ask{func(ctx context.Context, _ *Counter) (int, error) {
				r, err := server.Defer[int](ctx)
				if err != nil {
					return 0, err
				}
				wantErr(t, "send", process.Send(ctx, me, Note{"before"}), nil)
				r.Send(1, nil)
				wantErr(t, "send", process.Send(ctx, me, Note{"after"}), nil)
				return 0, server.Stop(nil)
			}}), func(int, error) Note { return Note{"answer"} }))
		})
		synctest.Wait()
		got, err := server.Call(ctx, asker, Diary{})
		if err != nil || got != "before answer after down" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// Casts to all of a name: those that are not there are nobody's business.
func gsAbcast(t *testing.T, ctx context.Context) {
	a, b := start(t, ctx, server.Spec[Counter]{}), unlinked(t, ctx, server.Spec[Counter]{})
	wantErr(t, "stop", process.Stop(ctx, b, nil), nil)
	for _, c := range []server.Ref[Counter]{a, b, a} {
		wantErr(t, "cast", server.Cast(ctx, c, Note{"x"}), nil)
	}
	diary(t, ctx, a, "x x")
}

func gsMulticall(t *testing.T, ctx context.Context) {
	quick, slow, dead := start(t, ctx, server.Spec[Counter]{}), start(t, ctx, server.Spec[Counter]{}), unlinked(t, ctx, server.Spec[Counter]{})
	wantErr(t, "stop", process.Stop(ctx, dead, nil), nil)
	tell(t, ctx, slow, func(ctx context.Context, _ *Counter) error { <-ctx.Done(); return nil })
	all := []server.Ref[Counter]{slow, quick, dead, slow}
	began := time.Now()
	got := server.CallAll(process.WithCallTimeout(ctx, 2*time.Second), all, Add{By: 1})
	if d := time.Since(began); d != 2*time.Second {
		t.Errorf("it took %v, want one time-out for all", d)
	}
	for i, want := range []error{process.ErrTimeout, nil, process.ErrNoProc, process.ErrTimeout} {
		wantErr(t, fmt.Sprint("answer ", i), got[i].Err, want)
	}
	if got[1].Value != 1 {
		t.Errorf("answer %v", got[1])
	}
	if got := server.CallAll(ctx, []server.Ref[Counter]{quick, quick}, Add{By: 1}); got[0].Value != 2 || got[1].Value != 3 {
		t.Errorf("answers %v, want those of both calls, in order", got)
	}
}

// A call costs the same however much waits in the caller's own mailbox.
func gsHugeQueue(t *testing.T) {
	ctx := processtest.Context(t)
	c := unlinked(t, ctx, server.Spec[Counter]{})
	calls := func(queued int) (took time.Duration) {
		caller := unlinked(t, ctx, server.Spec[Counter]{})
		_, err := server.Call(process.WithCallTimeout(ctx, time.Minute), caller, Ask{func(ctx context.Context, _ *Counter) (int, error) {
			for range queued {
				if err := process.SendSelf(ctx, Note{}); err != nil {
					return 0, err
				}
			}
			began := time.Now()
			for range 2000 {
				if _, err := server.Call(ctx, c, Add{}); err != nil {
					return 0, err
				}
			}
			took = time.Since(began)
			return 0, nil
		}})
		wantErr(t, "calls", err, nil)
		wantErr(t, "stop", process.Kill(ctx, caller), nil)
		return took
	}
	// The best of some, as others use the machine too.
	best := func(queued int) time.Duration { return min(calls(queued), calls(queued), calls(queued)) }
	empty := best(0)
	if full := best(500_000); full > 10*empty {
		t.Errorf("2000 calls took %v with an empty mailbox, %v with half a million messages in it", empty, full)
	}
}
