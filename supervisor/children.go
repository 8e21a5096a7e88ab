package supervisor

import (
	"cmp"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A child is what a supervisor knows of one of its children. It belongs to the
// supervisor's process. There may be very many, so it is small.
type child struct {
	spec  *Child        // the template, for a dynamic child
	arg   *argument     // of a dynamic child that may be restarted
	pid   process.PID   // the latest; alive only while status is Running
	place int           // see children
	since time.Duration // see ChildView; counted from the supervisor's own start
	next  *again        // the attempt to come while status is Restarting

	failures int32 // in a row, see ChildView
	status   Status
	sup      bool // the latest process was a supervisor
	gone     bool // removed from the supervisor
}

// again is a message of the supervisor to itself: the next attempt to start a
// child. It counts only while it is the one that the child waits for.
type again struct {
	c      *child
	kind   Kind // StartFailed or WaitOver
	reason error
	timer  *process.Timer // of a wait
}

// cancel gives up what the child is waiting for.
func (c *child) cancel() {
	if c.next != nil {
		c.next.timer.Stop()
		c.next = nil
	}
}

// down marks the child as one without a process, and with none to come.
func (c *child) down() {
	c.cancel()
	c.status = Down
}

// shutdown is how long the child may take to stop.
func (c *child) shutdown() time.Duration { return c.spec.shutdown(c.sup) }

// children holds a supervisor's children: in the order of their start, or, of a
// dynamic supervisor, in none.
//
// In order, place is a number that only grows, so that a child is found by
// bisection and never needs a new number when others go. Without order, place
// is the index, and the last child takes the place of one that goes. Finding
// one takes O(1) by PID or ID and O(log n) for its place among the others.
type children struct {
	dynamic bool
	list    []*child
	byID    map[string]*child // nil until somebody asks, and if dynamic
	byPID   map[process.PID]*child
	placed  int    // how many ever came
	newest  uint64 // number of the youngest process that was ever a child's
}

// newChildren makes room for that many children.
func newChildren(dynamic bool, n int) children {
	return children{dynamic: dynamic, list: make([]*child, 0, n), byPID: make(map[process.PID]*child, n)}
}

// find returns the child with that ID, nil if there is none. Those of a dynamic
// supervisor are not known by theirs.
func (k *children) find(id string) *child {
	if k.byID == nil && !k.dynamic {
		k.byID = make(map[string]*child, len(k.list))
		for _, c := range k.list {
			k.byID[c.spec.ID] = c
		}
	}
	return k.byID[id]
}

// add puts a child behind the others.
func (k *children) add(c *child) {
	c.place = k.placed
	if k.dynamic {
		c.place = len(k.list)
	} else if k.byID != nil {
		k.byID[c.spec.ID] = c
	}
	k.placed++
	k.list = append(k.list, c)
}

// remove forgets a child.
func (k *children) remove(c *child) {
	if c.gone {
		return
	}
	i, last := k.index(c), len(k.list)-1
	if k.dynamic {
		k.list[i] = k.list[last]
		k.list[i].place = i
		k.list[last] = nil
		k.list = k.list[:last]
	} else {
		delete(k.byID, c.spec.ID)
		k.list = slices.Delete(k.list, i, i+1)
	}
	k.unbind(c)
	c.down()
	c.gone = true
}

// index is the child's place in the View.
func (k *children) index(c *child) int {
	if k.dynamic {
		return c.place
	}
	i, _ := slices.BinarySearchFunc(k.list, c.place, func(c *child, place int) int { return cmp.Compare(c.place, place) })
	return i
}

// bind gives a child its process. One that died keeps the PID until it gets
// another, so that it can still be named by it.
func (k *children) bind(c *child, pid process.PID, now time.Duration) {
	k.unbind(c)
	c.pid, c.status, c.since = pid, Running, now
	c.sup = pid.Is(process.KindSupervisor)
	k.newest = max(k.newest, pid.ID())
	k.byPID[pid] = c
}

func (k *children) unbind(c *child) {
	if !c.pid.IsZero() && k.byPID[c.pid] == c {
		delete(k.byPID, c.pid)
	}
	c.pid = process.PID{}
}

// in appends the children of a span, which must be one of theirs, to buf.
func (k *children) in(s Span, buf []*child) []*child {
	if s.Len() == 0 {
		return nil
	}
	return append(buf, k.list[s.From:s.To]...)
}
