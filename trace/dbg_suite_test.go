package trace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/process/server"
)

// The cases of OTP's dbg_SUITE, under their names. What is traced there are calls
// of functions; here it is what a server is asked.
func TestDbgSUITE(t *testing.T) {
	cases := map[string]func(t *testing.T, node *process.Node, log *buffer){
		"big": dbgBig, "tiny": dbgTiny, "simple": dbgSimple, "message": dbgMessage, "send": dbgSend, "recv": dbgRecv,
		"file_port": dbgFilePort, "file_port2": dbgFilePort2, "ip_port_busy": dbgIPPortBusy,
		"wrap_port": dbgWrapPort, "wrap_port_time": dbgWrapPortTime, "dead_suspend": dbgDeadSuspend,
		"local_trace": dbgLocalTrace, "saved_patterns": dbgSavedPatterns, "tracer_exit_on_stop": dbgTracerExitOnStop,
		"erl_tracer": dbgErlTracer,
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { traced(t, test) })
	}
	t.Run("ip_port", dbgIPPort) // a real connection knows no bubble
}

// A desk doubles what it is asked to.
type desk struct{}

type (
	double struct{ N int }
	half   struct{ N int }
)

func (m double) Handle(context.Context, *desk) (int, error) { return m.N * 2, nil }

func (m half) Handle(context.Context, *desk) (int, error) { return 4 / m.N, nil }

func startDesk(t *testing.T, ctx context.Context) server.Ref[desk] {
	t.Helper()
	ref, err := server.StartUnlinked(ctx, server.Spec[desk]{Name: "desk"})
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func ask[Q server.Request[desk, int]](t *testing.T, ctx context.Context, to server.Ref[desk], q Q) {
	t.Helper()
	if _, err := server.Call(ctx, to, q); err != nil {
		t.Errorf("call of %v: %v", q, err)
	}
}

// noted are two patterns in one, as are two calls of dbg:tp.
func noted() Pattern {
	return MatchNote(func(double) (string, bool) { return "self", true }).
		Or(MatchNote(func(half) (string, bool) { return "hej", true }))
}

// read reads a stream back until it ends, or breaks off.
func read(t *testing.T, in io.Reader) (all []Record, end End) {
	t.Helper()
	r := NewReader(in)
	for {
		record, err := r.Next()
		if err == io.EOF {
			end, _ = r.End()
			return all, end
		}
		if err != nil {
			t.Fatalf("after %d events: %v", len(all), err)
		}
		all = append(all, record)
	}
}

// stopAll is dbg:stop.
func stopAll(t *testing.T, ctx context.Context) {
	t.Helper()
	open, err := Streams(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range open {
		if end, err := s.Stop(ctx); err != nil || end.Why != ByStop {
			t.Errorf("Stop: %+v, %v", end, err)
		}
	}
	if open, err := Streams(ctx); err != nil || len(open) != 0 {
		t.Errorf("Streams after all were stopped: %v, %v", open, err)
	}
}

// wantLines compares what is traced, as "event peer message note".
func wantLines(t *testing.T, what string, got []Record, want ...string) {
	t.Helper()
	var lines []string
	for _, r := range got {
		var parts []string
		for _, part := range []string{r.Event, r.PeerPath, r.Msg, r.Detail["name"], r.Reason, r.Note} {
			if part != "" {
				parts = append(parts, part)
			}
		}
		if r.Gone {
			parts = append(parts, "gone")
		}
		lines = append(lines, strings.Join(parts, " "))
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// during opens a stream, does something, stops all streams, and gives what was
// seen.
func during(t *testing.T, node *process.Node, spec StreamSpec, do func()) []Record {
	t.Helper()
	_, out := streaming(t, node, spec)
	do()
	synctest.Wait()
	stopAll(t, node.Context())
	all, end := read(t, strings.NewReader(out.String()))
	if end.Why != ByStop || end.Events != len(all) {
		t.Errorf("the stream of %d events says that its end is %+v", len(all), end)
	}
	return all
}

// i is dbg:i: the one stream that is open, on one line.
func i(t *testing.T, ctx context.Context) string {
	t.Helper()
	open, err := Streams(ctx)
	if err != nil || len(open) != 1 {
		t.Fatalf("Streams: %v, %v; want one", open, err)
	}
	return open[0].Status().String()
}

// everything makes a worker do a little of what there are kinds for.
func everything(ctx context.Context) error {
	self := process.Self(ctx)
	child, err := process.Start(process.WithBirth(ctx, process.Birth{ID: "child"}), process.Spec{Behaviour: worker{}, Unlinked: true})
	return errors.Join(err,
		process.Link(ctx, child), process.Unlink(ctx, child),
		process.Unregister(ctx, "loop"), process.Register(ctx, "pool", self),
		process.Send(ctx, child, greet{"child"}))
}

func dbgBig(t *testing.T, node *process.Node, _ *buffer) {
	ctx := node.Context()
	const procs = process.Spawned | process.Exited | process.Linked | process.Unlinked | process.Registered | process.Unregistered
	loop, err := process.Start(ctx, process.Spec{Name: "loop", Behaviour: worker{}})
	if err != nil {
		t.Fatal(err)
	}
	named, _ := process.Whereis(ctx, "loop")
	for _, who := range []StreamSpec{{PID: named}, {Under: "loop"}} {
		who.Kinds = procs | process.Sent
		got := during(t, node, who, func() {
			send(t, ctx, loop, do(everything))
			synctest.Wait()
			if line := i(t, ctx); !strings.Contains(line, "spawned|exited") || !strings.Contains(line, "of 100 events") {
				t.Errorf("the stream's status is %q", line)
			}
		})
		var kinds []string
		for _, r := range got[1:] { // the first is that the message is sent
			kinds = append(kinds, r.Event+" "+r.Path)
		}
		want := "spawned child, linked loop, unlinked loop, unregistered loop, registered loop, sent loop"
		if who.Under != "" { // a child that is not linked has a path of its own; nor is the node below loop
			want = "unlinked loop, unregistered loop, registered loop, sent loop"
		}
		if got := strings.Join(kinds, ", "); got != want {
			t.Errorf("%s: got %s; want %s", who.filter(), got, want)
		}
		if err := errors.Join(process.Unregister(ctx, "pool"), process.Register(ctx, "loop", loop)); err != nil {
			t.Fatal(err)
		}
	}
	if process.Wants(ctx, process.Sent, process.LevelQuiet) {
		t.Error("all streams are stopped, and the node still looks")
	}
}

func dbgTiny(t *testing.T, node *process.Node, _ *buffer) {
	loop := startWorker(t, node.Context(), "loop")
	got := during(t, node, StreamSpec{PID: loop}, func() {
		send(t, node.Context(), loop, greet{"ann"})
		synctest.Wait()
		const want = "<3 stream> all events, of or with <2 loop>; 1 living; 3 of 100 events, 0s of 30s"
		if line := i(t, node.Context()); line != want {
			t.Errorf("the stream's status is %q, want %q", line, want)
		}
	})
	wantLines(t, "traced", got, `sent loop trace.greet{Name:"ann"}`, `received trace.greet{Name:"ann"}`, "handled")
}

func dbgSimple(t *testing.T, node *process.Node, _ *buffer) {
	to := startDesk(t, node.Context())
	var got []Record
	_, err := Stream(node.Context(), StreamSpec{To: handler(func(line []byte) {
		all, _ := read(t, io.MultiReader(strings.NewReader(string(line)), strings.NewReader("{\"end\":\"stopped\"}\n")))
		got = append(got, all...)
	}), Kinds: process.Called, Peer: to.PID()})
	if err != nil {
		t.Fatal(err)
	}
	ask(t, node.Context(), to, double{2})
	stopAll(t, node.Context())
	wantLines(t, "handler got", got, "called desk trace.double{N:2}")
}

// A handler is a writer of one's own.
type handler func(line []byte)

func (h handler) Write(line []byte) (int, error) { h(line); return len(line), nil }

func dbgMessage(t *testing.T, node *process.Node, _ *buffer) {
	to := startDesk(t, node.Context())
	saved := noted()
	for range 2 {
		got := during(t, node, StreamSpec{Kinds: process.Called, Match: saved}, func() {
			ask(t, node.Context(), to, double{2})
			ask(t, node.Context(), to, half{2})
		})
		wantLines(t, "traced", got, "called desk trace.double{N:2} self", "called desk trace.half{N:2} hej")
	}
}

func dbgSend(t *testing.T, node *process.Node, _ *buffer) {
	ctx := node.Context()
	a, b, dead := startWorker(t, ctx, "a"), startWorker(t, ctx, "b"), startWorker(t, ctx, "dead")
	if err := process.Stop(ctx, dead, nil); err != nil {
		t.Fatal(err)
	}
	sends := func() {
		send(t, ctx, a, do(func(ctx context.Context) error {
			return errors.Join(process.Send(ctx, b, greet{"b"}), process.Send(ctx, a, greet{"a"}),
				process.Send(ctx, b, &greet{"bo"}), process.Send(ctx, dead, greet{"dead"}))
		}))
	}
	const toB, toSelf, toB2, toDead = `sent b trace.greet{Name:"b"}`, `sent a trace.greet{Name:"a"}`,
		`sent b &trace.greet{Name:"bo"}`, `sent dead trace.greet{Name:"dead"}`
	short := MatchNote(func(m greet) (string, bool) { return m.Name + "!", len(m.Name) == 1 })
	for _, tt := range []struct {
		what string
		spec StreamSpec
		want []string
	}{
		{"all", StreamSpec{}, []string{toB, toSelf, toB2, toDead + " gone"}},
		{"by receiver", StreamSpec{Peer: b}, []string{toB, toB2}},
		{"to self", StreamSpec{Peer: a}, []string{toSelf}},
		{"to the dead", StreamSpec{Peer: dead}, []string{toDead + " gone"}},
		{"by content", StreamSpec{Match: Match(func(m greet) bool { return m.Name == "bo" })}, []string{toB2}},
		{"with a note", StreamSpec{Match: short}, []string{toB + " b!", toSelf + " a!"}},
		{"saved, by receiver", StreamSpec{Match: short, Peer: a}, []string{toSelf + " a!"}},
		{"of another type", StreamSpec{Match: Match[divide](nil)}, nil},
	} {
		tt.spec.Kinds, tt.spec.Under = process.Sent, "a"
		wantLines(t, tt.what, during(t, node, tt.spec, sends), tt.want...)
	}
	// Cleared: nothing more is written anywhere, by anybody.
	s, out := streaming(t, node, StreamSpec{Kinds: process.Sent})
	stopAll(t, ctx)
	sends()
	synctest.Wait()
	if end, err := s.Wait(ctx); err != nil || end.Events != 0 || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("after the end: %+v, %v, lines\n%s", end, err, out)
	}
}

func dbgRecv(t *testing.T, node *process.Node, _ *buffer) {
	ctx := node.Context()
	a := startWorker(t, ctx, "a")
	raw, err := process.SpawnRaw(ctx, process.Raw[greet]{Name: "raw", Run: func(ctx context.Context, in *process.Inbox[greet]) error {
		for {
			in.TakeWithin(time.Second, func(m greet) bool { return m.Name != "later" })
			in.ReceiveWithin(0)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait() // it waits
	messages := func() {
		time.Sleep(100 * time.Millisecond)
		send(t, ctx, raw.PID(), greet{"later"})
		send(t, ctx, a, relay{raw.PID()})
		synctest.Wait()
	}
	const fromA, later = `received a trace.greet{Name:"from afar"}`, `received trace.greet{Name:"later"}`
	for _, tt := range []struct {
		what string
		spec StreamSpec
		want []string
	}{
		{"all", StreamSpec{}, []string{fromA, later}}, // as they are taken
		{"by sender", StreamSpec{Peer: a}, []string{fromA}},
		{"by content", StreamSpec{Match: Match(func(m greet) bool { return m.Name == "later" })}, []string{later}},
		{"with a note", StreamSpec{Match: MatchNote(func(m greet) (string, bool) { return "n", m.Name != "later" })}, []string{fromA + " n"}},
		{"of another type", StreamSpec{Match: Match[divide](nil)}, nil},
	} {
		tt.spec.Kinds, tt.spec.Under = process.Received, "raw"
		wantLines(t, tt.what, during(t, node, tt.spec, messages), tt.want...)
	}
	timeouts := during(t, node, StreamSpec{Kinds: process.TimedOut, PID: raw.PID()}, func() { time.Sleep(1500 * time.Millisecond) })
	wantLines(t, "time-outs", timeouts, "timed_out", "timed_out") // of a second, and of none
}

func dbgFilePort(t *testing.T, node *process.Node, _ *buffer) {
	to := startDesk(t, node.Context())
	file, err := os.Create(filepath.Join(t.TempDir(), "dbg"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	streaming(t, node, StreamSpec{To: file, Kinds: process.Called, Match: noted()})
	ask(t, node.Context(), to, double{2})
	ask(t, node.Context(), to, half{2})
	stopAll(t, node.Context())

	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	got, end := read(t, file)
	wantLines(t, "read back", got, "called desk trace.double{N:2} self", "called desk trace.half{N:2} hej")
	if want := (End{Why: ByStop, Events: 2}); end != want {
		t.Errorf("the end is %+v, want %+v", end, want)
	}
}

func dbgFilePort2(t *testing.T, node *process.Node, _ *buffer) {
	ctx := node.Context()
	to := startDesk(t, ctx)
	path := filepath.Join(t.TempDir(), "dbg")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s, _ := streaming(t, node, StreamSpec{To: file, Kinds: process.Called, Match: noted()})
	flushed := func(what string) {
		t.Helper()
		if err := s.Flush(ctx); err != nil {
			t.Fatalf("Flush after %s: %v", what, err)
		}
	}
	ask(t, ctx, to, double{2})
	flushed("the first")

	following, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer following.Close()
	records, ended := make(chan Record, 10), make(chan error, 1)
	go func() {
		r := NewReader(Follow(ctx, following, 0))
		for {
			record, err := r.Next()
			if err != nil {
				ended <- err
				return
			}
			records <- record
		}
	}()
	got := func() (all []Record) {
		synctest.Wait()
		for len(records) > 0 {
			all = append(all, <-records)
		}
		return all
	}
	wantLines(t, "at once", got(), "called desk trace.double{N:2} self")
	ask(t, ctx, to, half{2})
	flushed("the second")
	wantLines(t, "before it looks again", got())
	time.Sleep(time.Second)
	wantLines(t, "after a second", got(), "called desk trace.half{N:2} hej")
	stopAll(t, ctx)
	if err := <-ended; err != io.EOF {
		t.Errorf("the follower ends with %v", err)
	}
	wantLines(t, "after the stop", got())
}

func dbgIPPort(t *testing.T) {
	node := process.NewNode(process.NodeSpec{})
	defer func() {
		if err := node.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	start(t, node, Options{Output: &buffer{}})
	to := startDesk(t, node.Context())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	streaming(t, node, StreamSpec{To: conn, Kinds: process.Called, Match: noted()})
	ask(t, node.Context(), to, double{2})
	ask(t, node.Context(), to, half{2})
	stopAll(t, node.Context())
	got, end := read(t, client)
	wantLines(t, "the client got", got, "called desk trace.double{N:2} self", "called desk trace.half{N:2} hej")
	if end.Why != ByStop {
		t.Errorf("the client is told that the end is %+v", end)
	}
}

// What cannot start says so, and keeps nobody waiting or from starting another.
func dbgIPPortBusy(t *testing.T, node *process.Node, _ *buffer) {
	ctx := node.Context()
	if _, err := Start(ctx, Options{}); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second tracer: %v, want a refusal", err)
	}
	taken := filepath.Join(t.TempDir(), "taken")
	if err := os.Mkdir(taken+".1", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := (Files{Path: taken}).Create(); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), taken+".1") {
		t.Errorf("files that cannot be made: %v, want which", err)
	}
	here, there := net.Pipe()
	there.Close()
	s, _ := streaming(t, node, StreamSpec{To: here, Kinds: process.Called})
	to := startDesk(t, ctx)
	ask(t, ctx, to, double{2})
	wantEnd(t, s, End{Why: ByWriter, Err: io.ErrClosedPipe})
	if err := s.Flush(ctx); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Flush of a broken stream: %v, want why", err)
	}
	got := during(t, node, StreamSpec{Kinds: process.Called}, func() { ask(t, ctx, to, double{3}) })
	wantLines(t, "the next stream", got, "called desk trace.double{N:3}")
}

// wrapped traces calls to files.
func wrapped(t *testing.T, node *process.Node, files Files, calls func()) []Record {
	t.Helper()
	out, err := files.Create()
	if err != nil {
		t.Fatal(err)
	}
	streaming(t, node, StreamSpec{To: out, Kinds: process.Called, Match: noted()})
	calls()
	stopAll(t, node.Context())
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	in, err := files.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	got, _ := read(t, in)
	return got
}

// pair is what two calls with n look like.
func pair(n int) []string {
	return []string{fmt.Sprintf("called desk trace.double{N:%d} self", n), fmt.Sprintf("called desk trace.half{N:%d} hej", n)}
}

func dbgWrapPort(t *testing.T, node *process.Node, _ *buffer) {
	to := startDesk(t, node.Context())
	// One line in each file: ten events and the end.
	files := Files{Path: filepath.Join(t.TempDir(), "dbg"), Size: 1, Keep: 11}
	got := wrapped(t, node, files, func() {
		for n := 1; n <= 7; n++ {
			ask(t, node.Context(), to, double{n})
			ask(t, node.Context(), to, half{n})
		}
	})
	var want []string
	for n := 3; n <= 7; n++ {
		want = append(want, pair(n)...)
	}
	wantLines(t, "the last ten", got, want...)
	if first := got[0].N; first != 5 {
		t.Errorf("the first that is left is number %d, want 5", first)
	}
	if names, err := filepath.Glob(files.Path + ".*"); err != nil || len(names) != 11 {
		t.Errorf("files: %v, %v; want 11", names, err)
	}

	got = wrapped(t, node, files, func() {
		ask(t, node.Context(), to, double{-1})
		ask(t, node.Context(), to, half{-1})
	})
	wantLines(t, "a new stream to the same files", got, pair(-1)...)
}

func dbgWrapPortTime(t *testing.T, node *process.Node, _ *buffer) {
	to := startDesk(t, node.Context())
	files := Files{Path: filepath.Join(t.TempDir(), "dbg"), Every: 2 * time.Second, Keep: 3}
	got := wrapped(t, node, files, func() {
		for n := 1; n <= 4; n++ {
			time.Sleep(time.Second)
			ask(t, node.Context(), to, double{n})
			ask(t, node.Context(), to, half{n})
			time.Sleep(1100 * time.Millisecond)
		}
	})
	var want []string
	for n := 2; n <= 4; n++ {
		want = append(want, pair(n)...)
	}
	wantLines(t, "the last three files", got, want...)
}

func dbgDeadSuspend(t *testing.T, node *process.Node, log *buffer) {
	var s *Session
	got := during(t, node, StreamSpec{Kinds: process.Spawned | process.Exited}, func() {
		for range 5 {
			_, err := process.Go(node.Context(), func(context.Context) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		open, err := Streams(node.Context())
		if err != nil || len(open) != 1 {
			t.Fatalf("Streams: %v, %v; want the one", open, err)
		}
		if s = open[0]; s.Matches() != 0 {
			t.Errorf("%d processes are left", s.Matches())
		}
	})
	counts := map[string]int{}
	for _, r := range got {
		counts[r.Event]++
	}
	if counts["spawned"] != 5 || counts["exited"] != 5 || len(got) != 10 {
		t.Errorf("traced: %v, want five births and ends", counts)
	}
	if tracer, ok := process.Whereis(node.Context(), name); !ok || !tracer.Alive() || log.String() != "" {
		t.Errorf("the tracer lives: %v; it reported %q", ok, log)
	}
}

func dbgLocalTrace(t *testing.T, node *process.Node, _ *buffer) {
	ctx := node.Context()
	to := startDesk(t, ctx)
	named, _ := process.Whereis(ctx, "desk")
	var numbered process.PID
	for _, pid := range node.Processes() {
		if pid.ID() == to.PID().ID() {
			numbered = pid
		}
	}
	for _, who := range []StreamSpec{{PID: to.PID()}, {PID: named}, {PID: numbered}, {Under: to.PID().Path()}} {
		s, _ := streaming(t, node, who)
		if n := s.Matches(); n != 1 {
			t.Errorf("%s: Matches() = %d, want 1", who.filter(), n)
		}
	}
	stopAll(t, ctx)

	// What others ask for and what is done are two things to look at, together
	// or one by one; each stream is cleared alone.
	calls, out := streaming(t, node, StreamSpec{Kinds: process.Called, Peer: to.PID()})
	got := func() []Record {
		if _, err := calls.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		all, _ := read(t, strings.NewReader(out.String()))
		return all
	}
	inside := during(t, node, StreamSpec{Kinds: process.Received | process.Replied, PID: to.PID()}, func() {
		ask(t, ctx, to, double{2})
		wantLines(t, "from outside", got(), "called desk trace.double{N:2}")
		ask(t, ctx, to, double{3})
	})
	wantLines(t, "inside", inside, "received trace.double{N:2}", "replied", "received trace.double{N:3}", "replied")
	wantLines(t, "from outside, after it was cleared", got(), "called desk trace.double{N:2}")

	failed := during(t, node, StreamSpec{Kinds: process.Received | process.Crashed, PID: to.PID()}, func() {
		if _, err := server.Call(ctx, to, half{0}); err == nil {
			t.Error("the call did not fail")
		}
	})
	if len(failed) != 2 || failed[1].Event != "crashed" || !failed[1].Abnormal ||
		failed[1].Reason != "panic: runtime error: integer divide by zero" || failed[1].Type != "trace.half" {
		t.Errorf("exception: %+v, want the message and the panic", failed)
	}
}

func dbgSavedPatterns(t *testing.T, node *process.Node, _ *buffer) {
	saved := map[string]Pattern{
		"blahonga": MatchNote(func(double) (string, bool) { return "blahonga", true }),
		"none":     Match(func(double) bool { return false }),
	}
	trace := func(node *process.Node) {
		to := startDesk(t, node.Context())
		for name, want := range map[string][]string{"blahonga": {"called desk trace.double{N:2} blahonga"}, "none": nil} {
			got := during(t, node, StreamSpec{Kinds: process.Called, Match: saved[name]}, func() { ask(t, node.Context(), to, double{2}) })
			wantLines(t, name, got, want...)
		}
	}
	trace(node)
	other := process.NewNode(process.NodeSpec{})
	defer func() {
		if err := other.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	start(t, other, Options{Output: &buffer{}})
	trace(other)
}

// A stream that is stopped while its writer is busy and more is queued writes
// all of it, and its process ends normally.
func dbgTracerExitOnStop(t *testing.T, node *process.Node, _ *buffer) {
	ctx := node.Context()
	var out buffer
	busy := newGate(&out)
	s, _ := streaming(t, node, StreamSpec{To: busy, Kinds: process.Called})
	to := startDesk(t, ctx)
	ask(t, ctx, to, double{1})
	synctest.Wait()
	ask(t, ctx, to, double{2})
	s.end(ByStop)
	ask(t, ctx, to, double{3}) // too late
	synctest.Wait()
	busy.open()
	if reason, err := process.Wait(ctx, s.PID()); err != nil || reason != nil {
		t.Errorf("the process of the stream ended with %v, %v", reason, err)
	}
	wantEnd(t, s, End{Why: ByStop, Events: 2})
	got, _ := read(t, strings.NewReader(out.String()))
	wantLines(t, "delivered", got, "called desk trace.double{N:1}", "called desk trace.double{N:2}")
}

// A probe of one's own is called where it happens, for what it wants.
func dbgErlTracer(t *testing.T, _ *process.Node, _ *buffer) {
	own := &processtest.Recorder{Kinds: process.Called}
	node := process.NewNode(process.NodeSpec{})
	defer func() {
		if err := node.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	start(t, node, Options{Output: &buffer{}, Next: own})
	to := startDesk(t, node.Context())
	ask(t, node.Context(), to, double{2})
	got := own.Events(0)
	if len(got) != 1 || got[0].Kind != process.Called || got[0].Peer != to.PID() || got[0].Time.IsZero() ||
		process.Format(got[0].Msg) != "trace.double{N:2}" {
		t.Errorf("the probe got %+v, want the one call", got)
	}
}
