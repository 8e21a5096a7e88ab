package system_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/process/system"
)

// TestSysSUITE asserts what the cases of OTP's sys_SUITE assert.
func TestSysSUITE(t *testing.T) {
	for name, f := range map[string]func(*testing.T, context.Context){
		"log": suiteLog, "log_to_file": suiteLogToFile, "stats": suiteStats, "trace": suiteTrace,
		"suspend": suiteSuspend, "install": suiteInstall, "special_process": suiteSpecial,
	} {
		t.Run(name, func(t *testing.T) { bubble(t, f) })
	}
}

func public(t *testing.T, ctx context.Context) server.Ref[Stock] {
	return stock(t, ctx, server.Spec[Stock]{Name: "public"})
}

func add(t *testing.T, ctx context.Context, s server.Ref[Stock], n int) {
	t.Helper()
	_, err := server.Call(ctx, s, Add{"nails", n})
	ok(t, err)
}

func suiteLog(t *testing.T, ctx context.Context) {
	s := public(t, ctx)
	ok(t, system.SetLog(ctx, s, 10))
	add(t, ctx, s, -44)
	ok(t, server.Cast(ctx, s, Note{"x"}))
	ok(t, process.Send(ctx, s.PID(), "a stray message"))
	synctest.Wait()
	all, err := system.Log(ctx, s)
	ok(t, err)
	var lines []string
	for _, e := range all {
		if e.Time.IsZero() || e.PID != s.PID() {
			t.Errorf("event %+v: when, and whose?", e)
		}
		lines = append(lines, system.Format(e))
	}
	want := []string{`public got system_test.Add{What:"nails" N:-44}`, "public sent -37", `public got system_test.Note{Text:"x"}`, `public got "a stray message"`}
	if !slices.Equal(lines, want) {
		t.Errorf("log %q, want %q", lines, want)
	}
	ok(t, system.SetLog(ctx, s, 0))
	if all, err := system.Log(ctx, s); len(all) != 0 || err != nil {
		t.Errorf("log that is off: %v, %v", all, err)
	}
}

// twoLines are what one call shows.
const twoLines = `public got system_test.Add{What:"nails" N:-44}` + "\npublic sent -37\n"

func suiteLogToFile(t *testing.T, ctx context.Context) {
	s := public(t, ctx)
	path := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	ok(t, system.Trace(ctx, s, file))
	add(t, ctx, s, -44)
	ok(t, system.Trace(ctx, s, nil))
	add(t, ctx, s, 1)
	ok(t, file.Close())
	got, err := os.ReadFile(path)
	if want := twoLines; string(got) != want || err != nil {
		t.Errorf("file %q, %v; want %q", got, err, want)
	}
}

func suiteStats(t *testing.T, ctx context.Context) {
	s := public(t, ctx)
	if _, on, err := system.Statistics(ctx, s); on || err != nil {
		t.Errorf("before it was switched on: %v, %v", on, err)
	}
	add(t, ctx, s, 1)
	ok(t, system.SetStatistics(ctx, s, true))
	add(t, ctx, s, -44)
	want := func(in, out int) {
		t.Helper()
		c, on, err := system.Statistics(ctx, s)
		if !on || err != nil || c.In != in || c.Out != out || c.Since.IsZero() {
			t.Errorf("statistics %+v (%v, %v), want %d in and %d out", c, on, err, in, out)
		}
	}
	want(1, 1)
	// System requests are not counted, and answers that come later are not the
	// handler's.
	var later server.Reply[int]
	ok(t, server.Cast(ctx, s, Note{}))
	go server.Call(ctx, s, Later{&later}) //nolint:errcheck // answered below
	synctest.Wait()
	later.Send(1, nil)
	want(3, 1)
	ok(t, system.SetStatistics(ctx, s, false))
	if _, on, err := system.Statistics(ctx, s); on || err != nil {
		t.Errorf("switched off: %v, %v", on, err)
	}
}

func suiteTrace(t *testing.T, ctx context.Context) {
	s := public(t, ctx)
	var out bytes.Buffer
	ok(t, system.Trace(ctx, s, &out))
	r, err := system.Status(ctx, s)
	if err != nil || !slices.Equal(r.Watching, []string{"trace"}) {
		t.Errorf("watching %q, %v", r.Watching, err)
	}
	add(t, ctx, s, -44)
	if want := twoLines; out.String() != want {
		t.Errorf("trace %q, want %q", out.String(), want)
	}
	ok(t, system.Trace(ctx, s, nil))
	add(t, ctx, s, 1)
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want none after the end", n)
	}
}

func suiteSuspend(t *testing.T, ctx context.Context) {
	s := public(t, ctx)
	call := func() error { _, err := server.Call(ctx, s, Add{"nails", 1}); return err }
	status := func() string {
		r, err := system.Status(ctx, s)
		ok(t, err)
		return r.Status
	}
	ok(t, system.Suspend(ctx, s))
	if err := call(); !errors.Is(err, process.ErrTimeout) {
		t.Errorf("call of one that is suspended: %v", err)
	}
	if got := status(); got != "suspended" {
		t.Errorf("status %q", got)
	}
	ok(t, system.Suspend(ctx, s))
	if err := call(); !errors.Is(err, process.ErrTimeout) {
		t.Errorf("call of one that is suspended twice: %v", err)
	}
	ok(t, system.Resume(ctx, s))
	ok(t, call())
	ok(t, system.Resume(ctx, s))
	ok(t, call())
	if got := status(); got != "running" {
		t.Errorf("status %q", got)
	}
	// The two calls that timed out were handled all the same.
	if n, err := system.Look(ctx, s, func(s Stock) (int, error) { return s.count["nails"], nil }); n != 7+4 || err != nil {
		t.Errorf("%d nails, %v", n, err)
	}
}

func suiteInstall(t *testing.T, ctx context.Context) {
	s := public(t, ctx)
	var seen []string
	f := func(id string) func(process.Event) bool {
		return func(e process.Event) bool {
			if e.Kind == process.Received {
				seen = append(seen, id+" "+process.Format(e.Msg))
			}
			return false
		}
	}
	want := func(want ...string) {
		t.Helper()
		ok(t, server.Cast(ctx, s, Note{"n"}))
		synctest.Wait()
		if !slices.Equal(seen, want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
		seen = nil
	}
	ok(t, system.Install(ctx, s, "a", f("a")))
	if err := system.Install(ctx, s, "a", f("a again")); !errors.Is(err, system.ErrInstalled) {
		t.Errorf("installed twice: %v", err)
	}
	want(`a system_test.Note{Text:"n"}`)
	ok(t, system.Install(ctx, s, "b", f("b"))) // others may be there under other ids
	want(`a system_test.Note{Text:"n"}`, `b system_test.Note{Text:"n"}`)
	if was, err := system.Remove(ctx, s, "a"); !was || err != nil {
		t.Errorf("remove: %v, %v", was, err)
	}
	if was, err := system.Remove(ctx, s, "a"); was || err != nil {
		t.Errorf("removed twice: %v, %v", was, err)
	}
	want(`b system_test.Note{Text:"n"}`)
	ok(t, system.SetLog(ctx, s, 3))
	ok(t, system.SetStatistics(ctx, s, true))
	if r, err := system.Status(ctx, s); err != nil || !slices.Equal(r.Watching, []string{"log 3", "statistics", "b"}) {
		t.Errorf("watching %q, %v", r.Watching, err)
	}
	ok(t, system.NoDebug(ctx, s))
	want()
	if r, err := system.Status(ctx, s); err != nil || len(r.Watching) != 0 {
		t.Errorf("after NoDebug: watching %q, %v", r.Watching, err)
	}
	contains(t, system.Install(ctx, s, "nil", nil), "no function")
}

// special is a behaviour written by hand (OTP: a special process).
type special struct {
	state string
	probe process.Probe
}

func (s *special) Init(context.Context) error { return nil }

func (s *special) Handle(ctx context.Context, msg any) error {
	if s.probe != nil {
		s.probe.Event(process.Event{Kind: process.Received, PID: process.Self(ctx), Msg: msg})
	}
	return nil
}

func (s *special) Terminate(context.Context, error) error { return nil }

func (s *special) SystemState() any {
	if s.state == "fail" {
		panic("fail")
	}
	v := s.state
	return &v
}

func (s *special) SetSystemState(v any) error {
	if *v.(*string) == "refused" {
		return errBoom
	}
	s.state = *v.(*string)
	return nil
}

func (s *special) SystemProbe() *process.Probe { return &s.probe }

func suiteSpecial(t *testing.T, ctx context.Context) {
	pid, err := process.Start(ctx, process.Spec{Behaviour: &special{state: "initial"}})
	ok(t, err)
	state := func(want string) {
		t.Helper()
		if got, err := system.State[string](ctx, pid); got != want || err != nil {
			t.Errorf("state %q, %v; want %q", got, err, want)
		}
	}
	replace := func(f func(string) (string, error)) (string, error) { return system.ReplaceState(ctx, pid, f) }
	state("initial")
	if got, err := replace(func(string) (string, error) { return "replaced", nil }); got != "replaced" || err != nil {
		t.Errorf("replaced by %q, %v", got, err)
	}
	state("replaced")
	if _, err := replace(func(string) (string, error) { panic(errBoom) }); !errors.Is(err, errBoom) {
		t.Errorf("a function that panics: %v", err)
	}
	if _, err := replace(func(string) (string, error) { return "refused", nil }); err != errBoom {
		t.Errorf("a state that the behaviour refuses: %v", err)
	}
	state("replaced")
	ok(t, system.SetLog(ctx, pid, 10))
	ok(t, process.Send(ctx, pid, "hullo"))
	synctest.Wait()
	if all, err := system.Log(ctx, pid); len(all) != 1 || all[0].Msg != "hullo" || err != nil {
		t.Errorf("log %+v, %v", all, err)
	}
	_, err = replace(func(string) (string, error) { return "fail", nil })
	ok(t, err)
	_, err = system.State[string](ctx, pid)
	contains(t, err, "panic: fail") // of the behaviour, not of ours; and the process lives
	ok(t, system.Terminate(ctx, pid, errBoom))
	if reason, err := process.Wait(ctx, pid); reason != errBoom || err != nil {
		t.Errorf("ended with %v, %v", reason, err)
	}
}
