package process_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

type echo struct {
	got  []any
	init func(context.Context) error
	end  func(error)
}

type ping struct {
	process.Call
	n   int
	out int
}

func (e *echo) Init(ctx context.Context) error {
	if e.init != nil {
		return e.init(ctx)
	}
	return nil
}

func (e *echo) Handle(ctx context.Context, msg any) error {
	switch m := msg.(type) {
	case *ping:
		m.Reply(func() { m.out = m.n + 1 }, nil)
	case error:
		return m
	case func(context.Context) error:
		return m(ctx)
	default:
		e.got = append(e.got, m)
	}
	return nil
}

func (e *echo) Terminate(ctx context.Context, reason error) error {
	if e.end != nil {
		e.end(reason)
	}
	return nil
}

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		e := &echo{}
		pid, err := process.Start(ctx, process.Spec{Name: "echo", Behaviour: e})
		if err != nil {
			t.Fatal(err)
		}
		p := &ping{n: 41}
		if err := process.Do(ctx, pid, p); err != nil || p.out != 42 {
			t.Fatal(err, p.out)
		}
		_, err = process.Start(ctx, process.Spec{Name: "echo", Behaviour: e})
		if !errors.Is(err, process.ErrNameTaken) {
			t.Fatal(err)
		}
		boom := errors.New("boom")
		process.Send(ctx, pid, boom)
		reason, err := process.Wait(ctx, pid)
		if reason != boom || err != nil {
			t.Fatal(reason, err)
		}
		if err := process.Do(ctx, pid, p); !errors.Is(err, process.ErrNoProc) {
			t.Fatal(err)
		}
		// a call that is never answered
		pid, _ = process.Start(ctx, process.Spec{Name: "echo", Behaviour: &echo{}})
		process.Send(ctx, pid, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		start := time.Now()
		if err := process.Do(ctx, pid, p); !errors.Is(err, process.ErrTimeout) {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 5*time.Second {
			t.Fatal(d)
		}
		process.Kill(ctx, pid)
		reason, _ = process.Wait(ctx, pid)
		if reason != process.ErrKilled {
			t.Fatal(reason)
		}
		// raw
		in, err := process.Spawn(ctx, func(ctx context.Context, in *process.Inbox[int]) error {
			if in.Receive() == 1 {
				panic("x")
			}
			return nil
		})
		in.Send(ctx, 1)
		reason, _ = process.Wait(ctx, in)
		var pe *process.PanicError
		if !errors.As(reason, &pe) {
			t.Fatal(reason)
		}
		t.Log(pe.StackText())
		// a function is told and obeys
		g, _ := process.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		_ = g
	})
}
