package trace

import (
	"fmt"

	"github.com/coppice-go/coppice/internal/render"
	"github.com/coppice-go/coppice/process"
)

// A Pattern is a question about messages, and may add a note to the line of
// each that it accepts (OTP: a match specification). It is a value: to be kept,
// used by several streams, and put together with [Pattern.Or].
type Pattern struct {
	look func(msg any) (note string, ok bool)
}

// Match is the pattern of messages of type M that accept lets through; nil: all
// of that type. A message that was sent as a pointer to an M is one too; M may
// be an interface.
//
// accept is called in the process that the event is about, maybe in several at
// once: it must be quick, must never block and must leave the message as it is.
// If it panics then the stream ends, and nothing else does.
func Match[M any](accept func(m M) bool) Pattern {
	return MatchNote(func(m M) (string, bool) { return "", accept == nil || accept(m) })
}

// MatchNote is Match with a note for the line of the event (OTP: the action
// {message, Note}). The note is shown as it is, up to 1024 bytes of it: it is for
// accept to leave secrets out.
func MatchNote[M any](accept func(m M) (note string, ok bool)) Pattern {
	return Pattern{func(msg any) (string, bool) {
		if m, ok := msg.(M); ok {
			return accept(m)
		}
		if m, ok := msg.(*M); ok && m != nil {
			return accept(*m)
		}
		return "", false
	}}
}

// Or is the pattern of what p or else q accepts; the note is from the one that
// does. The zero Pattern adds nothing.
func (p Pattern) Or(q Pattern) Pattern {
	switch {
	case p.isZero():
		return q
	case q.isZero():
		return p
	}
	return Pattern{func(msg any) (string, bool) {
		if note, ok := p.look(msg); ok {
			return note, true
		}
		return q.look(msg)
	}}
}

func (p Pattern) isZero() bool { return p.look == nil }

// accepts asks the pattern about an event's message. An error says that it
// panicked.
func (p Pattern) accepts(ev *process.Event) (note string, ok bool, err error) {
	switch {
	case p.isZero():
		return "", true, nil
	case ev.Msg == nil, ev.Kind == process.Handled: // by now its handler may have passed it on
		return "", false, nil
	}
	defer func() {
		if r := recover(); r != nil {
			note, ok, err = "", false, fmt.Errorf("trace: StreamSpec.Match panicked: %v", r)
		}
	}()
	if note, ok = p.look(carried(ev.Msg)); !ok {
		return "", false, nil
	}
	return render.Clip(note, maxLine), true, nil
}

// carried is what an envelope carries, and any other message itself.
func carried(msg any) any {
	if e, ok := msg.(interface{ Message() any }); ok {
		return e.Message()
	}
	return msg
}
