package acceptor_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A parlour is a listener on a socket of the system, whose peers are silent at times.
// What happens there is the same whether its connections keep their readers or not.
type parlour struct {
	*test
	rests bool
	way   string
	addr  net.Addr
	trust *tls.Config // of its clients; nil: it speaks no TLS
}

var ways = []string{"tcp", "unix", "proxy", "tls", "tls behind proxy", "starttls"}

// parlours runs f on both paths, over everything that a connection can go through.
func parlours(t *testing.T, edit func(*acceptor.Spec, *acceptor.Protocol[guest]), f func(*parlour)) {
	for _, way := range ways {
		for path, silence := range map[string]time.Duration{"keeps": process.Infinity, "rests": 2 * time.Millisecond} {
			t.Run(way+" "+path, func(t *testing.T) { parlourOf(t, way, silence, edit, f) })
		}
	}
}

func parlourOf(t *testing.T, way string, silence time.Duration, edit func(*acceptor.Spec, *acceptor.Protocol[guest]), f func(*parlour)) {
	p := &parlour{test: &test{T: t, host: &host{gate: make(chan struct{})}, log: &processtest.Recorder{}}, way: way, rests: silence > 0}
	p.ctx = processtest.Node(t, process.NodeSpec{Probe: p.log})
	protocol := p.host.protocol()
	spec := acceptor.Spec{Name: "street", Address: "127.0.0.1:0", Silence: silence}
	if way == "unix" {
		spec.Network, spec.Address = "unix", t.TempDir()+"/s"
	}
	if strings.HasSuffix(way, "proxy") {
		spec.Proxy = &acceptor.Proxy{Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Required: true}
	}
	if strings.Contains(way, "tls") {
		root := pki.CA("root")
		written := root.Server("localhost").Write(t, t.TempDir())
		secure := tlsconn.NewServer(tlsconn.Spec{Files: identity.Files{Cert: written.Cert, Key: written.Key, Roots: written.CA}})
		if way == "starttls" {
			spec.Upgrade = secure
			protocol.Frame = upgrading(protocol.Frame)
		} else {
			spec.Transport = secure
		}
		p.trust = &tls.Config{RootCAs: root.Pool(), ServerName: "localhost"}
	}
	if edit != nil {
		edit(&spec, &protocol)
	}
	spec.Protocol = protocol
	var err error
	if p.pid, err = acceptor.Start(p.ctx, spec); err != nil {
		t.Fatal(err)
	}
	if p.addr, err = acceptor.Addr(p.ctx, p.pid); err != nil {
		t.Fatal(err)
	}
	f(p)
}

func upgrading(inner func(context.Context, *guest, []byte) error) func(context.Context, *guest, []byte) error {
	return func(ctx context.Context, g *guest, line []byte) error {
		if string(line) != "starttls" {
			return inner(ctx, g, line)
		}
		if _, err := io.WriteString(g.conn, "go ahead\n"); err != nil {
			return err
		}
		return g.conn.Upgrade(ctx)
	}
}

// A visitor is a client, and the socket below it.
type visitor struct {
	*client
	socket net.Conn
}

// enter connects one, and has it say something.
func (p *parlour) enter() *visitor {
	p.Helper()
	c := dial(p.T, p.addr)
	v := &visitor{c, c.Conn}
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		p.Fatal(err)
	}
	if p.way == "proxy" || p.way == "tls behind proxy" {
		c.send(p.T, line1)
	}
	if p.way == "starttls" {
		p.calm() // it rests before it has said anything, and is upgraded then
		c.send(p.T, "starttls\n")
		c.want(p.T, "go ahead")
	}
	if p.trust != nil {
		t := tls.Client(c.Conn, p.trust)
		if err := t.Handshake(); err != nil {
			p.Fatal(err)
		}
		c.Conn, c.in = t, bufio.NewReader(t)
	}
	c.send(p.T, "x\n")
	c.want(p.T, "echo: x")
	return v
}

// until waits for something.
func (p *parlour) until(what string, ok func() bool) {
	p.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatalf("not within 10 s: %s", what)
		}
	}
}

func (p *parlour) processes(kind string) (out []process.PID) {
	for _, pid := range p.pid.Node().Processes() {
		if pid.Is(kind) {
			out = append(out, pid)
		}
	}
	return out
}

// calm waits until the connections rest, if they do.
func (p *parlour) calm() {
	p.Helper()
	if p.rests {
		p.until("no reader is left", func() bool { return len(p.processes("reader")) == 0 })
		return
	}
	time.Sleep(10 * time.Millisecond)
	n := p.info().Connections
	if got := len(p.processes("reader")); got != n {
		p.Errorf("%d connections have %d readers", n, got)
	}
}

// ended waits until no connection is left, and wants them to have ended so.
func (p *parlour) ended(want ends) {
	p.Helper()
	if err := acceptor.WaitForConnections(p.ctx, p.pid, "==", 0); err != nil {
		p.Fatal(err)
	}
	if got := p.info().Ends; want != nil && !maps.Equal(got, want) {
		p.Errorf("ended %v, want %v", got, want)
	}
	p.until("every reader is gone", func() bool { return len(p.processes("reader")) == 0 })
}

// gone wants that the other side has closed the connection, however.
func (v *visitor) gone(t *testing.T) {
	t.Helper()
	if rest, err := io.ReadAll(v.in); len(rest) > 0 || os.IsTimeout(err) {
		t.Errorf("got %q, %v; want the end of the connection", rest, err)
	}
}

// Frames come through silences whole and in order, wherever those fall; and so do the
// messages of others.
func TestSilence(t *testing.T) {
	parlours(t, nil, func(p *parlour) {
		a, b := p.enter(), p.enter()
		p.calm()
		a.send(p.T, "one\n")
		a.want(p.T, "echo: one")
		p.calm()
		a.send(p.T, "ha")
		time.Sleep(10 * time.Millisecond)
		p.calm() // in the middle of a frame
		b.send(p.T, "two\nthree\nfo")
		b.want(p.T, "echo: two")
		b.want(p.T, "echo: three")
		p.calm()
		a.send(p.T, "lf\n")
		a.want(p.T, "echo: half")
		p.calm()
		if err := server.Cast(p.ctx, p.host.guest(0), Deliver{"hear, hear"}); err != nil {
			p.Error(err)
		}
		a.want(p.T, "news: hear, hear")
		p.calm()
		long := strings.Repeat("long ", 4000)
		for part := range 8 {
			a.send(p.T, long[part*len(long)/8:(part+1)*len(long)/8])
			time.Sleep(3 * time.Millisecond) // it rests, or is about to
		}
		a.send(p.T, "\n")
		a.want(p.T, "echo: "+long)
		p.calm()
		b.send(p.T, "ur\n")
		b.want(p.T, "echo: four")
		a.Close()
		p.calm()
		b.Close()
		p.ended(ends{"closed": 2})
	})
}

// How a silent connection ends, and what that is counted as.
func TestSilenceEnds(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*acceptor.Spec, *acceptor.Protocol[guest])
		do   func(*parlour, *visitor)
		ends string
		tls  string // over TLS, if another
	}{
		"goodbye": {do: func(p *parlour, v *visitor) { v.Close() }, ends: "closed"},
		"cut off": {do: func(p *parlour, v *visitor) { v.socket.Close() }, ends: "closed", tls: "truncated"},
		"truncated": {edit: func(_ *acceptor.Spec, pr *acceptor.Protocol[guest]) {
			pr.Split = func(data []byte, _ bool) (int, []byte, error) { return bufio.ScanLines(data, false) }
		}, do: func(p *parlour, v *visitor) { v.send(p.T, "ha"); p.calm(); v.socket.Close() }, ends: "truncated"},
		"killed": {do: func(p *parlour, v *visitor) {
			for _, pid := range p.conns() {
				if err := process.Kill(p.ctx, pid); err != nil {
					p.Error(err)
				}
			}
			v.gone(p.T)
		}, ends: "killed"},
		"idle": {edit: func(_ *acceptor.Spec, pr *acceptor.Protocol[guest]) { pr.Idle = 100 * time.Millisecond }, do: func(p *parlour, v *visitor) {
			v.gone(p.T)
		}, ends: "idle"},
		"drained": {edit: func(_ *acceptor.Spec, pr *acceptor.Protocol[guest]) {
			pr.Drain = func(_ context.Context, g *guest) error {
				_, err := fmt.Fprintln(g.conn, "we close")
				return err
			}
		}, do: func(p *parlour, v *visitor) {
			done := make(chan error)
			go func() { done <- acceptor.Drain(p.ctx, p.pid, 10*time.Second) }()
			v.want(p.T, "we close")
			v.send(p.T, "bye\n")
			v.gone(p.T)
			if err := <-done; err != nil {
				p.Error(err)
			}
		}, ends: "normal"},
		"its own message": {do: func(p *parlour, v *visitor) {
			if err := server.Cast(p.ctx, p.host.guest(0), leaves{}); err != nil {
				p.Error(err)
			}
			v.gone(p.T)
		}, ends: "normal"},
		"its socket": {do: func(p *parlour, v *visitor) { // closed by whoever has got hold of it
			if err := p.host.conn(0).NetConn().Close(); err != nil {
				p.Error(err)
			}
			v.gone(p.T)
		}, ends: "shutdown", tls: "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			parlours(t, c.edit, func(p *parlour) {
				v := p.enter()
				p.calm()
				c.do(p, v)
				class := c.ends
				if p.trust != nil && c.tls != "" {
					class = c.tls
				}
				p.ended(ends{class: 1})
			})
		})
	}
}

// leaves ends a connection.
type leaves struct{}

func (leaves) Handle(context.Context, *guest) error { return server.Stop(nil) }

func (p *parlour) conns() (out []process.PID) {
	p.Helper()
	list, err := acceptor.Connections(p.ctx, p.pid)
	if err != nil {
		p.Fatal(err)
	}
	for _, c := range list {
		out = append(out, c.PID)
	}
	return out
}

// The end of the process that TLS has for a silent connection is the connection's.
func TestSilenceTransportKilled(t *testing.T) {
	for _, way := range []string{"tls", "starttls"} {
		parlourOf(t, way, 2*time.Millisecond, nil, func(p *parlour) {
			v := p.enter()
			p.calm()
			for _, pid := range p.pid.Node().Processes() {
				if pid.Path() == "tls" {
					if err := process.Kill(p.ctx, pid); err != nil {
						p.Error(err)
					}
				}
			}
			v.gone(p.T)
			p.ended(ends{"killed": 1})
		})
	}
}

// Whoever of the lookout dies, nobody goes unheard, and the descriptor is not left.
func TestLookoutKilled(t *testing.T) {
	parlourOf(t, "tcp", 2*time.Millisecond, nil, func(p *parlour) {
		var all []*visitor
		for range 20 {
			all = append(all, p.enter())
		}
		p.calm()
		files := descriptors(p.T)
		for i := range 6 {
			lookout, err := supervisor.WhichChild(p.ctx, p.pid, "lookout")
			if err != nil {
				p.Fatal(err)
			}
			who := lookout.PID
			if i%2 == 1 {
				who = p.processes("lookout")[0]
			}
			if err := process.Kill(p.ctx, who); err != nil {
				p.Error(err)
			}
			for _, v := range all {
				v.send(p.T, "y\n")
				v.want(p.T, "echo: y")
			}
			p.calm()
		}
		p.until("as many descriptors as before", func() bool { return len(descriptors(p.T)) == len(files) })
		for _, v := range all {
			v.Close()
		}
		p.ended(ends{"closed": 20})
	})
}

// A connection whose socket somebody has got hold of keeps its reader, which has to
// notice if it is closed; also one that rested before.
func TestExposed(t *testing.T) {
	parlourOf(t, "tcp", 2*time.Millisecond, nil, func(p *parlour) {
		v := p.enter()
		p.calm()
		if p.host.conn(0).NetConn() == nil {
			p.Error("there is no socket")
		}
		for range 3 {
			p.until("there is a reader", func() bool { return len(p.processes("reader")) == 1 })
			time.Sleep(10 * time.Millisecond)
		}
		v.send(p.T, "y\n")
		v.want(p.T, "echo: y")
		v.Close()
		p.ended(ends{"closed": 1})
	})
}

// Many silent connections have no goroutine each, and one descriptor each: there is one
// more of both for all. Nothing is left when the listener stops.
func TestSilenceCosts(t *testing.T) {
	before := descriptors(t)
	t.Cleanup(func() {
		if after := descriptors(t); len(after) > len(before)+1 { // Go's own poller may be new
			t.Errorf("descriptors before: %v\nafter: %v", before, after)
		}
	})
	for _, way := range []string{"tcp", "tls"} {
		parlourOf(t, way, 2*time.Millisecond, nil, func(p *parlour) {
			p.enter().Close()
			p.ended(nil)
			p.calm()
			goroutines, files := runtime.NumGoroutine(), len(descriptors(t))
			const n = 200
			for range n {
				p.enter()
			}
			p.calm()
			p.until("no goroutines more", func() bool { return runtime.NumGoroutine() <= goroutines })
			if got, want := len(descriptors(t)), files+2*n; got != want { // both ends are ours
				t.Errorf("%d descriptors, want %d", got, want)
			}
			if err := process.Stop(p.ctx, p.pid, process.ErrShutdown); err != nil {
				t.Error(err)
			}
			if left := p.processes("reader"); len(left) > 0 {
				t.Errorf("readers are left: %v", left)
			}
		})
	}
}

// A Subtree's connection rests too, and its tree lives on meanwhile.
func TestSilenceSubtree(t *testing.T) {
	h := &host{gate: make(chan struct{})}
	ctx := processtest.Context(t)
	tree := func(_ context.Context, c *acceptor.Conn) (supervisor.Spec, error) {
		p := h.protocol()
		p.New = func(context.Context, *acceptor.Conn) (*guest, error) { return &guest{c, h}, nil }
		return supervisor.Spec{Children: []supervisor.Child{acceptor.Speaker(c, p)}}, nil
	}
	pid, err := acceptor.Start(ctx, acceptor.Spec{Name: "street", Address: "127.0.0.1:0", Silence: 2 * time.Millisecond,
		Protocol: acceptor.Subtree{Tree: tree}})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, pid)
	if err != nil {
		t.Fatal(err)
	}
	p := &parlour{test: &test{T: t, ctx: ctx, pid: pid, host: h}, way: "tcp", rests: true, addr: addr}
	a, b := p.enter(), p.enter()
	for range 3 {
		p.calm()
		a.send(t, "y\n")
		a.want(t, "echo: y")
	}
	p.calm()
	a.Close()
	for _, pid := range p.pid.Node().Processes() {
		if strings.HasSuffix(pid.Path(), "/speaker") && pid.Alive() {
			if err := process.Kill(ctx, pid); err != nil {
				t.Error(err)
			}
		}
	}
	b.gone(t)
	p.ended(nil)
	if got := p.info().Ends; got["killed"] < 1 || got["killed"]+got["closed"] != 2 {
		t.Errorf("ended %v, want two, at least one of them killed", got)
	}
}
