package server

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
)

// Kind is the process.Spec.Kind of servers.
const Kind = "server"

// A Spec describes a server with state S. The zero value is a server that
// starts from the zero S.
type Spec[S any] struct {
	Name string // registered before Init runs; "": none
	// Init makes the state; nil: the zero S. An error is a failed start.
	Init func(ctx context.Context) (*S, error)
	// Continue runs right after the start has returned, before any message. An
	// error ends the server.
	Continue func(ctx context.Context, s *S) error
	// TrapExit lets Terminate run when the parent tells the server to stop, and
	// gives exit signals of others to Exit.
	TrapExit bool
	// Exit gets the exit signals of linked processes other than the parent. An
	// error ends the server. nil: a reason that is not clean ends it, as if it
	// did not trap.
	Exit func(ctx context.Context, s *S, x process.ExitSignal) error
	// Terminate cleans up. Its ctx is cancelled by a kill only. An error
	// replaces the reason.
	Terminate func(ctx context.Context, s *S, reason error) error
	// Idle is called whenever IdleTimeout has passed without a message.
	IdleTimeout time.Duration
	Idle        func(ctx context.Context, s *S) error
	Limit       int                 // of messages in the mailbox; 0: none
	Inspect     func(s *S) any      // what crash reports show of the state; nil: nothing
	Grace       time.Duration       // see process.Spec; 0: the supervisor's or node's
	Timeout     time.Duration       // of Init; 0: none
	caller      uintptr             // who wrote StartFunc
	options     func(*process.Spec) // of StartUnlinked
}

func (s *Spec[S]) validate() error {
	var faults []error
	add := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("server: Spec[%s] %q: "+format, append([]any{typeName[S](), s.Name}, args...)...))
	}
	if s.Terminate != nil && !s.TrapExit {
		add("has Terminate but not TrapExit: a shutdown would end it without calling Terminate; set TrapExit")
	}
	if s.Exit != nil && !s.TrapExit {
		add("has Exit but not TrapExit: exit signals would end it instead; set TrapExit")
	}
	if (s.Idle != nil) != (s.IdleTimeout > 0) {
		add("IdleTimeout %v and Idle go together: set both or none", s.IdleTimeout)
	}
	if s.Limit < 0 {
		add("Limit is %d: use 0 for a mailbox without limit", s.Limit)
	}
	return errors.Join(faults...)
}

// core is the behaviour of every server.
type core[S any] struct {
	spec  *Spec[S]
	state *S
	own   context.Context // the process's, which a request's handler does not get
	rare  atomic.Pointer[rare]
}

// rare is what few servers need, made when first needed.
type rare struct {
	idle  atomic.Pointer[process.Timer]
	todo  continuations
	last  func()        // the answer that is due after Terminate
	probe process.Probe // of package system; nil: nobody listens
}

// more returns what few servers need.
func (c *core[S]) more() *rare {
	if r := c.rare.Load(); r != nil {
		return r
	}
	c.rare.CompareAndSwap(nil, new(rare))
	return c.rare.Load()
}

type (
	begin   struct{} // runs Spec.Continue
	idleFor struct{} // IdleTimeout has passed
)

func (c *core[S]) Init(ctx context.Context) (err error) {
	c.own = ctx
	if c.spec.Init == nil {
		c.state = new(S)
	} else if c.state, err = c.spec.Init(ctx); err != nil {
		return err
	} else if c.state == nil {
		return fmt.Errorf("server: Init of Spec[%s] %q returned neither a state nor an error", typeName[S](), c.spec.Name)
	}
	if c.spec.Continue != nil {
		c.more().todo.add(begin{})
	}
	if c.spec.IdleTimeout > 0 {
		c.wait(c.more(), nil)
	}
	// What is continued in Init is due before any message: begun wakes the
	// server for it, unless a message does so first.
	if r := c.rare.Load(); r != nil && r.todo.any() {
		return process.SendSelf(ctx, begun{})
	}
	return nil
}

// begun wakes a new server that has something to continue.
type begun struct{}

// Handle handles one message, and what its handler wants to continue with. Most
// servers have nothing but the message.
func (c *core[S]) Handle(ctx context.Context, msg any) (err error) {
	var before *process.Timer
	if r := c.rare.Load(); r != nil {
		if before, err = c.prepare(ctx, r, msg); err != nil {
			return err
		}
	}
	if err = c.handle(ctx, msg); err != nil {
		return err
	}
	if r := c.rare.Load(); r != nil {
		return c.conclude(r, before)
	}
	return nil
}

// prepare is what comes before a message. It returns the clock that it stopped.
func (c *core[S]) prepare(ctx context.Context, r *rare, msg any) (before *process.Timer, err error) {
	before = r.idle.Load()
	before.Stop()
	if err := c.drain(r); err != nil { // what Init left, if a message overtook begun
		return before, err
	}
	if r.probe != nil {
		r.listen(ctx, msg)
	}
	return before, nil
}

// conclude is what comes after it.
func (c *core[S]) conclude(r *rare, before *process.Timer) error {
	if err := c.drain(r); err != nil {
		return err
	}
	c.wait(r, before)
	return nil
}

func (c *core[S]) handle(ctx context.Context, msg any) error {
	switch m := msg.(type) {
	case request[S]:
		return m.serve(c)
	case Notice[S]:
		return stopping(m.Handle(ctx, c.state))
	}
	return c.signalled(ctx, msg)
}

// signalled handles what is not a message of the server's own.
func (c *core[S]) signalled(ctx context.Context, msg any) error {
	switch m := msg.(type) {
	case *process.ExitSignal:
		return c.exit(ctx, *m)
	case *process.Down:
		if f, ok := m.Tag.(func(process.Down) Notice[S]); ok {
			return stopping(f(*m).Handle(ctx, c.state))
		}
	case idleFor:
		return stopping(c.spec.Idle(ctx, c.state))
	case begin:
		return stopping(c.spec.Continue(ctx, c.state))
	case begun:
		return nil
	}
	process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelWarn, Msg: msg,
		Text: fmt.Sprintf("server of %s ignored a message that is not one of its own, a %T", typeName[S](), msg)})
	return nil
}

// exit handles a trapped exit signal of somebody else than the parent.
func (c *core[S]) exit(ctx context.Context, x process.ExitSignal) error {
	if c.spec.Exit != nil {
		return stopping(c.spec.Exit(ctx, c.state, x))
	}
	if process.Clean(x.Reason) {
		return nil
	}
	return &process.ExitError{PID: x.From, Name: x.From.Path(), Reason: x.Reason}
}

// drain runs what handlers continue with, before the next message.
func (c *core[S]) drain(r *rare) error {
	for {
		msg, ok := r.todo.next()
		if !ok {
			return nil
		}
		if r.probe != nil {
			r.listen(c.own, continued{msg})
		}
		if err := c.handle(c.own, msg); err != nil {
			return err
		}
	}
}

// wait sets the clock for the Spec's Idle, unless the handler has set another.
func (c *core[S]) wait(r *rare, before *process.Timer) {
	if c.spec.IdleTimeout > 0 && r.idle.Load() == before {
		r.idle.Store(process.After(c.own, c.spec.IdleTimeout, idleFor{}))
	}
}

// Terminate runs the Spec's, and after it gives the answer that a request left
// when it stopped the server: in that order, as OTP does, and even if Terminate
// fails.
func (c *core[S]) Terminate(ctx context.Context, reason error) error {
	if r := c.rare.Load(); r != nil {
		r.idle.Load().Stop()
		if r.last != nil {
			defer r.last()
		}
		if r.probe != nil {
			r.probe.Event(process.Event{Kind: process.Exited, PID: process.Self(ctx), Reason: reason})
		}
	}
	if c.spec.Terminate == nil {
		return nil
	}
	return stopping(c.spec.Terminate(ctx, c.state, reason))
}

// InspectState shows the state in crash reports.
func (c *core[S]) InspectState() any {
	if c.spec.Inspect == nil || c.state == nil {
		return nil
	}
	return c.spec.Inspect(c.state)
}

// Runs names the server in reports by its state.
func (c *core[S]) Runs() string { return typeName[S]() }

// TypedRef makes the server known to registries by its own type.
func (c *core[S]) TypedRef(pid process.PID) any { return Ref[S]{pid} }

func typeName[S any]() string { return reflect.TypeFor[S]().String() }
