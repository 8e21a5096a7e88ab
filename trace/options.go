package trace

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rs/zerolog"

	"github.com/coppice-go/coppice/process"
)

// A Form is how a report looks.
type Form int

const (
	Auto    Form = iota // Console if Output is a terminal, else JSON
	Console             // for people: a headline and an indented block, see [NewConsole]
	JSON                // for machines: one object on a line
)

// Options say how a node's reports are written. The zero value writes them to
// standard error.
type Options struct {
	Output io.Writer // nil: standard error
	Form   Form
	// Logger is where reports go instead of Output and Form: a program's own
	// zerolog.Logger, with its fields and hooks. It should add no timestamp: a
	// report has the time at which the thing happened.
	Logger *zerolog.Logger
	// Progress shows what OTP calls progress too, at debug level: each child
	// started, each step of an application.
	Progress bool
	// Next is told of events as well, each in the process that it is about; nil:
	// nobody. It is for a probe that was there before.
	Next process.Probe
}

// logger makes the logger that o describes, or says all that is wrong with it.
func (o *Options) logger() (zerolog.Logger, error) {
	var faults []error
	if o.Form < Auto || o.Form > JSON {
		faults = append(faults, fmt.Errorf("trace: Options.Form is %d: use Auto, Console or JSON", o.Form))
	}
	if o.Logger != nil && (o.Output != nil || o.Form != Auto) {
		faults = append(faults, errors.New("trace: Options.Logger is set, and so is Output or Form: a Logger has an output of its own"))
	}
	if len(faults) > 0 {
		return zerolog.Nop(), errors.Join(faults...)
	}
	if o.Logger != nil {
		return *o.Logger, nil
	}
	out := o.Output
	if o.toStderr() {
		out = os.Stderr
	}
	tty := terminal(out)
	out = &guard{out: out, instead: os.Stderr}
	if o.Form == Console || o.Form == Auto && tty {
		out = newConsole(out, tty)
	}
	return zerolog.New(out), nil
}

// toStderr reports whether reports go to standard error, as far as we know.
func (o *Options) toStderr() bool {
	return o.Logger == nil && (o.Output == nil || o.Output == os.Stderr)
}

// terminal reports whether somebody is probably looking.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// A guard passes on what is written, and survives an output that does not. What
// could not be written goes to instead, with the reason: no report is lost in
// silence.
type guard struct {
	out     io.Writer
	instead io.Writer
}

// Write never fails.
func (g *guard) Write(p []byte) (int, error) {
	if err := write(g.out, p); err != nil && g.out != g.instead {
		// Nobody is left to be told if this fails too.
		_ = write(g.instead, fmt.Appendf(nil, "coppice: cannot write a report: %v\n%s", err, p))
	}
	return len(p), nil
}

// write writes all of p and makes an error of a panic.
func write(w io.Writer, p []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the writer panicked: %v", r)
		}
	}()
	n, err := w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}
