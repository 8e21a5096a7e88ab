package otpscript

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/registry"
)

// Play plays a scenario and returns its log. It may be called by programs as
// well as by tests.
func Play(sc *Scenario) (log []byte, err error) { return play(sc, false) }

func play(sc *Scenario, odd bool) (log []byte, err error) {
	err = bubble(func() error {
		p := newPlayer(sc)
		p.odd = odd
		p.play()
		log = []byte(strings.Join(p.out, "\n") + "\n")
		return p.end()
	})
	return log, err
}

// bubble runs f in a synctest bubble. An error says what f left behind that
// will never run again, or that it panicked.
//
// Bubbles are made for tests; the one they are given here is made up, and can
// do all that synctest asks of it, which is to hold the goroutine that runs f.
func bubble(f func() error) (err error) {
	testing.Init()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("otpscript: %v", v)
		}
	}()
	synctest.Test(new(testing.T), func(*testing.T) {
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("otpscript: %v", v)
			}
		}()
		err = f()
	})
	return err
}

// A player plays one scenario. What it knows of the processes is written by
// whoever starts them, in their own time, and read by everybody.
type player struct {
	sc    *Scenario
	host  *process.Node
	ctx   context.Context // the node's; calls made with it wait as long as it takes
	canon canon
	out   []string
	over  chan struct{} // closed at the end: lets go of what blocks on purpose

	journal

	mu        sync.Mutex
	actors    map[process.PID]*actor
	latest    map[string]process.PID // of each path, the latest instance that started
	attempts  map[string]int         // of each path, how often its start was tried
	gates     map[string]chan struct{}
	observers map[string]process.PID
	extras    map[process.PID]Term // what a start function returned besides the process
	specs     map[string]*Node     // of each path that is some supervisor's child
	root      process.PID          // parent of the top supervisor
	dead      process.PID          // some process that has ended
	busy      int                  // workers that let time pass
	starting  map[process.PID]int  // who is inside a start function
	labels    map[string]label     // of monitors and aliases, in a signals scenario
	program   program              // of an app scenario
	goingDown bool                 // its node stops, or has
	faults    []error              // of the play itself, not of what it plays
	clerks    map[string]process.PID
	outboxes  map[process.PID]*outbox
	managers  map[process.PID]*script
	watches   map[string]*registry.Watch // by label, in a pg scenario
	own       *actor                     // stands for the clients
	odd       bool                       // imitate some of OTP's oddities
}

func newPlayer(sc *Scenario) *player {
	p := &player{
		sc:        sc,
		canon:     canon{dropLanes: sc.Kind == "app"},
		over:      make(chan struct{}),
		actors:    map[process.PID]*actor{},
		latest:    map[string]process.PID{},
		attempts:  map[string]int{},
		gates:     map[string]chan struct{}{},
		observers: map[string]process.PID{},
		extras:    map[process.PID]Term{},
		specs:     map[string]*Node{},
		starting:  map[process.PID]int{},
		clerks:    map[string]process.PID{},
		outboxes:  map[process.PID]*outbox{},
		managers:  map[process.PID]*script{},
		watches:   map[string]*registry.Watch{},
		own:       &actor{},
	}
	p.host = process.NewNode(process.NodeSpec{Name: sc.Name, CallTimeout: process.Infinity, Probe: p})
	p.ctx = p.host.Context()
	p.dead = p.client(func(context.Context) {})
	synctest.Wait()
	return p
}

// play writes the whole log. Steps are numbered from 1; step 0 is the start of
// the tree.
func (p *player) play() {
	p.emit("scenario", fields{"kind": p.sc.Kind, "name": p.sc.Name})
	switch p.sc.Kind {
	case "signals":
		p.startAgents()
	case "sup":
		p.step(0, fields{"op": "start"}, func() { p.startRoot(p.sc.Tree) })
	case "app":
		p.loadApps()
	default:
		p.step(0, fields{"op": "start"}, p.startProcs)
	}
	for i := range p.sc.Acts {
		a := &p.sc.Acts[i]
		p.step(i+1, fields{"op": a.Op}, func() { p.act(i+1, a) })
	}
	for i, st := range p.sc.Steps {
		if p.sc.Kind == "signals" {
			p.step(i+1, fields{"op": "do", "proc": st.Proc}, func() { p.tell(st.Proc, st.Do) })
		} else {
			p.step(i+1, fields{"op": st.Op}, func() { p.perform(i+1, &st) })
		}
		if p.isDown() {
			p.emit("vm_down", nil)
			return
		}
	}
	p.emit("end", fields{"alive": p.alive()})
}

// step does one step and writes what came of it.
func (p *player) step(i int, f fields, do func()) {
	f["i"] = i
	p.emit("step", f)
	do()
	if !p.settle() {
		p.emit("timeout", nil)
	}
	records := p.take()
	switch p.sc.Kind {
	case "signals":
		p.out = append(p.out, canonSignals(records)...)
	case "servers", "event", "sys", "pg":
		p.out = append(p.out, canonProcs(records, p.sc.Kind == "pg")...)
	default:
		p.out = append(p.out, p.canon.step(records)...)
	}
}

// emit writes a line that belongs to no process.
func (p *player) emit(ev string, f fields) {
	p.out = append(p.out, record{nobody, ev, f}.line())
}

// end lets everything go and stops it. What does not stop is an error.
func (p *player) end() error {
	close(p.over)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	return errors.Join(append(p.faults, p.host.Stop(ctx))...)
}

// fault takes down what went wrong with the play itself.
func (p *player) fault(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, err)
}

// result takes down what a step gave.
func (p *player) result(step int, value Term) {
	p.add(nobody, "result", fields{"step": step, "value": value})
}

// raised takes down that a step ended with an exit or an error.
func (p *player) raised(step int, class string, why Term) {
	p.add(nobody, "result", fields{"step": step, "raised": class, "value": why})
}

// client runs f in a process of its own: what a step does that may have to
// wait.
func (p *player) client(f func(context.Context)) process.PID {
	pid, err := process.Go(p.ctx, func(ctx context.Context) error { f(ctx); return nil })
	p.must(err)
	return pid
}

// must takes an error that only a fault of the player's can cause.
func (p *player) must(err error) {
	if err != nil {
		p.fault(err)
	}
}
