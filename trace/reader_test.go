package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coppice-go/coppice/process"
)

const oneEvent = `{"n":1,"t":5,"event":"sent","pid":3}` + "\n"

func TestReader(t *testing.T) {
	tests := []struct {
		name   string
		in     string
		events int
		is     error  // that ends it
		says   string // part of the error
	}{
		{"whole", oneEvent + `{"end":"limit","events":1,"dropped":2}` + "\n", 1, io.EOF, ""},
		{"what follows the end is not read", `{"end":"limit","events":0}` + "\n" + oneEvent, 0, io.EOF, ""},
		{"fields of a later version", `{"n":1,"event":"sent","new":1}` + "\n" + `{"end":"time","events":1}` + "\n", 1, io.EOF, ""},
		{"empty", "", 0, io.ErrUnexpectedEOF, ""},
		{"no end", oneEvent, 1, io.ErrUnexpectedEOF, ""},
		{"cut", oneEvent + oneEvent[:20], 1, io.ErrUnexpectedEOF, "line 2"},
		{"no JSON", oneEvent + "sent\n", 1, nil, "line 2 is none of a stream"},
		{"other JSON", `{"level":"error"}` + "\n", 0, nil, "line 1 is none of a stream"},
		{"endless line", strings.Repeat("x", maxRead+1), 0, nil, "line 1"},
	}
	for _, tt := range tests {
		r := NewReader(iotest.HalfReader(strings.NewReader(tt.in)))
		events := 0
		var err error
		for err == nil {
			if _, err = r.Next(); err == nil {
				events++
			}
		}
		if events != tt.events || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %d events, then %v; want %d, %v %s", tt.name, events, err, tt.events, tt.is, tt.says)
		}
		if _, again := r.Next(); again != err {
			t.Errorf("%s: after its error it gives %v", tt.name, again)
		}
		if end, ok := r.End(); ok != (err == io.EOF) || ok && end.Why == "" {
			t.Errorf("%s: End() = %+v, %v", tt.name, end, ok)
		}
	}
}

// What is written is read back as it was.
func TestReaderRoundTrip(t *testing.T) {
	traced(t, func(t *testing.T, node *process.Node, _ *buffer) {
		s, out := streaming(t, node, StreamSpec{})
		tell(t, node)
		want, err := s.Stop(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got, end := read(t, strings.NewReader(out.String()))
		if end != want {
			t.Errorf("end read back: %+v, want %+v", end, want)
		}
		var again bytes.Buffer
		r := recorder{Session: &Session{spec: StreamSpec{To: &again}}}
		for _, record := range got {
			if err := r.write(record); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.write(end); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(out.String(), again.String()); diff != "" {
			t.Errorf("written anew (-first +second):\n%s", diff)
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(oneEvent + `{"end":"limit","events":1}` + "\n"))
	f.Add([]byte("\n{}\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(bytes.NewReader(in))
		lines := bytes.Count(in, []byte("\n"))
		for n := 0; ; n++ {
			record, err := r.Next()
			if err != nil {
				return
			}
			if n >= lines || record.N < 1 || record.Event == "" {
				t.Fatalf("event %d of %d lines is %+v", n, lines, record)
			}
			if _, err := json.Marshal(record); err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
		}
	})
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file, err := os.Create(t.TempDir() + "/followed")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		in, err := os.Open(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		ctx, cancel := context.WithCancelCause(t.Context())
		r := NewReader(Follow(ctx, in, 10*time.Second))
		began := time.Now()
		time.AfterFunc(15*time.Second, func() { _, _ = file.WriteString(oneEvent + oneEvent[:9]) }) // seen by the read below
		if record, err := r.Next(); err != nil || record.N != 1 {
			t.Errorf("the first event is %+v, %v", record, err)
		}
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("it was seen after %v, want at the second look, after 20s", took)
		}
		time.AfterFunc(time.Minute, func() { cancel(errDisk) })
		if _, err := r.Next(); !errors.Is(err, errDisk) { // though half a line is there
			t.Errorf("cancelled: %v, want the cause", err)
		}
		if _, err := Follow(t.Context(), iotest.ErrReader(errDisk), 0).Read(make([]byte, 1)); err != errDisk {
			t.Errorf("a reader that fails: %v, want its error", err)
		}
	})
}
