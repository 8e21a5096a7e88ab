package process

import (
	"context"
	"errors"
	"fmt"
	"reflect"
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
		self.note(Sent, to.p, msg, nil)
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
		Unlinked: !raw.Linked, Caller: CallerPC(2), Behaviour: &rawBehaviour[M]{Raw: raw}}
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
	return GoSpec(ctx, Spec{Caller: CallerPC(1)}, fn)
}

// GoSpec is Go for those who also give a Name, a Kind or a Grace.
func GoSpec(ctx context.Context, spec Spec, fn func(context.Context) error) (PID, error) {
	if fn == nil {
		return PID{}, errors.New("process: Go without a function: there is nothing to run")
	}
	if spec.Caller == 0 {
		spec.Caller = CallerPC(1)
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
