package statem_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// Requests are calls under way (OTP: a request id collection). In Go a call
// under way is a process that calls, the collection is a channel, and to give
// one up is to cancel its ctx.
type requests struct {
	came    chan response
	pending []string
	giveUp  []context.CancelFunc
}

type response struct {
	label  string
	answer any
	err    error
}

func (r *requests) add(c *suiteCase, label string, to otpTarget, content any) {
	c.Helper()
	if r.came == nil {
		r.came = make(chan response, 10)
	}
	r.start(c, label, to, content, func(_ context.Context, came response) { r.came <- came })
}

// start makes the call in a process of its own, which hands over what came.
func (r *requests) start(c *suiteCase, label string, to otpTarget, content any, give func(context.Context, response)) {
	c.Helper()
	until, cancel := context.WithCancel(context.Background())
	r.pending, r.giveUp = append(r.pending, label), append(r.giveUp, cancel)
	_, err := process.Spawn(c.ctx, func(ctx context.Context, _ *process.Inbox[any]) error {
		asking, err := process.Acting(process.WithCallTimeout(until, process.Infinity), ctx)
		if err != nil {
			return err
		}
		answer, err := statem.Call(asking, to, otpEvent{Type: "call", Content: content})
		if until.Err() == nil {
			give(ctx, response{label, answer, err})
		}
		return nil
	})
	if err != nil {
		c.fail("request: %v", err)
	}
}

// within waits for the next response; false is OTP's timeout, or no_request.
func (r *requests) within(d time.Duration) (response, bool) {
	if len(r.pending) == 0 {
		return response{}, false
	}
	select {
	case came := <-r.came:
		r.forget(came.label)
		return came, true
	case <-time.After(d):
		return response{}, false
	}
}

func (r *requests) forget(label string) {
	r.pending = slices.DeleteFunc(r.pending, func(l string) bool { return l == label })
}

func (r *requests) abandon() {
	for _, cancel := range r.giveUp {
		cancel()
	}
}

// want checks the next response and what is pending after it.
func (r *requests) want(c *suiteCase, want response, pending int) {
	c.Helper()
	got, ok := r.within(time.Hour)
	if !ok || got.label != want.label || got.answer != want.answer || !isReason(got.err, want.err) {
		c.fail("got %v, %v; want %v", got, ok, want)
	}
	if len(r.pending) != pending {
		c.fail("%d are pending after %v, want %d", len(r.pending), want, pending)
	}
}

func (r *requests) wantNone(c *suiteCase, d time.Duration) {
	c.Helper()
	if got, ok := r.within(d); ok {
		c.fail("got %v, want none within %v", got, d)
	}
}

// startThree starts three phones and a request to the first, which is none of
// the collection.
func (c *suiteCase) startThree() (a, b, d otpRef, own *requests) {
	c.Helper()
	m := phoneWith()
	a, b, d = c.must(m.StartUnlinked(c.ctx)), c.must(m.StartUnlinked(c.ctx)), c.must(m.StartUnlinked(c.ctx))
	own = new(requests)
	own.add(c, "own", a, alive{})
	return a, b, d, own
}

func (c *suiteCase) endThree(a, b, d otpRef, own *requests) {
	c.Helper()
	own.want(c, response{"own", "yes", nil}, 0)
	for _, ref := range []otpRef{a, b, d} {
		if ref.PID().Alive() {
			c.ask(ref, stop{process.ErrShutdown}, "stopped")
		}
		c.checkStopped(ref)
	}
}

// The requests of one case, of which the second is answered first.
func (r *requests) addThree(c *suiteCase, a, b, d otpRef, first, third time.Duration) {
	c.Helper()
	r.add(c, "req1", a, delayed{first})
	r.add(c, "req2", b, delayed{ms})
	r.add(c, "req3", d, delayed{third})
}

var suiteRequests = map[string]func(*suiteCase){
	"send_request_receive_reqid_collection": func(c *suiteCase) {
		c.inOrderOfAnswers()
		c.oneIsDead()

		a, b, d, own := c.startThree()
		var r requests
		r.addThree(c, a, b, d, time.Second, 500*ms)
		r.want(c, response{"req2", "delayed", nil}, 2)
		r.wantNone(c, 100*ms)
		if !slices.Equal(r.pending, []string{"req1", "req3"}) {
			c.fail("%v are pending", r.pending)
		}
		r.abandon()
		r.wantNone(c, 2*time.Second) // they were given up
		c.endThree(a, b, d, own)
	},
	"send_request_wait_reqid_collection": func(c *suiteCase) {
		c.inOrderOfAnswers()
		c.oneIsDead()

		a, b, d, own := c.startThree()
		var r requests
		r.addThree(c, a, b, d, time.Second, 500*ms)
		r.want(c, response{"req2", "delayed", nil}, 2)
		r.wantNone(c, 100*ms)
		r.want(c, response{"req3", "delayed", nil}, 1) // they were not given up
		r.want(c, response{"req1", "delayed", nil}, 0)
		c.endThree(a, b, d, own)
	},
	// The responses come by the mailbox, among other messages.
	"send_request_check_reqid_collection": func(c *suiteCase) {
		for _, dead := range []bool{false, true} {
			a, b, d, own := c.startThree()
			second := response{"req2", "delayed", nil}
			if dead {
				process.Kill(c.ctx, b)
				second = response{"req2", nil, process.ErrNoProc}
			}
			process.SendSelf(c.ctx, "other")
			self := process.Self(c.ctx)
			var r requests
			for _, q := range []struct {
				label string
				to    otpRef
				by    time.Duration
			}{{"req1", a, 400 * ms}, {"req2", b, ms}, {"req3", d, 200 * ms}} {
				r.start(c, q.label, q.to, delayed{q.by}, func(ctx context.Context, came response) { process.Send(ctx, self, came) })
			}
			c.receive("other")
			for _, want := range []response{second, {"req3", "delayed", nil}, {"req1", "delayed", nil}} {
				m, _ := c.in.ReceiveWithin(time.Second)
				got, _ := m.(response)
				if got.label != want.label || got.answer != want.answer || !isReason(got.err, want.err) {
					c.fail("received %v, want %v", m, want)
				}
			}
			c.endThree(a, b, d, own)
		}
	},
}

func (c *suiteCase) inOrderOfAnswers() {
	c.Helper()
	a, b, d, own := c.startThree()
	var r requests
	r.addThree(c, a, b, d, 400*ms, 200*ms)
	r.want(c, response{"req2", "delayed", nil}, 2)
	r.want(c, response{"req3", "delayed", nil}, 1)
	r.want(c, response{"req1", "delayed", nil}, 0)
	r.wantNone(c, 5*time.Second)
	c.endThree(a, b, d, own)
}

func (c *suiteCase) oneIsDead() {
	c.Helper()
	a, b, d, own := c.startThree()
	process.Kill(c.ctx, b)
	if _, err := process.Wait(c.ctx, b); err != nil && !errors.Is(err, process.ErrKilled) {
		c.fail("kill: %v", err)
	}
	var r requests
	r.addThree(c, a, b, d, 400*ms, 200*ms)
	r.want(c, response{"req2", nil, process.ErrNoProc}, 2)
	r.want(c, response{"req3", "delayed", nil}, 1)
	r.want(c, response{"req1", "delayed", nil}, 0)
	c.endThree(a, b, d, own)
}
