package application

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// Permit says whether an application may run on ctx's node. All may, until
// something else is said. To start one that may not is fine, and runs nothing:
// it starts once it is permitted. To forbid one that runs stops it as Stop does,
// and it starts again once it is permitted. So a part of a program can be
// switched off, and on again, and who starts it need not know.
//
// It returns when the application has stopped, or started, with what came of
// it. What is said here holds until the application is unloaded; it must be
// loaded.
func Permit(ctx context.Context, app *App, may bool) error {
	if !may {
		return ask(ctx, &stopRequest{app: app, forbid: true})
	}
	req := &permitRequest{app: app}
	if err := ask(ctx, req); err != nil || req.wanted == 0 {
		return err
	}
	return ensureStarted(ctx, app, req.wanted, process.CallerPC(1))
}

// ErrNotPermitted is why something that is needed has not started. It is of the
// kind of ErrNotStarted.
var ErrNotPermitted = fmt.Errorf("%w: it is not permitted to run on this node", ErrNotStarted)

// A permission is what has been said of an application and its running, and
// whether somebody wants it to run all the same.
type permission struct {
	forbidden bool
	wanted    Type // 0: nobody has asked for it, or it runs
}

// A permitRequest lifts what keeps an application from running. Its answer is
// as what the application should be started now.
type permitRequest struct {
	process.Call
	app    *App
	wanted Type // 0: it need not be started
}

func (c *controller) permit(req *permitRequest) {
	p := c.loaded[req.app]
	if p == nil {
		req.Reply(nil, &Error{Op: "permit", App: req.app, Err: ErrNotLoaded})
		return
	}
	wanted := p.wanted
	c.update(func() { p.permission = permission{} })
	req.Reply(func() { req.wanted = wanted }, nil)
}

// withhold puts off a start until the application is permitted, and reports
// whether it has to.
func (c *controller) withhold(req *startRequest) bool {
	p := c.loaded[req.app]
	if !p.forbidden || c.find(req.app) != nil { // on the way up or down: see up and over
		return false
	}
	c.update(func() { p.wanted = req.typ.or(Temporary) })
	r := &Report{What: Withheld, App: req.app, Type: p.wanted}
	r.emit(c.ctx, process.PID{})
	req.Reply(nil, nil)
	return true
}

// forbid notes what a request to stop says of the application's running. i is
// nil if it does not run.
func (c *controller) forbid(req *stopRequest, i *instance) {
	p := c.loaded[req.app]
	if p == nil {
		return // it ended, and was unloaded
	}
	c.update(func() {
		switch {
		case !req.forbid:
			p.wanted = 0
		case i != nil && !i.going():
			p.permission = permission{forbidden: true, wanted: i.typ}
		default:
			p.forbidden = true
		}
	})
}
