package event_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/system"
)

// TestGenEventSUITE asserts what the cases of OTP's gen_event_SUITE assert. A
// module that lacks a callback is there a Handler that lacks a function; what
// OTP's terminate returns to who deletes a handler is here the answer of a
// request that removes it.
func TestGenEventSUITE(t *testing.T) {
	for name, f := range map[string]func(*testing.T, context.Context, *processtest.Recorder){
		"start": suiteStart, "start_opt": suiteStartOpt, "add_handler": suiteAdd, "add_sup_handler": suiteAddSup,
		"delete_handler": suiteDelete, "swap_handler": suiteSwap, "swap_sup_handler": suiteSwapSup,
		"notify": suiteNotify, "sync_notify": suiteSyncNotify, "info": suiteInfo, "call": suiteCall,
		"call_format_status": suiteStatus, "call_format_status_anon": suiteStatusAnon, "error_format_status": suiteErrorStatus,
		"get_state": suiteGetState, "replace_state": suiteReplaceState,
		"undef_init": suiteUndefInit, "undef_handle_call": suiteUndefCall, "undef_handle_event": suiteUndefEvent,
		"undef_handle_info": suiteUndefInfo, "undef_terminate": suiteUndefTerminate, "undef_in_terminate": suiteUndefInTerminate,
		"format_log_1": suiteFormatLog1, "format_log_2": suiteFormatLog2,
		"send_request_receive_reqid_collection": withBook(suiteReceiveCollection),
		"send_request_wait_reqid_collection":    withBook(suiteWaitCollection),
		"send_request_check_reqid_collection":   withBook(suiteCheckCollection),
	} {
		t.Run(name, func(t *testing.T) { bubble(t, f) })
	}
}

func suiteStart(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	anon := start(t, ctx, event.Spec[string]{})
	ok(t, process.Stop(ctx, anon, nil))
	for name, begin := range map[string]func(context.Context) (process.PID, error){
		"linked": event.StartFunc(event.Spec[string]{Name: "bus"}),
		"unlinked": func(ctx context.Context) (process.PID, error) {
			m, err := event.StartUnlinked(ctx, event.Spec[string]{Name: "bus"})
			return m.PID(), err
		},
	} {
		pid, err := begin(ctx)
		ok(t, err)
		if !pid.Is(event.Kind) || pid.Name() != "bus" || pid.Parent().IsZero() != true {
			t.Errorf("%s: %+v", name, pid.Info())
		}
		var taken *process.AlreadyStartedError
		if _, err := begin(ctx); !errors.As(err, &taken) || taken.PID != pid {
			t.Errorf("%s: started twice: %v, want it to name %v", name, err, pid)
		}
		ok(t, process.Stop(ctx, process.Name("bus"), nil))
		if _, err := event.Handlers(ctx, event.Manager[string]{}); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("%s: asking nobody: %v", name, err)
		}
	}
}

func suiteStartOpt(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	m := start(t, ctx, event.Spec[string]{Limit: 1})
	ok(t, system.Suspend(ctx, m))
	ok(t, m.Notify(ctx, "fits"))
	if err := m.Notify(ctx, "does not"); !errors.Is(err, process.ErrMailboxFull) {
		t.Errorf("beyond the Limit: %v", err)
	}
	if _, err := event.Start(ctx, event.Spec[string]{Timeout: 1, Grace: 1, Handlers: []event.AnyHandler[string]{blocked()}}); !errors.Is(err, process.ErrTimeout) {
		t.Errorf("beyond the Timeout: %v", err)
	}
}

// blocked is a handler whose Init returns when it is told to.
func blocked() event.Handler[string, book] {
	h := handler(book{id: "blocked", d: &diary{}})
	h.Init = func(ctx context.Context) (*book, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return h
}

func suiteAdd(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	bad := handler(book{id: "bad", d: d})
	bad.Init = func(context.Context) (*book, error) { return nil, errBoom }
	if err := event.Add(ctx, m, bad); !errors.Is(err, errBoom) {
		t.Errorf("add: %v, want Init's error", err)
	}
	ok(t, event.Add(ctx, m, handler(book{id: "dummy", d: d})))
	ok(t, event.Add(ctx, m, handler(book{id: "dummy/1", d: d})))
	ok(t, event.Add(ctx, m, handler(book{id: "dummy", d: d}))) // once more is no error
	wantHandlers(t, ctx, m, "dummy", "dummy/1", "dummy")
	d.want(t, "dummy init", "dummy/1 init", "dummy init")
	_, err := event.Call(ctx, m, "dummy", tell{func(_ context.Context, b *book) (int, error) { b.n = 7; return 0, nil }})
	ok(t, err)
	ok(t, event.Delete(ctx, m, "dummy")) // the one added last
	if n, err := event.Call(ctx, m, "dummy", count{}); n != 0 || err != nil {
		t.Errorf("the older of the two: %d, %v", n, err)
	}
}

func suiteAddSup(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	o, stays := owner(t, ctx, false), owner(t, ctx, true)
	addSup(t, ctx, o, m, book{id: "h1", d: d})
	addSup(t, ctx, stays, m, book{id: "h2", d: d})
	addSup(t, ctx, o, m, book{id: "h3", d: d})
	d.want(t, "h1 init", "h2 init", "h3 init")
	if err := process.Stop(ctx, o, errBoom); err != nil {
		t.Error(err)
	}
	// First its handlers go, then the others learn of the exit.
	d.want(t, "h3 gone: owner ended: boom", "h1 gone: owner ended: boom", "h2 info exit boom")
	wantHandlers(t, ctx, m, "h2")
	o = owner(t, ctx, false)
	addSup(t, ctx, o, m, book{id: "h4", d: d})
	ok(t, process.Kill(ctx, o))
	d.want(t, "h4 init", "h4 gone: owner ended: killed", "h2 info exit killed")

	o = owner(t, ctx, false)
	addSup(t, ctx, o, m, book{id: "h5", d: d})
	ok(t, process.Stop(ctx, m, errBoom))
	wantTold(t, ctx, stays, "h2 stopped: boom")
	wantTold(t, ctx, o, "h5 stopped: boom") // it was told, and unlinked: it lives
}

func suiteDelete(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	ok(t, event.Add(ctx, m, handler(book{id: "h1", d: d, close: func(event.Gone) error { return errLate }})))
	if err := event.Delete(ctx, m, "h2"); !errors.Is(err, event.ErrNoHandler) {
		t.Errorf("delete what is not there: %v", err)
	}
	if err := event.Delete(ctx, m, "h1"); err != errLate {
		t.Errorf("delete: %v, want what Terminate returned", err)
	}
	d.want(t, "h1 init", "h1 gone: deleted")
	ok(t, event.Add(ctx, m, handler(book{id: "h1", d: d})))
	bye := tell{func(_ context.Context, b *book) (int, error) { return 42, event.Remove(nil) }}
	if n, err := event.Call(ctx, m, "h1", bye); n != 42 || err != nil {
		t.Errorf("a request that removes: %d, %v", n, err)
	}
	d.want(t, "h1 init", "h1 gone: removed")
	wantHandlers(t, ctx, m)
}

// successor makes the handler that takes over from a book.
func successor(d *diary, id string) func(*book) event.Handler[string, book] {
	return func(old *book) event.Handler[string, book] {
		h := handler(book{id: id, d: d})
		h.Init = func(context.Context) (*book, error) {
			if old == nil {
				d.add("%s init after nobody", id)
				return &book{id: id, d: d}, nil
			}
			d.add("%s init after %s, which had %d", id, old.id, old.n)
			return &book{id: id, d: d, n: old.n}, nil
		}
		return h
	}
}

func suiteSwap(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	ok(t, event.Add(ctx, m, handler(book{id: "h1", d: d})))
	ok(t, event.Add(ctx, m, handler(book{id: "h2", d: d})))
	ok(t, m.SyncNotify(ctx, "x"))
	d.lines = nil
	ok(t, event.Swap(ctx, m, "h1", successor(d, "h3")))
	d.want(t, "h1 gone: swapped h3", "h3 init after h1, which had 1")
	wantHandlers(t, ctx, m, "h3", "h2") // the new one is the first
	ok(t, event.Swap(ctx, m, "none", successor(d, "h4")))
	d.want(t, "h4 init after nobody")

	bad := func(*book) event.Handler[string, book] {
		h := handler(book{id: "bad", d: d})
		h.Init = func(context.Context) (*book, error) { return nil, errBoom }
		return h
	}
	if err := event.Swap(ctx, m, "h4", bad); !errors.Is(err, errBoom) {
		t.Errorf("swap for one that does not start: %v", err)
	}
	d.want(t, "h4 gone: swapped bad")
	wantHandlers(t, ctx, m, "h3", "h2")
	wantReport(t, rec)
}

func suiteSwapSup(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	o1, o2 := owner(t, ctx, true), owner(t, ctx, false)
	addSup(t, ctx, o1, m, book{id: "h1", d: d})
	as(t, ctx, o2, func(ctx context.Context) error {
		return event.SwapSup(ctx, m, "h1", successor(d, "h2"), func(g event.Gone) gone { return gone{g} })
	})
	wantTold(t, ctx, o1, "h1 swapped h2")
	if m.PID().Linked(o1.PID()) || !m.PID().Linked(o2.PID()) {
		t.Error("the link did not go from the old owner to the new one")
	}
	ok(t, event.Swap(ctx, m, "h2", successor(d, "h3"))) // a plain swap keeps the owner
	ok(t, m.SyncNotify(ctx, "x"))
	ok(t, event.Delete(ctx, m, "h3"))
	wantTold(t, ctx, o2, "h2 swapped h3", "h3 deleted")

	bad := func(*book) event.Handler[string, book] {
		h := handler(book{id: "bad", d: d})
		h.Init = func(context.Context) (*book, error) { return nil, errBoom }
		return h
	}
	addSup(t, ctx, o2, m, book{id: "h4", d: d})
	if err := event.Swap(ctx, m, "h4", bad); !errors.Is(err, errBoom) {
		t.Errorf("swap: %v", err)
	}
	wantTold(t, ctx, o2, "h4 swapped bad: boom")
	if m.PID().Linked(o2.PID()) {
		t.Error("still linked, with no handler left")
	}
}

// reacting adds a supervised handler that does as the event says.
func reacting(t *testing.T, ctx context.Context, m event.Manager[string], d *diary) (told func(...string)) {
	o := owner(t, ctx, true)
	add := func() {
		addSup(t, ctx, o, m, book{id: "h1", d: d, react: func(ev any) error {
			switch ev {
			case "swap":
				return event.Become(successor(d, "h2")(nil))
			case "delete":
				return event.Remove(nil)
			case "error":
				return errBoom
			case "panic":
				panic(errBoom)
			}
			return nil
		}})
		synctest.Wait()
		d.lines = nil
	}
	add()
	return func(want ...string) {
		t.Helper()
		wantTold(t, ctx, o, want...)
		add()
	}
}

func suiteNotify(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	send := func(ev string) { ok(t, m.Notify(ctx, ev)) }
	suiteEvents(t, ctx, rec, m, d, "event", send)
}

func suiteSyncNotify(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	n := 0
	send := func(ev string) {
		ok(t, m.SyncNotify(ctx, ev))
		if len(d.lines) == 0 {
			t.Errorf("SyncNotify %d returned before the event was handled", n)
		}
		n++
	}
	suiteEvents(t, ctx, rec, m, d, "event", send)
	ok(t, process.Stop(ctx, m, nil))
	if err := m.SyncNotify(ctx, "x"); !errors.Is(err, process.ErrNoProc) {
		t.Errorf("to a dead manager: %v", err)
	}
	ok(t, m.Notify(ctx, "x"))
}

func suiteInfo(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	send := func(ev string) { ok(t, process.Send(ctx, m.PID(), ev)) }
	suiteEvents(t, ctx, rec, m, d, "info", send)
}

// suiteEvents is what notify, sync_notify and info have in common: deliver,
// swap, delete, error, and what the owner is told of each.
func suiteEvents(t *testing.T, ctx context.Context, rec *processtest.Recorder, m event.Manager[string], d *diary, what string, send func(string)) {
	ok(t, event.Add(ctx, m, handler(book{id: "last", d: d})))
	told := reacting(t, ctx, m, d)
	send("x")
	d.want(t, "h1 "+what+" x", "last "+what+" x")
	send("swap")
	// The successor has its place, and does not see this event.
	d.want(t, "h1 "+what+" swap", "h1 gone: swapped h2", "h2 init after nobody", "last "+what+" swap")
	wantHandlers(t, ctx, m, "h2", "last")
	ok(t, event.Delete(ctx, m, "h2"))
	told("h1 swapped h2", "h2 deleted")
	send("delete")
	d.want(t, "h1 "+what+" delete", "h1 gone: removed", "last "+what+" delete")
	told("h1 removed")
	wantReport(t, rec)
	send("error")
	d.want(t, "h1 "+what+" error", "h1 gone: failed: boom", "last "+what+" error")
	told("h1 failed: boom")
	send("panic")
	d.want(t, "h1 "+what+" panic", "h1 gone: failed: panic: boom", "last "+what+" panic")
	told("h1 failed: panic: boom")
	wantReport(t, rec, "h1 failed", "h1 failed")
	wantHandlers(t, ctx, m, "h1", "last")
}

func suiteCall(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	request := func(err error) tell { return tell{func(context.Context, *book) (int, error) { return 1, err }} }
	if _, err := event.Call(ctx, m, "none", count{}); !errors.Is(err, event.ErrNoHandler) {
		t.Errorf("call nobody: %v", err)
	}
	add := func() { ok(t, event.Add(ctx, m, handler(book{id: "h1", d: d}))); d.lines = nil }
	add()
	if n, err := event.Call(ctx, m, "h1", request(nil)); n != 1 || err != nil {
		t.Errorf("call: %d, %v", n, err)
	}
	if _, err := event.Call(ctx, m, "h1", request(errBoom)); err != errBoom {
		t.Errorf("an error is the caller's: %v", err)
	}
	wantHandlers(t, ctx, m, "h1") // and the handler stays
	n, err := event.Call(ctx, m, "h1", request(event.Become(handler(book{id: "h2", d: d}))))
	if n != 1 || err != nil {
		t.Errorf("swap from a call: %d, %v", n, err)
	}
	d.want(t, "h1 gone: swapped h2", "h2 init")
	if n, err := event.Call(ctx, m, "h2", request(event.Remove(nil))); n != 1 || err != nil {
		t.Errorf("remove from a call: %d, %v", n, err)
	}
	d.want(t, "h2 gone: removed")
	wantReport(t, rec)

	add()
	var he *event.HandlerError
	if _, err := event.Call(ctx, m, "h1", request(event.Remove(errBoom))); !errors.As(err, &he) || he.Reason != errBoom {
		t.Errorf("failure in a call: %v", err)
	}
	d.want(t, "h1 gone: failed: boom")
	add()
	_, err = event.Call(ctx, m, "h1", tell{func(context.Context, *book) (int, error) { panic(errBoom) }})
	var p *process.PanicError
	if !errors.As(err, &p) || !errors.Is(err, errBoom) || !strings.Contains(p.StackText(), "suiteCall") {
		t.Errorf("panic in a call: %v", err)
	}
	d.want(t, "h1 gone: failed: panic: boom")
	wantReport(t, rec, "h1 failed", "h1 failed")

	add()
	ok(t, system.Suspend(ctx, m))
	if _, err := event.Call(ctx, m, "h1", count{}); !errors.Is(err, process.ErrTimeout) {
		t.Errorf("call of a suspended manager: %v", err)
	}
	ok(t, system.Resume(ctx, m))
	wantHandlers(t, ctx, m, "h1")
}

func suiteStatus(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	m := start(t, ctx, event.Spec[string]{Name: "bus"})
	ok(t, event.Add(ctx, m, handler(book{id: "h1", d: &diary{}, n: 4711})))
	s, err := system.Status(ctx, m)
	if err != nil || s.Name != "bus" || s.Kind != event.Kind || s.Info.Status != "running" ||
		!strings.Contains(s.State, "h1") || !strings.Contains(s.State, "4711") || strings.Contains(s.State, "diary") {
		t.Errorf("status %+v, %v; want what Inspect shows and no more", s, err)
	}
}

func suiteStatusAnon(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	m := start(t, ctx, event.Spec[string]{})
	s, err := system.Status(ctx, m)
	if err != nil || s.Name != "" || s.PID != m.PID() {
		t.Errorf("status of one without a name: %+v, %v", s, err)
	}
}

func suiteErrorStatus(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	m := start(t, ctx, event.Spec[string]{})
	ok(t, event.Add(ctx, m, handler(book{id: "h1", d: &diary{}, react: func(any) error { return errBoom }})))
	ok(t, m.SyncNotify(ctx, "crash"))
	e := lastReport(t, rec)
	r := e.Detail.(*event.Report)
	if r.State != "1" || e.Reason != errBoom || e.Msg != "crash" || e.PID != m.PID() {
		t.Errorf("report %+v %+v, want the state as Inspect shows it", e, r)
	}
	broken := handler(book{id: "h2", d: &diary{}, react: func(any) error { return errBoom }})
	broken.Inspect = func(*book) any { panic("Inspect is broken, too") }
	ok(t, event.Add(ctx, m, broken))
	ok(t, m.SyncNotify(ctx, "crash"))
	if r := lastReport(t, rec).Detail.(*event.Report); r.ID != "h2" || !strings.Contains(r.State, "PANIC") {
		t.Errorf("report with a broken Inspect: %+v", r)
	}
}

func lastReport(t *testing.T, rec *processtest.Recorder) process.Event {
	t.Helper()
	all := rec.Events(process.Warned)
	if len(all) == 0 {
		t.Fatal("nothing was reported")
	}
	return all[len(all)-1]
}

func suiteGetState(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	ok(t, event.Add(ctx, m, handler(book{id: "h1", d: d, n: 1})))
	ok(t, event.Add(ctx, m, handler(book{id: "h2", d: d, n: 2})))
	look := func() {
		t.Helper()
		all, err := system.State[event.States](ctx, m)
		if err != nil || len(all) != 2 || all[0].ID != "h2" || all[0].State.(book).n != 2 || all[1].State.(book).n != 1 {
			t.Errorf("states %+v, %v", all, err)
		}
		if b, err := event.StateOf[book](ctx, m, "h1"); b.n != 1 || err != nil {
			t.Errorf("state of h1: %+v, %v", b, err)
		}
	}
	look()
	ok(t, system.Suspend(ctx, m))
	look()
	if _, err := event.StateOf[book](ctx, m, "h3"); !errors.Is(err, event.ErrNoHandler) {
		t.Errorf("state of nobody: %v", err)
	}
	if _, err := event.StateOf[int](ctx, m, "h1"); err == nil || !strings.Contains(err.Error(), "*event_test.book") {
		t.Errorf("state of another type: %v", err)
	}
}

func suiteReplaceState(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	ok(t, event.Add(ctx, m, handler(book{id: "h1", d: d, n: 1})))
	ok(t, event.Add(ctx, m, handler(book{id: "h2", d: d, n: 2})))
	want := func(n1, n2 int) {
		t.Helper()
		all, err := system.State[event.States](ctx, m)
		if err != nil || all[1].State.(book).n != n1 || all[0].State.(book).n != n2 {
			t.Errorf("states %+v (%v), want %d and %d", all, err, n1, n2)
		}
	}
	b, err := event.ReplaceState(ctx, m, "h1", func(b book) (book, error) { b.n += 10; return b, nil })
	if b.n != 11 || err != nil {
		t.Errorf("replaced by %+v, %v", b, err)
	}
	want(11, 2)
	_, err = event.ReplaceState(ctx, m, "h1", func(b book) (book, error) { b.n = 99; panic(errBoom) })
	if !errors.Is(err, errBoom) {
		t.Errorf("replace by a function that fails: %v", err)
	}
	want(11, 2)
	ok(t, system.Suspend(ctx, m))
	_, err = system.ReplaceState(ctx, m, func(all event.States) (event.States, error) {
		all[0].State, all[1].State = "no book", book{id: "h1", d: d, n: 20}
		return all, nil
	})
	if err == nil || !strings.Contains(err.Error(), `"h2"`) { // said, and the other is replaced
		t.Errorf("replace of all, one with a wrong type: %v", err)
	}
	want(20, 2)
	_, err = system.ReplaceState(ctx, m, func(all event.States) (event.States, error) { return all[:1], nil })
	if err == nil {
		t.Error("one state for two handlers was accepted")
	}
}

func suiteUndefInit(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	h := handler(book{id: "h1", d: d})
	h.Init = nil // the zero state
	h.On = func(b *book, _ context.Context, _ string) error { b.n++; return nil }
	h.Terminate = nil
	ok(t, event.Add(ctx, m, h))
	ok(t, m.SyncNotify(ctx, "x"))
	if n, err := event.Call(ctx, m, "h1", count{}); n != 1 || err != nil {
		t.Errorf("a handler without Init: %d, %v", n, err)
	}
	h.ID = "h2"
	h.Init = func(context.Context) (*book, error) { panic(errBoom) }
	if err := event.Add(ctx, m, h); !errors.Is(err, errBoom) {
		t.Errorf("a handler whose Init panics: %v", err)
	}
	h.Init = func(context.Context) (*book, error) { return nil, nil }
	if err := event.Add(ctx, m, h); err == nil || !strings.Contains(err.Error(), "neither") {
		t.Errorf("a handler whose Init returns nothing: %v", err)
	}
	wantHandlers(t, ctx, m, "h1")
}

func suiteUndefCall(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	ok(t, event.Add(ctx, m, handler(book{id: "h1", d: d})))
	// What a handler does not understand does not compile, or is for another
	// state; then nobody is blamed.
	if _, err := event.Call(ctx, m, "h1", other{}); err == nil {
		t.Error("a request for another state was answered")
	}
	wantHandlers(t, ctx, m, "h1")
	wantReport(t, rec)
}

func suiteUndefEvent(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	h := handler(book{id: "h1", d: d})
	h.On = nil
	if err := event.Add(ctx, m, h); err == nil || !strings.Contains(err.Error(), "no On") {
		t.Errorf("a handler without On: %v", err)
	}
	wantHandlers(t, ctx, m)
}

func suiteUndefInfo(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	h := handler(book{id: "h1", d: d})
	h.Info = nil
	ok(t, event.Add(ctx, m, h))
	ok(t, process.Send(ctx, m.PID(), "hullo"))
	synctest.Wait()
	e := lastReport(t, rec)
	if e.Level != process.LevelWarn || !strings.Contains(e.Text, "no handler takes") || !strings.Contains(e.Text, "hullo") {
		t.Errorf("reported %+v", e)
	}
	wantHandlers(t, ctx, m, "h1")
}

func suiteUndefTerminate(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	h := handler(book{id: "h1", d: d})
	h.Terminate = nil
	ok(t, event.Add(ctx, m, h))
	ok(t, event.Delete(ctx, m, "h1"))
	ok(t, event.Add(ctx, m, h))
	ok(t, process.Stop(ctx, m, nil))
	wantReport(t, rec)
}

func suiteUndefInTerminate(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	m, d := start(t, ctx, event.Spec[string]{}), &diary{}
	ok(t, event.Add(ctx, m, handler(book{id: "h0", d: d})))
	b := book{id: "h1", d: d, close: func(event.Gone) error { var f func() error; return f() }}
	ok(t, event.Add(ctx, m, handler(b)))
	var p *process.PanicError
	if err := event.Delete(ctx, m, "h1"); !errors.As(err, &p) {
		t.Errorf("delete: %v, want the panic of Terminate", err)
	}
	ok(t, event.Add(ctx, m, handler(b)))
	d.lines = nil
	ok(t, process.Stop(ctx, m, nil)) // the others are terminated all the same
	d.want(t, "h1 gone: stopped", "h0 gone: stopped")
	if e := lastReport(t, rec); e.Text != event.TextUntidy || e.Level != process.LevelWarn {
		t.Errorf("reported %+v, want that it did not clean up", e)
	}
}

func suiteFormatLog1(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	m := start(t, ctx, event.Spec[string]{})
	ok(t, event.Add(ctx, m, handler(book{id: "h1", d: &diary{}, react: func(any) error { panic(errBoom) }})))
	ok(t, m.SyncNotify(ctx, "crash"))
	e := lastReport(t, rec)
	got := e.Text + ": " + e.Reason.Error()
	e.Detail.Each(func(key string, value any) {
		if p, ok := value.(*process.PanicError); ok {
			value = strings.Contains(p.StackText(), "suiteFormatLog1")
		}
		got += fmt.Sprintf(" %s=%v", key, value)
	})
	if want := "event handler failed: panic: boom handler=h1 cause=failed state=1 stack=true"; got != want {
		t.Errorf("report %q, want %q", got, want)
	}
}

func suiteFormatLog2(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	m := start(t, ctx, event.Spec[string]{})
	h := handler(book{id: "h1", d: &diary{}, react: func(any) error { return errBoom }})
	h.Inspect = func(*book) any { return strings.Repeat("long ", 1000) }
	ok(t, event.Add(ctx, m, h))
	ok(t, m.SyncNotify(ctx, "crash"))
	if r := lastReport(t, rec).Detail.(*event.Report); len(r.State) > 256 {
		t.Errorf("a state of %d bytes in a report", len(r.State))
	}
}
