package otpscript

import (
	"sync"
	"time"
)

// An actor is a process as the log knows it.
type actor struct {
	name string // "top/a#2": a path, and which attempt to start it this was
	over *actor // its supervisor; nil: it has none in the scenario
	pool bool   // it is a supervisor of kind simple_one_for_one

	node *Node // what the scenario says of it; nil for others than supervised ones
	exit leave // whether it called exit/1, and where
	// quiet tells a plain process: what it dies of is nobody's report.
	quiet bool
	// manager tells an event manager, of whose end only proc_lib reports.
	manager bool

	// due is until when something may happen to it by itself.
	due        time.Time
	hibernates bool

	// started tells that its start succeeded. The log has no exits and reports
	// of processes that never got that far: OTP and coppice may give them up
	// at different points.
	started bool
}

// A leave is where a scripted process left by exit/1 instead of returning.
type leave uint8

const (
	returned leave = iota
	inCallback
	inTerminate
)

// nobody is who writes what happens outside of every process.
var nobody = &actor{name: "?"}

// A record is one line to be, in the order in which it happened.
type record struct {
	by     *actor
	ev     string
	fields fields
}

// fields are the keys of a line, but for "ev": terms, strings and numbers.
type fields map[string]any

// line is the JSON text of a record. Maps are written with sorted keys.
func (r record) line() string {
	all := map[string]any{"ev": r.ev}
	for key, v := range r.fields {
		if t, isTerm := v.(Term); isTerm {
			v = wire(t)
		}
		all[key] = v
	}
	return string(marshal(all))
}

// A journal takes down what happens, whoever it happens to.
type journal struct {
	mu      sync.Mutex
	records []record
}

func (j *journal) add(by *actor, ev string, f fields) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = append(j.records, record{by, ev, f})
}

// take returns what was recorded since it was last called.
func (j *journal) take() []record {
	j.mu.Lock()
	defer j.mu.Unlock()
	taken := j.records
	j.records = nil
	return taken
}
