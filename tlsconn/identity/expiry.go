package identity

import (
	"fmt"
	"time"
)

// An end is when a certificate expires.
type end struct {
	source
	label               string
	NotBefore, NotAfter time.Time
}

func endOf(at source, c cert) end { return end{at, c.label(), c.NotBefore, c.NotAfter} }

// first is what expires first; zero if nothing does.
func (p *Pair) first() end {
	var first end
	for _, e := range p.ends {
		if first.NotAfter.IsZero() || e.NotAfter.Before(first.NotAfter) {
			first = e
		}
	}
	return first
}

// soonWindow is how long before its end a certificate should have been renewed.
const soonWindow = 30 * 24 * time.Hour

// window is 30 days, or a third of the life of a certificate that lives for less
// than 90: one that is made for a week would else cry from its first hour.
func (e *end) window() time.Duration {
	return min(soonWindow, e.NotAfter.Sub(e.NotBefore)/3)
}

// Expiring returns how long the identity is valid yet, below zero if it no
// longer is, and whether it should be renewed: from 30 days before its end, or a
// third of its life if that is less. What ends first counts, leaf, intermediate
// or the last authority of a file. Without anything that ends, left is the
// longest time there is.
func Expiring(p *Pair, now time.Time) (left time.Duration, soon bool) {
	e := p.first()
	if e.NotAfter.IsZero() {
		return 1<<63 - 1, false
	}
	left = e.NotAfter.Sub(now)
	return left, left <= e.window()
}

// A Stage says how near the end of an identity is.
type Stage int

const (
	Fine   Stage = iota // there is time
	Soon                // it should be renewed: see [Expiring]
	Urgent              // within a quarter of Soon's time: a week of 30 days
	Ended               // it has expired
)

func (s Stage) String() string {
	switch s {
	case Fine:
		return "fine"
	case Soon:
		return "expires soon"
	case Urgent:
		return "expires within days"
	case Ended:
		return "expired"
	}
	return fmt.Sprintf("Stage(%d)", int(s))
}

// stage tells how near the end is, and when that changes next; zero: never.
func (p *Pair) stage(now time.Time) (s Stage, next time.Time) {
	e := p.first()
	if e.NotAfter.IsZero() {
		return Fine, time.Time{}
	}
	soon := e.NotAfter.Add(-e.window())
	urgent := e.NotAfter.Add(-e.window() / 4)
	switch {
	case now.Before(soon):
		return Fine, soon
	case now.Before(urgent):
		return Soon, urgent
	case !now.After(e.NotAfter):
		return Urgent, e.NotAfter.Add(1)
	}
	return Ended, time.Time{}
}
