package otpscript

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var keepFound = flag.Bool("keep", false, "with -otp: write OTP's logs of the scenarios in testdata/otp/found")

// Scenarios that random comparisons found, made small, stay right.
func TestFound(t *testing.T) {
	for _, file := range foundFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			diff(t, "OTP", readFile(t, logOf(file)), replay(t, file))
		})
	}
}

// Their logs are OTP's, and not ours.
func TestLiveFound(t *testing.T) {
	o := otpHere(t)
	for _, file := range foundFiles(t) {
		log, err := o.play([]byte(readFile(t, file)))
		if err != nil {
			t.Fatal(err)
		}
		if *keepFound {
			if err := os.WriteFile(logOf(file), []byte(log), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		diff(t, "OTP", log, readFile(t, logOf(file)))
	}
}

func logOf(file string) string { return strings.TrimSuffix(file, "json") + "jsonl" }

func foundFiles(t *testing.T) []string {
	files, err := filepath.Glob(data + "found/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	return files
}
