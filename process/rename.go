package process

import (
	"context"
	"errors"
	"fmt"
)

// Reregister gives a name to a living process that has none, and takes it from
// the one that has it, if any (OTP: global:re_register_name). There is no moment
// in which nobody has it.
func Reregister(ctx context.Context, name string, to Target) error {
	self, p, err := pair(ctx, to)
	if err != nil {
		return fmt.Errorf("process: register %q: %w", name, err)
	}
	for {
		has := p.node.names.find(name)
		if has == nil {
			if err := Register(ctx, name, PID{p}); !errors.Is(err, ErrNameTaken) {
				return err
			}
			continue // it was taken this moment
		}
		if has == p {
			return nil
		}
		if self.fenced() {
			return fmt.Errorf("process: register %q: %w", name, self.refusal())
		}
		switch taken, err := p.takeName(name, has); {
		case err != nil:
			return err
		case taken:
			has.named(Unregistered, name, self)
			p.named(Registered, name, self)
			return nil
		}
	}
}

// takeName is one attempt to take a name from the one that has it. It fails if
// that one has lost it meanwhile.
func (p *proc) takeName(name string, from *proc) (taken bool, err error) {
	a, b := p, from
	if a.id > b.id { // always the older first, as in Link
		a, b = b, a
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case p.fenced() || p.state == dead:
		return false, fmt.Errorf("process: register %q: %w", name, &ExitError{PID: PID{p}, Reason: ErrNoProc})
	case p.marked(markNamed):
		return false, fmt.Errorf("process: register %q: %v is called %q: %w", name, PID{p}, p.name(), ErrHasName)
	}
	if !p.node.names.pass(name, from, p) {
		return false, nil
	}
	// One that is being buried lets go of what it had when that began; the
	// table then says that it is another's.
	from.setName("")
	p.setName(name)
	return true, nil
}
