package trace

import "sync"

// A queue holds what is still to be written. It never blocks whoever fills it:
// when it is full it counts what it loses.
type queue[T any] struct {
	mu     sync.Mutex
	items  []T // guarded by mu, like the rest
	limit  int
	lost   int
	closed bool
}

// push appends v, or counts it as lost. first: nobody has been told yet that
// there is something to take. closed: nobody will ever take it.
func (q *queue[T]) push(v T) (first, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false, true
	}
	if len(q.items) == q.limit {
		q.lost++
		return false, false
	}
	q.items = append(q.items, v)
	return len(q.items) == 1, false
}

// take empties the queue, and tells how many were lost after the last of items.
func (q *queue[T]) take() (items []T, lost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	items, lost = q.items, q.lost
	q.items, q.lost = nil, 0
	return items, lost
}

// close makes every later push report that it came too late.
func (q *queue[T]) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

func (q *queue[T]) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}
