package acceptor_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// A family is a connection with a helper: a server that counts, and that writes to
// the same connection.
type family struct {
	conn   *acceptor.Conn
	mu     sync.Mutex
	helper server.Ref[counter]
	starts int // of the helper
}

func (f *family) born(helper server.Ref[counter]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.helper = helper
	f.starts++
}

func (f *family) now() (helper server.Ref[counter], starts int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.helper, f.starts
}

type counter struct{ family *family }

// Count has the helper write a line of its own.
type Count struct{ text string }

func (m Count) Handle(_ context.Context, c *counter) error {
	switch m.text {
	case "boom":
		return errBoom
	case "done":
		return server.Stop(nil)
	}
	_, n := c.family.now()
	_, err := fmt.Fprintf(c.family.conn, "helper %d: %s\n", n, m.text)
	return err
}

// families makes Subtrees of a helper and a guest, and remembers what it made.
type families struct {
	mu  sync.Mutex
	all []*family
}

func (fs *families) subtree(h *host, edit func(*supervisor.Spec)) acceptor.Subtree {
	return acceptor.Subtree{Tree: func(_ context.Context, c *acceptor.Conn) (supervisor.Spec, error) {
		f := &family{conn: c}
		fs.mu.Lock()
		fs.all = append(fs.all, f)
		fs.mu.Unlock()
		p := h.protocol()
		inner := p.Frame
		p.Frame = func(ctx context.Context, g *guest, line []byte) error {
			if text, ok := strings.CutPrefix(string(line), "helper "); ok {
				helper, _ := f.now()
				return server.Cast(ctx, helper, Count{text})
			}
			return inner(ctx, g, line)
		}
		p.Drain = func(context.Context, *guest) error { return server.Stop(nil) }
		spec := supervisor.Spec{Children: []supervisor.Child{
			{ID: "helper", Start: func(ctx context.Context) (process.PID, error) {
				ref, err := server.Start(ctx, server.Spec[counter]{
					Init:      func(context.Context) (*counter, error) { return &counter{f}, nil },
					TrapExit:  true,
					Terminate: func(context.Context, *counter, error) error { fmt.Fprintln(c, "helper ends"); return nil },
				})
				if err == nil {
					f.born(ref)
				}
				return ref.PID(), err
			}},
			acceptor.Speaker(c, p),
		}}
		if edit != nil {
			edit(&spec)
		}
		return spec, nil
	}}
}

func subtrees(t *testing.T, edit func(*supervisor.Spec), f func(*test, *families)) {
	fs, h := &families{}, &host{}
	serve(t, func(s *acceptor.Spec) { s.Protocol = fs.subtree(h, edit) }, nil, func(t *test) { f(t, fs) })
}

func TestSubtree(t *testing.T) {
	subtrees(t, nil, func(t *test, fs *families) {
		a := t.street.dial()
		a.send(t.T, "x\n")
		a.want(t.T, "echo: x")
		a.send(t.T, "helper y\n")
		a.want(t.T, "helper 1: y")
		all, err := acceptor.Connections(t.ctx, t.pid)
		if err != nil || len(all) != 1 || !all[0].PID.Is(process.KindSupervisor) {
			t.Fatalf("the connections are %v (%v), want one supervisor", all, err)
		}
		if s := fs.all[0].conn.Speaker(); s.Parent() != all[0].PID || s.Path() != all[0].PID.Path()+"/speaker" {
			t.Errorf("the speaker is %v", s)
		}
		t.wantOpen(1)
		a.Close()
		t.wantOpen(0)
		t.wantEnds("closed")
		if helper, _ := fs.all[0].now(); helper.PID().Alive() {
			t.Error("the helper has outlived its connection")
		}
		t.wantQuiet()
	})
}

// A helper that crashes is restarted, and the connection goes on.
func TestSubtreeHelperCrashes(t *testing.T) {
	subtrees(t, nil, func(t *test, fs *families) {
		a := t.street.dial()
		a.send(t.T, "helper boom\n")
		a.want(t.T, "helper ends")
		synctest.Wait()
		a.send(t.T, "helper z\n")
		a.want(t.T, "helper 2: z")
		a.send(t.T, "helper done\n") // it is permanent; that is once too often
		a.want(t.T, "helper ends")
		a.wantEnd(t.T)
		t.wantOpen(0)
		t.wantEnds("crashed")
	})
}

// How a tree may end, and what it counts as.
func TestSubtreeEnds(t *testing.T) {
	one := func(strategy supervisor.Strategy) func(*supervisor.Spec) {
		return func(s *supervisor.Spec) { s.Strategy = strategy }
	}
	for name, tt := range map[string]struct {
		edit  func(*supervisor.Spec)
		do    func(*test, *family, *client)
		class string
		last  string // what the peer still gets
	}{
		"the speaker crashes":   {nil, func(t *test, _ *family, c *client) { c.send(t.T, "panic\n") }, "crashed", ""},
		"the speaker is done":   {nil, func(t *test, _ *family, c *client) { c.send(t.T, "bye\n") }, "normal", ""},
		"the speaker is killed": {nil, func(t *test, f *family, _ *client) { process.Kill(t.ctx, f.conn.Speaker()) }, "killed", ""},
		"the tree is killed":    {nil, func(t *test, f *family, _ *client) { process.Kill(t.ctx, f.conn.Speaker().Parent()) }, "killed", ""},
		"the tree is stopped": {nil, func(t *test, f *family, _ *client) {
			process.Stop(t.ctx, f.conn.Speaker().Parent(), process.ErrShutdown)
		}, "stopped", ""},
		"a restart of all":        {one(supervisor.OneForAll), func(t *test, _ *family, c *client) { c.send(t.T, "helper boom\n") }, "crashed", "helper ends\n"},
		"a restart of the rest":   {one(supervisor.RestForOne), func(t *test, _ *family, c *client) { c.send(t.T, "helper boom\n") }, "crashed", "helper ends\n"},
		"a restart of all, clean": {one(supervisor.OneForAll), func(t *test, _ *family, c *client) { c.send(t.T, "helper done\n") }, "stopped", "helper ends\n"},
		"too many restarts": {func(s *supervisor.Spec) { s.Intensity = supervisor.NoRestart },
			func(t *test, _ *family, c *client) { c.send(t.T, "helper boom\n") }, "crashed", "helper ends\n"},
	} {
		t.Run(name, func(t *testing.T) {
			subtrees(t, tt.edit, func(t *test, fs *families) {
				a := t.street.dial()
				a.send(t.T, "x\n")
				a.want(t.T, "echo: x")
				b := t.street.dial()
				b.send(t.T, "x\n")
				b.want(t.T, "echo: x")
				tt.do(t, fs.all[0], a)
				if tt.last != "" {
					a.want(t.T, strings.TrimSuffix(tt.last, "\n"))
				}
				a.wantEnd(t.T)
				t.wantOpen(1)
				t.wantEnds(tt.class)
				b.send(t.T, "y\n")
				b.want(t.T, "echo: y")
				b.Close()
			})
		})
	}
}

func TestSubtreeDrain(t *testing.T) {
	subtrees(t, nil, func(t *test, fs *families) {
		a := t.street.dial()
		a.send(t.T, "helper y\n")
		a.want(t.T, "helper 1: y")
		if err := acceptor.Drain(t.ctx, t.pid, time.Minute); err != nil {
			t.Errorf("the drain: %v", err)
		}
		a.wantEnd(t.T)
		t.wantEnds("normal")
		t.wantQuiet()
	})
}

// A stop ends the children in reverse order, the speaker first.
func TestSubtreeStop(t *testing.T) {
	edit := func(s *supervisor.Spec) { s.Children[0], s.Children[1] = s.Children[1], s.Children[0] }
	subtrees(t, edit, func(t *test, fs *families) {
		a := t.street.dial()
		a.send(t.T, "x\n")
		a.want(t.T, "echo: x")
		done := make(chan struct{})
		go func() { defer close(done); a.want(t.T, "helper ends"); a.wantEnd(t.T) }()
		if err := process.Stop(t.ctx, t.pid, process.ErrShutdown); err != nil {
			t.Fatal(err)
		}
		<-done
		t.wantQuiet()
	})
}

// What is wrong with a tree refuses its connection, and leaves nothing behind.
func TestSubtreeFaults(t *testing.T) {
	none := func(s *supervisor.Spec) { s.Children = s.Children[:1] }
	twice := func(s *supervisor.Spec) {
		second := s.Children[1]
		second.ID = "second"
		s.Children = append(s.Children, second)
	}
	deeper := func(s *supervisor.Spec) {
		s.Children[1].Significant = false
		inner := supervisor.Spec{Children: []supervisor.Child{s.Children[1]}}
		s.Children[1] = supervisor.Child{ID: "speaker", Start: supervisor.StartFunc(inner)}
	}
	for name, tt := range map[string]struct {
		edit  func(*supervisor.Spec)
		why   string
		began bool // and so it was a connection, which ended
	}{
		"no speaker":       {none, "none of Tree's Children is its Speaker", false},
		"two speakers":     {twice, "the only one that speaks", true},
		"a deeper speaker": {deeper, "not of a supervisor below", true},
		"a panic in Tree":  {func(*supervisor.Spec) { panic(errBoom) }, "boom", false},
		"a child that does not start": {func(s *supervisor.Spec) {
			s.Children[0].Start = func(context.Context) (process.PID, error) { return process.PID{}, errBoom }
		}, "boom", true},
		"a bad spec": {func(s *supervisor.Spec) { s.Intensity = -7 }, "Intensity is -7", false},
	} {
		t.Run(name, func(t *testing.T) {
			subtrees(t, tt.edit, func(t *test, fs *families) {
				before := len(t.pid.Node().Processes())
				a := t.street.dial()
				go func() { // a helper may say goodbye
					for {
						if _, err := a.in.ReadString('\n'); err != nil {
							return
						}
					}
				}()
				t.wantOpen(0)
				if tt.began {
					t.wantEnds("crashed")
				} else if got := t.info().Refusals[acceptor.Failed]; got != 1 {
					t.Errorf("%d connections have failed, want 1", got)
				}
				if after := len(t.pid.Node().Processes()); after != before {
					t.Errorf("there were %d processes, and are %d", before, after)
				}
				said := false
				for _, e := range t.log.Events(0) {
					said = said || e.Level == process.LevelError && e.Reason != nil && strings.Contains(e.Reason.Error(), tt.why)
				}
				if !said {
					t.Errorf("nobody said %q:\n%v", tt.why, t.log)
				}
			})
		})
	}
	ignore := acceptor.Subtree{Tree: func(context.Context, *acceptor.Conn) (supervisor.Spec, error) {
		return supervisor.Spec{}, process.ErrIgnore
	}}
	serve(t, func(s *acceptor.Spec) { s.Protocol = ignore }, nil, func(t *test) {
		t.street.dial().wantEnd(t.T)
		synctest.Wait()
		if got := t.info().Refusals[acceptor.Ignored]; got != 1 {
			t.Errorf("%d connections were ignored, want 1", got)
		}
		t.wantQuiet()
	})
	if _, err := acceptor.Start(context.Background(), acceptor.Spec{Address: ":0", Protocol: acceptor.Subtree{}}); err == nil || !strings.Contains(err.Error(), "Tree is missing") {
		t.Errorf("without Tree: %v", err)
	}
}

// With a Transport the tree begins before the handshake, and nobody can write.
func TestSubtreeTransport(t *testing.T) {
	var conn *acceptor.Conn
	tree := func(_ context.Context, c *acceptor.Conn) (supervisor.Spec, error) {
		conn = c
		return supervisor.Spec{Children: []supervisor.Child{acceptor.Speaker(c, acceptor.Protocol[guest]{
			New:   func(context.Context, *acceptor.Conn) (*guest, error) { return &guest{conn: c}, nil },
			Open:  func(_ context.Context, g *guest) error { _, err := fmt.Fprintln(g.conn, "welcome"); return err },
			Split: bufio.ScanLines,
			Frame: (&guest{}).frame,
		})}}, nil
	}
	edit := func(s *acceptor.Spec) { s.Protocol, s.Transport = acceptor.Subtree{Tree: tree}, hello{} }
	serve(t, edit, nil, func(t *test) {
		a := t.street.dial()
		synctest.Wait()
		if _, err := fmt.Fprintln(conn, "early"); !errors.Is(err, acceptor.ErrNotOpen) {
			t.Errorf("a write before the handshake: %v", err)
		}
		a.send(t.T, "hello\nx\n")
		a.want(t.T, "WELCOME")
		a.want(t.T, "ECHO: X")
		a.Close()
		t.wantOpen(0)
		t.wantEnds("closed")
	})
}

// Uncount works from a tree too, whoever calls it.
func TestSubtreeUncount(t *testing.T) {
	subtrees(t, nil, func(t *test, fs *families) {
		a := t.street.dial()
		a.send(t.T, "x\n")
		a.want(t.T, "echo: x")
		fs.all[0].conn.Uncount()
		t.wantOpen(1)
		if got := t.info().Uncounted; got != 1 {
			t.Errorf("%d are uncounted, want 1", got)
		}
		a.Close()
		t.wantOpen(0)
	})
}
