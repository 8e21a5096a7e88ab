package identity

import (
	"fmt"
	"slices"
	"strings"
)

// A Flaw is one thing that is wrong, and what to do about it. It never holds a
// byte of a file, but for names, numbers and dates of certificates.
type Flaw struct {
	Check   Check
	Field   string // the field of [Files] that it is about
	File    string // its path; "" if none is named
	Problem string // what is wrong
	Cure    string // what to type, or to put right
	Err     error  // the cause, if it has one of its own: fs.ErrNotExist and the like
}

// Error says file, problem, check and cure, in this order.
func (f Flaw) Error() string {
	where := f.Field
	if f.File != "" {
		where += " " + f.File
	}
	return fmt.Sprintf("%s: %s [%s]: %s", where, f.Problem, f.Check, f.Cure)
}

// Unwrap returns the cause.
func (f Flaw) Unwrap() error { return f.Err }

// Is reports whether target is a flaw of the same check, and of the same file
// and field if target names them.
func (f Flaw) Is(target error) bool {
	t, ok := target.(Flaw)
	return ok && t.Check == f.Check && (t.File == "" || t.File == f.File) && (t.Field == "" || t.Field == f.Field)
}

// An Error says why a set of files cannot be used: every flaw, so that all can
// be put right at once. errors.Is(err, identity.Flaw{Check: identity.Expired})
// asks for one.
type Error struct{ Flaws []Flaw } // at least one

func (e *Error) Error() string {
	lines := []string{"identity: the TLS files cannot be used:"}
	for _, f := range e.Flaws {
		lines = append(lines, f.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the flaws.
func (e *Error) Unwrap() []error {
	all := make([]error, len(e.Flaws))
	for i, f := range e.Flaws {
		all[i] = f
	}
	return all
}

// Has reports whether a check found a flaw.
func (e *Error) Has(c Check) bool {
	return slices.ContainsFunc(e.Flaws, func(f Flaw) bool { return f.Check == c })
}

// A source is a file in its part.
type source struct{ field, path string }

// fault notes a flaw, unless its check is waived.
func (j *judge) fault(check Check, at source, cure, format string, args ...any) {
	j.add(Flaw{Check: check, Field: at.field, File: at.path, Cure: cure, Problem: fmt.Sprintf(format, args...)})
}

func (j *judge) add(f Flaw) {
	if slices.Contains(waivable, f.Check) {
		if slices.Contains(j.files.Waive, f.Check) {
			return
		}
		f.Cure += fmt.Sprintf("; or waive %q", f.Check)
	}
	j.flaws = append(j.flaws, f)
}

// found reports whether a check has found a flaw in a file.
func (j *judge) found(c Check, field string) bool {
	return slices.ContainsFunc(j.flaws, func(f Flaw) bool { return f.Check == c && f.Field == field })
}
