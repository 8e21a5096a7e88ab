package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/process"
)

// streaming opens a stream to a buffer on a traced node.
func streaming(t *testing.T, node *process.Node, spec StreamSpec) (*Session, *buffer) {
	t.Helper()
	var out buffer
	if spec.To == nil {
		spec.To = &out
	}
	s, err := Stream(node.Context(), spec)
	if err != nil {
		t.Fatalf("Stream: %v", err)
	}
	return s, &out
}

// stop ends a stream and checks how.
func wantEnd(t *testing.T, s *Session, want End) {
	t.Helper()
	got, err := s.Wait(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) })); diff != "" {
		t.Errorf("end of the stream (-want +got):\n%s", diff)
	}
}

// tell does a little of everything, one thing after the other.
func tell(t *testing.T, node *process.Node) {
	a := startWorker(t, node.Context(), "a")
	b := startWorker(t, node.Context(), "b")
	send(t, node.Context(), a, relay{To: b})
	synctest.Wait()
	time.Sleep(time.Millisecond)
	send(t, node.Context(), a, fail{process.End(nil)})
	synctest.Wait()
	send(t, node.Context(), b, fail{errDisk})
	synctest.Wait()
}

// A stream is one JSON object on a line, and the last one says why it ended.
func TestStream(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		s, out := streaming(t, node, StreamSpec{Kinds: process.Spawned | process.Sent | process.Exited})
		tell(t, node)
		if end, err := s.Stop(context.Background()); err != nil || end.Why != ByStop {
			t.Errorf("Stop returns %+v, %v", end, err)
		}
		const want = `{"n":1,"t":0,"event":"spawned","pid":3,"path":"a"}
{"n":2,"t":0,"event":"spawned","pid":4,"path":"b"}
{"n":3,"t":0,"event":"sent","pid":0,"peer":3,"peer_path":"a","type":"trace.relay","msg":"trace.relay{To:<4 b>}"}
{"n":4,"t":0,"event":"sent","pid":3,"path":"a","peer":4,"peer_path":"b","type":"trace.greet","msg":"trace.greet{Name:\"from afar\"}"}
{"n":5,"t":1000000,"event":"sent","pid":0,"peer":3,"peer_path":"a","type":"trace.fail","msg":"trace.fail{Err:\"stop: <nil>\"}"}
{"n":6,"t":1000000,"event":"exited","pid":3,"path":"a"}
{"n":7,"t":1000000,"event":"sent","pid":0,"peer":4,"peer_path":"b","type":"trace.fail","msg":"trace.fail{Err:\"disk is full\"}"}
{"n":8,"t":1000000,"event":"exited","pid":4,"path":"b","reason":"disk is full","abnormal":true}
{"end":"stopped","events":8}
`
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("stream (-want +got):\n%s", diff)
		}
		var r Record
		if err := json.Unmarshal([]byte(want[:strings.Index(want, "\n")]), &r); err != nil || r.Path != "a" {
			t.Errorf("a line read back as a Record is %+v, %v", r, err)
		}
	})
}

// The same program gives the same bytes, whatever the machine does meanwhile;
// but for what happens at one instant in two processes: here that a has handled
// the message which made it send one to b.
func TestStreamIsDeterministic(t *testing.T) {
	first := ""
	for i := range 200 {
		traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
			s, out := streaming(t, node, StreamSpec{Kinds: everyKind() &^ process.Handled})
			tell(t, node)
			if _, err := s.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			if first == "" {
				first = out.String()
			}
			if diff := cmp.Diff(first, out.String()); diff != "" {
				t.Fatalf("run %d differs (-first +this):\n%s", i+1, diff)
			}
		})
	}
}

func TestFilters(t *testing.T) {
	tests := []struct {
		name string
		spec StreamSpec
		want string // events and paths
	}{
		{"by kind", StreamSpec{Kinds: process.Exited}, "exited shop, exited shop/till, exited shopping"},
		{"by path", StreamSpec{Kinds: process.Spawned | process.Exited, Under: "shop"},
			"spawned shop, spawned shop/till, exited shop, exited shop/till"},
		{"by path of a leaf", StreamSpec{Kinds: process.Spawned, Under: "shop/till"}, "spawned shop/till"},
		{"by message", StreamSpec{Message: reflect.TypeFor[greet](), Kinds: process.Received}, "received shopping"},
		{"abnormal", StreamSpec{Abnormal: true, Kinds: process.Exited | process.Crashed}, "crashed shopping, exited shopping"},
		{"all of them", StreamSpec{Abnormal: true, Kinds: process.Exited, Under: "shop"}, ""},
	}
	for _, tt := range tests {
		traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
			s, out := streaming(t, node, tt.spec)
			shop := startWorker(t, node.Context(), "shop")
			send(t, node.Context(), shop, open{t, "till"})
			synctest.Wait()
			shopping := startWorker(t, node.Context(), "shopping")
			send(t, node.Context(), shopping, &greet{"all"})
			send(t, node.Context(), shop, fail{process.Shutdown(errors.New("closing time"))})
			synctest.Wait()
			send(t, node.Context(), shopping, fail{errDisk})
			synctest.Wait()
			if _, err := s.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range out.records(t) {
				if r["end"] == nil {
					got = append(got, fmt.Sprint(r["event"], " ", r["path"]))
				}
			}
			if got := strings.Join(got, ", "); got != tt.want {
				t.Errorf("%s: got %s; want %s", tt.name, got, tt.want)
			}
		})
	}
}

// open starts a worker below another.
type open struct {
	t  *testing.T
	id string
}

func (m open) do(ctx context.Context) error { startWorker(m.t, ctx, m.id); return nil }

func TestFilterByPID(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		a, b := startWorker(t, node.Context(), "a"), startWorker(t, node.Context(), "b")
		s, out := streaming(t, node, StreamSpec{PID: b, Kinds: process.Sent | process.Received})
		if n := s.Matches(); n != 1 {
			t.Errorf("Matches() = %d, want 1", n)
		}
		send(t, node.Context(), a, greet{"nobody"})
		send(t, node.Context(), a, relay{b}) // about b too: a sends it something
		synctest.Wait()
		if n := len(out.records(t)); n != 2 {
			t.Errorf("%d events, want that a sends and that b receives:\n%s", n, out)
		}
	})
}

// A typo in a path is seen at once.
func TestMatches(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		startWorker(t, node.Context(), "shop")
		for under, want := range map[string]int{"": 1, "shop": 1, "sho": 0} {
			s, _ := streaming(t, node, StreamSpec{Under: under})
			if got := s.Matches(); got != want {
				t.Errorf("under %q: Matches() = %d, want %d", under, got, want)
			}
		}
	})
}

// There is no stream without limits, and each says which one ended it.
func TestLimits(t *testing.T) {
	burst := func(t *testing.T, node *process.Node, n int) {
		pid := startWorker(t, node.Context(), "worker")
		for range n {
			send(t, node.Context(), pid, greet{})
		}
		synctest.Wait()
	}
	t.Run("count", func(t *testing.T) {
		traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
			s, out := streaming(t, node, StreamSpec{Kinds: process.Sent, Limit: 3})
			burst(t, node, 5)
			wantEnd(t, s, End{Why: ByLimit, Events: 3})
			if n := strings.Count(out.String(), "\n"); n != 4 {
				t.Errorf("%d lines, want 3 events and the end", n)
			}
		})
	})
	t.Run("rate", func(t *testing.T) {
		traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
			s, _ := streaming(t, node, StreamSpec{Kinds: process.Sent, Rate: 10})
			burst(t, node, 10)
			time.Sleep(time.Second)
			burst(t, node, 11)
			wantEnd(t, s, End{Why: ByRate, Events: 20})
		})
	})
	t.Run("time", func(t *testing.T) {
		traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
			began := time.Now()
			s, _ := streaming(t, node, StreamSpec{Kinds: process.Sent})
			burst(t, node, 1)
			wantEnd(t, s, End{Why: ByTime, Events: 1})
			if took := time.Since(began); took != defaultFor {
				t.Errorf("it took %v, want the default of %v", took, defaultFor)
			}
		})
	})
	t.Run("node", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			node := process.NewNode(process.NodeSpec{})
			start(t, node, Options{Output: &buffer{}})
			s, _ := streaming(t, node, StreamSpec{Kinds: process.Sent})
			burst(t, node, 1)
			if err := node.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			wantEnd(t, s, End{Why: ByNode, Events: 1})
		})
	})
	t.Run("ctx", func(t *testing.T) {
		traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
			ctx, cancel := context.WithCancel(node.Context())
			s, err := Stream(ctx, StreamSpec{To: &buffer{}})
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			wantEnd(t, s, End{Why: ByContext})
		})
	})
	t.Run("owner", func(t *testing.T) {
		traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
			var s *Session
			pid := startWorker(t, node.Context(), "owner")
			send(t, node.Context(), pid, do(func(ctx context.Context) (err error) {
				s, err = Stream(ctx, StreamSpec{To: &buffer{}, Kinds: process.Network})
				return err
			}))
			send(t, node.Context(), pid, fail{process.End(nil)})
			synctest.Wait()
			wantEnd(t, s, End{Why: ByContext})
		})
	})
	t.Run("killed", func(t *testing.T) {
		traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
			s, _ := streaming(t, node, StreamSpec{Kinds: process.Sent})
			if err := process.Kill(node.Context(), s.PID()); err != nil {
				t.Fatal(err)
			}
			burst(t, node, 1) // finds out that nobody is there
			wantEnd(t, s, End{Why: ByKill})
		})
	})
}

// do is a message that is a function.
type do func(context.Context) error

func (m do) do(ctx context.Context) error { return m(ctx) }

// A stream that is over costs nothing: the node asks nobody any more.
func TestStreamLeavesNothing(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		s, _ := streaming(t, node, StreamSpec{Kinds: process.Sent})
		if !process.Wants(node.Context(), process.Sent, process.LevelQuiet) {
			t.Error("the node does not ask for what the stream wants")
		}
		if _, err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if process.Wants(node.Context(), process.Sent, process.LevelQuiet) {
			t.Error("the node still asks for what a stream wanted that is over")
		}
	})
}

// A slow writer loses events, not time, and says how many.
func TestSlowStream(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		var out buffer
		slow := newGate(&out)
		s, _ := streaming(t, node, StreamSpec{To: slow, Kinds: process.Sent, Limit: maxLimit, Rate: maxLimit})
		quick, quickOut := streaming(t, node, StreamSpec{Kinds: process.Sent, Limit: maxLimit, Rate: maxLimit})
		pid := startWorker(t, node.Context(), "worker")
		send(t, node.Context(), pid, greet{})
		synctest.Wait() // that one blocks the writer
		for range buffered + 7 {
			send(t, node.Context(), pid, greet{})
			synctest.Wait()
		}
		slow.open()
		synctest.Wait()
		send(t, node.Context(), pid, greet{})
		synctest.Wait()
		s.end(ByStop)
		wantEnd(t, s, End{Why: ByStop, Events: buffered + 2, Dropped: 7})
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if last := lines[len(lines)-2]; !strings.Contains(last, `"dropped":7`) {
			t.Errorf("the event after the gap is %s, want it to tell of 7 dropped", last)
		}
		quick.end(ByStop)
		wantEnd(t, quick, End{Why: ByStop, Events: buffered + 9})
		if n := strings.Count(quickOut.String(), "\n"); n != buffered+10 {
			t.Errorf("the other stream has %d lines, want %d: they do not influence each other", n, buffered+10)
		}
	})
}

// A writer that fails ends its stream, and nothing else.
func TestBrokenStream(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, log *buffer) {
		s, _ := streaming(t, node, StreamSpec{To: failing{}, Kinds: process.Sent})
		pid := startWorker(t, node.Context(), "worker")
		send(t, node.Context(), pid, greet{})
		wantEnd(t, s, End{Why: ByWriter, Err: errDisk})
		send(t, node.Context(), pid, fail{errDisk})
		log.only(t) // of the worker, not of the stream
	})
}

// What a message shows is read while it is the sender's, or the receiver's: so
// that neither races with the tracer. (This needs the race detector to fail.)
func TestMessagesAreReadByTheirOwner(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		s, out := streaming(t, node, StreamSpec{Kinds: process.Sent | process.Received})
		pid := startWorker(t, node.Context(), "worker")
		for range 10 {
			send(t, node.Context(), pid, &changing{})
		}
		if _, err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, r := range out.records(t) {
			if r["msg"] != nil && r["msg"] != "&trace.changing{N:0}" {
				t.Errorf("message shown as %v, want it as it was then", r["msg"])
			}
		}
	})
}

type changing struct{ N int }

func (m *changing) do(context.Context) error { m.N++; return nil }

// No secret appears in a stream either.
func TestStreamHidesSecrets(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		s, out := streaming(t, node, StreamSpec{})
		pid := startWorker(t, node.Context(), "worker")
		send(t, node.Context(), pid, account{canary})
		synctest.Wait()
		pid = startWorker(t, node.Context(), "worker")
		send(t, node.Context(), pid, credentials{"ann", canary, []byte(canary)})
		synctest.Wait()
		if _, err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), canary) {
			t.Errorf("the stream shows a secret:\n%s", out)
		}
	})
}

func TestStreamRefuses(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		_, err := Stream(node.Context(), StreamSpec{Kinds: 1 << 31, Limit: maxLimit + 1, Rate: -1, For: process.Infinity, Under: "shop/"})
		for _, field := range []string{"To", "Kinds", "Limit", "Rate", "For", "Under"} {
			if err == nil || !strings.Contains(err.Error(), "StreamSpec."+field+" ") {
				t.Errorf("bad spec: %v; want all faults, among them that of %s", err, field)
			}
		}
		_, err = Stream(node.Context(), StreamSpec{To: &buffer{}, Kinds: process.Handled, Match: Match[greet](nil)})
		if err == nil || !strings.Contains(err.Error(), "StreamSpec.Match ") {
			t.Errorf("a pattern for what was handled: %v, want a refusal", err)
		}
		for i := range maxSessions + 1 {
			_, err = Stream(node.Context(), StreamSpec{To: &buffer{}})
			if i < maxSessions && err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
		}
		if err == nil || !strings.Contains(err.Error(), "limit") {
			t.Errorf("one stream too many: %v, want a refusal", err)
		}
	})
	bubble(t, func(t *testing.T, node *process.Node) {
		if _, err := Stream(node.Context(), StreamSpec{To: &buffer{}}); err == nil || !strings.Contains(err.Error(), "trace.Start") {
			t.Errorf("without a tracer: %v, want the cure", err)
		}
	})
	if _, err := Stream(context.Background(), StreamSpec{To: &buffer{}}); !errors.Is(err, process.ErrNoNode) {
		t.Errorf("without a node: %v, want ErrNoNode", err)
	}
}

// Whatever happens, no stream outlives its limits.
func TestNoStreamOutlivesItsLimits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit, rate := rapid.IntRange(1, 30).Draw(rt, "limit"), rapid.IntRange(1, 30).Draw(rt, "rate")
		length := time.Duration(rapid.IntRange(1, 5000).Draw(rt, "length")) * time.Millisecond
		pauses := rapid.SliceOfN(rapid.IntRange(0, 500), 0, 60).Draw(rt, "pauses")
		fault := ""
		traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
			began := time.Now()
			s, out := streaming(t, node, StreamSpec{Kinds: process.Sent, Limit: limit, Rate: rate, For: length})
			pid := startWorker(t, node.Context(), "worker")
			for _, ms := range pauses {
				time.Sleep(time.Duration(ms) * time.Millisecond)
				send(t, node.Context(), pid, greet{})
			}
			end, err := s.Wait(context.Background())
			lines := strings.Count(out.String(), "\n")
			switch {
			case err != nil:
				fault = err.Error()
			case end.Events > limit || lines != end.Events+1:
				fault = fmt.Sprintf("%d events in %d lines, limit %d", end.Events, lines, limit)
			case end.Why == ByTime && time.Since(began) < length:
				fault = fmt.Sprintf("ended by time after %v of %v", time.Since(began), length)
			}
		})
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}
