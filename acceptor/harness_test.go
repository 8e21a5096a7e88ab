package acceptor_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBoom = errors.New("boom")

// A guest is the state of the connections of these tests. Their frames are
// lines.
type guest struct {
	conn *acceptor.Conn
	host *host
}

// A host is what the guests of one test share.
type host struct {
	mu     sync.Mutex
	guests []server.Ref[guest]
	conns  []*acceptor.Conn // theirs
	ends   []error          // reasons given to Terminate
	gate   chan struct{}
}

func (h *host) guest(i int) server.Ref[guest] {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.guests[i]
}

// conn is a guest's, for a test that knows that its process is not using it.
func (h *host) conn(i int) *acceptor.Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conns[i]
}

func (h *host) reasons() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]error(nil), h.ends...)
}

// protocol answers "echo: " and the line, and obeys a few words.
func (h *host) protocol() acceptor.Protocol[guest] {
	return acceptor.Protocol[guest]{
		New: func(ctx context.Context, c *acceptor.Conn) (*guest, error) {
			ref, err := server.As[guest](process.Self(ctx))
			h.mu.Lock()
			defer h.mu.Unlock()
			h.guests, h.conns = append(h.guests, ref), append(h.conns, c)
			return &guest{c, h}, err
		},
		Split: bufio.ScanLines,
		Frame: (&guest{}).frame,
		Terminate: func(_ context.Context, g *guest, reason error) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.ends = append(h.ends, reason)
			return nil
		},
	}
}

func (*guest) frame(_ context.Context, g *guest, line []byte) error {
	switch string(line) {
	case "panic":
		panic(errBoom)
	case "fail":
		return errBoom
	case "bye":
		return server.Stop(nil)
	case "wait":
		<-g.host.gate
	}
	_, err := fmt.Fprintf(g.conn, "echo: %s\n", line)
	return err
}

// Deliver is a message of other processes to a guest.
type Deliver struct{ text string }

func (m Deliver) Handle(_ context.Context, g *guest) error {
	_, err := fmt.Fprintf(g.conn, "news: %s\n", m.text)
	return err
}

// Ping is a question to a guest.
type Ping struct{}

func (Ping) Handle(context.Context, *guest) (string, error) { return "pong", nil }

// SetIdle changes how long the peer may be silent.
type SetIdle struct{ d time.Duration }

func (m SetIdle) Handle(_ context.Context, g *guest) error { g.conn.SetIdle(m.d); return nil }

// A street is a listening socket without an operating system: it works in a
// bubble, and gives any error that it is told to.
type street struct {
	mu     sync.Mutex
	bound  int // how often
	calls  int // of Accept
	given  uint64
	errs   []error
	queue  chan net.Conn
	closed chan struct{}
	ports  []string // the addresses that it was bound to

	exclusive bool           // an address that is open cannot be opened again
	open      map[string]int // doors, by address
	taken     map[string]bool
}

func newStreet() *street { return &street{queue: make(chan net.Conn, 1<<16)} }

func (s *street) bind(_ context.Context, _, address string) (net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bound++
	s.ports = append(s.ports, address)
	if strings.HasSuffix(address, ":0") {
		address = "street:1"
	}
	if s.taken[address] || s.exclusive && s.open[address] > 0 {
		return nil, &acceptor.BindError{Network: "street", Address: address, Err: syscall.EADDRINUSE}
	}
	s.closed = make(chan struct{})
	s.mark(address, 1)
	return &door{street: s, closed: s.closed, at: address}, nil
}

func (s *street) mark(address string, n int) {
	if s.open == nil {
		s.open = make(map[string]int)
	}
	if s.open[address] += n; s.open[address] == 0 {
		delete(s.open, address)
	}
}

// take has somebody else listen at that address, or not any more.
func (s *street) take(address string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == nil {
		s.taken = make(map[string]bool)
	}
	s.taken[address] = on
}

// dial connects a client.
func (s *street) dial() *client {
	ours, theirs := net.Pipe()
	s.queue <- theirs
	return &client{Conn: ours, in: bufio.NewReader(ours)}
}

// fail lets the next calls of Accept fail with these errors.
func (s *street) fail(errs ...error) {
	s.mu.Lock()
	s.errs = append(s.errs, errs...)
	s.mu.Unlock()
	for range errs {
		s.queue <- nil // wake somebody
	}
}

func (s *street) counts() (bound, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound, s.calls
}

// A door is one listening socket of a street.
type door struct {
	*street
	closed chan struct{}
	at     string
}

func (d *door) Accept() (net.Conn, error) {
	d.mu.Lock()
	d.calls++
	d.mu.Unlock()
	select {
	case <-d.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-d.queue:
		d.mu.Lock()
		defer d.mu.Unlock()
		if c != nil {
			d.given++
			return c, nil
		}
		err := d.errs[0]
		d.errs = d.errs[1:]
		return nil, &net.OpError{Op: "accept", Err: err}
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *door) Close() error {
	close(d.closed)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mark(d.at, -1)
	return nil
}

func (d *door) Addr() net.Addr { return address(d.at) }

type address string

func (address) Network() string  { return "street" }
func (a address) String() string { return string(a) }

// A client talks to a listener in lines.
type client struct {
	net.Conn
	in *bufio.Reader
}

func (c *client) send(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Errorf("send %q: %v", text, err)
	}
}

func (c *client) want(t *testing.T, line string) {
	t.Helper()
	got, err := c.in.ReadString('\n')
	if err != nil || strings.TrimSuffix(got, "\n") != line {
		t.Errorf("got %q, %v; want %q", got, err, line)
	}
}

// wantEnd wants the connection closed by the other side.
func (c *client) wantEnd(t *testing.T) {
	t.Helper()
	if rest, err := io.ReadAll(c.in); len(rest) > 0 || err != nil && err != io.ErrClosedPipe {
		t.Errorf("got %q, %v; want the end of the connection", rest, err)
	}
}

// A test is one listener in a bubble.
type test struct {
	*testing.T
	ctx    context.Context
	street *street
	host   *host
	pid    process.PID
	log    *processtest.Recorder
}

// bubble runs f with a listener. edit may change what it is.
func bubble(t *testing.T, edit func(*acceptor.Spec, *acceptor.Protocol[guest]), f func(t *test)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &test{T: t, street: newStreet(), host: &host{gate: make(chan struct{})}, log: &processtest.Recorder{}}
		b.ctx = processtest.Node(t, process.NodeSpec{Probe: b.log})
		p := b.host.protocol()
		spec := acceptor.Spec{Name: "street", Address: "street:0", Bind: b.street.bind}
		if edit != nil {
			edit(&spec, &p)
		}
		spec.Protocol = p
		var err error
		if b.pid, err = acceptor.Start(b.ctx, spec); err != nil {
			t.Fatal(err)
		}
		f(b)
	})
}

func (t *test) info() acceptor.Info {
	t.Helper()
	info, err := acceptor.GetInfo(t.ctx, t.pid)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// open is how many connections there are.
func (t *test) wantOpen(n int) {
	t.Helper()
	synctest.Wait()
	if got := t.info().Connections; got != n {
		t.Errorf("there are %d connections, want %d", got, n)
	}
}

// child finds a process of the listener by its path below it.
func (t *test) child(path string) process.PID {
	t.Helper()
	for _, pid := range t.pid.Node().Processes() {
		if strings.HasSuffix(pid.Path(), path) {
			return pid
		}
	}
	t.Fatalf("no process %s", path)
	return process.PID{}
}

// detail is what an event says beyond its text.
func detail(e process.Event, key string) (text string) {
	if e.Detail != nil {
		e.Detail.Each(func(k string, v any) {
			if k == key {
				text = fmt.Sprint(v)
			}
		})
	}
	return text
}

// lines returns what the listener has said, at that level or above.
func (t *test) lines(level process.Level) (out []string) {
	for _, e := range t.log.Events(process.Network) {
		if e.Level >= level {
			out = append(out, e.Text)
		}
	}
	return out
}
