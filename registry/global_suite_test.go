package registry_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/registry"
)

// The cases of OTP's own suite for global that make sense on one node, under
// their names there.
func TestGlobalSUITE(t *testing.T) {
	for name, c := range map[string]func(*testing.T, context.Context){
		"names":            globalNames,
		"locks":            globalLocks,
		"bad_input":        globalBadInput,
		"lock_die":         globalLockDie,
		"name_die":         globalNameDie,
		"otp_1849":         globalOTP1849,
		"otp_5640":         globalOTP5640,
		"otp_5737":         globalOTP5737,
		"re_register_name": globalReRegisterName,
		"name_exit":        globalNameExit,
		"mass_death":       globalMassDeath,
		"garbage_messages": globalGarbageMessages,
	} {
		t.Run(name, func(t *testing.T) { bubble(t, c) })
	}
}

// chief is a name for any process that takes orders.
var chief = registry.NewKey[process.Ref[order]]("chief")

func wantChief(t *testing.T, ctx context.Context, want *agent) {
	t.Helper()
	got, err := chief.Ref(ctx)
	if want == nil && !errors.Is(err, process.ErrNoProc) || want != nil && (err != nil || got != want.ref) {
		t.Errorf("the name leads to %v (%v)", got, err)
	}
}

func globalNames(t *testing.T, ctx context.Context) {
	a, b := newAgent(t, ctx), newAgent(t, ctx)
	wantChief(t, ctx, nil)
	must(t, chief.Register(ctx, a.ref))
	wantChief(t, ctx, a)
	wantErr(t, chief.Register(ctx, b.ref), process.ErrNameTaken)
	wantChief(t, ctx, a)
	must(t, chief.Reregister(ctx, b.ref))
	wantChief(t, ctx, b)
	to, err := chief.Ref(ctx)
	must(t, err)
	must(t, to.Send(ctx, order{heard: "hello"}))
	b.wants(t, ctx, "hello")
	must(t, chief.Unregister(ctx))
	wantChief(t, ctx, nil)
	wantErr(t, chief.Unregister(ctx), process.ErrNoProc)
	must(t, chief.Register(ctx, a.ref))
	a.end(t, ctx)
	wantChief(t, ctx, nil)
}

func globalLocks(t *testing.T, ctx context.Context) {
	startLocks(t, ctx)
	a, b, c := newAgent(t, ctx), newAgent(t, ctx), newAgent(t, ctx)
	tryLock(t, ctx, a, true)
	tryLock(t, ctx, b, false)
	unlock(t, ctx, b, registry.ErrNotHeld)
	unlock(t, ctx, a, nil)
	tryLock(t, ctx, b, true)
	must(t, c.ref.Send(ctx, order{do: func(ctx context.Context) error { return files.Lock(ctx, "f") }})) // tries until it has it
	synctest.Wait()
	b.end(t, ctx)
	synctest.Wait()
	tryLock(t, ctx, a, false)
	unlock(t, ctx, c, nil)
	tryLock(t, ctx, a, true)
}

func globalBadInput(t *testing.T, ctx context.Context) {
	locks := startLocks(t, ctx)
	a := newAgent(t, ctx)
	wantErr(t, chief.Register(ctx, process.PID{}), process.ErrNoProc)
	wantErr(t, chief.Register(ctx, process.Name("nobody")), process.ErrNoProc)
	if err := registry.NewKey[process.PID]("").Register(ctx, a.ref); err == nil {
		t.Error("an empty name: no error")
	}
	wantErr(t, chief.Register(context.Background(), a.ref), process.ErrNoNode)
	wantErr(t, files.Unlock(ctx, "f"), process.ErrNoSelf)
	unlock(t, ctx, a, registry.ErrNotHeld)
	if !locks.Alive() {
		t.Error("the locks have ended")
	}
}

func globalLockDie(t *testing.T, ctx context.Context) {
	startLocks(t, ctx)
	a, b := newAgent(t, ctx), newAgent(t, ctx)
	tryLock(t, ctx, a, true)
	tryLock(t, ctx, a, true)
	must(t, process.Kill(ctx, a.ref))
	_, err := process.Wait(ctx, a.ref)
	must(t, err)
	tryLock(t, ctx, b, true)
}

func globalNameDie(t *testing.T, ctx context.Context) {
	for range 10 {
		a := newAgent(t, ctx)
		must(t, chief.Register(ctx, a.ref))
		must(t, process.Kill(ctx, a.ref))
		_, err := process.Wait(ctx, a.ref)
		must(t, err)
		wantChief(t, ctx, nil)
	}
}

// In OTP several processes may share a lock, as one requester; ours is the
// process. What it has locked several times it gives back as often.
func globalOTP1849(t *testing.T, ctx context.Context) {
	startLocks(t, ctx)
	a, b := newAgent(t, ctx), newAgent(t, ctx)
	for range 3 {
		tryLock(t, ctx, a, true)
	}
	for range 3 {
		tryLock(t, ctx, b, false)
		unlock(t, ctx, a, nil)
	}
	unlock(t, ctx, a, registry.ErrNotHeld)
	tryLock(t, ctx, b, true)
}

func globalOTP5640(t *testing.T, ctx context.Context) {
	a := newAgent(t, ctx)
	must(t, chief.Register(ctx, a.ref))
	other := registry.NewKey[process.PID]("other")
	wantErr(t, other.Register(ctx, a.ref), process.ErrHasName)
	wantErr(t, other.Reregister(ctx, a.ref), process.ErrHasName)
	must(t, chief.Unregister(ctx))
	must(t, other.Register(ctx, a.ref))
}

// Retries of 0 are TryLock; a number of others is a deadline.
func globalOTP5737(t *testing.T, ctx context.Context) {
	startLocks(t, ctx)
	a, b := newAgent(t, ctx), newAgent(t, ctx)
	tryLock(t, ctx, a, true)
	tryLock(t, ctx, b, false)
	b.must(t, ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		ran := false
		wantErr(t, files.Do(ctx, "f", func() error { ran = true; return nil }), context.DeadlineExceeded)
		if ran {
			t.Error("what was to be done with the lock was done without")
		}
		return nil
	})
	unlock(t, ctx, a, nil)
	tryLock(t, ctx, b, true)
}

func globalReRegisterName(t *testing.T, ctx context.Context) {
	a, b := newAgent(t, ctx), newAgent(t, ctx)
	must(t, chief.Register(ctx, a.ref))
	must(t, chief.Reregister(ctx, b.ref))
	a.end(t, ctx) // it has nothing to do with the name any more
	wantChief(t, ctx, b)
	b.end(t, ctx)
	wantChief(t, ctx, nil)
}

func globalNameExit(t *testing.T, ctx context.Context) {
	for _, reason := range []error{nil, process.ErrShutdown, errors.New("boom")} {
		a := newAgent(t, ctx)
		must(t, chief.Register(ctx, a.ref))
		must(t, a.ref.Send(ctx, order{do: func(ctx context.Context) error { process.Exit(ctx, reason); return nil }}))
		_, err := process.Wait(ctx, a.ref)
		must(t, err)
		wantChief(t, ctx, nil)
	}
}

func globalMassDeath(t *testing.T, ctx context.Context) {
	n, err := process.NodeOf(ctx)
	must(t, err)
	var all []process.PID
	for i := range 500 {
		a := newAgent(t, ctx)
		must(t, process.Register(ctx, "agent "+string(rune(0x4e00+i)), a.ref))
		all = append(all, a.pid())
	}
	if got := len(n.Names()); got != len(all) {
		t.Errorf("%d names, want %d", got, len(all))
	}
	for _, pid := range all {
		must(t, process.Kill(ctx, pid))
	}
	synctest.Wait()
	if got := n.Names(); len(got) != 0 {
		t.Errorf("names of the dead: %q", got)
	}
}

func globalGarbageMessages(t *testing.T, _ context.Context) {
	rec := &processtest.Recorder{}
	ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
	pids := []process.PID{startLocks(t, ctx), startRegistry(t, ctx, seats), startScope(t, ctx)}
	for _, pid := range pids {
		must(t, process.Send(ctx, pid, "garbage"))
	}
	synctest.Wait()
	if slices.ContainsFunc(pids, func(pid process.PID) bool { return !pid.Alive() }) {
		t.Error("garbage has ended one")
	}
	if n := len(rec.Events(process.Warned)); n != len(pids) {
		t.Errorf("%d warnings, want %d", n, len(pids))
	}
}
