package server_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/process/system"
	"github.com/coppice-go/coppice/registry"
)

// reportCases are those of gen_server_SUITE about what a server shows.
func reportCases(t *testing.T) {
	for name, run := range map[string]func(*testing.T, context.Context, *processtest.Recorder){
		"crash": gsCrash, "error_format_status": gsErrorFormatStatus, "terminate_crash_format": gsTerminateCrashFormat,
		"crash_in_format_status": gsCrashInInspect, "throw_in_format_status": gsCrashInInspect,
		"format_all_status": gsFormatAllStatus, "call_format_status": gsCallFormatStatus,
		"get_state": gsGetState, "replace_state": gsReplaceState, "format_log_1": gsFormatLog, "format_log_2": gsFormatLog,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := &processtest.Recorder{}
				run(t, processtest.Node(t, process.NodeSpec{Probe: rec}), rec)
			})
		})
	}
}

// shown is a Spec whose state shows as "formatted".
func shown() server.Spec[Counter] {
	return server.Spec[Counter]{Inspect: func(*Counter) any { return "formatted" }}
}

// crashed crashes a server by a request and returns its one report.
func crashed(t *testing.T, ctx context.Context, rec *processtest.Recorder, spec server.Spec[Counter]) *process.CrashReport {
	t.Helper()
	c := unlinked(t, ctx, spec)
	_, err := server.Call(ctx, c, Ask{func(context.Context, *Counter) (int, error) { panic(errBoom) }})
	wantErr(t, "call", err, errBoom)
	return lastReport(t, rec)
}

func lastReport(t *testing.T, rec *processtest.Recorder) *process.CrashReport {
	t.Helper()
	synctest.Wait()
	got := rec.Events(process.Crashed)
	if len(got) != 1 {
		t.Fatalf("%d reports, want 1: %v", len(got), got)
	}
	return got[0].Detail.(*process.CrashReport)
}

func gsCrash(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	for _, reason := range []error{process.ErrShutdown, process.Shutdown(errBoom)} {
		for _, end := range []func(ctx context.Context) error{
			func(ctx context.Context) error { process.Exit(ctx, reason); return nil },
			func(ctx context.Context) error {
				_, err := server.Defer[int](ctx)
				wantErr(t, "put off", err, nil)
				return server.Stop(reason)
			},
		} {
			c := unlinked(t, ctx, server.Spec[Counter]{})
			_, err := server.Call(ctx, c, Ask{func(ctx context.Context, _ *Counter) (int, error) {
				return 0, end(ctx)
			}})
			wantErr(t, "call", err, process.ErrShutdown)
		}
	}
	if got := rec.Events(process.Crashed); len(got) != 0 {
		t.Errorf("clean ends were reported: %v", got)
	}
	var client process.PID
	c := unlinked(t, ctx, shown())
	from(t, ctx, func(ctx context.Context, _ *Counter) error {
		client = process.Self(ctx)
		_, err := server.Call(ctx, c, Ask{func(context.Context, *Counter) (int, error) { panic(errBoom) }})
		wantErr(t, "call", err, errBoom)
		return nil
	})
	r := lastReport(t, rec)
	if r.PID != c.PID() || r.PID.Kind() != server.Kind || !strings.HasSuffix(r.Runs, "Counter") || r.State != `"formatted"` && r.State != "formatted" ||
		!strings.Contains(r.Message, "Ask") || r.Client != client || r.Panic == nil || !strings.Contains(r.Panic.StackText(), "gsCrash") {
		t.Errorf("report:\n%v\nwant the state as Inspect shows it, the request, who asked, and the stack", r)
	}
}

func gsErrorFormatStatus(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	spec := shown()
	spec.Init = func(context.Context) (*Counter, error) { return &Counter{diary: []string{"secret"}}, nil }
	if r := crashed(t, ctx, rec, spec); !strings.Contains(r.State, "formatted") || strings.Contains(r.String(), "secret") {
		t.Errorf("report:\n%v", r)
	}
}

func gsTerminateCrashFormat(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	spec := shown()
	spec.TrapExit = true
	spec.Terminate = func(context.Context, *Counter, error) error { panic("in Terminate") }
	c := unlinked(t, ctx, spec)
	if err := process.Stop(ctx, c, nil); err == nil {
		t.Error("the stop hides the crash in Terminate")
	}
	if r := lastReport(t, rec); !strings.Contains(r.State, "formatted") || r.Panic == nil || r.Panic.Value != "in Terminate" {
		t.Errorf("report:\n%v", r)
	}
}

// A formatter that crashes costs its own line and no more.
func gsCrashInInspect(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	r := crashed(t, ctx, rec, server.Spec[Counter]{Inspect: func(*Counter) any { panic("in Inspect") }})
	if !errors.Is(r.Reason, errBoom) || !strings.Contains(r.State, "PANIC") || r.Message == "" {
		t.Errorf("report:\n%v", r)
	}
}

// secretive is a message that says itself what may be shown of it.
type secretive struct {
	Open   string
	Hidden string `trace:"redact"`
}

func (secretive) Handle(context.Context, *Counter) (int, error) { panic(errBoom) }

// Every part can be kept back: the state by Inspect, a message by its fields'
// tags, everything by SetSensitive.
func gsFormatAllStatus(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	c := unlinked(t, ctx, shown())
	_, err := server.Call(ctx, c, secretive{"open", "hush"})
	wantErr(t, "call", err, errBoom)
	if r := lastReport(t, rec); !strings.Contains(r.Message, "open") || strings.Contains(r.String(), "hush") {
		t.Errorf("report:\n%v", r)
	}
	sensitive := &processtest.Recorder{Kinds: process.Crashed | process.Sent | process.Called | process.Received | process.Handled | process.Warned}
	ctx = processtest.Node(t, process.NodeSpec{Probe: sensitive})
	c = unlinked(t, ctx, server.Spec[Counter]{Inspect: func(*Counter) any { return "hush" },
		Init: func(ctx context.Context) (*Counter, error) {
			process.SetSensitive(ctx, true)
			process.Annotate(ctx, "key", "hush")
			return &Counter{}, nil
		}})
	wantErr(t, "log", system.SetLog(ctx, c, 10), nil)
	wantErr(t, "send", process.Send(ctx, c.PID(), "hush, unknown"), nil)
	wantErr(t, "cast", server.Cast(ctx, c, Note{"hush"}), nil)
	synctest.Wait()
	log, err := system.Log(ctx, c)
	wantErr(t, "read the log", err, nil)
	if s, err := system.Status(ctx, c); err != nil || s.State != "" || len(s.Notes) != 0 || len(log) == 0 {
		t.Errorf("status %+v, %v; %d events logged", s, err, len(log))
	}
	_, err = server.Call(ctx, c, secretive{"hush", "hush"})
	wantErr(t, "call", err, errBoom)
	for _, e := range append(log, sensitive.Events(0)...) {
		text := e.Text + process.Format(e.Msg)
		if e.Detail != nil {
			text += e.Detail.(*process.CrashReport).String()
		}
		if strings.Contains(text, "hush") {
			t.Errorf("%v shows it: %s", e.Kind, text)
		}
	}
	if r := lastReport(t, sensitive); r.Message == "" || r.State == "" || len(r.Notes) != 0 {
		t.Errorf("report:\n%v\nwant it to say that something is held back", r)
	}
}

// byAllNames are the ways to speak of one server.
func byAllNames(t *testing.T, ctx context.Context, spec server.Spec[Counter]) (server.Ref[Counter], []process.Target) {
	t.Helper()
	spec.Name = "named"
	c := unlinked(t, ctx, spec)
	return c, []process.Target{c, c.PID(), process.Name("named"), registry.NewKey[server.Ref[Counter]]("named")}
}

func gsCallFormatStatus(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	c, targets := byAllNames(t, ctx, shown())
	for _, target := range targets {
		s, err := system.Status(ctx, target)
		if err != nil || s.PID != c.PID() || s.Name != "named" || !strings.Contains(s.State, "formatted") {
			t.Errorf("status of %v: %+v, %v", target, s, err)
		}
	}
}

func gsGetState(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	c, targets := byAllNames(t, ctx, server.Spec[Counter]{})
	_, err := server.Call(ctx, c, Add{By: 5})
	wantErr(t, "call", err, nil)
	for _, suspended := range []bool{false, true} {
		if suspended {
			wantErr(t, "suspend", process.Suspend(ctx, c), nil)
		}
		for _, target := range targets {
			for _, limit := range []time.Duration{5 * time.Second, process.Infinity} {
				got, err := system.State[Counter](process.WithCallTimeout(ctx, limit), target)
				if err != nil || got.n != 5 {
					t.Errorf("state of %v, suspended %v: %+v, %v", target, suspended, got, err)
				}
			}
		}
	}
	wantErr(t, "resume", process.Resume(ctx, c), nil)
}

func oneMore(c Counter) (Counter, error) { return Counter{n: c.n + 1}, nil }

func gsReplaceState(t *testing.T, ctx context.Context, _ *processtest.Recorder) {
	c, targets := byAllNames(t, ctx, server.Spec[Counter]{})
	want := 0
	for _, target := range targets {
		want++
		got, err := system.ReplaceState(ctx, target, oneMore)
		if err != nil || got.n != want {
			t.Errorf("replaced by %v: %+v, %v", target, got, err)
		}
	}
	_, err := system.ReplaceState(ctx, c, func(Counter) (Counter, error) { panic(errBoom) })
	wantErr(t, "a replacement that crashes", err, errBoom)
	wantErr(t, "suspend", process.Suspend(ctx, c), nil)
	got, err := system.ReplaceState(ctx, c, oneMore)
	if err != nil || got.n != want+1 {
		t.Errorf("while it is suspended: %+v, %v; want the state that the crash has left", got, err)
	}
	wantErr(t, "resume", process.Resume(ctx, c), nil)
	if n, err := server.Call(ctx, c, Add{}); n != want+1 || err != nil {
		t.Errorf("afterwards: %d, %v", n, err)
	}
}

// The text is cut where it is long.
func gsFormatLog(t *testing.T, ctx context.Context, rec *processtest.Recorder) {
	c := unlinked(t, ctx, server.Spec[Counter]{Name: "logged", Inspect: func(*Counter) any { return strings.Repeat("s", 1e5) }})
	_, err := server.Call(ctx, c, secretive{Open: strings.Repeat("m", 1e5)})
	wantErr(t, "call", err, errBoom)
	text := lastReport(t, rec).String()
	for _, want := range []string{"logged> crashed: panic: boom\n", "  kind: server\n", "  message: ", "mmm", "  state: ", "sss", "  stack: \n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	if len(text) > 3000 {
		t.Errorf("%d bytes of text", len(text))
	}
}
