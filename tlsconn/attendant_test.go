package tlsconn_test

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/tlsconn"
)

// A household is a server below a supervisor, behind a process that takes it along.
type household struct {
	*testing.T
	ctx      context.Context
	world    *world
	server   *tlsconn.Server
	key      string // the file
	sup, dog process.PID
}

// keep has the server be a child of the supervisor, or of another one below it.
func keep(t *testing.T, deep bool) *household {
	t.Helper()
	h := &household{T: t, world: newWorld()}
	h.ctx, _ = node(t)
	if _, err := alarm.Start(h.ctx); err != nil {
		t.Fatal(err)
	}
	files := filesOf(t, h.world.server, tlsconn.NoClientCert, nil)
	h.key, h.server = files.Key, tlsconn.NewServer(tlsconn.Spec{Files: files})
	child := supervisor.Child{ID: "tls", Start: h.server.Start}
	if deep {
		child = supervisor.Child{ID: "inner", Start: supervisor.StartFunc(supervisor.Spec{Children: []supervisor.Child{child}})}
	}
	var err error
	if h.sup, err = supervisor.Start(h.ctx, supervisor.Spec{Strategy: supervisor.RestForOne, Children: []supervisor.Child{
		{ID: "dog", Start: supervisor.Go(func(ctx context.Context) error {
			h.dog = process.Self(ctx)
			<-ctx.Done()
			return nil
		})},
		child,
	}}); err != nil {
		t.Fatal(err)
	}
	return h
}

// attendant is the server's process.
func (h *household) attendant() process.PID {
	h.Helper()
	ref, err := h.server.Ref(h.ctx)
	if err != nil {
		h.Fatal(err)
	}
	return ref.PID()
}

func (h *household) kill(pid process.PID) {
	h.Helper()
	if err := process.Kill(h.ctx, pid); err != nil {
		h.Fatal(err)
	}
	synctest.Wait()
}

func (h *household) wantServed() {
	h.Helper()
	if _, err := visit(h.T, h.ctx, h.server, h.world.trusting()); err != nil {
		h.Error(err)
	}
}

func (h *household) wantAlarms(n int) {
	h.Helper()
	synctest.Wait()
	if alarms, err := alarm.List(h.ctx); err != nil || len(alarms) != n {
		h.Errorf("alarms %+v, %v; want %d", alarms, err, n)
	}
}

// A server that is stopped only to be started again, because of another child of its
// supervisor, serves on as after a crash of its own: that must not come to nothing
// because the files are just being written. The alarm is on again.
func TestRestartBecauseOfAnother(t *testing.T) {
	for _, deep := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			h := keep(t, deep)
			key, err := os.ReadFile(h.key)
			if err != nil {
				t.Fatal(err)
			}
			write(t, h.key, []byte("garbage"))
			time.Sleep(time.Minute)
			h.wantAlarms(1)
			before := h.attendant()
			h.kill(h.dog)
			if !h.sup.Alive() || h.attendant() == before || !h.attendant().Alive() {
				t.Errorf("after %v comes %v; the supervisor lives: %v", before, h.attendant(), h.sup.Alive())
			}
			h.wantServed()
			time.Sleep(time.Minute)
			h.wantAlarms(1)
			write(t, h.key, key)
			time.Sleep(time.Minute)
			h.wantAlarms(0)
			h.wantServed()
		})
	}
}

// An alarm does not outlive the server, though the process that set it was killed.
func TestAlarmOfKilledAttendant(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := keep(t, false)
		write(t, h.key, []byte("garbage"))
		time.Sleep(time.Minute)
		h.wantAlarms(1)
		h.kill(h.attendant())
		h.wantAlarms(1)
		h.wantServed()
		if err := process.Stop(h.ctx, h.sup, process.ErrShutdown); err != nil {
			t.Fatal(err)
		}
		h.wantAlarms(0)
	})
}

// A supervisor that is killed leaves the server's process behind for a moment. Whoever
// starts the server again waits for it.
func TestKilledSupervisor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := keep(t, true)
		for range 5 {
			before := h.attendant()
			h.kill(before.Parent())
			if !h.sup.Alive() || before.Alive() || !h.attendant().Alive() {
				t.Errorf("after %v comes %v; the supervisor lives: %v", before, h.attendant(), h.sup.Alive())
			}
			h.wantServed()
			time.Sleep(time.Minute) // or there are too many restarts
		}
	})
}

// So it is with a client.
func TestKilledSupervisorOfClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, _ := node(t)
		b := &backend{w: newWorld()}
		c := tlsconn.NewClient(tlsconn.ClientSpec{Address: "localhost:1", Dialer: b.dial, Files: b.w.clientFiles(t, nil)})
		var inner process.PID
		sup, err := supervisor.Start(ctx, supervisor.Spec{Children: []supervisor.Child{{ID: "inner", Start: func(ctx context.Context) (pid process.PID, err error) {
			inner, err = supervisor.Start(ctx, supervisor.Spec{Children: []supervisor.Child{{ID: "db", Start: c.Start}}})
			return inner, err
		}}}})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			conn, err := c.Conn(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := echo(conn); err != nil {
				t.Error(err)
			}
			if err := process.Kill(ctx, inner); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			synctest.Wait() // inner is another
			if !sup.Alive() {
				t.Fatal("the supervisor has given up")
			}
		}
	})
}
