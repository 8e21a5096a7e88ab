package process

import "context"

// Interrupt has f called, once, when the ctx of the calling process is cancelled: for
// one that waits in something that knows no ctx, a Read for example, and that f makes
// come back. If it has been cancelled, f is called at once. There is one f at a time;
// nil takes it back, though it may be under way by then.
//
// It is what context.AfterFunc is, for less: f runs in the middle of what ends the
// process, so it must not wait, nor panic.
func Interrupt(ctx context.Context, f func()) error {
	p, err := actor(ctx)
	if err != nil {
		return err
	}
	if p.isRoot() {
		return ErrNoSelf
	}
	p.mu.Lock()
	late := p.cancelled()
	if !late {
		p.ext().interrupt = f
	}
	p.mu.Unlock()
	if late && f != nil {
		f()
	}
	return nil
}
