package acceptor_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

func TestFramesAndMessages(t *testing.T) {
	bubble(t, nil, func(t *test) {
		c := t.street.dial()
		c.send(t.T, "one\ntw")
		c.want(t.T, "echo: one")
		t.wantOpen(1)
		g := t.host.guest(0)
		if answer, err := server.Call(t.ctx, g, Ping{}); answer != "pong" || err != nil {
			t.Errorf("with half a frame under way the process answers %q, %v", answer, err)
		}
		if err := server.Cast(t.ctx, g, Deliver{"hello"}); err != nil {
			t.Error(err)
		}
		c.want(t.T, "news: hello")
		c.send(t.T, "o\nthree\n")
		c.want(t.T, "echo: two")
		c.want(t.T, "echo: three")
		c.Close()
		t.wantOpen(0)
	})
}

// However a connection ends: its socket is closed, the others live on, and the
// reason is the one that the protocol and its watchers get.
func TestEndOfConnection(t *testing.T) {
	late := func(t *test, _ *client) { time.Sleep(time.Minute) }
	for name, c := range map[string]struct {
		edit   func(*acceptor.Spec, *acceptor.Protocol[guest])
		do     func(t *test, c *client)
		want   error
		crash  bool
		unsaid bool // Terminate is not called
		class  string
	}{
		"the peer goes":         {class: "closed", do: func(_ *test, c *client) { c.Close() }, want: io.EOF},
		"in the middle":         {class: "truncated", do: func(t *test, c *client) { c.send(t.T, "half"); c.Close() }, want: io.ErrUnexpectedEOF, edit: strict},
		"the protocol is done":  {class: "normal", do: func(t *test, c *client) { c.send(t.T, "bye\n") }},
		"an error":              {class: "crashed", do: func(t *test, c *client) { c.send(t.T, "fail\n") }, want: errBoom, crash: true},
		"a panic":               {class: "crashed", do: func(t *test, c *client) { c.send(t.T, "panic\n") }, want: errBoom, crash: true},
		"too long":              {class: "frame_too_long", do: func(t *test, c *client) { go c.Write(make([]byte, 1000)) }, want: acceptor.ErrFrameTooLong, edit: short},
		"silent":                {class: "idle", do: late, want: acceptor.ErrIdle, edit: idle},
		"a kill":                {class: "killed", do: func(t *test, _ *client) { process.Kill(t.ctx, t.host.guest(0)) }, want: process.ErrKilled, unsaid: true},
		"a panic in Split":      {class: "crashed", do: func(t *test, c *client) { c.send(t.T, "x\n") }, want: errBoom, edit: splitPanics, crash: true},
		"a Split that is stuck": {class: "crashed", do: func(t *test, c *client) { c.send(t.T, "x\n") }, edit: splitStuck, crash: true, want: errAny},
		"nobody reads": {class: "timeout", do: func(t *test, _ *client) {
			server.Cast(t.ctx, t.host.guest(0), Deliver{"hello"})
			time.Sleep(time.Hour)
		}, want: errAny},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, c.edit, func(t *test) {
				cl := t.street.dial()
				t.wantOpen(1)
				other := t.street.dial()
				t.wantOpen(2)
				first := t.host.guest(0)
				c.do(t, cl)
				reason, err := process.Wait(t.ctx, first)
				if err != nil {
					t.Fatal(err)
				}
				if reason != c.want && !errors.Is(reason, c.want) && (c.want != errAny || reason == nil) {
					t.Errorf("it ended with %v, want %v", reason, c.want)
				}
				if crash := !process.Clean(reason) && reason != process.ErrKilled; crash != c.crash {
					t.Errorf("reason %v is a crash: %v, want %v", reason, crash, c.crash)
				}
				if ends := t.host.reasons(); !c.unsaid && (len(ends) == 0 || fmt.Sprint(ends[0]) != fmt.Sprint(reason)) {
					t.Errorf("Terminate was told %v, want %v", ends, reason)
				}
				cl.wantEnd(t.T)
				synctest.Wait()
				if ends := t.info().Ends; ends[c.class] == 0 || len(ends) > 1 {
					t.Errorf("counted %v, want %s", ends, c.class)
				}
				if c.want != acceptor.ErrIdle {
					t.wantOpen(1) // the other one lives on
				}
				other.Close()
				t.wantOpen(0)
			})
		})
	}
}

var errAny = errors.New("any reason")

func strict(_ *acceptor.Spec, p *acceptor.Protocol[guest]) {
	p.Split = func(data []byte, atEOF bool) (int, []byte, error) { return bufio.ScanLines(data, false) }
}

func short(_ *acceptor.Spec, p *acceptor.Protocol[guest]) { p.MaxFrame = 100 }

func idle(_ *acceptor.Spec, p *acceptor.Protocol[guest]) { p.Idle = 10 * time.Second }

func splitPanics(_ *acceptor.Spec, p *acceptor.Protocol[guest]) {
	p.Split = func([]byte, bool) (int, []byte, error) { panic(errBoom) }
}

func splitStuck(_ *acceptor.Spec, p *acceptor.Protocol[guest]) {
	p.Split = func([]byte, bool) (int, []byte, error) { return 0, []byte{}, nil }
}

// A frame is handed over when the one before has been handled, and not before:
// the peer's speed does not fill the mailbox.
func TestOneFrameInFlight(t *testing.T) {
	bubble(t, nil, func(t *test) {
		c := t.street.dial()
		synctest.Wait()
		go c.Write([]byte("wait\na\nb\nc\n"))
		synctest.Wait()
		if n := t.host.guest(0).PID().Info().Mailbox; n != 0 {
			t.Errorf("%d messages wait while a frame is handled, want none", n)
		}
		t.host.gate <- struct{}{}
		for _, line := range []string{"wait", "a", "b", "c"} {
			c.want(t.T, "echo: "+line)
		}
		c.Close()
	})
}

// Tools may look at every frame while the next one is being read, and see no
// byte of it.
func TestFramesInTraces(t *testing.T) {
	bubble(t, nil, func(t *test) {
		seen := &sights{}
		t.pid.Node().SetProbe(seen)
		c := t.street.dial()
		go io.Copy(io.Discard, c)
		for range 100 {
			c.send(t.T, "secret\nsecret\n")
		}
		c.send(t.T, "fail\n")
		t.wantOpen(0)
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if !strings.Contains(seen.all, "6 bytes") || strings.Contains(seen.all, "secret") {
			t.Errorf("tools see %.500s...", seen.all)
		}
	})
}

// sights shows every message, as tools do.
type sights struct {
	mu  sync.Mutex
	all string
}

func (*sights) Wants() process.Kind {
	return process.Received | process.Handled | process.Sent | process.Crashed
}

func (s *sights) Event(e process.Event) {
	if e.Msg == nil {
		return
	}
	text := process.Format(e.Msg)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all += text + "\n"
}

// A full mailbox slows the peer down; it loses no frame.
func TestFullMailbox(t *testing.T) {
	bubble(t, func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) { p.Limit = 1 }, func(t *test) {
		c := t.street.dial()
		synctest.Wait()
		c.send(t.T, "wait\n")
		synctest.Wait()
		g := t.host.guest(0)
		server.Cast(t.ctx, g, Deliver{"1"})
		if err := server.Cast(t.ctx, g, Deliver{"2"}); !errors.Is(err, process.ErrMailboxFull) {
			t.Errorf("a cast above the limit: %v, want %v", err, process.ErrMailboxFull)
		}
		go c.Write([]byte("next\n"))
		synctest.Wait()
		t.host.gate <- struct{}{}
		c.want(t.T, "echo: wait")
		c.want(t.T, "news: 1")
		c.want(t.T, "echo: next")
		c.Close()
	})
}

func TestIdle(t *testing.T) {
	var calls atomic.Int64
	bubble(t, func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) {
		p.Idle = 10 * time.Second
		p.OnIdle = func(context.Context, *guest) error { calls.Add(1); return nil }
	}, func(t *test) {
		c := t.street.dial()
		defer c.Close()
		for range 5 { // every frame begins the time anew
			time.Sleep(6 * time.Second)
			c.send(t.T, "x\n")
			c.want(t.T, "echo: x")
		}
		if calls.Load() != 0 {
			t.Errorf("OnIdle was called %d times though frames came", calls.Load())
		}
		time.Sleep(25 * time.Second)
		if calls.Load() != 2 {
			t.Errorf("in 25 s of silence OnIdle was called %d times, want 2", calls.Load())
		}
		server.Cast(t.ctx, t.host.guest(0), SetIdle{0})
		time.Sleep(time.Hour)
		if calls.Load() != 2 {
			t.Errorf("OnIdle was called %d times more with no limit", calls.Load()-2)
		}
	})
}

// A peer is not silent while we are busy with what it sent, or have not come to
// it yet.
func TestBusyIsNotSilent(t *testing.T) {
	bubble(t, idle, func(t *test) {
		c := t.street.dial()
		synctest.Wait()
		c.send(t.T, "wait\n")
		time.Sleep(time.Minute)
		go c.Write([]byte("x\n")) // comes behind the clock's message
		synctest.Wait()
		t.host.gate <- struct{}{}
		c.want(t.T, "echo: wait")
		c.want(t.T, "echo: x")
		time.Sleep(9 * time.Second)
		t.wantOpen(1)
		time.Sleep(2 * time.Second)
		t.wantOpen(0)
		c.wantEnd(t.T)
	})
}

// A connection that is killed in its first instant takes a reader with it that has
// not run yet. Its socket is closed all the same.
func TestKilledBeforeTheReaderRuns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // nobody runs until the killed one has ended
	bubble(t, func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) {
		p.Open = func(ctx context.Context, _ *guest) error { return process.Kill(ctx, process.Self(ctx)) }
	}, func(t *test) {
		for range 20 {
			c := t.street.dial()
			c.wantEnd(t.T)
		}
		t.wantOpen(0)
	})
}

// Messages of others are no sign of life of the peer.
func TestMessagesAreNotThePeer(t *testing.T) {
	bubble(t, idle, func(t *test) {
		c := t.street.dial()
		synctest.Wait()
		for range 4 {
			time.Sleep(3 * time.Second)
			server.Call(t.ctx, t.host.guest(0), Ping{})
		}
		t.wantOpen(0)
		c.wantEnd(t.T)
	})
}

func TestRefusedByNew(t *testing.T) {
	for name, c := range map[string]struct {
		new   func(context.Context, *acceptor.Conn) (*guest, error)
		lines int
	}{
		"an error": {func(context.Context, *acceptor.Conn) (*guest, error) { return nil, errBoom }, 1},
		"ignore":   {func(context.Context, *acceptor.Conn) (*guest, error) { return nil, process.ErrIgnore }, 0},
		"a panic":  {func(context.Context, *acceptor.Conn) (*guest, error) { panic(errBoom) }, 1},
		"an exit": {func(ctx context.Context, _ *acceptor.Conn) (*guest, error) {
			process.Exit(ctx, nil)
			return nil, nil
		}, 1},
		"nothing": {func(context.Context, *acceptor.Conn) (*guest, error) { return nil, nil }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) { p.New = c.new }, func(t *test) {
				for range 3 {
					t.street.dial().wantEnd(t.T)
				}
				t.wantOpen(0)
				if got := t.lines(process.LevelWarn); len(got) != c.lines {
					t.Errorf("said %q, want %d lines for three refusals", got, c.lines)
				}
				if i := t.info(); i.Refusals[acceptor.Failed]+i.Refusals[acceptor.Ignored] != 3 || i.Refused != 3 {
					t.Errorf("counted %v, %d in all; want 3 failed or ignored", i.Refusals, i.Refused)
				}
			})
		})
	}
}

// A stuck frame is still in the mailbox when the connection ends normally: the
// reader must not wait for ever.
func TestEndWithFrameInMailbox(t *testing.T) {
	bubble(t, nil, func(t *test) {
		c := t.street.dial()
		c.send(t.T, "wait\n")
		synctest.Wait()
		if err := server.Cast(t.ctx, t.host.guest(0), Leave{}); err != nil {
			t.Error(err)
		}
		go c.Write([]byte("more\n"))
		go io.Copy(io.Discard, c)
		synctest.Wait()
		t.host.gate <- struct{}{}
		t.wantOpen(0)
	})
}

// Leave ends a guest normally.
type Leave struct{}

func (Leave) Handle(context.Context, *guest) error { return server.Stop(nil) }
