package application

import (
	"context"
	"testing"
	"time"
)

// The end of MaxTime is a normal end of the application's own (APP-39).
func TestMaxTime(t *testing.T) {
	for _, tt := range []struct {
		typ  Type
		down string
	}{
		{Temporary, ""},
		{Transient, ""},
		{Permanent, "a:node goes down"},
	} {
		t.Run(tt.typ.String(), func(t *testing.T) {
			inBubble(t, func(k *kit) {
				a := k.app("a")
				a.MaxTime = time.Hour
				k.phases(a, "slow")
				a.StartPhases[0].Run = func(context.Context) error { time.Sleep(2 * time.Hour); return nil }
				k.ok(Start(k.ctx, a, tt.typ))
				time.Sleep(time.Hour - time.Nanosecond)
				k.want("the start does not count", "a.start")
				time.Sleep(time.Nanosecond)
				k.want("taken down in order", "a.prep_stop a_top.down(shutdown) a.stop a:exited(<nil>,"+tt.typ.String()+")"+" "+tt.down)
			})
		})
	}
}

func TestMaxTimeOfOneThatIsStopped(t *testing.T) {
	inBubble(t, func(k *kit) {
		a := k.app("a")
		a.MaxTime = time.Second
		a.PrepStop = func(context.Context) error { time.Sleep(10 * time.Second); return nil }
		k.ok(Start(k.ctx, a, Permanent))
		k.ok(Stop(k.ctx, a))
		k.ok(Start(k.ctx, a, Permanent))
		time.Sleep(short)
		k.want("its time is over while it stops: nothing more comes of it",
			"a.start a_top.down(shutdown) a.stop a:exited(stopped,permanent) a.start")
	})
}
