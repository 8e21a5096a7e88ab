package statem_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
	"github.com/coppice-go/coppice/registry"
)

// A request is sent now and waited for later; what goes wrong is told then.
func TestSendRequest(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		d, _ := startDesk(ctx, t)
		slow := statem.SendRequest(ctx, d, wait{})
		short := process.WithCallTimeout(ctx, 10*ms)
		if _, err := slow.Wait(short); !errors.Is(err, process.ErrTimeout) {
			t.Errorf("waiting for what is not there yet: %v", err)
		}
		given := statem.SendRequest(ctx, d, wait{})
		if !given.Abandon() || given.Abandon() {
			t.Error("a request can be given up once")
		}
		d.Cast(ctx, release{"go"})
		if word, err := slow.Wait(ctx); word != "go" || err != nil {
			t.Errorf("the second wait: %q, %v", word, err)
		}
		if word, err := given.Wait(ctx); !errors.Is(err, process.ErrAbandoned) {
			t.Errorf("an abandoned request: %q, %v", word, err)
		}
		missing := registry.NewKey[statem.Ref[deskEvent]]("missing")
		if _, err := statem.SendRequest(ctx, missing, wait{}).Wait(ctx); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("a request to a name that nobody has: %v", err)
		}
	})
}

// A machine asks another and goes on; the answer, or the other's end, is an
// event of its own.
func TestNotify(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		d, _ := startDesk(ctx, t)
		given := make(chan statem.Pending[string], 1)
		ask := func(as string) func(*turn) (string, error) {
			return func(t *turn) (string, error) {
				p := statem.SendRequest(t.Context(), d, wait{})
				if as == "given up" {
					given <- p
				}
				return "a", statem.Notify(t.Context(), p, func(word string, err error) string {
					return fmt.Sprintf("%s %s %t", as, word, errors.Is(err, errBoom))
				})
			}
		}
		s := &script{on: on{"a 1": ask("one"), "a 2": ask("two"), "a 3": ask("given up")}}
		ref := s.run(ctx, t, s.machine(t), []string{"1", "3"})
		p := <-given
		p.Abandon()
		d.Cast(ctx, release{"go"})
		synctest.Wait()
		d, _ = startDesk(ctx, t)
		ref.Cast(ctx, "2")
		synctest.Wait()
		process.Stop(ctx, d, errBoom)
		synctest.Wait()
		wantLines(t, "events of answers", s.log.take(), "a 1", "a 3", "a one go false", "a 2", "a two  true")

		err := statem.Notify(ctx, p, func(string, error) string { return "" })
		if err == nil {
			t.Error("Notify on behalf of a process that is no such machine was not refused")
		}
	})
}

// GEN-03: to start and to monitor is one step, so that the reason is the true
// one, however early the end.
func TestStartMonitor(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		inner := (&script{on: on{}}).machine(t, func(sp *spec) {
			sp.Init = func(t *turn) (string, *script, error) {
				t.Insert("die")
				return "a", &script{on: on{"a die": dies}}, nil
			}
		})
		failing := inner.With(func(*turn) (string, *script, error) { return "", nil, process.ErrIgnore })
		s := &script{}
		s.on = on{"a start": func(t *turn) (string, error) {
			down := func(d process.Down) string { return fmt.Sprint("down ", d.Reason) }
			if _, _, err := statem.StartMonitor(t.Context(), failing, down); err != process.ErrIgnore {
				s.log.add("a failing start: %v", err)
			}
			_, _, err := statem.StartMonitor(t.Context(), inner, down)
			time.Sleep(ms)
			return "a", err
		}}
		s.run(ctx, t, s.machine(t), []string{"start", "5ms"})
		wantLines(t, "the end is an event", s.log.take(), "a start", "a down boom")

		if _, _, err := statem.StartMonitor(ctx, inner, func(process.Down) string { return "" }); err == nil {
			t.Error("StartMonitor on behalf of a process that is no such machine was not refused")
		}
	})
}

func dies(*turn) (string, error) { return "a", errBoom }

// Those who make messages for a machine learn at once which it takes.
func TestTakes(t *testing.T) {
	bubble(t, func(ctx context.Context, t *testing.T) {
		d, _ := startDesk(ctx, t)
		takes := d.PID().Behaviour().(process.Taker).Takes
		if !takes(reflect.TypeFor[release]()) || !takes(reflect.TypeFor[deskEvent]()) || takes(reflect.TypeFor[string]()) {
			t.Error("a desk takes its own events, and no others")
		}
	})
}
