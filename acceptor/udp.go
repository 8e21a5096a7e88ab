package acceptor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// datagrams reports whether the listener is one for datagrams.
func (s *Spec) datagrams() bool {
	return s.Network == "udp" || s.Network == "udp4" || s.Network == "udp6"
}

// datagramFaults are the fields that are not for the other kind of listener.
func (s *Spec) datagramFaults() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !s.datagrams() {
		if s.BindPacket != nil {
			fault("BindPacket is for UDP: set Network to udp, or use Bind")
		}
		return faults
	}
	if s.Bind != nil {
		fault("Bind opens listening sockets: use BindPacket on UDP")
	}
	o := &s.Socket
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"Sockets", s.Sockets > 1}, {"Listening", s.Listening != nil}, {"Proxy", s.Proxy != nil},
		{"Transport", s.Transport != nil}, {"Upgrade", s.Upgrade != nil}, {"HandshakeTimeout", s.HandshakeTimeout != 0},
		{"Socket.Backlog", o.Backlog != 0}, {"Socket.Multipath", o.Multipath}, {"Socket.Delay", o.Delay},
		{"Socket.KeepAlive", o.KeepAlive != (net.KeepAliveConfig{}) || o.NoKeepAlive},
	} {
		if f.set {
			fault("%s is for connections: leave it out on UDP", f.name)
		}
	}
	return faults
}

// peers are those that a UDP listener talks to, each with a process of its own,
// and the socket that they share. It is the state of the process that holds the
// socket: the first child of the listener, so that the peers can still be written
// to when everything else has stopped.
type peers struct {
	l       *listener
	socket  atomic.Pointer[socket]
	dropped atomic.Uint64

	mu    sync.Mutex
	table map[sender]*peer // guarded by mu
}

func newPeers(l *listener) *peers { return &peers{l: l, table: make(map[sender]*peer)} }

// A socket is a UDP listener's.
type socket struct {
	net.PacketConn
	bound  *binding
	udp    *net.UDPConn // the same; nil: it is another kind
	broken atomic.Bool  // nothing will ever be read from it again
	closed atomic.Bool
}

// open is the start function of the socket's process.
func (p *peers) open(ctx context.Context) (process.PID, error) {
	if err := p.bind(ctx); err != nil {
		return process.PID{}, err
	}
	ref, err := server.Start(ctx, server.Spec[peers]{Init: func(ctx context.Context) (*peers, error) {
		_, err := process.Keep(ctx, process.Self(ctx), p)
		return p, err
	}})
	if err != nil {
		p.close()
	}
	return ref.PID(), err
}

// Forget implements process.Keeper: the socket's process has ended.
func (p *peers) Forget(process.PID) { p.close() }

// close closes the socket.
func (p *peers) close() {
	if s := p.socket.Load(); s != nil && !s.closed.Swap(true) {
		s.broken.Store(true)
		// Whatever close says, the descriptor is gone.
		_ = s.Close()
	}
}

// bind opens the socket, on the address where it was before.
func (p *peers) bind(ctx context.Context) error {
	p.l.mu.Lock()
	b := p.l.bound
	address := b.address()
	p.l.mu.Unlock()
	conn, err := b.bindPacket(ctx, address)
	if err == nil {
		p.install(b, conn)
	}
	return err
}

// install makes that the socket of all peers.
func (p *peers) install(b *binding, conn net.PacketConn) *socket {
	s := &socket{PacketConn: conn, bound: b}
	s.udp, _ = conn.(*net.UDPConn)
	p.close()
	p.socket.Store(s)
	p.l.mu.Lock()
	b.at = conn.LocalAddr()
	p.l.mu.Unlock()
	return s
}

func (s *Spec) bindPacket(ctx context.Context, address string) (net.PacketConn, error) {
	if s.BindPacket != nil {
		return s.BindPacket(ctx, s.Network, address)
	}
	lc := net.ListenConfig{Control: s.Socket.Control}
	conn, err := lc.ListenPacket(ctx, s.Network, address)
	if err == nil {
		err = s.Socket.tunePacket(conn)
	}
	if err != nil {
		return nil, &BindError{s.Network, address, err, cure(s.Network, err)}
	}
	return conn, nil
}

// tunePacket sets the options of a UDP socket, or closes it.
func (o *Socket) tunePacket(conn net.PacketConn) (err error) {
	udp, ok := conn.(*net.UDPConn)
	if ok && o.ReadBuffer > 0 {
		err = udp.SetReadBuffer(o.ReadBuffer)
	}
	if ok && o.WriteBuffer > 0 {
		err = errors.Join(err, udp.SetWriteBuffer(o.WriteBuffer))
	}
	if err != nil {
		_ = conn.Close() // the error that counts is the other one
	}
	return err
}

func (p *peers) bound() []net.Addr {
	if s := p.socket.Load(); s != nil && !s.broken.Load() {
		return []net.Addr{s.LocalAddr()}
	}
	return nil
}

// receive opens the port, by a change or else by what is in force: the processes that
// read. It opens a socket that is broken anew.
func (p *peers) receive(ctx context.Context, b *binding, c *change, open net.PacketConn) (process.PID, error) {
	s := p.socket.Load()
	if open == nil && (s.bound != b || s.broken.Load()) {
		p.close() // it may be in the way
		p.l.mu.Lock()
		address := b.address()
		p.l.mu.Unlock()
		var err error
		if open, err = b.bindPacket(ctx, address); err != nil {
			return process.PID{}, err
		}
	}
	if open != nil {
		s = p.install(b, open)
	}
	p.l.mu.Lock()
	p.l.enforce(c)
	p.l.mu.Unlock()
	if err := s.SetReadDeadline(time.Time{}); err != nil { // readers before these have set one
		return process.PID{}, fmt.Errorf("acceptor: %v: %w", s.LocalAddr(), err)
	}
	spec := supervisor.Spec{Strategy: supervisor.OneForAll, Intensity: supervisor.NoRestart}
	for i := range b.Acceptors {
		spec.Children = append(spec.Children, supervisor.Child{
			ID:    fmt.Sprintf("acceptor-%d", i+1),
			Start: supervisor.Go(func(ctx context.Context) error { return p.read(ctx, s, shard{p.l, i % len(p.l.shards)}) }),
		})
	}
	return supervisor.Start(ctx, spec)
}

// longestDatagram is more than any datagram can have.
const longestDatagram = 64 << 10

// read is the life of an acceptor of a UDP listener: it brings each datagram to
// its peer's process, and waits for none of them.
func (p *peers) read(ctx context.Context, s *socket, conns shard) error {
	defer context.AfterFunc(ctx, func() {
		// A socket that takes no deadline is closed, and so is read no more.
		_ = s.SetReadDeadline(time.Unix(1, 0))
	})()
	buf := make([]byte, longestDatagram)
	var wait backoff
	for {
		n, from, err := s.read(buf)
		switch {
		case err == nil:
			wait.reset()
			if err := p.deliver(ctx, from, buf[:n], conns); err != nil {
				return unanswered(ctx, s.LocalAddr(), err)
			}
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			// A late word to the readers before us.
			if err := s.SetReadDeadline(time.Time{}); err != nil {
				return p.broken(s, err)
			}
		case classifyPacket(err) == broken:
			return p.broken(s, err)
		case !p.tolerate(ctx, err, &wait):
			return nil
		}
	}
}

func (p *peers) broken(s *socket, err error) error {
	s.broken.Store(true)
	return fmt.Errorf("acceptor: %v: read: %w", s.LocalAddr(), err)
}

// tolerate notes an error that does not end the acceptor. False: it is told to
// stop.
func (p *peers) tolerate(ctx context.Context, err error, w *backoff) bool {
	if classifyPacket(err) == onlyThisOne {
		p.l.aborted.Add(1)
		return ctx.Err() == nil
	}
	p.l.starved.Add(1)
	p.l.say(ctx, process.LevelError, textNoMemory, err, nil)
	return sleep(ctx, w.next())
}
