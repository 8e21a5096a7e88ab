package system_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/process/statem"
	"github.com/coppice-go/coppice/process/system"
	"github.com/coppice-go/coppice/supervisor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBoom = errors.New("boom")

func bubble(t *testing.T, f func(t *testing.T, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, processtest.Context(t)) })
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("got the error %v, want none", err)
	}
}

func contains(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want it to say %q", err, part)
		}
	}
}

// A Stock counts things.
type Stock struct {
	count map[string]int
	idle  int
}

func newStock(context.Context) (*Stock, error) { return &Stock{count: map[string]int{"nails": 7}}, nil }

// Add is a request.
type Add struct {
	What string
	N    int
}

func (m Add) Handle(_ context.Context, s *Stock) (int, error) {
	s.count[m.What] += m.N
	return s.count[m.What], nil
}

// Note is a notice.
type Note struct{ Text string }

func (Note) Handle(context.Context, *Stock) error { return nil }

// Later is answered later.
type Later struct{ to *server.Reply[int] }

func (m Later) Handle(ctx context.Context, _ *Stock) (n int, err error) {
	*m.to, err = server.Defer[int](ctx)
	return 0, err
}

// Wait keeps the server in a handler.
type Wait struct{ For time.Duration }

func (m Wait) Handle(context.Context, *Stock) error { time.Sleep(m.For); return nil }

func stock(t *testing.T, ctx context.Context, spec server.Spec[Stock]) server.Ref[Stock] {
	t.Helper()
	if spec.Init == nil {
		spec.Init = newStock
	}
	s, err := server.Start(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The state is seen as it is between two turns, and looked into where it lives.
func TestState(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		s := stock(t, ctx, server.Spec[Stock]{Name: "stock"})
		nails := func(s Stock) (int, error) { return s.count["nails"], nil }
		if n, err := system.Look(ctx, s, nails); n != 7 || err != nil {
			t.Errorf("look: %d, %v", n, err)
		}
		if n, err := system.Look(ctx, process.Name("stock"), nails); n != 7 || err != nil {
			t.Errorf("look by name: %d, %v", n, err)
		}
		if _, err := system.Look(ctx, s, func(Stock) (int, error) { panic(errBoom) }); !errors.Is(err, errBoom) {
			t.Errorf("a function that panics: %v", err)
		}
		_, err := system.State[int](ctx, s)
		contains(t, err, "is a system_test.Stock, not a int", "stock")
		if _, err := system.State[Stock](ctx, process.Name("nobody")); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("state of nobody: %v", err)
		}
		if _, err := system.State[Stock](context.Background(), s); !errors.Is(err, process.ErrNoNode) {
			t.Errorf("state asked by nobody: %v", err)
		}
		ok(t, server.Cast(ctx, s, Wait{time.Hour}))
		synctest.Wait()
		_, err = system.State[Stock](ctx, s)
		if busy, is := errors.AsType[*process.BusyError](err); !is || !strings.Contains(busy.Stack, "Wait.Handle") {
			t.Errorf("state of one in a handler: %v", err)
		}
		time.Sleep(time.Hour)
		ok(t, process.Stop(ctx, s, nil))
		if _, err := system.State[Stock](ctx, s); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("state of the dead: %v", err)
		}
	})
}

func TestReplaceState(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		s := stock(t, ctx, server.Spec[Stock]{})
		ok(t, system.Suspend(ctx, s)) // works all the same
		got, err := system.ReplaceState(ctx, s, func(s Stock) (Stock, error) { s.idle = 3; return s, nil })
		if got.idle != 3 || err != nil {
			t.Errorf("replaced by %+v, %v", got, err)
		}
		for name, f := range map[string]func(Stock) (Stock, error){
			"error": func(Stock) (Stock, error) { return Stock{idle: 9}, errBoom },
			"panic": func(s Stock) (Stock, error) { s.idle = 9; panic(errBoom) },
		} {
			if _, err := system.ReplaceState(ctx, s, f); !errors.Is(err, errBoom) {
				t.Errorf("%s: %v", name, err)
			}
			if now, err := system.State[Stock](ctx, s); now.idle != 3 || err != nil {
				t.Errorf("%s: state %+v (%v), want the old one", name, now, err)
			}
		}
		_, err = system.ReplaceState(ctx, s, func(int) (int, error) { return 0, nil })
		contains(t, err, "not a int")
	})
}

// A state may be an error, a state may be called error, and a state may be nil:
// each is an answer, not a failure (defect D4 of OTP 25).
func TestStateThatLooksLikeAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		for _, want := range []error{errBoom, process.ErrNoProc, process.ErrTimeout, nil} {
			s, err := server.Start(ctx, server.Spec[error]{Init: func(context.Context) (*error, error) { return &want, nil }})
			ok(t, err)
			if got, err := system.State[error](ctx, s); got != want || err != nil {
				t.Errorf("state %v, %v; want %v and no error", got, err, want)
			}
			if got, err := system.ReplaceState(ctx, s, func(error) (error, error) { return errBoom, nil }); got != errBoom || err != nil {
				t.Errorf("replaced by %v, %v", got, err)
			}
		}
		m := machine(t, ctx, statem.Spec[string, string, int]{
			First:  []string{"error"},
			Init:   func(*turn) (string, *int, error) { n := 7; return "error", &n, nil },
			States: map[string]statem.State[string, string, int]{"error": {On: stay("error")}},
		})
		if got, err := system.State[statem.Snapshot[string, int]](ctx, m); got.State != "error" || got.Data != 7 || err != nil {
			t.Errorf("machine in state error: %+v, %v", got, err)
		}
	})
}

// Asking for the state, however often, does not put off an idle time-out
// (defect D7 of OTP 25), nor do the other questions.
func TestPollingDoesNotPostponeTimeouts(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		began := time.Now()
		var idleAt, stateAt time.Duration
		s := stock(t, ctx, server.Spec[Stock]{IdleTimeout: time.Second, Idle: func(context.Context, *Stock) error {
			idleAt = time.Since(began)
			return server.Stop(nil)
		}})
		m := machine(t, ctx, statem.Spec[string, string, int]{
			First: []string{"a"},
			Init:  func(*turn) (string, *int, error) { return "a", new(int), nil },
			States: map[string]statem.State[string, string, int]{"a": {On: stay("a"), Timeout: time.Second,
				Expired: func(*int, *turn) (string, error) { stateAt = time.Since(began); return "a", statem.Stop(nil) }}},
		})
		for idleAt == 0 || stateAt == 0 {
			_, err1 := system.State[Stock](ctx, s)
			_, err2 := system.State[statem.Snapshot[string, int]](ctx, m)
			_, err3 := system.Status(ctx, s)
			err4 := errors.Join(system.SetLog(ctx, s, 5), system.Suspend(ctx, m), system.Resume(ctx, m))
			ok(t, errors.Join(err1, err2, err3, err4))
			time.Sleep(300 * time.Millisecond)
			synctest.Wait()
		}
		if idleAt != time.Second || stateAt != time.Second {
			t.Errorf("polled every 300 ms, the time-outs of 1s came after %v and %v", idleAt, stateAt)
		}
	})
}

type turn = statem.Turn[string]

// stay is a handler that remains where it is.
func stay(in string) func(*int, *turn, string) (string, error) {
	return func(n *int, _ *turn, _ string) (string, error) { *n++; return in, nil }
}

func machine(t *testing.T, ctx context.Context, spec statem.Spec[string, string, int]) statem.Ref[string] {
	t.Helper()
	m, err := statem.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := m.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// twoStates is a machine that postpones in a, and goes to b and from there to c
// by "go".
func twoStates(t *testing.T, ctx context.Context, diary *[]string) statem.Ref[string] {
	write := func(in string, next string) statem.State[string, string, int] {
		return statem.State[string, string, int]{
			To: []string{next},
			On: func(_ *int, t *turn, ev string) (string, error) {
				*diary = append(*diary, in+" "+ev)
				switch {
				case ev == "go":
					t.Insert("inserted")
					return next, nil
				case in == "a":
					t.Postpone()
				}
				return in, nil
			},
			Enter: func(_ *int, _ *turn, from string) error { *diary = append(*diary, in+" enter from "+from); return nil },
		}
	}
	return machine(t, ctx, statem.Spec[string, string, int]{
		First: []string{"a"},
		Init: func(t *turn) (string, *int, error) {
			t.Timeout("later", time.Hour, "late")
			return "a", new(int), nil
		},
		States:  map[string]statem.State[string, string, int]{"a": write("a", "b"), "b": write("b", "c"), "c": write("c", "a")},
		Inspect: func(n *int) any { return *n },
	})
}

// Replacing the state of a machine is no change of state.
func TestReplaceMachineState(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		type snapshot = statem.Snapshot[string, int]
		var diary []string
		m := twoStates(t, ctx, &diary)
		ok(t, m.Cast(ctx, "x"))
		synctest.Wait()
		diary = nil
		got, err := system.ReplaceState(ctx, m, func(s snapshot) (snapshot, error) { return snapshot{State: "b", Data: s.Data + 5}, nil })
		if got != (snapshot{State: "b", Data: 5}) || err != nil {
			t.Errorf("replaced by %+v, %v", got, err)
		}
		s, err := system.Status(ctx, m)
		want := []system.Field{{Key: "postponed", Value: `["x"]`}, {Key: "timeouts", Value: `["later"]`}}
		if err != nil || !slices.Equal(s.Fields, want) {
			t.Errorf("fields %v, %v; want %v", s.Fields, err, want)
		}
		ok(t, m.Cast(ctx, "go"))
		synctest.Wait()
		if want := []string{"b go", "c enter from b", "c inserted", "c x"}; !slices.Equal(diary, want) {
			t.Errorf("after it: %q, want %q", diary, want)
		}
		_, err = system.ReplaceState(ctx, m, func(snapshot) (snapshot, error) { return snapshot{State: "nowhere"}, nil })
		contains(t, err, `state nowhere is not in the table`)
		if now, err := system.State[snapshot](ctx, m); now != (snapshot{State: "c", Data: 5}) || err != nil {
			t.Errorf("state %+v, %v", now, err)
		}
	})
}

// Everything that has a PID can be looked at, suspended and terminated.
func TestAnyProcess(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		sup, err := supervisor.Start(ctx, supervisor.Spec{Name: "sup"})
		ok(t, err)
		raw, err := process.Spawn(ctx, func(_ context.Context, in *process.Inbox[int]) error {
			for {
				in.Receive()
			}
		})
		ok(t, err)
		bus, err := event.Start(ctx, event.Spec[string]{})
		ok(t, err)
		var diary []string
		all := map[string]process.PID{
			"server": stock(t, ctx, server.Spec[Stock]{Inspect: func(s *Stock) any { return s.idle }}).PID(),
			"statem": twoStates(t, ctx, &diary).PID(), "event": bus.PID(), "supervisor": sup, "": raw.PID(),
		}
		for kind, pid := range all {
			ok(t, system.Suspend(ctx, pid))
			ok(t, system.Suspend(ctx, pid))
			s, err := system.Status(ctx, pid)
			if err != nil || s.Kind != kind || s.Status != "suspended" || s.PID != pid {
				t.Errorf("%q: status %+v, %v", kind, s, err)
			}
			ok(t, system.Resume(ctx, pid))
			ok(t, system.Resume(ctx, pid))
			s, err = system.Status(ctx, pid)
			if err != nil || s.Status != "running" || (s.State == "") != (kind == "") {
				t.Errorf("%q: status %+v, %v", kind, s, err)
			}
			ok(t, system.Terminate(ctx, pid, errBoom))
			if reason, err := process.Wait(ctx, pid); reason != errBoom || err != nil {
				t.Errorf("%q: ended with %v, %v", kind, reason, err)
			}
			if err := system.Terminate(ctx, pid, errBoom); !errors.Is(err, process.ErrNoProc) {
				t.Errorf("%q: terminated twice: %v", kind, err)
			}
		}
	})
}

// What a behaviour does not show is an error that says so.
func TestUnsupported(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid, err := process.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
		ok(t, err)
		_, err1 := system.State[int](ctx, pid)
		_, err2 := system.Log(ctx, pid)
		for _, err := range []error{err1, err2, system.SetLog(ctx, pid, 1)} {
			if err == nil || !errors.Is(err, system.ErrUnsupported) && !errors.Is(err, process.ErrTimeout) {
				t.Errorf("of a plain function: %v", err)
			}
		}
		raw, err := process.Spawn(ctx, func(_ context.Context, in *process.Inbox[int]) error { in.Receive(); return nil })
		ok(t, err)
		if _, err := system.State[int](ctx, raw); !errors.Is(err, system.ErrUnsupported) {
			t.Errorf("state of a raw process: %v", err)
		}
		if err := system.SetStatistics(ctx, raw, true); !errors.Is(err, system.ErrUnsupported) {
			t.Errorf("statistics of a raw process: %v", err)
		}
	})
}

// Terminate only asks: it is there before the end, takes its turn in the
// mailbox, and ends one that is suspended, too.
func TestTerminate(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		s := stock(t, ctx, server.Spec[Stock]{TrapExit: true, Terminate: func(context.Context, *Stock, error) error {
			time.Sleep(time.Minute)
			return nil
		}})
		ok(t, server.Cast(ctx, s, Wait{time.Minute}))
		began := time.Now()
		ok(t, system.Terminate(ctx, s, errBoom))
		if time.Since(began) != 0 {
			t.Errorf("Terminate took %v", time.Since(began))
		}
		reason, err := process.Wait(ctx, s)
		if reason != errBoom || err != nil || time.Since(began) != 2*time.Minute {
			t.Errorf("ended with %v (%v) after %v", reason, err, time.Since(began))
		}
		s = stock(t, ctx, server.Spec[Stock]{})
		ok(t, system.Suspend(ctx, s))
		ok(t, server.Cast(ctx, s, Note{"never read"}))
		var out bytes.Buffer
		ok(t, system.Trace(ctx, s, &out))
		ok(t, system.Terminate(ctx, s, nil))
		if reason, err := process.Wait(ctx, s); reason != nil || err != nil {
			t.Errorf("suspended and terminated: %v, %v", reason, err)
		}
		if got := out.String(); !strings.HasSuffix(got, " terminates: normal\n") || strings.Contains(got, "never") {
			t.Errorf("trace of the end: %q", got)
		}
		if err := system.Terminate(ctx, process.Name("nobody"), nil); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("terminate nobody: %v", err)
		}
		done, cancel := context.WithCancel(ctx)
		cancel()
		s = stock(t, ctx, server.Spec[Stock]{})
		if err := system.Terminate(done, s, nil); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("with a ctx that is done: %v", err)
		}
	})
}

// The log keeps the latest, and a new size keeps what fits (defect D5).
func TestLogSize(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		s := stock(t, ctx, server.Spec[Stock]{})
		note := func(from, to int) {
			for i := from; i <= to; i++ {
				ok(t, server.Cast(ctx, s, Note{fmt.Sprint(i)}))
			}
			synctest.Wait()
		}
		want := func(what string, want ...string) {
			t.Helper()
			all, err := system.Log(ctx, s)
			var got []string
			for _, e := range all {
				got = append(got, e.Msg.(Note).Text)
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q, %v; want %q", what, got, err, want)
			}
		}
		note(1, 3)
		want("off")
		ok(t, system.SetLog(ctx, s, 3))
		note(4, 5)
		want("not full", "4", "5")
		note(6, 9)
		want("full", "7", "8", "9")
		ok(t, system.SetLog(ctx, s, 5))
		note(10, 11)
		want("larger", "7", "8", "9", "10", "11")
		note(12, 12)
		want("larger and full", "8", "9", "10", "11", "12")
		ok(t, system.SetLog(ctx, s, 2))
		want("smaller", "11", "12")
		note(13, 13)
		want("smaller, one more", "12", "13")
		ok(t, system.SetLog(ctx, s, 0))
		want("off again")
		contains(t, system.SetLog(ctx, s, -1), "use 0")
	})
}

// What a machine does beside taking events is seen, too.
func TestMachineEvents(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		var diary []string
		m := twoStates(t, ctx, &diary)
		var lines []string
		ok(t, system.Install(ctx, m, "lines", func(e process.Event) bool {
			e.PID = process.PID{}
			lines = append(lines, strings.TrimPrefix(system.Format(e), "<nobody> "))
			return false
		}))
		ok(t, m.Cast(ctx, "x"))
		ok(t, m.Cast(ctx, "go"))
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		want := []string{
			`got "x"`, `postponed "x"`, `got "go"`, `changed state to "b"`, `got inserted "inserted"`,
			`got later "late"`, // the time-out called later
		}
		if !slices.Equal(lines, want) {
			t.Errorf("events:\n\t%s\nwant:\n\t%s", strings.Join(lines, "\n\t"), strings.Join(want, "\n\t"))
		}
	})
}

// An event manager shows events and requests, with the handler that is asked.
func TestManagerEvents(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		bus, err := event.Start(ctx, event.Spec[string]{Name: "bus"})
		ok(t, err)
		ok(t, event.Add(ctx, bus, event.Handler[string, Stock]{ID: "h", Init: newStock, On: func(*Stock, context.Context, string) error { return nil }}))
		var out bytes.Buffer
		ok(t, system.Trace(ctx, bus, &out))
		ok(t, bus.Notify(ctx, "a"))
		ok(t, bus.SyncNotify(ctx, "b"))
		_, err = event.Call(ctx, bus, "h", Add{"nails", 1})
		ok(t, err)
		ok(t, event.Delete(ctx, bus, "h"))
		want := `bus got "a"
bus got "b"
bus got h system_test.Add{What:"nails" N:1}
bus got delete handler h
`
		if out.String() != want {
			t.Errorf("trace:\n%swant:\n%s", out.String(), want)
		}
	})
}

// A function that fails to write or panics is removed and reported; the process
// and the other functions go on.
func TestFailingListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &processtest.Recorder{}
		ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
		s := stock(t, ctx, server.Spec[Stock]{})
		seen := 0
		ok(t, system.Trace(ctx, s, brokenWriter{}))
		ok(t, system.Install(ctx, s, "panics", func(process.Event) bool { panic(errBoom) }))
		ok(t, system.Install(ctx, s, "once", func(process.Event) bool { seen++; return true }))
		ok(t, system.Install(ctx, s, "counts", func(process.Event) bool { seen++; return false }))
		for range 2 {
			ok(t, server.Cast(ctx, s, Note{}))
		}
		synctest.Wait()
		r, err := system.Status(ctx, s)
		if err != nil || !slices.Equal(r.Watching, []string{"counts"}) || seen != 3 {
			t.Errorf("left are %q (%v), %d events were seen", r.Watching, err, seen)
		}
		if n := len(rec.Events(process.Warned)); n != 2 {
			t.Errorf("%d reports, want one for each that failed:\n%v", n, rec)
		}
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBoom }

// With nothing switched on there is nobody to be told: a process pays one look
// at a nil pointer.
func TestOff(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		b := &special{}
		pid, err := process.Start(ctx, process.Spec{Behaviour: b})
		ok(t, err)
		want := func(on bool, after string) {
			t.Helper()
			if _, err := system.Log(ctx, pid); err != nil { // to look is to switch nothing on
				t.Error(err)
			}
			if (b.probe != nil) != on {
				t.Errorf("after %s: probe %v", after, b.probe)
			}
		}
		want(false, "the start")
		for name, set := range map[string]func(on bool) error{
			"log":        func(on bool) error { return system.SetLog(ctx, pid, map[bool]int{true: 3}[on]) },
			"statistics": func(on bool) error { return system.SetStatistics(ctx, pid, on) },
			"trace": func(on bool) error {
				if on {
					return system.Trace(ctx, pid, &bytes.Buffer{})
				}
				return system.Trace(ctx, pid, nil)
			},
		} {
			ok(t, set(true))
			want(true, name+" on")
			ok(t, set(false))
			want(false, name+" off")
		}
	})
}
