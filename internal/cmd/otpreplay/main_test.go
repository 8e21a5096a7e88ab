package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const data = "../../../testdata/otp/"

func TestOneFileToStdout(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run([]string{data + "scenarios/signals_link_chain.json"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	want, err := os.ReadFile(data + "golden/signals_link_chain.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if stdout.String() != string(want) {
		t.Errorf("got\n%swant\n%s", stdout.String(), want)
	}
}

func TestManyFilesToFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	var stdout, stderr bytes.Buffer
	args := []string{"-out", dir, data + "scenarios/signals_link_self.json", data + "scenarios/sup_stop_brutal_kill.json"}
	if code := run(args, &stdout, &stderr); code != 0 || stdout.Len() > 0 {
		t.Fatalf("exit code %d, standard output %q: %s", code, stdout.String(), stderr.String())
	}
	for _, name := range []string{"signals_link_self.jsonl", "sup_stop_brutal_kill.jsonl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestFaults(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`{"name":"bad","kind":"dance"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "usage:"},
		{[]string{"a", "b"}, 2, "usage:"},
		{[]string{"-wat"}, 2, "-wat"},
		{[]string{"no-such-file.json"}, 1, "no such file"},
		{[]string{bad}, 1, `kind "dance" is none of`},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(c.args, &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("run(%q) = %d, %q; want %d and %q", c.args, code, stderr.String(), c.code, c.want)
		}
	}
}
