package supervisor

import (
	"context"
	"fmt"

	"github.com/coppice-go/coppice/process"
)

// A request is what somebody asks of a supervisor. It is served by the
// supervisor's own process, in its turn.
type request interface {
	process.Requester
	serve(ctx context.Context, s *supervisor)
}

type question[R any] struct {
	process.Call
	text   string // for tracers
	do     func(context.Context, *supervisor) (R, error)
	answer R
}

func (q *question[R]) String() string { return q.text }

func (q *question[R]) serve(ctx context.Context, s *supervisor) {
	r, err := q.do(ctx, s)
	q.Reply(func() { q.answer = r }, err)
}

// ask lets a supervisor do something and waits for the answer. A supervisor may
// be busy with slow children for long, so there is no time-out but ctx's own.
func ask[R any](ctx context.Context, sup process.Target, text string, do func(context.Context, *supervisor) (R, error)) (R, error) {
	q := &question[R]{text: text, do: do}
	pid, err := sup.Resolve(ctx)
	if err != nil {
		return q.answer, fmt.Errorf("%s: %w", text, err)
	}
	if b := pid.Behaviour(); b != nil {
		if _, ok := b.(*supervisor); !ok {
			return q.answer, fmt.Errorf("supervisor: %s: %v %w", text, pid, ErrNotSupervisor)
		}
	}
	err = process.Do(process.WithCallTimeout(ctx, process.Infinity), pid, q)
	return q.answer, err
}

// order is ask for what has no answer but an error.
func order(ctx context.Context, sup process.Target, text string, do func(context.Context, *supervisor) error) error {
	_, err := ask(ctx, sup, text, func(ctx context.Context, s *supervisor) (struct{}, error) { return struct{}{}, do(ctx, s) })
	return err
}
