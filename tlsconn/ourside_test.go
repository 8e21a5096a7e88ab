package tlsconn_test

import (
	"errors"
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
