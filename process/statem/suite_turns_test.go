package statem_test

import (
	"context"
	"errors"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// An answer that comes too late reaches nobody, and nothing of it is left.
func (c *suiteCase) callTimesOut() {
	c.Helper()
	n := local("abnormal")
	c.must(n.machine.StartUnlinked(c.ctx))
	if got, err := c.callWithin(2*time.Second, n.target, delayed{100 * ms}); got != "delayed" || err != nil {
		c.fail("a slow answer: %v, %v", got, err)
	}
	if _, err := c.callWithin(100*ms, n.target, delayed{2 * time.Second}); !errors.Is(err, process.ErrTimeout) {
		c.fail("too slow an answer: %v", err)
	}
	if err := process.Stop(process.WithCallTimeout(c.ctx, time.Minute), process.Name("abnormal"), nil); err != nil {
		c.fail("stop: %v", err)
	}
	time.Sleep(1100 * ms)
}

// misused calls a phone that then does what it may not do: the caller and the
// one that is linked learn of it.
func (c *suiteCase) misused(content any, edit ...func(*phoneSpec)) {
	c.Helper()
	c.trapExits()
	ref := c.must(phoneWith(edit...).Start(c.ctx))
	c.refused(ref, content, statem.ErrMisuse)
	c.wantExit(ref.PID(), statem.ErrMisuse)
}

var suiteAbnormal = map[string]func(*suiteCase){
	"abnormal1":      (*suiteCase).callTimesOut,
	"abnormal1clean": (*suiteCase).callTimesOut, // there is one kind of time-out, and it is clean
	"abnormal1dirty": (*suiteCase).callTimesOut,
	"abnormal2":      func(c *suiteCase) { c.misused(badReturn{}) },
	"abnormal3":      func(c *suiteCase) { c.misused(badAction{}) },
	"abnormal4": func(c *suiteCase) {
		c.misused(badTimeout{}, func(sp *phoneSpec) {
			sp.TrapExit = true
			sp.Terminate = func(_ *phone, t *otpTurn, _ string, _ error) error {
				t.Timeout("badtimeout", 4711, internal("ouch"))
				return nil
			}
		})
	},
	"shutdown": func(c *suiteCase) {
		c.trapExits()
		ref := c.must(phoneWith().Start(c.ctx))
		c.funcTest(ref)
		why := process.Shutdown(errBoom)
		c.ask(ref, stop{why}, "stopped")
		c.wantExit(ref.PID(), why)
		process.TrapExit(c.ctx, false)
		c.refused(ref, "hej", process.ErrNoProc)
		if seen := c.reports.Events(0); len(seen) > 0 {
			c.fail("a clean end was reported: %v", seen)
		}
	},
}

var suiteTurns = map[string]func(*suiteCase){
	"stop_and_reply": func(c *suiteCase) {
		c.trapExits()
		var first, second statem.Reply[any]
		gate := make(chan struct{})
		sp := mapSpec("start", otpTable{
			"start": func(_ *otpTurn, ev otpEvent) (string, error) { first = ev.Reply; return "wait", nil },
			"wait": func(t *otpTurn, ev otpEvent) (string, error) {
				second = ev.Reply
				t.Reply(first.Answer("reply1"), second.Answer("reply2"))
				return "wait", statem.Stop(errBoom)
			},
		})
		sp.TrapExit = true
		sp.Terminate = func(*struct{}, *otpTurn, string, error) error { <-gate; return nil }
		ref := c.must(statem.Must(statem.New(sp)).Start(c.ctx))
		var r requests
		for _, label := range []string{"echo", "stop"} {
			r.add(c, label, ref, label)
			synctest.Wait() // in this order
		}
		got := map[response]bool{}
		for range 2 { // before Terminate has returned
			came, _ := r.within(c, time.Second)
			got[came] = true
		}
		close(gate)
		if !got[response{"echo", "reply1", nil}] || !got[response{"stop", "reply2", nil}] {
			c.fail("answered were %v", got)
		}
		c.wantExit(ref.PID(), errBoom)
		c.refused(ref, "hej", process.ErrNoProc)
	},
	"state_enter": stateEnter,
	"event_order": eventOrder,
	"event_types": eventTypes,
	"enter_loop":  enterLoop,
	// Callback modules are values of an interface in the data, with a stack of
	// them where OTP pushes and pops.
	"pop_too_many": func(c *suiteCase) {
		c.trapExits()
		d := &device{stack: []module{suiteModule{}}}
		row := func(in string, to ...string) statem.State[string, otpEvent, device] {
			return statem.State[string, otpEvent, device]{
				On:    func(d *device, t *otpTurn, ev otpEvent) (string, error) { return d.top().on(d, t, in, ev) },
				Enter: func(d *device, _ *otpTurn, from string) error { d.top().enter(d, in, from); return nil },
				To:    to,
			}
		}
		m := statem.Must(statem.New(statem.Spec[string, otpEvent, device]{
			First:  []string{"state_1"},
			Init:   func(*otpTurn) (string, *device, error) { return "state_1", d, nil },
			States: map[string]statem.State[string, otpEvent, device]{"state_1": row("state_1", "state_2"), "state_2": row("state_2", "state_1")},
		}))
		ref := c.must(m.Start(c.ctx))
		c.ask(ref, changeTo{ocModule{}}, "ok")
		c.ask(ref, "get_data", "state_1 to state_2") // Enter was the new module's
		c.ask(ref, pushOn{suiteModule{}}, "ok")
		c.ask(ref, verify{suiteModule{}}, "ok")
		c.ask(ref, popOff{}, "ok")
		var panicked *process.PanicError
		if got, err := c.call(ref, popOff{}); !errors.As(err, &panicked) {
			c.fail("to pop the last module: %v, %v; want a crash", got, err)
		}
		m2, _ := c.in.ReceiveWithin(time.Second)
		if x, ok := m2.(process.ExitSignal); !ok || !errors.As(x.Reason, &panicked) {
			c.fail("received %v, want its exit", m2)
		}
	},
}

// A device does what the module on top of its stack says.
type device struct {
	stack   []module
	entered string
}

type module interface {
	on(d *device, t *otpTurn, in string, ev otpEvent) (string, error)
	enter(d *device, in, from string)
}

type (
	changeTo struct{ to module }
	pushOn   struct{ to module }
	verify   struct{ is module }
	popOff   struct{}
)

func (d *device) top() module { return d.stack[len(d.stack)-1] }

// swap is what both modules do with these events.
func (d *device) swap(t *otpTurn, in string, ev otpEvent) (string, error) {
	t.Reply(ev.Answer("ok"))
	switch m := ev.Content.(type) {
	case changeTo:
		d.stack[len(d.stack)-1] = m.to
	case pushOn:
		d.stack = append(d.stack, m.to)
	case verify:
		if d.top() != m.is {
			return in, fmt.Errorf("%T is on top, not %T", d.top(), m.is)
		}
		return in, nil
	case popOff:
		d.stack = d.stack[:len(d.stack)-1]
		d.top() // one must be left
	}
	if in == "state_1" {
		return "state_2", nil
	}
	return "state_1", nil
}

// A suiteModule keeps nothing of Enter.
type suiteModule struct{}

func (suiteModule) on(d *device, t *otpTurn, in string, ev otpEvent) (string, error) {
	return d.swap(t, in, ev)
}

func (suiteModule) enter(*device, string, string) {}

// An ocModule remembers what it entered.
type ocModule struct{}

func (ocModule) on(d *device, t *otpTurn, in string, ev otpEvent) (string, error) {
	if ev.Content == "get_data" {
		t.Reply(ev.Answer(d.entered))
		return in, nil
	}
	return d.swap(t, in, ev)
}

func (ocModule) enter(d *device, in, from string) { d.entered = from + " to " + in }

// stateEnter counts the callbacks, so that the numbers are their order.
func stateEnter(c *suiteCase) {
	type seen struct {
		n       int
		what    string
		in, arg any
	}
	c.trapExits()
	self, n := process.Self(c.ctx), 1
	tell := func(t *otpTurn, what string, in, arg any) { say(t, self, seen{n, what, in, arg}); n++ }
	echo := func(t *otpTurn, ev otpEvent, in string) {
		t.Reply(ev.Answer(seen{n, fmt.Sprint(ev.Content), in, nil}))
		n++
	}
	soon := func(t *otpTurn, which ...statem.Timeout) {
		for _, w := range which {
			t.Timeout(w, 0, otpEvent{Type: string(w), Content: n})
		}
	}
	sp := mapSpec("start", otpTable{
		"start": func(t *otpTurn, ev otpEvent) (string, error) {
			switch ev.Content {
			case "echo":
				soon(t, event)
				echo(t, ev, "start")
				return "wait", nil
			case "repeat":
				t.Repeat()
				echo(t, ev, "start")
			case "stop":
				echo(t, ev, "start")
				return "start", statem.Stop(errBoom)
			default:
				tell(t, ev.Type, "start", ev.Content)
			}
			return "start", nil
		},
		"wait": func(t *otpTurn, ev otpEvent) (string, error) {
			switch ev.Content {
			case "echo":
				t.Insert(internal("wait"))
				echo(t, ev, "wait")
				return "start", nil
			case "repeat":
				t.Repeat()
				soon(t, event)
				t.Reply(ev.Answer(seen{n, "repeat", "wait", nil})) // the data, and so n, is kept
			default:
				tell(t, ev.Type, nil, ev.Content)
			}
			return "wait", nil
		},
	})
	enter := func(state string, f func(t *otpTurn, from string)) {
		row := sp.States[state]
		row.Enter = func(_ *struct{}, t *otpTurn, from string) error { f(t, from); return nil }
		sp.States[state] = row
	}
	enter("start", func(t *otpTurn, from string) { tell(t, "enter", "start", from) })
	enter("wait", func(t *otpTurn, from string) {
		soon(t, event, state)
		if n < 5 {
			t.Repeat()
		}
		tell(t, "enter", "wait", from)
	})
	ref := c.must(statem.Must(statem.New(sp)).Start(c.ctx))
	eventT, stateT := string(event), string(state)
	c.wantMessages(seen{1, "enter", "start", "start"})
	c.ask(ref, "echo", seen{2, "echo", "start", nil})
	c.wantMessages(seen{3, "enter", "wait", "start"}, seen{4, "enter", "wait", "start"}, seen{5, "enter", "wait", "start"},
		seen{6, eventT, nil, 5}, seen{7, stateT, nil, 5})
	c.ask(ref, "repeat", seen{8, "repeat", "wait", nil})
	c.wantMessages(seen{8, "enter", "wait", "wait"}, seen{9, eventT, nil, 8}, seen{10, stateT, nil, 8})
	c.ask(ref, "echo", seen{11, "echo", "wait", nil})
	c.wantMessages(seen{12, "enter", "start", "wait"}, seen{13, "internal", "start", "wait"})
	c.ask(ref, "repeat", seen{14, "repeat", "start", nil})
	c.wantMessages(seen{15, "enter", "start", "start"})
	c.ask(ref, "stop", seen{16, "stop", "start", nil})
	c.wantExit(ref.PID(), errBoom)
	c.refused(ref, "hej", process.ErrNoProc)
}

// eventOrder: inserted before postponed; the zero event time-out is ended by
// them.
func eventOrder(c *suiteCase) {
	c.trapExits()
	self := process.Self(c.ctx)
	var kept []any
	ref := c.must(fromMap("start", otpTable{
		"start": func(t *otpTurn, ev otpEvent) (string, error) {
			if ev.Type == "cast" {
				t.Postpone()
				return "start", nil
			}
			t.Insert(internal("ok3"), internal("ok4"))
			t.Timeout(event, 0, otpEvent{Type: "timeout", Content: "ok5"})
			t.Reply(ev.Answer("ok"))
			return "buffer", nil
		},
		"buffer": func(t *otpTurn, ev otpEvent) (string, error) {
			if ev.Type != "call" {
				kept = append(kept, ev.Content)
				return "buffer", nil
			}
			for _, v := range kept {
				say(t, self, v)
			}
			t.Reply(ev.Answer("ok"))
			t.Insert(internal("stop"))
			return "stop", nil
		},
		"stop": func(*otpTurn, otpEvent) (string, error) { return "stop", statem.Stop(errBoom) },
	}).Start(c.ctx))
	c.cast(ref, "ok1")
	c.cast(ref, "ok2")
	c.ask(ref, "buffer", "ok")
	c.ask(ref, "stop", "ok")
	for _, want := range []any{"ok3", "ok4", "ok1", "ok2"} {
		c.receive(want)
	}
	c.wantExit(ref.PID(), errBoom)
	c.refused(ref, "hej", process.ErrNoProc)
}

// eventTypes inserts events of every type, and the call itself once more.
func eventTypes(c *suiteCase) {
	c.trapExits()
	types := []string{"internal", string(state), string(event), "info", "cast", "six", "call"}
	table := otpTable{
		"start1": func(*otpTurn, otpEvent) (string, error) { return "start2", nil },
		"start2": func(t *otpTurn, ev otpEvent) (string, error) {
			for n, typ := range types[:6] {
				t.Insert(otpEvent{Type: typ, Content: n + 1})
			}
			t.Insert(ev)
			return "state1", nil
		},
	}
	for i, typ := range types {
		in, next := fmt.Sprint("state", i+1), fmt.Sprint("state", i+2)
		table[in] = func(t *otpTurn, ev otpEvent) (string, error) {
			switch {
			case ev.Type != typ:
				return in, fmt.Errorf("%s in %s", ev.Type, in)
			case typ == "call":
				t.Reply(ev.Answer("stopped"))
				return in, statem.Stop(process.ErrShutdown)
			case ev.Content != i+1:
				return in, fmt.Errorf("%v in %s", ev.Content, in)
			}
			return next, nil
		}
	}
	sp := mapSpec("start1", table)
	sp.Init = func(t *otpTurn) (string, *struct{}, error) { t.Insert(internal(0)); return "start1", &struct{}{}, nil }
	ref := c.must(statem.Must(statem.New(sp)).Start(c.ctx))
	c.ask(ref, "stop", "stopped")
	c.wantExit(ref.PID(), process.ErrShutdown)
	c.refused(ref, "hej", process.ErrNoProc)
}

// A becoming is a process of its own until it has been told to go on; then it
// is a machine.
type becoming struct {
	machine process.Behaviour
	is      bool
}

func (b *becoming) Init(context.Context) error { return nil }

func (b *becoming) Handle(ctx context.Context, msg any) error {
	if !b.is {
		b.is = true
		return b.machine.Init(ctx)
	}
	return b.machine.Handle(ctx, msg)
}

func (b *becoming) Terminate(ctx context.Context, reason error) error {
	if !b.is {
		return nil
	}
	return b.machine.Terminate(ctx, reason)
}

// TypedRef makes it known as what it will be.
func (b *becoming) TypedRef(pid process.PID) any { return b.machine.(process.Typed).TypedRef(pid) }

// enterLoop: a process that has been something else becomes a machine.
func enterLoop(c *suiteCase) {
	c.trapExits()
	start := func(name, machine string) otpRef {
		c.Helper()
		pid, err := process.Start(c.ctx, process.Spec{
			Name: name, TrapExit: true,
			Behaviour: &becoming{machine: phoneWith().Named(machine).Behaviour()},
		})
		if err != nil {
			c.fail("start: %v", err)
		}
		ref, _ := statem.As[otpEvent](pid)
		process.Send(c.ctx, pid, "go on")
		return ref
	}
	for _, name := range []string{"armitage", ""} { // with a name, and without
		ref := start(name, name)
		c.ask(ref, alive{}, "yes")
		c.ask(ref, stop{}, "stopped")
		c.wantExit(ref.PID(), nil)
	}
	// The name that the machine has is not that of its process, whoever has it.
	for _, takeIt := range []bool{false, true} {
		if takeIt {
			if err := process.Register(c.ctx, "armitage", process.Self(c.ctx)); err != nil {
				c.fail("register: %v", err)
			}
		}
		pid := start("", "armitage").PID()
		c.wantExit(pid, statem.ErrMisuse)
	}
	// The one that started it is its parent.
	ref := start("", "")
	c.ask(ref, alive{}, "yes")
	process.SendExit(c.ctx, ref, process.ErrShutdown)
	c.wantExit(ref.PID(), process.ErrShutdown)
}
