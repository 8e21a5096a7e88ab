package process

import (
	"context"
	"fmt"
)

// A Keeper keeps something for processes, say who is in which group or who
// holds which lock, and lets go of it when they end. Package registry is made
// of keepers.
type Keeper interface {
	// Forget is called once, when pid has ended and before anybody learns of
	// that: so who has seen its Down finds nothing kept for it. It runs in the
	// middle of the end of pid; it must not wait for any process.
	Forget(pid PID)
}

// Keep has k told of the end of a process, which it returns. Keepers are told
// in the order in which they came; to come twice changes nothing. The error is
// of kind [ErrNoProc] if the process has ended or begun to.
func Keep(ctx context.Context, to Target, k Keeper) (PID, error) {
	self, p, err := pair(ctx, to)
	if err != nil {
		return PID{}, err
	}
	p.mu.Lock()
	gone, fenced := p.fenced(), self.fenced()
	if !gone && !fenced {
		p.ext().keepers.Add(k)
	}
	p.mu.Unlock()
	switch {
	case fenced:
		return PID{p}, self.refusal()
	case gone:
		return PID{p}, &ExitError{PID: PID{p}, Name: p.path(), Reason: ErrNoProc}
	}
	return PID{p}, nil
}

// Unkeep ends what Keep began.
func Unkeep(pid PID, k Keeper) {
	if pid.p == nil {
		return
	}
	pid.p.mu.Lock()
	defer pid.p.mu.Unlock()
	if pid.p.x != nil {
		pid.p.x.keepers.Delete(k)
	}
}

// forgotten tells the keepers of a process that is being buried.
func (p *proc) forgotten() {
	p.mu.Lock()
	all := p.x.keepers.All()
	p.x.keepers = struct0(p.x.keepers)
	p.mu.Unlock()
	for _, k := range all {
		p.forgottenBy(k)
	}
}

// forgottenBy tells one keeper. The burial goes on whatever it does.
func (p *proc) forgottenBy(k Keeper) {
	defer func() {
		if v := recover(); v != nil {
			p.emit(Event{
				Kind: Warned, Level: LevelError, Reason: newPanicError(v, 1),
				Text: fmt.Sprintf("%T failed to forget an ended process", k),
			})
		}
	}()
	k.Forget(PID{p})
}
