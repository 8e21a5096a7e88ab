package statem_test

import (
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// The machine that most cases of the suite use: a line that is idle, waits for
// a confirmation, or is connected.
type phone struct {
	data    any
	waiting statem.Reply[any] // who waits in the state timeout
	within  time.Duration
}

// What may happen to it.
type (
	alive      struct{}
	connect    struct{}
	confirm    struct{}
	disconnect struct{}
	get        struct{} // answered with a stateIs
	stop       struct{ reason error }
	ping       struct{ tag int }
	message    struct{ n int }
	delayed    struct{ by time.Duration }
	timeoutIn  struct{ d time.Duration }
	nextEvents struct{}
	holdBack   struct{} // postponed for ever
	badReturn  struct{}
	badAction  struct{}
	badTimeout struct{}

	stateIs struct {
		state string
		data  any
	}
	pong struct{ tag int }
	ack  struct{ n int }
)

type phoneSpec = statem.Spec[string, otpEvent, phone]

// phoneWith is the machine, changed as a case needs it.
func phoneWith(edit ...func(*phoneSpec)) *statem.Machine[string, otpEvent, phone] {
	sp := phoneSpec{
		First: []string{"idle"},
		Init:  func(*otpTurn) (string, *phone, error) { return "idle", &phone{data: "data"}, nil },
		States: map[string]statem.State[string, otpEvent, phone]{
			"idle":        {On: (*phone).idle, To: []string{"wfor_conf", "timeout", "next_events", "bad"}},
			"wfor_conf":   {On: (*phone).waitForConfirm, To: []string{"connected", "idle"}},
			"connected":   {On: (*phone).connected, To: []string{"idle"}},
			"timeout":     {On: (*phone).timeout, To: []string{"timeout2"}},
			"timeout2":    {On: (*phone).timeout2, To: []string{"idle"}},
			"next_events": {On: (*phone).nextEvents},
			"bad": {
				On:    (*phone).connected,
				Enter: func(_ *phone, t *otpTurn, _ string) error { t.Postpone(); return nil },
				To:    []string{"idle"},
			},
		},
	}
	for _, f := range edit {
		f(&sp)
	}
	return statem.Must(statem.New(sp))
}

func (p *phone) idle(t *otpTurn, ev otpEvent) (string, error) {
	switch m := ev.Content.(type) {
	case connect:
		ev.answer(t, "accept")
		t.Timeout(statem.EventTimeout, process.Infinity, otpEvent{}) // does nothing
		return "wfor_conf", nil
	case delayed:
		time.Sleep(m.by)
		ev.answer(t, "delayed")
	case timeoutIn:
		t.TimeoutAt(statem.EventTimeout, time.Now().Add(m.d), otpEvent{Type: "timeout", Content: "idle"})
		if ev.Type == "call" {
			p.waiting, p.within = ev.Reply, m.d
			return "timeout", nil
		}
	case holdBack:
		t.Postpone()
	case nextEvents:
		p.data = "abc"
		t.Insert(internal("a"), internal("b"), internal("c"))
		return "next_events", nil
	case badReturn:
		return "badreturn", nil
	case badAction:
		return "bad", nil // where Enter postpones
	case badTimeout:
		return "idle", statem.Stop(nil) // and Terminate asks for a time-out
	default:
		return p.common("idle", t, ev)
	}
	return "idle", nil
}

func (p *phone) waitForConfirm(t *otpTurn, ev otpEvent) (string, error) {
	switch ev.Content.(type) {
	case confirm:
		if ev.Type == "call" {
			ev.answer(t, "yes")
		}
		return "connected", nil
	case ping:
		t.Postpone()
		return "wfor_conf", nil
	}
	return p.common("wfor_conf", t, ev)
}

func (p *phone) connected(t *otpTurn, ev otpEvent) (string, error) {
	switch m := ev.Content.(type) {
	case message:
		ev.answer(t, ack(m))
	case ping:
		ev.answer(t, pong(m))
	case disconnect:
		if ev.Type == "call" {
			ev.answer(t, "yes")
		}
		return "idle", nil
	default:
		return p.common("connected", t, ev)
	}
	return "connected", nil
}

// timeout comes from idle, with an event time-out at a point in time.
func (p *phone) timeout(t *otpTurn, ev otpEvent) (string, error) {
	switch ev.Content {
	case "idle":
		process.After(t.Context(), p.within, otpEvent{Type: "info", Content: "ok"})
		t.Timeout(statem.EventTimeout, 0, otpEvent{Type: "timeout", Content: "zero"})
	case "zero":
		t.Timeout(statem.EventTimeout, time.Millisecond, otpEvent{Type: "timeout", Content: "should be cancelled"})
		t.Postpone() // when it is retried, that cancels the time-out
		return "timeout2", nil
	}
	return "timeout", nil
}

func (p *phone) timeout2(t *otpTurn, ev otpEvent) (string, error) {
	switch {
	case ev.Type == "info" && ev.Content == "ok":
		t.Reply(p.waiting.Answer("ok"))
		return "idle", nil
	case ev.Type == "timeout" && ev.Content != "zero":
		return "timeout2", errBoom
	}
	return "timeout2", nil
}

// nextEvents wants a, b and c, in this order.
func (p *phone) nextEvents(t *otpTurn, ev otpEvent) (string, error) {
	left, _ := p.data.(string)
	if ev.Type == "internal" && left != "" && ev.Content == left[:1] {
		p.data = left[1:]
		return "next_events", nil
	}
	return p.common("next_events", t, ev)
}

// common is what all states do alike.
func (p *phone) common(state string, t *otpTurn, ev otpEvent) (string, error) {
	switch m := ev.Content.(type) {
	case alive:
		ev.answer(t, "yes")
	case get:
		ev.answer(t, stateIs{state, p.data})
	case stop:
		ev.answer(t, "stopped")
		return state, statem.Stop(m.reason)
	default:
		if ev.Type == "call" {
			ev.answer(t, "eh?")
		}
	}
	return state, nil
}

// funcTest is a talk with a phone by casts, and by calls.
func (c *suiteCase) funcTest(to otpTarget) {
	c.Helper()
	c.castTest(to)
	c.callTest(to)
}

func (c *suiteCase) castTest(to otpTarget) {
	c.Helper()
	check := func() { c.cast(to, alive{}); c.receive("yes") }
	check()
	c.wantState(to, "idle")
	c.cast(to, connect{})
	c.receive("accept")
	c.wantState(to, "wfor_conf")
	c.cast(to, ping{1})
	c.cast(to, confirm{})
	c.receive(pong{1})
	c.wantState(to, "connected")
	check()
	for n := range 3 {
		c.wantState(to, "connected")
		c.cast(to, message{n})
		c.receive(ack{n})
	}
	check()
	c.cast(to, disconnect{})
	c.wantState(to, "idle")
	check()
	var r requests
	r.add(c, "alive", to, alive{})
	if got, _ := r.within(c, time.Second); got != (response{"alive", "yes", nil}) {
		c.fail("a request was answered with %v", got)
	}
}

func (c *suiteCase) callTest(to otpTarget) {
	c.Helper()
	c.ask(to, alive{}, "yes")
	c.wantState(to, "idle")
	c.ask(to, connect{}, "accept")
	c.wantState(to, "wfor_conf")
	c.cast(to, ping{2})
	c.ask(to, confirm{}, "yes")
	c.receive(pong{2})
	c.wantState(to, "connected")
	c.ask(to, alive{}, "yes")
	for n := range 3 {
		c.ask(to, message{n}, ack{n})
	}
	c.ask(to, disconnect{}, "yes")
	c.wantState(to, "idle")
	c.ask(to, timeoutIn{200 * ms}, "ok")
	c.ask(to, alive{}, "yes")
	c.wantState(to, "idle")
}
