package identity

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// A Rotation follows files that are replaced while they are in use. It decides,
// and does nothing else: there is no process, no clock and no lock in it. Whoever
// owns it calls Look when the last [Change] said to, and serves its Pair.
//
//   - What is served changes only to what Load finds good, and Rehearse too: never
//     to a pair that is half written, and never for the worse.
//   - What the files hold decides, not their times or numbers: they are read at
//     each look. So it does not matter how they are replaced: written in place,
//     renamed, or by the exchange of a symbolic link to their folder.
//   - What cannot be used is looked at again soon, then more and more slowly, as a
//     pair is seldom written at one stroke. It raises an alarm once it has lasted,
//     which is cleared by the next good load.
//   - An alarm tells of the end from 30 days before; see [Expiring].
//
// The zero value of each field but Files will do.
type Rotation struct {
	Files Files
	// Every is the time between looks; 0: 10 s. Below zero: none are planned, and
	// only alarms of the end are, for Age.
	Every time.Duration
	// Patience is how long the files may be unfit before the alarm; 0: 2 s.
	Patience time.Duration
	// Rehearse has the last word on a pair that is about to be served, such as a
	// handshake with it. Its error keeps the pair out, as a flaw does. Nil: none.
	Rehearse func(*Pair) error

	sys  system   // nil: the operating system's
	pair *Pair    // the last good one
	good digest   // of the files that gave it
	bad  struct { // since the files became unfit
		since time.Time // zero: they are fit
		seen  digest    // what they held when they were last looked at
		looks int       // at the same content
		alarm []Check   // what the alarm told of; nil: there is none
	}
	stage Stage
}

// A Change is what a look has come to.
type Change struct {
	Pair   *Pair     // what is to be served: the last good one; nil before there was any
	Fresh  bool      // Pair is another than before
	Alarms []Alarm   // what is to be told, in this order; mostly none
	Next   time.Time // when to look again, or to call Age; zero: no such time
}

// An AlarmKind tells the alarms of a Rotation apart.
type AlarmKind string

const (
	// CannotReload is set while the files hold what cannot be used, and something
	// older is served.
	CannotReload AlarmKind = "cannot_reload"
	// Expiry is set from 30 days before the end of what is served, and again each
	// time that its Stage changes.
	Expiry AlarmKind = "expiry"
)

// An Alarm is set, set anew with other words, or cleared.
type Alarm struct {
	Kind  AlarmKind
	Set   bool
	Text  string // what is wrong; of Expiry, what to do; what came of it when cleared
	Err   error  // of CannotReload: the *Error, with what to do
	Stage Stage  // of Expiry
}

const (
	defaultEvery    = 10 * time.Second
	defaultPatience = 2 * time.Second
	firstRetry      = 250 * time.Millisecond
)

// Look reads the files, and judges them if they hold something else than what is
// served. The error is an [*Error] if they cannot be used now, whether or not
// there is an alarm yet; what was served before still is.
func (r *Rotation) Look(now time.Time) (Change, error) {
	sys := r.sys
	if sys == nil {
		sys = osFiles{}
	}
	s := read(sys, r.Files)
	defer s.wipe()
	seen := s.digest()
	if r.pair != nil && seen == r.good {
		return r.fit(now, false), nil
	}
	pair, err := judgeAll(s, r.Files, now)
	if err == nil {
		err = r.rehearse(pair)
	}
	if err != nil {
		return r.unfit(now, seen, err), err
	}
	r.pair, r.good = pair, seen
	return r.fit(now, true), nil
}

// Age tells of the approaching end of what is served, without a look at the
// files.
func (r *Rotation) Age(now time.Time) Change {
	c := Change{Pair: r.pair}
	if r.pair != nil {
		c.Next = r.age(&c, now)
	}
	return c
}

// Remind has the alarms that are set be told again, by the next Look or Age: whoever
// was told of them has forgotten them.
func (r *Rotation) Remind() { r.bad.alarm, r.stage = nil, Fine }

func (r *Rotation) rehearse(p *Pair) error {
	if r.Rehearse == nil {
		return nil
	}
	err := r.Rehearse(p)
	if err == nil {
		return nil
	}
	return &Error{[]Flaw{{Check: Rehearsal, Field: "Cert", File: r.Files.Cert, Err: err,
		Problem: fmt.Sprintf("a handshake with it came to nothing: %v", err),
		Cure:    "see that it works with a client of yours: openssl s_server serves it"}}}
}

// fit is the end of a look at files that can be used.
func (r *Rotation) fit(now time.Time, fresh bool) Change {
	c := Change{Pair: r.pair, Fresh: fresh}
	if r.bad.alarm != nil {
		text := "the files are again those that are served"
		if fresh {
			text = "now served: " + r.pair.String()
		}
		c.Alarms = append(c.Alarms, Alarm{Kind: CannotReload, Text: text})
	}
	r.bad.since, r.bad.looks, r.bad.alarm = time.Time{}, 0, nil
	c.Next = r.plan(now, r.every(), r.age(&c, now))
	return c
}

// unfit is the end of a look at files that cannot be used.
func (r *Rotation) unfit(now time.Time, seen digest, err error) Change {
	c := Change{Pair: r.pair}
	if r.bad.since.IsZero() {
		r.bad.since = now
	}
	if r.bad.seen != seen {
		r.bad.seen, r.bad.looks = seen, 0
	}
	wait := r.retry(r.bad.looks)
	r.bad.looks++
	patient := r.bad.since.Add(r.patience())
	if now.Before(patient) && wait > 0 {
		wait = min(wait, patient.Sub(now))
	}
	if what := checks(err); !now.Before(patient) && r.pair != nil && !slices.Equal(what, r.bad.alarm) {
		r.bad.alarm = what
		c.Alarms = append(c.Alarms, Alarm{Kind: CannotReload, Set: true, Err: err,
			Text: fmt.Sprintf("cannot reload, and serve on: %v, once read from %s", r.pair, r.Files.Cert)})
	}
	var ages time.Time
	if r.pair != nil {
		ages = r.age(&c, now)
	}
	c.Next = r.plan(now, wait, ages)
	return c
}

// checks names what an error is about. Its text changes with time: "2 days ago".
func checks(err error) []Check {
	var all []Check
	if e, ok := errors.AsType[*Error](err); ok {
		for _, f := range e.Flaws {
			all = append(all, f.Check, Check(f.File))
		}
	}
	return all
}

// age tells of a new stage, and when the next one begins.
func (r *Rotation) age(c *Change, now time.Time) (next time.Time) {
	stage, next := r.pair.stage(now)
	if stage == r.stage {
		return next
	}
	r.stage = stage
	e := r.pair.first()
	a := Alarm{Kind: Expiry, Set: stage != Fine, Stage: stage}
	switch left := e.NotAfter.Sub(now); stage {
	case Fine:
		a.Text = fmt.Sprintf("valid until %s", date(e.NotAfter))
	case Ended:
		a.Text = fmt.Sprintf("%s %s: %s has expired on %s (%s ago), and is still served: renew it", e.field, e.path, e.label, date(e.NotAfter), days(-left))
	default:
		a.Text = fmt.Sprintf("%s %s: %s expires on %s (in %s): renew it", e.field, e.path, e.label, date(e.NotAfter), days(left))
	}
	c.Alarms = append(c.Alarms, a)
	return next
}

func (r *Rotation) every() time.Duration {
	if r.Every == 0 {
		return defaultEvery
	}
	return r.Every
}

func (r *Rotation) patience() time.Duration {
	if r.Patience == 0 {
		return defaultPatience
	}
	return r.Patience
}

// retry is how long after its nth look at the same unfit content the next one
// is due: twice as long each time, up to Every.
func (r *Rotation) retry(n int) time.Duration {
	every := r.every()
	if every < 0 {
		return every
	}
	for wait := firstRetry; wait < every; wait *= 2 {
		if n == 0 {
			return wait
		}
		n--
	}
	return every
}

// plan is the earlier of now plus wait, if that is planned, and a time at which
// an alarm is due.
func (r *Rotation) plan(now time.Time, wait time.Duration, alarm time.Time) time.Time {
	if wait < 0 {
		return alarm
	}
	next := now.Add(wait)
	if !alarm.IsZero() && alarm.Before(next) {
		return alarm
	}
	return next
}
