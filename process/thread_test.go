package process_test

import (
	"bytes"
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// goroutine names the one that calls.
func goroutine() string {
	buf := make([]byte, 64)
	name, _, _ := bytes.Cut(buf[:runtime.Stack(buf, false)], []byte(" ["))
	return string(name)
}

// A mother starts a child when told how, and notes which goroutine brings its end.
type mother struct{ told string }

func (m *mother) Init(context.Context) error             { return nil }
func (m *mother) Terminate(context.Context, error) error { return nil }

func (m *mother) Handle(ctx context.Context, msg any) error {
	switch msg := msg.(type) {
	case func(context.Context) error:
		return msg(ctx)
	case *process.ExitSignal:
		m.told = goroutine()
	}
	return nil
}

// A process whose end is told to an idle parent lends it its goroutine. A raw one
// does not: it may have bound it to a thread, and done what it liked to that.
func TestWhoseGoroutineBringsTheEnd(t *testing.T) {
	var last string
	for name, row := range map[string]struct {
		child func(ctx context.Context) error
		lent  bool
	}{
		"a behaviour": {func(ctx context.Context) error {
			pid, err := process.Start(ctx, process.Spec{Behaviour: &script{}})
			if err != nil {
				return err
			}
			return process.Send(ctx, pid, do(func(context.Context, *script) error {
				time.Sleep(time.Second)
				last = goroutine()
				return errBoom
			}))
		}, true},
		"a raw process": {func(ctx context.Context) error {
			_, err := process.Go(ctx, func(context.Context) error {
				runtime.LockOSThread()
				time.Sleep(time.Second) // by then the parent is idle
				last = goroutine()
				return errBoom
			})
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := processtest.Context(t)
				m := &mother{}
				pid := start(t, ctx, process.Spec{TrapExit: true, Behaviour: m})
				if err := process.Send(ctx, pid, row.child); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if m.told == "" || last == "" {
					t.Fatalf("the child ran on %q, its end came on %q", last, m.told)
				}
				if lent := m.told == last; lent != row.lent {
					t.Errorf("the child ran on %s, its end came on %s: lent %v, want %v", last, m.told, lent, row.lent)
				}
			})
		})
	}
}
