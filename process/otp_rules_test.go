package process_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

// Rules of Erlang's processes that no guarantee of ours is about, one a
// subtest. docs/otp.md says which rule is which.
func TestErlangRules(t *testing.T) {
	for name, rule := range map[string]func(*testing.T, context.Context){
		"exit signal to oneself": exitToOneself, "kill is a reason like any other": killAsReason,
		"exit signals to who traps": exitsToTrapper, "trap_exit holds from then on": trapFromThenOn,
		"links are one per pair": linkOncePerPair, "unlink leaves what is queued": unlinkLeavesQueued,
		"monitors are one each": monitorsAreOneEach, "names": rulesOfNames, "lists of processes": listsOfProcesses,
		"alive is ordered after kill": aliveAfterKill, "info": infoItems, "notes": notesOfAProcess,
		"timers": timersBehindTheMailbox, "two servers calling each other": mutualCall,
	} {
		t.Run(name, func(t *testing.T) { bubble(t, rule) })
	}
}

// In OTP exit(self(), normal) ends the caller, an irregularity that its manual
// owns up to. Here a normal exit signal ends nobody; Exit is for oneself.
func exitToOneself(t *testing.T, ctx context.Context) {
	pid := start(t, ctx, process.Spec{Unlinked: true})
	for _, reason := range []error{nil, errBoom} {
		if !pid.Alive() {
			t.Fatal("a normal exit signal ended its sender")
		}
		send(t, ctx, pid, do(func(ctx context.Context, _ *script) error { return process.SendExit(ctx, pid, reason) }))
		synctest.Wait()
	}
	wantReason(t, ctx, pid, errBoom)
}

// Only Kill kills. ErrKilled as a reason travels by links, and can be trapped.
func killAsReason(t *testing.T, ctx context.Context) {
	top, traps := start(t, ctx, process.Spec{Unlinked: true}), start(t, ctx, process.Spec{TrapExit: true, Unlinked: true})
	for _, by := range []func(context.Context, process.Target, error) error{process.SendExit, linkAndEnd(t, top)} {
		if err := by(ctx, traps, process.ErrKilled); err != nil {
			t.Error(err)
		}
	}
	synctest.Wait()
	if x := exits(kept(t, ctx, traps)); len(x) != 2 || x[0].Reason != process.ErrKilled || x[1].Reason != process.ErrKilled || x[1].From != top {
		t.Errorf("who traps got %v, want both", x)
	}
}

func linkAndEnd(t *testing.T, pid process.PID) func(context.Context, process.Target, error) error {
	return func(ctx context.Context, to process.Target, reason error) error {
		in(t, ctx, pid, func(ctx context.Context) {
			if err := process.Link(ctx, to); err != nil {
				t.Error(err)
			}
		})
		return process.Send(ctx, pid, reason)
	}
}

func exitsToTrapper(t *testing.T, ctx context.Context) {
	a, b := start(t, ctx, process.Spec{Unlinked: true}), start(t, ctx, process.Spec{TrapExit: true, Unlinked: true})
	in(t, ctx, a, func(ctx context.Context) {
		for _, reason := range []error{nil, errBoom, process.ErrShutdown} {
			if err := process.SendExit(ctx, b, reason); err != nil {
				t.Error(err)
			}
		}
	})
	x := exits(kept(t, ctx, b))
	if len(x) != 3 || x[0].Reason != nil || x[1].Reason != errBoom || x[2].Reason != process.ErrShutdown || x[0].From != a {
		t.Errorf("got %v, want all three, from %v", x, a)
	}
}

func trapFromThenOn(t *testing.T, ctx context.Context) {
	pid := start(t, ctx, process.Spec{Unlinked: true})
	in(t, ctx, pid, func(ctx context.Context) {
		if process.TrapExit(ctx, true) || !process.TrapExit(ctx, true) {
			t.Error("TrapExit does not return what was set before")
		}
	})
	for _, trap := range []bool{true, false} {
		in(t, ctx, pid, func(ctx context.Context) { process.TrapExit(ctx, trap) })
		if err := process.SendExit(ctx, pid, errBoom); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if pid.Alive() != trap {
			t.Errorf("alive: %v, trapping: %v", pid.Alive(), trap)
		}
	}
}

func linkOncePerPair(t *testing.T, ctx context.Context) {
	a, b := start(t, ctx, process.Spec{TrapExit: true, Unlinked: true}), start(t, ctx, process.Spec{Unlinked: true})
	in(t, ctx, a, func(ctx context.Context) {
		for _, to := range []process.PID{b, b, a} { // twice the other, and oneself
			if err := process.Link(ctx, to); err != nil {
				t.Error(err)
			}
		}
	})
	in(t, ctx, b, func(ctx context.Context) {
		if err := process.Link(ctx, a); err != nil {
			t.Error(err)
		}
	})
	if !a.Linked(b) || !b.Linked(a) || a.Linked(a) {
		t.Error("the links are wrong")
	}
	send(t, ctx, b, errBoom)
	synctest.Wait()
	if x := exits(kept(t, ctx, a)); len(x) != 1 {
		t.Errorf("%d exit signals, want 1", len(x))
	}
	in(t, ctx, a, func(ctx context.Context) { // to link the dead: the message, as a traps
		if err := process.Link(ctx, b); err != nil {
			t.Error(err)
		}
		process.TrapExit(ctx, false)
		if err := process.Link(ctx, b); !errors.Is(err, process.ErrNoProc) {
			t.Errorf("link to the dead by one that does not trap: %v", err)
		}
	})
	if x := exits(kept(t, ctx, a)); len(x) != 2 || x[1].Reason != process.ErrNoProc {
		t.Errorf("exit signals %v, want noproc as well", x)
	}
}

// What has arrived stays; what would arrive afterwards does not.
func unlinkLeavesQueued(t *testing.T, ctx context.Context) {
	a := start(t, ctx, process.Spec{TrapExit: true, Unlinked: true})
	early, late := start(t, ctx, process.Spec{Unlinked: true}), start(t, ctx, process.Spec{Unlinked: true})
	gate := make(chan struct{})
	send(t, ctx, a, do(func(ctx context.Context, _ *script) error {
		err := errors.Join(process.Link(ctx, early), process.Link(ctx, late))
		<-gate
		return errors.Join(err, process.Unlink(ctx, early), process.Unlink(ctx, late))
	}))
	synctest.Wait()
	send(t, ctx, early, errBoom)
	synctest.Wait()
	close(gate)
	synctest.Wait()
	send(t, ctx, late, errBoom)
	synctest.Wait()
	if x := exits(kept(t, ctx, a)); len(x) != 1 || x[0].From != early {
		t.Errorf("got %v, want that of %v only", x, early)
	}
}

func monitorsAreOneEach(t *testing.T, ctx context.Context) {
	a, other := start(t, ctx, process.Spec{Unlinked: true}), start(t, ctx, process.Spec{Unlinked: true})
	b := start(t, ctx, process.Spec{Name: "b", Unlinked: true})
	var refs []process.MonitorRef
	in(t, ctx, a, func(ctx context.Context) {
		for _, to := range []process.Target{b, process.Name("b"), b, process.Name("nobody")} {
			ref, err := process.Monitor(ctx, to, len(refs))
			if err != nil {
				t.Error(err)
			}
			refs = append(refs, ref)
		}
		if !process.Demonitor(ctx, refs[2]) || process.Demonitor(ctx, refs[2]) {
			t.Error("a monitor is taken away once")
		}
	})
	in(t, ctx, other, func(ctx context.Context) {
		if process.Demonitor(ctx, refs[0]) {
			t.Error("somebody else's monitor was taken away")
		}
	})
	send(t, ctx, b, errBoom)
	synctest.Wait()
	var got []string
	for _, d := range downs(kept(t, ctx, a)) {
		got = append(got, fmt.Sprint(d.Tag, d.Name, d.Reason))
	}
	if want := []string{"3nobodyno such process", "0boom", "1bboom"}; !slices.Equal(got, want) {
		t.Errorf("downs %q, want %q", got, want)
	}
}

func rulesOfNames(t *testing.T, ctx context.Context) {
	a, b := start(t, ctx, process.Spec{Unlinked: true}), start(t, ctx, process.Spec{Unlinked: true})
	for _, c := range []struct {
		name string
		to   process.Target
		want error
	}{{"x", a, nil}, {"x", b, process.ErrNameTaken}, {"y", a, process.ErrHasName}, {"y", b, nil}, {"z", process.Name("nobody"), process.ErrNoProc}} {
		if err := process.Register(ctx, c.name, c.to); !errors.Is(err, c.want) {
			t.Errorf("register %s: %v, want %v", c.name, err, c.want)
		}
	}
	if err := process.Register(ctx, "", start(t, ctx, process.Spec{})); err == nil {
		t.Error("the empty name was given away")
	}
	n, _ := process.NodeOf(ctx)
	if got := n.Names(); !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("names %q", got)
	}
	if pid, ok := process.Whereis(ctx, "x"); !ok || pid != a {
		t.Errorf("x is %v", pid)
	}
	if err := process.Unregister(ctx, "x"); err != nil || a.Name() != "" {
		t.Errorf("unregister: %v, still %q", err, a.Name())
	}
	if err := process.Unregister(ctx, "x"); !errors.Is(err, process.ErrNoProc) {
		t.Errorf("unregister what nobody has: %v", err)
	}
	if err := process.Stop(ctx, b, nil); err != nil {
		t.Error(err)
	}
	if err := process.Register(ctx, "z", b); !errors.Is(err, process.ErrNoProc) || len(n.Names()) != 0 {
		t.Errorf("register the dead: %v; names %q", err, n.Names())
	}
}

func listsOfProcesses(t *testing.T, ctx context.Context) {
	n, _ := process.NodeOf(ctx)
	a, b := start(t, ctx, process.Spec{Unlinked: true}), start(t, ctx, process.Spec{Unlinked: true, Grace: time.Minute})
	gate := make(chan struct{})
	send(t, ctx, b, do(func(context.Context, *script) error { <-gate; return nil }))
	synctest.Wait()
	if err := process.Kill(ctx, b); err != nil { // it is on its way out
		t.Error(err)
	}
	if got := n.Processes(); !slices.Equal(got, []process.PID{a}) {
		t.Errorf("processes %v, want %v", got, a)
	}
	if pid, ok := n.Process(a.ID()); !ok || pid != a {
		t.Errorf("number %d is %v", a.ID(), pid)
	}
	for _, id := range []uint64{0, b.ID(), 1 << 40} {
		if pid, ok := n.Process(id); ok {
			t.Errorf("number %d is %v", id, pid)
		}
	}
	close(gate)
}

func aliveAfterKill(t *testing.T, ctx context.Context) {
	for range 100 {
		pid := start(t, ctx, process.Spec{Unlinked: true})
		if err := process.Kill(ctx, pid); err != nil || pid.Alive() {
			t.Fatalf("%v alive after its kill: %v", pid, err)
		}
	}
}

func infoItems(t *testing.T, ctx context.Context) {
	top := start(t, ctx, process.Spec{Name: "top", Unlinked: true})
	var pid, helper process.PID
	in(t, ctx, top, func(ctx context.Context) { pid = start(t, ctx, process.Spec{Name: "p", Kind: "k", TrapExit: true}) })
	in(t, ctx, pid, func(ctx context.Context) {
		var err error
		if helper, err = process.Go(ctx, sitAndWait); err != nil {
			t.Error(err)
		}
		if _, err := process.Monitor(ctx, top, nil); err != nil {
			t.Error(err)
		}
	})
	in(t, ctx, top, func(ctx context.Context) {
		if _, err := process.Monitor(ctx, pid, nil); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(time.Second)
	i := pid.Info()
	if i.Name != "p" || i.Kind != "k" || !i.TrapExit || i.Status != "idle" || i.Mailbox != 0 || i.Taken != 1 || i.Age != time.Second ||
		i.Parent != top || !slices.Equal(i.Ancestors, []process.PID{top}) || i.Runs != "*process_test.script" ||
		!slices.Equal(i.Links, []process.PID{top, helper}) || !slices.Equal(i.Monitors, []process.PID{top}) || !slices.Equal(i.MonitoredBy, []process.PID{top}) {
		t.Errorf("%+v", i)
	}
	if err := process.Kill(ctx, pid); err != nil {
		t.Error(err)
	}
	synctest.Wait()
	if i := pid.Info(); i.Status != "dead" || i.Links != nil || i.Runs != "" {
		t.Errorf("of the dead: %+v", i)
	}
}

func notesOfAProcess(t *testing.T, ctx context.Context) {
	pid := start(t, ctx, process.Spec{})
	note := func(key, value string) {
		in(t, ctx, pid, func(ctx context.Context) { process.Annotate(ctx, key, value) })
	}
	note("a", "1")
	note("b", "2")
	before := pid.Info().Notes
	note("a", "3")
	note("b", "")
	note("never there", "")
	if got := pid.Info().Notes; !slices.Equal(got, []process.Note{{Key: "a", Value: "3"}}) {
		t.Errorf("notes %v", got)
	}
	if !slices.Equal(before, []process.Note{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}) {
		t.Errorf("what was looked at before has changed: %v", before)
	}
	in(t, ctx, pid, func(ctx context.Context) {
		if process.SetSensitive(ctx, true) || !process.SetSensitive(ctx, true) {
			t.Error("SetSensitive does not return what was set before")
		}
	})
	if i := pid.Info(); !i.Sensitive || len(i.Notes) != 0 {
		t.Errorf("sensitive, it shows %+v", i)
	}
}

// A timer without delay comes behind what is in the mailbox; one that was
// stopped does not come, even if it is in the mailbox.
func timersBehindTheMailbox(t *testing.T, ctx context.Context) {
	pid := start(t, ctx, process.Spec{})
	send(t, ctx, pid, do(func(ctx context.Context, _ *script) error {
		err := process.SendSelf(ctx, 1)
		process.After(ctx, 0, 2)
		late := process.After(ctx, 0, "never")
		err = errors.Join(err, process.SendSelf(ctx, 3))
		if !late.Stop() || late.Stop() {
			t.Error("a timer is stopped once")
		}
		return err
	}))
	synctest.Wait()
	if got := kept(t, ctx, pid); !slices.Equal(got, []any{1, 2, 3}) {
		t.Errorf("got %v, want 1 2 3", got)
	}
}

// Two that call each other wait until a time-out, as in OTP; nobody hangs.
func mutualCall(t *testing.T, ctx context.Context) {
	a, b := start(t, ctx, process.Spec{}), start(t, ctx, process.Spec{})
	var errs [2]error
	call := func(to process.PID, err *error) do {
		return func(ctx context.Context, _ *script) error {
			time.Sleep(time.Second) // both are in their handlers now
			*err = process.Do(ctx, to, &take{})
			return nil
		}
	}
	send(t, ctx, a, call(b, &errs[0]))
	send(t, ctx, b, call(a, &errs[1]))
	time.Sleep(time.Minute)
	synctest.Wait()
	if !errors.Is(errs[0], process.ErrTimeout) && !errors.Is(errs[1], process.ErrTimeout) || !a.Alive() || !b.Alive() {
		t.Errorf("they were told %v and %v", errs[0], errs[1])
	}
}
