package system

import (
	"context"
	"fmt"
	"slices"

	"github.com/coppice-go/coppice/process"
)

// A Report is what [Status] tells. All of it is text or plain data: it was
// formatted in the process, so it may be kept and printed anywhere.
type Report struct {
	process.Info // Status is "running" or "suspended"
	// State is what the behaviour's Inspect shows of the state, shortened; "" if
	// it shows nothing. Inspect decides what is secret: use [State] for all of it.
	State string
	// Fields is what else the behaviour tells: the events that a state machine
	// has postponed, who owns the handlers of an event manager.
	Fields []Field
	// Watching is what has been switched on: "log 10", "statistics", "trace",
	// and the ids of [Install].
	Watching []string
}

// A Field is one line of a [Report].
type Field struct{ Key, Value string }

// A Detailed behaviour has more to tell in a [Report] than its state. The method
// is called in its process, between two turns.
type Detailed interface {
	SystemStatus(f func(key string, value any))
}

// Status looks at a process of whatever kind (OTP: sys:get_status).
func Status(ctx context.Context, to process.Target) (Report, error) {
	return ask(ctx, to, func(ctx context.Context, b process.Behaviour) (Report, error) {
		r := Report{Info: process.Self(ctx).Info()}
		if i, ok := b.(process.Inspector); ok && !r.Sensitive {
			if v := i.InspectState(); v != nil {
				r.State = process.Format(v)
			}
		}
		if d, ok := b.(Detailed); ok {
			d.SystemStatus(func(key string, value any) {
				r.Fields = append(r.Fields, Field{key, process.Format(value)})
			})
		}
		if p, ok := b.(Probed); ok {
			if rec, ok := (*p.SystemProbe()).(*recorder); ok {
				r.Watching = rec.watching()
			}
		}
		return r, nil
	})
}

// watching lists what is switched on.
func (r *recorder) watching() []string {
	var on []string
	if r.log != nil {
		on = append(on, fmt.Sprintf("log %d", r.log.size))
	}
	if r.stats != nil {
		on = append(on, "statistics")
	}
	for _, f := range r.installed {
		on = append(on, f.id)
	}
	return slices.Clip(on)
}
