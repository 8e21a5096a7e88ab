package tlsconn

import "time"

// A ratioRow is a class of faults of which one is nothing, but most are an alarm.
type ratioRow struct {
	class Class
	id    string // of the alarm, behind the endpoint's name
	says  string
}

var ratioRows = [...]ratioRow{
	{PeerRejectedUs, "certificate refused", "most clients refuse our certificate: is it expired, self-signed, or for another name?"},
	{WeWereRejected, "certificate refused", "the server refuses most of our connections: is our client certificate the one it wants?"},
	{ClientNotTrusted, "clients refused", "most clients have no certificate that we trust: is ClientCA the right one?"},
	{ServerNotTrusted, "server not trusted", "the server's certificate is mostly not trusted: are Roots and ServerName right?"},
}

// countsFor says whether a fault tells anything of certificates: a client that
// left, or that spoke no TLS, does not.
func countsFor(c Class) bool {
	switch c {
	case PeerRejectedUs, WeWereRejected, ClientNotTrusted, ServerNotTrusted:
		return true
	}
	return false
}

// A ratio is how many of the latest handshakes ended in one way: a sliding window
// of five minutes, in ten parts.
type ratio struct {
	parts [10]part
	on    bool // the alarm is set
}

type part struct {
	since      time.Time
	these, all int
}

const (
	partSpan  = 30 * time.Second
	ratioSpan = 10 * partSpan
	// ratioLeast is how many handshakes it takes to speak of most.
	ratioLeast = 10
)

// A share is what a ratio saw.
type share struct{ these, all int }

// add counts a handshake: a new one, unless it has been counted before.
func (r *ratio) add(now time.Time, this, anew bool) {
	start := now.Truncate(partSpan)
	p := &r.parts[uint64(start.Unix())/uint64(partSpan/time.Second)%uint64(len(r.parts))]
	if !p.since.Equal(start) {
		*p = part{since: start}
	}
	if anew {
		p.all++
	}
	if this {
		p.these++
	}
}

// share is what is in the window.
func (r *ratio) share(now time.Time) (s share) {
	for _, p := range r.parts {
		if now.Sub(p.since) < ratioSpan {
			s.these += p.these
			s.all += p.all
		}
	}
	return s
}

// judge says whether the alarm is to be on: it goes on when more than half of
// enough handshakes ended this way, and off when fewer than a quarter do. No
// handshakes are no news.
func (r *ratio) judge(now time.Time) (s share, was, on bool) {
	s, was = r.share(now), r.on
	switch {
	case max(s.all, s.these) >= ratioLeast && 2*s.these > s.all:
		r.on = true
	case s.all > 0 && 4*s.these < s.all:
		r.on = false
	}
	return s, was, r.on
}

// A ratioChange is an alarm that is to be set or cleared.
type ratioChange struct {
	row ratioRow
	on  bool
	share
}
