package server

import (
	"context"
	"errors"
	"sync"

	"github.com/coppice-go/coppice/process"
)

// Requests hands out the answers to many requests, as they come, each with the
// label under which it was added (OTP: request id collections). The zero value
// is empty.
type Requests[L, R any] struct {
	mu     sync.Mutex
	all    map[*process.Pending]labelled[L, R]
	gather process.Gather
}

type labelled[L, R any] struct {
	label L
	p     Pending[R]
}

// Add adds a request. One that is there already gets the new label.
func (q *Requests[L, R]) Add(label L, p Pending[R]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all == nil {
		q.all = make(map[*process.Pending]labelled[L, R])
	}
	q.all[p.p] = labelled[L, R]{label, p}
	q.gather.Add(p.p)
}

// Len is how many have not been handed out.
func (q *Requests[L, R]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.all)
}

// ErrNoneLeft says that all requests of a collection have been handed out.
var ErrNoneLeft = errors.New("server: no request is left")

// Next waits, as long as [Call] would, for the next answer and hands it out. An
// err of its own is [ErrNoneLeft], or says why the wait ended: then all that
// are left stay (OTP: wait_response; with Abandon after it, receive_response).
func (q *Requests[L, R]) Next(ctx context.Context) (label L, a Answer[R], err error) {
	p, err := q.gather.Next(ctx)
	if err != nil {
		return label, a, err
	}
	q.mu.Lock()
	r, has := q.all[p]
	delete(q.all, p)
	q.mu.Unlock()
	if !has {
		return label, a, ErrNoneLeft
	}
	_, err = p.Poll()
	a.Value, a.Err = r.p.answer(err)
	return r.label, a, nil
}

// Abandon gives up all that are left: late answers reach nobody.
func (q *Requests[L, R]) Abandon() {
	q.mu.Lock()
	q.all = nil
	q.mu.Unlock()
	q.gather.Abandon()
}
