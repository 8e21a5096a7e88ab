package tlsconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// A life is what the process of a connection keeps to itself. It is the state
// machine of [Conn]:
//
//	dialing → hello → negotiating → established → closing
//
// The handshake runs in a helper, a linked process that reports what happens and
// is gone after. Faults end the process from every state.
type life struct {
	c      *Conn
	owner  process.PID // zero: the node
	watch  process.MonitorRef
	helper process.PID // zero: it is gone
	begun  bool

	dial     func(context.Context) (net.Conn, error) // a client's
	config   *tls.Config                             // a client's
	announce func()                                  // called when established; nil: nobody waits
}

// An event is what a connection is told.
type event interface{ isEvent() }

type (
	connected struct{}              // the helper has a socket
	heard     struct{}              // the peer has said hello
	done      struct{}              // the handshake has succeeded
	failed    struct{ err error }   // the handshake, or the dialing, has not
	late      struct{}              // it took too long
	gaveUp    struct{ cause error } // whoever waited for it does not any more
	parted    struct{}              // one side has said goodbye
	ended     struct{}              // how it ended has been decided
	released  struct{}              // the socket was closed, by whoever holds the TLS()
	ownerGone struct{ process.Down }
	exited    struct{ process.ExitSignal }
)

func (connected) isEvent() {}
func (heard) isEvent()     {}
func (done) isEvent()      {}
func (failed) isEvent()    {}
func (late) isEvent()      {}
func (gaveUp) isEvent()    {}
func (parted) isEvent()    {}
func (ended) isEvent()     {}
func (released) isEvent()  {}
func (ownerGone) isEvent() {}
func (exited) isEvent()    {}

// overdue is the time-out of the whole handshake, dialing included: it is not
// that of one state.
const overdue statem.Timeout = "handshake"

// machine is the table that all connections run, of both sides.
var machine = statem.Must(statem.New(statem.Spec[State, event, life]{
	First: []State{Hello, Dialing},
	States: map[State]statem.State[State, event, life]{
		Dialing:     {Enter: entering(Dialing, (*life).begin), On: (*life).onDialing, To: []State{Hello}},
		Hello:       {Enter: entering(Hello, (*life).begin), On: (*life).onHello, To: []State{Negotiating}},
		Negotiating: {Enter: entering(Negotiating, nil), On: (*life).onNegotiating, To: []State{Established}},
		Established: {Enter: entering(Established, (*life).open), On: (*life).onEstablished, To: []State{Closing}},
		Closing:     {Enter: entering(Closing, nil), On: (*life).onClosing},
	},
	TrapExit:  true,
	Exit:      func(x process.ExitSignal) event { return exited{x} },
	Terminate: (*life).terminate,
	Inspect:   func(l *life) any { return l.LogValue() },
}))

// Mermaid draws the states of a connection as a Mermaid diagram.
func Mermaid() string { return machine.Mermaid() }

// entering lets others see the state, and then does what the row wants.
func entering(s State, then func(*life, *statem.Turn[event]) error) func(*life, *statem.Turn[event], State) error {
	return func(l *life, t *statem.Turn[event], _ State) error {
		l.c.state.Store(int32(s))
		if then == nil {
			return nil
		}
		return then(l, t)
	}
}

// init is the machine's Init. The keeper comes first: from then on nothing, not
// even a kill, leaves the socket open or a fault untold.
func (l *life) init(t *statem.Turn[event]) (State, *life, error) {
	c, first := l.c, Hello
	if l.dial != nil {
		first = Dialing
	}
	ctx := t.Context()
	self := process.Self(ctx)
	ref, err := statem.As[event](self)
	if err != nil {
		return first, nil, err
	}
	c.ctx, c.ref = ctx, ref
	c.state.Store(int32(first))
	if _, err := process.Keep(ctx, self, keeper{c}); err != nil {
		return first, nil, err
	}
	c.ep.open.Add(1)
	if !l.owner.IsZero() {
		if l.watch, err = watchOwner(ctx, l.owner); err != nil {
			return first, nil, err
		}
	}
	if c.limit >= 0 {
		t.Timeout(overdue, c.limit, late{})
	}
	return first, l, nil
}

func watchOwner(ctx context.Context, owner process.PID) (process.MonitorRef, error) {
	return statem.Monitor(ctx, owner, func(d process.Down) event { return ownerGone{d} })
}

// begin starts the helper; a client that has dialled has it already.
func (l *life) begin(t *statem.Turn[event]) (err error) {
	if !l.begun {
		l.begun = true
		l.helper, err = process.GoSpec(t.Context(), process.Spec{Kind: "handshake"}, l.shake)
	}
	return err
}

// open lets bytes through.
func (l *life) open(t *statem.Turn[event]) error {
	t.Cancel(overdue)
	if l.c.ep.tally != nil {
		l.c.ep.tally.handshook(time.Now())
	}
	close(l.c.ready)
	if l.announce != nil {
		l.announce()
	}
	return nil
}

func (l *life) onDialing(t *statem.Turn[event], ev event) (State, error) {
	if _, ok := ev.(connected); ok {
		return Hello, nil
	}
	return l.before(t, Dialing, ev)
}

func (l *life) onHello(t *statem.Turn[event], ev event) (State, error) {
	if _, ok := ev.(heard); ok {
		return Negotiating, nil
	}
	return l.before(t, Hello, ev)
}

func (l *life) onNegotiating(t *statem.Turn[event], ev event) (State, error) {
	if _, ok := ev.(done); ok {
		return Established, nil
	}
	return l.before(t, Negotiating, ev)
}

// before is what the states before established have in common.
func (l *life) before(t *statem.Turn[event], in State, ev event) (State, error) {
	switch ev := ev.(type) {
	case failed:
		return in, l.failed(ev.err)
	case late:
		return in, l.late(process.ErrTimeout)
	case gaveUp:
		if errors.Is(ev.cause, context.DeadlineExceeded) { // the same limit, seen by another clock
			return in, l.late(ev.cause)
		}
	case released:
		return in, nil // the helper is about to say more
	}
	return l.always(t, in, ev)
}

func (l *life) onEstablished(t *statem.Turn[event], ev event) (State, error) {
	switch ev.(type) {
	case parted:
		return Closing, nil
	case released:
		return Established, l.failed(l.c.autopsy())
	}
	return l.always(t, Established, ev)
}

func (l *life) onClosing(t *statem.Turn[event], ev event) (State, error) {
	switch ev.(type) {
	case parted: // the other side, too
		return Closing, nil
	case released:
		return Closing, l.failed(l.c.autopsy())
	}
	return l.always(t, Closing, ev)
}

// always is what all states have in common.
func (l *life) always(t *statem.Turn[event], in State, ev event) (State, error) {
	switch ev := ev.(type) {
	case ended:
		return in, l.c.stop()
	case gaveUp:
		return in, l.finish(l.c.endError(GaveUp, ev.cause))
	case ownerGone:
		if ev.PID != l.owner { // it has given the connection away
			return in, nil
		}
		return in, l.finish(l.c.endError(OwnerGone, ev.Reason))
	case exited:
		return in, l.exited(ev.ExitSignal)
	case give:
		return in, l.give(t, ev)
	}
	return in, fmt.Errorf("tlsconn: unexpected %T in state %v", ev, in)
}

// finish ends the process; end is why, unless that has been decided.
func (l *life) finish(end error) error {
	l.c.decide(end)
	return l.c.stop()
}

// failed ends the process with what an error says.
func (l *life) failed(err error) error {
	v, how := l.c.judge(err)
	switch {
	case how != nil:
		return l.finish(how)
	case v.class == 0: // whoever has the TLS() has read a goodbye, and closed
		return l.finish(l.c.endError(Closed, nil))
	}
	return l.finish(l.c.fault(v))
}

// late ends a handshake that takes too long.
func (l *life) late(cause error) error {
	v := verdict{class: HandshakeTimeout, because: fmt.Errorf("not done within %v: %w", l.c.limit, cause)}
	if l.c.State() == Dialing {
		v.class = DialFailed
	}
	v.blame = classRows[v.class].blame
	return l.finish(l.c.fault(v))
}

// exited is the end of a linked process. That of the helper is its crash: what
// goes wrong with a handshake it reports.
func (l *life) exited(x process.ExitSignal) error {
	switch {
	case x.From == l.helper && x.Reason == nil:
		l.helper = process.PID{} // nothing shall be kept of it
		return nil
	case x.From == l.helper:
		return l.finish(l.c.fault(verdict{class: Internal, blame: BlameUs, because: x.Reason}))
	case process.Clean(x.Reason):
		return nil
	}
	crash := &process.ExitError{PID: x.From, Name: x.From.Path(), Reason: x.Reason}
	l.c.decide(l.c.endError(Stopped, crash))
	return crash
}

// terminate says goodbye, unless there is nobody to say it to. Only a kill does
// not wait for that.
func (l *life) terminate(t *statem.Turn[event], _ State, reason error) error {
	c := l.c
	c.decide(c.endError(Stopped, reason))
	defer context.AfterFunc(t.Context(), c.cut)()
	if f, fault := c.Err().(*Fault); fault {
		if f.Stage < Established && f.Alert.Way == Sent {
			c.socket.Load().linger()
		}
		c.cut()
		return nil
	}
	// The peer that does not hear it is told by the end of the socket.
	_ = c.part()
	return nil
}

// LogValue is what tools show of a connection: nothing that is secret.
func (l *life) LogValue() slog.Value {
	c := l.c
	attrs := []slog.Attr{slog.String("endpoint", c.ep.name)}
	if p := c.peer(); p != nil {
		attrs = append(attrs, slog.String("remote", p.String()))
	}
	if !l.owner.IsZero() {
		attrs = append(attrs, slog.String("owner", l.owner.String()))
	}
	if s := c.ConnectionState(); s.HandshakeComplete {
		attrs = append(attrs, slog.String("version", tls.VersionName(s.Version)),
			slog.String("cipher", tls.CipherSuiteName(s.CipherSuite)), slog.String("alpn", s.NegotiatedProtocol),
			slog.String("sni", s.ServerName))
	}
	return slog.GroupValue(attrs...)
}

// stop is what a handler returns once it has been decided how the connection
// ended. A fault of ours is a crash; the others are not.
func (c *Conn) stop() error {
	switch end := c.Err().(type) {
	case *Fault:
		if end.Class == Internal {
			return end
		}
		return statem.Stop(process.Shutdown(end))
	case *EndError:
		if end.How != Closed {
			return statem.Stop(process.Shutdown(end))
		}
	}
	return statem.Stop(nil)
}

// A keeper sees to it that the end of the process, whatever it was, closes the
// socket and tells of the fault, once.
type keeper struct{ c *Conn }

// Forget implements process.Keeper.
func (k keeper) Forget(process.PID) {
	c := k.c
	c.decide(c.endError(Killed, process.ErrKilled)) // else Terminate has
	c.mu.Lock()
	c.buried = true
	end := c.end
	c.mu.Unlock()
	c.cut()
	c.ep.open.Add(-1)
	if f, ok := end.(*Fault); ok {
		c.ep.tell(c.ctx, f)
	}
	if l := c.keys; l != nil {
		// It was for looking on.
		_ = l.close()
	}
	close(c.gone)
}
