package tlsconn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
)

// A socket that our side closes under a connection, as who accepted it may do when
// it is killed, is nobody's fault: neither the peer's nor the network's.
func TestSocketClosedUnderneath(t *testing.T) {
	for _, stage := range []tlsconn.State{tlsconn.Hello, tlsconn.Established} {
		t.Run(stage.String(), func(t *testing.T) {
			ctx, rec := node(t)
			w := newWorld()
			s := w.serving(t, ctx, tlsconn.Spec{})
			raw, client := tcpPair(t)
			c, err := s.Open(ctx, raw, idler(t, ctx))
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- serve(c) }()
			if stage == tlsconn.Established {
				established(client, w.trusting())
			}
			if err := raw.Close(); err != nil {
				t.Fatal(err)
			}
			err = <-served
			if end, ok := errors.AsType[*tlsconn.EndError](err); !ok || end.How != tlsconn.Closed || end.Stage != stage || !errors.Is(err, net.ErrClosed) {
				t.Errorf("Read: %v", err)
			}
			if reason, err := process.WaitFor(ctx, c.PID(), time.Minute); err != nil || reason != nil {
				t.Errorf("it ended with %v, %v", reason, err)
			}
			if events := rec.Events(reports); len(events) > 0 || len(s.Counts()) > 0 {
				t.Errorf("counted %v, reported\n%v", s.Counts(), rec)
			}
		})
	}
}

// A helper that is killed in the middle of a handshake is a fault of our own, as one
// that crashes is; not a connection that was closed.
func TestHelperKilled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := opened(t, tlsconn.Spec{})
		synctest.Wait()
		for _, pid := range p.owner.Node().Processes() {
			if pid.Is("handshake") {
				if err := process.Kill(p.ctx, pid); err != nil {
					t.Error(err)
				}
			}
		}
		if f := faultOf(t, p.conn.Handshake(p.ctx)); f.Class != tlsconn.Internal || f.Blame != tlsconn.BlameUs || !errors.Is(f, process.ErrKilled) {
			t.Errorf("got %v", f)
		}
		if n := len(p.rec.Events(process.Network)); n != 1 || p.server.Counts()[tlsconn.Internal] != 1 {
			t.Errorf("%d events, counted %v", n, p.server.Counts())
		}
	})
}

// assassin kills TLS processes before their first instruction, or who starts them.
type assassin struct {
	ctx     context.Context
	starter bool
}

func (*assassin) Wants() process.Kind { return process.Spawned }

func (a *assassin) Event(e process.Event) {
	if !e.PID.Is("statem") {
		return
	}
	whom := e.PID
	if a.starter {
		whom = e.Peer
	}
	_ = process.Kill(a.ctx, whom) // what comes of it is seen
}

// A connection whose process does not start has ended, as any other one.
func TestStillborn(t *testing.T) {
	for name, c := range map[string]struct {
		how  tlsconn.How
		open func(*pair, net.Conn) (net.Conn, error)
	}{
		"killed": {tlsconn.Killed, func(p *pair, raw net.Conn) (net.Conn, error) {
			p.owner.Node().SetProbe(&assassin{p.ctx, false})
			defer p.owner.Node().SetProbe(p.rec)
			return p.server.Handshake(p.ctx, raw, p.owner)
		}},
		"by a process that is killed": {tlsconn.Killed, func(p *pair, raw net.Conn) (net.Conn, error) {
			p.owner.Node().SetProbe(&assassin{p.ctx, true})
			defer p.owner.Node().SetProbe(p.rec)
			said := make(chan error, 1)
			if _, err := process.Go(p.ctx, func(ctx context.Context) error {
				_, err := p.server.Handshake(ctx, raw, p.owner)
				said <- err
				return nil
			}); err != nil {
				return nil, err
			}
			return nil, <-said
		}},
		"by a process that has ended": {tlsconn.Stopped, func(p *pair, raw net.Conn) (net.Conn, error) {
			var of context.Context
			pid, err := process.Go(p.ctx, func(ctx context.Context) error { of = ctx; return nil })
			if err != nil {
				t.Fatal(err)
			}
			if _, err := process.Wait(p.ctx, pid); err != nil {
				t.Fatal(err)
			}
			return p.server.Handshake(of, raw, p.owner)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := opened(t, tlsconn.Spec{})
				raw, wire := net.Pipe()
				_, err := c.open(p, raw)
				if end, ok := errors.AsType[*tlsconn.EndError](err); !ok || end.How != c.how || !errors.Is(err, net.ErrClosed) {
					t.Errorf("got %v", err)
				}
				if _, err := wire.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("its socket: %v", err)
				}
				synctest.Wait()
				if n := p.server.Info().Open; n != 1 {
					t.Errorf("%d are open, want that of the pair", n)
				}
			})
		})
	}
}

// A dying socket is closed while somebody sets a deadline for it.
type dying struct {
	net.Conn
	last func() // called at the next deadline; nil: nothing happens
}

func (d *dying) SetWriteDeadline(t time.Time) error {
	if f := d.last; f != nil {
		d.last = nil
		f()
	}
	return d.Conn.SetWriteDeadline(t)
}

// Who sets a deadline just when the connection dies is told how it died, as whoever
// reads and writes is, and not that its socket is closed.
func TestDeadlineAtTheEnd(t *testing.T) {
	ctx, _ := node(t)
	w := newWorld()
	s := w.serving(t, ctx, tlsconn.Spec{})
	tcp, client := tcpPair(t)
	raw := &dying{Conn: tcp}
	c, err := s.Open(ctx, raw, idler(t, ctx))
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan struct{})
	go func() { established(client, w.trusting()); close(heard) }()
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	<-heard
	raw.last = func() {
		if err := process.Kill(ctx, c.PID()); err != nil {
			t.Error(err)
		}
		if _, err := process.Wait(ctx, c.PID()); err != nil {
			t.Error(err)
		}
	}
	err = c.SetWriteDeadline(time.Now().Add(time.Minute))
	if end, ok := errors.AsType[*tlsconn.EndError](err); !ok || end.How != tlsconn.Killed {
		t.Errorf("got %v", err)
	}
}
