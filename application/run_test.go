package application

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/trace"
)

// A runKit is Run under test: its signals, and where its result will be.
type runKit struct {
	*kit
	signals chan os.Signal
	output  bytes.Buffer
	options Options
	result  chan error
}

func inRun(t *testing.T, f func(r *runKit)) {
	synctest.Test(t, func(t *testing.T) {
		r := &runKit{kit: &kit{T: t}, signals: make(chan os.Signal, 2), result: make(chan error, 1)}
		r.options = Options{Node: process.NodeSpec{Probe: r.kit}, Signals: r.signals, Output: &r.output}
		r.options.Ready = func(ctx context.Context) { r.log("ready"); r.ctx = ctx }
		f(r)
		synctest.Wait()
	})
}

// run starts Run and waits until it does nothing any more.
func (r *runKit) run(ctx context.Context, apps ...*App) {
	go func() { r.result <- Run(ctx, r.options, apps...) }()
	synctest.Wait()
}

// ending waits for the result and checks how the run has ended.
func (r *runKit) ending(want Ending, text string) {
	r.Helper()
	err := <-r.result
	run, _ := errors.AsType[*RunError](err)
	if run == nil || run.Ending != want || !strings.Contains(err.Error(), text) || ExitCode(err) != int(want) {
		r.Errorf("Run = %v, want %v saying %q", err, want, text)
	}
}

func (r *runKit) clean() {
	r.Helper()
	if err := <-r.result; err != nil || ExitCode(err) != 0 {
		r.Errorf("Run = %v, want a clean end", err)
	}
}

func TestRun(t *testing.T) {
	inRun(t, func(r *runKit) {
		a := r.app("a")
		b := r.app("b", a)
		r.run(r.Context(), b)
		r.want("in order", "a.start b.start ready")
		r.signals <- syscall.SIGTERM
		r.clean()
		r.want("in reverse", `b.prep_stop b_top.down(shutdown) b.stop b:exited(stopped,permanent)+down
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,permanent)+down`)
	})
}

func TestRunUntilItsContextEnds(t *testing.T) {
	inRun(t, func(r *runKit) {
		ctx, cancel := context.WithCancel(r.Context())
		r.run(ctx, r.app("a"))
		cancel()
		r.clean()
		r.want("", "a.start ready a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,permanent)+down")
	})
}

func TestRunOfNothing(t *testing.T) {
	inRun(t, func(r *runKit) {
		r.run(r.Context())
		r.signals <- os.Interrupt
		r.clean()
	})
}

func TestRunFailedStart(t *testing.T) {
	inRun(t, func(r *runKit) {
		a := r.app("a")
		b := r.app("b", a)
		b.Start = func(context.Context) (process.PID, error) { return process.PID{}, errBoom }
		r.run(r.Context(), b)
		r.ending(FailedStart, "b, which is permanent, did not start: application: b: Start: boom")
		r.want("what has started is stopped", `a.start b:exited(application: b: Start: boom,permanent) b:node goes down
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,permanent)+down`)
	})
}

func TestRunTemporaryFailedStart(t *testing.T) {
	inRun(t, func(r *runKit) {
		r.options.Type = Temporary
		a := r.app("a")
		a.Start = func(context.Context) (process.PID, error) { return process.PID{}, errBoom }
		r.run(r.Context(), a)
		r.ending(FailedStart, "a: Start: boom")
	})
}

// All that is wrong is found before anything runs.
func TestRunChecksEverythingFirst(t *testing.T) {
	inRun(t, func(r *runKit) {
		port := &Var[int]{Name: "port"}
		a := r.app("a")
		b := r.app("b", a)
		c := r.app("c", b)
		a.Env, b.Env = []Setting{port}, []Setting{port}
		r.options.Config.Environ = []string{"A_PORT=many", "B_PORT=few"}
		r.run(r.Context(), c)
		err := <-r.result
		for _, want := range []string{"A_PORT: a.port", "B_PORT: b.port"} {
			if err == nil || ExitCode(err) != int(FailedStart) || !strings.Contains(err.Error(), want) {
				t.Errorf("Run = %v, want a failed start that names %s", err, want)
			}
		}
		r.want("nothing was started", "")
	})
}

func TestRunApplicationEnds(t *testing.T) {
	inRun(t, func(r *runKit) {
		a := r.app("a")
		r.run(r.Context(), r.app("b", a))
		r.set(func() { r.journal = nil })
		r.ok(process.Send(r.ctx, r.pid("a_top"), errBoom))
		r.ending(AppEnded, "a, which is permanent, has ended: boom")
		r.want("", `a_top.down(boom) a.prep_stop a.stop a:exited(boom,permanent) a:node goes down
			b.prep_stop b_top.down(shutdown) b.stop b:exited(stopped,permanent)+down`)
	})
}

func TestRunUncleanStop(t *testing.T) {
	inRun(t, func(r *runKit) {
		a := r.app("a")
		a.PrepStop = func(context.Context) error { return errBoom }
		r.run(r.Context(), a)
		r.signals <- syscall.SIGTERM
		r.ending(UncleanStop, "a has stopped, but: application: a: PrepStop: boom")
	})
}

// A signal during the start: what is starting unwinds, what has started stops.
func TestRunStopDuringStart(t *testing.T) {
	inRun(t, func(r *runKit) {
		a := r.app("a")
		b := r.app("b", a)
		gate(b)
		r.run(r.Context(), r.app("c", b))
		r.signals <- syscall.SIGTERM
		r.clean()
		r.want("c is never begun", `a.start b:exited(application: b: Start: application: the node is going down,permanent)+down
			a.prep_stop a_top.down(shutdown) a.stop a:exited(stopped,permanent)+down`)
	})
}

func TestRunSecondSignal(t *testing.T) {
	inRun(t, func(r *runKit) {
		a := r.app("a")
		b := r.app("b", a)
		b.PrepStop = func(ctx context.Context) error { <-ctx.Done(); return nil }
		r.run(r.Context(), b)
		begun := time.Now()
		r.signals <- syscall.SIGTERM
		time.Sleep(time.Second)
		r.want("", "a.start b.start ready")
		r.signals <- syscall.SIGTERM
		r.ending(Forced, "a second signal: terminated")
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the forced stop took %v", took)
		}
		picture := r.output.String()
		for _, want := range []string{"what is still there", "b: prep_stop for 1s", "b/prep_stop> running", "TestRunSecondSignal.func1", "a: running"} {
			if !strings.Contains(picture, want) {
				t.Errorf("the picture lacks %q:\n%s", want, picture)
			}
		}
	})
}

func TestRunStopTimeout(t *testing.T) {
	inRun(t, func(r *runKit) {
		r.options.StopTimeout = 3 * time.Second
		a := r.app("a")
		a.Stop = func(ctx context.Context) error { <-ctx.Done(); return nil }
		r.run(r.Context(), a)
		r.signals <- syscall.SIGTERM
		r.ending(Forced, "the stop took longer than 3s")
		if !strings.Contains(r.output.String(), "a: stop for 3s") {
			t.Errorf("the picture is:\n%s", r.output.String())
		}
	})
}

// Crash reports are on by default, and the last of them is not lost.
func TestRunReports(t *testing.T) {
	inRun(t, func(r *runKit) {
		var log bytes.Buffer
		r.options.Node.Probe = nil
		r.options.Reports = trace.Options{Output: &log, Form: trace.JSON}
		a := r.app("a")
		a.Stop = func(context.Context) error { panic("oops") }
		r.run(r.Context(), a)
		r.signals <- syscall.SIGTERM
		r.ending(UncleanStop, "panic: oops")
		for _, want := range []string{`panic: oops`, `TestRunReports.func1.1`, `application a (permanent) stopped with its node`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, log.String())
			}
		}
	})
}

func TestRunWarnsOfStrangers(t *testing.T) {
	inRun(t, func(r *runKit) {
		file := r.TempDir() + "/config.json"
		r.ok(os.WriteFile(file, []byte(`{"brocker": {}}`), 0o600))
		r.options.Config.Files = []string{file}
		r.run(r.Context(), r.app("a"))
		r.signals <- syscall.SIGTERM
		r.clean()
		if len(r.crashes) != 1 || !strings.Contains(r.crashes[0].Text, "config.json: brocker") {
			t.Errorf("warnings: %+v, want the application that is not here", r.crashes)
		}
	})
}

func TestRunOptional(t *testing.T) {
	inRun(t, func(r *runKit) {
		metrics, a := r.app("metrics"), r.app("a")
		a.Optional = []*App{metrics}
		r.run(r.Context(), a, metrics)
		r.want("metrics is there, so it comes first", "metrics.start a.start ready")
		r.signals <- syscall.SIGTERM
		r.clean()
	})
}
