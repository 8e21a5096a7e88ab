package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/trace"
)

// The README shows this program and what it prints. Here it prints it.
func TestHello(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	stdout := os.Stdout
	os.Stdout = out
	defer func() { os.Stdout = stdout }()

	var log strings.Builder
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		o := application.Options{Reports: trace.Options{Output: &log, Form: trace.Console}}
		if err := application.Run(ctx, o, hello); err != nil {
			t.Errorf("Run: %v", err)
		}
	})

	printed, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	const want = `3 guests pay 20 <nil>
2 guests pay 30 <nil>
1 guests pay 60 <nil>
0 guests pay 0 process hello/top/till ended: panic: runtime error: integer divide by zero
3 guests pay 20 <nil>
`
	if string(printed) != want {
		t.Errorf("it prints\n%s\nwant\n%s", printed, want)
	}
	for _, part := range []string{"process crashed: ", "main.Split{Bill:60 Guests:0}", "Split.Handle main.go:", "child terminated: ", "decision=restart"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log does not say %q:\n%s", part, log.String())
		}
	}
	if n := strings.Count(log.String(), " ERR "); n != 2 {
		t.Errorf("%d errors in the log, want the crash and the supervisor's decision:\n%s", n, log.String())
	}

	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(want) {
		if !strings.Contains(string(readme), line) {
			t.Errorf("README.md does not show %q", line)
		}
	}
}
