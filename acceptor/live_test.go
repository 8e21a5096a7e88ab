package acceptor_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
	"github.com/coppice-go/coppice/process/server"
)

// All that is changed at once is in force, or nothing of it.
func TestSetOptions(t *testing.T) {
	bubble(t, limit(1, acceptor.Wait), func(t *test) {
		a, b := t.street.dial(), t.street.dial()
		t.wantOpen(1)
		err := acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) {
			o.MaxConnections, o.Overflow = 5, acceptor.Refuse // these would do
			o.Rate, o.Protocol = -1, nil
			o.Access = append(o.Access, acceptor.Rule{Deny: true})
		})
		for _, want := range []string{"Rate is -1", "Protocol is missing", "stay as they are"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("SetOptions: %v, want %q in it", err, want)
			}
		}
		t.wantOpen(1) // b waits, as before
		o, err := acceptor.GetOptions(t.ctx, t.pid)
		if err != nil || o.MaxConnections != 1 || o.Overflow != acceptor.Wait || o.Rate != 0 || o.Protocol == nil || len(o.Access) != 0 {
			t.Errorf("after a change that was refused: %+v, %v", o, err)
		}
		err = acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) { o.MaxConnections, o.Overflow = 2, acceptor.Refuse })
		if err != nil {
			t.Error(err)
		}
		t.wantOpen(2)
		c := t.street.dial()
		c.wantEnd(t.T)
		// The acceptors are at the socket without a permission, and the next one of
		// them waits with a connection in hand.
		if err := acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) { o.Overflow = acceptor.Wait }); err != nil {
			t.Error(err)
		}
		d := t.street.dial()
		t.wantOpen(2)
		a.Close()
		t.wantOpen(2)
		d.send(t.T, "x\n")
		d.want(t.T, "echo: x")
		b.Close()
		d.Close()
		t.wantOpen(0)
		t.wantCounts(refusals{acceptor.Full: 1}, ends{"closed": 3})
	})
}

// A new Protocol is for new connections only.
func TestSetProtocol(t *testing.T) {
	bubble(t, nil, func(t *test) {
		a := t.street.dial()
		t.wantOpen(1)
		p := t.host.protocol()
		p.Frame = func(_ context.Context, g *guest, line []byte) error {
			_, err := fmt.Fprintf(g.conn, "other: %s\n", line)
			return err
		}
		if err := acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) { o.Protocol = p }); err != nil {
			t.Fatal(err)
		}
		b := t.street.dial()
		a.send(t.T, "x\n")
		b.send(t.T, "x\n")
		a.want(t.T, "echo: x")
		b.want(t.T, "other: x")
		process.Kill(t.ctx, t.child("street/gate")) // the options are not the gate's
		synctest.Wait()
		c := t.street.dial()
		c.send(t.T, "x\n")
		c.want(t.T, "other: x")
		for _, c := range []*client{a, b, c} {
			c.Close()
		}
	})
}

func TestSetHandshakeTimeout(t *testing.T) {
	bubble(t, over(hello{heeds: true}), func(t *test) {
		defer t.street.dial().Close() // it keeps its five seconds
		t.wantOpen(1)
		if err := acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) { o.HandshakeTimeout = time.Second }); err != nil {
			t.Fatal(err)
		}
		defer t.street.dial().Close()
		t.wantOpen(2)
		time.Sleep(time.Second + ms)
		t.wantOpen(1)
		time.Sleep(4 * time.Second)
		t.wantOpen(0)
		t.wantCounts(nil, ends{"handshake_timeout": 2})
	})
}

// Of changes at the same time none is lost.
func TestSetOptionsTogether(t *testing.T) {
	bubble(t, nil, func(t *test) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				err := acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) {
					o.MaxConnections++
					o.Access = append(o.Access, acceptor.Rule{})
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if o, err := acceptor.GetOptions(t.ctx, t.pid); err != nil || o.MaxConnections != 20 || len(o.Access) != 20 {
			t.Errorf("after 20 changes: %d, %d rules, %v", o.MaxConnections, len(o.Access), err)
		}
	})
}

// rings is where Callbacks write.
type rings struct {
	mu  sync.Mutex
	all []acceptor.Alarmed
}

func (r *rings) ring(_ context.Context, a acceptor.Alarmed) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, a)
	return nil
}

// want wants so many calls, and returns them.
func (r *rings) want(t *test, n int) []acceptor.Alarmed {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) != n {
		t.Errorf("called %d times, want %d", len(r.all), n)
	}
	return slices.Clone(r.all)
}

func alarms(as ...acceptor.Alarm) func(*acceptor.Spec, *acceptor.Protocol[guest]) {
	return func(s *acceptor.Spec, _ *acceptor.Protocol[guest]) { s.Alarms = as }
}

// warnings are the alarms that were reported.
func (t *test) warnings() (out []string) {
	synctest.Wait()
	for _, e := range t.log.Events(process.Warned) {
		id := ""
		e.Detail.Each(func(key string, v any) {
			if key == "alarm" {
				id = fmt.Sprint(v)
			}
		})
		out = append(out, e.Text+" "+id)
	}
	return out
}

// An alarm is set at its threshold, called again after each cooldown, and
// cleared when there have been fewer for one, with a manager of alarms or
// without.
func TestAlarm(t *testing.T) {
	for _, managed := range []bool{false, true} {
		t.Run(fmt.Sprint("managed ", managed), func(t *testing.T) {
			var r rings
			bubble(t, alarms(acceptor.Alarm{Name: "many", Threshold: 3, Callback: r.ring}), func(t *test) {
				if managed {
					if _, err := alarm.Start(t.ctx); err != nil {
						t.Fatal(err)
					}
				}
				var cs []*client
				for i := range 5 {
					cs = append(cs, t.street.dial())
					t.wantOpen(i + 1)
					if got := len(t.info().Alarms) > 0; got != (i >= 2) {
						t.Errorf("with %d the alarm is set: %v", i+1, got)
					}
				}
				if a := r.want(t, 1)[0]; a.Connections != 3 || a.Listener != t.pid || a.Name != "street" || a.Alarm.Name != "many" {
					t.Errorf("the Callback got %+v", a)
				}
				time.Sleep(11 * time.Second)
				r.want(t, 3) // twice after 5 s
				for range 100 {
					cs[0].Close()
					cs[1].Close()
					cs[2].Close()
					t.wantOpen(2)
					cs[0], cs[1], cs[2] = t.street.dial(), t.street.dial(), t.street.dial()
					t.wantOpen(5)
				}
				r.want(t, 3)
				if managed {
					if all, err := alarm.List(t.ctx); err != nil || len(all) != 1 || all[0].ID != "street: many" || all[0].Text == "" {
						t.Errorf("alarms %+v, %v", all, err)
					}
				}
				for _, c := range cs[1:] {
					c.Close()
				}
				time.Sleep(5*time.Second - ms)
				if got := t.warnings(); !slices.Equal(got, []string{"alarm set street: many"}) {
					t.Errorf("reported %q", got)
				}
				time.Sleep(2 * ms)
				if got := t.warnings(); !slices.Equal(got, []string{"alarm set street: many", "alarm cleared street: many"}) {
					t.Errorf("reported %q", got)
				}
				time.Sleep(time.Hour)
				r.want(t, 3)
				cs[0].Close()
			})
		})
	}
}

// An alarm that is taken away is cleared, as is one of a listener that stops;
// one whose gate was killed is not called anew.
func TestAlarmEnds(t *testing.T) {
	var r rings
	a, b := acceptor.Alarm{Name: "a", Threshold: 1, Callback: r.ring}, acceptor.Alarm{Name: "b", Threshold: 1}
	bubble(t, alarms(a, b), func(t *test) {
		c := t.street.dial()
		t.wantOpen(1)
		process.Kill(t.ctx, t.child("street/gate"))
		r.want(t, 1)
		if err := acceptor.SetOptions(t.ctx, t.pid, func(o *acceptor.Options) { o.Alarms = o.Alarms[:1] }); err != nil {
			t.Fatal(err)
		}
		if err := process.Stop(t.ctx, t.pid, process.ErrShutdown); err != nil {
			t.Error(err)
		}
		want := []string{"alarm set street: a", "alarm set street: b", "alarm cleared street: b", "alarm cleared street: a"}
		if got := t.warnings(); !slices.Equal(got, want) {
			t.Errorf("reported %q, want %q", got, want)
		}
		c.wantEnd(t.T)
	})
}

// What a Callback does harms nobody: it may take for ever, or crash. A slow one
// is not called again meanwhile, and that is said.
func TestAlarmCallback(t *testing.T) {
	var r rings
	slow := func(ctx context.Context, a acceptor.Alarmed) error {
		err := r.ring(ctx, a)
		<-ctx.Done()
		return err
	}
	crash := func(context.Context, acceptor.Alarmed) error { panic(errBoom) }
	asks := func(ctx context.Context, a acceptor.Alarmed) error {
		_, err := acceptor.Connections(ctx, a.Listener)
		return err
	}
	bubble(t, alarms(acceptor.Alarm{Name: "slow", Threshold: 1, Callback: slow}, acceptor.Alarm{Name: "crash", Threshold: 1, Callback: crash},
		acceptor.Alarm{Name: "asks", Threshold: 1, Callback: asks}), func(t *test) {
		c := t.street.dial()
		t.wantOpen(1)
		gate := t.child("street/gate")
		time.Sleep(13 * time.Second)
		r.want(t, 1)
		crashes := 0
		for _, e := range t.log.Events(process.Crashed) {
			if strings.Contains(fmt.Sprint(e.Reason), errBoom.Error()) {
				crashes++
			} else {
				t.Errorf("crashed: %v", e.Reason)
			}
		}
		if crashes != 3 || !gate.Alive() {
			t.Errorf("%d crashes were reported, want 3; the gate lives: %v", crashes, gate.Alive())
		}
		if got := t.lines(process.LevelWarn); len(got) != 1 || !strings.Contains(got[0], "has not returned") {
			t.Errorf("said %q", got)
		}
		c.send(t.T, "x\n")
		c.want(t.T, "echo: x")
		if err := acceptor.Drain(t.ctx, t.pid, time.Second); err == nil {
			t.Error("the connection had no reason to go")
		}
		c.wantEnd(t.T)
		if _, err := server.Call(t.ctx, t.host.guest(0), Ping{}); err == nil {
			t.Error("it lives")
		}
	})
}
