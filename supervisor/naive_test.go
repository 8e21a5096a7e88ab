package supervisor_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
	"pgregory.net/rapid"
)

// A naive is a second supervisor, written as the manual describes one: no plans,
// no processes, lists copied at every step. What it writes down must be what a
// world writes down of the real one.
type naive struct {
	strategy  string // one_for_one, one_for_all, rest_for_one
	intensity int
	period    time.Duration
	auto      supervisor.AutoShutdown
	outcomes  map[string][]outcome // of the starts, per child

	kids     []*naiveChild // the first to start first
	starts   map[string]int
	restarts []time.Duration
	now      time.Duration
	retry    *naiveChild // the failed start that is tried again next
	ended    bool
	lines    []string
}

type naiveChild struct {
	id          string
	restart     supervisor.Restart
	significant bool
	pid         string // "", "running", "restarting"
}

// An outcome is how one start goes.
type outcome int

const (
	ok outcome = iota
	fail
	decline
)

func (n *naive) note(format string, args ...any) {
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func (n *naive) drop(c *naiveChild) {
	n.kids = slices.DeleteFunc(slices.Clone(n.kids), func(other *naiveChild) bool { return other == c })
}

func (n *naive) start(c *naiveChild) outcome {
	how := ok
	if list := n.outcomes[c.id]; len(list) > 0 {
		how = list[min(n.starts[c.id], len(list)-1)]
	}
	n.starts[c.id]++
	switch how {
	case ok:
		n.note("top/%s starts", c.id)
		c.pid = "running"
	case fail:
		n.note("top/%s fails", c.id)
		c.pid = ""
	case decline:
		n.note("top/%s declines", c.id)
		c.pid = ""
		if c.restart == supervisor.Temporary {
			n.drop(c)
		}
	}
	return how
}

func (n *naive) stop(c *naiveChild) {
	if c.pid == "running" {
		n.note("top/%s stops shutdown", c.id)
		if c.restart == supervisor.Temporary {
			n.drop(c)
		}
	}
	c.pid = ""
}

func (n *naive) end() {
	for _, c := range slices.Backward(n.kids) {
		n.stop(c)
	}
	n.note("top exit shutdown")
	n.ended = true
}

// startAll is the start of the supervisor; it reports whether that succeeds.
func (n *naive) startAll() bool {
	for _, c := range slices.Clone(n.kids) {
		if n.start(c) == fail {
			n.note("top: start error: %s no", c.id)
			for _, c := range slices.Backward(slices.Clone(n.kids)) {
				n.stop(c)
			}
			n.note("top exit shutdown: failed to start child")
			n.ended = true
			return false
		}
	}
	return true
}

// exit is the end of a child by itself, up to when all is quiet again.
func (n *naive) exit(c *naiveChild, why error) {
	n.note("top/%s stops %s", c.id, reason(why))
	c.pid = ""
	clean := process.Clean(why)
	if c.restart == supervisor.Permanent || !clean {
		n.note("top: child terminated: %s %s", c.id, reason(why))
	}
	if c.restart == supervisor.Temporary || c.restart == supervisor.Transient && clean {
		if c.restart == supervisor.Temporary {
			n.drop(c)
		}
		if c.significant && n.shutsDown() {
			n.end()
		}
		return
	}
	n.again(c)
	for n.retry != nil && !n.ended {
		c := n.retry
		n.retry = nil
		if c.pid == "restarting" {
			n.again(c)
		}
	}
}

func (n *naive) shutsDown() bool {
	if n.auto == supervisor.AllSignificant {
		for _, c := range n.kids {
			if c.significant && c.pid != "" {
				return false
			}
		}
	}
	return n.auto != supervisor.Never
}

// again restarts a child, and whom the strategy says.
func (n *naive) again(c *naiveChild) {
	n.restarts = append(n.restarts, n.now)
	count := 0
	for _, at := range n.restarts {
		if n.now-at <= n.period {
			count++
		}
	}
	if count > n.intensity {
		n.note("top: shutdown: %s %v", c.id, supervisor.ErrIntensity)
		c.pid = ""
		n.end()
		return
	}
	var group []*naiveChild
	switch n.strategy {
	case "one_for_one":
		group = []*naiveChild{c}
	case "one_for_all":
		group = slices.Clone(n.kids)
	case "rest_for_one":
		group = slices.Clone(n.kids[slices.Index(n.kids, c):])
	}
	for _, c := range slices.Backward(group) {
		n.stop(c)
	}
	for _, c := range group {
		if !slices.Contains(n.kids, c) {
			continue
		}
		if n.start(c) == fail {
			n.note("top: start error: %s no", c.id)
			c.pid = "restarting"
			n.retry = c
			return
		}
	}
}

// A drawn world is the real supervisor beside the naive one.
type drawn struct {
	*world
	n *naive
}

var errNo = errors.New("no")

// kid makes a child of the real supervisor from one of the naive one.
func (d *drawn) kid(c *naiveChild) supervisor.Child {
	k := &worker{w: d.world, trap: true}
	for _, how := range d.n.outcomes[c.id] {
		err := map[outcome]error{fail: errNo, decline: process.ErrIgnore}[how]
		k.starts = append(k.starts, func(context.Context) error { return err })
	}
	return supervisor.Child{ID: c.id, Start: k.start, Restart: c.restart, Significant: c.significant}
}

func TestAsTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := drawNaive(rt)
		script := rapid.SliceOfN(rapid.IntRange(0, 1<<20), 0, 25).Draw(rt, "script")
		var fault string
		synctest.Test(t, func(t *testing.T) {
			d := &drawn{n: n, world: newWorld(t)}
			fault = d.play(script)
			if err := d.node.Stop(t.Context()); err != nil && fault == "" {
				fault = err.Error()
			}
		})
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

func drawNaive(rt *rapid.T) *naive {
	n := &naive{
		strategy:  rapid.SampledFrom([]string{"one_for_one", "one_for_all", "rest_for_one"}).Draw(rt, "strategy"),
		intensity: rapid.IntRange(0, 5).Draw(rt, "intensity"),
		period:    time.Duration(rapid.IntRange(1, 10).Draw(rt, "period")) * time.Second,
		auto:      supervisor.AutoShutdown(rapid.IntRange(0, 2).Draw(rt, "auto")),
		outcomes:  map[string][]outcome{},
		starts:    map[string]int{},
	}
	for i := range rapid.IntRange(0, 5).Draw(rt, "children") {
		n.kids = append(n.kids, n.draw(string(rune('a'+i)), func(label string, max int) int {
			return rapid.IntRange(0, max).Draw(rt, label)
		}))
	}
	return n
}

// draw makes a child up, with starts of which one in five fails.
func (n *naive) draw(id string, number func(label string, max int) int) *naiveChild {
	c := &naiveChild{id: id, restart: supervisor.Restart(number("restart", 2))}
	c.significant = n.auto != supervisor.Never && c.restart != supervisor.Permanent && number("significant", 1) == 1
	for range number("starts", 6) {
		hows := []outcome{ok, ok, ok, ok, ok, ok, ok, fail, fail, decline}
		n.outcomes[id] = append(n.outcomes[id], hows[number("outcome", len(hows)-1)])
	}
	n.outcomes[id] = append(n.outcomes[id], ok)
	return c
}

// play runs the script on both, and returns the first difference.
func (d *drawn) play(script []int) (fault string) {
	spec := supervisor.Spec{
		Strategy:     map[string]supervisor.Strategy{"one_for_one": supervisor.OneForOne, "one_for_all": supervisor.OneForAll, "rest_for_one": supervisor.RestForOne}[d.n.strategy],
		Intensity:    cmp.Or(d.n.intensity, supervisor.NoRestart),
		Period:       d.n.period,
		AutoShutdown: d.n.auto,
	}
	for _, c := range d.n.kids {
		spec.Children = append(spec.Children, d.kid(c))
	}
	begun := d.n.startAll()
	if _, err := d.tryTop(spec); (err == nil) != begun {
		return fmt.Sprintf("the start ended with %v", err)
	}
	if f := d.compare("start"); f != "" || !begun {
		return f
	}
	for i, number := range script {
		step := d.step(i, number)
		if f := d.compare(step); f != "" || d.n.ended {
			return f
		}
	}
	d.stop()
	d.n.end()
	return d.compare("stop")
}

// step does one thing to both, which number stands for, and says what it was.
func (d *drawn) step(i, number int) string {
	next := func(_ string, max int) int {
		r := number % (max + 1)
		number /= max + 1
		return r
	}
	what := next("", 9)
	if what == 0 {
		d.n.now += d.n.period * 2 / 3
		time.Sleep(d.n.period * 2 / 3)
		return "time passes"
	}
	if what == 1 {
		c := d.n.draw(fmt.Sprintf("x%d", i), next)
		d.n.kids = append(d.n.kids, c)
		_, err := supervisor.StartChild(d.ctx, d.pid("top"), d.kid(c))
		if d.n.start(c) == fail {
			d.n.drop(c)
		}
		return fmt.Sprintf("start_child %+v: %v", *c, err)
	}
	if len(d.n.kids) == 0 {
		return "nothing"
	}
	c := d.n.kids[next("", len(d.n.kids)-1)]
	switch {
	case what == 2:
		err := supervisor.TerminateChild(d.ctx, d.pid("top"), c.id)
		d.n.stop(c)
		return fmt.Sprintf("terminate_child %s: %v", c.id, err)
	case what == 3:
		_, err := supervisor.RestartChild(d.ctx, d.pid("top"), c.id)
		if c.pid == "" {
			d.n.start(c)
		}
		return fmt.Sprintf("restart_child %s: %v", c.id, err)
	case what == 4:
		err := supervisor.DeleteChild(d.ctx, d.pid("top"), c.id)
		if c.pid == "" {
			d.n.drop(c)
		}
		return fmt.Sprintf("delete_child %s: %v", c.id, err)
	case c.pid == "running":
		why := []error{nil, process.ErrShutdown, errBoom, errBoom}[next("", 3)]
		d.end("top/"+c.id, why)
		d.n.exit(c, why)
		return fmt.Sprintf("%s ends with %v", c.id, reason(why))
	}
	return "nothing"
}

// compare looks at what both have done since it last looked, and at whom they
// have now.
func (d *drawn) compare(step string) string {
	synctest.Wait()
	got, want := d.take(), d.n.lines
	d.n.lines = nil
	same := slices.EqualFunc(got, want, strings.HasPrefix)
	if !same {
		return fmt.Sprintf("%s\n got: %s\nwant: %s", step, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
	if d.n.ended {
		return ""
	}
	var are, should []string
	infos, err := supervisor.WhichChildren(d.ctx, d.pid("top"))
	if err != nil {
		return err.Error()
	}
	for _, c := range slices.Backward(infos) {
		are = append(are, c.ID+" "+c.Status.String())
	}
	for _, c := range d.n.kids {
		should = append(should, c.id+" "+cmp.Or(c.pid, "down"))
	}
	if !slices.Equal(are, should) {
		return fmt.Sprintf("%s\nchildren are: %q\n   should be: %q", step, are, should)
	}
	return ""
}
