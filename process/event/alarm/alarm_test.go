package alarm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event"
	"github.com/coppice-go/coppice/process/event/alarm"
	"github.com/coppice-go/coppice/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errFull = errors.New("95 % full")

func want(t *testing.T, ctx context.Context, ids ...string) {
	t.Helper()
	all, err := alarm.List(ctx)
	var got []string
	for _, a := range all {
		got = append(got, a.ID)
	}
	if err != nil || !slices.Equal(got, ids) {
		t.Errorf("alarms %q (%v), want %q", got, err, ids)
	}
}

// Alarms are set once, listed the latest first, cleared, and reported as they
// change.
func TestAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &processtest.Recorder{}
		ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
		if err := alarm.Set(ctx, alarm.Alarm{ID: "disk"}); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("set where nobody keeps alarms: %v", err)
		}
		if _, err := alarm.List(ctx); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("list where nobody keeps alarms: %v", err)
		}
		if _, err := alarm.Start(ctx); err != nil {
			t.Fatal(err)
		}
		err := errors.Join(
			alarm.Set(ctx, alarm.Alarm{ID: "disk", Err: errFull}),
			alarm.Set(ctx, alarm.Alarm{ID: "cert", Text: "expires"}),
			alarm.Set(ctx, alarm.Alarm{ID: "disk", Text: "full"}),
			alarm.Clear(ctx, "nothing"),
		)
		if err != nil {
			t.Error(err)
		}
		want(t, ctx, "disk", "cert")
		if err := alarm.Clear(ctx, "disk"); err != nil {
			t.Error(err)
		}
		want(t, ctx, "cert")
		var got []string
		for _, e := range rec.Events(process.Warned) {
			e.Detail.Each(func(key string, v any) {
				if key == "alarm" {
					got = append(got, fmt.Sprint(e.Text, " ", v))
				}
			})
		}
		if want := []string{"alarm set disk", "alarm set cert", "alarm set disk", "alarm cleared disk"}; !slices.Equal(got, want) {
			t.Errorf("reported %q, want %q", got, want)
		}
	})
}

// A pager is a user's own handler.
type pager struct{ pages []string }

func (p *pager) on(_ context.Context, c alarm.Change) error {
	p.pages = append(p.pages, c.Alarm.ID)
	return nil
}

type pages struct{}

func (pages) Handle(_ context.Context, p *pager) ([]string, error) { return p.pages, nil }

// A handler that takes the keeper's place gets its alarms; then there is nobody
// to list them.
func TestReplaceKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		pid, err := alarm.StartFunc()(ctx)
		if err != nil || pid.Name() != alarm.Name {
			t.Fatal(pid, err)
		}
		m, err := alarm.Manager(ctx)
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(alarm.Set(ctx, alarm.Alarm{ID: "disk"}),
			event.Swap(ctx, m, alarm.KeeperID, func(old *alarm.Book) event.Handler[alarm.Change, pager] {
				return event.Handler[alarm.Change, pager]{ID: "pager", On: (*pager).on, Init: func(context.Context) (*pager, error) {
					p := &pager{}
					for _, a := range old.Alarms() {
						p.pages = append(p.pages, "old "+a.ID)
					}
					return p, nil
				}}
			}),
			alarm.Set(ctx, alarm.Alarm{ID: "cert"}))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := event.Call(ctx, m, "pager", pages{}); err != nil || !slices.Equal(got, []string{"old disk", "cert"}) {
			t.Errorf("pages %q, %v", got, err)
		}
		if _, err := alarm.List(ctx); !errors.Is(err, event.ErrNoHandler) {
			t.Errorf("list without the keeper: %v", err)
		}
		if got := (*alarm.Book)(nil).Alarms(); got != nil {
			t.Errorf("the alarms of nobody: %v", got)
		}
	})
}
