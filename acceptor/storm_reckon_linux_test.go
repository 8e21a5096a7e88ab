package acceptor_test

import (
	"maps"
	"slices"
	"strings"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
)

// reckon holds what clients did against what the node told, and that against the
// counters.
func (s *storm) reckon() {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	for _, p := range s.sites {
		p.reckon()
	}
	for _, text := range s.book.wrong {
		s.Errorf("told: %s", text)
	}
	s.reckonCrashes()
	s.Logf("killed: %v", s.book.kills)
}

// reckon wants every visit to have come to what it had to, and the counters of the
// listener and of its TLS to be the sums of that.
func (p *site) reckon() {
	ends, faults := make(map[string]uint64), make(map[tlsconn.Class]uint64)
	var begun, connected, hit, refused, denied, unexplained uint64
	for _, v := range p.visits {
		closed, told := p.toldOf(v)
		for _, c := range closed {
			ends[c.class]++
			begun++
		}
		for _, f := range told {
			faults[f.Class]++
		}
		if v.connected {
			connected++
		}
		if v.connected && len(closed) == 0 {
			refused++
		}
		switch {
		case len(closed) == 0 && v.denied && v.connected:
			denied++
		case len(closed) == 0 && v.connected && !v.leaves && !p.book.closedDuring(p.name, v):
			unexplained++
		}
		if p.reckonVisit(v, closed, told) {
			hit++
		}
	}
	info := p.info()
	if !maps.Equal(info.Ends, ends) {
		p.Errorf("%s: counted ends %v, told %v", p.name, info.Ends, ends)
	}
	if got := p.server.Counts(); !maps.Equal(got, faults) {
		p.Errorf("%s: counted faults %v, told %v", p.name, got, faults)
	}
	if info.Accepted != begun+info.Refused || info.Accepted > connected || info.Connections != 0 {
		p.Errorf("%s: %d clients connected, %d were accepted, %d served, %d refused, %d are there",
			p.name, connected, info.Accepted, begun, info.Refused, info.Connections)
	}
	// Who was neither served nor in the queue of a socket that was closed was refused.
	if r := info.Refusals; unexplained > r[acceptor.Full]+r[acceptor.RateLimited]+r[acceptor.Failed] || r[acceptor.Denied] > denied {
		p.Errorf("%s: %d were neither served nor told why, %d were denied; refused were %v", p.name, unexplained, denied, r)
	}
	if !p.wild && (info.Accepted != connected || info.Refused != denied || info.Refusals[acceptor.Denied] != denied) {
		p.Errorf("%s: %d clients connected, %d were denied; accepted were %d, refused %v", p.name, connected, denied, info.Accepted, info.Refusals)
	}
	p.Logf("%s: %d clients connected, %d were not served, %d were hit; ended %v, refused %v\nvisits %v", p.name, connected, refused, hit, info.Ends, info.Refusals,
		p.count(func(v *visit) string { return v.what }))
}

// reckonCrashes wants nobody to be told of as crashed but connections that were made
// to, those of which a process was killed, and who was killed or went with it.
func (s *storm) reckonCrashes() {
	with := make(map[process.PID]bool)
	for pid := range s.book.aimed {
		with[pid] = true
		with[pid.Parent()] = true // a port ends with its acceptors
	}
	for _, p := range s.sites {
		for _, v := range p.visits {
			closed, _ := p.toldOf(v)
			for _, c := range closed {
				with[c.conn] = v.end == "crashed" || len(s.book.struck(c.conn)) > 0
			}
		}
	}
	for pid, why := range s.book.crashes {
		_, below := s.book.aimed[pid.Parent()]
		if conn := s.book.connOf(pid); !conn.IsZero() {
			pid = conn
		}
		if !with[pid] && !below {
			s.Errorf("%v crashed: %v", pid, why)
		}
	}
}

// toldOf is what was told of a visit.
func (p *site) toldOf(v *visit) (closed []closing, faults []told) {
	for _, addr := range v.addrs {
		closed = append(closed, p.book.closed[addr]...)
		faults = append(faults, p.book.faults[addr]...)
	}
	return closed, faults
}

// killedEnds are how a connection may end of which a process was killed.
var killedEnds = map[string][]string{
	"connection": {"killed"},
	"reader":     {"killed"},
	"tls":        {"killed"},
	"handshake":  {"internal"},
	"shard":      {"killed"},
	"supervisor": {"stopped"}, // by their own, which end in order
}

// reckonVisit reports whether a process of the visit's connection was killed. If not, it
// has come to what it had to.
func (p *site) reckonVisit(v *visit, closed []closing, faults []told) (disturbed bool) {
	wrong := func(why string) {
		p.Errorf("%s: %s: %s\nthe client: connected %v, talked %v, %v\nended: %v\nfaults: %v\nkilled: %v", p.name, v.what, why,
			v.connected, v.talked, v.err, closed, faults, p.struck(closed, faults))
	}
	struck := p.struck(closed, faults)
	switch {
	case len(closed) > 1 || len(faults) > 1:
		wrong("it was told of more than once")
	case v.serial != "" && !p.closet.fine[v.serial]:
		wrong("it was shown a certificate that should not be served: " + v.serial)
	case len(closed) == 0:
		// It has not begun. Its reader may have.
		if v.talked || len(faults) > 0 && !p.book.late[faults[0].conn] && len(struck) == 0 {
			wrong("it was not told of")
		}
		if !p.wild && !v.denied {
			wrong("it was not served")
		}
	case v.denied || !v.connected:
		wrong("it was served")
	case len(struck) == 0:
		if closed[0].class != v.end || len(faults) != min(int(v.class), 1) || len(faults) == 1 && faults[0].Class != v.class {
			wrong("it came to something else than " + v.end)
		}
		if v.class == 0 && v.err != nil {
			wrong("it was disturbed")
		}
	default:
		disturbed = true
		want := []string{v.end}
		for _, as := range struck {
			want = append(want, killedEnds[as]...)
		}
		if !slices.Contains(want, closed[0].class) {
			wrong("it came to none of " + strings.Join(want, ", "))
		}
		if len(faults) == 1 && faults[0].Class != v.class && !(faults[0].Class == tlsconn.Internal && slices.Contains(struck, "handshake")) {
			wrong("its fault is another one")
		}
	}
	return disturbed
}

// struck is what was killed of a visit's connection.
func (p *site) struck(closed []closing, faults []told) (as []string) {
	conns := make(map[process.PID]bool)
	for _, c := range closed {
		conns[c.conn] = true
	}
	for _, f := range faults {
		conns[f.conn] = true
	}
	for conn := range conns {
		if !conn.IsZero() {
			as = append(as, p.book.struck(conn)...)
		}
	}
	return as
}

// reckonLines wants every refusal and every fault that is worth a line to have been
// told by one, or by number. The listener has stopped, so all of that has been told.
func (p *site) reckonLines(info acceptor.Info) {
	p.book.mu.Lock()
	defer p.book.mu.Unlock()
	for why, text := range map[acceptor.Refusal]string{
		acceptor.Full:        "connection refused: the listener is full (MaxConnections, SetMax)",
		acceptor.RateLimited: "connection refused: too many in a short time (Rate, Burst)",
		acceptor.Denied:      "connection refused: Access denies its address",
		acceptor.Failed:      "connection refused: its process did not start",
	} {
		if got := p.book.times[p.name+" "+text]; got != info.Refusals[why] {
			p.Errorf("%s: told %d times, counted %d: %s", p.name, got, info.Refusals[why], text)
		}
	}
	counts := p.server.Counts()
	for _, class := range tlsconn.Classes() {
		want := counts[class]
		if class.Level() <= process.LevelDebug {
			want = 0
		}
		if got := p.book.lines[p.name+" "+class.String()]; got != want {
			p.Errorf("%s: told %d times, counted %d: %v", p.name, got, want, class)
		}
	}
}
