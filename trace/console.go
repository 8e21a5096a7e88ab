package trace

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/coppice-go/coppice/process"
)

// NewConsole returns a writer that makes of each record something for people to
// read, and gives it to out: a headline with who and why, and below it what the
// reader needs next.
//
//	11:42:07.123 ERR process crashed: <7> hello/top/till: panic: runtime error: integer divide by zero age=6s kind=server
//	    because  panic
//	             runtime error: integer divide by zero
//	    in hand  main.Split{Bill:60 Guests:0}
//	    started  examples/hello/main.go:33 by <6 hello/top>
//	    stack    main.Split.Handle examples/hello/main.go:25
//
// It is for a logger of one's own that should look the same; [Options] have it
// as a Form.
func NewConsole(out io.Writer) io.Writer { return newConsole(out, terminal(out)) }

func newConsole(out io.Writer, colour bool) io.Writer {
	wd, err := os.Getwd()
	if err != nil {
		wd = "" // then paths stay long
	}
	c := &console{wd: wd, bold: colour && os.Getenv("NO_COLOR") == ""}
	return zerolog.ConsoleWriter{
		Out:             out,
		NoColor:         !c.bold,
		FieldsExclude:   []string{fieldBlock},
		FormatPrepare:   c.prepare,
		FormatTimestamp: func(v any) string { return clock(fmt.Sprint(v)) },
		FormatExtra: func(record map[string]any, buf *bytes.Buffer) error {
			_, err := fmt.Fprint(buf, record[fieldBlock])
			return err
		},
	}
}

// clock leaves the time of day of a time stamp: the day is known to who looks.
func clock(stamp string) string {
	t, err := time.Parse(timeLayout, stamp)
	if err != nil {
		return stamp
	}
	return t.Format("15:04:05.000")
}

type console struct {
	wd   string
	bold bool

	mu   sync.Mutex
	told string // the last reason that was taken apart; guarded by mu
}

// news reports whether a reason is another than that of the record before. In a
// cascade each supervisor has the same one to report.
func (c *console) news(reason string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.told
	c.told = reason
	return reason != was
}

// fieldBlock is where prepare leaves what stands below the headline.
const fieldBlock = "\x00block"

// prepare rearranges a record before zerolog prints it: what a headline or the
// block below says is not said again as a field.
func (c *console) prepare(fields map[string]any) error {
	r := record(fields)
	event := r.take(fieldEvent) // the headline says it in words
	reason := r.take(fieldReason)
	r.take(fieldNode)
	if fmt.Sprint(r["mailbox"]) == "0" {
		r.take("mailbox")
	}
	r[zerolog.MessageFieldName] = r.headline(event, reason)
	r[fieldBlock] = c.block(r, event, reason)
	return nil
}

// A record is what zerolog made of a report, on its way to the console.
type record map[string]any

// take returns a field, which will not be printed any more; "" if there is none.
func (r record) take(field string) string {
	v, ok := r[field]
	if !ok {
		return ""
	}
	delete(r, field)
	return fmt.Sprint(v)
}

// takeList is take for a field of several lines.
func (r record) takeList(field string) (lines []string) {
	list, _ := r[field].([]any)
	delete(r, field)
	for _, v := range list {
		lines = append(lines, fmt.Sprint(v))
	}
	return lines
}

// headline says what happened, to whom, and why, as far as one line can.
func (r record) headline(event, reason string) string {
	head := r.take(zerolog.MessageFieldName)
	pid, path, app := r.take(fieldPID), r.take(fieldPath), r.take(fieldApp)
	switch {
	case event == process.Application.String(): // whose words name all that matter
		r.take("application")
		r.take("what")
	case pid != "":
		head += strings.TrimRight(": <"+pid+"> "+path, " ")
	}
	if first, _, _ := strings.Cut(path, "/"); app != "" && app != first {
		r[fieldApp] = app
	}
	if first, _, more := strings.Cut(reason, "\n"); reason != "" {
		head += ": " + first
		if more {
			head += " …"
		}
	}
	return head
}

// block is what stands below the headline.
func (c *console) block(r record, event, reason string) string {
	var b strings.Builder
	lines := func(label string, lines ...string) {
		for _, line := range lines {
			for part := range strings.Lines(line) {
				fmt.Fprintf(&b, "\n    %-8s %s", label, strings.TrimRight(part, "\n"))
				label = ""
			}
		}
	}
	because := r.takeList(fieldChain)
	if len(because) == 0 && strings.Contains(reason, "\n") {
		because = []string{reason} // one error of several lines
	}
	if c.news(reason) {
		lines("because", because...)
	}
	lines("in hand", r.take(fieldInHand))
	lines("state", r.take(fieldState))

	stack := c.shorten(r.takeList(fieldStack))
	if at := c.short(r.take(fieldAt)); len(stack) == 0 || stack[0] != at {
		lines("at", at)
	}
	at, by := c.short(r.take(fieldSpawner)), r.take(fieldStarter)
	if event == process.Crashed.String() || event == process.Abandoned.String() {
		if by != "" {
			at = strings.TrimLeft(at+" by "+by, " ")
		}
		lines("started", at)
	}
	lines("stack", stack...)
	for _, field := range slices.Sorted(maps.Keys(r)) {
		if isStack(field) { // of somebody else
			lines(field, c.shorten(r.takeList(field))...)
		}
	}
	return b.String()
}

// shorten shows a stack as seen from here.
func (c *console) shorten(stack []string) (short []string) {
	for _, place := range stack {
		if !strings.HasPrefix(place, "goroutine ") {
			place = c.short(place)
		}
		short = append(short, place)
	}
	return short
}

// short shows the file of "function file:line" as seen from here, and the
// function without the path of its package: the file has that.
func (c *console) short(place string) string {
	function, file, both := strings.Cut(place, " ")
	if !both {
		function, file = "", place
	}
	if function = function[strings.LastIndex(function, "/")+1:]; function != "" {
		function += " "
	}
	if c.wd != "" && filepath.IsAbs(file) {
		if rel, err := filepath.Rel(c.wd, file); err == nil && !strings.HasPrefix(rel, "..") {
			file = rel
		}
	}
	return function + file
}
