package tlsconn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/system"
	"github.com/coppice-go/coppice/tlsconn"
)

// A pair is an established connection over a net.Pipe, in a bubble.
type pair struct {
	*testing.T
	ctx    context.Context
	rec    *processtest.Recorder
	world  *world
	server *tlsconn.Server
	owner  process.PID
	conn   *tlsconn.Conn // ours
	wire   net.Conn      // the client's end of the pipe
	client *tls.Conn
}

func connect(t *testing.T, spec tlsconn.Spec, edit ...func(*tls.Config)) *pair {
	t.Helper()
	p := opened(t, spec)
	p.client = tls.Client(p.wire, p.world.trusting(edit...))
	shaken := make(chan error, 1)
	go func() { shaken <- p.client.Handshake() }()
	if err := p.conn.Handshake(p.ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	return p
}

// opened is one whose client has not said anything.
func opened(t *testing.T, spec tlsconn.Spec) *pair {
	t.Helper()
	p := &pair{T: t, world: newWorld()}
	p.ctx, p.rec = node(t)
	spec.NoTickets = true // or the client has to read them before it can write
	p.server = p.world.serving(t, p.ctx, spec)
	p.owner = idler(t, p.ctx)
	raw, wire := net.Pipe()
	p.wire = wire
	t.Cleanup(func() { wire.Close() })
	var err error
	if p.conn, err = p.server.Open(p.ctx, raw, p.owner); err != nil {
		t.Fatal(err)
	}
	return p
}

func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// wantEnd wants the process to have ended like that, and nothing to be reported.
func (p *pair) wantEnd(how tlsconn.How, stage tlsconn.State) error {
	p.Helper()
	reason, err := process.WaitFor(p.ctx, p.conn.PID(), time.Minute)
	if err != nil {
		p.Fatal(err)
	}
	end, ok := errors.AsType[*tlsconn.EndError](p.conn.Err())
	if !ok || end.How != how || end.Stage != stage || !errors.Is(end, net.ErrClosed) || end.ClassName() != how.String() {
		p.Errorf("the connection says %v, want %v in state %v", p.conn.Err(), how, stage)
	}
	if events := p.rec.Events(reports); len(events) > 0 {
		p.Errorf("reported:\n%v", p.rec)
	}
	if n := len(p.server.Counts()); n > 0 {
		p.Errorf("counted %v", p.server.Counts())
	}
	return reason
}

// wantGoodbye wants the client to be told that it is over.
func (p *pair) wantGoodbye() {
	p.Helper()
	// A pipe says EOF too, so the record has to be seen.
	saw := make([]byte, 100)
	if n, err := p.wire.Read(saw); err != nil || n < 7 {
		p.Errorf("the client saw %q, %v, want a goodbye", saw[:n], err)
	}
}

// Bytes go both ways, at once, and the end of them is clean on both sides.
func TestConversation(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := connect(t, tlsconn.Spec{ALPN: []string{"mqtt"}}, maxVersion(version), func(c *tls.Config) { c.NextProtos = []string{"mqtt"} })
				text := strings.Repeat("all work and no play ", 5000)
				results := make(chan error, 4)
				go func() { _, err := io.WriteString(p.client, text); results <- err }()
				go func() { _, err := io.WriteString(p.conn, text); results <- err }()
				go func() { results <- wantText(p.client, text) }()
				go func() { results <- wantText(p.conn, text) }()
				for range 4 {
					if err := <-results; err != nil {
						t.Error(err)
					}
				}
				if s := p.conn.ConnectionState(); s.Version != version || s.NegotiatedProtocol != "mqtt" || s.ServerName != "localhost" {
					t.Errorf("state %+v", s)
				}
				if p.conn.State() != tlsconn.Established || p.conn.Err() != nil || !p.conn.PID().Alive() || p.server.Info().Established != 1 {
					t.Errorf("state %v, error %v", p.conn.State(), p.conn.Err())
				}
				go p.client.Close()
				if n, err := p.conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("read %d, %v, want the peer's goodbye", n, err)
				}
				synctest.Wait()
				if p.conn.State() != tlsconn.Closing || p.conn.Err() != nil {
					t.Errorf("after the goodbye: state %v, error %v", p.conn.State(), p.conn.Err())
				}
				if n, err := p.conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("read %d, %v again", n, err)
				}
				if err := p.conn.Close(); err != nil {
					t.Error(err)
				}
				if reason := p.wantEnd(tlsconn.Closed, tlsconn.Closing); reason != nil {
					t.Errorf("reason %v", reason)
				}
			})
		})
	}
}

func wantText(r io.Reader, want string) error {
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		return err
	}
	if string(got) != want {
		return errors.New("another text arrived")
	}
	return nil
}

// Close says goodbye, can be called again, wakes who reads, and everything after
// it says what happened.
func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := connect(t, tlsconn.Spec{})
		read := make(chan error, 1)
		go func() { _, err := p.conn.Read(make([]byte, 1)); read <- err }()
		synctest.Wait()
		closed := make(chan error, 3)
		for range 3 {
			go func() { closed <- p.conn.Close() }()
		}
		p.wantGoodbye()
		for range 3 {
			if err := <-closed; err != nil {
				t.Error(err)
			}
		}
		if reason := p.wantEnd(tlsconn.Closed, tlsconn.Established); reason != nil {
			t.Errorf("reason %v", reason)
		}
		for name, err := range map[string]error{
			"the read that waited": <-read,
			"read":                 second(p.conn.Read(make([]byte, 1))),
			"write":                second(p.conn.Write([]byte("x"))),
			"deadline":             p.conn.SetDeadline(time.Now()),
			"half":                 p.conn.CloseWrite(),
		} {
			if end, ok := errors.AsType[*tlsconn.EndError](err); !ok || end.How != tlsconn.Closed {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := p.conn.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

func second[A any](_ A, err error) error { return err }

// A peer that reads nothing does not keep Close for longer than a second.
func TestCloseOfDeafPeer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := connect(t, tlsconn.Spec{})
		start := time.Now()
		if err := p.conn.Close(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Close: %v, want to hear that the peer was not told", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %v", took)
		}
		p.wantEnd(tlsconn.Closed, tlsconn.Established)
	})
}

// A Close while a write hangs does not wait for it.
func TestCloseDuringWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := connect(t, tlsconn.Spec{})
		wrote := make(chan error, 1)
		go func() { _, err := p.conn.Write([]byte("x")); wrote <- err }()
		synctest.Wait()
		start := time.Now()
		if err := p.conn.Close(); err != nil {
			t.Error(err)
		}
		if err := <-wrote; !errors.Is(err, net.ErrClosed) {
			t.Errorf("write: %v", err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v", took)
		}
		p.wantEnd(tlsconn.Closed, tlsconn.Established)
	})
}

// One direction can end before the other.
func TestCloseWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := connect(t, tlsconn.Spec{})
		heard := make(chan error, 1)
		go func() { heard <- until(p.client) }()
		if err := p.conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if err := <-heard; err != nil {
			t.Errorf("the client: %v", err)
		}
		synctest.Wait()
		if p.conn.State() != tlsconn.Closing {
			t.Errorf("state %v", p.conn.State())
		}
		go func() { io.WriteString(p.client, "answer"); p.client.Close() }()
		if all, err := io.ReadAll(p.conn); string(all) != "answer" || err != nil {
			t.Errorf("read %q, %v", all, err)
		}
		if _, err := p.conn.Write([]byte("x")); err == nil || p.conn.Err() != nil {
			t.Errorf("write after CloseWrite: %v; the connection says %v", err, p.conn.Err())
		}
		if err := p.conn.Close(); err != nil {
			t.Error(err)
		}
		p.wantEnd(tlsconn.Closed, tlsconn.Closing)
	})
}

// A peer that does not hear that keeps nobody for long, nor does it keep Close.
func TestCloseWriteOfDeafPeer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, closed := range []bool{false, true} {
			p := connect(t, tlsconn.Spec{})
			start := time.Now()
			done := make(chan error)
			go func() { done <- p.conn.CloseWrite() }()
			synctest.Wait()
			if closed {
				if err := p.conn.Close(); err != nil {
					t.Error(err)
				}
				if err := <-done; !errors.Is(err, net.ErrClosed) {
					t.Errorf("CloseWrite: %v", err)
				}
				p.wantEnd(tlsconn.Closed, tlsconn.Closing)
				if took := time.Since(start); took != 0 {
					t.Errorf("it took %v", took)
				}
				continue
			}
			if f := faultOf(t, <-done); f.Class != tlsconn.Stalled || time.Since(start) != time.Second {
				t.Errorf("after %v: %v", time.Since(start), f)
			}
		}
	})
}

// A read that meets its deadline can be tried again; a write that does has left
// half a record, and is the end.
func TestDeadlines(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := connect(t, tlsconn.Spec{})
		if err := p.conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		if err := p.conn.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		go io.WriteString(p.client, "x")
		if n, err := p.conn.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("read again: %d, %v", n, err)
		}
		if err := p.conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := p.conn.Write([]byte("x")) // which nobody reads
		if f := faultOf(t, err); f.Class != tlsconn.Stalled || f.Stage != tlsconn.Established || !f.Timeout() || !errors.Is(f, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v", f)
		}
		process.Wait(p.ctx, p.conn.PID())
		if n := p.server.Counts()[tlsconn.Stalled]; n != 1 {
			t.Errorf("counted %d", n)
		}
	})
}

// Before the connection is established, deadlines are refused, and what reads
// waits; so does a second Handshake.
func TestEarly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := opened(t, tlsconn.Spec{})
		if err := p.conn.SetDeadline(time.Now()); err == nil || p.conn.ConnectionState().HandshakeComplete {
			t.Errorf("deadline: %v", err)
		}
		read := make(chan error, 1)
		go func() { read <- wantText(p.conn, "hello") }()
		synctest.Wait()
		p.client = tls.Client(p.wire, p.world.trusting())
		if _, err := io.WriteString(p.client, "hello"); err != nil {
			t.Fatal(err)
		}
		if err := <-read; err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := p.conn.Handshake(p.ctx); err != nil {
				t.Error(err)
			}
		}
	})
}

// The connection ends with its owner, and says goodbye.
func TestOwnerEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := connect(t, tlsconn.Spec{})
		if err := process.Kill(p.ctx, p.owner); err != nil {
			t.Fatal(err)
		}
		p.wantGoodbye()
		reason := p.wantEnd(tlsconn.OwnerGone, tlsconn.Established)
		if !process.Clean(reason) || !errors.Is(reason, process.ErrKilled) {
			t.Errorf("reason %v", reason)
		}
	})
}

// A peer that does not hear the goodbye does not keep the process from being
// killed.
func TestKillDuringGoodbye(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := connect(t, tlsconn.Spec{})
		if err := process.Kill(p.ctx, p.owner); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		if !p.conn.PID().Alive() {
			t.Fatal("it does not say goodbye")
		}
		start := time.Now()
		if err := process.Kill(p.ctx, p.conn.PID()); err != nil {
			t.Fatal(err)
		}
		p.wantEnd(tlsconn.OwnerGone, tlsconn.Established) // nothing is abandoned
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v", took)
		}
	})
}

// So does one whose owner has ended before it began, in the middle of the
// handshake.
func TestOwnerIsGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := opened(t, tlsconn.Spec{})
		if err := process.Kill(p.ctx, p.owner); err != nil {
			t.Fatal(err)
		}
		if err := p.conn.Handshake(p.ctx); !errors.Is(err, process.ErrKilled) {
			t.Errorf("handshake: %v", err)
		}
		p.wantEnd(tlsconn.OwnerGone, tlsconn.Hello)
		raw, wire := net.Pipe()
		if _, err := p.server.Handshake(p.ctx, raw, p.owner); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("of a dead owner: %v", err)
		}
		if _, err := wire.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("its socket: %v", err)
		}
	})
}

// A kill closes the socket, in whatever state; who reads is told, and so is who
// gives.
func TestKill(t *testing.T) {
	for _, state := range []string{"established", "hello", "before it runs"} {
		t.Run(state, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var p *pair
				stage := tlsconn.Hello
				switch state {
				case "established":
					p, stage = connect(t, tlsconn.Spec{}), tlsconn.Established
				default:
					p = opened(t, tlsconn.Spec{})
				}
				read := make(chan error, 1)
				go func() { _, err := p.conn.Read(make([]byte, 1)); read <- err }()
				if state != "before it runs" {
					synctest.Wait()
				}
				if err := process.Kill(p.ctx, p.conn.PID()); err != nil {
					t.Fatal(err)
				}
				if reason := p.wantEnd(tlsconn.Killed, stage); reason != process.ErrKilled {
					t.Errorf("reason %v", reason)
				}
				for name, err := range map[string]error{
					"read": <-read, "give": p.conn.Give(p.ctx, p.owner), "handshake": handshakeOf(p),
				} {
					if err != nil && !errors.Is(err, process.ErrKilled) {
						t.Errorf("%s: %v", name, err)
					}
				}
				if _, err := p.wire.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("the client's end: %v", err)
				}
				synctest.Wait()
				for _, pid := range p.owner.Node().Processes() {
					if pid != p.owner && pid.Kind() != "server" { // the attendant
						t.Errorf("%v (%s) is left", pid, pid.Kind())
					}
				}
			})
		})
	}
}

func handshakeOf(p *pair) error {
	err := p.conn.Handshake(p.ctx)
	if err == nil && p.conn.State() < tlsconn.Established {
		return errors.New("it says that it was established")
	}
	return err
}

// Whoever waits for a handshake can stop waiting; then it is over.
func TestGiveUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := opened(t, tlsconn.Spec{})
		boring := errors.New("too boring")
		ctx, cancel := context.WithCancelCause(p.ctx)
		time.AfterFunc(time.Second, func() { cancel(boring) })
		if err := p.conn.Handshake(ctx); !errors.Is(err, boring) || !errors.Is(err, context.Canceled) {
			t.Errorf("handshake: %v", err)
		}
		p.wantEnd(tlsconn.GaveUp, tlsconn.Hello)
	})
}

// The deadline of the ctx is that of the handshake, and the peer's fault.
func TestHandshakeDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := opened(t, tlsconn.Spec{})
		raw, _ := net.Pipe()
		ctx, cancel := context.WithTimeout(p.ctx, 2*time.Second)
		defer cancel()
		start := time.Now()
		c, err := p.server.Handshake(ctx, raw, p.owner)
		if f := faultOf(t, err); c != nil || f.Class != tlsconn.HandshakeTimeout || f.Blame != tlsconn.BlamePeer || !f.Timeout() {
			t.Errorf("got %v, %v", c, f)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A hook that panics is a crash: with the stack, the class and the cause.
func TestHelperPanics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, rec := node(t)
		spec := tlsconn.ClientSpec{Address: "nowhere:1", Files: newWorld().clientFiles(t, nil)}
		spec.Dialer = func(context.Context, string, string) (net.Conn, error) { panic("no dialer") }
		_, err := tlsconn.Dial(ctx, spec)
		f := faultOf(t, err)
		crash, ok := errors.AsType[*process.PanicError](err)
		if f.Class != tlsconn.Internal || f.Blame != tlsconn.BlameUs || !ok || crash.Value != "no dialer" {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if n := len(rec.Events(process.Network)); n != 1 {
			t.Errorf("%d events:\n%v", n, rec)
		}
		if n := len(rec.Events(process.Crashed)); n != 2 { // the helper, and the connection that it was part of
			t.Errorf("%d crash reports:\n%v", n, rec)
		}
	})
}

// What is linked to a connection ends it, if it crashes.
func TestLinked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := connect(t, tlsconn.Spec{})
		boom := errors.New("boom")
		go until(p.client)
		for _, reason := range []error{nil, process.ErrShutdown, boom} {
			if _, err := process.Go(process.Uninterrupted(p.ctx), func(ctx context.Context) error {
				if err := process.Link(ctx, p.conn.PID()); err != nil {
					return err
				}
				return reason
			}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if alive := p.conn.PID().Alive(); alive != process.Clean(reason) {
				t.Errorf("after a linked process ended with %v: alive is %v", reason, alive)
			}
		}
		if err := p.conn.Err(); !errors.Is(err, boom) {
			t.Errorf("it says %v", err)
		}
	})
}

// What tools show of a connection is not its key.
func TestShown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := connect(t, tlsconn.Spec{})
		state, err := system.Status(p.ctx, p.conn.PID())
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("%v %+v %#v %v", state, state, p.conn, process.Format(p.conn))
		for _, want := range []string{"established", "localhost", "TLS_AES", "TLS 1.3", p.owner.String()} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in %s", want, text)
			}
		}
		if key := pki.Leaked(p.world.server.Key, text); key != "" {
			t.Errorf("the key is shown: %s", key)
		}
	})
}

// A server that is not started has no certificate to show.
func TestNotStarted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, _ := node(t)
		raw, wire := net.Pipe()
		if _, err := tlsconn.NewServer(tlsconn.Spec{}).Handshake(ctx, raw, process.PID{}); err == nil || !strings.Contains(err.Error(), "not started") {
			t.Errorf("handshake: %v", err)
		}
		if _, err := wire.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("its socket: %v", err)
		}
	})
}
