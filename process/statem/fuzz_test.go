package statem_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/statem"
	"github.com/coppice-go/coppice/process/system"
)

// FuzzMachine sends random events to random machines, and wants them never
// stuck and never silent: one that lives answers; one that does not has said
// why, to those who waited at once and to the log unless the end was clean; and
// nothing that was sent is lost.
func FuzzMachine(f *testing.F) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		program := make([]byte, 1000)
		for i := range program {
			program[i] = byte(r.Uint32())
		}
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		synctest.Test(t, func(t *testing.T) { playFuzz(t, program) })
	})
}

// A dice gives what a program asks for, and zeros when it is used up.
type dice []byte

func (d *dice) roll(sides int) int {
	if len(*d) == 0 {
		return 0
	}
	n := int((*d)[0]) % sides
	*d = (*d)[1:]
	return n
}

// fuel is how many turns a machine has before it calms down: one may insert, or
// repeat, for ever.
const fuel = 300

// A fuzzed machine decides by dice what to do about an event.
type fuzzed struct {
	dice
	turns   int
	handled map[int]int // by number: how often an event was handled
	aside   map[int]int // of those postponed: after how many changes of state
	changes int
	lost    []int // those that did not come back before newer ones
	kept    []statem.Reply[int]
}

type fuzzEvent struct {
	n    int  // its number; 0: it was made by the machine
	ping bool // answered in every state
	statem.Reply[int]
}

type fuzzTurn = statem.Turn[fuzzEvent]

func (e fuzzEvent) With(r statem.Reply[int]) fuzzEvent { e.Reply = r; return e }

func (m *fuzzed) on(state string, t *fuzzTurn, ev fuzzEvent) (string, error) {
	m.came(ev.n)
	if ev.ping {
		t.Reply(ev.Answer(ev.n))
		return state, nil
	}
	if m.turns++; m.turns > fuel {
		return state, nil
	}
	switch m.roll(4) {
	case 0:
		t.Reply(ev.Answer(ev.n))
	case 1:
		m.kept = append(m.kept, ev.Reply)
	case 2:
		for _, r := range m.kept {
			t.Reply(r.Answer(ev.n))
		}
	}
	m.ask(t, true)
	next := [...]string{state, state, "a", "b", "c"}[m.roll(5)]
	switch m.roll(256) {
	case 1:
		return next, errBoom
	case 2:
		panic(errBoom)
	case 3:
		return next, statem.Stop(nil)
	case 4:
		return "nowhere", nil
	case 5:
		process.Exit(t.Context(), process.Shutdown(errBoom))
	case 6, 7, 8, 9, 10, 11, 12, 13, 14, 15:
		t.Repeat()
		return state, nil
	}
	if m.roll(3) == 1 {
		t.Postpone()
		m.aside[ev.n] = m.changes
	}
	return next, nil
}

// came notes that an event is handled. One from the mailbox comes only after
// all that were postponed in an earlier state.
func (m *fuzzed) came(n int) {
	delete(m.aside, n)
	m.handled[n]++
	if n == 0 || m.handled[n] > 1 {
		return
	}
	for other, changes := range m.aside {
		if other != 0 && changes < m.changes {
			m.lost = append(m.lost, other)
		}
	}
}

func (m *fuzzed) enter(t *fuzzTurn, state, from string) error {
	if state != from {
		m.changes++
	}
	m.turns++
	m.ask(t, false)
	if m.roll(8) == 1 && m.turns < fuel {
		t.Repeat()
	}
	if m.roll(256) == 1 {
		return errBoom
	}
	return nil
}

// ask asks for inserted events and time-outs.
func (m *fuzzed) ask(t *fuzzTurn, mayInsert bool) {
	for mayInsert && m.roll(4) == 1 && m.turns < fuel {
		m.turns++
		t.Insert(fuzzEvent{})
	}
	for range m.roll(3) {
		which := [...]statem.Timeout{event, state, "x", "y"}[m.roll(4)]
		switch m.roll(6) {
		case 0:
			t.Cancel(which)
		case 1:
			t.Update(which, fuzzEvent{})
		case 2:
			t.TimeoutAt(which, time.Now().Add(time.Duration(m.roll(10)-2)*ms), fuzzEvent{})
		case 3:
			t.Timeout(which, 0, fuzzEvent{})
		default:
			t.Timeout(which, time.Duration(m.roll(10))*ms, fuzzEvent{})
		}
	}
}

// start starts the machine. Its states all lead to each other; c has a time
// limit.
func (m *fuzzed) start(ctx context.Context) (statem.Ref[fuzzEvent], error) {
	sp := statem.Spec[string, fuzzEvent, fuzzed]{
		First: []string{"a"}, TrapExit: true,
		Init:   func(t *fuzzTurn) (string, *fuzzed, error) { m.ask(t, true); return "a", m, nil },
		States: map[string]statem.State[string, fuzzEvent, fuzzed]{},
		Exit:   func(process.ExitSignal) fuzzEvent { return fuzzEvent{} },
	}
	for _, state := range []string{"a", "b", "c"} {
		row := statem.State[string, fuzzEvent, fuzzed]{
			On:    func(m *fuzzed, t *fuzzTurn, ev fuzzEvent) (string, error) { return m.on(state, t, ev) },
			Enter: func(m *fuzzed, t *fuzzTurn, from string) error { return m.enter(t, state, from) },
			To:    []string{"a", "b", "c"},
		}
		if state == "c" {
			row.Timeout = 5 * ms
			row.Expired = func(m *fuzzed, t *fuzzTurn) (string, error) { m.ask(t, true); return "a", nil }
		}
		sp.States[state] = row
	}
	return statem.Must(statem.New(sp)).Start(ctx)
}

func playFuzz(t *testing.T, program []byte) {
	reports := &processtest.Recorder{}
	ctx := processtest.Node(t, process.NodeSpec{Probe: reports})
	m := &fuzzed{dice: program, handled: map[int]int{}, aside: map[int]int{}}
	mail := dice(program[len(program)/2:])
	ref, err := m.start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sent, calls, answers := 0, 0, make(chan error, 100)
	for range 1 + mail.roll(20) {
		sent++
		switch ev := (fuzzEvent{n: sent}); mail.roll(4) {
		case 0:
			calls++
			spawn(ctx, t, func(ctx context.Context) error { answers <- fuzzCall(ctx, ref, ev); return nil })
			synctest.Wait()
		case 1:
			ref.Cast(ctx, ev)
			time.Sleep(time.Duration(mail.roll(12)) * ms)
		default:
			ref.Cast(ctx, ev)
		}
	}
	time.Sleep(time.Minute) // all time-outs have fired, all who called have given up
	synctest.Wait()
	if len(answers) != calls {
		t.Fatalf("%d calls have ended, of %d", len(answers), calls)
	}
	for range calls {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	crashed := len(reports.Events(process.Crashed))
	if other := reports.Events(process.Warned | process.Abandoned); len(other) > 0 {
		t.Errorf("reported besides: %v", other)
	}
	if len(m.lost) > 0 {
		t.Errorf("postponed and not retried: %v", m.lost)
	}
	if !ref.PID().Alive() {
		reason, _ := process.Wait(ctx, ref)
		var panicked *process.PanicError
		if loud := !process.Clean(reason) || errors.As(reason, &panicked); (crashed == 1) != loud {
			t.Errorf("it ended with %v, and %d crashes were reported", reason, crashed)
		}
		return
	}
	if crashed > 0 {
		t.Errorf("%d crashes were reported of a machine that lives", crashed)
	}
	if _, err := statem.Call(ctx, ref, fuzzEvent{n: sent + 1, ping: true}); err != nil {
		t.Errorf("it lives, and does not answer: %v", err)
	}
	for n := 1; n <= sent; n++ {
		if m.handled[n] == 0 {
			t.Errorf("event %d of %d was lost", n, sent)
		}
	}
	synctest.Wait()
	if status := ref.PID().Info().Status; status != "idle" {
		t.Errorf("it is %s and has nothing to do", status)
	}
	shown, err := system.Status(ctx, ref)
	if err != nil || !slices.Contains(shown.Fields, system.Field{Key: "timeouts", Value: "[]"}) {
		t.Errorf("time-outs that have not come: %v, %v", shown.Fields, err)
	}
}

// fuzzCall calls, and says what is wrong about the answer: it must be one, or
// the end of the machine at once, or the time-out of the call.
func fuzzCall(ctx context.Context, ref statem.Ref[fuzzEvent], ev fuzzEvent) error {
	_, err := statem.Call(ctx, ref, ev)
	var exit *process.ExitError
	switch {
	case err == nil, errors.Is(err, process.ErrTimeout) && ref.PID().Alive():
		return nil
	case errors.As(err, &exit) && !ref.PID().Alive():
		return nil
	}
	return fmt.Errorf("call %d: %w", ev.n, err)
}
