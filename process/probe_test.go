package process_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// seen shows events as "kind <peer> name or message", as far as each has them.
func seen(events []process.Event) (lines []string) {
	for _, e := range events {
		line := e.Kind.String()
		if e.Peer.ID() != 0 {
			line += fmt.Sprintf(" %d", e.Peer.ID())
		}
		if e.Detail != nil {
			e.Detail.Each(func(key string, value any) { line += fmt.Sprintf(" %s=%v", key, value) })
		}
		if e.Msg != nil {
			line += fmt.Sprintf(" %v", e.Msg)
		}
		lines = append(lines, line)
	}
	return lines
}

// What a probe is told of one raw process, in its order. OTP traces the same with
// the flags procs and receive, but for the end of a name, which it tells after
// the end of the process.
func TestEventsOfARawProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &processtest.Recorder{Kinds: process.Spawned | process.Exited | process.Linked | process.Unlinked |
			process.Registered | process.Unregistered | process.Received | process.TimedOut}
		ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
		other := start(t, ctx, process.Spec{Unlinked: true})
		ref, err := process.SpawnRaw(ctx, process.Raw[string]{Name: "foo", Run: func(ctx context.Context, in *process.Inbox[string]) error {
			self := process.Self(ctx)
			steps := []error{
				process.Link(ctx, other), process.Unlink(ctx, other), process.Unlink(ctx, other),
				process.Link(ctx, self), process.Unlink(ctx, self), // nothing
				process.Unregister(ctx, "foo"), process.Register(ctx, "bar", self),
			}
			for _, err := range steps {
				if err != nil {
					return err
				}
			}
			in.TakeWithin(0, func(m string) bool { return m == "never" })
			in.ReceiveWithin(time.Millisecond)
			in.ReceiveWithin(time.Millisecond) // over
			in.Take(func(m string) bool { return m == "second" })
			in.Receive()
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []string{"go", "first", "second"} {
			if err := ref.Send(ctx, m); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			time.Sleep(time.Second)
		}
		if _, err := process.Wait(ctx, ref.PID()); err != nil {
			t.Fatal(err)
		}
		var of []process.Event
		for _, e := range rec.Events(0) {
			if e.PID == ref.PID() {
				of = append(of, e)
			}
		}
		want := []string{"spawned", "registered name=foo",
			"linked 1", "unlinked 1", "unlinked 1", "unregistered 2 name=foo", "registered 2 name=bar",
			"timed_out", "received go", "timed_out", "received second", "received first",
			"unregistered name=bar", "exited"}
		if diff := cmp.Diff(want, seen(of)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// A name that goes from one to another is told of both, and once.
func TestEventsOfNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &processtest.Recorder{Kinds: process.Registered | process.Unregistered}
		ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
		a := start(t, ctx, process.Spec{Name: "x", Unlinked: true})
		b := start(t, ctx, process.Spec{Unlinked: true})
		if err := process.Register(ctx, "x", b); err == nil {
			t.Error("a name that is taken was given to another")
		}
		if err := process.Unregister(ctx, "y"); err == nil {
			t.Error("a name that nobody has was taken away")
		}
		if err := process.Reregister(ctx, "x", b); err != nil {
			t.Fatal(err)
		}
		for _, pid := range []process.PID{a, b} {
			if err := process.Stop(ctx, pid, nil); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, e := range rec.Events(0) {
			got = append(got, fmt.Sprint(e.PID.ID(), " ", seen([]process.Event{e})[0]))
		}
		want := []string{"1 registered name=x", "1 unregistered name=x", "2 registered name=x", "2 unregistered name=x"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}
