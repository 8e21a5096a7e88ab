package process

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"time"
)

// A Ref is the address of a raw process that takes messages of type M.
type Ref[M any] struct{ pid PID }

// PID returns the process behind r.
func (r Ref[M]) PID() PID { return r.pid }

// Resolve makes r a [Target].
func (r Ref[M]) Resolve(ctx context.Context) (PID, error) { return r.pid.Resolve(ctx) }

// Ref returns r itself.
func (r Ref[M]) Ref(context.Context) (Ref[M], error) { return r, nil }

func (r Ref[M]) String() string { return r.pid.String() }

// Send sends m. It never blocks; to a dead process it does nothing.
func (r Ref[M]) Send(ctx context.Context, m M) error { return Send(ctx, r.pid, m) }

// Send sends a message that the compiler does not check. It is for those who
// write behaviours; others have typed references.
func Send(ctx context.Context, to PID, msg any) error {
	self, err := actor(ctx)
	if err != nil {
		return err
	}
	if to.p == nil {
		return nil // as to any other that is not there
	}
	if self.node.wants(Sent) {
		self.emit(Event{Kind: Sent, Peer: to, Msg: msg})
	}
	return to.p.push(envelope{msg: msg, from: self, kind: envMessage})
}

// SendSelf sends a message to the calling process, behind what waits there.
func SendSelf(ctx context.Context, msg any) error { return Send(ctx, Self(ctx), msg) }

// A Raw says how to spawn a process that is one function with a loop of its
// own, for those who want that. It holds a goroutine for its life.
type Raw[M any] struct {
	Name     string
	TrapExit bool
	Exit     func(ExitSignal) M // makes a message of a trapped exit signal
	Limit    int                // of messages in the mailbox; 0: none
	Grace    time.Duration
	Linked   bool // to the one that spawns it
	Run      func(ctx context.Context, in *Inbox[M]) error
}

// Spawn starts fn as a process that is linked to nobody, and does not wait for
// anything. The error that fn returns is the exit reason.
func Spawn[M any](ctx context.Context, fn func(context.Context, *Inbox[M]) error) (Ref[M], error) {
	return SpawnRaw(ctx, Raw[M]{Run: fn})
}

// SpawnLink is Spawn and Link in one step.
func SpawnLink[M any](ctx context.Context, fn func(context.Context, *Inbox[M]) error) (Ref[M], error) {
	return SpawnRaw(ctx, Raw[M]{Run: fn, Linked: true})
}

// SpawnRaw starts what raw describes.
func SpawnRaw[M any](ctx context.Context, raw Raw[M]) (Ref[M], error) {
	return spawnRaw(ctx, raw, nil)
}

// SpawnMonitor is SpawnRaw and Monitor in one step.
func SpawnMonitor[M any](ctx context.Context, raw Raw[M], tag any) (Ref[M], MonitorRef, error) {
	self, err := actor(ctx)
	if err != nil {
		return Ref[M]{}, MonitorRef{}, err
	}
	m := self.newMonitor(tag)
	ref, err := spawnRaw(ctx, raw, m)
	if err != nil {
		m.drop()
		return ref, MonitorRef{}, err
	}
	return ref, MonitorRef{m}, nil
}

func spawnRaw[M any](ctx context.Context, raw Raw[M], m *monitor) (Ref[M], error) {
	if raw.Run == nil {
		return Ref[M]{}, fmt.Errorf("process: Raw of %q has no Run: there is nothing to run", raw.Name)
	}
	if raw.TrapExit && raw.Exit == nil {
		return Ref[M]{}, fmt.Errorf("process: Raw of %q has TrapExit but no Exit: say what message an exit signal becomes", raw.Name)
	}
	self, err := actor(ctx)
	if err != nil {
		return Ref[M]{}, err
	}
	spec := Spec{Name: raw.Name, TrapExit: raw.TrapExit, Limit: raw.Limit, Grace: raw.Grace,
		Unlinked: !raw.Linked, Caller: callerPC(2), Behaviour: &rawBehaviour[M]{Raw: raw}}
	if err := spec.validate(); err != nil {
		return Ref[M]{}, err
	}
	p, err := self.spawn(ctx, &spec, nil, m)
	if err != nil {
		return Ref[M]{}, err
	}
	return Ref[M]{PID{p}}, nil
}

// noCallbacks is what a process that holds its goroutine makes of the callbacks
// of a behaviour: nothing.
type noCallbacks struct{}

func (noCallbacks) Init(context.Context) error { return nil }

func (noCallbacks) Handle(context.Context, any) error { return nil }

func (noCallbacks) Terminate(context.Context, error) error { return nil }

type rawBehaviour[M any] struct {
	noCallbacks
	Raw[M]
}

func (b *rawBehaviour[M]) runs() string { return functionName(b.Run) }

func (*rawBehaviour[M]) TypedRef(pid PID) any { return Ref[M]{pid} }

// Takes implements [Taker].
func (*rawBehaviour[M]) Takes(message reflect.Type) bool {
	return message.AssignableTo(reflect.TypeFor[M]())
}

func (b *rawBehaviour[M]) run(p *proc) error {
	p.mu.Lock()
	p.ext().wake = make(chan struct{}, 1)
	p.mu.Unlock()
	return b.Run(p, &Inbox[M]{p: p, exit: b.Exit})
}

// Go runs fn as a process linked to the calling one, for helpers that block. It
// watches its ctx: that is cancelled when the one that started it ends or tells
// it to stop, and returning then is obeying, whatever error of ctx it returns.
// A panic ends the process, not the program, as it would in a bare go statement.
func Go(ctx context.Context, fn func(context.Context) error) (PID, error) {
	return GoSpec(ctx, Spec{Caller: callerPC(1)}, fn)
}

// GoSpec is Go for those who also give a Name, a Kind or a Grace.
func GoSpec(ctx context.Context, spec Spec, fn func(context.Context) error) (PID, error) {
	if fn == nil {
		return PID{}, errors.New("process: Go without a function: there is nothing to run")
	}
	if spec.Caller == 0 {
		spec.Caller = callerPC(1)
	}
	spec.Behaviour = function{fn: fn}
	self, err := actor(ctx)
	if err != nil {
		return PID{}, err
	}
	p, err := self.spawn(ctx, &spec, nil, nil)
	if err != nil {
		return PID{}, err
	}
	return PID{p}, nil
}

type function struct {
	noCallbacks
	fn func(context.Context) error
}

func (f function) run(p *proc) error { return f.fn(p) }

// An Inbox is the mailbox of a raw process. It is used by that process's own
// goroutine only. When the process is ended from outside, waiting in it does
// not return: deferred functions run, and that is all.
type Inbox[M any] struct {
	p     *proc
	exit  func(ExitSignal) M
	saved []envelope // taken from the mailbox, passed over by Take
}

// Receive waits for the oldest message and takes it.
func (in *Inbox[M]) Receive() M {
	m, _ := in.take(func(M) bool { return true }, nil)
	return m
}

// ReceiveWithin is Receive with a limit; ok is false when it is over.
func (in *Inbox[M]) ReceiveWithin(d time.Duration) (m M, ok bool) {
	return in.TakeWithin(d, func(M) bool { return true })
}

// Take takes the oldest message that matches, waiting for it; others stay, in
// their order.
func (in *Inbox[M]) Take(match func(M) bool) M {
	m, _ := in.take(match, nil)
	return m
}

// TakeWithin is Take with a limit; 0 looks at what is there and does not wait.
func (in *Inbox[M]) TakeWithin(d time.Duration, match func(M) bool) (m M, ok bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	if d <= 0 {
		closed := make(chan time.Time)
		close(closed)
		return in.take(match, closed)
	}
	return in.take(match, timer.C)
}

// Len is how many messages and signals wait to be taken.
func (in *Inbox[M]) Len() int {
	in.p.mu.Lock()
	defer in.p.mu.Unlock()
	return int(in.p.pushed-in.p.taken.Load()) + len(in.saved)
}

// Monitor is process.Monitor; down makes a message of the Down.
func (in *Inbox[M]) Monitor(to Target, down func(Down) M) (MonitorRef, error) {
	return Monitor(in.p, to, down)
}

func (in *Inbox[M]) take(match func(M) bool, limit <-chan time.Time) (m M, ok bool) {
	for i := 0; ; i++ {
		for i >= len(in.saved) {
			if !in.fill(limit) {
				return m, false
			}
		}
		if m = in.message(in.saved[i]); match(m) {
			in.saved = append(in.saved[:i], in.saved[i+1:]...)
			return m, true
		}
	}
}

// fill moves the next entry of the mailbox that is a message to saved, waiting
// until limit; it reports whether there was one.
func (in *Inbox[M]) fill(limit <-chan time.Time) bool {
	p := in.p
	for {
		e, got := p.next(parked)
		switch got {
		case doom:
			runtime.Goexit()
		case stopped:
			p.exiting = true
			runtime.Goexit()
		case nothing:
			if !p.park(limit) {
				return false
			}
			continue
		}
		if p.keep(&e) {
			in.saved = append(in.saved, e)
			return true
		}
	}
}

// keep reports whether an envelope is still to be delivered to a raw process.
func (p *proc) keep(e *envelope) bool {
	switch e.kind {
	case envDown:
		return e.msg.(*Down).Ref.m.deliver(p)
	case envTimer:
		t := e.msg.(*Timer)
		e.msg = t.msg
		return t.deliver()
	case envStop:
		p.exiting, p.outcome = true, e.msg.(*stopRequest).reason
		runtime.Goexit()
	}
	return true
}

// park waits until the process is roused; false: limit came first.
func (p *proc) park(limit <-chan time.Time) bool {
	select {
	case <-p.x.wake:
		return true
	case <-limit:
	}
	p.mu.Lock()
	roused := p.state != parked
	p.state = running
	p.mu.Unlock()
	if roused {
		<-p.x.wake
	}
	return roused
}

// message gives an envelope as the process's own type.
func (in *Inbox[M]) message(e envelope) M {
	switch msg := e.msg.(type) {
	case *ExitSignal:
		return in.exit(*msg)
	case *Down:
		if f, ok := msg.Tag.(func(Down) M); ok {
			return f(*msg)
		}
		panic(fmt.Errorf("process: %v monitors %v without saying what message its Down becomes: use Inbox.Monitor", PID{in.p}, msg.PID))
	case interface{ message() any }:
		return msg.message().(M)
	case M:
		return msg
	}
	panic(fmt.Errorf("process: %v was sent a %T, it takes %T", PID{in.p}, e.msg, *new(M)))
}

// A Reply is the way back from a raw process to one that waits in [Ask].
type Reply[R any] struct{ a *asked[R] }

// Send answers, once; it reports whether somebody still waited.
func (r Reply[R]) Send(v R) bool { return r.a.Reply(func() { r.a.answer = v }, nil) }

// Fail answers with an error.
func (r Reply[R]) Fail(err error) bool { return r.a.Reply(nil, err) }

type asked[R any] struct {
	Call
	msg    any
	answer R
}

func (a *asked[R]) message() any { return a.msg }

// Ask sends a raw process the message that ask makes around a Reply, and waits
// for the answer under the rules of [Do].
func Ask[M, R any](ctx context.Context, to Ref[M], ask func(Reply[R]) M) (R, error) {
	a := &asked[R]{}
	a.msg = ask(Reply[R]{a})
	err := Do(ctx, to.pid, a)
	return a.answer, err
}
