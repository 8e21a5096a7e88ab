package trace_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/trace"
)

// A Till splits bills.
type Till struct{ bills int }

// Split asks a Till to split a bill; the answer is what each one pays.
type Split struct{ Bill, Guests int }

// Handle implements server.Request.
func (m Split) Handle(_ context.Context, t *Till) (int, error) {
	t.bills++
	return m.Bill / m.Guests, nil
}

// The first thing to start on a node, so that it is the last to stop.
func ExampleStart() {
	node := process.NewNode(process.NodeSpec{})
	var log bytes.Buffer // nil would be standard error
	if _, err := trace.Start(node.Context(), trace.Options{Output: &log}); err != nil {
		fmt.Println(err)
		return
	}
	till, err := server.Start(node.Context(), server.Spec[Till]{Name: "till"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = server.Call(node.Context(), till, Split{Bill: 60})
	fmt.Println("caller:", err)

	// What is queued is written before Stop returns.
	if err := node.Stop(context.Background()); err != nil {
		fmt.Println(err)
	}
	var report struct{ Level, Message, Path, Reason, InHand string }
	if err := json.Unmarshal(bytes.ReplaceAll(log.Bytes(), []byte("in_hand"), []byte("InHand")), &report); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("log: %+v\n", report)
	// Output:
	// caller: process till ended: panic: runtime error: integer divide by zero
	// log: {Level:error Message:process crashed Path:till Reason:panic: runtime error: integer divide by zero InHand:trace_test.Split{Bill:60 Guests:0}}
}

// A stream has a filter and limits. Here the limit on their number ends it.
func ExampleStream() {
	node := process.NewNode(process.NodeSpec{})
	defer node.Stop(context.Background())
	if _, err := trace.Start(node.Context(), trace.Options{}); err != nil {
		fmt.Println(err)
		return
	}
	till, err := server.Start(node.Context(), server.Spec[Till]{Name: "till"})
	if err != nil {
		fmt.Println(err)
		return
	}

	s, err := trace.Stream(node.Context(), trace.StreamSpec{
		To:      timeless{},
		Kinds:   process.Received,
		Under:   "till",
		Message: reflect.TypeFor[Split](),
		Limit:   2,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("processes watched:", s.Matches())
	for guests := range 3 {
		if _, err := server.Call(node.Context(), till, Split{Bill: 60, Guests: guests + 1}); err != nil {
			fmt.Println(err)
		}
	}
	end, err := s.Wait(context.Background())
	fmt.Println(end.Why, end.Events, err)
	// Output:
	// processes watched: 1
	// {"n":1,"t":0,"event":"received","pid":2,"path":"till","type":"trace_test.Split","msg":"trace_test.Split{Bill:60 Guests:1}"}
	// {"n":2,"t":0,"event":"received","pid":2,"path":"till","type":"trace_test.Split","msg":"trace_test.Split{Bill:60 Guests:2}"}
	// {"end":"limit","events":2}
	// limit 2 <nil>
}

// timeless prints a stream without its times, which differ in each run of an
// example. In a test's bubble of testing/synctest they do not.
type timeless struct{}

func (timeless) Write(line []byte) (int, error) {
	var r trace.Record
	if err := json.Unmarshal(line, &r); err != nil {
		return 0, errors.New("a line is not a Record")
	}
	if r.N > 0 {
		r.T = 0
		enc := json.NewEncoder(os.Stdout)
		enc.SetEscapeHTML(false)
		return len(line), enc.Encode(r)
	}
	_, err := os.Stdout.Write(line)
	return len(line), err
}

// A long stream whose last part is kept in files, and read back. Only large bills
// are of interest here.
func ExampleFiles() {
	node := process.NewNode(process.NodeSpec{})
	defer node.Stop(context.Background())
	dir, err := os.MkdirTemp("", "trace")
	defer os.RemoveAll(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = trace.Start(node.Context(), trace.Options{})
	till, err2 := server.Start(node.Context(), server.Spec[Till]{Name: "till"})
	files := trace.Files{Path: filepath.Join(dir, "till"), Size: 64 << 10, Keep: 4}
	out, err3 := files.Create()
	if err := errors.Join(err, err2, err3); err != nil {
		fmt.Println(err)
		return
	}

	s, err := trace.Stream(node.Context(), trace.StreamSpec{
		To:    out,
		Kinds: process.Called,
		Match: trace.MatchNote(func(m Split) (string, bool) { return "large", m.Bill > 100 }),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for bill := range 3 {
		if _, err := server.Call(node.Context(), till, Split{Bill: 60 * bill, Guests: 2}); err != nil {
			fmt.Println(err)
		}
	}
	_, err = s.Stop(context.Background())
	in, err2 := files.Open()
	if err := errors.Join(err, out.Close(), err2); err != nil {
		fmt.Println(err)
		return
	}
	defer in.Close()
	for r := trace.NewReader(in); ; {
		record, err := r.Next()
		if err != nil {
			end, _ := r.End()
			fmt.Println(end.Why, err)
			return
		}
		fmt.Println(record.Event, record.PeerPath, record.Msg, record.Note)
	}
	// Output:
	// called till trace_test.Split{Bill:120 Guests:2} large
	// stopped EOF
}
