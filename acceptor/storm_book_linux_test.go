package acceptor_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
)

// A book is a probe: all that the node of a storm has told, by the address of the
// client that it is about.
type book struct {
	mu sync.Mutex
	// Guarded by mu.
	closed map[string][]closing // ends of connections, by peer
	faults map[string][]told    // of TLS, by peer
	lines  map[string]uint64    // told of faults: own lines and those told by number, by endpoint and class
	times  map[string]uint64    // the same of refusals, by listener and text

	spawned map[process.PID]process.PID // TLS processes, and the readers that started them
	aimed   map[process.PID]aim         // who was to be killed
	hit     map[process.PID][]string    // connections: which of their processes were killed
	felled  map[process.PID]time.Time   // supervisors that were killed: when
	late    map[process.PID]bool        // connections whose acceptor ended before they began
	ended   map[process.PID]time.Time   // connections
	shut    map[string][]*shutting      // by listener
	aimedAt map[process.PID]*shutting   // the same by who was killed
	kills   map[string]int
	crashes map[process.PID]error // as they told of it, or their supervisors
	wrong   []string              // what should not be told at all
}

// A closing is the end of a connection, as its listener told it.
type closing struct {
	conn  process.PID
	class string
}

// told is a fault, as its connection told it. The Fault itself is not kept: there are
// many, and it has a certificate in it.
type told struct {
	tlsconn.Class
	text string
	conn process.PID // zero: it is not known
}

func newBook() *book {
	return &book{
		closed: make(map[string][]closing), faults: make(map[string][]told),
		lines: make(map[string]uint64), times: make(map[string]uint64),
		spawned: make(map[process.PID]process.PID), aimed: make(map[process.PID]aim),
		hit: make(map[process.PID][]string), felled: make(map[process.PID]time.Time), late: make(map[process.PID]bool),
		ended: make(map[process.PID]time.Time), shut: make(map[string][]*shutting), aimedAt: make(map[process.PID]*shutting), kills: make(map[string]int), crashes: make(map[process.PID]error),
	}
}

func (b *book) Wants() process.Kind {
	return process.Network | process.Crashed | process.Supervised | process.Abandoned | process.Exited | process.Spawned
}

func (b *book) Event(e process.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Kind {
	case process.Spawned:
		if name, _, ok := strings.Cut(e.PID.Path(), "/port/acceptor-"); ok {
			b.opened(name, e.Time)
		}
		if e.Peer.Is("reader") && e.PID.Is("statem") {
			b.spawned[e.PID] = e.Peer
		}
	case process.Exited:
		b.exited(e)
	case process.Crashed:
		b.crashes[e.PID] = e.Reason
	case process.Supervised:
		if e.Level == process.LevelError {
			b.crashes[e.Peer] = e.Reason
		}
	case process.Network:
		b.network(e)
	case process.Abandoned:
		b.wrong = append(b.wrong, fmt.Sprintf("%v was abandoned: %v\n%s", e.PID, e.Reason, e.Detail.(*process.AbandonReport).Stack))
	}
}

// exited notes who has ended because we killed it.
func (b *book) exited(e process.Event) {
	path := e.PID.Path()
	if s := b.aimedAt[e.PID]; s != nil {
		s.begun = true
	}
	if strings.HasSuffix(path, "/connection") {
		b.ended[e.PID] = e.Time
		if e.Reason != nil && strings.Contains(e.Reason.Error(), "its acceptor has ended") {
			b.late[e.PID] = true
		}
	}
	aim, ok := b.aimed[e.PID]
	if !ok || e.Reason != process.ErrKilled {
		return
	}
	b.kills[aim.as]++
	switch aim.as {
	case "supervisor", "shard":
		b.felled[e.PID] = aim.at
	case "connection", "reader", "tls", "handshake":
		if conn := b.connOf(e.PID); !conn.IsZero() {
			b.hit[conn] = append(b.hit[conn], aim.as)
		}
	}
}

// connOf is the connection that a process belongs to.
func (b *book) connOf(pid process.PID) process.PID {
	for !pid.IsZero() && !strings.HasSuffix(pid.Path(), "/connection") {
		if reader, ok := b.spawned[pid]; ok {
			pid = reader
		} else {
			pid = pid.Parent()
		}
	}
	return pid
}

// struck says which processes of a connection were killed, and of those above it.
func (b *book) struck(conn process.PID) (as []string) {
	as = slices.Clone(b.hit[conn])
	for pid := conn.Parent(); !pid.IsZero(); pid = pid.Parent() {
		if at, ok := b.felled[pid]; ok && at.Before(b.ended[conn]) {
			as = append(as, b.aimed[pid].as)
		}
	}
	return as
}

func (b *book) network(e process.Event) {
	d := make(map[string]any)
	if e.Detail != nil {
		e.Detail.Each(func(key string, v any) { d[key] = v })
	}
	text := func(key string) string { return fmt.Sprint(d[key]) }
	f, isFault := e.Reason.(*tlsconn.Fault)
	switch {
	case isFault && e.Detail == process.Detail(f):
		peer := f.Peer.String()
		b.faults[peer] = append(b.faults[peer], told{f.Class, f.Error(), b.connOf(e.PID)})
		if e.Level > process.LevelDebug {
			b.lines[f.Endpoint+" "+f.Class.String()]++
		}
	case e.Text == "connection closed":
		b.closed[text("remote")] = append(b.closed[text("remote")], closing{e.Peer, text("class")})
	case d["count"] != nil:
		b.lines[text("endpoint")+" "+text("class")] += d["count"].(uint64)
	case d["times"] != nil:
		b.times[text("listener")+" "+e.Text] += uint64(d["times"].(int))
	default:
		b.wrong = append(b.wrong, fmt.Sprintf("%s: %v %v", e.Text, e.Reason, d))
	}
}

// An aim is at a process that is about to be killed.
type aim struct {
	as string // what it is
	at time.Time
}

func (b *book) aim(pid process.PID, as string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.aimed[pid] = aim{as, time.Now()}
}

// reader is the one that started a TLS process; ok: it is one.
func (b *book) reader(pid process.PID) (reader process.PID, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	reader, ok = b.spawned[pid]
	return reader, ok
}

// A shutting is a time in which a listener's socket was closed, at some moment.
type shutting struct {
	from, to time.Time   // to is zero: it is not over
	of       process.PID // who was killed; zero: the listener was suspended
	begun    bool        // that one is dead
}

// shuts notes that something is about to be done that closes a listener's socket.
func (b *book) shuts(listener string, of process.PID) *shutting {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &shutting{from: time.Now(), of: of}
	b.shut[listener] = append(b.shut[listener], s)
	if !of.IsZero() {
		b.aimedAt[of] = s
	}
	return s
}

// reopened ends the time in which the listener was suspended.
func (b *book) reopened(s *shutting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.to = time.Now()
}

// opened ends what the listener has got over: it has a socket again.
func (b *book) opened(listener string, at time.Time) {
	for _, s := range b.shut[listener] {
		if s.begun && s.to.IsZero() {
			s.to = at
		}
	}
}

// closedDuring reports whether the socket may have been closed while a client was in
// its queue.
func (b *book) closedDuring(listener string, v *visit) bool {
	return slices.ContainsFunc(b.shut[listener], func(s *shutting) bool {
		return !s.from.After(v.to) && (s.to.IsZero() || !s.to.Before(v.from))
	})
}
