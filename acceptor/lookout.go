package acceptor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/internal/readiness"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// A lookout waits for the next bytes of the connections whose peers are silent, and
// sends home the readers that have waited in vain for a while. It does nothing, and
// has neither goroutine nor descriptor, until there is a connection for it.
//
// It is the last child of the listener: when it has to be started again, nothing else
// has, and it begins by having all resting connections look for themselves.
type lookout struct{ l *listener }

// A post is what the lookout shares with the connections.
type post struct {
	every  time.Duration // how often it looks at the readers
	wanted atomic.Bool
	ref    atomic.Pointer[server.Ref[lookout]]
	poller atomic.Pointer[readiness.Poller] // nil: there is none yet

	mu sync.Mutex
	// Guarded by mu.
	readers *Conn // those who may be asked to go, by silence.next
	ticking bool  // the poller has a deadline
}

// defaultSilence is Spec.Silence.
const defaultSilence = 500 * time.Millisecond

func (l *listener) lookoutSpec() server.Spec[lookout] {
	return server.Spec[lookout]{Init: func(ctx context.Context) (*lookout, error) {
		ref, err := server.As[lookout](process.Self(ctx))
		if err != nil {
			return nil, err
		}
		l.post.ref.Store(&ref)
		o := &lookout{l}
		if l.post.wanted.Load() {
			err = o.open(ctx)
		}
		return o, err
	}}
}

// need has the lookout begin.
func (o *post) need(ctx context.Context) {
	if o.wanted.Load() || o.wanted.Swap(true) {
		return
	}
	if ref := o.ref.Load(); ref != nil {
		// One that is started now looks by itself.
		_ = server.Cast(ctx, *ref, needed{})
	}
}

// needed says that there is a connection that may come to rest.
type needed struct{}

func (needed) Handle(ctx context.Context, o *lookout) error { return o.open(ctx) }

// open begins to look out. Where that cannot be, readers stay with their
// connections, and the next connection tries again.
func (o *lookout) open(ctx context.Context) error {
	p, err := readiness.New()
	if err != nil {
		o.l.post.wanted.Store(false)
		o.l.say(ctx, process.LevelWarn, textBlind, err, nil)
		return nil
	}
	if _, err := process.Keep(ctx, process.Self(ctx), binoculars{p}); err != nil {
		_ = p.Close() // nobody has it
		return err
	}
	o.l.post.man(p)
	born := process.WithBirth(ctx, process.Birth{ID: "poller"})
	if _, err := process.GoSpec(born, process.Spec{Kind: "lookout"}, func(context.Context) error { return o.l.lookOut(p) }); err != nil {
		return err
	}
	for _, e := range o.l.connected() {
		e.conn.wake() // the lookout before this one knew of it
	}
	return nil
}

// binoculars are the poller, which ends with its lookout: that has whoever waits on it
// come back.
type binoculars struct{ p *readiness.Poller }

// Forget implements process.Keeper.
func (b binoculars) Forget(process.PID) { _ = b.p.Close() } // nothing can be done about it

// lookOut is the life of the process that waits.
func (l *listener) lookOut(p *readiness.Poller) error {
	for {
		switch err := p.Wait(); {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			for _, c := range l.post.unheard(p) {
				c.ask()
			}
		case err == readiness.ErrClosed:
			return nil
		default:
			return fmt.Errorf("acceptor: waiting for silent connections: %w", err)
		}
	}
}

// man makes a poller the one that is used.
func (o *post) man(p *readiness.Poller) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.poller.Store(p)
	o.tick(p)
}

// tick sets the time of the next look at the readers, if there are any. o.mu is held.
func (o *post) tick(p *readiness.Poller) {
	var next time.Time
	if o.ticking = o.readers != nil; o.ticking {
		next = time.Now().Add(o.every)
	}
	// A poller that takes none is closed, and the next one begins with this.
	_ = p.SetDeadline(next)
}

// enter adds a reader. It is not asked before it was silent between two looks.
func (o *post) enter(c *Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &c.silence
	if s.listed {
		return
	}
	s.listed, s.heard = true, s.beats.Load()-1
	s.prev, s.next = nil, o.readers
	if s.next != nil {
		s.next.silence.prev = c
	}
	o.readers = c
	if p := o.poller.Load(); p != nil && !o.ticking {
		o.tick(p)
	}
}

// leave takes a reader out.
func (o *post) leave(c *Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.remove(c)
}

func (o *post) remove(c *Conn) {
	s := &c.silence
	if !s.listed {
		return
	}
	if s.prev != nil {
		s.prev.silence.next = s.next
	} else {
		o.readers = s.next
	}
	if s.next != nil {
		s.next.silence.prev = s.prev
	}
	s.listed, s.prev, s.next = false, nil, nil
}

// unheard takes out the readers that have brought nothing since the last look.
func (o *post) unheard(p *readiness.Poller) (out []*Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for c := o.readers; c != nil; {
		s := &c.silence
		next := s.next
		if beats := s.beats.Load(); beats != s.heard || c.coming.Load() {
			s.heard = beats
		} else {
			o.remove(c)
			out = append(out, c)
		}
		c = next
	}
	o.tick(p)
	return out
}

// arm has the lookout wake w when there is something to read; false: it cannot, now.
func (o *post) arm(c syscall.Conn, w readiness.Waker) (readiness.Mark, bool) {
	p := o.poller.Load()
	if p == nil {
		return 0, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	mark, err := p.Arm(raw, w)
	if err != nil {
		return 0, false
	}
	if o.poller.Load() != p { // its successor may have looked for those who rest already
		p.Disarm(mark, w)
		return 0, false
	}
	return mark, true
}

func (o *post) disarm(m readiness.Mark, w readiness.Waker) {
	if p := o.poller.Load(); p != nil {
		p.Disarm(m, w)
	}
}
