package process_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/supervisor"
)

// What is hard on a runtime that has fewer goroutines than processes: handlers
// that need a deep stack, that block, and that never yield.

// dig needs a kilobyte of stack for each level, and then calls f.
//
//go:noinline
func dig(levels int, f func()) byte {
	var a [1 << 10]byte
	a[levels%len(a)] = 1
	if levels == 0 {
		f()
	} else {
		a[0] += dig(levels-1, f)
	}
	return a[0] + a[levels%len(a)]
}

// stacks are the bytes in use for them after so many collections: each halves a
// stack of which little is used.
func stacks(collections int) uint64 {
	for range collections {
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse
}

// Fifty handlers at once need a megabyte of stack each, and have it. It is not
// kept when they are idle again, and they work as before.
func TestHandlersWithDeepStacks(t *testing.T) {
	const n, levels = 50, 1 << 10
	const much = n * levels << 10
	bubble(t, func(t *testing.T, ctx context.Context) {
		var pids []process.PID
		for range n {
			pids = append(pids, start(t, ctx, process.Spec{}))
		}
		synctest.Wait()
		before := stacks(2)
		bottom := make(chan struct{})
		for _, pid := range pids {
			send(t, ctx, pid, do(func(_ context.Context, s *script) error {
				s.kept = append(s.kept, dig(levels, func() { <-bottom }))
				return nil
			}))
		}
		synctest.Wait()
		if got := stacks(1) - before; got < much {
			t.Fatalf("they use %d bytes of stack, want %d at least: they are not deep", got, much)
		}
		close(bottom)
		synctest.Wait()
		if got := int64(stacks(16) - before); got > much/20 {
			t.Errorf("%d bytes of stack are kept for processes that are idle", got)
		}
		for _, pid := range pids {
			if got := kept(t, ctx, pid); len(got) != 1 {
				t.Errorf("%v came back with %v", pid, got)
			}
		}
	})
}

// A panic that far down ends the process like any other, with its cause and a
// stack that names the place.
func TestPanicOnDeepStack(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid := start(t, ctx, process.Spec{})
		send(t, ctx, pid, do(func(context.Context, *script) error {
			dig(1<<10, func() { panic("at the bottom") })
			return nil
		}))
		synctest.Wait()
		reason, err := process.Wait(ctx, pid)
		p, ok := errors.AsType[*process.PanicError](reason)
		if err != nil || !ok || p.Value != "at the bottom" {
			t.Fatalf("ended with %v (%v), want the panic", reason, err)
		}
		if s := p.StackText(); !strings.Contains(s, "TestPanicOnDeepStack") || !strings.Contains(s, "dig") || len(p.Frames()) > 64 {
			t.Errorf("%d frames say where, want a page that names this test:\n%s", len(p.Frames()), s)
		}
	})
}

// A thousand handlers block. Others are called, started, and told of time and of
// deaths as ever; who calls a blocked one waits for its own deadline and no
// longer; and what is sent to them meanwhile is handled in order afterwards.
func TestThousandHandlersBlock(t *testing.T) {
	const n = 1000
	bubble(t, func(t *testing.T, ctx context.Context) {
		gate := make(chan struct{})
		var blocked []process.PID
		for range n {
			pid := start(t, ctx, process.Spec{})
			blocked = append(blocked, pid)
			send(t, ctx, pid, do(func(context.Context, *script) error { <-gate; return nil }))
		}
		synctest.Wait()
		goroutines := runtime.NumGoroutine()
		began := time.Now()
		for i := range n {
			pid := start(t, ctx, process.Spec{})
			send(t, ctx, pid, i)
			if got := kept(t, ctx, pid); len(got) != 1 || got[0] != i {
				t.Fatalf("%v has %v, want %d", pid, got, i)
			}
			send(t, ctx, pid, errBoom)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("others waited %v", d)
		}
		othersHearOfTimeAndDeath(t, ctx)
		wantDeadline(t, ctx, blocked[n/2])
		for i := range 100 {
			for _, pid := range blocked {
				send(t, ctx, pid, i)
			}
		}
		synctest.Wait()
		close(gate)
		synctest.Wait()
		for _, pid := range blocked {
			got := kept(t, ctx, pid)
			for i := range min(len(got), 100) {
				if got[i] != i {
					t.Fatalf("%v: message %d is %v", pid, i, got[i])
				}
			}
			if len(got) != 100 {
				t.Fatalf("%v has %d messages, want 100", pid, len(got))
			}
		}
		synctest.Wait()
		if left := runtime.NumGoroutine(); left > goroutines-n+n/100 { // those of other tests come and go
			t.Errorf("%d goroutines, want those of the blocked gone from %d", left, goroutines)
		}
	})
}

func othersHearOfTimeAndDeath(t *testing.T, ctx context.Context) {
	t.Helper()
	w, other := start(t, ctx, process.Spec{}), start(t, ctx, process.Spec{})
	in(t, ctx, w, func(ctx context.Context) {
		process.After(ctx, time.Second, "a second")
		if _, err := process.Monitor(ctx, other, nil); err != nil {
			t.Error(err)
		}
	})
	send(t, ctx, other, errBoom)
	time.Sleep(time.Second)
	synctest.Wait()
	if got := kept(t, ctx, w); len(got) != 2 || len(downs(got)) != 1 || got[1] != "a second" {
		t.Errorf("%v heard %v, want a Down and a timer", w, got)
	}
}

func wantDeadline(t *testing.T, ctx context.Context, blocked process.PID) {
	t.Helper()
	began := time.Now()
	until, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := process.Do(until, blocked, &take{})
	if d := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || d != time.Second {
		t.Errorf("a call to a blocked one: %v after %v, want its deadline after 1s", err, d)
	}
}

// A spin is a world with more handlers that compute and never yield than there
// are processors, below a supervisor, with one child that behaves. No bubble can
// hold it, for its time would stand still: it has real time, and waits for
// events only.
type spin struct {
	ctx   context.Context
	node  *process.Node
	rec   *processtest.Recorder
	sup   process.PID
	ids   []string // of the children that spin
	stop  atomic.Bool
	ended atomic.Bool // the one that behaves has had its Terminate
}

func newSpin(t *testing.T) *spin {
	s := &spin{rec: &processtest.Recorder{}}
	s.ctx = processtest.Node(t, process.NodeSpec{Probe: s.rec, Grace: 10 * time.Millisecond})
	s.node, _ = process.NodeOf(s.ctx)
	children := []supervisor.Child{s.child("calm", 5*time.Second)}
	for i := range runtime.GOMAXPROCS(0) + 2 {
		s.ids = append(s.ids, fmt.Sprint("spin ", i))
		children = append(children, s.child(s.ids[i], 10*time.Millisecond))
	}
	sup, err := supervisor.Start(s.ctx, supervisor.Spec{Children: children, Intensity: len(children)})
	if err != nil {
		t.Fatal(err)
	}
	s.sup = sup
	for _, id := range s.ids {
		s.spin(t, id)
	}
	return s
}

func (s *spin) child(name string, shutdown time.Duration) supervisor.Child {
	b := func() *script { return &script{} }
	if name == "calm" {
		b = func() *script {
			return &script{terminate: func(context.Context, error) error { s.ended.Store(true); return nil }}
		}
	}
	return supervisor.Child{ID: name, Shutdown: shutdown, Start: func(ctx context.Context) (process.PID, error) {
		return process.Start(ctx, process.Spec{Name: name, TrapExit: name == "calm", Behaviour: b()})
	}}
}

// spin returns when the handler computes.
func (s *spin) spin(t *testing.T, name string) {
	t.Helper()
	spinning := make(chan struct{})
	send(t, s.ctx, s.pid(t, name), do(func(context.Context, *script) error {
		close(spinning)
		for !s.stop.Load() {
			continue
		}
		return nil
	}))
	<-spinning
}

func (s *spin) pid(t *testing.T, name string) process.PID {
	t.Helper()
	pid, ok := process.Whereis(s.ctx, name)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	return pid
}

// wantCalm calls the one that behaves.
func (s *spin) wantCalm(t *testing.T, calls int) {
	t.Helper()
	calm := s.pid(t, "calm")
	for i := range calls {
		send(t, s.ctx, calm, i)
		if got := kept(t, s.ctx, calm); len(got) == 0 || got[len(got)-1] != i {
			t.Fatalf("call %d: it has %v", i, got)
		}
	}
}

// Processes that never yield keep nobody from being called; a supervisor kills
// them, abandons them after their Grace, starts others in their place, and stops
// the rest in order.
func TestProcessesThatNeverYield(t *testing.T) {
	s := newSpin(t)
	defer s.wantNothingLeft(t)
	s.wantCalm(t, 50)

	first := s.pid(t, "spin 0")
	if err := supervisor.TerminateChild(s.ctx, s.sup, "spin 0"); err != nil {
		t.Fatal(err)
	}
	s.wantAbandoned(t, first)
	if _, err := supervisor.RestartChild(s.ctx, s.sup, "spin 0"); err != nil {
		t.Fatal(err)
	}
	again := s.pid(t, "spin 0")
	if again == first || len(kept(t, s.ctx, again)) != 0 {
		t.Errorf("%v answers in the place of %v", again, first)
	}

	second := s.pid(t, "spin 1")
	if err := process.Kill(s.ctx, second); err != nil {
		t.Fatal(err)
	}
	if reason, err := process.Wait(s.ctx, second); reason != process.ErrKilled || err != nil {
		t.Errorf("%v ended with %v (%v), want killed", second, reason, err)
	}
	s.wantAbandoned(t, first, second)
	s.wantCalm(t, 50)

	if err := process.Stop(s.ctx, s.sup, process.ErrShutdown); err != nil {
		t.Errorf("the supervisor did not stop: %v", err)
	}
	if !s.ended.Load() {
		t.Error("the child that behaves was not terminated in order")
	}
	if got := len(s.node.Abandoned()); got != len(s.ids) {
		t.Errorf("%d are abandoned, want the %d that spin", got, len(s.ids))
	}
	if got := len(s.rec.Events(process.Abandoned)); got != len(s.ids) {
		t.Errorf("%d reports of abandoned ones, want %d", got, len(s.ids))
	}
}

func (s *spin) wantAbandoned(t *testing.T, want ...process.PID) {
	t.Helper()
	got := s.node.Abandoned()
	if len(got) != len(want) {
		t.Errorf("abandoned are %v, want %v", got, want)
	}
	for _, pid := range want {
		if info := pid.Info(); info.Status != "abandoned" || !strings.Contains(pid.Stack(), "hard_test.go") {
			t.Errorf("%v is %s at %s, want it abandoned where it spins", pid, info.Status, pid.Stack())
		}
	}
}

// wantNothingLeft lets them go, and waits until they have.
func (s *spin) wantNothingLeft(t *testing.T) {
	t.Helper()
	s.stop.Store(true)
	for len(s.node.Abandoned()) > 0 {
		runtime.Gosched()
	}
}
