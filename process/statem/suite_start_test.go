package statem_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
	"github.com/coppice-go/coppice/registry"
)

// named is a phone with a name, and the target that the name is.
type named struct {
	target  otpTarget
	machine *statem.Machine[string, otpEvent, phone]
}

// local is OTP's {local, Name}, and {global, Name} too: a node has one table of
// names.
func local(name string) named {
	return named{registry.NewKey[otpRef](name), phoneWith().Named(name)}
}

// via is OTP's {via, Module, Name}: a table of names of one's own, in which the
// process enters itself before all else.
func via(table *dummyVia) named {
	return named{table, phoneWith().With(func(t *otpTurn) (string, *phone, error) {
		return "idle", &phone{data: "data"}, table.enter(t.Context())
	})}
}

type dummyVia struct {
	mu  sync.Mutex
	pid process.PID
}

func (v *dummyVia) enter(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.pid.Alive() {
		return &process.AlreadyStartedError{Name: "via", PID: v.pid}
	}
	v.pid = process.Self(ctx)
	return nil
}

func (v *dummyVia) Ref(ctx context.Context) (otpRef, error) {
	pid, err := v.Resolve(ctx)
	if err != nil {
		return otpRef{}, err
	}
	return statem.As[otpEvent](pid)
}

func (v *dummyVia) Resolve(context.Context) (process.PID, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.pid.Alive() {
		return process.PID{}, &process.ExitError{Name: "via", Reason: process.ErrNoProc}
	}
	return v.pid, nil
}

// startAndMonitor is OTP's start_monitor, from a process that is no machine.
func (c *suiteCase) startAndMonitor(name string) (otpRef, error) {
	c.Helper()
	pid, _, err := process.StartMonitor(c.ctx, process.Spec{
		Name: name, Unlinked: true, Behaviour: phoneWith().Named(name).Behaviour(),
	}, func(d process.Down) any { return d.PID })
	if err != nil {
		return otpRef{}, err
	}
	return statem.As[otpEvent](pid)
}

// taken wants every kind of start refused.
func (c *suiteCase) taken(n named, by otpRef) {
	c.Helper()
	_, err := n.machine.Start(c.ctx)
	c.wantStarted(by.PID(), err)
	_, err = n.machine.StartUnlinked(c.ctx)
	c.wantStarted(by.PID(), err)
	if name := by.PID().Name(); name != "" {
		_, err = c.startAndMonitor(name)
		c.wantStarted(by.PID(), err)
	}
}

// usable talks with a phone, by its PID and by its name.
func (c *suiteCase) usable(n named, ref otpRef) {
	c.Helper()
	c.funcTest(ref)
	c.funcTest(n.target)
}

var suiteStart = map[string]func(*suiteCase){
	"start1": func(c *suiteCase) {
		ref := c.must(phoneWith().Start(c.ctx))
		c.funcTest(ref)
		c.stopIt(ref)
		c.wantMessages()

		ref = c.must(c.startAndMonitor(""))
		c.funcTest(ref)
		c.stopIt(ref)
		c.receive(ref.PID())
	},
	"start2": func(c *suiteCase) {
		ref := c.must(phoneWith().StartUnlinked(c.ctx))
		c.funcTest(ref)
		c.ask(ref, stop{process.ErrShutdown}, "stopped")
		c.checkStopped(ref)
	},
	"start3": func(c *suiteCase) {
		quick := func(sp *phoneSpec) { sp.Timeout = 5 * ms }
		ref := c.must(phoneWith(quick).StartUnlinked(c.ctx))
		c.funcTest(ref)
		c.stopIt(ref)

		_, err := phoneWith(quick, func(sp *phoneSpec) {
			sp.Init = func(t *otpTurn) (string, *phone, error) {
				select {
				case <-time.After(time.Second):
				case <-t.Context().Done():
				}
				return "idle", &phone{}, nil
			}
		}).StartUnlinked(c.ctx)
		if !errors.Is(err, process.ErrTimeout) {
			c.fail("an Init that is too slow: %v", err)
		}
	},
	"start4": func(c *suiteCase) {
		c.trapExits()
		c.wantRefusal(process.ErrIgnore)
	},
	"start5": func(c *suiteCase) {
		c.trapExits()
		c.wantRefusal(errors.New("stopped"))
	},
	"start6": func(c *suiteCase) {
		ref := c.must(phoneWith().Start(c.ctx))
		if !ref.PID().Linked(process.Self(c.ctx)) {
			c.fail("not linked")
		}
		c.funcTest(ref)
		c.stopIt(ref)
	},
	// Global, linked and monitored.
	"start7": func(c *suiteCase) {
		n := local("my_stm")
		ref := c.must(n.machine.Start(c.ctx))
		c.taken(n, ref)
		c.usable(n, ref)
		c.stopIt(n.target)

		ref = c.must(c.startAndMonitor("my_stm"))
		c.taken(n, ref)
		c.usable(n, ref)
		c.stopIt(n.target)
		c.receive(ref.PID())
	},
	"start8": func(c *suiteCase) {
		n := local("my_stm")
		ref := c.must(n.machine.StartUnlinked(c.ctx))
		c.taken(n, ref)
		c.usable(n, ref)
		c.stopIt(ref)
	},
	"start9": func(c *suiteCase) {
		n := local("my_stm")
		ref := c.must(n.machine.Start(c.ctx))
		c.taken(n, ref)
		c.usable(n, ref)
		c.stopIt(ref)
		c.wantMessages()

		ref = c.must(c.startAndMonitor("my_stm"))
		c.taken(n, ref)
		c.usable(n, ref)
		c.stopIt(ref)
		c.receive(ref.PID())
	},
	// Global, unlinked.
	"start10": func(c *suiteCase) {
		n := local("my_stm")
		ref := c.must(n.machine.StartUnlinked(c.ctx))
		c.taken(n, ref)
		c.usable(n, ref)
		c.stopIt(n.target)
	},
	"start11": func(c *suiteCase) {
		n := local("my_stm")
		for range 2 {
			c.stopIt(c.must(n.machine.Start(c.ctx)))
			c.must(n.machine.StartUnlinked(c.ctx))
			c.stopIt(n.target)
		}
	},
	"start12": func(c *suiteCase) {
		n := via(&dummyVia{})
		ref := c.must(n.machine.Start(c.ctx))
		c.taken(n, ref)
		c.usable(n, ref)
		c.stopIt(n.target)
	},
	"next_events": func(c *suiteCase) {
		ref := c.must(phoneWith().StartUnlinked(c.ctx))
		c.cast(ref, nextEvents{})
		c.ask(ref, get{}, stateIs{"next_events", ""})
		c.stopped(ref, nil)
	},
}

// wantRefusal starts a phone whose Init refuses; the error is the starter's
// only, no exit comes besides.
func (c *suiteCase) wantRefusal(why error) {
	c.Helper()
	m := phoneWith().With(func(*otpTurn) (string, *phone, error) { return "", nil, why })
	if _, err := m.StartUnlinked(c.ctx); err != why {
		c.fail("start: %v, want %v", err, why)
	}
	if _, err := m.Start(c.ctx); err != why {
		c.fail("linked start: %v, want %v", err, why)
	}
}

// stopped stops a process; it is gone then, and cannot be stopped again.
func (c *suiteCase) stopped(to process.Target, reason error) {
	c.Helper()
	pid, err := to.Resolve(c.ctx)
	if err != nil {
		c.fail("before the stop: %v", err)
	}
	if err := process.Stop(c.ctx, to, reason); err != nil {
		c.fail("stop: %v", err)
	}
	if pid.Alive() {
		c.fail("%v lives after its stop", pid)
	}
	if err := process.Stop(c.ctx, to, nil); !errors.Is(err, process.ErrNoProc) {
		c.fail("a second stop: %v, want %v", err, process.ErrNoProc)
	}
}

var suiteStop = map[string]func(*suiteCase){
	"stop1": func(c *suiteCase) { c.stopped(c.must(phoneWith().StartUnlinked(c.ctx)), nil) },
	"stop2": func(c *suiteCase) { c.stopped(c.must(phoneWith().StartUnlinked(c.ctx)), errBoom) },
	// A stop that cannot be: OTP's has an invalid time-out, ours a ctx that
	// belongs to nobody.
	"stop3": func(c *suiteCase) {
		ref := c.must(phoneWith().StartUnlinked(c.ctx))
		if err := process.Stop(context.Background(), ref, errBoom); !errors.Is(err, process.ErrNoNode) {
			c.fail("stop: %v", err)
		}
		time.Sleep(ms)
		if !ref.PID().Alive() {
			c.fail("stopped by a stop that was refused")
		}
		c.stopped(ref, nil)
	},
	"stop4": func(c *suiteCase) {
		c.must(local("to_stop").machine.StartUnlinked(c.ctx))
		c.stopped(process.Name("to_stop"), nil)
	},
	// By name and node: a name is one of the node that ctx belongs to.
	"stop5": func(c *suiteCase) {
		n := local("to_stop")
		c.must(n.machine.StartUnlinked(c.ctx))
		node, err := process.NodeOf(c.ctx)
		if err != nil {
			c.fail("node: %v", err)
		}
		if pid, err := process.Name("to_stop").Resolve(node.Context()); err != nil || pid.Node() != node {
			c.fail("found %v, %v", pid, err)
		}
		c.stopped(process.Name("to_stop"), nil)
	},
	// By a global name: a key.
	"stop6": func(c *suiteCase) {
		n := local("to_stop")
		c.must(n.machine.StartUnlinked(c.ctx))
		c.stopped(registry.NewKey[otpRef]("to_stop"), nil)
	},
	"stop7": func(c *suiteCase) {
		table := &dummyVia{}
		c.must(via(table).machine.StartUnlinked(c.ctx))
		c.stopped(table, nil)
	},
}
