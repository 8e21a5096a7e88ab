package tlsconn

import (
	"cmp"
	"net"
	"slices"
	"sync"
	"time"
)

// A tally counts the faults of one endpoint and decides which of them are worth
// a line of their own. It knows no process; the time is an argument.
type tally struct {
	mu          sync.Mutex
	counts      [classes]uint64
	established uint64
	stir        func() // wakes whoever tells what was kept back; nil: nobody does
	stirred     bool   // and has not settled since
	windows     [classes]window
	ratios      [len(ratioRows)]ratio
}

// A window is the present minute of one class.
type window struct {
	since time.Time
	said  int
	kept  uint64            // faults that got no line
	peers map[string]uint64 // whose they were; bounded
}

const (
	// linesPerMinute is how many faults of one class get a line of their own.
	linesPerMinute = 5
	span           = time.Minute
	// maxPeers bounds what a window remembers: a flood comes from everywhere.
	maxPeers = 256
)

// fault counts one. If it is worth a line it says whether it gets one: one that
// does not is told by number later; where nobody would do that, every one does.
func (t *tally) fault(now time.Time, c Class, stage State, peer net.Addr, worth bool) (line bool) {
	defer t.wake(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[c]++
	if countsFor(c) {
		for i, row := range ratioRows {
			// One that had been established is in the ratio already.
			t.ratios[i].add(now, c == row.class, stage < Established)
		}
	}
	return worth && t.line(now, c, peer)
}

// line decides that. t.mu is held.
func (t *tally) line(now time.Time, c Class, peer net.Addr) bool {
	w := &t.windows[c]
	if now.Sub(w.since) >= span && w.kept == 0 {
		*w = window{since: now}
	}
	if w.said < linesPerMinute || t.stir == nil {
		w.said++
		return true
	}
	w.keep(peer)
	return false
}

func (w *window) keep(peer net.Addr) {
	w.kept++
	if w.peers == nil {
		w.peers = make(map[string]uint64)
	}
	host := hostOf(peer)
	if _, known := w.peers[host]; known || len(w.peers) < maxPeers {
		w.peers[host]++
	}
}

// hostOf is an address without its port, which is another one each time.
func hostOf(a net.Addr) string {
	if a == nil {
		return "nowhere"
	}
	if host, _, err := net.SplitHostPort(a.String()); err == nil {
		return host
	}
	return a.String()
}

// handshook counts a connection that was established.
func (t *tally) handshook(now time.Time) {
	alarmed := false
	defer func() { t.wake(alarmed) }()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.established++
	for i := range t.ratios {
		t.ratios[i].add(now, false, true)
		alarmed = alarmed || t.ratios[i].on
	}
}

// wake has somebody look at the tally, if there is a reason.
func (t *tally) wake(reason bool) {
	if !reason {
		return
	}
	t.mu.Lock()
	stir := t.stir
	if t.stirred {
		stir = nil
	}
	t.stirred = true
	t.mu.Unlock()
	if stir != nil {
		stir()
	}
}

// settled reports whether time alone will change nothing any more. Whoever looks
// at the tally may stop then; he is woken when there is news.
func (t *tally) settled(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.windows {
		if t.windows[i].kept > 0 {
			return false
		}
	}
	for i := range t.ratios {
		if t.ratios[i].share(now).these > 0 {
			return false
		}
	}
	t.stirred = false
	return true
}

// A suppressed line says how many faults of a class got none of their own.
type suppressed struct {
	class Class
	count uint64
	peers int    // how many there were; at most maxPeers are known
	worst string // who had most of them
	most  uint64
}

// overdue takes what was kept back in minutes that are over; all of it, if last.
func (t *tally) overdue(now time.Time, last bool) (out []suppressed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.windows {
		w := &t.windows[c]
		if w.kept == 0 || !last && now.Sub(w.since) < span {
			continue
		}
		s := suppressed{class: Class(c), count: w.kept, peers: len(w.peers)}
		for host, n := range w.peers {
			if cmp.Or(cmp.Compare(n, s.most), -cmp.Compare(host, s.worst)) > 0 {
				s.worst, s.most = host, n
			}
		}
		out = append(out, s)
		*w = window{since: now}
	}
	slices.SortFunc(out, func(a, b suppressed) int { return cmp.Compare(a.class, b.class) })
	return out
}

// attend says who is to be woken when there is something to look at: whoever tells
// of what is kept back. Nil: nobody, and nothing is kept back.
func (t *tally) attend(stir func()) {
	t.mu.Lock()
	t.stir = stir
	pending := t.stirred
	t.mu.Unlock()
	if pending && stir != nil {
		stir()
	}
}

// total returns how many faults of each class there were, and of what is
// established.
func (t *tally) total() (counts map[Class]uint64, established uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts = make(map[Class]uint64)
	for c, n := range t.counts {
		if n > 0 {
			counts[Class(c)] = n
		}
	}
	return counts, t.established
}

// judge looks at the ratios. It returns those whose alarm is to be set or cleared.
func (t *tally) judge(now time.Time) (changed []ratioChange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, row := range ratioRows {
		if s, was, on := t.ratios[i].judge(now); on != was {
			changed = append(changed, ratioChange{row, on, s})
		}
	}
	return changed
}

// forgive forgets what was said of our certificates, for there are new ones. It
// returns the alarms that are to be cleared.
func (t *tally) forgive() (changed []ratioChange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, row := range ratioRows {
		if t.ratios[i].on {
			changed = append(changed, ratioChange{row: row})
		}
		t.ratios[i] = ratio{}
	}
	return changed
}
