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
	n, i int // how many were put in, and taken out
	rest int // of the first chunk of a batch: what is in it and those behind
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
	c.n, c.i, c.next = 0, 0, nil
	p.p.Put(c)
}

// A Queue is the side that senders fill. The zero value is empty.
type Queue[T any] struct {
	n    int
	last *chunk[T] // its next is the first
	one  T
}

// Len is how many entries wait in q.
func (q *Queue[T]) Len() int { return q.n }

// Push appends v.
func (q *Queue[T]) Push(v T, pool *Pool[T]) {
	if q.n++; q.n == 1 {
		q.one = v
		return
	}
	c := q.last
	if c == nil || c.n == chunkLen {
		c = q.grow(pool)
	}
	c.e[c.n] = v
	c.n++
}

// grow appends a chunk.
func (q *Queue[T]) grow(pool *Pool[T]) *chunk[T] {
	c := pool.get()
	if q.last == nil {
		c.next = c
	} else {
		c.next, q.last.next = q.last.next, c
	}
	q.last = c
	return c
}

// Take takes the oldest entry from q, which is not empty, and moves all others
// to b, which is.
func (q *Queue[T]) Take(v *T, b *Batch[T]) {
	*v = q.one
	if c := q.last; c != nil {
		b.c, c.next = c.next, nil
		b.c.rest = q.n - 1
	}
	*q = Queue[T]{}
}

// Drop forgets everything in q.
func (q *Queue[T]) Drop() { *q = Queue[T]{} }

// A Batch is the side that the receiver empties. The zero value is empty.
type Batch[T any] struct{ c *chunk[T] }

// Len is how many entries are left in b.
func (b *Batch[T]) Len() int {
	if b.c == nil {
		return 0
	}
	return b.c.rest - b.c.i
}

// Next takes the oldest entry; ok is false when there is none left.
func (b *Batch[T]) Next(v *T, pool *Pool[T]) (ok bool) {
	for c := b.c; c != nil; c = b.c {
		if c.i < c.n {
			var zero T
			*v, c.e[c.i] = c.e[c.i], zero
			c.i++
			return true
		}
		if b.c = c.next; b.c != nil {
			b.c.rest = c.rest - c.n
		}
		pool.put(c)
	}
	return false
}
