package supervisor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A service ends as it is told over end, or when its ctx is done.
type service struct {
	w    *world
	end  chan error
	last func(ctx context.Context) error // when told to stop
}

func (s *service) Serve(ctx context.Context) error {
	s.w.note("serves")
	select {
	case err := <-s.end:
		return err
	case <-ctx.Done():
		s.w.note("told %v", context.Cause(ctx))
		return s.last(ctx)
	}
}

func TestService(t *testing.T) {
	tests := []struct {
		name string
		last func(ctx context.Context) error
		want []string
	}{
		{"returns nil", func(context.Context) error { return nil }, nil},
		{"returns ctx's error", func(ctx context.Context) error { return ctx.Err() }, nil},
		{"returns ctx's cause", func(ctx context.Context) error { return context.Cause(ctx) }, nil},
		{"has a reason of its own", func(context.Context) error { return errNo }, []string{"top: shutdown error: s no"}},
		{"panics", func(context.Context) error { panic("oh") }, []string{"top: shutdown error: s panic: oh"}},
		{"takes its time", func(context.Context) error { time.Sleep(time.Second); return nil }, nil},
		{"takes too long", func(context.Context) error { time.Sleep(5*time.Second + 50*time.Millisecond); return nil },
			[]string{"top: shutdown error: s killed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				s := &service{w: w, end: make(chan error), last: tt.last}
				top := w.top(supervisor.Spec{Intensity: 5, Children: []supervisor.Child{{ID: "s", Start: supervisor.Service(s)}}})
				w.want("it is started", "serves")
				s.end <- errBoom
				w.want("it failed", "top: child terminated: s boom", "serves")
				s.end <- nil
				w.want("it ended", "top: child terminated: s normal", "serves")
				if err := process.Stop(w.ctx, top, process.ErrShutdown); err != nil {
					t.Fatal(err)
				}
				w.want("how it stops", append(append([]string{"told shutdown"}, tt.want...), "top exit shutdown")...)
			})
		})
	}
}

// A function that is told to stop can still use its processes until it returns.
func TestGoMayActWhileItStops(t *testing.T) {
	bubble(t, func(w *world) {
		top := w.top(supervisor.Spec{Strategy: supervisor.RestForOne, Children: []supervisor.Child{
			{ID: "other", Start: supervisor.StartFunc(supervisor.Spec{Name: "other"})},
			{ID: "f", Start: supervisor.Go(func(ctx context.Context) error {
				<-ctx.Done()
				n, err := supervisor.CountChildren(process.Uninterrupted(ctx), process.Name("other"))
				w.note("%v %v", n, err)
				return nil
			})},
		}})
		synctest.Wait()
		if err := process.Stop(w.ctx, top, process.ErrShutdown); err != nil {
			t.Fatal(err)
		}
		w.want("the other is still there", "{0 0 0 0} <nil>", "top/other exit shutdown", "top exit shutdown")
	})
}

// A helper that is linked to the function takes it along when it crashes.
func TestGoDiesWithItsHelpers(t *testing.T) {
	bubble(t, func(w *world) {
		n := 0
		w.top(supervisor.Spec{Children: []supervisor.Child{{ID: "f", Start: supervisor.Go(func(ctx context.Context) error {
			if n++; n == 1 {
				if _, err := process.Go(ctx, func(context.Context) error { return errBoom }); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		})}}})
		w.want("the crash is not lost", "top: child terminated: f boom")
		if n != 2 {
			t.Errorf("f ran %d times, want twice", n)
		}
	})
}

func TestGoWithoutFunction(t *testing.T) {
	bubble(t, func(w *world) {
		_, err := w.tryTop(supervisor.Spec{Children: []supervisor.Child{{ID: "f", Start: supervisor.Go(nil)}}})
		if e, ok := errors.AsType[*supervisor.StartError](err); !ok || e.ID != "f" {
			t.Errorf("the error is %v, want a StartError of f", err)
		}
	})
}
