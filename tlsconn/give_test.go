package tlsconn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
)

// A giver is an owner that gives its connection away when it is told to.
type giver struct {
	pid  process.PID
	tell chan process.PID
	told chan error
}

func newGiver(t *testing.T, ctx context.Context, conn func() *tlsconn.Conn) *giver {
	t.Helper()
	g := &giver{tell: make(chan process.PID), told: make(chan error)}
	var err error
	g.pid, err = process.Go(ctx, func(ctx context.Context) error {
		for {
			select {
			case to := <-g.tell:
				g.told <- conn().Give(ctx, to)
			case <-ctx.Done():
				return nil
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *giver) give(to process.PID) error {
	g.tell <- to
	return <-g.told
}

// given is a connection whose owner is a giver.
func given(t *testing.T) (*pair, *giver) {
	t.Helper()
	raw, wire := net.Pipe()
	return givenOver(t, raw, wire)
}

func givenOver(t *testing.T, raw, wire net.Conn) (*pair, *giver) {
	t.Helper()
	p := &pair{T: t, world: newWorld()}
	p.ctx, p.rec = node(t)
	p.server = p.world.serving(t, p.ctx, tlsconn.Spec{NoTickets: true})
	g := newGiver(t, p.ctx, func() *tlsconn.Conn { return p.conn })
	p.owner = g.pid
	p.wire = wire
	t.Cleanup(func() { wire.Close() })
	var err error
	if p.conn, err = p.server.Open(p.ctx, raw, p.owner); err != nil {
		t.Fatal(err)
	}
	return p, g
}

func (p *pair) shake() {
	p.Helper()
	p.client = tls.Client(p.wire, p.world.trusting())
	if err := p.client.Handshake(); err != nil {
		p.Fatal(err)
	}
	if err := p.conn.Handshake(p.ctx); err != nil {
		p.Fatal(err)
	}
}

// A connection goes to another process, and ends with that one, not with the
// first; the first can do nothing with it any more.
func TestGive(t *testing.T) {
	for _, established := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			p, g := given(t)
			if established {
				p.shake()
			}
			heir := idler(t, p.ctx)
			for range 2 { // to whom it belongs already it may be given again
				if err := g.give(g.pid); err != nil {
					t.Error(err)
				}
			}
			if err := g.give(heir); err != nil {
				t.Fatal(err)
			}
			if err := g.give(g.pid); !errors.Is(err, tlsconn.ErrNotOwner) {
				t.Errorf("given by who gave it away: %v", err)
			}
			if err := process.Kill(p.ctx, g.pid); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if !p.conn.PID().Alive() {
				t.Fatalf("it ended with its first owner: %v", p.conn.Err())
			}
			if err := process.Kill(p.ctx, heir); err != nil {
				t.Fatal(err)
			}
			go io.Copy(io.Discard, p.wire)
			p.wantEnd(tlsconn.OwnerGone, p.conn.State())
		})
	}
}

// Only the owner gives; to a dead process nothing is given, and the owner stays.
func TestGiveRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, g := given(t)
		heir, dead := idler(t, p.ctx), idler(t, p.ctx)
		if err := process.Kill(p.ctx, dead); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := p.conn.Give(p.ctx, heir); !errors.Is(err, tlsconn.ErrNotOwner) || !strings.Contains(err.Error(), g.pid.String()) {
			t.Errorf("given by the node: %v", err)
		}
		if err := g.give(dead); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("given to the dead: %v", err)
		}
		if err := g.give(process.PID{}); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("given to nobody: %v", err)
		}
		if err := g.give(heir); err != nil {
			t.Errorf("the owner has not stayed: %v", err)
		}
		if err := p.conn.Err(); err != nil {
			t.Errorf("a refusal ended it: %v", err)
		}
	})
}

// The story of the article: a server has a connection, whose handshake fails
// before it is handed to the process that shall serve it. There, the handing over
// said {error, closed}, and nothing else was said anywhere. Here it says what has
// happened, as it says to everybody.
func TestGiveAfterFailedHandshake(t *testing.T) {
	raw, wire := tcpPair(t)
	p, g := givenOver(t, raw, wire)
	heir := idler(t, p.ctx)
	p.client = tls.Client(p.wire, p.world.trusting(func(c *tls.Config) { c.RootCAs = p.world.clientRoot.Pool() }))
	if err := p.client.Handshake(); err == nil {
		t.Fatal("the client trusts anybody")
	}
	process.Wait(p.ctx, p.conn.PID())
	err := g.give(heir)
	f := faultOf(t, err)
	if f.Class != tlsconn.PeerRejectedUs || f.Stage != tlsconn.Negotiating || f.Blame != tlsconn.BlameUs {
		t.Errorf("the fault is %v", f)
	}
	for _, want := range []string{"cannot give the connection to " + heir.String(), "peer_rejected_us", "state negotiating", "bad certificate"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "closed") {
		t.Errorf("%q says closed", err)
	}
	if err := p.conn.Handshake(p.ctx); err != error(f) {
		t.Errorf("the handshake says %v", err)
	}
	if _, err := p.conn.Write([]byte("x")); err != error(f) {
		t.Errorf("a write says %v", err)
	}
	if events := p.rec.Events(reports); len(events) != 1 || events[0].Reason != error(f) || events[0].Level != process.LevelError {
		t.Errorf("reported:\n%v", p.rec)
	}
}

// To give a connection that is just ending, or was closed, says how it ended.
func TestGiveOfEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, g := given(t)
		p.shake()
		heir := idler(t, p.ctx)
		done := make(chan error)
		go func() { done <- p.conn.Close() }()
		time.Sleep(time.Millisecond) // it is saying goodbye, which nobody hears
		for _, when := range []string{"dying", "dead"} {
			err := g.give(heir)
			end, ok := errors.AsType[*tlsconn.EndError](err)
			if !ok || end.How != tlsconn.Closed || end.Stage != tlsconn.Established || !strings.Contains(err.Error(), "our side closed it") {
				t.Errorf("given when it is %s: %v", when, err)
			}
			if alive := p.conn.PID().Alive(); alive != (when == "dying") {
				t.Errorf("when it is %s, alive is %v", when, alive)
			}
			if when == "dying" {
				<-done
				synctest.Wait()
			}
		}
	})
}
