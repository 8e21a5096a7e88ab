package otpscript

import (
	"fmt"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event"
)

// Wants and Event make a player the probe of its node: what a process does not
// know of itself, its exit and its crash report, and what supervisors and
// applications report. The runtime calls it in the process that it is about,
// before anybody else learns of it, so the log's order is the order of causes.

func (p *player) Wants() process.Kind {
	return process.Exited | process.Crashed | process.Supervised | process.Application | process.Abandoned | process.Warned
}

func (p *player) Event(e process.Event) {
	a := p.who(e.PID)
	switch e.Kind {
	case process.Exited:
		if a != nobody {
			p.exited(a, e.Reason)
		}
	case process.Crashed:
		if a == nobody && !e.PID.Is(kindApplication) && !e.PID.Is(kindCallback) { // one of the player's own
			p.fault(fmt.Errorf("%v crashed: %w", e.PID, e.Reason))
		}
		if !a.quiet {
			p.reports(a, e.Reason)
		}
	case process.Warned:
		if r, is := e.Detail.(*event.Report); is {
			p.handlerReport(a, e, r)
		} else if !a.manager {
			p.fault(fmt.Errorf("%v: %s", e.PID, e.Text))
		}
	case process.Abandoned:
		p.fault(fmt.Errorf("%v: %s", e.PID, e.Text))
	case process.Supervised:
		p.supervised(a, e)
	case process.Application:
		p.applied(e)
	}
}

// exited takes down an exit. A server of OTP's that leaves its terminate by
// exit/1 reports that even if the reason is clean, though proc_lib then does
// not; coppice reports no clean end. The line says how the script ended, not
// what coppice reported.
func (p *player) exited(a *actor, why error) {
	if a.exit == inTerminate && process.Clean(why) {
		p.report(a, serverError, tuple(p.reasonTerm(why), stack))
	}
	p.add(a, "exit", fields{"id": a.name, "reason": p.reasonTerm(why)})
}

// reports takes down a crash report. OTP writes two: that of the behaviour,
// which also shows where exit/1 was called, and that of proc_lib, which does
// not.
func (p *player) reports(a *actor, why error) {
	r := p.reasonTerm(why)
	if a.manager {
		p.report(a, crashReport, r)
		return
	}
	if _, panicked := why.(*process.PanicError); a.exit != returned && !panicked {
		p.report(a, serverError, tuple(r, stack))
	} else {
		p.report(a, serverError, r)
	}
	p.report(a, crashReport, r)
}

func (p *player) report(a *actor, ctx Atom, why Term) {
	p.add(a, "report", fields{"ctx": ctx, "id": a.name, "reason": why})
}
