package otpscript

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

// Play plays a scenario and returns its log. It may be called by programs as
// well as by tests.
func Play(sc *Scenario) (log []byte, err error) {
	err = bubble(func() error {
		p := newPlayer(sc)
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
	busy      int                  // workers that let time pass
	starting  map[process.PID]int  // who is inside a start function
	labels    map[string]label     // of monitors and aliases, in a signals scenario
	program   program              // of an app scenario
	goingDown bool                 // its node stops, or has
	faults    []error              // of the play itself, not of what it plays
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
	}
	p.host = process.NewNode(process.NodeSpec{Name: sc.Name, CallTimeout: process.Infinity, Probe: p})
	p.ctx = p.host.Context()
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
	if p.sc.Kind == "signals" {
		p.out = append(p.out, canonSignals(p.take())...)
	} else {
		p.out = append(p.out, p.canon.step(p.take())...)
	}
}

// emit writes a line that belongs to no process.
func (p *player) emit(ev string, f fields) {
	p.out = append(p.out, record{nobody, ev, f}.line())
}

// patience is how long a step may take, in the bubble's time.
const patience = 30 * time.Second

// settle waits until nothing more can happen: all goroutines rest, and nobody
// waits for time to pass. It gives up after patience.
func (p *player) settle() bool {
	const tick = time.Millisecond
	for spent := time.Duration(0); spent < patience; spent += tick {
		synctest.Wait()
		if !p.awaitsTime() {
			return true
		}
		time.Sleep(tick)
	}
	return false
}

// awaitsTime reports whether something goes on by itself once time has passed:
// a worker takes its time to stop, or a supervisor or an application waits for
// somebody who has a limit. Who waits for a gate does not: it is in a start
// function, or so is the one that it waits for.
func (p *player) awaitsTime() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy > 0 || p.goingDown && p.ctx.Err() == nil {
		return true
	}
	for _, pid := range p.host.Processes() {
		waits := pid.Is(process.KindSupervisor) || pid.Is(kindApplication)
		if waits && p.starting[pid] == 0 && pid.Info().Status == "running" {
			return true
		}
	}
	return false
}

// The kinds of the processes in which an application and its callbacks run.
const (
	kindApplication = "application"
	kindCallback    = "application callback"
)

// goesDown notes that the node of an app scenario stops, which ends the play.
func (p *player) goesDown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.goingDown = true
}

func (p *player) isDown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.goingDown
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

// alive names the processes that started and still live.
func (p *player) alive() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := []string{}
	for pid, a := range p.actors {
		if a.started && pid.Alive() {
			names = append(names, a.name)
		}
	}
	slices.Sort(names)
	return names
}

// enroll makes a process known under an actor. A supervisor is enrolled by the
// first of its children, which starts before the supervisor's own start is
// done.
func (p *player) enroll(pid process.PID, a *actor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.actors[pid] = a
}

// started makes an instance the latest of its path.
func (p *player) started(pid process.PID, path string, a *actor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a.started = true
	p.actors[pid] = a
	p.latest[path] = pid
}

// who is the actor of a process; nobody, if it is none of the scenario's.
func (p *player) who(pid process.PID) *actor {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.actors[pid]; a != nil {
		return a
	}
	return nobody
}

// pid is a process as a term.
func (p *player) pid(pid process.PID) Term { return Pid(p.who(pid).name) }

// at returns the latest instance of a path. A path that never started stands
// for some dead process, whose PID is zero.
func (p *player) at(path string) process.PID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest[path]
}

// resolve puts names in the place of paths: {"p":path} in a scenario means the
// latest instance.
func (p *player) resolve(t Term) Term {
	switch t := t.(type) {
	case Pid:
		return p.pid(p.at(string(t)))
	case Tuple:
		return Tuple(p.resolveAll(t))
	case List:
		return List(p.resolveAll(t))
	case Map:
		m := make(Map, len(t))
		for i, pair := range t {
			m[i] = Pair{p.resolve(pair.Key), p.resolve(pair.Value)}
		}
		return m
	}
	return t
}

func (p *player) resolveAll(ts []Term) []Term {
	out := make([]Term, len(ts))
	for i, t := range ts {
		out[i] = p.resolve(t)
	}
	return out
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
func (p *player) client(f func(context.Context)) {
	_, err := process.Go(p.ctx, func(ctx context.Context) error { f(ctx); return nil })
	p.must(err)
}

// must takes an error that only a fault of the player's can cause.
func (p *player) must(err error) {
	if err != nil {
		p.fault(err)
	}
}

// pause blocks until what it waits for, a kill or the end of the play.
func pause[T any](p *player, ctx context.Context, until <-chan T) {
	select {
	case <-until:
	case <-ctx.Done():
	case <-p.over:
	}
}
