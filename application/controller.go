package application

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/coppice-go/coppice/process"
)

// A controller keeps what there is to know about the applications of one node.
// It decides and remembers, and never waits: no callback runs in it, so it
// answers whatever an application is doing (OTP's answers only between two
// stops).
type controller struct {
	node *process.Node
	env  *environment
	seen *crossings
	gone chan struct{} // closed when the applications are down for good

	mu sync.RWMutex
	// Written by the controller's process with mu held, read there without it
	// and elsewhere with it.
	loaded  map[*App]*place
	running []*instance // up or being stopped, in order of start
	rising  []*instance // being started
	sources sources
	down    *descent // set once the node is going down

	// Owned by the controller's process.
	ctx     context.Context
	byPID   map[process.PID]*instance
	started map[*App]Type // OTP's list: also holds those that ended by themselves since
}

// controllerName is the name under which a node's controller is found.
const controllerName = "coppice.application"

// controllerOf returns the controller of ctx's node, and makes it when it is
// first asked for. What belongs to its process alone is not to be touched; ask
// sends it requests.
func controllerOf(ctx context.Context) (*controller, error) {
	c, _, err := findController(ctx)
	return c, err
}

func findController(ctx context.Context) (*controller, process.PID, error) {
	node, err := process.NodeOf(ctx)
	if err != nil {
		return nil, process.PID{}, err
	}
	for {
		if pid, ok := process.Whereis(ctx, controllerName); ok {
			b := pid.Behaviour()
			if c, ok := b.(*controller); ok {
				return c, pid, nil
			}
			if b != nil { // nil: it has just ended
				return nil, process.PID{}, fmt.Errorf("application: the name %q is taken by %v; it is ours", controllerName, pid)
			}
		}
		c := &controller{
			node: node, env: newEnvironment(), seen: newCrossings(), gone: make(chan struct{}),
			loaded: map[*App]*place{}, byPID: map[process.PID]*instance{}, started: map[*App]Type{},
		}
		pid, err := process.Start(node.Context(), process.Spec{
			Name: controllerName, Kind: "application controller", TrapExit: true, Behaviour: c,
		})
		if err == nil {
			return c, pid, nil
		}
		if !errors.Is(err, process.ErrNameTaken) {
			return nil, process.PID{}, fmt.Errorf("application: %w", err)
		}
	}
}

func (c *controller) Init(ctx context.Context) error {
	c.ctx = ctx
	return c.moor()
}

func (c *controller) Handle(_ context.Context, msg any) error {
	switch msg := msg.(type) {
	case *startRequest:
		c.start(msg)
	case *startedMsg:
		c.up(msg.inst)
	case *startLate:
		c.startLate(msg.inst)
	case *stopRequest:
		c.stop(msg)
	case *loadRequest:
		msg.Reply(nil, c.load(msg.app))
	case *unloadRequest:
		msg.Reply(nil, c.unload(msg.app))
	case *configRequest:
		msg.Reply(nil, c.configure(msg.sources))
	case *downRequest:
		c.goDown(nil)
		c.down.wait(msg)
	case *process.ExitSignal:
		c.ended(msg.From, msg.Reason)
	case *process.Down: // of the anchor; there is no other monitor
		return c.moor()
	default:
		warnUnknown(c.ctx, msg)
	}
	return nil
}

// warnUnknown refuses a request, or reports a message, that nobody should have
// sent here. To end of it would make every stray message the end of all
// applications.
func warnUnknown(ctx context.Context, msg any) {
	if req, ok := msg.(interface{ Reply(func(), error) bool }); ok {
		req.Reply(nil, fmt.Errorf("application: %v does not answer a %T", process.Self(ctx), msg))
		return
	}
	process.Emit(ctx, process.Event{
		Kind: process.Warned, Level: process.LevelWarn, Text: fmt.Sprintf("ignored a message of unknown type %T", msg),
	})
}

// Terminate has nothing to do: the anchor had the applications stopped.
func (c *controller) Terminate(context.Context, error) error { return nil }

// update changes what others read.
func (c *controller) update(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// pid is the controller's process.
func (c *controller) pid() process.PID { return process.Self(c.ctx) }

// order returns the applications that are up, or on the way, in order of start.
func (c *controller) order() []*App {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return appsOf(slices.Concat(c.running, c.rising))
}

// upNow lists the applications that have started and are not being stopped, in
// order of start.
func (c *controller) upNow() []*App { return appsOf(c.runningNow()) }

func (c *controller) runningNow() []*instance {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.DeleteFunc(slices.Clone(c.running), func(i *instance) bool { return i.phase() != phaseRunning })
}

func appsOf(instances []*instance) []*App {
	apps := make([]*App, len(instances))
	for n, i := range instances {
		apps[n] = i.app
	}
	return apps
}

// find returns the instance of app that is up, on the way, or going, if any.
func (c *controller) find(app *App) *instance {
	for _, i := range slices.Concat(c.running, c.rising) {
		if i.app == app {
			return i
		}
	}
	return nil
}

// ask sends a request to the controller of ctx's node and waits for the answer,
// for as long as ctx allows: a start and a stop take the time they take.
func ask(ctx context.Context, req process.Requester) error {
	_, pid, err := findController(ctx)
	if err != nil {
		return err
	}
	return process.Do(process.WithCallTimeout(ctx, process.Infinity), pid, req)
}

// ended deals with the end of an application's process.
func (c *controller) ended(pid process.PID, reason error) {
	i := c.byPID[pid]
	if i == nil {
		return // linked by a stranger, or by the node's root
	}
	delete(c.byPID, pid)
	i.timer.Stop()
	if !i.isThrough() && !i.cleaning {
		c.clearUp(i, reason)
		return
	}
	c.over(i)
}

func (i *instance) isThrough() (through bool) {
	i.set(func() { through = i.through })
	return through
}

// clearUp lets another process finish what a killed one can not.
func (c *controller) clearUp(i *instance, reason error) {
	i.cleaning = true
	i.set(func() {
		switch {
		case i.at == phaseStart && i.failure == nil:
			i.failure = i.endedInStart(i.detail, reason)
		case i.reason == nil:
			i.reason = reason
		}
	})
	if err := c.employ(i, &finishMsg{}); err != nil {
		c.over(i)
	}
}

// employ starts a process for an application and sends it its first word. It
// belongs to nobody's tree but is linked to the controller: the paths of its
// processes begin with the application's name.
func (c *controller) employ(i *instance, first any) error {
	birth := process.Birth{ID: i.app.Name, Group: i.group, Values: context.WithValue(c.ctx, scopeKey{}, i)}
	pid, err := process.Start(process.WithBirth(c.ctx, birth), process.Spec{
		Kind: kindMaster, TrapExit: true, Unlinked: true, Behaviour: &master{instance: i, controller: c.pid(), second: i.cleaning},
	})
	if err != nil {
		return err
	}
	i.set(func() { i.master = pid })
	c.byPID[pid] = i
	if err := process.Link(c.ctx, pid); err != nil {
		return err
	}
	return process.Send(c.ctx, pid, first)
}

// over draws the conclusions from the end of an application.
func (c *controller) over(i *instance) {
	i.mu.Lock()
	failure, reason, faults := i.failure, i.reason, errors.Join(i.faults...)
	i.mu.Unlock()
	rising := slices.Contains(c.rising, i)
	c.update(func() {
		is := func(other *instance) bool { return other == i }
		c.rising = slices.DeleteFunc(c.rising, is)
		c.running = slices.DeleteFunc(c.running, is)
	})
	switch {
	case rising:
		c.failed(i, failure)
	case i.asked:
		c.exited(i, ErrStopped)
		delete(c.started, i.app)
	default:
		c.exited(i, reason)
	}
	var stopErr error
	if faults != nil {
		stopErr = &StopError{App: i.app, Err: faults}
		if c.down != nil {
			c.down.fault(stopErr)
		}
	}
	for _, req := range i.stoppers {
		req.Reply(nil, stopErr)
	}
	if !rising && !i.asked && i.typ.endsNode(reason == nil) {
		c.goDown(&EndedError{App: i.app, Type: i.typ, Reason: reason})
	}
	for _, req := range i.starters { // asked for while it was being stopped
		c.start(req)
	}
	c.next()
}

// failed tells everybody that a start has failed.
func (c *controller) failed(i *instance, failure error) {
	c.exited(i, failure)
	starters := i.starters
	i.starters = nil
	for _, req := range starters {
		req.Reply(nil, failure)
	}
	callback, _ := errors.AsType[*CallbackError](failure)
	normal := callback != nil && callback.Outcome == Ended && callback.Err == nil
	if c.down == nil && i.typ.endsNode(normal) {
		c.goDown(&EndedError{App: i.app, Type: i.typ, Starting: true, Reason: failure})
	}
}

func (c *controller) exited(i *instance, reason error) {
	r := &Report{What: Exited, App: i.app, Type: i.typ, Reason: reason, Down: c.down != nil, Took: i.age()}
	r.emit(c.ctx, i.master)
}
