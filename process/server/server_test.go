package server_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A Counter counts, and keeps a diary.
type Counter struct {
	n     int
	diary []string
	held  server.Reply[int]
}

type Add struct{ By int }

var errNegative = errors.New("would be negative")

func (m Add) Handle(_ context.Context, c *Counter) (int, error) {
	if c.n+m.By < 0 {
		return 0, errNegative
	}
	c.n += m.By
	return c.n, nil
}

type Note struct{ Text string }

func (m Note) Handle(_ context.Context, c *Counter) error {
	c.diary = append(c.diary, m.Text)
	return nil
}

type Diary struct{}

func (Diary) Handle(_ context.Context, c *Counter) (string, error) {
	return strings.Join(c.diary, " "), nil
}

type Do struct {
	F func(context.Context, *Counter) error
}

func (m Do) Handle(ctx context.Context, c *Counter) error { return m.F(ctx, c) }

type Ask struct {
	F func(context.Context, *Counter) (int, error)
}

func (m Ask) Handle(ctx context.Context, c *Counter) (int, error) { return m.F(ctx, c) }

func start(t *testing.T, ctx context.Context, spec server.Spec[Counter]) server.Ref[Counter] {
	t.Helper()
	c, err := server.Start(ctx, spec)
	if err != nil {
		t.Fatalf("Start: %v", err)
	}
	return c
}

func diary(t *testing.T, ctx context.Context, c server.Ref[Counter], want string) {
	t.Helper()
	if got, err := server.Call(ctx, c, Diary{}); err != nil || got != want {
		t.Errorf("diary %q, %v; want %q", got, err, want)
	}
}

func bubble(t *testing.T, f func(*testing.T, context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, processtest.Context(t)) })
}

func TestCallAndCast(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := start(t, ctx, server.Spec[Counter]{})
		if n, err := server.Call(ctx, c, Add{By: 2}); n != 2 || err != nil {
			t.Errorf("Add 2: %d, %v", n, err)
		}
		if _, err := server.Call(ctx, c, Add{By: -3}); !errors.Is(err, errNegative) {
			t.Errorf("Add -3: %v, want the handler's error", err)
		}
		for _, s := range []string{"a", "b", "c"} {
			if err := server.Cast(ctx, c, Note{s}); err != nil {
				t.Error(err)
			}
		}
		diary(t, ctx, c, "a b c") // in the order sent, and the server lived on
	})
}

// An error of a notice is the exit reason; the waiting caller gets it at once.
func TestWhereErrorsGo(t *testing.T) {
	boom := errors.New("boom")
	for name, end := range map[string]func(context.Context, *Counter) error{
		"error": func(context.Context, *Counter) error { return boom },
		"panic": func(context.Context, *Counter) error { panic(boom) },
		"exit":  func(ctx context.Context, _ *Counter) error { process.Exit(ctx, boom); return nil },
		"stop":  func(context.Context, *Counter) error { return server.Stop(boom) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				var reason error
				c := start(t, ctx, server.Spec[Counter]{TrapExit: true,
					Terminate: func(_ context.Context, _ *Counter, r error) error { reason = r; return nil }})
				began := time.Now()
				if err := server.Cast(ctx, c, Do{func(ctx context.Context, c *Counter) error {
					time.Sleep(time.Second) // the call below is waiting by now
					return end(ctx, c)
				}}); err != nil {
					t.Fatal(err)
				}
				_, err := server.Call(ctx, c, Add{})
				x, ok := errors.AsType[*process.ExitError](err)
				if !ok || !errors.Is(err, boom) || x.PID != c.PID() {
					t.Errorf("call of a server that ends: %v, want an ExitError of it around %v", err, boom)
				}
				if d := time.Since(began); d != time.Second {
					t.Errorf("the caller was told after %v, want at once, after 1s", d)
				}
				if !errors.Is(reason, boom) {
					t.Errorf("Terminate got %v, want %v", reason, boom)
				}
				if _, err := server.Call(ctx, c, Add{}); !errors.Is(err, process.ErrNoProc) {
					t.Errorf("call of a dead server: %v, want %v", err, process.ErrNoProc)
				}
				if err := server.Cast(ctx, c, Note{}); err != nil {
					t.Errorf("cast to a dead server: %v, want nil", err)
				}
			})
		})
	}
}

// OTP's rule 14: {stop, R, Reply, S} runs terminate first, and replies even if
// that fails.
func TestStopReplies(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		terminated := false
		c := start(t, ctx, server.Spec[Counter]{TrapExit: true,
			Terminate: func(context.Context, *Counter, error) error { terminated = true; panic("in Terminate") }})
		n, err := server.Call(ctx, c, Ask{func(context.Context, *Counter) (int, error) { return 7, server.Stop(nil) }})
		if n != 7 || err != nil {
			t.Errorf("answer %d, %v; want 7", n, err)
		}
		if !terminated {
			t.Error("the answer came before Terminate")
		}
		reason, _ := process.Wait(ctx, c)
		if _, ok := errors.AsType[*process.PanicError](reason); !ok {
			t.Errorf("reason %v, want Terminate's panic", reason)
		}
	})
}

func TestDefer(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := start(t, ctx, server.Spec[Counter]{})
		var after context.Context
		go func() {
			n, err := server.Call(ctx, c, Ask{func(ctx context.Context, c *Counter) (int, error) {
				var err error
				if _, err = server.Defer[string](ctx); err == nil {
					t.Error("Defer with the wrong type of answer succeeded")
				}
				c.held, err = server.Defer[int](ctx)
				after = ctx
				return 1, err
			}})
			if n != 42 || err != nil {
				t.Errorf("deferred answer %d, %v; want 42", n, err)
			}
		}()
		synctest.Wait()
		diary(t, ctx, c, "") // the server goes on meanwhile
		if _, err := server.Call(ctx, c, Ask{func(_ context.Context, c *Counter) (int, error) {
			if !c.held.Send(42, nil) || c.held.Send(43, nil) {
				t.Error("a reply must reach the caller once")
			}
			return 0, nil
		}}); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if _, err := server.Defer[int](after); !errors.Is(err, server.ErrNoRequest) {
			t.Errorf("Defer after the answer: %v, want %v", err, server.ErrNoRequest)
		}
		if _, err := server.Defer[int](ctx); !errors.Is(err, server.ErrNoRequest) {
			t.Errorf("Defer outside a request: %v, want %v", err, server.ErrNoRequest)
		}
	})
}

// A caller that has given up is nothing that a server has to know when it puts
// the answer off.
func TestDeferAfterTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := start(t, ctx, server.Spec[Counter]{})
		if err := process.Suspend(ctx, c); err != nil {
			t.Fatal(err)
		}
		var held server.Reply[int]
		deferred := errors.New("not handled")
		_, err := server.Call(process.WithCallTimeout(ctx, time.Second), c, Ask{func(ctx context.Context, _ *Counter) (int, error) {
			held, deferred = server.Defer[int](ctx)
			return 0, deferred
		}})
		wantErr(t, "the call", err, process.ErrTimeout)
		if err := process.Resume(ctx, c); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if deferred != nil || held.Send(1, nil) {
			t.Errorf("Defer: %v, want none, and an answer that nobody waits for", deferred)
		}
		diary(t, ctx, c, "")
	})
}

// Callers whose answer was put off learn of the server's end.
func TestDeferredCallerIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := start(t, ctx, server.Spec[Counter]{})
		told := make(chan error, 1)
		go func() {
			_, err := server.Call(ctx, c, Ask{func(ctx context.Context, c *Counter) (int, error) {
				_, err := server.Defer[int](ctx)
				return 0, err
			}})
			told <- err
		}()
		synctest.Wait()
		if err := process.Kill(ctx, c); err != nil {
			t.Fatal(err)
		}
		if err := <-told; !errors.Is(err, process.ErrKilled) {
			t.Errorf("told %v, want %v", err, process.ErrKilled)
		}
	})
}

func TestContinue(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := start(t, ctx, server.Spec[Counter]{
			Init: func(ctx context.Context) (*Counter, error) {
				return &Counter{}, process.SendSelf(ctx, Note{"message"})
			},
			Continue: func(ctx context.Context, c *Counter) error {
				c.diary = append(c.diary, "continue")
				return server.Continue(ctx, Note{"again"})
			},
		})
		diary(t, ctx, c, "continue again message")
	})
}

func TestIdle(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := start(t, ctx, server.Spec[Counter]{IdleTimeout: time.Minute,
			Idle: func(_ context.Context, c *Counter) error { c.diary = append(c.diary, "idle"); return nil }})
		for range 3 {
			time.Sleep(50 * time.Second)
			diary(t, ctx, c, "") // each message sets the clock back
		}
		time.Sleep(2*time.Minute + time.Second)
		diary(t, ctx, c, "idle idle")
	})
}

// D7: looking at a server does not keep it from going idle. In OTP each system
// message starts the time-out anew, so whoever looks often enough stops it.
func TestD7IdleIsNotPutOffBySystemRequests(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := start(t, ctx, server.Spec[Counter]{})
		began := time.Now()
		var went time.Duration
		if err := server.Cast(ctx, c, Do{func(ctx context.Context, _ *Counter) error {
			return server.Idle[Counter](ctx, 100*time.Millisecond, Do{func(context.Context, *Counter) error {
				went = time.Since(began)
				return nil
			}})
		}}); err != nil {
			t.Fatal(err)
		}
		for range 30 {
			time.Sleep(10 * time.Millisecond)
			if err := process.System(ctx, c, func(context.Context, process.Behaviour) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if went != 100*time.Millisecond {
			t.Errorf("it went idle after %v, want 100ms", went)
		}
	})
}

// Idle from a handler: any message cancels it, it comes once, 0 means when the
// mailbox is empty, and it takes the place of the Spec's.
func TestIdleFromAHandler(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := start(t, ctx, server.Spec[Counter]{IdleTimeout: time.Minute,
			Idle: func(_ context.Context, c *Counter) error { c.diary = append(c.diary, "minute"); return nil }})
		idle := func(d time.Duration, text string) Do {
			return Do{func(ctx context.Context, _ *Counter) error { return server.Idle[Counter](ctx, d, Note{text}) }}
		}
		for _, m := range []server.Notice[Counter]{idle(0, "cancelled"), Note{"first"}, idle(time.Second, "replaced"),
			idle(0, "empty"), idle(time.Second, "late"), idle(0, "second")} {
			if err := process.Send(ctx, c.PID(), m); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(59 * time.Second)
		diary(t, ctx, c, "first second")
		time.Sleep(90 * time.Second)
		diary(t, ctx, c, "first second minute")
		if err := server.Idle[Counter](ctx, 0, Note{}); err == nil {
			t.Error("Idle outside the server succeeded")
		}
	})
}

func TestMonitorAndAfter(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := start(t, ctx, server.Spec[Counter]{})
		other := start(t, ctx, server.Spec[Counter]{Name: "other"})
		if err := server.Cast(ctx, c, Do{func(ctx context.Context, _ *Counter) error {
			if _, err := server.Monitor(ctx, other, func(d process.Down) Note { return Note{"down:" + d.Reason.Error()} }); err != nil {
				return err
			}
			stopped, err := server.After(ctx, time.Second, Note{"never"})
			if err != nil || !stopped.Stop() {
				t.Errorf("After and Stop: %v", err)
			}
			_, err = server.After(ctx, time.Second, Note{"later"})
			return err
		}}); err != nil {
			t.Fatal(err)
		}
		diary(t, ctx, c, "")
		if err := process.Stop(ctx, other, process.ErrShutdown); err != nil {
			t.Error(err)
		}
		diary(t, ctx, c, "down:shutdown")
		time.Sleep(2 * time.Second)
		diary(t, ctx, c, "down:shutdown later")
		if _, err := server.After(ctx, 0, Note{}); err == nil {
			t.Error("After outside the server succeeded")
		}
	})
}

// A trapping server without Exit ends as one that does not trap would.
func TestTrappedExits(t *testing.T) {
	boom := errors.New("boom")
	bubble(t, func(t *testing.T, ctx context.Context) {
		helper := func(err error) Do {
			return Do{func(ctx context.Context, _ *Counter) error {
				_, e := process.Go(ctx, func(context.Context) error { return err })
				return e
			}}
		}
		var seen []error
		loud := start(t, ctx, server.Spec[Counter]{TrapExit: true,
			Exit: func(_ context.Context, _ *Counter, x process.ExitSignal) error {
				seen = append(seen, x.Reason)
				return nil
			}})
		quiet := start(t, ctx, server.Spec[Counter]{TrapExit: true})
		for _, c := range []server.Ref[Counter]{loud, quiet} {
			for _, err := range []error{nil, boom} {
				if err := server.Cast(ctx, c, helper(err)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
		}
		if len(seen) != 2 || seen[0] != nil || seen[1] != boom || !loud.PID().Alive() {
			t.Errorf("Exit saw %v, want nil and %v, and the server alive", seen, boom)
		}
		if reason, _ := process.Wait(ctx, quiet); !errors.Is(reason, boom) {
			t.Errorf("without Exit: %v, want %v", reason, boom)
		}
	})
}

func TestNames(t *testing.T) {
	key := registry.NewKey[server.Ref[Counter]]("counter")
	wrong := registry.NewKey[server.Ref[int]]("counter")
	bubble(t, func(t *testing.T, ctx context.Context) {
		if _, err := server.Call(ctx, key, Add{}); !errors.Is(err, process.ErrNoProc) || !strings.Contains(err.Error(), "counter") {
			t.Errorf("call of a name that nobody has: %v", err)
		}
		c := start(t, ctx, server.Spec[Counter]{Name: key.Name()})
		if n, err := server.Call(ctx, key, Add{3}); n != 3 || err != nil {
			t.Errorf("call by key: %d, %v", n, err)
		}
		if _, err := wrong.Ref(ctx); err == nil || !strings.Contains(err.Error(), "Ref[int]") {
			t.Errorf("key of another type: %v, want an error that names both", err)
		}
		if _, err := server.As[int](c.PID()); err == nil {
			t.Error("As of another type succeeded")
		}
		if r, err := server.As[Counter](c.PID()); err != nil || r != c {
			t.Errorf("As: %v, %v", r, err)
		}
		_, err := server.Start(ctx, server.Spec[Counter]{Name: key.Name()})
		if a, ok := errors.AsType[*process.AlreadyStartedError](err); !ok || a.PID != c.PID() {
			t.Errorf("second start under a name: %v", err)
		}
		if err := process.Stop(ctx, c, nil); err != nil {
			t.Error(err)
		}
		start(t, ctx, server.Spec[Counter]{Name: key.Name()}) // it is free again
	})
}

func TestCallToOneself(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := start(t, ctx, server.Spec[Counter]{})
		_, err := server.Call(ctx, c, Ask{func(ctx context.Context, _ *Counter) (int, error) {
			return server.Call(ctx, c, Add{})
		}})
		if !errors.Is(err, process.ErrCallingSelf) {
			t.Errorf("%v, want %v", err, process.ErrCallingSelf)
		}
		_, err = server.Call(ctx, c, Ask{func(ctx context.Context, _ *Counter) (int, error) {
			_, err := server.Start(ctx, server.Spec[Counter]{Init: func(ctx context.Context) (*Counter, error) {
				_, err := server.Call(ctx, c, Add{})
				return nil, err
			}})
			return 0, err
		}})
		if !errors.Is(err, process.ErrCallingStarter) {
			t.Errorf("%v, want %v", err, process.ErrCallingStarter)
		}
	})
}

func TestFaultySpec(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		_, err := server.Start(ctx, server.Spec[Counter]{Name: "bad", Limit: -1, IdleTimeout: time.Second,
			Terminate: func(context.Context, *Counter, error) error { return nil }})
		for _, want := range []string{"bad", "Counter", "TrapExit", "Idle", "Limit"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not speak of %s", err, want)
			}
		}
		_, err = server.Start(ctx, server.Spec[Counter]{Init: func(context.Context) (*Counter, error) { return nil, nil }})
		if err == nil || !strings.Contains(err.Error(), "neither") {
			t.Errorf("Init without a state: %v", err)
		}
		_, err = server.Start(context.Background(), server.Spec[Counter]{})
		if !errors.Is(err, process.ErrNoNode) {
			t.Errorf("start without a node: %v", err)
		}
	})
}

// A call that is not answered says what was asked of whom.
func TestTimeoutNamesTheRequest(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := start(t, ctx, server.Spec[Counter]{Name: "slow"})
		if err := server.Cast(ctx, c, Do{func(context.Context, *Counter) error { time.Sleep(time.Minute); return nil }}); err != nil {
			t.Fatal(err)
		}
		_, err := server.Call(ctx, c, Add{By: 1})
		if !errors.Is(err, process.ErrTimeout) || !strings.Contains(err.Error(), "call of server_test.Add to <") || !strings.Contains(err.Error(), "slow") {
			t.Errorf("%v, want a time-out that names Add and slow", err)
		}
		time.Sleep(time.Minute)
	})
}

func TestLimit(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		c := start(t, ctx, server.Spec[Counter]{Limit: 2})
		gate := make(chan struct{})
		if err := server.Cast(ctx, c, Do{func(context.Context, *Counter) error { <-gate; return nil }}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i, want := range []error{nil, nil, process.ErrMailboxFull} {
			if err := server.Cast(ctx, c, Note{"x"}); !errors.Is(err, want) {
				t.Errorf("cast %d: %v, want %v", i, err, want)
			}
		}
		close(gate)
		synctest.Wait()
		diary(t, ctx, c, "x x")
	})
}
