package acceptor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A sender is who has sent a datagram, as a key of a map.
type sender struct {
	addr  netip.AddrPort // an IPv4 address as such
	other string         // an address of another kind
	via   net.Addr       // of a socket that is not the operating system's
}

// read reads one datagram.
func (s *socket) read(b []byte) (n int, from sender, err error) {
	if s.udp != nil {
		n, from.addr, err = s.udp.ReadFromUDPAddrPort(b)
		from.addr = netip.AddrPortFrom(from.addr.Addr().Unmap(), from.addr.Port())
		return n, from, err
	}
	n, addr, err := s.ReadFrom(b)
	if addr != nil {
		from = sender{other: addr.Network() + " " + addr.String(), via: addr}
	}
	return n, from, err
}

func (f sender) key() sender { return sender{addr: f.addr, other: f.other} }

// A peer is one sender, as the net.Conn of its process. Reading is not for it: its
// datagrams come as messages.
type peer struct {
	p    *peers
	from sender
	addr net.Addr

	waiting atomic.Int64 // datagrams in the mailbox of its process
	closed  atomic.Bool
	sink    atomic.Pointer[sink] // nil: its process is being started

	mu     sync.Mutex
	target sink     // guarded by mu: what becomes the sink
	early  [][]byte // guarded by mu: what has come before that
}

// A sink takes the datagrams of one peer. It does not wait, and drops what finds
// no room.
type sink interface {
	post(ctx context.Context, d *peer, b []byte)
}

// find finds a peer, or makes a new one.
func (p *peers) find(from sender) (d *peer, fresh bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.table[from.key()]; d != nil {
		return d, false
	}
	d = &peer{p: p, from: from, addr: from.via}
	if d.addr == nil {
		d.addr = net.UDPAddrFromAddrPort(from.addr)
	}
	p.table[from.key()] = d
	return d, true
}

// deliver brings a datagram to its peer. The error is that of a gate that does not
// answer.
func (p *peers) deliver(ctx context.Context, from sender, b []byte, conns shard) error {
	for {
		d, fresh := p.find(from)
		if d.put(ctx, b) && !fresh {
			return nil
		}
		if fresh {
			return p.admit(ctx, d, conns)
		}
		// It has ended just now, and is in the table no more: begin anew.
	}
}

// admit starts the process of a new peer, or refuses it.
func (p *peers) admit(ctx context.Context, d *peer, conns shard) error {
	l, s := p.l, p.l.settings()
	l.accepted.Add(1)
	switch suspended, full := l.shut(); {
	case suspended:
		l.refuse(ctx, d, Closing, nil)
		return nil
	case denied(s.access, d.addr):
		l.refuse(ctx, d, Denied, nil)
		return nil
	case !s.meter.allow(time.Now()):
		l.refuse(ctx, d, RateLimited, nil)
		return nil
	case full: // the gate would say so too, but has other things to do
		l.refuse(ctx, d, Full, nil)
		return nil
	}
	switch v, err := l.enter(ctx, true); {
	case err != nil:
		l.refuse(ctx, d, Closing, err)
		return err
	case v != granted:
		l.refuse(ctx, d, Full, nil)
		return nil
	}
	// The port may be told to close now, but this one was let in.
	ctx = process.Uninterrupted(ctx)
	in := &arrival{raw: d, bound: l.binding(), by: process.Self(ctx)}
	switch _, err := supervisor.StartOne(ctx, conns, in); {
	case err == nil:
		d.begin(ctx)
	case !l.giveUp(in): // it began, and has ended since
	case errors.Is(err, process.ErrIgnore):
		l.refuse(ctx, d, Ignored, nil)
	case errors.Is(err, errLate):
		l.refuse(ctx, d, Closing, nil)
	default:
		l.refuse(ctx, d, Failed, err)
	}
	return nil
}

// shut reports whether a UDP listener takes no new peers.
func (l *listener) shut() (suspended, full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.suspended, l.ledger.full()
}

// put takes a datagram; false: the peer has ended.
func (d *peer) put(ctx context.Context, b []byte) bool {
	if s := d.sink.Load(); s != nil {
		if d.closed.Load() {
			return false
		}
		(*s).post(ctx, d, b)
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch s := d.sink.Load(); {
	case d.closed.Load():
		return false
	case s != nil:
		(*s).post(ctx, d, b)
	case len(d.early) < defaultQueue:
		d.early = append(d.early, slices.Clone(b))
	default:
		d.p.dropped.Add(1)
	}
	return true
}

// aim says who will take the datagrams.
func (d *peer) aim(s sink) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.target = s
}

// begin opens the way to the peer's process, behind what came while it was
// started.
func (d *peer) begin(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.early {
		d.target.post(ctx, d, b)
	}
	d.early = nil
	d.sink.Store(&d.target)
}

// Close forgets the peer: what it sends now begins a new one.
func (d *peer) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	d.p.mu.Lock()
	delete(d.p.table, d.from.key())
	d.p.mu.Unlock()
	d.p.dropped.Add(uint64(max(0, d.waiting.Swap(0))))
	return nil
}

// Write sends one datagram. One that is written while the socket is opened anew is
// lost, as any datagram may be, and counted.
func (d *peer) Write(b []byte) (n int, err error) {
	s := d.p.socket.Load()
	if s.udp != nil {
		n, err = s.udp.WriteToUDPAddrPort(b, d.from.addr)
	} else {
		n, err = s.WriteTo(b, d.addr)
	}
	if err != nil && s.broken.Load() {
		d.p.dropped.Add(1)
		return len(b), nil
	}
	return n, err
}

func (d *peer) Read([]byte) (int, error)         { return 0, errNoRead }
func (d *peer) RemoteAddr() net.Addr             { return d.addr }
func (d *peer) LocalAddr() net.Addr              { return d.p.socket.Load().LocalAddr() }
func (d *peer) SetDeadline(time.Time) error      { return nil } // it is the others' socket too
func (d *peer) SetReadDeadline(time.Time) error  { return nil }
func (d *peer) SetWriteDeadline(time.Time) error { return nil } // and datagrams do not wait

var errNoRead = errors.New("acceptor: datagrams are not read, they come to Frame")
