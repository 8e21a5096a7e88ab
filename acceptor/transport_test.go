package acceptor_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
)

// hello is a transport whose peers say hello first.
type hello struct {
	err     error // what Handshake returns at once
	heeds   bool  // ctx
	starts  *atomic.Int64
	started func(context.Context) (process.PID, error)
}

func (h hello) Start(ctx context.Context) (process.PID, error) {
	if h.starts != nil {
		h.starts.Add(1)
	}
	if h.started == nil {
		return process.PID{}, process.ErrIgnore
	}
	return h.started(ctx)
}

func (h hello) Handshake(ctx context.Context, raw net.Conn, _ process.PID) (net.Conn, error) {
	if h.err != nil {
		return nil, h.err
	}
	if h.heeds {
		defer context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })()
	}
	b := make([]byte, 6)
	if _, err := io.ReadFull(raw, b); err != nil {
		return nil, err
	}
	return shouting{raw}, nil
}

// shouting writes in capitals.
type shouting struct{ net.Conn }

func (s shouting) Write(b []byte) (int, error) {
	return s.Conn.Write([]byte(strings.ToUpper(string(b))))
}

// over has a listener's connections go through a transport.
func over(tr acceptor.Transport) func(*acceptor.Spec, *acceptor.Protocol[guest]) {
	return func(s *acceptor.Spec, p *acceptor.Protocol[guest]) {
		s.Transport = tr
		p.Open = func(_ context.Context, g *guest) error { _, err := io.WriteString(g.conn, "welcome\n"); return err }
	}
}

func TestTransport(t *testing.T) {
	edit := func(s *acceptor.Spec, p *acceptor.Protocol[guest]) {
		over(hello{})(s, p)
		inner := p.New
		p.New = func(ctx context.Context, c *acceptor.Conn) (*guest, error) {
			if _, err := c.Write([]byte("early")); err != acceptor.ErrNotOpen {
				t.Errorf("Write in New: %v, want %v", err, acceptor.ErrNotOpen)
			}
			return inner(ctx, c)
		}
	}
	bubble(t, edit, func(t *test) {
		c := t.street.dial()
		c.send(t.T, "hello\n")
		c.want(t.T, "WELCOME")
		c.send(t.T, "x\n")
		c.want(t.T, "ECHO: X")
		c.Close()
		t.wantOpen(0)
		t.wantEnds("closed")
	})
}

// wantEnds wants these ends to have been counted, and no other.
func (t *test) wantEnds(classes ...string) {
	t.Helper()
	got := t.info().Ends
	total := uint64(0)
	for _, n := range got {
		total += n
	}
	for _, c := range classes {
		if got[c] == 0 {
			t.Errorf("counted %v, want %q among them", got, c)
		}
	}
	if total != uint64(len(classes)) {
		t.Errorf("counted %v, want %q", got, classes)
	}
}

// noMatch is an error that says what it is.
type noMatch struct{}

func (noMatch) Error() string     { return "nothing in common" }
func (noMatch) ClassName() string { return "no_common_version" }

func TestHandshakeFails(t *testing.T) {
	late := func(d time.Duration) func(*test, *client) {
		return func(t *test, _ *client) {
			time.Sleep(d - ms)
			t.wantOpen(1)
			time.Sleep(2 * ms)
		}
	}
	for name, c := range map[string]struct {
		tr    hello
		do    func(*test, *client)
		want  error
		class string
	}{
		"an error":                {tr: hello{err: errBoom}, want: errBoom, class: "handshake_failed"},
		"an error with its class": {tr: hello{err: noMatch{}}, want: noMatch{}, class: "no_common_version"},
		"the peer goes":           {do: func(_ *test, c *client) { c.Close() }, want: io.EOF, class: "handshake_failed"},
		"too slow":                {tr: hello{heeds: true}, do: late(5 * time.Second), want: process.ErrTimeout, class: "handshake_timeout"},
		"too slow, without ctx":   {do: late(6 * time.Second), want: process.ErrTimeout, class: "handshake_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, over(c.tr), func(t *test) {
				cl := t.street.dial()
				if c.do != nil {
					synctest.Wait()
					c.do(t, cl)
				}
				t.wantOpen(0)
				if ends := t.host.reasons(); len(ends) != 1 || !errors.Is(ends[0], c.want) || !process.Clean(ends[0]) {
					t.Errorf("Terminate was told %v, want %v", ends, c.want)
				}
				t.wantEnds(c.class)
				cl.wantEnd(t.T)
			})
		})
	}
}

// A Handshake that returns nothing is broken: that is a crash.
func TestHandshakeReturnsNothing(t *testing.T) {
	bubble(t, over(nothing{}), func(t *test) {
		t.street.dial().wantEnd(t.T)
		t.wantOpen(0)
		t.wantEnds("crashed")
	})
}

type nothing struct{ hello }

func (nothing) Handshake(context.Context, net.Conn, process.PID) (net.Conn, error) { return nil, nil }

// Processes of the transport belong to the connection, and their ends are not
// the protocol's business.
func TestTransportsProcess(t *testing.T) {
	for name, c := range map[string]struct {
		reason error
		class  string
	}{
		"its crash is the connection's":  {errBoom, "crashed"},
		"its clean end the reader tells": {process.Shutdown(noMatch{}), "no_common_version"},
	} {
		t.Run(name, func(t *testing.T) {
			var gone chan struct{}
			bubble(t, func(s *acceptor.Spec, p *acceptor.Protocol[guest]) {
				gone = make(chan struct{}) // in the bubble
				s.Transport = helped{reason: c.reason, now: gone}
				p.Exit = func(_ context.Context, _ *guest, x process.ExitSignal) error {
					t.Errorf("the protocol's Exit was told %v", x.Reason)
					return nil
				}
			}, func(t *test) {
				cl := t.street.dial()
				t.wantOpen(1)
				close(gone)
				t.wantOpen(0)
				t.wantEnds(c.class)
				cl.wantEnd(t.T)
			})
		})
	}
}

// helped has a process that ends for a reason.
type helped struct {
	hello
	reason error
	now    chan struct{}
}

func (h helped) Handshake(ctx context.Context, raw net.Conn, owner process.PID) (net.Conn, error) {
	_, err := process.Go(ctx, func(ctx context.Context) error {
		if err := process.Link(ctx, owner); err != nil {
			return err
		}
		<-h.now
		return h.reason
	})
	return raw, err
}

// The transport is started before the address is bound; what it refuses to
// start with, so does the listener.
func TestTransportDoesNotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, street := processtest.Context(t), newStreet()
		_, err := acceptor.Start(ctx, acceptor.Spec{Address: ":0", Bind: street.bind, Protocol: (&host{}).protocol(),
			Transport: hello{started: func(context.Context) (process.PID, error) { return process.PID{}, errBoom }}})
		if !errors.Is(err, errBoom) {
			t.Errorf("Start: %v, want %v", err, errBoom)
		}
		if bound, _ := street.counts(); bound != 0 {
			t.Error("it was bound all the same")
		}
	})
}

// When the transport's process ends it is started again, and the port after it;
// the connections live on. It ends with the listener.
func TestTransportRestarts(t *testing.T) {
	var starts atomic.Int64
	var last atomic.Pointer[process.PID]
	tr := hello{starts: &starts, started: func(ctx context.Context) (process.PID, error) {
		pid, err := process.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
		last.Store(&pid)
		return pid, err
	}}
	bubble(t, over(tr), func(t *test) {
		talk := func() *client {
			c := t.street.dial()
			c.send(t.T, "hello\n")
			c.want(t.T, "WELCOME")
			return c
		}
		a := talk()
		if err := process.Kill(t.ctx, *last.Load()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b := talk()
		a.send(t.T, "x\n")
		a.want(t.T, "ECHO: X")
		if bound, _ := t.street.counts(); starts.Load() != 2 || bound != 2 {
			t.Errorf("started %d times, bound %d times; want 2 and 2", starts.Load(), bound)
		}
		a.Close()
		b.Close()
		t.wantOpen(0)
		if err := process.Stop(t.ctx, t.pid, process.ErrShutdown); err != nil {
			t.Error(err)
		}
		if last.Load().Alive() {
			t.Error("the transport's process outlived its listener")
		}
	})
}

// A connection that is not open yet when the listener is drained opens, and is then
// told to finish.
func TestDrainInHandshake(t *testing.T) {
	bubble(t, func(s *acceptor.Spec, p *acceptor.Protocol[guest]) {
		over(hello{})(s, p)
		p.Drain = func(_ context.Context, g *guest) error {
			if _, err := io.WriteString(g.conn, "closing\n"); err != nil {
				return err
			}
			return server.Stop(nil)
		}
	}, func(t *test) {
		c := t.street.dial()
		t.wantOpen(1)
		done := make(chan error)
		go func() { done <- acceptor.Drain(t.ctx, t.pid, time.Minute) }()
		synctest.Wait()
		c.send(t.T, "hello\n")
		c.want(t.T, "WELCOME")
		c.want(t.T, "CLOSING")
		c.wantEnd(t.T)
		if err := <-done; err != nil {
			t.Error(err)
		}
		t.wantEnds("normal")
	})
}
