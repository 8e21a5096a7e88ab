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
	herald  *herald  // tells of that; nil: there is nobody to tell

	// Owned by the controller's process.
	ctx     context.Context
	byPID   map[process.PID]*instance
	started map[*App]bool // OTP's list: also holds those that ended by themselves since
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
			loaded: map[*App]*place{}, byPID: map[process.PID]*instance{}, started: map[*App]bool{},
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
	case *permitRequest:
		c.permit(msg)
	case *loadRequest:
		msg.Reply(nil, c.load(msg.app))
	case *unloadRequest:
		msg.Reply(nil, c.unload(msg.app))
	case *configRequest:
		msg.Reply(nil, c.configure(msg.sources))
	case *heraldLate:
		c.heraldLate()
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
