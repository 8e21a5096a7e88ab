package acceptor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
)

// sound carries out what the alarms decide, in the gate. It returns when to look
// again; zero: when the connections change.
func (g *gate) sound(ctx context.Context, now time.Time) (next time.Time) {
	alarms := g.l.settings().Alarms
	if len(alarms) == 0 {
		return next
	}
	for _, a := range alarms {
		do, n, again, first := g.l.look(a, now)
		if first {
			// A node without a manager has none to clear.
			_ = alarm.Clear(ctx, g.l.alarmID(a.Name))
		}
		if do.set {
			g.l.mark(ctx, a, n, false)
		}
		if do.call {
			g.call(ctx, a, n)
		}
		if do.clear {
			g.l.mark(ctx, a, n, true)
		}
		next = earlier(next, again)
	}
	return next
}

// look asks an alarm's siren. For the first time there may be an alarm that a
// listener of that name before this one has left set.
func (l *listener) look(a Alarm, now time.Time) (do sounding, n int, again time.Time, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sirens[a.Name]
	if s == nil {
		s, first = &siren{}, true
		l.sirens[a.Name] = s
	}
	n = l.ledger.open
	do = s.look(a, n, now)
	return do, n, s.next(a), first
}

// call runs an alarm's Callback.
func (g *gate) call(ctx context.Context, a Alarm, n int) {
	if a.Callback == nil {
		return
	}
	if pid, ok := g.calls[a.Name]; ok {
		g.l.say(ctx, process.LevelWarn, textBusy, nil, details{{"alarm", a.Name}, {"process", pid}})
		return
	}
	with := Alarmed{Alarm: a, Listener: g.l.pid(), Name: g.l.spec.Name, Connections: n}
	pid, err := process.GoSpec(ctx, process.Spec{Kind: "alarm"}, func(ctx context.Context) error { return a.Callback(ctx, with) })
	if err != nil {
		g.l.say(ctx, process.LevelError, textUncalled, err, details{{"alarm", a.Name}})
		return
	}
	g.calls[a.Name] = pid
}

// called notes that a Callback has returned. A crash was reported when it
// happened.
func (g *gate) called(pid process.PID) {
	for name, p := range g.calls {
		if p == pid {
			delete(g.calls, name)
		}
	}
}

// quiet clears the alarms that are set, but for those to keep.
func (l *listener) quiet(ctx context.Context, keep []Alarm) {
	l.mu.Lock()
	var end []string
	for name, s := range l.sirens {
		if slices.ContainsFunc(keep, func(a Alarm) bool { return a.Name == name }) {
			continue
		}
		if s.set {
			end = append(end, name)
		}
		delete(l.sirens, name)
	}
	l.mu.Unlock()
	for _, name := range end {
		l.mark(ctx, Alarm{Name: name}, 0, true)
	}
}

// mark sets or clears an alarm where it is kept, or else says so.
func (l *listener) mark(ctx context.Context, a Alarm, n int, cleared bool) {
	id := l.alarmID(a.Name)
	e := process.Event{Kind: process.Warned, Level: process.LevelWarn, Text: "alarm set"}
	var err error
	if cleared {
		e.Level, e.Text = process.LevelInfo, "alarm cleared"
		err = alarm.Clear(ctx, id)
	} else {
		text := fmt.Sprintf("%d connections: the threshold is %d", n, a.Threshold)
		e.Detail = details{{"alarm", id}, {"text", text}}
		err = alarm.Set(ctx, alarm.Alarm{ID: id, Text: text})
	}
	if err == nil {
		return // its keeper reports it
	}
	if !errors.Is(err, process.ErrNoProc) {
		e.Reason = err
	}
	if e.Detail == nil {
		e.Detail = details{{"alarm", id}}
	}
	process.Emit(ctx, e)
}

func (l *listener) alarmID(name string) string {
	who := l.spec.Name
	if who == "" {
		who = l.spec.Address
	}
	return who + ": " + name
}

// earlier returns the earlier of two times; zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
