package identity

import "time"

// Load reads the files and judges them, at a time that counts as now. The error
// is an [*Error] that holds every flaw; the Pair is nil then. Nothing is kept of
// one load for the next.
func Load(f Files, now time.Time) (*Pair, error) { return load(osFiles{}, f, now) }

func load(sys system, f Files, now time.Time) (*Pair, error) {
	s := read(sys, f)
	defer s.wipe()
	return judgeAll(s, f, now)
}

func judgeAll(s snapshot, f Files, now time.Time) (*Pair, error) {
	j := &judge{files: f, now: now}
	p := j.run(s)
	if len(j.flaws) > 0 {
		return nil, &Error{j.flaws}
	}
	return p, nil
}
