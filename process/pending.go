package process

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// A Pending is a request that was sent and that nobody waits for yet (OTP:
// send_request). It is answered once, or ends with the process that was asked;
// it has no time-out of its own: those who wait have one.
type Pending struct {
	from *proc
	call *Call
	slot waiter // where the answer goes; never one of the node's pool

	mu       sync.Mutex
	done     bool
	err      error // why it could not even be sent
	sleepers sleepers
	then     []func()
}

// ErrAbandoned is what those get who wait for a request that was abandoned.
var ErrAbandoned = errors.New("process: the request was abandoned")

// Begin sends req to a process and does not wait. What goes wrong is told to
// those who wait for the answer, so that it is told in one place.
//
// Unlike with [Do] a process may ask itself, or its starter, if it does not
// wait before it returns from the handler.
func Begin(ctx context.Context, to PID, req Requester) *Pending {
	p := &Pending{call: req.header()}
	if err := p.send(ctx, to, req); err != nil {
		p.err, p.done = err, true
	}
	return p
}

func (p *Pending) send(ctx context.Context, to PID, req Requester) (err error) {
	if p.from, err = actor(ctx); err != nil {
		return err
	}
	if to.p == nil {
		return &ExitError{Reason: ErrNoProc}
	}
	if g := to.p.origin.group; g != nil && g != p.from.origin.group && !p.from.isRoot() {
		p.from.cross(to.p)
	}
	p.slot.pending = p
	*p.call = Call{to: to.p, from: p.from, w: &p.slot, use: p.slot.begin(), req: req}
	if p.from.node.wants(Called) {
		p.from.note(Called, to.p, req, nil)
	}
	return to.p.explain(p.from, to.p.ask(p.call, req, envCall))
}

// Wait waits for the answer, as long as [Do] would, and returns its error. If
// it gives up, the request stays under way, and may be waited for again.
func (p *Pending) Wait(ctx context.Context) error {
	if done, err := p.Poll(); done {
		return err
	}
	self, err := actor(ctx)
	if err != nil {
		return err
	}
	if self == p.call.to {
		return fmt.Errorf("%v waits for an answer of its own: %w", PID{self}, ErrCallingSelf)
	}
	if err := self.sleep(ctx, p.listen, p.leave); err != nil {
		if errors.Is(err, ErrTimeout) {
			err = fmt.Errorf("request %T to %v was %w", p.call.req, PID{p.call.to}, err)
		}
		return err
	}
	_, err = p.Poll()
	return err
}

// Poll reports whether the request has ended, and with which error.
func (p *Pending) Poll() (done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.done:
		return false, nil
	case p.err != nil:
		return true, p.err
	case p.slot.outcome() == died:
		return true, p.call.to.explain(p.from, p.call.to.obituary())
	}
	return true, p.call.err
}

// Abandon gives the request up: a late answer reaches nobody. The process that
// was asked handles it all the same. Abandon reports false if it had ended.
func (p *Pending) Abandon() bool {
	p.mu.Lock()
	sent := p.err == nil
	p.mu.Unlock()
	if !sent || !p.slot.claim(p.call.use, cancelled) {
		return false
	}
	p.mu.Lock()
	p.err = ErrAbandoned
	p.mu.Unlock()
	p.settle()
	return true
}

// Then has f called once when the request has ended, at once if it has. Whoever
// ends it calls f, so f must be quick and wait for nothing.
func (p *Pending) Then(f func()) {
	p.mu.Lock()
	done := p.done
	if !done {
		p.then = append(p.then, f)
	}
	p.mu.Unlock()
	if done {
		f()
	}
}

// settle tells everybody that the outcome is decided. It is called once, by the
// one who decided it, without any process's lock.
func (p *Pending) settle() {
	p.call.to.dropCaller(&p.slot)
	p.mu.Lock()
	p.done = true
	sleepers, then := p.sleepers, p.then
	p.sleepers, p.then = nil, nil
	p.mu.Unlock()
	sleepers.wake()
	for _, f := range then {
		f()
	}
}

// listen has settle wake a sleeper; false: there is nothing to wait for.
func (p *Pending) listen(s sleeper) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.done {
		p.sleepers.add(s)
	}
	return !p.done
}

func (p *Pending) leave(s sleeper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sleepers.remove(s)
}

// A sleeper is one use of a waiter in which somebody waits.
type sleeper struct {
	w   *waiter
	use uint64
}

type sleepers []sleeper

func (l *sleepers) add(s sleeper) { *l = append(*l, s) }

func (l *sleepers) remove(s sleeper) {
	*l = slices.DeleteFunc(*l, func(t sleeper) bool { return t == s })
}

// wake lets all of them look again.
func (l sleepers) wake() {
	for _, s := range l {
		s.w.resolveUse(s.use, replied)
	}
}

// sleep waits until the one that listen tells of it wakes it, under the time
// limits of Do.
func (p *proc) sleep(ctx context.Context, listen func(sleeper) bool, leave func(sleeper)) error {
	pool := p.node.waiters.of(p)
	w := pool.get()
	defer pool.put(w)
	s := sleeper{w, w.begin()}
	if err := p.wait(ctx, w); err != nil {
		return err
	}
	defer p.dropWait(w)
	if !listen(s) {
		return nil
	}
	defer leave(s)
	limit := callTimeout(ctx, p.node)
	if limit > 0 {
		p.node.deadlines.arm(w, limit)
	}
	switch await(ctx, w) {
	case replied:
		return nil
	case timedOut:
		return fmt.Errorf("not answered within %v: %w", limit, ErrTimeout)
	}
	return cause(ctx, p)
}
