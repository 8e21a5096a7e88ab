package application

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coppice-go/coppice/process"
)

func TestInfos(t *testing.T) {
	inBubble(t, func(k *kit) {
		idle, lib := k.app("idle"), &App{Name: "lib"}
		up, going, coming := k.app("up"), k.app("going"), k.app("coming")
		k.ok(Load(k.ctx, idle))
		k.ensure(Transient, lib, up, going)
		going.PrepStop = func(context.Context) error { time.Sleep(time.Second); return nil }
		coming.StartPhases = []Phase{{"warm up", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}}
		go func() { _ = Stop(k.ctx, going) }()
		k.start(coming)
		infos, err := Infos(k.ctx)
		k.ok(err)
		var got []string
		for _, i := range infos {
			got = append(got, fmt.Sprintf("%s %s %s %s %s", i.App, i.Type, i.Phase, i.PID.Path(), i.Top.Path()))
		}
		want := []string{
			"idle default loaded  ",
			"lib transient running  ",
			"up transient running up up/top",
			"going transient prep_stop going going/top",
			"coming temporary starting, phase warm up coming coming/top",
		}
		if !cmp.Equal(got, want) {
			t.Errorf("Infos: %s", cmp.Diff(want, got))
		}
		k.wantRunning("up lib") // one that is going counts no more
	})
}

func TestReportEach(t *testing.T) {
	app := &App{Name: "a"}
	r := &Report{
		What: Hung, App: app, Type: Permanent, Phase: "stop", Took: time.Second, By: []*App{app},
		Left: []Left{{Spawner: "x.go:1", Stack: "goroutine 1"}, {}},
	}
	var got []string
	r.Left[0].Each(func(key string, value any) { got = append(got, fmt.Sprintf("%s=%v", key, value)) })
	if want := []string{"left=<nobody> (started at x.go:1)", "stack=goroutine 1"}; !cmp.Equal(got, want) {
		t.Errorf("Each of what is left: %s", cmp.Diff(want, got))
	}
	got = nil
	r.Each(func(key string, value any) { got = append(got, fmt.Sprintf("%s=%v", key, value)) })
	want := []string{
		"what=hung", "application=a", "type=permanent", "phase=stop", "took=1s", "by=a",
		"left.0=<nobody> (started at x.go:1)", "left.0.stack=goroutine 1", "left.1=<nobody>",
	}
	if !cmp.Equal(got, want) {
		t.Errorf("Each: %s", cmp.Diff(want, got))
	}
}

// What each report says, and how much it matters, is decided in one place.
func TestReportTexts(t *testing.T) {
	app := &App{Name: "a"}
	failed := &CallbackError{App: app, Callback: CallbackStart, Err: errBoom}
	for _, tt := range []struct {
		r     Report
		level process.Level
		text  string
	}{
		{Report{What: PhaseBegan, Phase: "stop"}, process.LevelQuiet, "application a: stop"},
		{Report{What: Started, Took: time.Second}, process.LevelDebug, "application a started in 1s"},
		{Report{What: Exited, Type: Permanent, Reason: ErrStopped}, process.LevelInfo, "application a (permanent) stopped"},
		{Report{What: Exited, Type: Permanent, Reason: ErrStopped, Down: true}, process.LevelInfo, "application a (permanent) stopped with its node"},
		{Report{What: Exited, Type: Temporary}, process.LevelWarn, "application a (temporary) ended normally"},
		{Report{What: Exited, Type: Transient, Reason: process.ErrShutdown}, process.LevelError, "application a (transient) ended"},
		{Report{What: Exited, Type: Temporary, Reason: failed}, process.LevelError, "application a (temporary) did not start"},
		{Report{What: CallbackFailed, Reason: errBoom}, process.LevelError, "application a: a callback failed"},
		{Report{What: Withheld, Type: Permanent}, process.LevelInfo, "application a does not start: it is not permitted to run on this node"},
		{Report{What: StillNeeded, By: []*App{{Name: "b"}}}, process.LevelWarn, "application a is being stopped though others run that need it: b"},
	} {
		tt.r.App = app
		if got := tt.r.text(); got != tt.text || tt.r.level() != tt.level {
			t.Errorf("%v: %q at level %v, want %q at %v", tt.r.What, got, tt.r.level(), tt.text, tt.level)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	a, b := &App{Name: "a"}, &App{Name: "b"}
	for _, tt := range []struct {
		err  error
		text string
		is   error
	}{
		{&AlreadyStartedError{a}, "application: start a: already started", nil},
		{&DependencyError{a, b, ErrNotRunning}, "application: start a: it needs b: was started, but has ended since", ErrNotRunning},
		{&EndedError{App: a, Type: Permanent}, "application: a, which is permanent, has ended normally", nil},
		{&EndedError{App: a, Type: Transient, Reason: errBoom}, "application: a, which is transient, has ended: boom", errBoom},
		{&SpecError{a, errors.Join(errBoom, ErrTimeout)}, `application: App "a": boom; took too long`, errBoom},
		{&HangError{App: a, Phase: "stop", Limit: time.Second}, "application: a: stop took longer than 1s: nobody is left", nil},
		{&StoppingError{App: a, Phase: "stop", Since: time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC), Advice: "do not", Err: errBoom},
			"boom (application a: stop since 12:00:00.000; to avoid it, do not)", errBoom},
	} {
		if tt.err.Error() != tt.text || tt.is != nil && !errors.Is(tt.err, tt.is) {
			t.Errorf("%T: %q, want %q that is %v", tt.err, tt.err, tt.text, tt.is)
		}
	}
	many := &HangError{App: a, Phase: "stop", Left: make([]Left, 9)}
	if !strings.HasSuffix(many.Error(), "and 4 more") {
		t.Errorf("nine that are left: %q", many)
	}
}

func TestChangeHas(t *testing.T) {
	c := Change{Changed: []string{"a"}, New: []string{"b"}, Removed: []string{"c"}}
	for key, want := range map[string]bool{"a": true, "b": true, "c": true, "d": false} {
		if got := c.Has(&Var[int]{Name: key}); got != want {
			t.Errorf("Has(%s) = %v", key, got)
		}
	}
}
