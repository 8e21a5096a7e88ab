package httpd_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/acceptor/httpd"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A street is a network of one listener, within a bubble.
type street struct {
	queue chan net.Conn
	mu    sync.Mutex
	door  *door // the one that is open now
}

func newStreet() *street { return &street{queue: make(chan net.Conn)} }

func (s *street) bind(context.Context, string, string) (net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.door = &door{s, make(chan struct{}), sync.Once{}}
	return s.door, nil
}

func (s *street) dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	d := s.door
	s.mu.Unlock()
	ours, theirs := net.Pipe()
	select {
	case s.queue <- theirs:
		return ours, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

type door struct {
	*street
	closed chan struct{}
	once   sync.Once
}

func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.queue:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *door) Close() error   { d.once.Do(func() { close(d.closed) }); return nil }
func (d *door) Addr() net.Addr { return &net.UnixAddr{Name: "street", Net: "unix"} }

// A test is one listener in a bubble, and a client.
type test struct {
	*testing.T
	ctx    context.Context
	street *street
	pid    process.PID
	log    *processtest.Recorder
	client *http.Client
}

// bubble runs f with a listener called web. edit may change what it is.
func bubble(t *testing.T, h http.Handler, edit func(*acceptor.Spec, *http.Server), f func(t *test)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &test{T: t, street: newStreet(), log: &processtest.Recorder{}}
		b.ctx = processtest.Node(t, process.NodeSpec{Probe: b.log})
		b.client = b.newClient()
		spec := acceptor.Spec{Name: "web", Address: "street:0", Bind: b.street.bind}
		spec.Protocol = httpd.Serve(func() *http.Server {
			srv := &http.Server{Handler: h}
			if edit != nil {
				edit(&acceptor.Spec{}, srv)
			}
			return srv
		})
		if edit != nil {
			edit(&spec, &http.Server{})
		}
		var err error
		if b.pid, err = acceptor.Start(b.ctx, spec); err != nil {
			t.Fatal(err)
		}
		f(b)
		b.client.CloseIdleConnections()
		synctest.Wait()
	})
}

func (t *test) newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: t.street.dial}}
}

// An answer is what a request got.
type answer struct {
	status int
	text   string
	close  bool // the server closes the connection
	proto  string
	err    error
}

func get(client *http.Client, url string) answer {
	resp, err := client.Get(url)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(text), resp.Close, resp.Proto, err}
}

// get asks for a path and wants that answer.
func (t *test) get(path, want string) answer {
	t.Helper()
	got := get(t.client, "http://web"+path)
	if got.err != nil || !strings.HasPrefix(got.text, want) {
		t.Errorf("GET %s: %+v, want %q", path, got, want)
	}
	return got
}

// ask is get in a goroutine of its own.
func (t *test) ask(path string) <-chan answer {
	got := make(chan answer, 1)
	go func() { got <- get(t.client, "http://web"+path) }()
	synctest.Wait()
	return got
}

func (t *test) info() acceptor.Info {
	t.Helper()
	info, err := acceptor.GetInfo(t.ctx, t.pid)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func (t *test) wantOpen(n int) {
	t.Helper()
	synctest.Wait()
	if got := t.info().Connections; got != n {
		t.Errorf("there are %d connections, want %d", got, n)
	}
}

// only returns the one connection there is.
func (t *test) only() acceptor.Connection {
	t.Helper()
	synctest.Wait()
	all, err := acceptor.Connections(t.ctx, t.pid)
	if err != nil || len(all) != 1 {
		t.Fatalf("the connections are %v (%v), want one", all, err)
	}
	return all[0]
}

// wantQuiet wants nothing in the log that an operator would have to look at.
func (t *test) wantQuiet() {
	t.Helper()
	for _, e := range t.log.Events(0) {
		if e.Level >= process.LevelWarn {
			t.Errorf("unexpected event: %v %s: %v", e.Level, e.Text, e.Reason)
		}
	}
}

// since wants that much time to have passed.
func (t *test) since(begin time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(begin); got != want {
		t.Errorf("it took %v, want %v", got, want)
	}
}

// raw connects without a client.
func (t *test) raw() (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := t.street.dial(t.ctx, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}
