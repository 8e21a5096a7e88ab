package child_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/supervisor/child"
)

// A pipes is a network of one listener, within a bubble.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) listen(context.Context) (net.Listener, error) { return p, nil }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// get asks the server, in a goroutine of its own, and sends its answer.
func (p *pipes) get(answer chan<- string) {
	client := &http.Client{Transport: &http.Transport{DialContext: p.dial, DisableKeepAlives: true}}
	resp, err := client.Get("http://child/")
	if err != nil {
		answer <- "error: " + err.Error()
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		answer <- "error: " + err.Error()
		return
	}
	answer <- string(text)
}

// top starts a supervisor of one child, which is called c.
func top(t *testing.T, ctx context.Context, c supervisor.Child) process.PID {
	t.Helper()
	c.ID = "c"
	pid, err := supervisor.Start(ctx, supervisor.Spec{Intensity: 5, Children: []supervisor.Child{c}})
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// the returns the child's latest process.
func the(t *testing.T, ctx context.Context, top process.PID) process.PID {
	t.Helper()
	infos, err := supervisor.WhichChildren(ctx, top)
	if err != nil || len(infos) != 1 {
		t.Fatalf("the children are %v (%v), want one", infos, err)
	}
	return infos[0].PID
}

// ended waits for the end of a process.
func ended(t *testing.T, ctx context.Context, pid process.PID) (reason error) {
	t.Helper()
	reason, err := process.Wait(ctx, pid)
	if err != nil {
		t.Fatal(err)
	}
	return reason
}

func TestHTTPDrains(t *testing.T) {
	for name, tt := range map[string]struct {
		shutdown time.Duration
		took     time.Duration
		want     string
		reason   error
	}{
		"in time":     {time.Minute, 10 * time.Second, "done <nil>", process.ErrShutdown},
		"not in time": {time.Second, time.Second, "error: ", process.ErrKilled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := processtest.Context(t)
				other, err := supervisor.Start(ctx, supervisor.Spec{})
				if err != nil {
					t.Fatal(err)
				}
				handler := func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(10 * time.Second):
					case <-r.Context().Done():
						panic(http.ErrAbortHandler) // cut off: no answer
					}
					_, err := supervisor.CountChildren(r.Context(), other) // it still acts for the child
					fmt.Fprintf(w, "done %v", err)
				}
				pipes := newPipes()
				top := top(t, ctx, supervisor.Child{Shutdown: tt.shutdown, Start: child.HTTPOn(pipes.listen,
					func() *http.Server { return &http.Server{Handler: http.HandlerFunc(handler)} })})
				web := the(t, ctx, top)
				answer := make(chan string, 1)
				go pipes.get(answer)
				synctest.Wait()

				start := time.Now()
				if err := supervisor.TerminateChild(ctx, top, "c"); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start).Truncate(time.Second); took != tt.took {
					t.Errorf("it took %v to stop, want %v", took, tt.took)
				}
				if got := <-answer; !strings.HasPrefix(got, tt.want) {
					t.Errorf("the request in hand got %q, want %q", got, tt.want)
				}
				if reason := ended(t, ctx, web); reason != tt.reason {
					t.Errorf("the server ended with %v, want %v", reason, tt.reason)
				}
				if _, err := pipes.dial(ctx, "", ""); err == nil {
					t.Error("the listener is still open")
				}
			})
		})
	}
}

// A listener that breaks is a crash, and the next start makes another.
func TestHTTPListenerBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		var made []*pipes
		top := top(t, ctx, supervisor.Child{Start: child.HTTPOn(
			func(context.Context) (net.Listener, error) {
				made = append(made, newPipes())
				return made[len(made)-1], nil
			},
			func() *http.Server { return &http.Server{Handler: http.NotFoundHandler()} })})
		web := the(t, ctx, top)
		made[0].Close()
		if reason := ended(t, ctx, web); !errors.Is(reason, net.ErrClosed) {
			t.Errorf("it ended with %v, want the listener's error", reason)
		}
		synctest.Wait()
		answer := make(chan string, 1)
		go made[1].get(answer)
		if got := <-answer; !strings.HasPrefix(got, "404") {
			t.Errorf("the new one answers %q", got)
		}
	})
}

// On a real port: what is taken is a failed start.
func TestHTTPAddr(t *testing.T) {
	ctx := processtest.Context(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = supervisor.Start(ctx, supervisor.Spec{Children: []supervisor.Child{{ID: "web",
		Start: child.HTTP(func() *http.Server { return &http.Server{Addr: taken.Addr().String()} })}}})
	if e, ok := errors.AsType[*net.OpError](err); !ok || e.Op != "listen" {
		t.Errorf("the start ended with %v, want that the port is taken", err)
	}
}

func TestTicker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		begin := time.Now()
		var at []time.Duration
		takes := map[int]time.Duration{2: 2500 * time.Millisecond} // the second call
		tick := func(context.Context) error {
			at = append(at, time.Since(begin))
			time.Sleep(takes[len(at)])
			if len(at) == 4 {
				return errors.New("no more")
			}
			return nil
		}
		top := top(t, ctx, supervisor.Child{Start: child.Ticker(time.Second, tick), Restart: supervisor.Temporary})
		pid := the(t, ctx, top)
		if reason := ended(t, ctx, pid); reason == nil || reason.Error() != "no more" {
			t.Errorf("it ended with %v, want what tick returned", reason)
		}
		// The second call, at 2s, is back at 4.5s: the ticks of 3s and 4s are lost.
		if want := []time.Duration{1 * time.Second, 2 * time.Second, 5 * time.Second, 6 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("it ticked at %v, want %v", at, want)
		}
		if _, err := child.Ticker(0, tick)(ctx); err == nil {
			t.Error("a ticker of 0 starts")
		}
	})
}

// A call in hand sees in its ctx that it should stop.
func TestTickerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := processtest.Context(t)
		top := top(t, ctx, supervisor.Child{Start: child.Ticker(time.Second, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })})
		pid := the(t, ctx, top)
		time.Sleep(time.Second)
		if err := supervisor.TerminateChild(ctx, top, "c"); err != nil {
			t.Fatal(err)
		}
		if reason := ended(t, ctx, pid); reason != process.ErrShutdown {
			t.Errorf("it ended with %v, want shutdown", reason)
		}
	})
}

// asProgram makes this very test the program of a Command: what it does is in
// its environment.
const asProgram = "CHILD_TEST_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "":
		goleak.VerifyTestMain(m)
	case "fail":
		os.Exit(3)
	case "wait":
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
	}
}

// program makes commands that do what; ready waits until the next has said that
// it is.
func program(t *testing.T, what string) (newCmd func() *exec.Cmd, ready func()) {
	t.Helper()
	stdin, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); end.Close() })
	said := make(chan string, 10)
	newCmd = func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asProgram+"="+what)
		cmd.Stdin, cmd.Stdout = stdin, writer(said)
		return cmd
	}
	return newCmd, func() {
		t.Helper()
		if got := <-said; got != "ready\n" {
			t.Fatalf("the program said %q", got)
		}
	}
}

type writer chan string

func (w writer) Write(b []byte) (int, error) { w <- string(b); return len(b), nil }

func TestCommandStops(t *testing.T) {
	ctx := processtest.Context(t)
	cmd, ready := program(t, "wait")
	top := top(t, ctx, supervisor.Child{Start: child.Command(cmd)})
	pid := the(t, ctx, top)
	ready()
	if err := supervisor.TerminateChild(ctx, top, "c"); err != nil {
		t.Fatal(err)
	}
	if reason := ended(t, ctx, pid); reason != process.ErrShutdown {
		t.Errorf("it ended with %v, want shutdown", reason)
	}
}

// A program that does not listen is killed when its time is over.
func TestCommandIsKilled(t *testing.T) {
	ctx := processtest.Context(t)
	cmd, ready := program(t, "deaf")
	top := top(t, ctx, supervisor.Child{Start: child.Command(cmd), Shutdown: 50 * time.Millisecond, Grace: time.Minute})
	pid := the(t, ctx, top)
	ready()
	if err := supervisor.TerminateChild(ctx, top, "c"); err != nil {
		t.Fatal(err)
	}
	if reason := ended(t, ctx, pid); reason != process.ErrKilled {
		t.Errorf("it ended with %v, want killed", reason)
	}
}

func TestCommandFails(t *testing.T) {
	ctx := processtest.Context(t)
	cmd, _ := program(t, "fail")
	top, err := supervisor.Start(ctx, supervisor.Spec{Intensity: supervisor.NoRestart,
		Children: []supervisor.Child{{ID: "c", Start: child.Command(cmd)}}})
	if err != nil {
		t.Fatal(err)
	}
	if reason := ended(t, ctx, top); reason != process.ErrShutdown {
		t.Errorf("its supervisor ended with %v, want shutdown", reason)
	}

	begin := child.Command(cmd)
	pid, err := begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	reason := ended(t, ctx, pid)
	if e, ok := errors.AsType[*exec.ExitError](reason); !ok || e.ExitCode() != 3 {
		t.Errorf("it ended with %v, want exit status 3", reason)
	}

	_, err = child.Command(func() *exec.Cmd { return exec.Command("/no/such/program") })(ctx)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a program that is not there: %v", err)
	}
}
