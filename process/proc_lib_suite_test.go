package process_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// The cases of OTP's proc_lib_SUITE, under their names there.
func TestProcLibSUITE(t *testing.T) {
	t.Run("crash", plCrash)
	t.Run("stacktrace", plStacktrace)
	t.Run("sync_start_nolink", func(t *testing.T) { plSyncStart(t, process.Spec{Unlinked: true}, false) })
	t.Run("sync_start_link", func(t *testing.T) { plSyncStart(t, process.Spec{}, false) })
	t.Run("sync_start_monitor", func(t *testing.T) { plSyncStart(t, process.Spec{Unlinked: true}, true) })
	t.Run("sync_start_monitor_link", func(t *testing.T) { plSyncStart(t, process.Spec{}, true) })
	t.Run("sync_start_timeout", func(t *testing.T) { plStartTimeout(t, process.Spec{Unlinked: true}, false) })
	t.Run("sync_start_link_timeout", func(t *testing.T) { plStartTimeout(t, process.Spec{}, false) })
	t.Run("sync_start_monitor_link_timeout", func(t *testing.T) { plStartTimeout(t, process.Spec{}, true) })
	t.Run("spawn_opt", plSpawnOpt)
	t.Run("otp_6345", plMonitorOfAFailedStart)
	t.Run("init_dont_hang", plInitDontHang)
	t.Run("stop", plStop)
	t.Run("t_format", plFormat)
	t.Run("t_format_arbitrary", plFormatArbitrary)
	t.Run("report_cb", plReportText)
}

// waitToDie is a raw process that ends with the error it is sent.
func waitToDie(_ context.Context, in *process.Inbox[error]) error { return in.Receive() }

// recorded is a bubble whose reports are kept.
func recorded(t *testing.T, f func(t *testing.T, ctx context.Context, rec *processtest.Recorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rec := &processtest.Recorder{Kinds: process.Crashed | process.Warned}
		f(t, processtest.Node(t, process.NodeSpec{Probe: rec}), rec)
	})
}

func onlyCrash(t *testing.T, rec *processtest.Recorder) *process.CrashReport {
	t.Helper()
	synctest.Wait()
	got := rec.Events(process.Crashed)
	if len(got) != 1 {
		t.Fatalf("%d crash reports, want 1: %v", len(got), got)
	}
	return got[0].Detail.(*process.CrashReport)
}

func plCrash(t *testing.T) {
	t.Run("clean", func(t *testing.T) {
		recorded(t, func(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
			for _, reason := range []error{process.ErrShutdown, process.Shutdown(errBoom)} {
				ref, err := process.SpawnLink(ctx, waitToDie)
				if err != nil {
					t.Fatal(err)
				}
				if err := ref.Send(ctx, reason); err != nil {
					t.Error(err)
				}
				wantReason(t, ctx, ref.PID(), reason)
			}
			if got := rec.Events(0); len(got) != 0 {
				t.Errorf("clean ends were reported: %v", got)
			}
		})
	})
	t.Run("neighbours", func(t *testing.T) {
		recorded(t, func(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
			top := start(t, ctx, process.Spec{Name: "top", TrapExit: true})
			var victim, near, far, traps process.PID
			in(t, ctx, top, func(ctx context.Context) { victim = start(t, ctx, process.Spec{Name: "victim"}) })
			in(t, ctx, victim, func(ctx context.Context) {
				process.Annotate(ctx, "serves", "client 7")
				near = start(t, ctx, process.Spec{Name: "near"})
				traps = start(t, ctx, process.Spec{Name: "traps", TrapExit: true, Unlinked: true})
				if err := process.Link(ctx, traps); err != nil {
					t.Error(err)
				}
			})
			in(t, ctx, near, func(ctx context.Context) {
				ref, err := process.SpawnLink(ctx, waitToDie)
				if err != nil {
					t.Error(err)
				}
				far = ref.PID()
			})
			gate := make(chan struct{})
			send(t, ctx, victim, do(func(context.Context, *script) error { <-gate; return errBoom }))
			send(t, ctx, victim, "left behind")
			close(gate)
			r := onlyCrash(t, rec)
			if r.PID != victim || r.Name != "victim" || !errors.Is(r.Reason, errBoom) || r.TrapExit || r.Mailbox != 1 {
				t.Errorf("report %+v", r)
			}
			if !strings.HasSuffix(r.Runs, "process_test.script") || !slices.Equal(r.PID.Ancestors(), []process.PID{top}) {
				t.Errorf("runs %q below %v, want the script, below %v", r.Runs, r.PID.Ancestors(), top)
			}
			if want := []process.PID{top, near, traps}; !slices.Equal(r.Links, want) {
				t.Errorf("links %v, want %v", r.Links, want)
			}
			if len(r.Neighbours) != 2 || r.Neighbours[0].PID != near || r.Neighbours[1].PID != far {
				t.Errorf("neighbours %v, want those about to die with it, the near before the far", r.Neighbours)
			}
			if !strings.Contains(r.Neighbours[1].Runs, "waitToDie") || !slices.Equal(r.Neighbours[1].Ancestors, []process.PID{near, victim, top}) {
				t.Errorf("neighbour %+v", r.Neighbours[1])
			}
			if len(r.Waiting) != 1 || !strings.Contains(r.Waiting[0], "left behind") {
				t.Errorf("waiting %v, want the message that nobody will read", r.Waiting)
			}
			if !slices.Equal(r.Notes, []process.Note{{Key: "serves", Value: "client 7"}}) {
				t.Errorf("notes %v", r.Notes)
			}
		})
	})
	t.Run("at most 15 neighbours", func(t *testing.T) {
		recorded(t, func(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
			victim := start(t, ctx, process.Spec{Unlinked: true})
			in(t, ctx, victim, func(ctx context.Context) {
				for range 40 {
					start(t, ctx, process.Spec{})
				}
			})
			send(t, ctx, victim, errBoom)
			if r := onlyCrash(t, rec); len(r.Neighbours) != 15 {
				t.Errorf("%d neighbours shown, want 15", len(r.Neighbours))
			}
		})
	})
}

// error, exit and throw: a panic has a stack and keeps its value, an exit is
// its reason and nothing else.
func plStacktrace(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(ctx context.Context) error
		stack bool
	}{
		"error":  {func(context.Context) error { panic(errBoom) }, true},
		"throw":  {func(context.Context) error { panic("boom") }, true},
		"exit":   {func(ctx context.Context) error { process.Exit(ctx, errBoom); return nil }, false},
		"return": {func(context.Context) error { return errBoom }, false},
	} {
		t.Run(name, func(t *testing.T) {
			recorded(t, func(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
				pid := start(t, ctx, process.Spec{Unlinked: true})
				send(t, ctx, pid, do(func(ctx context.Context, _ *script) error { return c.end(ctx) }))
				r := onlyCrash(t, rec)
				p, ok := r.Reason.(*process.PanicError)
				switch {
				case ok != c.stack:
					t.Errorf("reason %v, a panic: %v, want %v", r.Reason, ok, c.stack)
				case ok && !strings.Contains(p.StackText(), "plStacktrace"):
					t.Errorf("stack %s, want the function that panicked", p.StackText())
				case !ok && r.Reason != errBoom:
					t.Errorf("reason %v, want %v itself", r.Reason, errBoom)
				}
				if name != "throw" && !errors.Is(r.Reason, errBoom) {
					t.Errorf("reason %v hides %v", r.Reason, errBoom)
				}
			})
		})
	}
}

// A start returns when its Init has, and not before.
func plSyncStart(t *testing.T, spec process.Spec, monitored bool) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		starter := start(t, ctx, process.Spec{TrapExit: true})
		goOn := make(chan struct{})
		spec.Behaviour = &script{init: func(context.Context) error { <-goOn; return nil }}
		var child process.PID
		started := make(chan struct{})
		send(t, ctx, starter, do(func(ctx context.Context, _ *script) (err error) {
			if monitored {
				child, _, err = process.StartMonitor(ctx, spec, "tag")
			} else {
				child, err = process.Start(ctx, spec)
			}
			close(started)
			return err
		}))
		synctest.Wait()
		select {
		case <-started:
			t.Fatal("the start returned before Init did")
		default:
		}
		close(goOn)
		<-started
		send(t, ctx, child, errBoom)
		wantReason(t, ctx, child, errBoom)
		got := kept(t, ctx, starter)
		d, x := downs(got), exits(got)
		if linked := !spec.Unlinked; (len(x) == 1) != linked || linked && x[0].Reason != errBoom {
			t.Errorf("exit signals %v, linked: %v", x, linked)
		}
		if (len(d) == 1) != monitored || monitored && (d[0].Reason != errBoom || d[0].Tag != "tag" || d[0].PID != child) {
			t.Errorf("downs %v, monitored: %v", d, monitored)
		}
	})
}

// A start that takes too long leaves an error and nothing else: no process, no
// name, no signal. OTP's start_monitor leaves a 'DOWN' besides.
func plStartTimeout(t *testing.T, spec process.Spec, monitored bool) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		starter := start(t, ctx, process.Spec{TrapExit: true})
		spec.Name, spec.Timeout = "late", time.Second
		spec.Behaviour = &script{init: func(ctx context.Context) error { <-ctx.Done(); return nil }}
		var child process.PID
		var err error
		in(t, ctx, starter, func(ctx context.Context) {
			began := time.Now()
			if monitored {
				child, _, err = process.StartMonitor(ctx, spec, nil)
			} else {
				child, err = process.Start(ctx, spec)
			}
			if d := time.Since(began); d != time.Second {
				t.Errorf("gave up after %v, want 1s", d)
			}
		})
		if !errors.Is(err, process.ErrTimeout) {
			t.Errorf("start: %v, want %v", err, process.ErrTimeout)
		}
		if _, ok := process.Whereis(ctx, "late"); ok || child.Alive() {
			t.Error("name or process are still there")
		}
		wantReason(t, ctx, child, process.ErrKilled)
		if got := kept(t, ctx, starter); len(got) != 0 {
			t.Errorf("the starter was sent %v besides", got)
		}
	})
}

// What a process was started with can be asked for.
func plSpawnOpt(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ref, err := process.SpawnRaw(ctx, process.Raw[error]{Name: "raw", Run: waitToDie})
		if err != nil {
			t.Fatal(err)
		}
		helper, err := process.Go(ctx, sitAndWait)
		if err != nil {
			t.Fatal(err)
		}
		for pid, want := range map[process.PID]string{ref.PID(): "waitToDie", helper: "sitAndWait"} {
			if i := pid.Info(); !strings.HasSuffix(i.Runs, want) || !strings.Contains(i.Spawner, "proc_lib_suite_test.go") {
				t.Errorf("%v runs %q, started at %q; want %s, started here", pid, i.Runs, i.Spawner, want)
			}
		}
	})
}

func sitAndWait(ctx context.Context) error { <-ctx.Done(); return nil }

// A monitor is asked for by StartMonitor only; if the start fails it goes.
func plMonitorOfAFailedStart(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		starter := start(t, ctx, process.Spec{TrapExit: true})
		in(t, ctx, starter, func(ctx context.Context) {
			for _, spec := range []process.Spec{{}, {Behaviour: &script{}, Limit: -1}, {Behaviour: &script{init: failInit}}} {
				if _, _, err := process.StartMonitor(ctx, spec, nil); err == nil {
					t.Errorf("start of %+v succeeded", spec)
				}
			}
		})
		if got, i := kept(t, ctx, starter), starter.Info(); len(got) != 0 || len(i.Monitors) != 0 {
			t.Errorf("sent %v, monitors %v; want none", got, i.Monitors)
		}
	})
}

func failInit(context.Context) error { return errBoom }

// A process that crashes before it has begun does not keep its starter waiting,
// and start and start_link say the same.
func plInitDontHang(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		boom := func() process.Behaviour {
			return &script{init: func(context.Context) error { panic(errBoom) }}
		}
		for _, spec := range []process.Spec{{}, {Unlinked: true}, {Unlinked: true, Timeout: time.Second}} {
			spec.Behaviour = boom()
			_, err := process.Start(ctx, spec)
			if p, ok := errors.AsType[*process.PanicError](err); !ok || p.Value != errBoom {
				t.Errorf("start: %v, want the panic", err)
			}
		}
	})
}

func plStop(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		ended := func(pid process.PID, reason, want error) {
			t.Helper()
			if err := process.Stop(ctx, pid, reason); !errors.Is(err, want) {
				t.Errorf("stop: %v, want %v", err, want)
			}
			if pid.Alive() {
				t.Errorf("%v lives on", pid)
			}
		}
		pid := start(t, ctx, process.Spec{Unlinked: true})
		ended(pid, nil, nil)
		ended(pid, nil, process.ErrNoProc)
		ended(start(t, ctx, process.Spec{Unlinked: true}), errBoom, nil)
		other := errors.New("in Terminate")
		ended(start(t, ctx, process.Spec{Unlinked: true, Behaviour: &script{
			terminate: func(context.Context, error) error { return other }}}), errBoom, other)

		// One that hangs: the stop gives up; the request, even one without any
		// time to wait, ends the process as soon as it can.
		gate := make(chan struct{})
		for _, limit := range []time.Duration{time.Second, 0} {
			hangs := start(t, ctx, process.Spec{Unlinked: true})
			send(t, ctx, hangs, do(func(context.Context, *script) error { <-gate; return nil }))
			soon, cancel := context.WithTimeout(ctx, limit)
			if err := process.Stop(soon, hangs, nil); !errors.Is(err, context.DeadlineExceeded) || !hangs.Alive() {
				t.Errorf("stop of one that hangs, for %v: %v", limit, err)
			}
			cancel()
			defer wantReason(t, ctx, hangs, nil)
		}
		close(gate)

		named := start(t, ctx, process.Spec{Name: "to_stop", Unlinked: true})
		if err := process.Stop(ctx, process.Name("to_stop"), nil); err != nil || named.Alive() {
			t.Errorf("stop by name: %v", err)
		}
		if err := process.Stop(ctx, process.Name("to_stop"), nil); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("stop of a name that nobody has: %v", err)
		}
	})
}

// Whatever a process was sent and holds, its report stays short.
func plFormat(t *testing.T) {
	recorded(t, func(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
		pid := start(t, ctx, process.Spec{Unlinked: true, Behaviour: &crasher{huge: make([]int, 1e6)}})
		send(t, ctx, pid, strings.Repeat("x", 1e6))
		r := onlyCrash(t, rec)
		if r.Message == "" || len(r.Message) > 256 || r.State == "" || len(r.State) > 256 || len(r.String()) > 2000 {
			t.Errorf("%d bytes of message, %d of state, %d in all; want some, and few", len(r.Message), len(r.State), len(r.String()))
		}
	})
}

// A crasher crashes at the first message.
type crasher struct {
	huge []int
	show any
}

func (*crasher) Init(context.Context) error             { return nil }
func (*crasher) Handle(context.Context, any) error      { return errBoom }
func (*crasher) Terminate(context.Context, error) error { return nil }

func (c *crasher) InspectState() any {
	if c.show != nil {
		return c.show
	}
	return c.huge
}

// Odd values make odd reports, but reports.
func plFormatArbitrary(t *testing.T) {
	for name, v := range map[string]any{
		"func": func() {}, "chan": make(chan int), "nil map": map[string]int(nil), "cycle": cyclic(),
		"panics": panicky{}, "nested": [][][][]any{{{{1}}}},
	} {
		t.Run(name, func(t *testing.T) {
			recorded(t, func(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
				pid := start(t, ctx, process.Spec{Unlinked: true, Behaviour: &crasher{show: v}})
				send(t, ctx, pid, v)
				if r := onlyCrash(t, rec); r.String() == "" || !strings.Contains(r.String(), "boom") {
					t.Errorf("report %q", r)
				}
			})
		})
	}
}

type ring struct{ next *ring }

func cyclic() *ring { r := &ring{}; r.next = r; return r }

type panicky struct{}

func (panicky) String() string { panic("in String") }

// The text has what OTP's has, one thing a line.
func plReportText(t *testing.T) {
	recorded(t, func(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
		pid := start(t, ctx, process.Spec{Name: "victim", Unlinked: true, Kind: "worker"})
		send(t, ctx, pid, do(func(ctx context.Context, _ *script) error {
			process.Annotate(ctx, "serves", "client 7")
			panic(errBoom)
		}))
		text := onlyCrash(t, rec).String()
		for _, want := range []string{"victim> crashed: panic: boom\n", "\n  path: victim\n", "\n  kind: worker\n", "\n  spawner: ",
			"\n  message: ", "\n  note_serves: client 7\n", "\n  mailbox: 0\n", "\n  age: 0s\n", "\n  stack: \n", "plReportText"} {
			if !strings.Contains(text, want) {
				t.Errorf("the text lacks %q:\n%s", want, text)
			}
		}
	})
}
