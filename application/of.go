package application

import (
	"context"
	"fmt"
	"slices"

	"github.com/coppice-go/coppice/process"
)

// scopeKey is the ctx key of the application that a ctx belongs to: an
// *instance in its processes, an *App in a ctx made by In.
type scopeKey struct{}

// Of returns the application that ctx belongs to, nil if none. In the tree of
// an application that includes others, that is the one which was started.
func Of(ctx context.Context) *App {
	switch scope := ctx.Value(scopeKey{}).(type) {
	case *instance:
		return scope.app
	case *App:
		return scope
	}
	return nil
}

// Starting reports whether the application of ctx is in the middle of its start.
// In the Init of a worker it tells a first start, where the start phases are
// still to come, from one by a supervisor later on. (In OTP's words: start_type
// is normal, not local.)
func Starting(ctx context.Context) bool {
	switch scope := ctx.Value(scopeKey{}).(type) {
	case *instance:
		return scope.phase() == phaseStart
	case *App:
		if c, err := controllerOf(ctx); err == nil {
			at, _, _ := c.standing(scope)
			return at == phaseStart
		}
	}
	return false
}

// In returns a ctx that reads and sets the settings of app, for those outside
// of it: a main function, a test, a console. It does not make anything that is
// started with it a part of the application.
func In(ctx context.Context, app *App) context.Context {
	return context.WithValue(ctx, scopeKey{}, app)
}

// OfProcess returns the application that a process belongs to, nil if none.
func OfProcess(ctx context.Context, pid process.PID) *App {
	c, err := controllerOf(ctx)
	if err != nil || pid.Group() == nil {
		return nil
	}
	return c.seen.appOf(pid.Group())
}

// environmentOf returns whose setting s is when ctx asks for it: that of the
// application of ctx, or of one that it includes if only that lists it.
func environmentOf(ctx context.Context, s Setting) (*App, *environment, error) {
	switch scope := ctx.Value(scopeKey{}).(type) {
	case *instance:
		return ownerOf(scope.app, s), scope.env, nil
	case *App:
		c, err := controllerOf(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("application: setting %q of %s: %w", s.Key(), scope, err)
		}
		return ownerOf(scope, s), c.env, nil
	}
	return nil, nil, fmt.Errorf("application: setting %q: %w", s.Key(), ErrNoApp)
}

func ownerOf(app *App, s Setting) *App {
	if len(app.Included) == 0 {
		return app
	}
	for _, part := range withIncluded(app) {
		if slices.Contains(part.Env, s) {
			return part
		}
	}
	return app
}
