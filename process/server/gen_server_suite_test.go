package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
)

// The cases of OTP's gen_server_SUITE, under their names there. Those about
// requests that do not wait, and about reports, are in files of their own.
func TestGenServerSUITE(t *testing.T) {
	for name, run := range map[string]func(*testing.T, context.Context){
		"start": gsStart, "stop1": gsStop1, "stop2": gsStop2, "stop3": gsStop3, "stop4": gsStop4,
		"stop5": gsStop4, "stop6": gsStop6, "stop7": gsStop7, "call": gsCall,
		"cast": gsCast, "info": gsInfo, "continue": gsContinue, "calling_self": gsCallingSelf,
		"spec_init":                         gsSpecInit,
		"spec_init_local_registered_parent": gsRegisteredParent, "spec_init_global_registered_parent": gsGlobalParent,
		"otp_5854": gsOTP5854, "otp_7669": gsOTP7669, "undef_handle_info": gsUndefHandleInfo,
		"undef_handle_call": gsUndefHandler, "undef_handle_cast": gsUndefHandler, "undef_handle_continue": gsUndefContinue,
		"undef_init": gsUndefInit, "undef_terminate1": gsUndefTerminate1, "undef_terminate2": gsUndefTerminate2,
		"undef_in_terminate": gsUndefInTerminate, "undef_in_handle_info": gsUndefInHandleInfo,
		"send_request": gsSendRequest, "send_request_receive_reqid_collection": gsReceiveCollection,
		"send_request_wait_reqid_collection": gsWaitCollection, "send_request_check_reqid_collection": gsCheckCollection,
		"abcast": gsAbcast, "multicall": gsMulticall,
	} {
		t.Run(name, func(t *testing.T) { bubble(t, run) })
	}
	t.Run("call_with_huge_message_queue", gsHugeQueue)
	reportCases(t)
}

var errBoom = errors.New("boom")

// tell casts something to do.
func tell(t *testing.T, ctx context.Context, c server.Ref[Counter], f func(context.Context, *Counter) error) {
	t.Helper()
	if err := server.Cast(ctx, c, Do{f}); err != nil {
		t.Error(err)
	}
}

// from starts a server that does things in its own name; it traps exits and
// writes all it hears of into its diary.
func from(t *testing.T, ctx context.Context, f func(ctx context.Context, c *Counter) error) server.Ref[Counter] {
	t.Helper()
	c, err := server.StartUnlinked(ctx, server.Spec[Counter]{TrapExit: true,
		Exit: func(_ context.Context, c *Counter, x process.ExitSignal) error {
			c.diary = append(c.diary, fmt.Sprint("exit:", x.Reason))
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Call(ctx, c, Ask{func(ctx context.Context, c *Counter) (int, error) { return 0, f(ctx, c) }}); err != nil {
		t.Error(err)
	}
	return c
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func gsStart(t *testing.T, ctx context.Context) {
	slow := func(ctx context.Context) (*Counter, error) { <-ctx.Done(); return nil, context.Cause(ctx) }
	key := registry.NewKey[server.Ref[Counter]]("my_test_name")
	for _, spec := range []server.Spec[Counter]{{}, {Timeout: time.Second}, {Name: key.Name()}} {
		c, err := server.StartUnlinked(ctx, spec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := server.Call(ctx, c, Add{}); err != nil {
			t.Error(err)
		}
		if spec.Name != "" {
			_, err := server.Call(ctx, key, Add{})
			wantErr(t, "call by name", err, nil)
			_, err = server.StartUnlinked(ctx, spec)
			if a, ok := errors.AsType[*process.AlreadyStartedError](err); !ok || a.PID != c.PID() {
				t.Errorf("second start under the name: %v", err)
			}
		}
		_, err = server.Call(ctx, c, Ask{func(context.Context, *Counter) (int, error) { return 0, server.Stop(nil) }})
		wantErr(t, "stop by a call", err, nil)
		synctest.Wait()
		_, err = server.Call(ctx, c, Add{})
		wantErr(t, "call when it has stopped", err, process.ErrNoProc)
	}
	starter := from(t, ctx, func(ctx context.Context, _ *Counter) error {
		for _, start := range []func(context.Context, server.Spec[Counter]) (server.Ref[Counter], error){
			server.Start[Counter], server.StartUnlinked[Counter], startMonitored} {
			_, err := start(ctx, server.Spec[Counter]{Timeout: 100 * time.Millisecond, Init: slow})
			wantErr(t, "start with a time-out", err, process.ErrTimeout)
			_, err = start(ctx, server.Spec[Counter]{Init: func(context.Context) (*Counter, error) { return nil, process.ErrIgnore }})
			wantErr(t, "start that is ignored", err, process.ErrIgnore)
			_, err = start(ctx, server.Spec[Counter]{Init: func(context.Context) (*Counter, error) { return nil, errBoom }})
			wantErr(t, "start that stops", err, errBoom)
		}
		linked, err := server.Start(ctx, server.Spec[Counter]{Name: "linked"})
		wantErr(t, "start linked", err, nil)
		return errors.Join(err, server.Cast(ctx, linked, Do{func(context.Context, *Counter) error { return server.Stop(errBoom) }}))
	})
	synctest.Wait()
	diary(t, ctx, starter, "exit:boom") // and of the failed starts nothing
	watcher := from(t, ctx, func(ctx context.Context, _ *Counter) error {
		watched, err := startMonitored(ctx, server.Spec[Counter]{})
		return errors.Join(err, server.Cast(ctx, watched, Do{func(context.Context, *Counter) error { return server.Stop(errBoom) }}))
	})
	synctest.Wait()
	diary(t, ctx, watcher, "exit:boom down:boom")
}

func startMonitored(ctx context.Context, spec server.Spec[Counter]) (server.Ref[Counter], error) {
	c, _, err := server.StartMonitor(ctx, spec, func(d process.Down) Note { return Note{fmt.Sprint("down:", d.Reason)} })
	return c, err
}

// stopped stops a server and wants it gone, and a second stop to say so.
func stopped(t *testing.T, ctx context.Context, target process.Target, pid process.PID, reason error) {
	t.Helper()
	wantErr(t, "stop", process.Stop(ctx, target, reason), nil)
	if pid.Alive() {
		t.Error("it is alive")
	}
	wantErr(t, "second stop", process.Stop(ctx, target, reason), process.ErrNoProc)
}

func unlinked(t *testing.T, ctx context.Context, spec server.Spec[Counter]) server.Ref[Counter] {
	t.Helper()
	c, err := server.StartUnlinked(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func gsStop1(t *testing.T, ctx context.Context) {
	c := unlinked(t, ctx, server.Spec[Counter]{})
	stopped(t, ctx, c, c.PID(), nil)
}

func gsStop2(t *testing.T, ctx context.Context) {
	c := unlinked(t, ctx, server.Spec[Counter]{})
	stopped(t, ctx, c, c.PID(), errBoom)
}

// A stop whose ctx is no good is refused, and the server lives.
func gsStop3(t *testing.T, ctx context.Context) {
	c := unlinked(t, ctx, server.Spec[Counter]{})
	wantErr(t, "stop with a ctx of no node", process.Stop(context.Background(), c, errBoom), process.ErrNoNode)
	if !c.PID().Alive() {
		t.Error("it ended all the same")
	}
	stopped(t, ctx, c, c.PID(), nil)
}

func gsStop4(t *testing.T, ctx context.Context) {
	c := unlinked(t, ctx, server.Spec[Counter]{Name: "to_stop"})
	stopped(t, ctx, process.Name("to_stop"), c.PID(), nil)
}

func gsStop6(t *testing.T, ctx context.Context) {
	key := registry.NewKey[server.Ref[Counter]]("to_stop")
	c := unlinked(t, ctx, server.Spec[Counter]{Name: key.Name()})
	stopped(t, ctx, key, c.PID(), nil)
}

// via is a registry of somebody's own: who is in it registers in Init, and is
// forgotten before anybody learns of the end.
type via struct{ pid process.PID }

func (v *via) Forget(process.PID) { v.pid = process.PID{} }

func (v *via) Resolve(context.Context) (process.PID, error) {
	if v.pid.IsZero() {
		return process.PID{}, &process.ExitError{Name: "via", Reason: process.ErrNoProc}
	}
	return v.pid, nil
}

func (v *via) join(ctx context.Context) (*Counter, error) {
	if !v.pid.IsZero() {
		return nil, &process.AlreadyStartedError{Name: "via", PID: v.pid}
	}
	var err error
	v.pid, err = process.Keep(ctx, process.Self(ctx), v)
	return &Counter{}, err
}

func gsStop7(t *testing.T, ctx context.Context) {
	v := &via{}
	c := unlinked(t, ctx, server.Spec[Counter]{Init: v.join})
	_, err := server.StartUnlinked(ctx, server.Spec[Counter]{Init: v.join})
	if a, ok := errors.AsType[*process.AlreadyStartedError](err); !ok || a.PID != c.PID() {
		t.Errorf("second start: %v, want it refused", err)
	}
	stopped(t, ctx, v, c.PID(), nil)
}

// gsCall: an answer at once, a delayed one, time-outs in the state, a call that
// is not answered in time, and a call that its server does not survive.
func gsCall(t *testing.T, ctx context.Context) {
	c := start(t, ctx, server.Spec[Counter]{Name: "my_test_name"})
	key := registry.NewKey[server.Ref[Counter]]("my_test_name")
	_, err := server.Call(ctx, key, Add{})
	wantErr(t, "call", err, nil)
	late := func(d time.Duration) Ask {
		return Ask{func(ctx context.Context, c *Counter) (int, error) {
			r, err := server.Defer[int](ctx)
			if err != nil {
				return 0, err
			}
			_, err = server.After[Counter](ctx, d, Do{func(context.Context, *Counter) error { r.Send(7, nil); return nil }})
			return 0, err
		}}
	}
	if n, err := server.Call(ctx, key, late(time.Second)); n != 7 || err != nil {
		t.Errorf("delayed answer: %d, %v", n, err)
	}
	// A call within the idle time, and one that comes after it.
	within := Do{func(ctx context.Context, _ *Counter) error {
		return server.Idle[Counter](ctx, time.Second, Note{"too late"})
	}}
	for _, step := range []struct {
		wait time.Duration
		want string
	}{{500 * time.Millisecond, ""}, {1500 * time.Millisecond, "too late"}} {
		if err := server.Cast(ctx, key, within); err != nil {
			t.Error(err)
		}
		time.Sleep(step.wait)
		diary(t, ctx, c, step.want)
	}
	_, err = server.Call(process.WithCallTimeout(ctx, time.Second), key, late(time.Minute))
	wantErr(t, "call that is answered too late", err, process.ErrTimeout)
	time.Sleep(2 * time.Minute) // the late answer reaches nobody
	_, err = server.Call(ctx, key, Ask{func(ctx context.Context, _ *Counter) (int, error) {
		if _, err := server.Defer[int](ctx); err != nil {
			return 0, err
		}
		return 0, server.Stop(errBoom) // without an answer
	}})
	if x, ok := errors.AsType[*process.ExitError](err); !ok || x.Reason != errBoom {
		t.Errorf("a call that its server does not survive: %v, want its reason", err)
	}
}

// gsCast and gsInfo are the same in Go: a notice is a notice, whoever sends it.
func gsCast(t *testing.T, ctx context.Context) {
	c := start(t, ctx, server.Spec[Counter]{})
	wantErr(t, "cast", server.Cast(ctx, c, Note{"at once"}), nil)
	tell(t, ctx, c, func(ctx context.Context, _ *Counter) error {
		return server.Idle[Counter](ctx, time.Second, Note{"delayed"})
	})
	time.Sleep(2 * time.Second)
	diary(t, ctx, c, "at once delayed")
	tell(t, ctx, c, func(context.Context, *Counter) error { return server.Stop(errBoom) })
	reason, _ := process.Wait(ctx, c)
	wantErr(t, "stop by a cast", reason, errBoom)
	wantErr(t, "cast to the dead", server.Cast(ctx, c, Note{}), nil)
}

func gsInfo(t *testing.T, ctx context.Context) {
	c := start(t, ctx, server.Spec[Counter]{})
	wantErr(t, "send", process.Send(ctx, c.PID(), Note{"at once"}), nil)
	wantErr(t, "send", process.Send(ctx, c.PID(), Do{func(ctx context.Context, _ *Counter) error {
		return server.Idle[Counter](ctx, time.Second, Note{"delayed"})
	}}), nil)
	time.Sleep(2 * time.Second)
	diary(t, ctx, c, "at once delayed")
	wantErr(t, "send", process.Send(ctx, c.PID(), Do{func(context.Context, *Counter) error { return server.Stop(errBoom) }}), nil)
	reason, _ := process.Wait(ctx, c)
	wantErr(t, "stop by a message", reason, errBoom)
}

// What is continued comes before anything that waits, from wherever it is
// asked for, and may go on.
func gsContinue(t *testing.T, ctx context.Context) {
	chain := func(ctx context.Context, c *Counter) error {
		c.diary = append(c.diary, "here")
		return server.Continue(ctx, Do{func(ctx context.Context, c *Counter) error {
			c.diary = append(c.diary, "next")
			return server.Continue(ctx, Note{"after"})
		}})
	}
	c := start(t, ctx, server.Spec[Counter]{Init: func(ctx context.Context) (*Counter, error) {
		c := &Counter{}
		return c, errors.Join(process.SendSelf(ctx, Note{"queued"}), chain(ctx, c))
	}})
	diary(t, ctx, c, "here next after queued")
	for name, act := range map[string]func() error{
		"call, reply": func() error {
			_, err := server.Call(ctx, c, Ask{func(ctx context.Context, c *Counter) (int, error) { return 0, queued(ctx, c, chain) }})
			return err
		},
		"call, noreply": func() error {
			_, err := server.Call(ctx, c, Ask{func(ctx context.Context, c *Counter) (int, error) {
				r, err := server.Defer[int](ctx)
				if err != nil {
					return 0, err
				}
				return 0, errors.Join(queued(ctx, c, chain), server.Continue(ctx, Do{func(context.Context, *Counter) error { r.Send(0, nil); return nil }}))
			}})
			return err
		},
		"cast": func() error {
			return server.Cast(ctx, c, Do{func(ctx context.Context, c *Counter) error { return queued(ctx, c, chain) }})
		},
	} {
		if err := act(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		synctest.Wait()
		got, err := server.Call(ctx, c, Diary{})
		if err != nil || got != "here next after queued" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	tell(t, ctx, c, func(ctx context.Context, _ *Counter) error {
		return server.Continue(ctx, Do{func(context.Context, *Counter) error { return server.Stop(errBoom) }})
	})
	reason, _ := process.Wait(ctx, c)
	wantErr(t, "stop from what is continued", reason, errBoom)
}

// queued begins a new page and puts a message into the mailbox first.
func queued(ctx context.Context, c *Counter, f func(context.Context, *Counter) error) error {
	c.diary = nil
	return errors.Join(process.SendSelf(ctx, Note{"queued"}), f(ctx, c))
}

func gsCallingSelf(t *testing.T, ctx context.Context) {
	c := start(t, ctx, server.Spec[Counter]{})
	for _, limit := range []time.Duration{0, time.Second} {
		_, err := server.Call(ctx, c, Ask{func(ctx context.Context, _ *Counter) (int, error) {
			own := context.Context(ctx)
			if limit > 0 {
				own = process.WithCallTimeout(ctx, limit)
			}
			return server.Call(own, c, Add{})
		}})
		wantErr(t, "call of oneself", err, process.ErrCallingSelf)
	}
	// A request that is not waited for is no deadlock.
	_, err := server.Call(ctx, c, Ask{func(ctx context.Context, _ *Counter) (int, error) {
		return 0, server.Notify(ctx, server.SendRequest(ctx, c, Add{By: 3}), func(n int, err error) Note { return Note{fmt.Sprint(n, err)} })
	}})
	wantErr(t, "request to oneself", err, nil)
	synctest.Wait()
	diary(t, ctx, c, "3 <nil>")
}

// What enter_loop is for, a process that becomes a server when it has prepared
// itself, is what Init is for: it may register, wait, and set a time-out.
func gsSpecInit(t *testing.T, ctx context.Context) {
	c := unlinked(t, ctx, server.Spec[Counter]{Init: func(ctx context.Context) (*Counter, error) {
		if err := process.Register(ctx, "made it", process.Self(ctx)); err != nil {
			return nil, err
		}
		return &Counter{}, server.Idle[Counter](ctx, time.Second, Note{"idle"})
	}})
	if pid, ok := process.Whereis(ctx, "made it"); !ok || pid != c.PID() {
		t.Errorf("registered: %v, %v", pid, ok)
	}
	time.Sleep(2 * time.Second)
	diary(t, ctx, c, "idle")
	_, err := server.StartUnlinked(ctx, server.Spec[Counter]{Init: func(ctx context.Context) (*Counter, error) {
		return &Counter{}, process.Register(ctx, "made it", process.Self(ctx))
	}})
	wantErr(t, "under a name that another has", err, process.ErrNameTaken)
}

// Terminate runs when a parent ends that has a name.
func gsRegisteredParent(t *testing.T, ctx context.Context) {
	parentWithName(t, ctx, server.Spec[Counter]{Name: "parent"})
}

func gsGlobalParent(t *testing.T, ctx context.Context) {
	parentWithName(t, ctx, server.Spec[Counter]{Init: (&via{}).join})
}

func parentWithName(t *testing.T, ctx context.Context, spec server.Spec[Counter]) {
	var terminated error
	parent := unlinked(t, ctx, spec)
	tell(t, ctx, parent, func(ctx context.Context, _ *Counter) error {
		_, err := server.Start(ctx, server.Spec[Counter]{TrapExit: true,
			Terminate: func(_ context.Context, _ *Counter, reason error) error { terminated = reason; return nil }})
		return err
	})
	wantErr(t, "stop of the parent", process.Stop(ctx, parent, errBoom), nil)
	synctest.Wait()
	wantErr(t, "Terminate of the child", terminated, errBoom)
}

// A name that another process has does not make a server.
func gsOTP5854(t *testing.T, ctx context.Context) {
	other, err := process.GoSpec(ctx, process.Spec{Name: "taken"}, func(ctx context.Context) error { <-ctx.Done(); return nil })
	wantErr(t, "another process", err, nil)
	_, err = server.StartUnlinked(ctx, server.Spec[Counter]{Name: "taken"})
	if a, ok := errors.AsType[*process.AlreadyStartedError](err); !ok || a.PID != other {
		t.Errorf("start under its name: %v", err)
	}
	key := registry.NewKey[server.Ref[Counter]]("taken")
	if _, err := server.Call(ctx, key, Add{}); err == nil || !strings.Contains(err.Error(), "Counter") {
		t.Errorf("call of what is no server: %v, want an error that says so", err)
	}
}

// The name is free when the failed start returns, a hundred times.
func gsOTP7669(t *testing.T, ctx context.Context) {
	for _, err := range []error{process.ErrIgnore, errBoom} {
		for range 100 {
			_, got := server.StartUnlinked(ctx, server.Spec[Counter]{Name: "n", Init: func(context.Context) (*Counter, error) { return nil, err }})
			wantErr(t, "start", got, err)
			if pid, ok := process.Whereis(ctx, "n"); ok {
				t.Fatalf("%v has the name", pid)
			}
			n, _ := process.NodeOf(ctx)
			if names := n.Names(); len(names) != 0 {
				t.Fatalf("names %v are taken", names)
			}
		}
	}
}

// A message that is not one of its own is reported, and the server lives.
func gsUndefHandleInfo(t *testing.T, _ context.Context) {
	rec := &processtest.Recorder{}
	ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
	c := start(t, ctx, server.Spec[Counter]{})
	wantErr(t, "send", process.Send(ctx, c.PID(), "hello?"), nil)
	diary(t, ctx, c, "")
	got := rec.Events(process.Warned)
	if len(got) != 1 || !strings.Contains(got[0].Text, "Counter") || got[0].Msg != "hello?" {
		t.Errorf("reports %v, want one that names state and message", got)
	}
}

// What OTP finds out when the message comes does not compile here; a message
// that gets past the compiler is one that the server does not know.
func gsUndefHandler(t *testing.T, ctx context.Context) {
	c := start(t, ctx, server.Spec[Counter]{})
	wrong, err := server.As[int](c.PID())
	if err == nil {
		t.Errorf("a reference to a server of another state: %v", wrong)
	}
	_, err = server.Call(process.WithCallTimeout(ctx, time.Second), wrong, intRequest{})
	wantErr(t, "call with it", err, process.ErrNoProc)
}

type intRequest struct{}

func (intRequest) Handle(context.Context, *int) (int, error) { return 0, nil }

// A Continue that crashes ends the server, after its start has returned.
func gsUndefContinue(t *testing.T, ctx context.Context) {
	c := unlinked(t, ctx, server.Spec[Counter]{Continue: func(context.Context, *Counter) error { panic(errBoom) }})
	reason, _ := process.Wait(ctx, c)
	wantErr(t, "end", reason, errBoom)
}

// Without an Init the state is the zero one; an Init that gives none is a
// failed start.
func gsUndefInit(t *testing.T, ctx context.Context) {
	c := start(t, ctx, server.Spec[Counter]{})
	if n, err := server.Call(ctx, c, Add{By: 1}); n != 1 || err != nil {
		t.Errorf("from the zero state: %d, %v", n, err)
	}
	if _, err := server.StartUnlinked(ctx, server.Spec[Counter]{Init: func(context.Context) (*Counter, error) { return nil, nil }}); err == nil {
		t.Error("an Init that gives no state succeeded")
	}
}

func gsUndefTerminate1(t *testing.T, ctx context.Context) {
	c := unlinked(t, ctx, server.Spec[Counter]{})
	wantErr(t, "stop", process.Stop(ctx, c, nil), nil)
}

func gsUndefTerminate2(t *testing.T, ctx context.Context) {
	c := unlinked(t, ctx, server.Spec[Counter]{})
	wantErr(t, "stop", process.Stop(ctx, c, errBoom), nil)
	reason, _ := process.Wait(ctx, c)
	wantErr(t, "reason", reason, errBoom)
}

func gsUndefInTerminate(t *testing.T, ctx context.Context) {
	c := unlinked(t, ctx, server.Spec[Counter]{TrapExit: true, Terminate: func(_ context.Context, c *Counter, _ error) error {
		var none *Counter
		none.n++
		return nil
	}})
	err := process.Stop(ctx, c, nil)
	if _, ok := errors.AsType[*process.PanicError](err); !ok {
		t.Errorf("stop of one that crashes in Terminate: %v, want the panic", err)
	}
}

func gsUndefInHandleInfo(t *testing.T, ctx context.Context) {
	c := unlinked(t, ctx, server.Spec[Counter]{})
	tell(t, ctx, c, func(context.Context, *Counter) error {
		var f func()
		f()
		return nil
	})
	reason, _ := process.Wait(ctx, c)
	if _, ok := errors.AsType[*process.PanicError](reason); !ok {
		t.Errorf("ended with %v, want the panic", reason)
	}
}
