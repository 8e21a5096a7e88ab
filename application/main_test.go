package application

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/process"
)

// The test binary is also the program that TestMainExits runs.
func TestMain(m *testing.M) {
	if how := os.Getenv("COPPICE_TEST_PROGRAM"); how != "" {
		program(how)
		return
	}
	goleak.VerifyTestMain(m)
}

// program is a real program with one application that ends as how says.
func program(how string) {
	port := &Var[int]{Name: "port", Default: 1}
	app := &App{Name: "app", Env: []Setting{port}}
	app.Start = func(ctx context.Context) (process.PID, error) {
		if how == "start" {
			return process.PID{}, errBoom
		}
		return process.Go(ctx, func(ctx context.Context) error {
			fmt.Println("ready on", port.Get(ctx))
			if how == "ended" {
				return errBoom
			}
			<-ctx.Done()
			return process.ErrShutdown
		})
	}
	app.PrepStop = func(ctx context.Context) error {
		switch how {
		case "unclean":
			return errBoom
		case "hang":
			fmt.Println("hanging")
			<-ctx.Done()
		}
		return nil
	}
	app.Stop = func(context.Context) error { fmt.Println("stopped"); return nil }
	Main(app)
}

func TestMainExits(t *testing.T) {
	for _, tt := range []struct {
		how    string
		code   int
		stdout string
		stderr []string
	}{
		{"clean", 0, "ready on 7, stopped", nil},
		{"start", int(FailedStart), "", []string{"failed to start", "app: Start: boom"}},
		{"ended", int(AppEnded), "ready on 7, stopped", []string{"an application ended", "app, which is permanent, has ended: boom"}},
		{"unclean", int(UncleanStop), "ready on 7, stopped", []string{"unclean stop: application: app has stopped, but: application: app: PrepStop: boom"}},
		{"hang", int(Forced), "ready on 7, hanging", []string{"forced to stop", "app: prep_stop for", "main_test.go:"}},
	} {
		t.Run(tt.how, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "COPPICE_TEST_PROGRAM="+tt.how, "APP_PORT=7")
			var stderr strings.Builder
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var lines []string
			for s := bufio.NewScanner(stdout); s.Scan(); {
				lines = append(lines, s.Text())
				if strings.HasPrefix(s.Text(), "ready") && tt.how != "ended" || s.Text() == "hanging" {
					if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
						t.Error(err)
					}
				}
			}
			err = cmd.Wait()
			if exit, _ := errors.AsType[*exec.ExitError](err); tt.code != 0 && (exit == nil || exit.ExitCode() != tt.code) || tt.code == 0 && err != nil {
				t.Errorf("it ended with %v, want exit code %d", err, tt.code)
			}
			if got := strings.Join(lines, ", "); got != tt.stdout {
				t.Errorf("standard output: %q, want %q", got, tt.stdout)
			}
			for _, want := range tt.stderr {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("standard error lacks %q:\n%s", want, stderr.String())
				}
			}
		})
	}
}
