package process

import (
	"context"
	"log/slog"
)

// A Note is one thing that a process has said about itself.
type Note struct{ Key, Value string }

// Annotate lets the calling process say something about itself that [PID.Info]
// and crash reports show: which client it serves, which file it writes (OTP:
// the process dictionary and proc_lib's label). An empty value takes the note
// back. What a process works with belongs into its state.
func Annotate(ctx context.Context, key, value string) {
	p, err := actor(ctx)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.ext()
	for i := range x.notes {
		if x.notes[i].Key != key {
			continue
		}
		// Those who have looked hold the old slice, so it is not written to.
		rest := append(append([]Note(nil), x.notes[:i]...), x.notes[i+1:]...)
		if value != "" {
			rest = append(rest, Note{key, value})
		}
		x.notes = rest
		return
	}
	if value != "" {
		x.notes = append(x.notes[:len(x.notes):len(x.notes)], Note{key, value})
	}
}

// SetSensitive sets whether the calling process handles secrets (OTP:
// process_flag(sensitive)), and returns what was set before. What such a
// process takes and sends, its state and its notes never show: not in events,
// not in reports, not in Info. Its reasons do: an error must not hold a secret.
func SetSensitive(ctx context.Context, on bool) (was bool) {
	p, err := actor(ctx)
	if err != nil {
		return false
	}
	was = p.marked(markSensitive)
	p.setMark(markSensitive, on)
	return was
}

// hidden stands where a message of a sensitive process would.
type hidden struct{}

const hiddenText = "!SENSITIVE"

// LogValue implements slog.LogValuer, which reports and traces ask.
func (hidden) LogValue() slog.Value { return slog.StringValue(hiddenText) }

// Conceal takes the message out of an event that concerns a sensitive process. It
// is for those who make events without [Emit].
func (e *Event) Conceal() {
	for _, p := range [...]*proc{e.PID.p, e.Peer.p} {
		if p != nil && p.marked(markSensitive) {
			e.Msg = hidden{}
		}
	}
}
