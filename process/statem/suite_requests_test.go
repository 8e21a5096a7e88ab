package statem_test

import (
	"context"
	"errors"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// Requests are answers still to come, with labels (OTP: a request id
// collection).
type requests struct {
	gather process.Gather
	sent   []labelled
}

type labelled struct {
	label string
	statem.Pending[any]
}

type response struct {
	label  string
	answer any
	err    error
}

func (r *requests) add(c *suiteCase, label string, to otpTarget, content any) {
	p := statem.SendRequest(c.ctx, to, otpEvent{Type: "call", Content: content})
	r.sent = append(r.sent, labelled{label, p})
	for range 2 { // the second time changes nothing; to OTP it is a badarg
		r.gather.Add(p.Under())
	}
}

// within waits for the next response; false is OTP's timeout, or no_request.
func (r *requests) within(c *suiteCase, d time.Duration) (response, bool) {
	c.Helper()
	p, err := r.gather.Next(process.WithCallTimeout(c.ctx, d))
	if err != nil && !errors.Is(err, process.ErrTimeout) {
		c.fail("next: %v", err)
	}
	for _, sent := range r.sent {
		if sent.Under() == p {
			return sent.response(c.ctx), true
		}
	}
	return response{}, false
}

// response is what came of a request that has ended.
func (l labelled) response(ctx context.Context) response {
	answer, err := l.Wait(ctx)
	return response{l.label, answer, err}
}

// want checks the next response and what is pending after it.
func (r *requests) want(c *suiteCase, want response, pending int) {
	c.Helper()
	got, ok := r.within(c, time.Hour)
	if !ok || got.label != want.label || got.answer != want.answer || !isReason(got.err, want.err) {
		c.fail("got %v, %v; want %v", got, ok, want)
	}
	if r.gather.Len() != pending {
		c.fail("%d are pending after %v, want %d", r.gather.Len(), want, pending)
	}
}

func (r *requests) wantNone(c *suiteCase, d time.Duration) {
	c.Helper()
	if got, ok := r.within(c, d); ok {
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
		if r.gather.Len() != 2 {
			c.fail("%d are pending", r.gather.Len())
		}
		r.gather.Abandon()
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
			var r requests
			r.addThree(c, a, b, d, 400*ms, 200*ms)
			for _, sent := range r.sent {
				sent.Under().Then(func() { process.SendSelf(c.ctx, sent) })
			}
			c.receive("other")
			for _, want := range []response{second, {"req3", "delayed", nil}, {"req1", "delayed", nil}} {
				m, ok := c.in.ReceiveWithin(time.Second)
				if !ok {
					c.fail("%v is missing", want)
				}
				sent, _ := m.(labelled)
				if got := sent.response(c.ctx); got.label != want.label || got.answer != want.answer || !isReason(got.err, want.err) {
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
