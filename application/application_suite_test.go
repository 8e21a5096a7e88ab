package application

import (
	"context"
	"errors"
	"testing"

	"github.com/coppice-go/coppice/supervisor"
)

// TestApplicationSUITE holds the cases of OTP's application_SUITE that are about
// one node, under their names, each asserting what OTP's does. The others need
// several nodes that share applications.
func TestApplicationSUITE(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(k *kit)
	}{
		{"ensure_started", suiteEnsureStarted},
		{"start_phases", suiteStartPhases},
		{"permit_false_start_local", suitePermitFalseStartLocal},
		{"get_key", suiteGetKey},
		{"get_env", suiteGetEnv},
		{"ensure_all_started", suiteEnsureAllStarted},
		{"set_env", suiteSetEnv},
		{"set_env_persistent", suiteSetEnvPersistent},
		{"set_env_errors", suiteSetEnvErrors},
		{"config_change", suiteConfigChange},
		{"shutdown_timeout", suiteShutdownTimeout},
		{"shutdown_deadlock", suiteShutdownDeadlock},
		{"config_relative_paths", suiteConfigRelativePaths},
		{"optional_applications", suiteOptionalApplications},
		{"persistent_env", suitePersistentEnv},
		{"handle_many_config_files", suiteHandleManyConfigFiles},
		{"format_log_1", suiteFormatLog1},
		{"otp_1586", suiteOTP1586},
		{"otp_2012", suiteOTP2012},
		{"otp_2718", suiteOTP2718},
		{"otp_2973", suiteOTP2973},
		{"otp_4227", suiteOTP4227},
		{"otp_5363", suiteOTP5363},
		{"otp_16504", suiteOTP16504},
	} {
		t.Run(c.name, func(t *testing.T) { inBubble(t, c.run) })
	}
	for _, c := range []struct {
		name string
		run  func(r *runKit)
	}{
		{"shutdown_func", suiteShutdownFunc},
		{"format_log_2", suiteFormatLog2},
		{"otp_3002", suiteOTP3002},
	} {
		t.Run(c.name, func(t *testing.T) { inRun(t, c.run) })
	}
}

// chSup is the application of most cases: a supervisor of one worker.
func chSup(name string, needs ...*App) *App {
	return &App{Name: name, Needs: needs, Start: supervisor.StartFunc(supervisor.Spec{
		Name:     name + "_sup",
		Children: []supervisor.Child{{ID: "ch", Start: supervisor.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })}},
	})}
}

// missing is what comes nearest to an application without a file: in Go there
// is no name without an App, so it is one that cannot be loaded.
func missing() *App {
	return &App{Name: "hopefully_not_an_existing_app", Env: []Setting{nil}}
}

func (k *kit) wantAlreadyStarted(err error, app *App) {
	k.Helper()
	if already, _ := errors.AsType[*AlreadyStartedError](err); already == nil || already.App != app {
		k.Errorf("got %v, want that %s is started already", err, app)
	}
}

// wantMissing checks that a start failed because of what is missing.
func (k *kit) wantMissing(err error) {
	k.Helper()
	if bad, _ := errors.AsType[*SpecError](err); bad == nil || bad.App.Name != missing().Name {
		k.Errorf("got %v, want that %s cannot be loaded", err, missing())
	}
}
