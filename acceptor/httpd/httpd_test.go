package httpd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/acceptor/httpd"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/supervisor"
)

// self answers with the process that the request acts for.
func self(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, process.Self(r.Context()).String())
}

func TestRequestsActForTheirConnection(t *testing.T) {
	for name, edit := range map[string]func(*acceptor.Spec, *http.Server){
		"plain": nil,
		"own contexts": func(_ *acceptor.Spec, srv *http.Server) {
			type key struct{}
			srv.BaseContext = func(net.Listener) context.Context { return context.WithValue(context.Background(), key{}, "base") }
			srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
				if ctx.Value(key{}) != "base" {
					t.Errorf("the value of BaseContext is lost: %v", ctx.Value(key{}))
				}
				return ctx
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, http.HandlerFunc(self), edit, func(t *test) {
				first := t.get("/", "<")
				if second := t.get("/", first.text); second.close {
					t.Error("the connection is not kept alive")
				}
				c := t.only()
				if c.PID.String() != first.text {
					t.Errorf("the request acts for %s, want its connection %v", first.text, c.PID)
				}
				t.client.CloseIdleConnections()
				t.wantOpen(0)
				if info := t.info(); info.Accepted != 1 || info.Ends["closed"] != 1 {
					t.Errorf("after the client has gone: %+v", info)
				}
				t.wantQuiet()
			})
		})
	}
}

// A handler may call servers and start processes; a helper that crashes takes its
// connection along, and nothing else.
func TestHandlersHelpers(t *testing.T) {
	boom := errors.New("boom")
	h := func(w http.ResponseWriter, r *http.Request) {
		if _, err := acceptor.GetInfo(r.Context(), process.Name("web")); err != nil {
			t.Errorf("a call from a handler: %v", err)
		}
		if r.URL.Path == "/crash" {
			if _, err := process.Go(r.Context(), func(context.Context) error { return boom }); err != nil {
				t.Errorf("a process of a handler: %v", err)
			}
			<-r.Context().Done()
			return
		}
		io.WriteString(w, "fine")
	}
	bubble(t, http.HandlerFunc(h), nil, func(t *test) {
		t.get("/", "fine")
		other := t.newClient()
		if got := get(other, "http://web/crash"); got.err == nil {
			t.Errorf("got %+v, want the end of the connection", got)
		}
		t.get("/", "fine")
		t.wantOpen(1)
		if got := t.info().Ends["crashed"]; got != 1 {
			t.Errorf("%d connections have crashed, want 1", got)
		}
	})
}

func TestKill(t *testing.T) {
	done := make(chan error, 1)
	h := func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		done <- context.Cause(r.Context())
	}
	bubble(t, http.HandlerFunc(h), nil, func(t *test) {
		got := t.ask("/")
		if err := process.Kill(t.ctx, t.only().PID); err != nil {
			t.Fatal(err)
		}
		if a := <-got; a.err == nil {
			t.Errorf("the client got %+v, want the end of the connection", a)
		}
		if cause := <-done; !errors.Is(cause, process.ErrKilled) {
			t.Errorf("the request ended with %v, want killed", cause)
		}
		t.wantOpen(0)
		if got := t.info().Ends["killed"]; got != 1 {
			t.Errorf("%d connections were killed, want 1", got)
		}
	})
}

// slow takes ten seconds, unless it is cut off.
func slow(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/slow" {
		select {
		case <-time.After(10 * time.Second):
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	}
	// It can still act for its connection.
	_, err := supervisor.CountChildren(r.Context(), process.Self(r.Context()).Parent())
	fmt.Fprintf(w, "done %v", err)
}

func TestDrain(t *testing.T) {
	bubble(t, http.HandlerFunc(slow), nil, func(t *test) {
		idle := t.newClient()
		if got := get(idle, "http://web/"); got.text != "done <nil>" {
			t.Fatalf("got %+v", got)
		}
		silent, in := t.raw()
		got := t.ask("/slow")
		t.wantOpen(3)

		begin := time.Now()
		drained := make(chan error, 1)
		go func() { drained <- acceptor.Drain(t.ctx, t.pid, time.Minute) }()
		t.wantOpen(2) // the idle one is gone, and the silent one gets a moment
		time.Sleep(200 * time.Millisecond)
		t.wantOpen(1)
		if _, err := in.ReadByte(); err != io.EOF {
			t.Errorf("the silent client read %v, want the end", err)
		}
		silent.Close()
		if _, err := t.street.dial(t.ctx, "", ""); err == nil {
			t.Error("the port is still open")
		}
		if err := <-drained; err != nil {
			t.Errorf("the drain: %v", err)
		}
		t.since(begin, 10*time.Second)
		if a := <-got; a.text != "done <nil>" || !a.close {
			t.Errorf("the request in hand got %+v, want its answer and the end of the connection", a)
		}
		t.wantQuiet()

		if err := acceptor.Resume(t.ctx, t.pid); err != nil {
			t.Fatal(err)
		}
		t.get("/", "done <nil>")
		t.wantQuiet()
	})
}

func TestDrainCutsOff(t *testing.T) {
	bubble(t, http.HandlerFunc(slow), nil, func(t *test) {
		got := t.ask("/slow")
		late := t.only().PID
		begin := time.Now()
		err := acceptor.Drain(t.ctx, t.pid, 3*time.Second)
		t.since(begin, 3*time.Second)
		if e, ok := errors.AsType[*acceptor.DrainError](err); !ok || len(e.Left) != 1 || e.Left[0].PID != late {
			t.Errorf("the drain: %v, want that it names %v", err, late)
		}
		if a := <-got; a.err == nil {
			t.Errorf("the request in hand got %+v, want to be cut off", a)
		}
		t.wantOpen(0)
		if err := acceptor.Resume(t.ctx, t.pid); err != nil {
			t.Fatal(err)
		}
		t.get("/", "done <nil>")
		t.wantQuiet()
	})
}

// A client that is in the middle of its first header gets five seconds, as
// net/http gives it.
func TestDrainHalfAHeader(t *testing.T) {
	bubble(t, http.HandlerFunc(slow), nil, func(t *test) {
		c, in := t.raw()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begin := time.Now()
		if err := acceptor.Drain(t.ctx, t.pid, time.Minute); err != nil {
			t.Errorf("the drain: %v", err)
		}
		t.since(begin, 5*time.Second)
		if _, err := in.ReadByte(); err != io.EOF {
			t.Errorf("the client read %v, want the end", err)
		}
		c.Close()
	})
}

// A stop without a drain finishes what is in hand, within Shutdown.
func TestStop(t *testing.T) {
	for name, tt := range map[string]struct {
		shutdown, took time.Duration
		ok             bool
	}{
		"in time":     {time.Minute, 10 * time.Second, true},
		"not in time": {3 * time.Second, 3 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			edit := func(s *acceptor.Spec, _ *http.Server) { s.Shutdown = tt.shutdown }
			bubble(t, http.HandlerFunc(slow), edit, func(t *test) {
				got := t.ask("/slow")
				begin := time.Now()
				if err := process.Stop(t.ctx, t.pid, process.ErrShutdown); err != nil {
					t.Fatal(err)
				}
				t.since(begin, tt.took)
				if a := <-got; (a.text == "done <nil>") != tt.ok {
					t.Errorf("the request in hand got %+v", a)
				}
			})
		})
	}
}

// A websocket, say: it says goodbye when it is told to.
func hijack(w http.ResponseWriter, r *http.Request) {
	leaving := acceptor.Leaving(r.Context())
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	io.WriteString(c, "hello\n")
	if r.URL.Path == "/deaf" {
		<-r.Context().Done()
		return
	}
	<-leaving
	time.Sleep(time.Second)
	io.WriteString(c, "goodbye\n")
}

func TestHijacked(t *testing.T) {
	connect := func(t *test, path string) net.Conn {
		c, in := t.raw()
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: web\r\n\r\n", path)
		if line, err := in.ReadString('\n'); err != nil || line != "hello\n" {
			t.Fatalf("got %q (%v)", line, err)
		}
		return c
	}
	wantRest := func(t *test, c net.Conn, want string) {
		t.Helper()
		if rest, err := io.ReadAll(c); err != nil || string(rest) != want {
			t.Errorf("got %q (%v), want %q", rest, err, want)
		}
		c.Close()
	}
	t.Run("drain", func(t *testing.T) {
		bubble(t, http.HandlerFunc(hijack), nil, func(t *test) {
			c := connect(t, "/")
			begin := time.Now()
			go func() { wantRest(t, c, "goodbye\n") }()
			if err := acceptor.Drain(t.ctx, t.pid, time.Minute); err != nil {
				t.Errorf("the drain: %v", err)
			}
			t.since(begin, time.Second)
			t.wantQuiet()
		})
	})
	t.Run("stop", func(t *testing.T) {
		bubble(t, http.HandlerFunc(hijack), nil, func(t *test) {
			c := connect(t, "/")
			begin := time.Now()
			go func() { wantRest(t, c, "goodbye\n") }()
			if err := process.Stop(t.ctx, t.pid, process.ErrShutdown); err != nil {
				t.Fatal(err)
			}
			t.since(begin, time.Second)
			t.wantQuiet()
		})
	})
	t.Run("deaf", func(t *testing.T) {
		bubble(t, http.HandlerFunc(hijack), nil, func(t *test) {
			c := connect(t, "/deaf")
			go func() { wantRest(t, c, "") }()
			begin := time.Now()
			if err := process.Stop(t.ctx, t.pid, process.ErrShutdown); err != nil {
				t.Fatal(err)
			}
			t.since(begin, 4500*time.Millisecond)
			t.wantQuiet()
		})
	})
}

// A panic is net/http's to recover, and ours to tell of.
func TestHandlerPanics(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("boom")
		}
	}
	bubble(t, http.HandlerFunc(h), nil, func(t *test) {
		if got := get(t.client, "http://web/panic"); got.err == nil {
			t.Errorf("got %+v", got)
		}
		t.wantOpen(0)
		t.get("/", "")
		all := slices.DeleteFunc(t.log.Events(process.Network), func(e process.Event) bool { return e.Level == 0 })
		if len(all) != 1 || all[0].Level != process.LevelError || !strings.Contains(all[0].Text, "boom") || all[0].Detail == nil {
			t.Errorf("the events are %+v, want one about the panic", all)
		}
	})
}

// A server that ends by itself is a crash of the service: what it had is ended,
// and it is made anew.
func TestServerEnds(t *testing.T) {
	var made []*http.Server
	h := func(w http.ResponseWriter, r *http.Request) { self(w, r) }
	edit := func(_ *acceptor.Spec, srv *http.Server) {
		if srv.Handler != nil {
			made = append(made, srv)
		}
	}
	bubble(t, http.HandlerFunc(h), edit, func(t *test) {
		first := t.get("/", "<")
		made[0].Close()
		synctest.Wait()
		second := t.get("/", "<")
		if first.text == second.text || len(made) != 2 {
			t.Errorf("%s and then %s, of %d servers", first.text, second.text, len(made))
		}
		t.wantOpen(1)
	})
}

func TestNoServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		start := func(p acceptor.Service) (process.PID, error) {
			return acceptor.Start(ctx, acceptor.Spec{Address: "street:0", Bind: newStreet().bind, Protocol: p})
		}
		if _, err := start(httpd.Serve(nil)); err == nil || !strings.Contains(err.Error(), "Serve is missing") {
			t.Errorf("without a function: %v", err)
		}
		pid, err := start(httpd.Serve(func() *http.Server { return nil }))
		if err == nil {
			_, err = process.Wait(ctx, pid) // it tries a few times, and gives up
		}
		if err != nil {
			t.Errorf("with a function that returns nothing: %v", err)
		}
	})
}
