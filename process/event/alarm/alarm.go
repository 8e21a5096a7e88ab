package alarm

import (
	"context"
	"slices"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event"
)

// Name is the registered name of a node's alarm manager.
const Name = "alarms"

// KeeperID is the ID of the handler that keeps the alarms.
const KeeperID = "keeper"

// An Alarm is something that is wrong and lasts. There is one of an ID at most:
// setting it again replaces it.
type Alarm struct {
	ID   string
	Text string
	Err  error // what caused it, if that is an error
}

// A Change is the event of the alarm manager.
type Change struct {
	Alarm   Alarm
	Cleared bool // else it is set; of a cleared one only the ID is known
}

// Start starts the node's alarm manager with a [Keeper].
func Start(ctx context.Context) (event.Manager[Change], error) { return event.Start(ctx, spec()) }

// StartFunc is Start in the form that a supervisor's child has.
func StartFunc() func(context.Context) (process.PID, error) { return event.StartFunc(spec()) }

func spec() event.Spec[Change] {
	return event.Spec[Change]{Name: Name, Handlers: []event.AnyHandler[Change]{Keeper()}}
}

// Manager returns the alarm manager of ctx's node.
func Manager(ctx context.Context) (event.Manager[Change], error) {
	pid, err := process.Name(Name).Resolve(ctx)
	if err != nil {
		return event.Manager[Change]{}, err
	}
	return event.As[Change](pid)
}

// Set sets an alarm. It does not wait; an error says that nobody keeps alarms.
func Set(ctx context.Context, a Alarm) error { return notify(ctx, Change{Alarm: a}) }

// Clear clears the alarm with that ID. Clearing one that is not set is fine.
func Clear(ctx context.Context, id string) error {
	return notify(ctx, Change{Alarm: Alarm{ID: id}, Cleared: true})
}

func notify(ctx context.Context, c Change) error {
	m, err := Manager(ctx)
	if err != nil {
		return err
	}
	return m.Notify(ctx, c)
}

// List returns the alarms that are set, the latest first.
func List(ctx context.Context) ([]Alarm, error) {
	m, err := Manager(ctx)
	if err != nil {
		return nil, err
	}
	return event.Call(ctx, m, KeeperID, list{})
}

// A Book is the state of a [Keeper].
type Book struct{ alarms []Alarm } // latest first

// Alarms returns the alarms that are set, the latest first. Like the Book, it
// is for the manager's process, where a handler that takes over is made.
func (b *Book) Alarms() []Alarm {
	if b == nil {
		return nil
	}
	return slices.Clone(b.alarms)
}

// Keeper is the handler that keeps alarms and reports each change as a warning.
func Keeper() event.Handler[Change, Book] {
	return event.Handler[Change, Book]{ID: KeeperID, On: (*Book).on, Inspect: func(b *Book) any { return b.alarms }}
}

func (b *Book) on(ctx context.Context, c Change) error {
	at := slices.IndexFunc(b.alarms, func(a Alarm) bool { return a.ID == c.Alarm.ID })
	e := process.Event{Kind: process.Warned, Level: process.LevelWarn, Text: "alarm set", Reason: c.Alarm.Err, Msg: c.Alarm, Detail: detail(c.Alarm)}
	if c.Cleared {
		if at < 0 {
			return nil
		}
		e.Level, e.Text, e.Reason, e.Detail = process.LevelInfo, "alarm cleared", nil, detail(b.alarms[at])
	}
	if at >= 0 {
		b.alarms = slices.Delete(b.alarms, at, at+1)
	}
	if !c.Cleared {
		b.alarms = slices.Insert(b.alarms, 0, c.Alarm)
	}
	process.Emit(ctx, e)
	return nil
}

// detail is an alarm as the detail of its report.
type detail Alarm

func (d detail) Each(f func(key string, value any)) {
	f("alarm", d.ID)
	f("text", d.Text)
}

type list struct{}

func (list) Handle(_ context.Context, b *Book) ([]Alarm, error) { return b.Alarms(), nil }
