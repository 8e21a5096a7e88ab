package process

import (
	"context"
	"sync/atomic"
)

// An Alias is an address of a process that can be taken back: what is sent to
// it afterwards arrives nowhere (OTP: process aliases).
type Alias struct {
	p      *proc
	closed atomic.Bool
	mode   AliasMode
	mon    *monitor
}

// An AliasMode says what, besides Close, closes an alias.
type AliasMode uint8

const (
	AliasExplicit       AliasMode = iota // nothing
	AliasOnce                            // the first message
	AliasDemonitor                       // the end of its monitor
	AliasReplyDemonitor                  // either; the first message also takes the monitor away
)

// NewAlias makes an alias of the calling process; mode is AliasExplicit or
// AliasOnce.
func NewAlias(ctx context.Context, mode AliasMode) (*Alias, error) {
	p, err := actor(ctx)
	if err != nil {
		return nil, err
	}
	return &Alias{p: p, mode: mode}, nil
}

// MonitorAlias is Monitor with an alias that lives with it.
func MonitorAlias(ctx context.Context, to Target, tag any, mode AliasMode) (MonitorRef, *Alias, error) {
	a, err := NewAlias(ctx, mode)
	if err != nil {
		return MonitorRef{}, nil, err
	}
	ref, err := Monitor(ctx, to, tag)
	if err != nil {
		return ref, nil, err
	}
	a.mon = ref.m
	ref.m.alias.Store(a)
	if ref.m.state.Load() != monActive {
		a.monitorGone()
	}
	return ref, a, nil
}

// Send sends msg to the process if the alias is open.
func (a *Alias) Send(ctx context.Context, msg any) error {
	self, err := actor(ctx)
	if err != nil {
		return err
	}
	once := a.mode == AliasOnce || a.mode == AliasReplyDemonitor
	if once && !a.Close() || !once && a.closed.Load() {
		return nil
	}
	err = a.p.push(envelope{msg: msg, from: self, kind: envMessage})
	if a.mode == AliasReplyDemonitor {
		a.mon.drop()
	}
	return err
}

// Close takes the alias back and reports whether it was open. What it let in
// before stays in the mailbox.
func (a *Alias) Close() bool { return a.closed.CompareAndSwap(false, true) }

// monitorGone is told when the alias's monitor has fired or was taken away.
func (a *Alias) monitorGone() {
	if a != nil && (a.mode == AliasDemonitor || a.mode == AliasReplyDemonitor) {
		a.Close()
	}
}
