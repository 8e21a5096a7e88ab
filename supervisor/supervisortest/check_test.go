package supervisortest

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A decider is a strategy that is a function.
type decider func(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan

func (d decider) Decide(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan {
	return d(v, e, now)
}

// changed is one for one with its restarts changed.
func changed(by func(p *supervisor.Plan, v supervisor.View, e supervisor.Event)) supervisor.Strategy {
	return decider(func(v supervisor.View, e supervisor.Event, now time.Time) supervisor.Plan {
		p := supervisor.OneForOne.Decide(v, e, now)
		by(&p, v, e)
		return p
	})
}

func TestGoodStrategies(t *testing.T) {
	for name, s := range map[string]supervisor.Strategy{
		"one for one":  supervisor.OneForOne,
		"one for all":  supervisor.OneForAll,
		"rest for one": supervisor.RestForOne,
		"dynamic":      supervisor.Dynamic,
		"patient": changed(func(p *supervisor.Plan, v supervisor.View, e supervisor.Event) {
			if e.Kind != supervisor.WaitOver && p.Start.Len() > 0 {
				p.Wait = time.Second << min(v.At(e.Child).Failures, 10)
			}
		}),
		"stubborn, but not hasty": changed(func(p *supervisor.Plan, _ supervisor.View, e supervisor.Event) {
			if p.End == supervisor.ErrIntensity {
				*p = supervisor.Plan{Wait: time.Hour}
			}
		}),
		"gives up at once": changed(func(p *supervisor.Plan, _ supervisor.View, _ supervisor.Event) {
			if p.Start.Len() > 0 {
				*p = supervisor.Plan{End: process.ErrShutdown}
			}
		}),
	} {
		t.Run(name, func(t *testing.T) { Check(t, s) })
	}
}

// Each law is broken once, and each breach is named.
func TestBrokenStrategies(t *testing.T) {
	restarts := func(p *supervisor.Plan) bool { return p.Start.Len() > 0 }
	tests := []struct {
		name string
		s    supervisor.Strategy
		says string
	}{
		{"draws lots", changed(func(p *supervisor.Plan, _ supervisor.View, _ supervisor.Event) {
			if restarts(p) {
				p.Wait = time.Duration(1 + rand.Int64N(1<<40))
			}
		}), `"pure" is broken: asked twice`},
		{"counts beyond the end", changed(func(p *supervisor.Plan, v supervisor.View, _ supervisor.Event) {
			if restarts(p) {
				p.Start.To = v.Len() + 1
			}
		}), `"sound" is broken: Start is`},
		{"waits for the past", changed(func(p *supervisor.Plan, _ supervisor.View, _ supervisor.Event) {
			if restarts(p) {
				p.Wait = -1
			}
		}), `"sound" is broken: Wait is -1ns`},
		{"restarts everybody", decider(func(_ supervisor.View, e supervisor.Event, _ time.Time) supervisor.Plan {
			return supervisor.Plan{Start: supervisor.One(e.Child)}
		}), `so nobody is to be restarted`},
		{"keeps the temporary", changed(func(p *supervisor.Plan, _ supervisor.View, _ supervisor.Event) { p.Drop = false }),
			`is temporary, and not dropped`},
		{"drops the permanent", changed(func(p *supervisor.Plan, _ supervisor.View, _ supervisor.Event) { p.Drop = true }),
			`is permanent, and dropped`},
		{"never ends", changed(func(p *supervisor.Plan, _ supervisor.View, _ supervisor.Event) {
			if p.End == process.ErrShutdown {
				p.End = nil
			}
		}), `"obedient" is broken`},
		{"restarts for ever", changed(func(p *supervisor.Plan, _ supervisor.View, e supervisor.Event) {
			if p.End == supervisor.ErrIntensity {
				*p = supervisor.Plan{Start: supervisor.One(e.Child)}
			}
		}), `"bounded" is broken: there were more than`},
		{"waits for ever", changed(func(p *supervisor.Plan, _ supervisor.View, _ supervisor.Event) {
			if restarts(p) {
				p.Wait = time.Second
			}
		}), `"bounded" is broken`},
		{"leaves it at that", changed(func(p *supervisor.Plan, _ supervisor.View, e supervisor.Event) {
			if p.End == supervisor.ErrIntensity {
				*p = supervisor.Plan{}
			}
		}), `"nothing is lost" is broken: all is quiet, and`},
		{"stops a neighbour", changed(func(p *supervisor.Plan, v supervisor.View, e supervisor.Event) {
			if restarts(p) {
				p.Stop = supervisor.Span{To: v.Len()}
			}
		}), `"nothing is lost" is broken`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := verify(t, tt.s)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("it is told: %v\nwant it to say: %s", err, tt.says)
			}
		})
	}
}
