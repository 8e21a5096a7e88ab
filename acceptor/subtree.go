package acceptor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A Subtree is a [Handler] whose connections are each a small supervision tree
// (Ranch: connection_type supervisor): for protocols that do several things at
// once on one connection, and where each should be able to fail, or to be slow,
// alone.
//
//	acceptor.Subtree{
//		Tree: func(_ context.Context, c *acceptor.Conn) (supervisor.Spec, error) {
//			s := &session{conn: c}
//			return supervisor.Spec{Children: []supervisor.Child{
//				{ID: "channels", Start: supervisor.StartFunc(s.channels())}, // a dynamic supervisor
//				{ID: "heartbeat", Start: child.Ticker(10*time.Second, s.beat)},
//				acceptor.Speaker(c, acceptor.Protocol[speaker]{New: s.newSpeaker, Split: splitFrames, Frame: onFrame}),
//			}}, nil
//		},
//	}
//
// One of the children, the [Speaker], speaks the protocol: it gets the frames, and
// is told to drain. All of them may write to the Conn. The tree is the connection:
// it is what [Connections] lists and the limits count, and killing it closes the
// socket. When the Speaker ends, so does the tree; when the tree is told to
// end, its children are stopped in reverse order, so a Speaker that comes last
// says goodbye while the others are still there.
type Subtree struct {
	// Tree describes the supervisor of one connection. It is called for each, in
	// the process that starts them, and so should do no more than that: what
	// takes time belongs into its children. An error refuses the connection and
	// is reported; process.ErrIgnore refuses it without a word.
	//
	// The tree ends with its Speaker, whatever AutoShutdown says. A restart that
	// would stop the Speaker, as OneForAll does, ends the tree too, for a peer cannot be
	// told to begin anew; so does reaching the Intensity. The connection counts
	// as crashed then.
	Tree func(ctx context.Context, c *Conn) (supervisor.Spec, error)
}

// A subtree is what the Conn of a Subtree knows besides.
type subtree struct {
	top     process.PID // its supervisor, which alone reads this
	speaker atomic.Pointer[speaker]
	drain   atomic.Bool           // the speaker shall finish once it is there
	fate    atomic.Pointer[error] // why it ended, if that was a helper's doing
}

// A speaker is the process that speaks on a Subtree's connection.
type speaker struct {
	pid   process.PID
	drain any // the message that asks it to finish
}

const speakerID = "speaker"

// Speaker returns the child of a [Subtree] that speaks the protocol on c. A tree
// has exactly one, itself and not in a supervisor of its own. Its place among the
// children is up to you, and so are its Shutdown and Grace.
func Speaker[S any](c *Conn, p Protocol[S]) supervisor.Child {
	return supervisor.Child{
		ID:          speakerID,
		Restart:     supervisor.Temporary,
		Significant: true,
		Shutdown:    c.listener.spec.Shutdown,
		Start: func(ctx context.Context) (process.PID, error) {
			if faults := p.faults(false); len(faults) > 0 {
				return process.PID{}, errors.Join(faults...)
			}
			if c.tree == nil || c.tree.top != process.Self(ctx) || c.tree.speaker.Load() != nil {
				return process.PID{}, errSpeakers
			}
			return (&connection[S]{Conn: c}).start(ctx, &p, nil)
		},
	}
}

var (
	errSpeakers  = errors.New("acceptor: Speaker: it is a child of a Subtree itself, not of a supervisor below, and the only one that speaks on its connection")
	errNoSpeaker = errors.New("acceptor: Subtree: none of Tree's Children is its Speaker: nobody would take what the peer sends")
)

// Speaker returns the process that speaks on a Subtree's connection; zero: it
// has not started yet, or there is no Subtree.
func (c *Conn) Speaker() process.PID {
	if c.tree != nil {
		if s := c.tree.speaker.Load(); s != nil {
			return s.pid
		}
	}
	return process.PID{}
}

func (t Subtree) faults(datagrams bool) (faults []error) {
	if t.Tree == nil {
		faults = append(faults, errors.New("Subtree: Tree is missing: it describes the processes of a connection"))
	}
	if datagrams {
		faults = append(faults, errors.New("Subtree: it is for connections: use a Protocol for datagrams"))
	}
	return faults
}

func (t Subtree) starter() connect { return t.start }

// start starts the tree of one connection. Its caller closes the socket if that
// fails.
func (t Subtree) start(ctx context.Context, l *listener, in *arrival) (process.PID, error) {
	c := &Conn{tree: &subtree{}}
	c.fill(l, in)
	spec, err := t.Tree(ctx, c)
	if err != nil {
		return process.PID{}, err
	}
	if !slices.ContainsFunc(spec.Children, func(c supervisor.Child) bool { return c.ID == speakerID }) {
		return process.PID{}, errNoSpeaker
	}
	more := spec.Init
	spec.Init = func(ctx context.Context) (children []supervisor.Child, err error) {
		if err := c.plant(ctx, in); err != nil {
			return nil, err
		}
		if more == nil {
			return nil, nil
		}
		if children, err = more(ctx); err != nil {
			c.tree.failed(err)
		}
		return c.tree.watch(children), err
	}
	spec.Children = c.tree.watch(spec.Children)
	spec.AutoShutdown = supervisor.AnySignificant
	spec.Strategy = withSpeaker{cmp.Or(spec.Strategy, supervisor.OneForOne), c.tree}
	return supervisor.Start(ctx, spec)
}

// plant makes the connection one of the listener's, on behalf of its tree. It
// comes before the children: the first thing that the peer says may end them.
func (c *Conn) plant(ctx context.Context, in *arrival) error {
	c.tree.top = process.Self(ctx)
	if _, err := process.Keep(ctx, c.tree.top, keeper{c}); err != nil {
		return err
	}
	return c.listener.opened(ctx, in, entry{conn: c, since: time.Now()})
}

// watch keeps the error of a child that cannot be started, which ends the tree
// before there is one: the listener may only learn that there is none any more.
func (t *subtree) watch(children []supervisor.Child) []supervisor.Child {
	children = slices.Clone(children)
	for i := range children {
		start, up := children[i].Start, false
		if start == nil {
			continue // the supervisor says so
		}
		children[i].Start = func(ctx context.Context) (process.PID, error) {
			pid, err := start(ctx)
			if err != nil && !up && !errors.Is(err, process.ErrIgnore) {
				t.failed(err)
			}
			up = true
			return pid, err
		}
	}
	return children
}

// failed makes that error the tree's end, from whatever depth it comes.
func (t *subtree) failed(err error) {
	for {
		deeper, ok := errors.AsType[*supervisor.StartError](err)
		if !ok {
			break
		}
		err = deeper.Err
	}
	t.fate.CompareAndSwap(nil, &err)
}

// speaks is called by the Speaker when it has started.
func (t *subtree) speaks(ctx context.Context, s speaker) error {
	t.speaker.Store(&s)
	if t.drain.Swap(false) {
		return process.SendSelf(ctx, s.drain)
	}
	return nil
}

// finish asks a connection to finish.
func (e entry) finish(ctx context.Context, pid process.PID) error {
	if e.conn.tree == nil {
		return process.Send(ctx, pid, e.drain)
	}
	if s := e.conn.tree.speaker.Load(); s != nil {
		return process.Send(ctx, s.pid, s.drain)
	}
	e.conn.tree.drain.Store(true) // it is told when it has started
	if s := e.conn.tree.speaker.Load(); s != nil && e.conn.tree.drain.Swap(false) {
		return process.Send(ctx, s.pid, s.drain) // it has, just now
	}
	return nil
}

// withSpeaker is the strategy of a Subtree: a user's, which may restart whom it
// likes, but not the Speaker.
type withSpeaker struct {
	supervisor.Strategy
	tree *subtree
}

// Decide ends the tree instead.
func (s withSpeaker) Decide(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan {
	p := s.Strategy.Decide(v, e, now)
	why := e.Reason
	switch tooOften := errors.Is(p.End, supervisor.ErrIntensity); {
	case tooOften && process.Clean(why):
		why = errors.New(p.End.Error()) // another one, of which the supervisor makes no shutdown
	case tooOften:
		why = fmt.Errorf("%v: %w", p.End, why)
	case p.End != nil || !speaks(v, p.Stop):
		return p
	case process.Clean(why):
		why = process.ErrShutdown
	}
	s.tree.fate.CompareAndSwap(nil, &why) // for the counters
	return supervisor.Plan{End: why}
}

// speaks reports whether the Speaker is among those children, and runs.
func speaks(v supervisor.View, span supervisor.Span) bool {
	for i := span.From; i < span.To; i++ {
		if c := v.At(i); c.ID == speakerID && c.Status == supervisor.Running {
			return true
		}
	}
	return false
}
