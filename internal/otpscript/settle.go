package otpscript

import (
	"context"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

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

// rest waits until nothing happens any more at this moment.
func (p *player) rest() { synctest.Wait() }

// awaitsTime reports whether something goes on by itself once time has passed:
// a worker takes its time to stop, or a supervisor or an application waits for
// somebody who has a limit. Who waits for a gate does not: it is in a start
// function, or so is the one that it waits for.
func (p *player) awaitsTime() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy > 0 || time.Now().Before(p.own.due) || p.goingDown && p.ctx.Err() == nil {
		return true
	}
	for _, pid := range p.host.Processes() {
		waits := pid.Is(process.KindSupervisor) || pid.Is(kindApplication)
		if a := p.actors[pid]; a != nil && !a.hibernates && time.Now().Before(a.due) {
			return true
		}
		if waits && p.starting[pid] == 0 && pid.Info().Status == "running" {
			return true
		}
	}
	return false
}

// expect lets the player know that something may happen to somebody when d has
// passed. Longer times are only waited for by a step that says so.
func (p *player) expect(a *actor, d time.Duration) {
	if d < 0 || d > time.Second {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if due := time.Now().Add(d); due.After(a.due) {
		a.due = due
	}
}

// later is how long a timer of the scenario runs. Erlang's never fires early,
// and what armed it took a moment: so a call that began first times out first.
func (p *player) later(a *actor, ms int) time.Duration {
	d := time.Duration(ms)*time.Millisecond + time.Microsecond
	p.expect(a, d)
	return d
}

// asleep notes that a process hibernates. The recorder took that for rest,
// whatever timers ran.
func (s *script) asleep(is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hibernates = is
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

// inStart counts who is inside a start function.
func (p *player) inStart(pid process.PID, by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting[pid] += by
}

// pause blocks until what it waits for, a kill or the end of the play.
func pause[T any](p *player, ctx context.Context, until <-chan T) {
	select {
	case <-until:
	case <-ctx.Done():
	case <-p.over:
	}
}

// passTime sleeps, and lets the player know that time has to pass.
func (p *player) passTime(ctx context.Context, d time.Duration) {
	p.count(&p.busy, +1)
	defer p.count(&p.busy, -1)
	pause(p, ctx, time.After(d))
}

func (p *player) count(n *int, by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*n += by
}

// waitAtGate blocks until a step opens the gate of that path. Being told to
// stop does not open it, nor would it in OTP, where an init cannot be told.
func (p *player) waitAtGate(ctx context.Context, path string) {
	open := make(chan struct{})
	p.setGate(path, open)
	pause(p, process.Uninterrupted(ctx), open)
}

func (p *player) setGate(path string, open chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gates[path] = open
}

// release opens a gate and reports whether somebody waited there. The player
// never asks while somebody is about to.
func (p *player) release(path string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := p.gates[path]
	if open != nil {
		close(open)
		delete(p.gates, path)
	}
	return open != nil
}
