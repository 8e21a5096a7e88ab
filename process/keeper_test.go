package process_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/coppice-go/coppice/process"
)

// A ledger is a keeper: it keeps a list of processes.
type ledger struct {
	mu     sync.Mutex
	keeps  []process.PID
	forgot int
}

func (l *ledger) keep(ctx context.Context, to process.Target) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	pid, err := process.Keep(ctx, to, l)
	if err == nil {
		l.keeps = append(l.keeps, pid)
	}
	return err
}

func (l *ledger) Forget(pid process.PID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgot++
	l.keeps = slices.DeleteFunc(l.keeps, func(k process.PID) bool { return k == pid })
}

func (l *ledger) has(pid process.PID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.keeps, pid)
}

// Whoever hears of an end, by a Down or by an exit signal, finds that the
// keepers have forgotten the dead.
func TestKeepersForgetFirst(t *testing.T) {
	ends := map[string]func(ctx context.Context, pid process.PID) error{
		"kill":   func(ctx context.Context, pid process.PID) error { return process.Kill(ctx, pid) },
		"stop":   func(ctx context.Context, pid process.PID) error { return process.Stop(ctx, pid, nil) },
		"signal": func(ctx context.Context, pid process.PID) error { return process.SendExit(ctx, pid, errBoom) },
		"panic": func(ctx context.Context, pid process.PID) error {
			return process.Send(ctx, pid, do(func(context.Context, *script) error { panic("ouch") }))
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				l := &ledger{}
				pid := start(t, ctx, process.Spec{})
				for range 2 { // the second time changes nothing
					if err := l.keep(ctx, pid); err != nil {
						t.Fatal(err)
					}
				}
				down := make(chan bool, 1)
				_, ref, err := process.SpawnMonitor(ctx, process.Raw[process.Down]{Run: func(ctx context.Context, in *process.Inbox[process.Down]) error {
					if _, err := in.Monitor(pid, func(d process.Down) process.Down { return d }); err != nil {
						return err
					}
					in.Receive()
					down <- l.has(pid)
					return nil
				}}, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer process.Demonitor(ctx, ref)
				if err := end(ctx, pid); err != nil {
					t.Fatal(err)
				}
				if <-down {
					t.Error("its Down was there before its keeper had forgotten it")
				}
				if l.forgot != 1 {
					t.Errorf("forgotten %d times, want once", l.forgot)
				}
				if err := l.keep(ctx, pid); !errors.Is(err, process.ErrNoProc) {
					t.Errorf("Keep of the dead: %v, want %v", err, process.ErrNoProc)
				}
			})
		})
	}
}

// What still holds the ctx of a dead process keeps nothing for anybody.
func TestKeepBehindTheFence(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		l := &ledger{}
		other := start(t, ctx, process.Spec{})
		var own context.Context
		pid := start(t, ctx, process.Spec{Behaviour: &script{init: func(ctx context.Context) error { own = ctx; return nil }}})
		if err := process.Kill(ctx, pid); err != nil {
			t.Fatal(err)
		}
		if err := l.keep(own, other); !errors.Is(err, process.ErrKilled) {
			t.Errorf("Keep by a killed process: %v, want %v", err, process.ErrKilled)
		}
		if err := l.keep(own, pid); !errors.Is(err, process.ErrKilled) {
			t.Errorf("Keep by a killed process of itself: %v, want %v", err, process.ErrKilled)
		}
	})
}

func TestUnkeep(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		l := &ledger{}
		pid := start(t, ctx, process.Spec{})
		process.Unkeep(pid, l)
		process.Unkeep(process.PID{}, l)
		if err := l.keep(ctx, pid); err != nil {
			t.Fatal(err)
		}
		process.Unkeep(pid, l)
		if err := process.Stop(ctx, pid, nil); err != nil {
			t.Fatal(err)
		}
		if l.forgot != 0 {
			t.Errorf("forgotten %d times after Unkeep", l.forgot)
		}
	})
}

type clumsy struct{}

func (*clumsy) Forget(process.PID) { panic("butterfingers") }

// A keeper that panics keeps nobody from learning of the death.
func TestClumsyKeeper(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid := start(t, ctx, process.Spec{})
		l := &ledger{}
		if _, err := process.Keep(ctx, pid, &clumsy{}); err != nil {
			t.Fatal(err)
		}
		if err := l.keep(ctx, pid); err != nil {
			t.Fatal(err)
		}
		if err := process.Stop(ctx, pid, nil); err != nil {
			t.Error(err)
		}
		if l.has(pid) {
			t.Error("the keeper after the clumsy one was not told")
		}
	})
}
