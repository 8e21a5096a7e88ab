// Package mailbox is the queue under every process: unbounded, first in first
// out, one inline slot for the common case of one message, pooled chunks for
// the rest, and the whole backlog taken in one go.
//
// It holds no lock. The owner guards a [Queue] with its own; a [Batch] belongs
// to the one goroutine that took it.
package mailbox

import "sync"

const chunkLen = 32

type chunk[T any] struct {
	n    int
	next *chunk[T]
	e    [chunkLen]T
}

// A Pool recycles chunks. Its owner is a node, so that nothing outlives one.
type Pool[T any] struct{ p sync.Pool }

func (p *Pool[T]) get() *chunk[T] {
	if c, ok := p.p.Get().(*chunk[T]); ok {
		return c
	}
	return new(chunk[T])
}

// put takes a chunk back whose entries have all been cleared.
func (p *Pool[T]) put(c *chunk[T]) {
	c.n, c.next = 0, nil
	p.p.Put(c)
}

// A Queue is the side that senders fill. The zero value is empty.
type Queue[T any] struct {
	n          int
	one        T
	head, tail *chunk[T]
}

// Len is how many entries wait in q.
func (q *Queue[T]) Len() int { return q.n }

// Push appends v.
func (q *Queue[T]) Push(v T, pool *Pool[T]) {
	if q.n++; q.n == 1 {
		q.one = v
		return
	}
	t := q.tail
	if t == nil || t.n == chunkLen {
		c := pool.get()
		if t == nil {
			q.head = c
		} else {
			t.next = c
		}
		q.tail, t = c, c
	}
	t.e[t.n] = v
	t.n++
}

// Take moves everything from q into an empty batch b.
func (q *Queue[T]) Take(b *Batch[T]) {
	var zero T
	b.one, b.has, b.c, b.i = q.one, q.n > 0, q.head, 0
	q.n, q.one, q.head, q.tail = 0, zero, nil, nil
}

// Drop forgets everything in q.
func (q *Queue[T]) Drop() {
	var zero T
	q.n, q.one, q.head, q.tail = 0, zero, nil, nil
}

// A Batch is the side that the receiver empties. The zero value is empty.
type Batch[T any] struct {
	one T
	has bool
	c   *chunk[T]
	i   int
}

// Next takes the oldest entry; ok is false when there is none left.
func (b *Batch[T]) Next(pool *Pool[T]) (v T, ok bool) {
	var zero T
	if b.has {
		v, b.one, b.has = b.one, zero, false
		return v, true
	}
	for b.c != nil {
		if b.i < b.c.n {
			v = b.c.e[b.i]
			b.c.e[b.i] = zero
			b.i++
			return v, true
		}
		spent := b.c
		b.c, b.i = spent.next, 0
		pool.put(spent)
	}
	return zero, false
}
