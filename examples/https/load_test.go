package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// h2load: thousands of requests over many connections, with many streams each, over
// HTTP/2 and HTTP/1.1. None fails, and the stop has nothing to complain of.
func TestH2load(t *testing.T) {
	if !has(t, "h2load") {
		return
	}
	t.Chdir(t.TempDir())
	p := launch(t, "-delay=0")
	const requests = 10_000
	good := fmt.Sprintf(`(?s)Application protocol: %%s\n.*requests: %[1]d total, %[1]d started, %[1]d done, %[1]d succeeded, 0 failed, 0 errored, 0 timeout\n`+
		`status codes: %[1]d 2xx, 0 3xx, 0 4xx, 0 5xx\n`, requests)
	load := []string{"-n", fmt.Sprint(requests), "-c", "100"}
	for _, out := range []string{
		prints(t, fmt.Sprintf(good, "h2"), "h2load", append(load, "-m", "20", "https://"+p.addr)...),
		prints(t, fmt.Sprintf(good, `http/1\.1`), "h2load", append(load, "--h1", "https://"+p.addr)...),
	} {
		t.Log(regexp.MustCompile(`finished in .*`).FindString(out))
	}
	p.stopCleanly(t)
}

// wrk: HTTP/1.1 for a while. It has a line for errors only if there were some.
func TestWrk(t *testing.T) {
	if !has(t, "wrk") {
		return
	}
	t.Chdir(t.TempDir())
	p := launch(t, "-delay=0")
	out := prints(t, `Requests/sec: +[1-9]`, "wrk", "-t", "2", "-c", "100", "-d", "2s", "https://"+p.addr)
	for _, bad := range []string{"Socket errors", "Non-2xx"} {
		if strings.Contains(out, bad) {
			t.Errorf("wrk printed\n%s", out)
		}
	}
	t.Log(regexp.MustCompile(`.*requests in .*`).FindString(out))
	p.stopCleanly(t)
}
