package main

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor/task"
)

// unary handles a call with one answer in a process of its own.
func unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	return inProcess(ctx, func(ctx context.Context) (any, error) { return handle(ctx, req) })
}

// stream handles a call with many. It ends when its connection is told to finish: by
// itself it might never.
func stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	_, err := inProcess(ss.Context(), func(ctx context.Context) (none struct{}, err error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		leaving := acceptor.Leaving(callerOf(ctx).conn)
		if _, err := process.Go(ctx, func(context.Context) error {
			select {
			case <-leaving:
				cancel(errLeaving)
			case <-ctx.Done():
			}
			return nil
		}); err != nil {
			return none, err
		}
		err = handle(srv, withContext{ss, ctx})
		if cause := context.Cause(ctx); cause == errLeaving {
			return none, cause
		}
		return none, err
	})
	return err
}

var errLeaving = status.Error(codes.Unavailable, "this server is about to stop: connect again")

// withContext is a stream whose handler has another ctx.
type withContext struct {
	grpc.ServerStream
	ctx context.Context
}

func (s withContext) Context() context.Context { return s.ctx }

// inProcess runs f in a process, and returns when that has ended. ctx is gRPC's for the
// call; what f gets is the same, but what is done with it is done by the process.
func inProcess[R any](ctx context.Context, f func(context.Context) (R, error)) (r R, err error) {
	conn := callerOf(ctx).conn
	t, err := task.AsyncNoLink(conn, calls, func(self context.Context) (R, error) {
		ctx, err := process.Acting(ctx, self)
		if err != nil {
			return r, err
		}
		return f(ctx)
	})
	if err != nil {
		return r, statusOf(err)
	}
	// The process uses what is gRPC's, so we wait for it whatever happens; it is told
	// what does, by ctx.
	r, err = t.Await(context.WithoutCancel(conn))
	if end, ok := errors.AsType[*process.ExitError](err); ok && end.PID == t.PID() {
		return r, status.Error(codes.Internal, "the call crashed: the server's log says how")
	}
	return r, statusOf(err)
}

// statusOf says what a client is told of an error.
func statusOf(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	_, ended := errors.AsType[*process.ExitError](err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case ended, errors.Is(err, process.ErrTimeout), errors.Is(err, process.ErrNoProc):
		return status.Error(codes.Unavailable, "try again: what would answer this is not there now")
	}
	return status.Error(codes.Unknown, err.Error())
}
