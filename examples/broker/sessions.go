package main

import (
	"context"
	"errors"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// sessions is the supervisor of all sessions, one for each client identifier.
//
// They are temporary: a session that crashed is not restarted, for what it knew is
// lost and only its client can tell it again. Its connection ends with it, and the
// client comes back and finds no session, which MQTT tells it to expect.
const sessions = process.Name("sessions")

func sessionsTree() supervisor.Spec {
	return supervisor.Spec{
		Name:     string(sessions),
		Strategy: supervisor.Dynamic,
		Children: []supervisor.Child{{
			ID:      "session",
			Start:   supervisor.Template(startSession),
			Restart: supervisor.Temporary,
		}},
	}
}

func startSession(ctx context.Context, client string) (process.PID, error) {
	s, err := server.Start(ctx, server.Spec[session]{Name: string(sessionOf(client))})
	return s.PID(), err
}

// sessionOf is the name of a client's session.
func sessionOf(client string) process.Name { return process.Name("session/" + client) }

// openSession attaches a connection to the session of its client, which is started
// if there is none, and reports whether the client finds what it left there.
func openSession(ctx context.Context, client string, a Attach) (s server.Ref[session], present bool, err error) {
	for {
		pid, err := findSession(ctx, client)
		if err != nil {
			return s, false, err
		}
		if s, err = server.As[session](pid); err == nil {
			present, err = server.Call(ctx, s, a)
		}
		if !ended(err) {
			return s, present, err
		}
		// It was a clean one, whose connection went this moment. Once it is gone too
		// there is room for another.
		if _, err := process.Wait(ctx, pid); err != nil {
			return s, false, err
		}
	}
}

func findSession(ctx context.Context, client string) (process.PID, error) {
	if pid, err := sessionOf(client).Resolve(ctx); err == nil {
		return pid, nil
	}
	pid, err := supervisor.StartOne(ctx, sessions, client)
	if other, ok := errors.AsType[*process.AlreadyStartedError](err); ok {
		return other.PID, nil // another connection was faster
	}
	return pid, err
}

// ended reports whether a call failed because the process it was for had ended, or
// ended before the answer, and there was nothing wrong with that.
func ended(err error) bool {
	end, ok := errors.AsType[*process.ExitError](err)
	return ok && (process.Clean(end.Reason) || errors.Is(end.Reason, process.ErrNoProc))
}
