package statem_test

import (
	"fmt"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// is writes an event as these cases name it: its type, its content and, where
// that matters, the state and the data.
func (e otpEvent) is() string { return fmt.Sprint(e.Type, " ", e.Content) }

// after starts a time-out whose event says which it is of.
func after(t *otpTurn, which statem.Timeout, d time.Duration, content any) {
	t.Timeout(which, d, otpEvent{Type: string(which), Content: content})
}

var suiteTimeouts = map[string]func(*suiteCase){
	"state_timeout":             stateTimeout,
	"timeout_cancel_and_update": cancelAndUpdate,
	"generic_timers":            genericTimers,
}

func stateTimeout(c *suiteCase) {
	c.trapExits()
	var (
		step   int
		limit  time.Duration
		caller statem.Reply[any]
	)
	wrong := func(in string, ev otpEvent) (string, error) {
		return in, fmt.Errorf("%s in %s after step %d", ev.is(), in, step)
	}
	ref := c.must(fromMap("start", otpTable{
		"start": func(t *otpTurn, ev otpEvent) (string, error) {
			limit, _ = ev.Content.(time.Duration)
			caller = ev.Reply
			process.SendSelf(t.Context(), otpEvent{Type: "info", Content: "to self"})
			after(t, event, limit, 1)
			after(t, state, limit, 1)
			t.Insert(internal(1)) // comes before what is in the mailbox
			return "state1", nil
		},
		"state1": func(t *otpTurn, ev otpEvent) (string, error) {
			if ev.is() != "internal 1" {
				return wrong("state1", ev)
			}
			after(t, event, 0, 2) // the change of state ended both
			after(t, state, 0, 2)
			t.Insert(internal(2))
			return "state2", nil
		},
		"state2": func(t *otpTurn, ev otpEvent) (string, error) {
			step++
			switch fmt.Sprint(step, " ", ev.is()) {
			case "1 internal 2": // zero time-outs come after what is inserted
				after(t, event, 0, 3)
			case "2 state time-out 2": // it ended the event time-out
				after(t, event, 0, 4)
				after(t, state, 0, 5)
			case "3 event time-out 4": // in the order they were started
				after(t, state, 0, 6) // instead of 5
				after(t, event, 0, 7)
			case "4 state time-out 6":
				t.Reply(caller.Answer("ok"))
				after(t, state, limit, 8)
				return "state3", nil
			default:
				return wrong("state2", ev)
			}
			return "state2", nil
		},
		"state3": func(t *otpTurn, ev otpEvent) (string, error) {
			step++
			switch fmt.Sprint(step, " ", ev.is()) {
			case "5 info to self":
			case "6 call check":
				caller = ev.Reply
			case "7 state time-out 8":
				t.Reply(caller.Answer("ok"))
				return "state3", statem.Stop(nil)
			default:
				return wrong("state3", ev)
			}
			return "state3", nil
		},
	}).Start(c.ctx))
	begin := time.Now()
	c.ask(ref, 500*ms, "ok")
	c.ask(ref, "check", "ok")
	if waited := time.Since(begin); waited != 500*ms {
		c.fail("the state time-out came after %v", waited)
	}
	c.wantExit(ref.PID(), nil)
}

func cancelAndUpdate(c *suiteCase) {
	c.trapExits()
	var caller statem.Reply[any]
	ref := c.must(fromMap("start", otpTable{
		"start": func(t *otpTurn, ev otpEvent) (string, error) {
			caller = ev.Reply
			process.SendSelf(t.Context(), otpEvent{Type: "info", Content: "to self"})
			after(t, state, 17*ms, 1)
			t.Insert(internal(1))
			return "state1", nil
		},
		"state1": func(t *otpTurn, ev otpEvent) (string, error) {
			switch ev.is() {
			case "internal 1":
				t.Cancel(state)
				after(t, "a", 17*ms, 1)
			case "info to self":
				t.Update("a", otpEvent{Type: "a", Content: "a"}) // while it runs
			case "a a":
				after(t, state, 17*ms, 2)
				t.Insert(internal(2))
				return "state2", nil
			default:
				return "state1", fmt.Errorf("%s in state1", ev.is())
			}
			return "state1", nil
		},
		"state2": func(t *otpTurn, ev otpEvent) (string, error) {
			switch ev.is() {
			case "internal 2":
				time.Sleep(50 * ms)                                                // now its timer has fired,
				t.Update(state, otpEvent{Type: string(state), Content: "b"})       // and it can be updated all the same
				t.Timeout(event, 17*ms, otpEvent{Type: string(event), Content: 2}) // this it ends
			case "state time-out b":
				t.Reply(caller.Answer("ok"))
				after(t, event, 17*time.Second, "17000")
				return "state3", nil
			default:
				return "state2", fmt.Errorf("%s in state2", ev.is())
			}
			return "state2", nil
		},
		"state3": func(t *otpTurn, ev otpEvent) (string, error) {
			t.Reply(ev.Answer("ok"))
			return "state3", statem.Stop(nil)
		},
	}).Start(c.ctx))
	c.ask(ref, "test", "ok")
	c.wantTimeouts(ref, event)
	c.ask(ref, "stop", "ok")
	c.wantExit(ref.PID(), nil)
}

func genericTimers(c *suiteCase) {
	c.trapExits()
	ref := c.must(fromMap("start", otpTable{
		"start": func(t *otpTurn, ev otpEvent) (string, error) {
			after(t, "a", 1500*ms, 1)
			after(t, state, 1500*ms, 1)
			after(t, "b", 1000*ms, 1)
			t.Insert(ev)
			return "state1", nil
		},
		"state1": func(t *otpTurn, ev otpEvent) (string, error) {
			t.TimeoutAt("c", time.Now().Add(500*ms), otpEvent{Type: "c", Content: 2})
			after(t, "d", 0, 2)
			after(t, event, 0, 2)
			after(t, "b", process.Infinity, 2)
			t.Timeout("a", 1000*ms, otpEvent{Type: "a", Content: "stop", Reply: ev.Reply})
			return "state2", nil
		},
		"state2": expect("state2", "d 2", "state3"),
		"state3": expect("state3", "c 2", "state4"),
		"state4": func(t *otpTurn, ev otpEvent) (string, error) {
			if ev.is() != "a stop" {
				return "state4", fmt.Errorf("%s in state4", ev.is())
			}
			t.Reply(ev.Answer("stopped"))
			return "state4", statem.Stop(process.ErrShutdown)
		},
	}).Start(c.ctx))
	begin := time.Now()
	c.ask(ref, "stop", "stopped")
	if waited := time.Since(begin); waited != time.Second {
		c.fail("that took %v", waited)
	}
	c.wantExit(ref.PID(), process.ErrShutdown)
	c.refused(ref, "hej", process.ErrNoProc)
}

// expect is a state in which one event may come, that leads to the next state.
func expect(in, want, next string) func(*otpTurn, otpEvent) (string, error) {
	return func(_ *otpTurn, ev otpEvent) (string, error) {
		if ev.is() != want {
			return in, fmt.Errorf("%s in %s", ev.is(), in)
		}
		return next, nil
	}
}
