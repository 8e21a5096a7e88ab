package statem_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// The handlers of the tables below.

func to(next string, ask ...func(*turn)) func(*turn) (string, error) {
	return func(t *turn) (string, error) {
		for _, f := range ask {
			f(t)
		}
		return next, nil
	}
}

func postpone(t *turn) { t.Postpone() }
func repeat(t *turn)   { t.Repeat() }

func insert(evs ...string) func(*turn) { return func(t *turn) { t.Insert(evs...) } }

func set(which statem.Timeout, d time.Duration, ev string) func(*turn) {
	return func(t *turn) { t.Timeout(which, d, ev) }
}

func setAt(which statem.Timeout, in time.Duration, ev string) func(*turn) {
	return func(t *turn) { t.TimeoutAt(which, time.Now().Add(in), ev) }
}

func update(which statem.Timeout, ev string) func(*turn) {
	return func(t *turn) { t.Update(which, ev) }
}

func cancel(which statem.Timeout) func(*turn) { return func(t *turn) { t.Cancel(which) } }

func entering(ask ...func(*turn)) func(*turn) error {
	return func(t *turn) error {
		for _, f := range ask {
			f(t)
		}
		return nil
	}
}

type on = map[string]func(*turn) (string, error)

type row struct {
	name  string
	on    on
	enter map[string]func(*turn) error // not nil: Enter is logged
	steps []string
	want  []string
}

const (
	event = statem.EventTimeout
	state = statem.StateTimeout
	ms    = time.Millisecond
)

// play runs one row in a bubble of its own.
func (r row) play(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := newNode(t)
		s := &script{on: r.on, enter: r.enter}
		s.run(ctx, t, s.machine(t), r.steps)
		wantLines(t, r.name, s.log.take(), r.want...)
	})
}

// TestOrder holds the rules for what comes after an event.
func TestOrder(t *testing.T) {
	enter := map[string]func(*turn) error{}
	for _, r := range []row{
		{
			name:  "GST-06: the same state is no change: no enter, no retry, the state time-out stays",
			on:    on{"a p": to("a", postpone), "a arm": to("a", set(state, 20*ms, "late")), "a same": to("a")},
			enter: enter,
			steps: []string{"p arm same", "30ms"},
			want:  []string{"a enter from a", "a p", "a arm", "a same", "a late"},
		}, {
			name:  "GST-09: Enter at the start, at a change, and on repeat",
			on:    on{"a go": to("b"), "b again": to("b", repeat)},
			enter: enter,
			steps: []string{"go again"},
			want:  []string{"a enter from a", "a go", "b enter from a", "b again", "b enter from b"},
		}, {
			name: "GST-10: Enter may start time-outs and repeat itself",
			on:   on{"a go": to("b")},
			enter: map[string]func(*turn) error{"b": func() func(*turn) error {
				n := 0
				return func(t *turn) error {
					if n++; n < 3 {
						t.Repeat()
					}
					t.Timeout(state, 10*ms, "late")
					return nil
				}
			}()},
			steps: []string{"go", "20ms"},
			want:  []string{"a enter from a", "a go", "b enter from a", "b enter from a", "b enter from a", "b late"},
		}, {
			name:  "GST-13: postponed events are retried after a change, oldest first",
			on:    on{"a 1": to("a", postpone), "a 2": to("a", postpone), "a go": to("b")},
			steps: []string{"1 2 go 3"},
			want:  []string{"a 1", "a 2", "a go", "b 1", "b 2", "b 3"},
		}, {
			name:  "GST-13: the event that changes the state may be postponed itself",
			on:    on{"a 1": to("a", postpone), "a 2": to("b", postpone)},
			steps: []string{"1 2 3"},
			want:  []string{"a 1", "a 2", "b 1", "b 2", "b 3"},
		}, {
			name:  "GST-13: repeat is no change",
			on:    on{"a 1": to("a", postpone), "a again": to("a", repeat)},
			enter: enter,
			steps: []string{"1 again"},
			want:  []string{"a enter from a", "a 1", "a again", "a enter from a"},
		}, {
			name:  "GST-13: postponed again keeps its place",
			on:    on{"a 1": to("a", postpone), "a 2": to("a", postpone), "a go": to("b"), "b 1": to("b", postpone), "b go": to("c")},
			steps: []string{"1 2 go", "3 go"},
			want:  []string{"a 1", "a 2", "a go", "b 1", "b 2", "b 3", "b go", "c 1"},
		}, {
			name:  "GST-14: inserted events come before queued ones, in order, and nest",
			on:    on{"a go": to("a", insert("1", "2")), "a 1": to("a", insert("11", "12"))},
			steps: []string{"go later"},
			want:  []string{"a go", "a 1", "a 11", "a 12", "a 2", "a later"},
		}, {
			name: "GST-15: enter, inserted, postponed, zero time-outs, mailbox",
			on: on{
				"a p1": to("a", postpone), "a p2": to("a", postpone),
				"a go": to("b", set("x", 0, "zero"), insert("i1", "i2")),
			},
			enter: enter,
			steps: []string{"p1 p2 go mail"},
			want:  []string{"a enter from a", "a p1", "a p2", "a go", "b enter from a", "b i1", "b i2", "b p1", "b p2", "b zero", "b mail"},
		},
	} {
		t.Run(r.name, r.play)
	}
}

// TestTimeouts holds GST-16 to GST-23.
func TestTimeouts(t *testing.T) {
	for _, r := range []row{
		{
			name:  "GST-16: the event time-out comes when nothing else does",
			on:    on{"a arm": to("a", set(event, 20*ms, "late"))},
			steps: []string{"arm", "10ms", "20ms"},
			want:  []string{"a arm", "a late"},
		}, {
			name:  "GST-16: any event ends the event time-out",
			on:    on{"a arm": to("a", set(event, 20*ms, "late"))},
			steps: []string{"arm", "10ms", "x", "20ms"},
			want:  []string{"a arm", "a x"},
		}, {
			name:  "GST-16: an inserted event ends it too",
			on:    on{"a arm": to("a", set(event, 20*ms, "late"), insert("i"))},
			steps: []string{"arm", "30ms"},
			want:  []string{"a arm", "a i"},
		}, {
			name:  "GST-16: a retried event ends it too",
			on:    on{"a p": to("a", postpone), "a arm": to("b", set(event, 20*ms, "late"))},
			steps: []string{"p arm", "30ms"},
			want:  []string{"a p", "a arm", "b p"},
		}, {
			name:  "GST-16: other time-outs end it",
			on:    on{"a arm": to("a", set("x", 10*ms, "x"), set(event, 20*ms, "late"))},
			steps: []string{"arm", "50ms"},
			want:  []string{"a arm", "a x"},
		}, {
			name:  "GST-17: the state time-out survives events",
			on:    on{"a arm": to("a", set(state, 20*ms, "late"))},
			steps: []string{"arm", "10ms", "x", "20ms"},
			want:  []string{"a arm", "a x", "a late"},
		}, {
			name:  "GST-17: a change of state ends it",
			on:    on{"a arm": to("a", set(state, 20*ms, "late")), "a go": to("b")},
			steps: []string{"arm", "go", "30ms"},
			want:  []string{"a arm", "a go"},
		}, {
			name:  "GST-17: set with a change it belongs to the new state",
			on:    on{"a arm": to("a", set(state, time.Hour, "old")), "a go": to("b", set(state, 20*ms, "new"))},
			steps: []string{"arm", "go", "2h"},
			want:  []string{"a arm", "a go", "b new"},
		}, {
			name:  "GST-17: repeat keeps it",
			on:    on{"a arm": to("a", set(state, 20*ms, "late")), "a again": to("a", repeat)},
			steps: []string{"arm", "10ms", "again", "10ms"},
			want:  []string{"a arm", "a again", "a late"},
		}, {
			name:  "GST-18: named time-outs run side by side through changes of state",
			on:    on{"a arm": to("b", set("x", 20*ms, "x"), set("y", 10*ms, "y")), "b go": to("c")},
			steps: []string{"arm go", "30ms"},
			want:  []string{"a arm", "b go", "c y", "c x"},
		}, {
			name:  "GST-18: one per name: the last start counts",
			on:    on{"a 1": to("a", set("x", 20*ms, "one")), "a 2": to("a", set("x", 40*ms, "two"))},
			steps: []string{"1 2", "30ms", "20ms"},
			want:  []string{"a 1", "a 2", "a two"},
		}, {
			name:  "GST-19: at a point in time; one that has passed is due at once",
			on:    on{"a arm": to("a", setAt("x", 20*ms, "x"), setAt("y", -time.Hour, "y"))},
			steps: []string{"arm", "10ms", "20ms"},
			want:  []string{"a arm", "a y", "a x"},
		}, {
			name:  "GST-20: infinity cancels",
			on:    on{"a 1": to("a", set(state, 20*ms, "late")), "a 2": to("a", set(state, process.Infinity, ""))},
			steps: []string{"1 2", "30ms"},
			want:  []string{"a 1", "a 2"},
		}, {
			name:  "GST-20: cancel cancels, also what does not run",
			on:    on{"a 1": to("a", set("x", 20*ms, "late")), "a 2": to("a", cancel("x"), cancel("y"), cancel(event))},
			steps: []string{"1 2", "30ms"},
			want:  []string{"a 1", "a 2"},
		}, {
			name:  "GST-20: update changes the event, not the time",
			on:    on{"a 1": to("a", set("x", 20*ms, "old")), "a 2": to("a", update("x", "new"))},
			steps: []string{"1", "10ms", "2", "9ms", "mark", "1ms"},
			want:  []string{"a 1", "a 2", "a mark", "a new"},
		}, {
			name:  "GST-20: update of what does not run is a zero time-out",
			on:    on{"a 1": to("a", update("x", "new"))},
			steps: []string{"1 mail"},
			want:  []string{"a 1", "a new", "a mail"},
		}, {
			name:  "GST-11: of several changes in one turn the last counts",
			on:    on{"a 1": to("a", set("x", 20*ms, "old"), update("x", "new"), set("y", 0, "y"), cancel("y"))},
			steps: []string{"1 mail", "30ms"},
			want:  []string{"a 1", "a new", "a mail"},
		}, {
			name:  "GST-21: zero time-outs come in order of start, after inserted events",
			on:    on{"a go": to("a", set("x", 0, "x"), set(state, 0, "s"), set("y", 0, "y"), insert("i"))},
			steps: []string{"go mail"},
			want:  []string{"a go", "a i", "a x", "a s", "a y", "a mail"},
		}, {
			name:  "GST-21: a zero event time-out is ended by an inserted event",
			on:    on{"a go": to("a", set(event, 0, "late"), insert("i"))},
			steps: []string{"go mail"},
			want:  []string{"a go", "a i", "a mail"},
		}, {
			name:  "GST-21: a change of state ends a zero state time-out",
			on:    on{"a go": to("a", set(state, 0, "s"), insert("i")), "a i": to("b")},
			steps: []string{"go mail"},
			want:  []string{"a go", "a i", "b mail"},
		}, {
			name:  "GST-21: started again it goes to the end",
			on:    on{"a go": to("a", set("x", 0, "x"), set("y", 0, "y"), insert("i")), "a i": to("a", set("x", 0, "x2"))},
			steps: []string{"go mail"},
			want:  []string{"a go", "a i", "a y", "a x2", "a mail"},
		}, {
			name: "GST-22: the message of a cancelled timer never comes, though it was in the mailbox",
			on: on{"a arm": to("a", set("x", 20*ms, "late")), "a off": to("a", cancel("x")),
				"a hold2": func(t *turn) (string, error) { time.Sleep(50 * ms); t.Cancel("x"); return "a", nil }},
			steps: []string{"arm hold2 mail", "100ms"},
			want:  []string{"a arm", "a hold2", "a mail"},
		}, {
			name:  "GST-23, as it should be: a zero time-out started again with a delay comes after the delay",
			on:    on{"a go": to("a", set("x", 0, "zero"), insert("i")), "a i": to("a", set("x", 20*ms, "late"))},
			steps: []string{"go mail", "10ms", "mark", "20ms"},
			want:  []string{"a go", "a i", "a mail", "a mark", "a late"},
		}, {
			name:  "a delay below zero is zero",
			on:    on{"a go": to("a", set("x", -time.Second, "x"))},
			steps: []string{"go mail"},
			want:  []string{"a go", "a x", "a mail"},
		},
	} {
		t.Run(r.name, r.play)
	}
}
