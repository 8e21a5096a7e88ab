package trace

import (
	"strings"

	"github.com/coppice-go/coppice/internal/render"
)

const (
	maxLinks = 32   // lines shown of one reason
	maxLine  = 1024 // bytes shown of one of them
)

// chain takes a reason apart: what each error in it says for itself, the
// outermost first. What an error repeats of those that it wraps is left out,
// and so is one that says nothing of its own. Where an error wraps several that
// all have something to say (errors.Join), each branch is indented.
//
// It reads what other people's Error and Unwrap methods say, so it survives
// their panics and does not follow them for ever.
func chain(reason error) []string {
	c := chainer{left: maxLinks}
	return c.walk(reason, "")
}

type chainer struct{ left int } // how many errors may still be looked at

// walk lists what err and those below it say. said is the line above, in which
// err's text may stand already.
func (c *chainer) walk(err error, said string) []string {
	if c.left--; c.left < 0 {
		return nil
	}
	text := render.Error(err)
	causes := unwrap(err)
	own := ownPart(text, causes)

	var lines []string
	if own != "" && !strings.Contains(said, own) {
		lines, said = append(lines, render.Clip(own, maxLine)), own
	}
	var branches [][]string
	for _, cause := range causes {
		if b := c.walk(cause, said); len(b) > 0 {
			branches = append(branches, b)
		}
	}
	for _, branch := range branches {
		for _, line := range branch {
			if len(branches) > 1 {
				line = "  " + line
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// ownPart is what an error's text adds to its causes' texts.
func ownPart(text string, causes []error) string {
	var all []string
	for _, cause := range causes {
		below := render.Error(cause)
		all = append(all, below)
		if text == below {
			return ""
		}
		text = strings.TrimSuffix(text, ": "+below)
	}
	if text == strings.Join(all, "\n") {
		return "" // errors.Join, which has no words of its own
	}
	return text
}

// unwrap lists what an error wraps directly.
func unwrap(err error) (causes []error) {
	defer func() {
		if recover() != nil {
			causes = nil
		}
	}()
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		if cause := err.Unwrap(); cause != nil {
			return []error{cause}
		}
	case interface{ Unwrap() []error }:
		for _, cause := range err.Unwrap() {
			if cause != nil {
				causes = append(causes, cause)
			}
		}
	}
	return causes
}
