package process_test

import (
	"context"
	"errors"
	"testing"

	"github.com/coppice-go/coppice/process"
)

// A feed's messages are signals: a full mailbox refuses none, and each arrives
// once, in order.
func TestFeedPassesLimits(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid := start(t, ctx, process.Spec{Limit: 1})
		var feed *process.Feed
		in(t, ctx, pid, func(ctx context.Context) {
			var err error
			if feed, err = process.NewFeed(ctx); err != nil {
				t.Error(err)
			}
			if feed.PID() != pid {
				t.Errorf("a feed to %v, want %v", feed.PID(), pid)
			}
			for i := range 3 {
				if err := feed.Send(ctx, func() any { return i }); err != nil {
					t.Error(err)
				}
			}
		})
		if got := kept(t, ctx, pid); len(got) != 3 || got[0] != 0 || got[1] != 1 || got[2] != 2 {
			t.Errorf("arrived: %v, want [0 1 2]", got)
		}
	})
}

// What waits in the mailbox when a feed is closed does not arrive, and is not
// even made.
func TestFeedIsCutOff(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		pid := start(t, ctx, process.Spec{})
		in(t, ctx, pid, func(ctx context.Context) {
			feed, err := process.NewFeed(ctx)
			if err != nil {
				t.Error(err)
			}
			late := func() any { t.Error("made a message that nobody wants"); return nil }
			if err := feed.Send(ctx, late); err != nil {
				t.Error(err)
			}
			if !feed.Close() || feed.Close() {
				t.Error("Close must report true once")
			}
			if err := feed.Send(ctx, late); err != nil {
				t.Error(err)
			}
		})
		if got := kept(t, ctx, pid); len(got) != 0 {
			t.Errorf("arrived: %v, want nothing", got)
		}
	})
}

func TestFeedToARawProcess(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		got := make(chan string, 1)
		_, err := process.Spawn(ctx, func(ctx context.Context, in *process.Inbox[string]) error {
			feed, err := process.NewFeed(ctx)
			if err != nil {
				return err
			}
			if err := feed.Send(ctx, func() any { return "hello" }); err != nil {
				return err
			}
			got <- in.Receive()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != "hello" {
			t.Errorf("got %q", s)
		}
	})
}

func TestFeedNeedsAMailbox(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		if _, err := process.NewFeed(ctx); !errors.Is(err, process.ErrNoSelf) {
			t.Errorf("a feed to a node: %v, want %v", err, process.ErrNoSelf)
		}
		if _, err := process.NewFeed(context.Background()); !errors.Is(err, process.ErrNoNode) {
			t.Errorf("a feed to nobody: %v, want %v", err, process.ErrNoNode)
		}
	})
}
