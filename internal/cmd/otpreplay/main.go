// Otpreplay plays scenarios that were recorded on Erlang/OTP and writes what
// coppice does with them, line by line as OTP's own logs.
//
// Usage:
//
//	otpreplay FILE             # the log goes to standard output
//	otpreplay -out DIR FILE... # each log goes to DIR/NAME.jsonl
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/coppice-go/coppice/internal/otpscript"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("otpreplay", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: otpreplay [-out DIR] FILE...")
		flags.PrintDefaults()
	}
	out := flags.String("out", "", "write each log to `DIR`/NAME.jsonl; needed for more than one FILE")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	files := flags.Args()
	if len(files) == 0 || len(files) > 1 && *out == "" {
		flags.Usage()
		return 2
	}
	code := 0
	for _, file := range files {
		if err := replay(file, *out, stdout); err != nil {
			fmt.Fprintf(stderr, "otpreplay: %s: %v\n", file, err)
			code = 1
		}
	}
	return code
}

// replay plays one scenario. A play that went wrong has a log too, up to there.
func replay(file, out string, stdout io.Writer) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	sc, err := otpscript.Parse(text)
	if err != nil {
		return err
	}
	log, err := otpscript.Play(sc)
	if out == "" {
		_, werr := stdout.Write(log)
		return errors.Join(err, werr)
	}
	name := strings.TrimSuffix(filepath.Base(file), ".json") + ".jsonl"
	return errors.Join(err, os.MkdirAll(out, 0o777), os.WriteFile(filepath.Join(out, name), log, 0o666))
}
