package trace

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coppice-go/coppice/process"
)

// wrapper adds nothing to what it wraps.
type wrapper struct{ error }

func (w wrapper) Unwrap() error { return w.error }

// endless wraps itself, and says something else each time.
type endless struct{ n *int }

func (e endless) Error() string { *e.n++; return fmt.Sprint("again ", *e.n) }
func (e endless) Unwrap() error { return e }

type brokenErr struct{}

func (brokenErr) Error() string { panic("no words") }

type brokenUnwrap struct{}

func (brokenUnwrap) Error() string { return "broken" }
func (brokenUnwrap) Unwrap() error { panic("no cause") }

func TestChain(t *testing.T) {
	missing := &fs.PathError{Op: "open", Path: "server.crt", Err: fs.ErrNotExist}
	class := errors.New("bad certificate")
	tests := []struct {
		name   string
		reason error
		want   []string
	}{
		{"one error", errors.New("gone"), []string{"gone"}},
		{"each wrap on its own", fmt.Errorf("listener: load: %w", missing),
			[]string{"listener: load", "open server.crt", "file does not exist"}},
		{"wrapper without words", wrapper{wrapper{missing}}, []string{"open server.crt", "file does not exist"}},
		{"cause in the middle", fmt.Errorf("while %w happened", class), []string{"while bad certificate happened"}},
		{"class and cause", fmt.Errorf("%w: %w", class, missing),
			[]string{"bad certificate", "open server.crt", "file does not exist"}},
		{"joined", errors.Join(fmt.Errorf("first: %w", class), missing),
			[]string{"  first", "  bad certificate", "  open server.crt", "  file does not exist"}},
		{"joined, wrapped", fmt.Errorf("stop: %w", errors.Join(errors.New("a"), errors.New("b"))),
			[]string{"stop", "  a", "  b"}},
		{"joined alone", errors.Join(missing), []string{"open server.crt", "file does not exist"}},
		{"panic", &process.PanicError{Value: missing}, []string{"panic", "open server.crt", "file does not exist"}},
		{"panic without error", &process.PanicError{Value: "oh"}, []string{"panic: oh"}},
		{"shutdown", process.Shutdown(class), []string{"shutdown", "bad certificate"}},
		{"callee", &process.ExitError{Name: "till", Reason: class}, []string{"process till ended", "bad certificate"}},
		{"Error panics", brokenErr{}, []string{"!PANIC"}},
		{"Unwrap panics", brokenUnwrap{}, []string{"broken"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, chain(tt.reason)); diff != "" {
			t.Errorf("%s: chain of %v (-want +got):\n%s", tt.name, tt.reason, diff)
		}
	}
	if got := chain(endless{new(int)}); len(got) != maxLinks {
		t.Errorf("endless: %d lines, want the limit of %d", len(got), maxLinks)
	}
}
