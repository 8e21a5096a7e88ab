package application

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

var errBoom = errors.New("boom")

// A kit is a node in a bubble and a journal of all that happens to its
// applications, in order: callbacks, tops of trees, and reports.
type kit struct {
	*testing.T
	node *process.Node
	ctx  context.Context

	mu      sync.Mutex
	journal []string
	reports []*Report
	crashes []process.Event
}

// inBubble runs a test with a node of its own, and checks that stopping the
// node leaves nothing behind.
func inBubble(t *testing.T, f func(k *kit)) {
	synctest.Test(t, func(t *testing.T) {
		k := &kit{T: t}
		k.node = process.NewNode(process.NodeSpec{Probe: k})
		k.ctx = k.node.Context()
		f(k)
		_ = k.node.Stop(context.Background()) // tests that care call it themselves
		synctest.Wait()
		if left := k.node.Processes(); len(left) > 0 {
			t.Errorf("processes left after the node has stopped: %v", left)
		}
	})
}

func (k *kit) Wants() process.Kind {
	return process.Application | process.Crashed | process.Warned | process.Abandoned
}

func (k *kit) Event(e process.Event) {
	r, ok := e.Detail.(*Report)
	if !ok {
		k.set(func() { k.crashes = append(k.crashes, e) })
		return
	}
	if r.What == PhaseBegan || r.What == Started {
		return
	}
	line := fmt.Sprintf("%s:%s", r.App, r.What)
	switch r.What {
	case Exited:
		line += fmt.Sprintf("(%v,%v)", r.Reason, r.Type)
		if r.Down {
			line += "+down"
		}
	case StillNeeded:
		line += "(" + appNames(r.By) + ")"
	case CallbackFailed:
		line += fmt.Sprintf("(%v)", r.Reason)
	}
	k.set(func() { k.journal, k.reports = append(k.journal, line), append(k.reports, r) })
}

func (k *kit) set(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

func (k *kit) log(format string, args ...any) {
	k.set(func() { k.journal = append(k.journal, fmt.Sprintf(format, args...)) })
}

// want checks what has happened since the last want, all of it.
func (k *kit) want(why, lines string) {
	k.Helper()
	synctest.Wait()
	var got string
	k.set(func() { got, k.journal = strings.Join(k.journal, " "), nil })
	if got != strings.Join(strings.Fields(lines), " ") {
		k.Errorf("%s: what happened is\n\t%s\nwant\n\t%s", why, got, lines)
	}
}

// report returns the latest report of that sort.
func (k *kit) report(what What) *Report {
	k.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for n := len(k.reports) - 1; n >= 0; n-- {
		if k.reports[n].What == what {
			return k.reports[n]
		}
	}
	k.Fatalf("there was no report %q", what)
	return nil
}

// app makes an application that writes down what happens to it. Its tree is one
// process, registered under NAME_top.
func (k *kit) app(name string, needs ...*App) *App {
	return &App{
		Name: name, Needs: needs,
		Start: func(ctx context.Context) (process.PID, error) {
			k.log("%s.start", name)
			return k.top(ctx, name, &top{})
		},
		PrepStop: func(context.Context) error { k.log("%s.prep_stop", name); return nil },
		Stop:     func(context.Context) error { k.log("%s.stop", name); return nil },
	}
}

func (k *kit) top(ctx context.Context, name string, t *top) (process.PID, error) {
	t.kit, t.name = k, name
	return process.Start(ctx, process.Spec{Name: name + "_top", TrapExit: true, Behaviour: t})
}

// A top is the process on top of a test's tree.
type top struct {
	*kit
	name    string
	initErr error
	onStop  func(ctx context.Context)
}

func (t *top) Init(ctx context.Context) error { return t.initErr }

// Handle ends with whatever reason it is sent, and runs whatever function.
func (t *top) Handle(ctx context.Context, msg any) error {
	switch msg := msg.(type) {
	case error:
		return process.End(msg)
	case func(context.Context):
		msg(ctx)
	case *ping:
		msg.Reply(nil, nil)
	}
	return nil
}

type ping struct{ process.Call }

func (t *top) Terminate(ctx context.Context, reason error) error {
	t.log("%s_top.down(%v)", t.name, reason)
	if t.onStop != nil {
		t.onStop(ctx)
	}
	return nil
}

// end makes the top of an application end by itself.
func (k *kit) end(name string, reason error) {
	k.Helper()
	pid, ok := process.Whereis(k.ctx, name+"_top")
	if !ok {
		k.Fatalf("%s_top does not run", name)
	}
	if err := process.Stop(k.ctx, pid, reason); err != nil {
		k.Fatal(err)
	}
	synctest.Wait()
}

func (k *kit) ok(err error) {
	k.Helper()
	if err != nil {
		k.Fatalf("%v, want no error", err)
	}
}

// is checks an error by errors.Is and by a part of its text.
func (k *kit) is(err, want error, text string) {
	k.Helper()
	if want != nil && !errors.Is(err, want) || !strings.Contains(fmt.Sprint(err), text) {
		k.Errorf("got error %v, want %v saying %q", err, want, text)
	}
}

func (k *kit) wantRunning(want string) {
	k.Helper()
	apps, err := WhichApplications(k.ctx)
	if err != nil || names(apps) != want {
		k.Errorf("running: %q, %v; want %q (the latest first)", names(apps), err, want)
	}
}

// ensure starts applications that must start.
func (k *kit) ensure(typ Type, apps ...*App) []*App {
	k.Helper()
	started, err := EnsureAllStarted(k.ctx, typ, apps...)
	k.ok(err)
	return started
}

const short = 10 * time.Millisecond
