package statem_test

import (
	"errors"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
	"github.com/coppice-go/coppice/process/system"
	"github.com/coppice-go/coppice/registry"
)

// What package system shows of a phone.
type snapshot = statem.Snapshot[string, phone]

// wantTimeouts wants these time-outs to run, and no others.
func (c *suiteCase) wantTimeouts(to process.Target, want ...statem.Timeout) {
	c.Helper()
	if got := c.field(to, "timeouts"); got != process.Format(want) {
		c.fail("time-outs %s run, want %v", got, want)
	}
}

// field is one line of a status.
func (c *suiteCase) field(to process.Target, key string) string {
	c.Helper()
	r, err := system.Status(c.ctx, to)
	if err != nil {
		c.fail("status: %v", err)
	}
	i := slices.IndexFunc(r.Fields, func(f system.Field) bool { return f.Key == key })
	if i < 0 {
		c.fail("no %s in status %v", key, r)
	}
	return r.Fields[i].Value
}

func (c *suiteCase) wantSnapshot(to process.Target, state string, data any) {
	c.Helper()
	got, err := system.State[snapshot](c.ctx, to)
	if err != nil || got.State != state || got.Data.data != data {
		c.fail("state %v, %v; want %s with %v", got, err, state, data)
	}
}

// replace replaces state and data.
func (c *suiteCase) replace(to process.Target, state string, data any) {
	c.Helper()
	got, err := system.ReplaceState(c.ctx, to, func(s snapshot) (snapshot, error) {
		s.State, s.Data.data = state, data
		return s, nil
	})
	if err != nil || got.State != state || got.Data.data != data {
		c.fail("replaced by %v, %v; want %s with %v", got, err, state, data)
	}
	c.wantSnapshot(to, state, data)
}

func (c *suiteCase) suspend(to process.Target) {
	c.Helper()
	if err := system.Suspend(c.ctx, to); err != nil {
		c.fail("suspend: %v", err)
	}
}

func (c *suiteCase) resume(to process.Target) {
	c.Helper()
	if err := system.Resume(c.ctx, to); err != nil {
		c.fail("resume: %v", err)
	}
}

var suiteSys = map[string]func(*suiteCase){
	"sys1": func(c *suiteCase) {
		ref := c.must(phoneWith().StartUnlinked(c.ctx))
		if r, err := system.Status(c.ctx, ref); err != nil || r.Status != "running" || r.Kind != statem.Kind {
			c.fail("status: %v, %v", r, err)
		}
		c.suspend(ref)
		var r requests
		r.add(c, "hej", ref, "hej")
		r.wantNone(c, 3*time.Second)
		r.gather.Abandon()
		c.resume(ref)
		c.stopIt(ref)
	},
	// Its Inspect says what is shown, whatever the target is: a PID, a name, a
	// key, a table of one's own.
	"call_format_status": func(c *suiteCase) {
		inspect := func(sp *phoneSpec) { sp.Inspect = func(*phone) any { return "format_status_called" } }
		anonymous := c.must(phoneWith(inspect).StartUnlinked(c.ctx))
		gstm := c.must(phoneWith(inspect).Named("gstm").StartUnlinked(c.ctx))
		table := &dummyVia{}
		other := c.must(phoneWith(inspect).With(func(t *otpTurn) (string, *phone, error) {
			return "idle", &phone{}, table.enter(t.Context())
		}).StartUnlinked(c.ctx))
		for _, to := range []process.Target{anonymous, anonymous.PID(), process.Name("gstm"), registry.NewKey[otpRef]("gstm"), table} {
			r, err := system.Status(c.ctx, to)
			if err != nil || r.Status != "running" || r.State != `{State:"idle" Data:"format_status_called"}` {
				c.fail("status of %v: %v, %v", to, r, err)
			}
		}
		for _, ref := range []otpRef{anonymous, gstm, other} {
			c.stopIt(ref)
		}
	},
	"get_state": func(c *suiteCase) {
		self := process.Self(c.ctx)
		m := phoneWith().With(func(*otpTurn) (string, *phone, error) { return "idle", &phone{data: self}, nil })
		ref := c.must(m.StartUnlinked(c.ctx))
		c.wantSnapshot(ref, "idle", self)
		c.stopIt(ref)

		ref = c.must(m.Named("gstm").StartUnlinked(c.ctx))
		c.wantSnapshot(process.Name("gstm"), "idle", self)
		c.stopIt(ref)

		ref = c.must(m.StartUnlinked(c.ctx))
		c.wantSnapshot(ref, "idle", self)
		c.suspend(ref)
		c.wantSnapshot(ref, "idle", self)
		c.resume(ref)
		c.stopIt(ref)
	},
	"replace_state": func(c *suiteCase) {
		ref := c.must(phoneWith(withState("state0"), withState("error")).StartUnlinked(c.ctx))
		c.wantSnapshot(ref, "idle", "data")
		c.replace(ref, "idle", "replaced")
		c.replace(ref, "state0", "replaced again")

		var panicked *process.PanicError
		_, err := system.ReplaceState(c.ctx, ref, func(snapshot) (snapshot, error) { panic("fail") })
		if !errors.As(err, &panicked) {
			c.fail("a replacement that fails: %v", err)
		}
		c.wantSnapshot(ref, "state0", "replaced again")

		c.suspend(ref)
		c.replace(ref, "state0", "replaced again and again")
		c.resume(ref)
		c.wantSnapshot(ref, "state0", "replaced again and again")

		c.replace(ref, "error", errBoom) // a state, and not a failure
		c.replace(ref, "idle", "data")
		c.stopIt(ref)
	},
}

// withState adds a state that idle leads to.
func withState(name string) func(*phoneSpec) {
	return func(sp *phoneSpec) {
		idle := sp.States["idle"]
		idle.To = append(idle.To, name)
		sp.States["idle"] = idle
		sp.States[name] = statem.State[string, otpEvent, phone]{
			On: func(p *phone, t *otpTurn, ev otpEvent) (string, error) { return p.common(name, t, ev) },
		}
	}
}

// crash is the report of the process that has just ended.
func (c *suiteCase) crash() *process.CrashReport {
	c.Helper()
	seen := c.reports.Events(process.Crashed)
	if len(seen) != 1 {
		c.fail("%d crash reports, want one", len(seen))
	}
	return seen[0].Detail.(*process.CrashReport)
}

func formatted(sp *phoneSpec) {
	sp.Inspect = func(p *phone) any { return "formatted" }
}

var suiteReports = map[string]func(*suiteCase){
	"error_format_status": func(c *suiteCase) {
		ref := c.must(phoneWith(formatted).StartUnlinked(c.ctx))
		c.refused(ref, badReturn{}, statem.ErrMisuse)
		r := c.crash()
		if r.PID != ref.PID() || r.State != `{State:"idle" Data:"formatted"}` || !errors.Is(r.Reason, statem.ErrMisuse) ||
			!strings.Contains(r.Message, "badReturn") {
			c.fail("reported %+v", r)
		}
	},
	"terminate_crash_format": func(c *suiteCase) {
		ref := c.must(phoneWith(formatted, func(sp *phoneSpec) {
			sp.TrapExit = true
			sp.Terminate = func(*phone, *otpTurn, string, error) error { return errBoom }
		}).StartUnlinked(c.ctx))
		c.stopIt(ref)
		r := c.crash()
		if r.PID != ref.PID() || r.State != `{State:"idle" Data:"formatted"}` || r.Reason != errBoom ||
			!strings.Contains(r.Message, "stop") {
			c.fail("reported %+v", r)
		}
	},
	// What is shown of events is for their types to say.
	"format_all_status": func(c *suiteCase) {
		ref := c.must(phoneWith(formatted).StartUnlinked(c.ctx))
		if err := system.SetLog(c.ctx, ref, 10); err != nil {
			c.fail("log: %v", err)
		}
		c.cast(ref, holdBack{})
		c.cast(ref, timeoutIn{100 * time.Second})
		synctest.Wait()
		c.wantTimeouts(ref, event)
		if got := c.field(ref, "postponed"); !strings.Contains(got, "holdBack") {
			c.fail("postponed: %s", got)
		}
		if log, err := system.Log(c.ctx, ref); err != nil || len(log) == 0 {
			c.fail("log: %v, %v", log, err)
		}
		c.refused(ref, badReturn{}, statem.ErrMisuse)
		r := c.crash()
		for _, part := range []string{`Data:"formatted"`, "Next:[]", "Postponed:[", "holdBack", "Timeouts:[", string(event)} {
			if !strings.Contains(r.State, part) {
				c.fail("%s is missing in %s", part, r.State)
			}
		}
	},
	"undef_terminate1": func(c *suiteCase) { c.withoutTerminate(nil) },
	"undef_terminate2": func(c *suiteCase) { c.withoutTerminate(errBoom) },
	// A function that is not there is a nil one.
	"undef_in_terminate": func(c *suiteCase) {
		ref := c.must(phoneWith(func(sp *phoneSpec) {
			sp.TrapExit = true
			sp.Terminate = func(*phone, *otpTurn, string, error) error { var undef func(); undef(); return nil }
		}).StartUnlinked(c.ctx))
		var panicked *process.PanicError
		if err := process.Stop(c.ctx, ref, nil); !errors.As(err, &panicked) || !strings.Contains(panicked.Error(), "nil pointer") {
			c.fail("stop: %v", err)
		}
	},
	// The parts of a report, in order.
	"format_log_1": func(c *suiteCase) {
		ref := c.must(phoneWith(formatted).StartUnlinked(c.ctx))
		c.refused(ref, badReturn{}, statem.ErrMisuse)
		var keys []string
		c.crash().Each(func(key string, _ any) { keys = append(keys, key) })
		for _, want := range []string{"path", "kind", "spawner", "message", "state", "mailbox", "age"} {
			if !slices.Contains(keys, want) {
				c.fail("%s is missing in %v", want, keys)
			}
		}
	},
	// Each part is bounded, however large the event and the state are.
	"format_log_2": func(c *suiteCase) {
		const limit = 300
		large := strings.Repeat("1,2,3,4,5,6,7,8,9,", 1000)
		ref := c.must(phoneWith(func(sp *phoneSpec) { sp.Inspect = func(*phone) any { return large } }).StartUnlinked(c.ctx))
		c.cast(ref, holdBack{})
		err := ref.Cast(c.ctx, otpEvent{Type: large, Content: badReturn{}})
		if err != nil {
			c.fail("cast: %v", err)
		}
		if reason, _ := process.Wait(c.ctx, ref); !errors.Is(reason, statem.ErrMisuse) {
			c.fail("it ended with %v", reason)
		}
		r := c.crash()
		if len(r.Message) > limit || len(r.State) > limit || !strings.Contains(r.State, "1,2,3,4") {
			c.fail("a message of %d bytes, a state of %d: want %d at most", len(r.Message), len(r.State), limit)
		}
	},
}

// withoutTerminate stops a machine that has no Terminate.
func (c *suiteCase) withoutTerminate(reason error) {
	c.Helper()
	ref := c.must(phoneWith().StartUnlinked(c.ctx))
	_, err := c.in.Monitor(ref, func(d process.Down) any { return d.Reason })
	if err != nil {
		c.fail("monitor: %v", err)
	}
	if err := process.Stop(c.ctx, ref, reason); err != nil {
		c.fail("stop: %v", err)
	}
	c.receive(reason)
}
