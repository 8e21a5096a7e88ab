package tlsconn_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/internal/badtls"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/system"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/trace"
)

// A witness keeps everything that is said of a node: its log in both forms, a
// stream of all events, and whatever it is shown.
type witness struct {
	t    testing.TB
	node *process.Node

	mu   sync.Mutex
	text bytes.Buffer
	seen map[string]bool // errors and the like, of which many events tell
}

// testify makes a node with a witness.
func testify(t testing.TB) (context.Context, *witness) {
	t.Helper()
	w := &witness{t: t, node: process.NewNode(process.NodeSpec{}), seen: make(map[string]bool)}
	ctx := w.node.Context()
	_, err := trace.Start(ctx, trace.Options{Output: io.MultiWriter(w, trace.NewConsole(w)), Form: trace.JSON, Progress: true, Next: w})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trace.Stream(ctx, trace.StreamSpec{To: w, Limit: 10_000, Rate: 10_000, For: time.Hour}); err != nil {
		t.Fatal(err)
	}
	return ctx, w
}

func (w *witness) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

// Wants makes a witness a probe, which is told of everything.
func (w *witness) Wants() (all process.Kind) {
	for _, k := range process.Kinds() {
		all |= k
	}
	return all
}

// Event makes it a probe. Messages are for the stream.
func (w *witness) Event(e process.Event) {
	w.see(e.Text, e.Reason)
	if e.Detail != nil {
		e.Detail.Each(func(_ string, value any) { w.see(value) })
	}
	if f, ok := e.Detail.(*tlsconn.Fault); ok {
		w.see(*f)
	}
}

// see prints values in every way that Go has.
func (w *witness) see(values ...any) {
	for _, v := range values {
		if !w.news(fmt.Sprintf("%T %#v", v, v)) {
			continue
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(w, verb+"\n", v)
		}
		for _, h := range []slog.Handler{slog.NewTextHandler(w, nil), slog.NewJSONHandler(w, nil)} {
			slog.New(h).Info("", "value", v)
		}
		text, err := json.Marshal(v)
		fmt.Fprintf(w, "%s %v\n%+v\n", text, err, []any{v})
	}
}

// news reports whether something was not seen yet.
func (w *witness) news(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.seen[text]
	w.seen[text] = true
	return !known
}

// inspect looks into the processes of package tlsconn that there are.
func (w *witness) inspect(ctx context.Context) (seen int) {
	for _, pid := range w.node.Processes() {
		state, ours, err := tlsconn.StateOf(ctx, pid)
		if !ours {
			continue
		}
		status, err2 := system.Status(ctx, pid)
		if err := errors.Join(err, err2); err != nil {
			if gone, ok := errors.AsType[*process.ExitError](err); ok && gone.PID == pid {
				continue // it has ended this moment
			}
			w.t.Error(err)
		}
		w.see(pid, pid.Info(), state, status)
		seen++
	}
	return seen
}

// stop ends the node, and returns all that was said.
func (w *witness) stop() string {
	w.t.Helper()
	if err := w.node.Stop(context.Background()); err != nil {
		w.t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// Every key that a test of these uses.
func (w *world) keys() []*pki.Cert {
	return []*pki.Cert{w.root, w.clientRoot, w.server, w.clientRoot.Client("alice"), expired(w.root), expired(w.clientRoot),
		pki.Make(pki.Want{Name: "inter"}), onlyFor(w.root, 0)}
}

// wantSecret wants none of the keys, and none of the sessions' secrets, in a text;
// and what is named, for a text that says nothing hides everything.
func wantSecret(t *testing.T, text string, keys []*pki.Cert, keyLog string, said ...string) {
	t.Helper()
	for _, part := range said {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in what was said", part)
		}
	}
	for _, lost := range []string{"reports dropped", `"dropped":`, `"end":"limit"`, `"end":"rate"`} {
		if strings.Contains(text, lost) {
			t.Errorf("%q: not everything was kept", lost)
		}
	}
	search := pki.Search(text)
	slices.SortFunc(keys, func(a, b *pki.Cert) int { return bytes.Compare(a.KeyDER(), b.KeyDER()) })
	for _, c := range slices.CompactFunc(keys, func(a, b *pki.Cert) bool { return bytes.Equal(a.KeyDER(), b.KeyDER()) }) {
		if form := search.Key(c.Key); form != "" {
			t.Errorf("the key of %s was said: %s", c.Subject, form)
		}
	}
	if keyLog == "" {
		return
	}
	lines := keyLines(t, keyLog)
	if len(lines) == 0 {
		t.Error("no session has left its keys")
	}
	for _, line := range lines {
		fields := strings.Fields(line)
		secret, err := hex.DecodeString(fields[2])
		if err != nil {
			t.Fatal(err)
		}
		if form := search.Bytes(secret); form != "" {
			t.Errorf("%s was said: %s", fields[0], form)
		}
	}
}

// No output of the whole matrix has a byte of a key in it.
func TestSecretsOfMatrix(t *testing.T) {
	ctx, all := testify(t)
	keyLog := filepath.Join(t.TempDir(), "keys.log")
	w := newWorld()
	keys := w.keys()
	classes := make(map[string]bool)
	for _, row := range runtimeRows {
		spec := row.specOf(t, w)
		spec.KeyLog = keyLog
		h := buildOn(t, ctx, spec)
		if err := h.open(); err != nil {
			t.Fatal(err)
		}
		all.inspect(ctx)
		reason, _ := row.visit(h, w)
		all.see(reason, spec, h.server.Info(), h.server.Counts(), h.info())
		classes[fmt.Sprintf("%q", row.class)] = true
		select {
		case c := <-h.opened:
			all.see(c, c.State(), c.Err(), c.ConnectionState(), c.RemoteAddr())
		default: // it was not established
		}
		if err := process.Stop(ctx, h.listener, process.ErrShutdown); err != nil {
			t.Error(err)
		}
	}
	for _, row := range clientRows {
		f := row.meet(t, ctx, w)
		all.see(f)
	}
	for _, row := range fileRows {
		s := newShop(t)
		row.spoil(s)
		h := buildOn(t, ctx, s.spec())
		all.see(h.open(), s.spec())
		keys = append(keys, s.leaf)
	}
	for _, row := range reloadRows {
		s := newShop(t)
		h := buildOn(t, ctx, s.spec())
		if err := h.open(); err != nil {
			t.Fatal(err)
		}
		row.spoil(s)
		all.see(h.server.Reload(ctx))
		keys = append(keys, s.renewed())
	}
	said := []string{`"event":"network"`, "ERR start error", "KeyLog is set", "server_not_trusted"}
	for class := range classes {
		said = append(said, class)
	}
	wantSecret(t, all.stop(), keys, keyLog, said...)
}

var errStruck = errors.New("struck by a test")

// strike ends a process by the crash of one that is linked to it.
func strike(t *testing.T, ctx context.Context, pid process.PID) {
	t.Helper()
	if _, err := process.GoSpec(ctx, process.Spec{Unlinked: true}, func(ctx context.Context) error {
		return errors.Join(errStruck, process.Link(ctx, pid))
	}); err != nil {
		t.Fatal(err)
	}
	if reason, err := process.Wait(ctx, pid); err != nil || !errors.Is(reason, errStruck) {
		t.Errorf("%v ended with %v, %v", pid, reason, err)
	}
}

// A call is both ends of a connection of ours, in a bubble, as far as it has come.
type call struct {
	*testing.T
	ctx            context.Context
	w              *world
	server         *tlsconn.Server
	ours, theirs   net.Conn
	client, served *tlsconn.Conn
}

// The crash of a process of ours, in whatever state, tells nothing.
func TestSecretsOfCrashes(t *testing.T) {
	for state, reach := range map[tlsconn.State]func(*call){
		tlsconn.Dialing:     func(c *call) { go c.dial(false) },
		tlsconn.Hello:       func(c *call) { c.serve() },
		tlsconn.Negotiating: func(c *call) { c.serve(); go c.theirs.Write(badtls.Hello(c.w.trusting())) },
		tlsconn.Established: func(c *call) { c.serve(); c.dial(true) },
		tlsconn.Closing: func(c *call) {
			c.serve()
			c.dial(true)
			go until(c.served)
			if err := c.client.CloseWrite(); err != nil {
				c.Error(err)
			}
		},
	} {
		t.Run(state.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, all := testify(t)
				keyLog := filepath.Join(t.TempDir(), "keys.log")
				c := &call{T: t, ctx: ctx, w: newWorld()}
				c.server = c.w.serving(t, ctx, tlsconn.Spec{Name: "front", ClientAuth: tlsconn.RequireClientCert, KeyLog: keyLog, NoTickets: true, Reload: process.Infinity})
				c.ours, c.theirs = net.Pipe()
				defer c.theirs.Close()
				reach(c)
				synctest.Wait()
				keys := c.w.keys()
				if n := all.inspect(ctx); n < 2 {
					t.Errorf("%d processes", n)
				}
				struck := 0
				for _, pid := range all.node.Processes() {
					if s, ours, err := tlsconn.StateOf(ctx, pid); ours && err == nil && (pid.Path() != "tls" || strings.HasPrefix(fmt.Sprintf("%+v", s), "{State:"+state.String())) {
						strike(t, ctx, pid)
						struck++
					}
				}
				if struck < 2 {
					t.Errorf("%d processes in that state, and the attendant", struck-1)
				}
				c.theirs.Close()
				for _, conn := range []*tlsconn.Conn{c.client, c.served} {
					if conn != nil {
						all.see(conn, conn.State(), conn.Err(), conn.ConnectionState())
					}
				}
				all.see(c.server.Info(), c.server.Reload(ctx))
				if state < tlsconn.Negotiating {
					keyLog = ""
				}
				wantSecret(t, all.stop(), keys, keyLog, `"event":"crashed"`, errStruck.Error(), `"state":"`)
			})
		})
	}
}

// serve begins the server's side.
func (c *call) serve() {
	var err error
	if c.served, err = c.server.Open(c.ctx, c.ours, process.PID{}); err != nil {
		c.Error(err)
	}
}

// dial is the client's side. It has a certificate. If it does not get through, it
// waits until its process is struck.
func (c *call) dial(through bool) {
	conn, err := tlsconn.Dial(c.ctx, tlsconn.ClientSpec{
		Name: "back", Address: "localhost:1", Files: c.w.clientFiles(c, c.w.clientRoot.Client("alice")), NoTickets: true,
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if !through {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return c.theirs, nil
		},
	})
	if through == (err != nil) {
		c.Errorf("dial: %v", err)
	}
	if through {
		c.client = conn
	}
}
