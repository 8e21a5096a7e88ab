package tlsconn

import (
	"context"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
)

// tick is how often an endpoint looks at its tally while there is something in it.
const tick = 10 * time.Second

// report tells what was kept back, and sets and clears alarms.
func (ep *endpoint) report(ctx context.Context, now time.Time, last bool) {
	for _, s := range ep.tally.overdue(now, last) {
		level, ok := ep.levels[s.class]
		if !ok {
			level = s.class.Level()
		}
		process.Emit(ctx, process.Event{
			Kind: process.Network, Level: level, Detail: keptBack{ep.name, s},
			Text: fmt.Sprintf("TLS: %d more in the last minute: %s", s.count, classRows[s.class].says),
		})
	}
	if last {
		ep.alarms(ctx, ep.tally.forgive())
		return
	}
	ep.alarms(ctx, ep.tally.judge(now))
}

func (ep *endpoint) alarms(ctx context.Context, changes []ratioChange) {
	for _, c := range changes {
		id := ep.alarm(c.row.id)
		if !c.on {
			clearAlarm(ctx, id)
			continue
		}
		setAlarm(ctx, alarm.Alarm{ID: id, Text: fmt.Sprintf("%s (%d of the last %d handshakes, class %v)", c.row.says, c.these, c.all, c.row.class)})
	}
}

// alarm is the ID of an alarm of this endpoint.
func (ep *endpoint) alarm(what string) string { return "tls " + ep.name + ": " + what }

// setAlarm sets an alarm, or, where nobody keeps alarms, says so.
func setAlarm(ctx context.Context, a alarm.Alarm) {
	if alarm.Set(ctx, a) == nil {
		return
	}
	process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelWarn, Text: "alarm: " + a.ID + ": " + a.Text, Reason: a.Err})
}

func clearAlarm(ctx context.Context, id string) {
	if alarm.Clear(ctx, id) == nil {
		return
	}
	process.Emit(ctx, process.Event{Kind: process.Warned, Level: process.LevelInfo, Text: "alarm over: " + id})
}

// keptBack is the detail of a line about many faults.
type keptBack struct {
	endpoint string
	suppressed
}

// Each gives what is known, by key, in order.
func (k keptBack) Each(yield func(key string, value any)) {
	yield("endpoint", k.endpoint)
	yield("class", k.class.String())
	yield("count", k.count)
	yield("peers", k.peers)
	yield("worst", k.worst)
	yield("worst_count", k.most)
}
