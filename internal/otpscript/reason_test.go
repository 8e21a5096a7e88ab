package otpscript

import (
	"errors"
	"fmt"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// An exit reason is the same term again after it was an error.
func TestReasonsSurvive(t *testing.T) {
	p := &player{}
	for _, want := range []Term{
		normal, shutdown, killed, noproc, kill, Atom("boom"), Int(1), List{}, Binary("x"),
		tuple(shutdown, Atom("x")), tuple(shutdown, Int(1), Int(2)), tuple(Atom("bad"), tuple(shutdown, normal)),
		Map{{Atom("k"), Pid("a#1")}},
	} {
		if got := p.reasonTerm(exitReason(want)); !Equal(got, want) {
			t.Errorf("%s became %s", MarshalTerm(want), MarshalTerm(got))
		}
		if got := p.reasonTerm(startError(want)); !Equal(got, want) {
			t.Errorf("%s as the error of a start became %s", MarshalTerm(want), MarshalTerm(got))
		}
	}
}

// Coppice calls clean what OTP calls clean.
func TestCleanReasons(t *testing.T) {
	for _, c := range []struct {
		term Term
		want bool
	}{
		{normal, true}, {shutdown, true}, {tuple(shutdown, Atom("x")), true},
		{tuple(shutdown, Int(1), Int(2)), false}, {killed, false}, {noproc, false}, {kill, false}, {Atom("boom"), false},
	} {
		if got := process.Clean(exitReason(c.term)); got != c.want {
			t.Errorf("Clean of %s is %v, want %v", MarshalTerm(c.term), got, c.want)
		}
	}
}

func TestReasonTerm(t *testing.T) {
	boom := &reason{Atom("boom")}
	panicked := &process.PanicError{Value: Atom("boom")}
	for _, c := range []struct {
		err  error
		want string
	}{
		{panicked, `{"t":["boom","$stack"]}`},
		{&process.PanicError{Value: process.ErrShutdown}, `{"t":["shutdown","$stack"]}`},
		{&process.PanicError{Value: errors.New("oops")}, `{"t":["oops","$stack"]}`},
		{&process.PanicError{Value: 3}, `{"t":["3","$stack"]}`},
		{&process.ExitError{Reason: boom}, `"boom"`},
		{&process.AlreadyStartedError{Name: "n"}, `{"t":["already_started",{"p":"?"}]}`},
		{process.Shutdown(&supervisor.StartError{ID: "a", Err: boom}), `{"t":["shutdown",{"t":["failed_to_start_child","a","boom"]}]}`},
		{&supervisor.StartError{ID: "1", Err: &supervisor.StartPanicError{Panic: panicked}},
			`{"t":["failed_to_start_child",1,{"t":["EXIT",{"t":["boom","$stack"]}]}]}`},
		{fmt.Errorf("child %q: %w", "a", supervisor.ErrRunning), `"running"`},
		{supervisor.ErrIntensity, `"reached_max_restart_intensity"`},
		{errors.New("unheard of"), `"unheard of"`},
	} {
		p := &player{}
		if got := string(MarshalTerm(p.reasonTerm(c.err))); got != c.want {
			t.Errorf("%v is written %s, want %s", c.err, got, c.want)
		}
	}
}
