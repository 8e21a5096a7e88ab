package trace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/coppice-go/coppice/process"
)

// A crash report says who, why, on what, where and whence.
func TestCrashReport(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		crash(t, node, "till", divide{60, 0})
		r := log.only(t)
		for field, want := range map[string]any{
			"level":   "error",
			"event":   "crashed",
			"node":    "test",
			"message": "process crashed",
			"path":    "till",
			"kind":    "worker",
			"reason":  "panic: runtime error: integer divide by zero",
			"chain":   []any{"panic", "runtime error: integer divide by zero"},
			"in_hand": "trace.divide{A:60 B:0}",
			"time":    "2000-01-01T00:00:00.000Z",
		} {
			if diff := cmp.Diff(want, r[field]); diff != "" {
				t.Errorf("field %s (-want +got):\n%s", field, diff)
			}
		}
		if at := fmt.Sprint(r["at"]); !strings.Contains(at, "trace.divide.do ") || !strings.Contains(at, "main_test.go:") {
			t.Errorf("at = %q, want the line that divides, in main_test.go", at)
		}
		if from := fmt.Sprint(r["started_at"]); !strings.Contains(from, "main_test.go:") {
			t.Errorf("started_at = %q, want where the test starts it, in main_test.go", from)
		}
		for _, place := range r["stack"].([]any) {
			if s := place.(string); strings.HasPrefix(s, "runtime.") || strings.Contains(s, "/process.(") {
				t.Errorf("stack has %q, which is not the user's", s)
			}
		}
	})
}

// Each error in the chain of reasons has a line of its own.
func TestReasonChain(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		missing := &fs.PathError{Op: "open", Path: "server.crt", Err: fs.ErrNotExist}
		crash(t, node, "conn", fail{fmt.Errorf("load certificate: %w", missing)})
		r := log.only(t)
		want := []any{"load certificate", "open server.crt", "file does not exist"}
		if diff := cmp.Diff(want, r["chain"]); diff != "" {
			t.Errorf("chain (-want +got):\n%s", diff)
		}
		if r["stack"] != nil {
			t.Errorf("stack = %v, want none: nothing panicked", r["stack"])
		}
	})
}

// What was told to stop and stopped is nothing to report.
func TestCleanEndsAreNotReported(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		for _, reason := range []error{nil, process.ErrShutdown, process.Shutdown(errors.New("no more work"))} {
			crash(t, node, "worker", fail{process.End(reason)})
		}
		if got := log.records(t); len(got) > 0 {
			t.Errorf("clean ends are reported:\n%s", log)
		}
	})
}

func TestLevels(t *testing.T) {
	say := func(t *testing.T, progress bool) (levels []any) {
		bubble(t, func(t *testing.T, node *process.Node) {
			var log buffer
			start(t, node, Options{Output: &log, Form: JSON, Progress: progress})
			for l := process.LevelQuiet; l <= process.LevelError; l++ {
				process.Emit(node.Context(), process.Event{Kind: process.Supervised, Level: l, Text: "child"})
			}
			for _, r := range log.records(t) {
				levels = append(levels, r["level"])
			}
		})
		return levels
	}
	if diff := cmp.Diff([]any{"info", "warn", "error"}, say(t, false)); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"debug", "info", "warn", "error"}, say(t, true)); diff != "" {
		t.Errorf("levels with Progress (-want +got):\n%s", diff)
	}
}

// detail is what a supervisor's report may carry.
type detail []any

func (d detail) Each(f func(string, any)) {
	for i := 0; i < len(d); i += 2 {
		f(d[i].(string), d[i+1])
	}
}

func TestDetails(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		process.Emit(node.Context(), process.Event{Kind: process.Supervised, Level: process.LevelError, Text: "child terminated",
			Detail: detail{
				"decision", "restart", "restarts", 2, "window", 5 * time.Second, "significant", true,
				"children", []string{"a", "b"}, "cause", errDisk, "level", "kept apart", "message", "too", "odd", struct{ Secret string }{"hunter2"},
			}})
		r := log.only(t)
		for field, want := range map[string]any{
			"decision": "restart", "restarts": 2.0, "window": "5s", "significant": true,
			"children": []any{"a", "b"}, "cause": "disk is full", "odd": "{Secret:!REDACTED}",
			"level": "error", "detail_level": "kept apart",
			"message": "child terminated", "detail_message": "too",
		} {
			if diff := cmp.Diff(want, r[field]); diff != "" {
				t.Errorf("field %s (-want +got):\n%s", field, diff)
			}
		}
	})
}

// A fault is an error that says by fields what it is.
type fault struct{ cause error }

func (f *fault) Error() string                { return "torn: " + f.cause.Error() }
func (f *fault) Unwrap() error                { return f.cause }
func (f *fault) Each(yield func(string, any)) { yield("class", "torn") }

// A reason that is its own detail is not told twice.
func TestReasonIsDetail(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		f, other := &fault{fmt.Errorf("save: %w", errDisk)}, &fault{errDisk}
		for _, e := range []process.Event{{Reason: f, Detail: f}, {Reason: f, Detail: other}, {Reason: f}} {
			e.Kind, e.Level, e.Text = process.Network, process.LevelWarn, "paper"
			process.Emit(node.Context(), e)
		}
		var got [][]any
		for _, r := range log.records(t) {
			got = append(got, []any{r["reason"], r["chain"], r["class"]})
		}
		want := [][]any{
			{"save: disk is full", []any{"save", "disk is full"}, "torn"},
			{"torn: save: disk is full", []any{"torn", "save", "disk is full"}, "torn"},
			{"torn: save: disk is full", []any{"torn", "save", "disk is full"}, nil},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("reason, chain, class (-want +got):\n%s", diff)
		}
	})
}

// A goroutine that does not come back is shown where it stands.
func TestAbandonedReport(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		release := make(chan struct{})
		pid := startWorker(t, node.Context(), "stuck")
		send(t, node.Context(), pid, hang{release})
		synctest.Wait()
		if err := process.Kill(node.Context(), pid); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		r := log.only(t)
		if r["event"] != "abandoned" || r["level"] != "error" {
			t.Errorf("reported %v at %v, want abandoned at error", r["event"], r["level"])
		}
		if at := fmt.Sprint(r["at"]); !strings.Contains(at, "trace.hang.do ") || !strings.Contains(at, "report_test.go:") {
			t.Errorf("at = %q, want where it hangs, in report_test.go\nstack: %v", at, r["stack"])
		}
		close(release)
		synctest.Wait()
	})
}

type hang struct{ until chan struct{} }

func (m hang) do(context.Context) error { <-m.until; return nil }

// A canary that is found in any output fails the test.
const canary = "hunter2"

type credentials struct {
	Name     string
	Password string
	Key      []byte
}

type account struct{ number string }

func (account) LogValue() slog.Value { return slog.StringValue("account") }

type noWords struct{}

func (noWords) String() string { panic("no words") }

func (m credentials) do(context.Context) error { return errDisk }
func (m account) do(context.Context) error     { return errDisk }
func (m noWords) do(context.Context) error     { return errDisk }

// A vault shows its state.
type vault struct{ worker }

func (vault) InspectState() any { return credentials{"ann", canary, []byte(canary)} }

// The message in hand shows what may be shown, whatever its methods do.
func TestMessageInHand(t *testing.T) {
	tests := []struct {
		msg  any
		want string
	}{
		{credentials{"ann", canary, []byte(canary)}, `trace.credentials{Name:"ann" Password:!REDACTED Key:[7 bytes]}`},
		{account{canary}, "account"},
		{noWords{}, "!PANIC"},
	}
	for _, tt := range tests {
		traced(t, func(t *testing.T, node *process.Node, log *buffer) {
			crash(t, node, "worker", tt.msg)
			if got := log.only(t)["in_hand"]; got != tt.want {
				t.Errorf("in_hand = %v, want %v", got, tt.want)
			}
			if strings.Contains(log.String(), canary) {
				t.Errorf("the report shows a secret:\n%s", log)
			}
		})
	}
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		pid, err := process.Start(node.Context(), process.Spec{Behaviour: vault{}})
		if err != nil {
			t.Fatal(err)
		}
		send(t, node.Context(), pid, fail{errDisk})
		const want = `trace.credentials{Name:"ann" Password:!REDACTED Key:[7 bytes]}`
		if got := log.only(t)["state"]; got != want {
			t.Errorf("state = %v, want %v", got, want)
		}
	})
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		crash(t, node, "worker", fail{errors.New(strings.Repeat("long ", 1000))})
		r := log.only(t)
		if n := len(r["in_hand"].(string)); n > 256 {
			t.Errorf("in_hand has %d bytes, want at most 256", n)
		}
		if n := len(r["reason"].(string)); n > maxLine {
			t.Errorf("reason has %d bytes, want at most %d", n, maxLine)
		}
	})
}

// Console is for people: who and why first, then what they need next.
func TestConsole(t *testing.T) {
	bubble(t, func(t *testing.T, node *process.Node) {
		var log buffer
		start(t, node, Options{Output: &log, Form: Console})
		pid := crash(t, node, "till", divide{60, 0})
		process.Emit(node.Context(), process.Event{Kind: process.Supervised, Level: process.LevelError, PID: pid,
			Text: "child terminated", Reason: errors.New("first\nsecond"), Detail: detail{"decision", "restart"}})
		process.Emit(node.Context(), process.Event{Kind: process.Supervised, Level: process.LevelError, PID: pid,
			Text: "shutdown", Reason: errors.New("first\nsecond")})
		process.Emit(node.Context(), process.Event{Kind: process.Application, Level: process.LevelWarn, Text: "left",
			Detail: detail{"left.0", "<9>", "left.0.stack", "goroutine 7 [select]:\nmain.read(0x1)\n\t/src/main.go:12 +0x1d\nruntime.goexit()\n\t/go/asm.s:1\n"}})
		process.Emit(node.Context(), process.Event{Kind: process.Application, Level: process.LevelInfo, PID: pid,
			Text: "application shop started", Detail: detail{"what", "started", "application", "shop"}})
		synctest.Wait()

		const want = `00:00:00.000 ERR process crashed: <2> till: panic: runtime error: integer divide by zero age=0s kind=worker
    because  panic
             runtime error: integer divide by zero
    in hand  trace.divide{A:60 B:0}
    started  main_test.go:N
    stack    trace.divide.do main_test.go:N
             trace.worker.Handle main_test.go:N
00:00:00.000 ERR child terminated: <2> till: first … decision=restart
    because  first
             second
00:00:00.000 ERR shutdown: <2> till: first …
00:00:00.000 WRN left left.0=<9>
    left.0.stack goroutine 7 [select]
             main.read /src/main.go:12
00:00:00.000 INF application shop started
`
		got := regexp.MustCompile(`_test.go:\d+`).ReplaceAllString(log.String(), "_test.go:N")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("console (-want +got):\n%s", diff)
		}
	})
}

// A program's own logger gets the records, with its fields.
func TestOwnLogger(t *testing.T) {
	bubble(t, func(t *testing.T, node *process.Node) {
		var log buffer
		own := zerolog.New(&log).With().Str("service", "shop").Logger()
		start(t, node, Options{Logger: &own})
		crash(t, node, "till", fail{errDisk})
		if r := log.only(t); r["service"] != "shop" || r["reason"] != "disk is full" {
			t.Errorf("record %v, want the logger's field and the reason", r)
		}
	})
}

// Globals belong to the program. So they are as they were after all that the
// tests of this package do: this one looks first and last.
func TestGlobalsOfZerologAreUntouched(t *testing.T) {
	before := globals()
	bubble(t, func(t *testing.T, node *process.Node) {
		var log bytes.Buffer
		start(t, node, Options{Output: &log, Form: Console, Progress: true})
		crash(t, node, "till", divide{1, 0})
		synctest.Wait()
	})
	if diff := cmp.Diff(before, globals()); diff != "" {
		t.Errorf("globals of zerolog have changed (-before +after):\n%s", diff)
	}
}

func globals() map[string]string {
	show := func(v any) string { return fmt.Sprintf("%v", v) }
	return map[string]string{
		"level":           show(zerolog.GlobalLevel()),
		"time field":      zerolog.TimestampFieldName,
		"time format":     zerolog.TimeFieldFormat,
		"level field":     zerolog.LevelFieldName,
		"message field":   zerolog.MessageFieldName,
		"error field":     zerolog.ErrorFieldName,
		"stack field":     zerolog.ErrorStackFieldName,
		"duration unit":   show(zerolog.DurationFieldUnit),
		"timestamp func":  fmt.Sprintf("%p", zerolog.TimestampFunc),
		"error handler":   fmt.Sprintf("%p", zerolog.ErrorHandler),
		"stack marshaler": fmt.Sprintf("%p", zerolog.ErrorStackMarshaler),
		"marshal func":    fmt.Sprintf("%p", zerolog.InterfaceMarshalFunc),
		"level marshaler": fmt.Sprintf("%p", zerolog.LevelFieldMarshalFunc),
		"default logger":  fmt.Sprintf("%p", zerolog.DefaultContextLogger),
	}
}
