package statem

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
	"pgregory.net/rapid"
)

// A program answers for handlers: what is asked for in a state by an event.
type program struct {
	on     map[string]response // "a3": event 3 in state a
	enter  map[string][]Change[int]
	limits map[string]time.Duration
	mail   []mail
}

type response struct {
	to string // "": stay
	fx Effects[int]
}

type mail struct {
	at time.Duration
	ev int
}

const (
	expired  = -1  // the event of the table's time-out
	maxTurns = 300 // a program may insert for ever
)

// TestRuleAgainstNaive runs random machines on the rule and on a second
// implementation, which is written for being obvious, and wants the same
// events in the same states at the same times.
func TestRuleAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProgram(t)
		got, want := p.runRule(), p.runNaive()
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("turn %d differs\ngot  %v\nwant %v", i, some(got, i), some(want, i))
			}
		}
	})
}

// some returns the few lines that matter.
func some(log []string, from int) []string { return log[min(from, len(log)):min(from+5, len(log))] }

func drawProgram(t *rapid.T) *program {
	states := []string{"a", "b", "c"}
	event := rapid.IntRange(0, 5)
	whiches := rapid.SampledFrom([]Timeout{EventTimeout, StateTimeout, "x", "y"})
	delay := rapid.SampledFrom([]time.Duration{process.Infinity, 0, 0, 1, 2, 3, 5})
	change := rapid.Custom(func(t *rapid.T) Change[int] {
		return Change[int]{
			Which: whiches.Draw(t, "which"),
			Op:    rapid.SampledFrom([]Op{Start, Start, Start, Update, Cancel}).Draw(t, "op"),
			After: delay.Draw(t, "after"),
			Event: event.Draw(t, "ev"),
		}
	})
	changes := rapid.SliceOfN(change, 0, 3)
	p := &program{on: map[string]response{}, enter: map[string][]Change[int]{}, limits: map[string]time.Duration{}}
	for _, s := range states {
		p.enter[s] = changes.Draw(t, "enter "+s)
		p.limits[s] = max(0, delay.Draw(t, "limit "+s))
		for ev := expired; ev <= 5; ev++ {
			key := fmt.Sprint(s, ev)
			p.on[key] = response{
				to: rapid.SampledFrom([]string{"", "", "a", "b", "c"}).Draw(t, "next "+key),
				fx: Effects[int]{
					Postponed: ev != expired && rapid.IntRange(0, 2).Draw(t, "postpone "+key) == 0,
					Inserted:  rapid.SliceOfN(event, 0, rapid.SampledFrom([]int{0, 0, 0, 2}).Draw(t, "n")).Draw(t, "insert "+key),
					Timeouts:  changes.Draw(t, "timeouts "+key),
				},
			}
		}
	}
	var at time.Duration
	for range rapid.IntRange(1, 12).Draw(t, "mails") {
		at += time.Duration(rapid.SampledFrom([]int{0, 0, 1, 2, 4}).Draw(t, "gap"))
		p.mail = append(p.mail, mail{at, event.Draw(t, "mail")})
	}
	return p
}

// answer is what handler and Enter ask for together.
func (p *program) answer(state string, ev int) (to string, fx Effects[int]) {
	r := p.on[fmt.Sprint(state, ev)]
	fx = r.fx
	fx.Timeouts = slices.Clone(fx.Timeouts)
	to = cmp.Or(r.to, state)
	if to != state {
		fx.Timeouts = append(fx.Timeouts, p.enter[to]...)
	}
	return to, fx
}

// runRule drives the rule as the runner does, with timers of its own.
func (p *program) runRule() (log []string) {
	type timer struct {
		which Timeout
		at    time.Duration
		seq   int
	}
	var (
		m      rule[int]
		state  = "a"
		timers = map[*process.Timer]timer{}
		seq    int
		now    time.Duration
		inbox  = p.mail
	)
	obey := func() {
		for _, t := range m.stopped {
			delete(timers, t)
		}
		m.stopped = nil
		for i := range m.timeouts {
			if a := &m.timeouts[i]; !a.zero && a.timer == nil {
				a.timer = new(process.Timer)
				seq++
				timers[a.timer] = timer{a.which, now + a.after, seq}
			}
		}
	}
	receive := func() (it item[int], ok bool) {
		var first *process.Timer
		for k, t := range timers {
			if f := timers[first]; first == nil || t.at < f.at || t.at == f.at && t.seq < f.seq {
				first = k
			}
		}
		if first != nil && (len(inbox) == 0 || timers[first].at <= inbox[0].at) {
			t := timers[first]
			now = t.at
			delete(timers, first)
			return m.fire(t.which)
		}
		if len(inbox) == 0 {
			return it, false
		}
		it, now, inbox = item[int]{event: inbox[0].ev}, max(now, inbox[0].at), inbox[1:]
		return it, true
	}
	m.begin(p.limits[state], &Effects[int]{Timeouts: p.enter[state]})
	obey()
	for len(log) < maxTurns {
		it, ok := m.next()
		if !ok {
			if it, ok = receive(); !ok {
				return log
			}
		}
		if it.expired {
			it.event = expired
		}
		log = append(log, fmt.Sprintf("%v %s%d", now, state, it.event))
		to, fx := p.answer(state, it.event)
		changed := to != state
		state = to
		m.transition(it, changed, p.limits[state], &fx)
		obey()
	}
	return log
}

// A naive machine keeps all time-outs in one list in the order in which they
// were started, and all events in lists that it copies.
type naive struct {
	state            string
	queue, postponed []int
	timeouts         []naiveTimeout
	now              time.Duration
}

type naiveTimeout struct {
	which Timeout
	at    time.Duration
	zero  bool
	ev    int
}

func (p *program) runNaive() (log []string) {
	n := &naive{state: "a"}
	n.limit(p)
	n.change(p.enter["a"])
	inbox := p.mail
	for len(log) < maxTurns {
		var ev int
		i := slices.IndexFunc(n.timeouts, func(t naiveTimeout) bool { return t.zero })
		switch {
		case len(n.queue) > 0:
			ev, n.queue = n.queue[0], n.queue[1:]
		case i >= 0:
			ev = n.fire(i)
		default:
			i = n.earliest()
			switch {
			case i >= 0 && (len(inbox) == 0 || n.timeouts[i].at <= inbox[0].at):
				n.now = n.timeouts[i].at
				ev = n.fire(i)
			case len(inbox) > 0:
				ev, n.now, inbox = inbox[0].ev, max(n.now, inbox[0].at), inbox[1:]
			default:
				return log
			}
		}
		log = append(log, fmt.Sprintf("%v %s%d", n.now, n.state, ev))
		n.turn(p, ev)
	}
	return log
}

func (n *naive) turn(p *program, ev int) {
	to, fx := p.answer(n.state, ev)
	if fx.Postponed {
		n.postponed = append(n.postponed, ev)
	}
	n.drop(EventTimeout)
	if to != n.state {
		n.state = to
		n.queue, n.postponed = slices.Concat(n.postponed, n.queue), nil
		n.drop(StateTimeout)
		n.limit(p)
	}
	n.change(fx.Timeouts)
	n.queue = slices.Concat(fx.Inserted, n.queue)
}

func (n *naive) limit(p *program) {
	if d := p.limits[n.state]; d > 0 {
		n.timeouts = append(n.timeouts, naiveTimeout{StateTimeout, n.now + d, false, expired})
	}
}

func (n *naive) change(changes []Change[int]) {
	last := map[Timeout]int{}
	for i, c := range changes {
		last[c.Which] = i
	}
	for i, c := range changes {
		if last[c.Which] != i {
			continue
		}
		running := slices.IndexFunc(n.timeouts, func(t naiveTimeout) bool { return t.which == c.Which })
		switch {
		case c.Op == Update && running >= 0:
			n.timeouts[running].ev = c.Event
		case c.Op == Update:
			n.timeouts = append(n.timeouts, naiveTimeout{c.Which, n.now, true, c.Event})
		case c.Op == Cancel || c.After == process.Infinity:
			n.drop(c.Which)
		default:
			n.drop(c.Which)
			n.timeouts = append(n.timeouts, naiveTimeout{c.Which, n.now + c.After, c.After == 0, c.Event})
		}
	}
}

func (n *naive) drop(which Timeout) {
	n.timeouts = slices.DeleteFunc(n.timeouts, func(t naiveTimeout) bool { return t.which == which })
}

func (n *naive) fire(i int) int {
	ev := n.timeouts[i].ev
	n.timeouts = slices.Delete(n.timeouts, i, i+1)
	return ev
}

func (n *naive) earliest() int {
	best := -1
	for i, t := range n.timeouts {
		if !t.zero && (best < 0 || t.at < n.timeouts[best].at) {
			best = i
		}
	}
	return best
}
