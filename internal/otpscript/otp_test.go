package otpscript

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An otp plays scenarios on Erlang/OTP, by the program that made the
// recordings. One Erlang system plays many; applications have one each, for
// they end it.
type otp struct {
	dir     string // of compiled code, scenarios and logs
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
}

func newOTP(t *testing.T) *otp {
	o := &otp{dir: t.TempDir()}
	sources, err := filepath.Glob(data + "record/src/*.erl")
	if err != nil || sources == nil {
		t.Fatalf("no sources of the recorder: %v", err)
	}
	args := append([]string{"-o", o.dir, data + "live/oracle_live.erl"}, sources...)
	if out, err := exec.Command("erlc", args...).CombinedOutput(); err != nil {
		t.Fatalf("erlc: %v\n%s", err, out)
	}
	t.Cleanup(o.stop)
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
		err = o.erl("-noinput", "-run", "oracle", "main", in, out).Run()
	} else {
		err = o.order(in, out)
	}
	if err != nil {
		return "", err
	}
	read, err := os.ReadFile(out)
	return string(read), err
}

// order has the Erlang system that runs play a scenario.
func (o *otp) order(in, out string) error {
	if err := o.start(); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(o.orders, in, out); err != nil {
		o.stop()
		return err
	}
	answer, err := o.answers.ReadString('\n')
	if err == nil && answer != "ok\n" {
		err = fmt.Errorf("the recorder failed: %s", strings.TrimSpace(answer))
	}
	if err != nil {
		o.stop()
	}
	return err
}

func (o *otp) start() (err error) {
	if o.cmd != nil {
		return nil
	}
	o.cmd = o.erl("-run", "oracle_live", "main")
	if o.orders, err = o.cmd.StdinPipe(); err != nil {
		return err
	}
	answers, err := o.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	o.answers = bufio.NewReader(answers)
	return o.cmd.Start()
}

// erl is an Erlang system with the recorder's code, which speaks to nobody else.
func (o *otp) erl(args ...string) *exec.Cmd {
	cmd := exec.Command("erl", append([]string{"-noshell", "-pa", o.dir}, args...)...)
	cmd.Env = append(os.Environ(), "ERL_CRASH_DUMP=/dev/null")
	return cmd
}

func (o *otp) stop() {
	if o.cmd == nil {
		return
	}
	// It ends when nothing more can be ordered; how is of no interest.
	_ = o.orders.Close()
	_ = o.cmd.Wait()
	o.cmd = nil
}

// A verdictOf is what came of one comparison.
type verdictOf int

const (
	equal          verdictOf = iota
	listed                   // differs as differs.txt or the README beside it says
	undefinedByOTP           // OTP's own log is another each time
	different
	broken // something went wrong with the comparison
)

func (v verdictOf) String() string {
	return [...]string{"equal", "different as listed", "not the same twice on OTP", "different", "broken"}[v]
}

type comparison struct {
	verdict      verdictOf
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
	switch {
	case err != nil:
		c.verdict, c.ours = different, c.ours+err.Error()
	case comparable(sc, c.ours) == comparable(sc, c.theirs):
	case listedDifference(sc, c.theirs, c.ours) != "":
		c.verdict = listed
	case !o.same(text, c.theirs):
		c.verdict = undefinedByOTP
	default:
		c.verdict = different
	}
	return c
}

// same plays a scenario on OTP again, a few times.
func (o *otp) same(text []byte, log string) bool {
	for range 4 {
		if again, err := o.play(text); err != nil || again != log || strings.Contains(log, `{"ev":"timeout"}`) {
			return false
		}
	}
	return true
}
