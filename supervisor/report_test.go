package supervisor_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/supervisor"
)

// A journal is a probe that keeps every event of supervisors as a line.
type journal struct{ lines []string }

func (j *journal) Wants() process.Kind { return process.Supervised | process.Crashed | process.Spawned }

func (j *journal) Event(e process.Event) {
	text := e.Text
	switch e.Kind {
	case process.Spawned:
		text = "spawned " + e.PID.Path()
	case process.Crashed:
		text = "crash report"
	}
	if r, ok := e.Detail.(*supervisor.Report); ok {
		r.Each(func(key string, value any) {
			if key != "pid" {
				text += fmt.Sprintf(", %s %v", key, value)
			}
		})
	}
	j.lines = append(j.lines, text)
}

// The order of what is told of a crash is OTP's: the process's own report, its
// supervisor's, the start of the next, and last that one's progress.
func TestOrderOfReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		node := process.NewNode(process.NodeSpec{Probe: j})
		ctx := process.WithBirth(node.Context(), process.Birth{ID: "top"})
		w := &world{t: t, node: node, ctx: ctx, pids: map[string]process.PID{}}
		top, err := supervisor.Start(ctx, supervisor.Spec{Strategy: supervisor.RestForOne, Period: time.Minute,
			Children: []supervisor.Child{w.child("a"), w.child("b", restart(supervisor.Transient))}})
		if err != nil {
			t.Fatal(err)
		}
		w.end("top/a", errBoom)
		w.end("top/b", nil)
		w.end("top/a", errBoom)
		if _, err := process.Wait(ctx, top); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"spawned top",
			"spawned top/a",
			"child started, child a, restart permanent, restarts 0 of 1 in 1m0s",
			"spawned top/b",
			"child started, child b, restart transient, restarts 0 of 1 in 1m0s",
			"crash report",
			"child terminated, child a, restart permanent, restarts 1 of 1 in 1m0s, decision stop 0..1, start 0..1",
			"decided, child a, restart permanent, restarts 1 of 1 in 1m0s, decision stop 0..1, start 0..1",
			"spawned top/a",
			"child started, child a, restart permanent, restarts 1 of 1 in 1m0s",
			"spawned top/b",
			"child started, child b, restart transient, restarts 1 of 1 in 1m0s",
			"decided, child b, restart transient, restarts 1 of 1 in 1m0s, decision leave down",
			"crash report",
			"child terminated, child a, restart permanent, restarts 1 of 1 in 1m0s, failures in a row 2, decision end with shutdown",
			"decided, child a, restart permanent, restarts 1 of 1 in 1m0s, failures in a row 2, decision end with shutdown",
			"shutdown, child a, restart permanent, restarts 1 of 1 in 1m0s, failures in a row 2",
			"supervisor stopping",
		}
		if got := strings.Join(j.lines, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
		}
	})
}

func TestPlanStrings(t *testing.T) {
	for want, p := range map[string]supervisor.Plan{
		"leave down":                  {},
		"drop":                        {Drop: true},
		"restart":                     {Count: true, Stop: supervisor.One(3), Start: supervisor.One(3)},
		"stop 1..3, start 1..3":       {Stop: supervisor.Span{From: 1, To: 4}, Start: supervisor.Span{From: 1, To: 4}},
		"stop 1..3, drop, start 2..3": {Stop: supervisor.Span{From: 1, To: 4}, Drop: true, Start: supervisor.Span{From: 2, To: 4}},
		"wait 1s":                     {Start: supervisor.One(3), Wait: time.Second},
		"end with shutdown":           {End: supervisor.ErrIntensity},
		"end: boom":                   {End: errBoom, Start: supervisor.One(3)},
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v reads %q, want %q", p, got, want)
		}
	}
}

// The report of a failed restart names the process that the child had.
func TestReportOfAFailedRestart(t *testing.T) {
	bubble(t, func(w *world) {
		rec := &processtest.Recorder{}
		w.top(supervisor.Spec{Intensity: 2, Children: []supervisor.Child{w.child("a", starts(nil, errNo, nil))}})
		old := w.pid("top/a")
		w.node.SetProbe(rec)
		w.end("top/a", errBoom)
		failed := 0
		for _, e := range rec.Events(process.Supervised) {
			if e.Text == supervisor.TextStartError {
				failed++
				if r := e.Detail.(*supervisor.Report); r.PID != old || e.Peer != old || r.Failures != 1 || r.Restarts != 1 {
					t.Errorf("the report is about %v: %+v, want %v", e.Peer, r, old)
				}
			}
		}
		if failed != 1 {
			t.Errorf("%d starts failed, want one", failed)
		}
	})
}
