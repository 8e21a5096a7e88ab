package otpscript

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An otp plays scenarios on Erlang/OTP, by the program that made the
// recordings. One Erlang system plays many; applications have one each, for
// they end it.
type otp struct {
	code string // directory of compiled code
	dir  string // of the scenario that is played, and its log
	many *erlang
	next *erlang // for the next applications, started ahead of time
}

// newOTP compiles the recorder.
func newOTP(t *testing.T) *otp {
	code := t.TempDir()
	sources, err := filepath.Glob(data + "record/src/*.erl")
	if err != nil || sources == nil {
		t.Fatalf("no sources of the recorder: %v", err)
	}
	args := append([]string{"-o", code, data + "live/oracle_live.erl"}, sources...)
	if out, err := exec.Command("erlc", args...).CombinedOutput(); err != nil {
		t.Fatalf("erlc: %v\n%s", err, out)
	}
	return (&otp{code: code}).another(t)
}

// another plays with the same code, at the same time.
func (o *otp) another(t *testing.T) *otp {
	o = &otp{code: o.code, dir: t.TempDir()}
	t.Cleanup(func() {
		o.many.stop()
		o.next.stop()
	})
	return o
}

// play returns OTP's log of a scenario.
func (o *otp) play(text []byte) (log string, err error) {
	in, out := filepath.Join(o.dir, "scenario.json"), filepath.Join(o.dir, "log.jsonl")
	if err := os.WriteFile(in, text, 0o666); err != nil {
		return "", err
	}
	if err := os.RemoveAll(out); err != nil {
		return "", err
	}
	var head struct{ Kind string }
	if err := json.Unmarshal(text, &head); err != nil {
		return "", err
	}
	if head.Kind == "app" {
		err = o.playOnce(in, out)
	} else {
		err = o.playOneOfMany(in, out)
	}
	if err != nil {
		return "", err
	}
	read, err := os.ReadFile(out)
	return string(read), err
}

func (o *otp) playOneOfMany(in, out string) (err error) {
	if o.many == nil {
		if o.many, err = o.start("main"); err != nil {
			return err
		}
	}
	if _, err = fmt.Fprintln(o.many.orders, in, out); err == nil {
		var answer string
		answer, err = o.many.answers.ReadString('\n')
		if err == nil && answer != "ok\n" {
			err = fmt.Errorf("the recorder failed: %s", strings.TrimSpace(answer))
		}
	}
	if err != nil {
		o.many.stop()
		o.many = nil
	}
	return err
}

func (o *otp) playOnce(in, out string) error {
	now := o.next
	if now == nil {
		var err error
		if now, err = o.start("once"); err != nil {
			return err
		}
	}
	var startErr, orderErr error
	o.next, startErr = o.start("once")
	_, orderErr = fmt.Fprintln(now.orders, in, out)
	defer time.AfterFunc(time.Minute, func() { _ = now.cmd.Process.Kill() }).Stop() // Wait tells
	said, readErr := io.ReadAll(now.answers)
	err := errors.Join(startErr, orderErr, readErr, now.cmd.Wait())
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, said)
	}
	return err
}

// An erlang is an Erlang system that waits for orders.
type erlang struct {
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
}

// start starts an Erlang system with the recorder's code, which speaks to
// nobody else.
func (o *otp) start(function string) (e *erlang, err error) {
	cmd := exec.Command("erl", "-noshell", "-pa", o.code, "-run", "oracle_live", function)
	cmd.Env = append(os.Environ(), "ERL_CRASH_DUMP=/dev/null")
	e = &erlang{cmd: cmd}
	if e.orders, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	e.answers = bufio.NewReader(answers)
	return e, cmd.Start()
}

// stop has it end: nothing more can be ordered. How it ends is of no interest.
func (e *erlang) stop() {
	if e != nil {
		_ = e.orders.Close()
		_ = e.cmd.Wait()
	}
}

// A verdictOf is what came of one comparison.
type verdictOf int

const (
	equal          verdictOf = iota
	equalToOne               // OTP's own log is another each time, and one of them is coppice's
	listed                   // differs as differs.txt or the README beside it says
	undefinedByOTP           // OTP's own log is another each time, or it did not come to rest
	different
	broken // something went wrong with the comparison
)

func (v verdictOf) String() string {
	return [...]string{"equal", "equal to one of several of OTP's", "different as listed", "not the same twice on OTP", "different", "broken"}[v]
}

type comparison struct {
	verdict      verdictOf
	why          string // what explains that it is listed; of OTP's own: where they part
	theirs, ours string
	err          error
}

// compare plays a scenario on both. Coppice imitates the oddities of OTP that it
// can, so that what comes after them is compared too.
func (o *otp) compare(text []byte) (c comparison) {
	sc, err := Parse(text)
	if err != nil {
		return comparison{verdict: broken, err: err}
	}
	if c.theirs, err = o.play(text); err != nil {
		return comparison{verdict: broken, err: err}
	}
	log, err := play(sc, true)
	c.ours = string(log)
	c.why = listedDifference(sc, c.theirs, c.ours)
	switch {
	case err != nil:
		c.verdict, c.ours = different, c.ours+err.Error()
	case comparable(sc, c.ours) == comparable(sc, c.theirs):
	case c.why == phaseError:
		return o.compareWithoutFailedPhases(text, c)
	case c.why != "":
		c.verdict = listed
	default:
		c.verdict, c.err = o.judgeAgain(sc, text, c)
		c.why = firstDifference(c.theirs, c.ours)
	}
	return c
}

// timeoutLine says that OTP did not come to rest.
const timeoutLine = "{\"ev\":\"timeout\"}\n"

// judgeAgain plays a scenario that differs on OTP again, a few times.
func (o *otp) judgeAgain(sc *Scenario, text []byte, c comparison) (v verdictOf, err error) {
	v = different
	for range 4 {
		again, err := o.play(text)
		switch {
		case err != nil:
			return broken, err
		case comparable(sc, again) == comparable(sc, c.ours):
			return equalToOne, nil
		case again != c.theirs || strings.Contains(again, timeoutLine):
			v = undefinedByOTP
		}
	}
	return v, nil
}

// compareWithoutFailedPhases compares what is behind the first failed phase too,
// as it is where none fails.
func (o *otp) compareWithoutFailedPhases(text []byte, c comparison) comparison {
	c.verdict = listed
	text, err := withoutFailedPhases(text)
	if err != nil {
		return comparison{verdict: broken, err: err}
	}
	if again := o.compare(text); again.verdict == different || again.verdict == broken {
		return again
	}
	return c
}
