package process

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/coppice-go/coppice/internal/render"
)

// A PanicError is the exit reason of a process that panicked: OTP's
// {Reason, Stack}.
type PanicError struct {
	Value any       // what was given to panic
	Stack []uintptr // program counters, innermost first; symbolised when printed
}

// newPanicError is called from the deferred function that recovered, so that
// the frames of the panic are still on the stack. skip counts the frames up to
// that deferred function.
func newPanicError(value any, skip int) *PanicError {
	pcs := make([]uintptr, 64)
	n := runtime.Callers(skip+2, pcs)
	return &PanicError{Value: value, Stack: pcs[:n:n]}
}

func (e *PanicError) Error() string { return "panic: " + panicText(e.Value) }

// panicText says what somebody panicked with, however broken that is.
func panicText(v any) string {
	switch v := v.(type) {
	case error:
		return render.Error(v)
	case string:
		return v
	}
	return render.Value(v)
}

// Unwrap returns the value of the panic if that was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Frames returns the stack from the function that panicked down to the last
// frame of the process's own code; the runtime's frames and ours are left out.
func (e *PanicError) Frames() []runtime.Frame {
	var out []runtime.Frame
	frames := runtime.CallersFrames(e.Stack)
	for {
		f, more := frames.Next()
		if !hiddenFrame(f.Function) {
			out = append(out, f)
		}
		if !more {
			return out
		}
	}
}

// StackText formats Frames, one "function file:line" a line.
func (e *PanicError) StackText() string {
	var b strings.Builder
	for _, f := range e.Frames() {
		fmt.Fprintf(&b, "%s %s:%d\n", f.Function, f.File, f.Line)
	}
	return b.String()
}

// hiddenFrame reports whether a frame says nothing about the user's code.
func hiddenFrame(function string) bool {
	return function == "" || strings.HasPrefix(function, "runtime.") ||
		strings.HasPrefix(function, modulePath+"process.(*proc).") ||
		strings.HasPrefix(function, modulePath+"process.newPanicError")
}

const modulePath = "github.com/coppice-go/coppice/"
