package processtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fake stands in for the test that processtest reports to.
type fake struct {
	testing.TB
	cleanups []func()
	failed   bool
	said     strings.Builder
}

func (f *fake) Helper()          {}
func (f *fake) Name() string     { return "fake" }
func (f *fake) Failed() bool     { return f.failed }
func (f *fake) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }
func (f *fake) Logf(format string, args ...any) {
	fmt.Fprintf(&f.said, format+"\n", args...)
}

func (f *fake) Errorf(format string, args ...any) {
	f.failed = true
	f.Logf(format, args...)
}

func (f *fake) end() {
	for _, c := range f.cleanups {
		c()
	}
}

func TestCleanEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{TB: t}
		ctx := processtest.Context(f)
		pid, err := process.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if err != nil {
			t.Fatal(err)
		}
		crash, err := process.Go(ctx, func(ctx context.Context) error { return errors.New("boom") })
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f.end()
		if f.failed || f.said.Len() != 0 {
			t.Errorf("a crash is not a failure of the test: %s", f.said.String())
		}
		if pid.Alive() || crash.Alive() || ctx.Err() == nil {
			t.Error("the node lives on after the test")
		}
	})
}

// A test whose processes do not obey fails and shows where they stand.
func TestDeafProcessFailsTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{TB: t}
		ctx := processtest.Context(f)
		if _, err := process.Go(ctx, func(ctx context.Context) error { return errors.New("boom") }); err != nil {
			t.Fatal(err)
		}
		gate := make(chan struct{})
		deaf, err := process.GoSpec(ctx, process.Spec{Name: "deaf"}, func(context.Context) error { <-gate; return nil })
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it sits in its function now
		if err := process.Kill(ctx, deaf); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		f.end()
		for _, want := range []string{"deaf", "TestDeafProcessFailsTheTest", "boom"} {
			if !f.failed || !strings.Contains(f.said.String(), want) {
				t.Errorf("failed %v, said %q; want %q in it", f.failed, f.said.String(), want)
			}
		}
		close(gate)
	})
}

func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := &processtest.Recorder{Kinds: process.Spawned | process.Exited}
		ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
		if _, err := process.Go(ctx, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(rec.Events(0)) != 2 || len(rec.Events(process.Exited)) != 1 || len(rec.Events(process.Crashed)) != 0 {
			t.Errorf("events:\n%v", rec)
		}
	})
}
