package application

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/coppice-go/coppice/process"
)

// Main runs applications as a whole program and does not return. It starts them
// and what they need in order, waits for SIGTERM or SIGINT, stops everything in
// reverse, and exits. A second signal cuts the stop short and shows what hangs.
//
// Settings come from the JSON files named in the environment variable
// COPPICE_CONFIG (several are separated as in PATH), then from the environment;
// see [Config].
//
// The exit code is 0 after an orderly stop, else that of the [Ending]: 1 if
// something did not start, 3 if an application ended that the program cannot do
// without, 4 if the stop was not clean, 5 if it was forced.
func Main(apps ...*App) {
	err := runAs(context.Background(), MainOptions(), apps, process.CallerPC(1))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(ExitCode(err))
}

// MainOptions returns the Options that Main uses, for programs that change some
// of them and call Run. It takes SIGTERM and SIGINT from the Go runtime for
// good.
func MainOptions() Options {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	return Options{
		Signals: signals,
		Config:  Config{Files: filepath.SplitList(os.Getenv("COPPICE_CONFIG")), Environ: os.Environ()},
	}
}
