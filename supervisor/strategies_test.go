package supervisor

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A still is a View that stands still.
type still struct {
	kids   []ChildView
	n, max int
	auto   AutoShutdown
}

func (s *still) Len() int                        { return len(s.kids) }
func (s *still) At(i int) ChildView              { return s.kids[i] }
func (s *still) Restarts(time.Time) (n, max int) { return s.n, s.max }
func (s *still) AutoShutdown() AutoShutdown      { return s.auto }
func (s *still) with(i int, c ChildView) *still  { s.kids[i] = c; return s }
func (s *still) exited(i int, r Restart) *still  { return s.with(i, ChildView{Restart: r}) }
func (s *still) significant(i int, r Restart) *still {
	return s.with(i, ChildView{Restart: r, Significant: true})
}

// five is a supervisor of five that are running.
func five() *still {
	s := &still{max: 3}
	for i := range 5 {
		s.kids = append(s.kids, ChildView{ID: fmt.Sprint(i), Status: Running})
	}
	return s
}

var errBoom = errors.New("boom")

// Whether a child is restarted depends on its type and its reason alone.
func TestRestartTypes(t *testing.T) {
	reasons := map[string]error{
		"normal":            nil,
		"shutdown":          process.ErrShutdown,
		"{shutdown,_}":      process.Shutdown(errBoom),
		"boom":              errBoom,
		"killed":            process.ErrKilled,
		"noproc":            process.ErrNoProc,
		"a callee shutdown": &process.ExitError{Reason: process.ErrShutdown},
	}
	restarted := map[Restart]map[string]bool{
		Permanent: {"normal": true, "shutdown": true, "{shutdown,_}": true, "boom": true, "killed": true, "noproc": true, "a callee shutdown": true},
		Transient: {"boom": true, "killed": true, "noproc": true, "a callee shutdown": true},
		Temporary: {},
	}
	for typ, want := range restarted {
		for name, reason := range reasons {
			p := OneForOne.Decide(five().exited(2, typ), Event{Exited, 2, reason}, time.Time{})
			if got := p.Start.Len() > 0; got != want[name] {
				t.Errorf("a %v child that ended with %s: restarted is %v, want %v", typ, name, got, want[name])
			}
			if drop := typ == Temporary; p.Drop != drop {
				t.Errorf("a %v child that ended with %s: dropped is %v, want %v", typ, name, p.Drop, drop)
			}
		}
	}
}

func TestStrategies(t *testing.T) {
	all, rest, one := Span{0, 5}, Span{2, 5}, Span{2, 3}
	tests := []struct {
		name string
		s    Strategy
		v    *still
		e    Event
		want Plan
	}{
		{"one for one restarts it alone", OneForOne, five().exited(2, Permanent), Event{Exited, 2, errBoom},
			Plan{Count: true, Stop: one, Start: one}},
		{"one for all restarts all", OneForAll, five().exited(2, Permanent), Event{Exited, 2, errBoom},
			Plan{Count: true, Stop: all, Start: all}},
		{"rest for one restarts it and those after it", RestForOne, five().exited(2, Permanent), Event{Exited, 2, errBoom},
			Plan{Count: true, Stop: rest, Start: rest}},
		{"dynamic restarts it alone", Dynamic, five().exited(2, Permanent), Event{Exited, 2, errBoom},
			Plan{Count: true, Stop: one, Start: one}},
		{"dynamic forgets who is done: nobody could ask for it", Dynamic, five().exited(2, Transient), Event{Exited, 2, nil},
			Plan{Drop: true}},
		{"a temporary child's end touches nobody", OneForAll, five().exited(2, Temporary), Event{Exited, 2, errBoom},
			Plan{Drop: true}},
		{"a transient child that is done is left down", RestForOne, five().exited(2, Transient), Event{Exited, 2, nil},
			Plan{}},

		{"a failed start is a restart: one for one", OneForOne, five(), Event{StartFailed, 2, errBoom},
			Plan{Count: true, Stop: one, Start: one}},
		{"rest for one goes on from the one that failed", RestForOne, five(), Event{StartFailed, 2, errBoom},
			Plan{Count: true, Stop: rest, Start: rest}},
		{"one for all begins anew", OneForAll, five(), Event{StartFailed, 2, errBoom},
			Plan{Count: true, Stop: all, Start: all}},
		{"a wait that is over has been counted", OneForOne, five(), Event{WaitOver, 2, nil},
			Plan{Stop: one, Start: one}},

		{"the last restart that is allowed", OneForOne, &still{kids: five().kids, n: 2, max: 3}, Event{Exited, 2, errBoom},
			Plan{Count: true, Stop: one, Start: one}},
		{"one too many", OneForOne, &still{kids: five().kids, n: 3, max: 3}, Event{Exited, 2, errBoom},
			Plan{End: ErrIntensity}},
		{"one failed start too many", OneForAll, &still{kids: five().kids, n: 3, max: 3}, Event{StartFailed, 2, errBoom},
			Plan{End: ErrIntensity}},
		{"no restart allowed", OneForOne, &still{kids: five().kids}, Event{Exited, 2, errBoom},
			Plan{End: ErrIntensity}},
		{"a wait that is over is never one too many", OneForOne, &still{kids: five().kids}, Event{WaitOver, 2, nil},
			Plan{Stop: one, Start: one}},
	}
	for _, tt := range tests {
		if got := tt.s.Decide(tt.v, tt.e, time.Time{}); got != tt.want {
			t.Errorf("%s\n got: %+v\nwant: %+v", tt.name, got, tt.want)
		}
	}
}

func TestAutoShutdown(t *testing.T) {
	with := func(s *still, a AutoShutdown) *still { s.auto = a; return s }
	running := func(s *still, i int) *still {
		return s.with(i, ChildView{Restart: Transient, Significant: true, Status: Running})
	}
	restarting := func(s *still, i int) *still {
		return s.with(i, ChildView{Restart: Transient, Significant: true, Status: Restarting})
	}
	done := Event{Exited, 2, nil}
	tests := []struct {
		name string
		v    *still
		e    Event
		want error
	}{
		{"never", five().significant(2, Transient), done, nil},
		{"any: a significant child is done", with(five().significant(2, Transient), AnySignificant), done, process.ErrShutdown},
		{"any: an insignificant one is", with(five().exited(2, Transient), AnySignificant), done, nil},
		{"any: a significant one crashed and is restarted", with(five().significant(2, Transient), AnySignificant), Event{Exited, 2, errBoom}, nil},
		{"any: a temporary one crashed", with(five().significant(2, Temporary), AnySignificant), Event{Exited, 2, errBoom}, process.ErrShutdown},
		{"all: it was the only one", with(five().significant(2, Transient), AllSignificant), done, process.ErrShutdown},
		{"all: another is running", with(running(five().significant(2, Transient), 4), AllSignificant), done, nil},
		{"all: another is restarting", with(restarting(five().significant(2, Transient), 4), AllSignificant), done, nil},
		{"all: the other is down", with(five().significant(2, Transient).significant(4, Transient), AllSignificant), done, process.ErrShutdown},
	}
	for _, tt := range tests {
		tt.v.max = 3
		if got := OneForAll.Decide(tt.v, tt.e, time.Time{}).End; got != tt.want {
			t.Errorf("%s: ends with %v, want %v", tt.name, got, tt.want)
		}
	}
}

// tenThousand is a supervisor of ten thousand, one of which has crashed.
func tenThousand() *supervisor {
	s := newSupervisor(Spec{Intensity: 10}.withDefaults())
	for i := range 10_000 {
		s.kids.add(&child{spec: &Child{ID: fmt.Sprint(i)}, status: Running})
	}
	s.kids.list[5000].status = Down
	return s
}

func TestDecideDoesNotAllocate(t *testing.T) {
	s, now := tenThousand(), time.Now()
	for _, strategy := range []Strategy{OneForOne, OneForAll, RestForOne, Dynamic} {
		if n := testing.AllocsPerRun(100, func() { strategy.Decide(s, Event{Exited, 5000, errBoom}, now) }); n != 0 {
			t.Errorf("a decision among 10,000 allocates %v times, want none", n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	s, now := tenThousand(), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		RestForOne.Decide(s, Event{Exited, 5000, errBoom}, now)
	}
}
