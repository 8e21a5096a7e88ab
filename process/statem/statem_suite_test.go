package statem_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/statem"
)

// These are the test cases of OTP's gen_statem_SUITE, under their names: what
// OTP holds of its state machines is held of ours. Cases that need another
// Erlang node, hot code change or hibernation are not here; docs/otp.md says
// which and why.
func TestGenStatemSUITE(t *testing.T) {
	for _, cases := range []map[string]func(*suiteCase){suiteStart, suiteStop, suiteAbnormal, suiteTurns, suiteTimeouts, suiteSys, suiteReports, suiteRequests} {
		for name, run := range cases {
			t.Run(name, func(t *testing.T) { play(t, run) })
		}
	}
}

// A suiteCase is one test case. As OTP's it runs in a process of its own, with
// a mailbox in which nothing may be left; it traps exits if it says so.
type suiteCase struct {
	*testing.T
	ctx     context.Context
	in      *process.Inbox[any]
	reports *processtest.Recorder
}

func play(t *testing.T, run func(*suiteCase)) {
	synctest.Test(t, func(t *testing.T) {
		c := &suiteCase{T: t, reports: &processtest.Recorder{}}
		ctx := processtest.Node(t, process.NodeSpec{Probe: c.reports})
		ref, err := process.SpawnRaw(ctx, process.Raw[any]{
			Exit: func(x process.ExitSignal) any { return x },
			Run: func(ctx context.Context, in *process.Inbox[any]) error {
				c.ctx, c.in = ctx, in
				run(c)
				if left := c.flush(); len(left) > 0 {
					t.Errorf("left in the mailbox: %v", left)
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if reason, err := process.Wait(ctx, ref); reason != nil || err != nil {
			t.Errorf("the case ended with %v, %v", reason, err)
		}
	})
}

// fail ends the case.
func (c *suiteCase) fail(format string, args ...any) {
	c.Helper()
	c.Errorf(format, args...)
	process.Exit(c.ctx, nil)
}

func (c *suiteCase) trapExits() { process.TrapExit(c.ctx, true) }

// flush takes what has come, and what comes soon.
func (c *suiteCase) flush() (all []any) {
	time.Sleep(500 * ms)
	for {
		m, ok := c.in.TakeWithin(0, func(any) bool { return true })
		if !ok {
			return all
		}
		all = append(all, m)
	}
}

// receive takes the next message, which must be that one.
func (c *suiteCase) receive(want any) {
	c.Helper()
	if m, ok := c.in.ReceiveWithin(5 * time.Second); !ok || m != want {
		c.fail("received %v, %v; want %v", m, ok, want)
	}
}

// wantExit takes the next message, which must be the exit of a linked process.
func (c *suiteCase) wantExit(pid process.PID, reason error) {
	c.Helper()
	m, _ := c.in.ReceiveWithin(5 * time.Second)
	if x, ok := m.(process.ExitSignal); !ok || x.From != pid || !isReason(x.Reason, reason) {
		c.fail("received %v, want the exit of %v with %v", m, pid, reason)
	}
}

func (c *suiteCase) wantMessages(want ...any) {
	c.Helper()
	if got := c.flush(); !slices.Equal(got, want) {
		c.fail("\ngot  %v\nwant %v", got, want)
	}
}

// isReason is errors.Is, for reasons: nil is one.
func isReason(got, want error) bool { return got == want || want != nil && errors.Is(got, want) }

// An otpEvent is an event as gen_statem has them: of a type, with a content.
// That of a cast may say who is to be sent a message.
type otpEvent struct {
	Type    string
	Content any
	To      process.PID
	statem.Reply[any]
}

type (
	otpTurn   = statem.Turn[otpEvent]
	otpTarget = statem.Target[otpEvent]
	otpRef    = statem.Ref[otpEvent]
	otpTable  = map[string]func(*otpTurn, otpEvent) (string, error)
)

func (e otpEvent) With(r statem.Reply[any]) otpEvent { e.Reply = r; return e }

func internal(content any) otpEvent { return otpEvent{Type: "internal", Content: content} }

// answer gives v to whom the event is from: the caller, or To.
func (e otpEvent) answer(t *otpTurn, v any) {
	if e.Type == "call" {
		t.Reply(e.Answer(v))
	} else if !e.To.IsZero() {
		say(t, e.To, v)
	}
}

func say(t *otpTurn, to process.PID, v any) {
	if err := process.Send(t.Context(), to, v); err != nil {
		panic(err)
	}
}

func (c *suiteCase) cast(to otpTarget, content any) {
	c.Helper()
	err := statem.Cast(c.ctx, to, otpEvent{Type: "cast", Content: content, To: process.Self(c.ctx)})
	if err != nil {
		c.fail("cast of %v: %v", content, err)
	}
}

// call has no limit, as gen_statem's has none.
func (c *suiteCase) call(to otpTarget, content any) (any, error) {
	return c.callWithin(process.Infinity, to, content)
}

func (c *suiteCase) callWithin(d time.Duration, to otpTarget, content any) (any, error) {
	return statem.Call(process.WithCallTimeout(c.ctx, d), to, otpEvent{Type: "call", Content: content})
}

// ask is a call that must be answered so.
func (c *suiteCase) ask(to otpTarget, content, want any) {
	c.Helper()
	if got, err := c.call(to, content); got != want || err != nil {
		c.fail("%v was answered with %v, %v; want %v", content, got, err, want)
	}
}

// refused is a call to somebody who ends, or has ended, without an answer.
func (c *suiteCase) refused(to otpTarget, content any, reason error) {
	c.Helper()
	var exit *process.ExitError
	got, err := c.call(to, content)
	if !errors.As(err, &exit) || !isReason(exit.Reason, reason) {
		c.fail("%v was answered with %v, %v; want an end with %v", content, got, err, reason)
	}
}

func (c *suiteCase) stopIt(to otpTarget) {
	c.Helper()
	c.ask(to, stop{}, "stopped")
	c.checkStopped(to)
}

func (c *suiteCase) checkStopped(to otpTarget) {
	c.Helper()
	var exit *process.ExitError
	if got, err := c.call(to, "there you are"); !errors.As(err, &exit) {
		c.fail("somebody who has stopped answered %v, %v", got, err)
	}
}

func (c *suiteCase) must(ref otpRef, err error) otpRef {
	c.Helper()
	if err != nil {
		c.fail("start: %v", err)
	}
	return ref
}

func (c *suiteCase) wantStarted(by process.PID, err error) {
	c.Helper()
	var taken *process.AlreadyStartedError
	if !errors.As(err, &taken) || taken.PID != by {
		c.fail("a second start: %v, want that %v has the name", err, by)
	}
}

// wantState asks a phone where it is.
func (c *suiteCase) wantState(to otpTarget, state string) {
	c.Helper()
	c.ask(to, get{}, stateIs{state, "data"})
}

// fromMap makes a machine of functions by state. All states lead to each other.
func fromMap(first string, table otpTable) *statem.Machine[string, otpEvent, struct{}] {
	return statem.Must(statem.New(mapSpec(first, table)))
}

func mapSpec(first string, table otpTable) statem.Spec[string, otpEvent, struct{}] {
	sp := statem.Spec[string, otpEvent, struct{}]{
		First:  []string{first},
		Init:   func(*otpTurn) (string, *struct{}, error) { return first, &struct{}{}, nil },
		States: map[string]statem.State[string, otpEvent, struct{}]{},
	}
	for state, on := range table {
		row := statem.State[string, otpEvent, struct{}]{
			On: func(_ *struct{}, t *otpTurn, ev otpEvent) (string, error) { return on(t, ev) },
		}
		for other := range table {
			if other != state {
				row.To = append(row.To, other)
			}
		}
		sp.States[state] = row
	}
	return sp
}
