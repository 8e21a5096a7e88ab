package acceptor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// Options are what can be changed of a listener that runs: the fields of its
// [Spec] that have the same names.
type Options struct {
	MaxConnections  int
	Overflow        Overflow
	SoftConnections int
	SoftWait        time.Duration

	Rate  float64
	Burst int

	Access []Rule
	Alarms []Alarm

	// Protocol, HandshakeTimeout: of the connections that come after the change. A
	// Service stays one; a new one is called when the one before has returned, say
	// after a drain.
	Protocol         Handler
	HandshakeTimeout time.Duration
}

// options are the part of a Spec that can be changed.
func (s *Spec) options() Options {
	return Options{
		MaxConnections: s.MaxConnections, Overflow: s.Overflow, SoftConnections: s.SoftConnections, SoftWait: s.SoftWait,
		Rate: s.Rate, Burst: s.Burst, Access: s.Access, Alarms: s.Alarms,
		Protocol: s.Protocol, HandshakeTimeout: s.HandshakeTimeout,
	}
}

const defaultSoftWait = time.Second

// faults are everything that is wrong with them; datagrams: for a UDP listener.
func (o *Options) faults(datagrams bool) (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.Protocol == nil {
		fault("Protocol is missing: nobody would speak on the connections")
	} else {
		faults = append(faults, o.Protocol.faults(datagrams)...)
	}
	if o.MaxConnections < 0 {
		fault("MaxConnections is %d: use 0 for no limit", o.MaxConnections)
	}
	if o.Overflow != Wait && o.Overflow != Refuse {
		fault("Overflow is %d: use Wait or Refuse", o.Overflow)
	}
	if datagrams && o.SoftConnections > 0 {
		fault("SoftConnections is %d, but datagrams do not wait in a queue until there is room: leave it out", o.SoftConnections)
	}
	if o.SoftConnections < 0 {
		fault("SoftConnections is %d: use 0 for no limit", o.SoftConnections)
	}
	if o.MaxConnections > 0 && o.SoftConnections >= o.MaxConnections {
		fault("SoftConnections is %d, MaxConnections %d: the soft limit is the lower one", o.SoftConnections, o.MaxConnections)
	}
	if o.SoftWait < 0 && o.SoftWait != process.Infinity {
		fault("SoftWait is %v: use a time, 0 for %v or Infinity", o.SoftWait, defaultSoftWait)
	}
	if o.Rate < 0 || math.IsNaN(o.Rate) || math.IsInf(o.Rate, 0) {
		fault("Rate is %v: use connections per second, or 0 for no limit", o.Rate)
	}
	if o.Burst < 0 || o.Burst > 0 && o.Rate == 0 {
		fault("Burst is %d: use 0 for what Rate brings in a second, and set Rate", o.Burst)
	}
	for i, r := range o.Access {
		if err := r.fault(); err != nil {
			fault("Access[%d]: From is %w", i, err)
		}
	}
	faults = append(faults, alarmFaults(o.Alarms)...)
	if o.HandshakeTimeout < 0 && o.HandshakeTimeout != process.Infinity {
		fault("HandshakeTimeout is %v: use a time, 0 for %v or Infinity", o.HandshakeTimeout, defaultHandshake)
	}
	return faults
}

// settings are options as they are in force. They are never changed, only
// replaced.
type settings struct {
	Options
	version int // how often they have been changed
	access  []Rule
	meter   *meter
	connect connect
}

// connect starts the process of a connection.
type connect = func(context.Context, *listener, *arrival) (process.PID, error)

// settle makes settings of valid options; before: what they replace, or nil.
func (o Options) settle(before *settings, now time.Time) *settings {
	s := &settings{Options: o.clone()}
	var meter *meter
	if before != nil {
		s.version, meter = before.version+1, before.meter
	}
	for _, r := range o.Access {
		s.access = append(s.access, r.plain())
	}
	s.meter = meterOf(meter, &o, now)
	s.connect = o.Protocol.starter()
	if s.HandshakeTimeout == 0 {
		s.HandshakeTimeout = defaultHandshake
	}
	return s
}

// clone is a copy that shares no memory.
func (o Options) clone() Options {
	o.Access, o.Alarms = slices.Clone(o.Access), slices.Clone(o.Alarms)
	return o
}

// limits are what the ledger needs of them.
func (o *Options) limits() limits {
	l := limits{max: o.MaxConnections, soft: o.SoftConnections, pause: o.SoftWait, overflow: o.Overflow}
	if l.pause == 0 {
		l.pause = defaultSoftWait
	}
	return l
}

// keepTo puts limits in force. mu is held.
func (l *listener) keepTo(now limits) {
	if l.spec.datagrams() {
		now.overflow = Refuse // they do not wait
	}
	l.ledger.limits = now
}

func (l *listener) settings() *settings { return l.current.Load() }

// GetOptions returns a listener's options as they are now.
func GetOptions(ctx context.Context, listener process.Target) (Options, error) {
	t, err := find(ctx, listener)
	if err != nil {
		return Options{}, err
	}
	now, err := server.Call(ctx, t.gate, getSettings{})
	if err != nil {
		return Options{}, err
	}
	return now.clone(), nil
}

// SetOptions changes options of a listener that runs. edit gets them as they
// are, and changes what it wants. Either all that it changed is in force when
// SetOptions returns, for acceptors and connections to come, or an error names
// every fault and nothing has changed. Connections that there are stay, and
// keep their Protocol.
//
// edit is called again if somebody else has changed the options meanwhile, so
// that neither change is lost. A listener that its supervisor starts again (see
// [StartFunc]) has the options that were set last. How it is bound [Rebind] changes.
func SetOptions(ctx context.Context, listener process.Target, edit func(*Options)) error {
	t, err := find(ctx, listener)
	if err != nil {
		return err
	}
	for {
		now, err := server.Call(ctx, t.gate, getSettings{})
		if err != nil {
			return err
		}
		next := now.clone()
		edit(&next)
		if faults := next.faults(t.packets); len(faults) > 0 {
			return fmt.Errorf("acceptor: options of %v, which stay as they are:\n%w", t.sup, errors.Join(faults...))
		}
		done, err := server.Call(ctx, t.gate, setSettings{next, now.version})
		if done || err != nil {
			return err
		}
	}
}

// SetMax changes MaxConnections; 0: no limit. Connections above a lower limit
// stay, new ones wait, or are refused.
func SetMax(ctx context.Context, listener process.Target, n int) error {
	return SetOptions(ctx, listener, func(o *Options) { o.MaxConnections = n })
}

// SetAccess changes Access. Connections that there are stay.
func SetAccess(ctx context.Context, listener process.Target, rules ...Rule) error {
	return SetOptions(ctx, listener, func(o *Options) { o.Access = rules })
}

type getSettings struct{}

func (getSettings) Handle(_ context.Context, g *gate) (*settings, error) { return g.l.settings(), nil }

// setSettings puts options in force, unless they were changed since that
// version.
type setSettings struct {
	Options
	version int
}

func (m setSettings) Handle(ctx context.Context, g *gate) (done bool, err error) {
	before := g.l.settings()
	if before.version != m.version {
		return false, nil
	}
	if err := replaceable(before.Protocol, m.Protocol); err != nil {
		return false, err
	}
	now := m.settle(before, time.Now())
	g.l.mu.Lock()
	done = g.l.current.CompareAndSwap(before, now)
	if done {
		g.l.keepTo(now.limits())
	}
	g.l.mu.Unlock()
	if !done {
		return false, nil
	}
	g.l.quiet(ctx, now.Alarms)
	return true, g.step(ctx)
}
