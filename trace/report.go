package trace

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/coppice-go/coppice/internal/render"
	"github.com/coppice-go/coppice/process"
)

// The names of a report's fields. Those of a report's detail come as they are,
// under the names that they were given.
const (
	fieldEvent   = "event"
	fieldNode    = "node"
	fieldApp     = "app"
	fieldPID     = "pid"
	fieldPath    = "path"
	fieldPeer    = "peer"
	fieldReason  = "reason"
	fieldChain   = "chain"
	fieldInHand  = "in_hand"
	fieldState   = "state"
	fieldStarter = "started_by"
	fieldSpawner = "started_at"
	fieldAt      = "at"
	fieldStack   = "stack"
)

// timeLayout has what a second does not: the order of things in a cascade.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// A report is an event that somebody should read of.
type report struct {
	process.Event        // Msg is nil
	inHand        string // what was being handled
}

// capture takes from an event what only its own process may look at.
func capture(ev process.Event) report {
	r := report{Event: ev}
	if c, ok := ev.Detail.(*process.CrashReport); ok {
		r.inHand, r.Msg = c.Message, nil
	} else if ev.Msg != nil {
		r.inHand, r.Msg = render.Value(ev.Msg), nil
	}
	return r
}

// level maps the levels of process to zerolog's.
func level(l process.Level) zerolog.Level {
	switch l {
	case process.LevelError:
		return zerolog.ErrorLevel
	case process.LevelWarn:
		return zerolog.WarnLevel
	case process.LevelInfo:
		return zerolog.InfoLevel
	case process.LevelDebug, process.LevelQuiet:
		return zerolog.DebugLevel
	}
	return zerolog.ErrorLevel // a level that we do not know is not for hiding
}

// write makes one record of the report. It runs in the writer, so it may take
// its time: reasons are taken apart and stacks are symbolised here.
func (r *report) write(log zerolog.Logger, node string) {
	defer survive()
	e := begin(log, level(r.Level), r.Time, node).Str(fieldEvent, r.Kind.String())
	r.who(e)
	if reason := r.reason(); reason != nil {
		e.Str(fieldReason, render.Clip(render.Error(reason), maxLine))
		if links := chain(reason); len(links) > 1 {
			e.Strs(fieldChain, links)
		}
	}
	if r.inHand != "" {
		e.Str(fieldInHand, r.inHand)
	}
	if r.Detail != nil {
		r.Detail.Each(func(key string, value any) { r.detail(e, key, value) })
	}
	e.Msg(r.Text)
}

// reason is what the record gives as one. A reason that is the detail as well is
// told by its fields already: then what it wraps is.
func (r *report) reason() error {
	own, is := r.Reason.(process.Detail)
	if is && reflect.TypeOf(own).Kind() == reflect.Pointer && own == r.Detail {
		return errors.Unwrap(r.Reason)
	}
	return r.Reason
}

// begin starts a record with what all of them have.
func begin(log zerolog.Logger, l zerolog.Level, at time.Time, node string) *zerolog.Event {
	return log.WithLevel(l).Str(zerolog.TimestampFieldName, at.Format(timeLayout)).Str(fieldNode, node)
}

// who adds the processes that the report is about, and where the first of them
// comes from.
func (r *report) who(e *zerolog.Event) {
	if r.PID.IsZero() {
		return
	}
	e.Uint64(fieldPID, r.PID.ID()).Str(fieldPath, r.PID.Path())
	if g := r.PID.Group(); g != nil {
		e.Str(fieldApp, g.Name)
	}
	if !r.Peer.IsZero() {
		e.Str(fieldPeer, r.Peer.String())
	}
	if by := r.PID.Parent(); !by.IsZero() {
		e.Str(fieldStarter, by.String())
	}
	if at := r.PID.Spawner(); at != "" {
		e.Str(fieldSpawner, at)
	}
}

// detail adds one more field, in the type that suits its value.
func (r *report) detail(e *zerolog.Event, key string, value any) {
	if r.told(key, value) {
		return
	}
	switch key {
	case zerolog.LevelFieldName, zerolog.TimestampFieldName, zerolog.MessageFieldName, fieldEvent, fieldNode, fieldApp,
		fieldPID, fieldPeer, fieldChain, fieldInHand, fieldStarter, fieldSpawner, fieldAt:
		key = "detail_" + key // a record has each field once
	}
	switch v := value.(type) {
	case *process.PanicError:
		addStack(e, key, stack(v.Stack))
	case string:
		if isStack(key) {
			addStack(e, key, parseStack(v))
		} else {
			e.Str(key, v)
		}
	case []string:
		e.Strs(key, v)
	case bool:
		e.Bool(key, v)
	case int:
		e.Int(key, v)
	case time.Duration:
		e.Str(key, v.String())
	case error:
		e.Str(key, render.Clip(render.Error(v), maxLine))
	default:
		e.Str(key, render.Value(v))
	}
}

// told reports whether a detail repeats what every record of its kind has.
func (r *report) told(key string, value any) bool {
	switch key {
	case "path", "spawner", "reason": // of PID
		return true
	case "message": // what is in hand, as the process shows it
		return r.inHand != ""
	case fieldPID:
		return value == r.Peer
	}
	return false
}

// isStack reports whether a detail is a stack: "stack" itself, or one of
// several, "left.0.stack".
func isStack(key string) bool { return key == fieldStack || strings.HasSuffix(key, "."+fieldStack) }

func addStack(e *zerolog.Event, key string, s trimmed) {
	if key == fieldStack && s.at != (place{}) {
		e.Str(fieldAt, s.at.String())
	}
	lines := make([]string, 0, len(s.places)+1)
	if s.head != "" {
		lines = append(lines, s.head)
	}
	for _, p := range s.places {
		lines = append(lines, p.String())
	}
	e.Strs(key, lines)
}

// writeLost says how many reports nobody will read.
func writeLost(log zerolog.Logger, node string, lost int) {
	defer survive()
	begin(log, zerolog.WarnLevel, time.Now(), node).Str(fieldEvent, "dropped").Int("dropped", lost).
		Msg("reports dropped: more came than could be written")
}

// survive keeps a panic of the user's logger, in a hook say, from ending the
// writer. It costs the record, and is told where it can be told.
func survive() {
	if p := recover(); p != nil {
		fmt.Fprintf(os.Stderr, "coppice: cannot write a report: the logger panicked: %v\n", p)
	}
}
