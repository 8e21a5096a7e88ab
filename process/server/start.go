package server

import (
	"context"

	"github.com/coppice-go/coppice/process"
)

// Start starts a server linked to the process that ctx belongs to. It returns
// when Init is done.
func Start[S any](ctx context.Context, spec Spec[S]) (Ref[S], error) {
	if spec.caller == 0 {
		spec.caller = process.CallerPC(1)
	}
	return spec.start(ctx)
}

// start is Start for a Spec that nobody changes any more: its servers share it.
func (s *Spec[S]) start(ctx context.Context) (Ref[S], error) {
	ps, err := s.process()
	if err != nil {
		return Ref[S]{}, err
	}
	pid, err := process.Start(ctx, ps)
	if err != nil {
		return Ref[S]{}, err
	}
	return Ref[S]{pid}, nil
}

// process is the Spec of the server's process.
func (s *Spec[S]) process() (process.Spec, error) {
	if err := s.validate(); err != nil {
		return process.Spec{}, err
	}
	ps := process.Spec{
		Name: s.Name, TrapExit: s.TrapExit, Limit: s.Limit, Grace: s.Grace, Timeout: s.Timeout,
		Kind: Kind, Caller: s.caller, Behaviour: &core[S]{spec: s},
	}
	if s.options != nil {
		s.options(&ps)
	}
	return ps, nil
}

// StartUnlinked is Start without the link (OTP: gen_server:start): nobody hears
// of the server's end but those who monitor it.
func StartUnlinked[S any](ctx context.Context, spec Spec[S]) (Ref[S], error) {
	spec.caller = process.CallerPC(1)
	spec.options = func(ps *process.Spec) { ps.Unlinked = true }
	return Start(ctx, spec)
}

// StartMonitor is [Start] and [Monitor] in one step, for a server that starts
// another: down makes a message of its end, with its true reason however early
// it comes. A start that fails gives its error and nothing more.
func StartMonitor[S, O any, M Notice[O]](ctx context.Context, spec Spec[S], down func(process.Down) M) (Ref[S], process.MonitorRef, error) {
	if _, err := self[O](ctx); err != nil {
		return Ref[S]{}, process.MonitorRef{}, err
	}
	if spec.caller == 0 {
		spec.caller = process.CallerPC(1)
	}
	ps, err := spec.process()
	if err != nil {
		return Ref[S]{}, process.MonitorRef{}, err
	}
	pid, ref, err := process.StartMonitor(ctx, ps, func(d process.Down) Notice[O] { return down(d) })
	if err != nil {
		return Ref[S]{}, process.MonitorRef{}, err
	}
	return Ref[S]{pid}, ref, nil
}

// StartFunc makes a supervisor's start function of a Spec.
func StartFunc[S any](spec Spec[S]) func(context.Context) (process.PID, error) {
	spec.caller = process.CallerPC(1)
	return func(ctx context.Context) (process.PID, error) {
		r, err := spec.start(ctx)
		return r.pid, err
	}
}
