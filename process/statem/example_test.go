package statem_test

import (
	"fmt"
	"log"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// The states of a door, and what may happen to it.

type doorState int

const (
	locked doorState = iota
	open
)

func (s doorState) String() string { return [...]string{"locked", "open"}[s] }

type doorEvent interface{ doorEvent() }

type (
	code   string                      // somebody enters a code
	push   struct{}                    // somebody leans on the door
	visits struct{ statem.Reply[int] } // how many people went through?
)

func (code) doorEvent()   {}
func (push) doorEvent()   {}
func (visits) doorEvent() {}

// With makes visits a request that is answered with an int.
func (v visits) With(r statem.Reply[int]) doorEvent { v.Reply = r; return v }

// A lock is what the process of a door keeps.
type lock struct {
	code    code
	through int
}

type doorTurn = statem.Turn[doorEvent]

func newLock(*doorTurn) (doorState, *lock, error) { return locked, &lock{code: "42"}, nil }

func (l *lock) onLocked(t *doorTurn, ev doorEvent) (doorState, error) {
	switch ev := ev.(type) {
	case code:
		if ev == l.code {
			return open, nil
		}
	case push:
		t.Postpone() // until the door is open
	case visits:
		t.Reply(ev.Answer(l.through))
	}
	return locked, nil
}

func (l *lock) onOpen(t *doorTurn, ev doorEvent) (doorState, error) {
	switch ev := ev.(type) {
	case push:
		l.through++
	case visits:
		t.Reply(ev.Answer(l.through))
	}
	return open, nil
}

func (l *lock) fallShut(*doorTurn) (doorState, error) { return locked, nil }

var door = statem.Must(statem.New(statem.Spec[doorState, doorEvent, lock]{
	Init: newLock,
	States: map[doorState]statem.State[doorState, doorEvent, lock]{
		locked: {On: (*lock).onLocked, To: []doorState{open}},
		open:   {On: (*lock).onOpen, To: []doorState{locked}, Timeout: 10 * time.Second, Expired: (*lock).fallShut},
	},
}))

func Example() {
	node := process.NewNode(process.NodeSpec{Name: "example"})
	ctx := node.Context()
	defer node.Stop(ctx)

	d, err := door.Start(ctx)
	if err != nil {
		log.Fatal(err)
	}
	d.Cast(ctx, push{}) // waits for the door to open
	d.Cast(ctx, code("42"))
	n, err := statem.Call(ctx, d, visits{})
	fmt.Println(n, err)
	// Output: 1 <nil>
}

// A handler is a function of its arguments: the zero Turn takes what it asks
// for, and no process is needed.
func ExampleTurn() {
	l := &lock{code: "42"}
	var t doorTurn
	next, err := l.onLocked(&t, push{})
	fmt.Println(next, err, t.Effects().Postponed)

	t = doorTurn{}
	next, err = l.onLocked(&t, visits{})
	fmt.Println(next, err, t.Effects().Replies[0].Value)
	// Output:
	// locked <nil> true
	// locked <nil> 0
}

func ExampleMachine_Mermaid() {
	fmt.Print(door.Mermaid())
	// Output:
	// stateDiagram-v2
	//     [*] --> s0
	//     s0 --> s1
	//     s1 --> s0
	//     s0 : locked
	//     s1 : open
	//     note right of s1 : at most 10s
}

// All faults of a table are named at once.
func ExampleNew() {
	_, err := statem.New(statem.Spec[string, int, struct{}]{
		First: []string{"idle"},
		States: map[string]statem.State[string, int, struct{}]{
			"idle": {To: []string{"bussy"}},
			"busy": {On: stay, Timeout: time.Second},
		},
	})
	fmt.Println(err)
	// Output:
	// statem: machine of struct {}:
	// state busy is never reached: no first state leads to it
	// state busy: Timeout has nobody to take it: set Expired
	// state idle: On is missing: nobody would take its events
	// state idle: To lists bussy, which is not in the table
}

func stay(*struct{}, *statem.Turn[int], int) (string, error) { return "busy", nil }
