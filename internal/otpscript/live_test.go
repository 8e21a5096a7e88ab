package otpscript

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	withOTP   = flag.Bool("otp", false, "play random scenarios on Erlang/OTP and on coppice, and compare")
	otpCount  = flag.Int("scenarios", 50, "with -otp: how many of each kind")
	otpSeed   = flag.Int("seed", 0, "with -otp: the first seed; 0: by the clock")
	otpKind   = flag.String("kind", "", "with -otp: one `kind`, as testdata/otp/record/gen has them, or servers, sys or pg; none: all")
	generated = []string{"sup", "sup2", "app", "app2", "signals", "server", "statem", "event", "servers", "sys", "pg"}
)

// What OTP does with scenarios that nobody has thought of, coppice does too. A
// difference is made small and kept in a file.
func TestLive(t *testing.T) {
	o := otpHere(t)
	if *otpKind != "" && !slices.Contains(generated, *otpKind) {
		t.Fatalf("-kind %s: there are %s", *otpKind, strings.Join(generated, " "))
	}
	seed := *otpSeed
	if seed == 0 {
		seed = int(time.Now().Unix()) % 1e9
	}
	for _, kind := range generated {
		if *otpKind == "" || *otpKind == kind {
			t.Run(kind, func(t *testing.T) { compareRandom(t, o, kind, seed, *otpCount) })
		}
	}
}

// otpHere is the Erlang/OTP of this machine, if it was asked for and is there.
func otpHere(t *testing.T) *otp {
	if !*withOTP {
		t.Skip("not asked for: -otp plays random scenarios on the Erlang/OTP of this machine as well")
	}
	for _, program := range []string{"erl", "erlc", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s on this machine to compare with (Debian: erlang-base, python3)", program)
		}
	}
	return newOTP(t)
}

// compareRandom plays n scenarios of a kind. It lists all that differ, and shows
// the first.
func compareRandom(t *testing.T, o *otp, kind string, seed, n int) {
	count := map[verdictOf]int{}
	texts := generate(t, kind, seed, n)
	first := -1
	for i, c := range compareAll(t, o, texts, playersOf(kind)) {
		count[c.verdict]++
		switch c.verdict {
		case different:
			t.Errorf("seed %d: OTP and coppice differ", seed+i)
			if first < 0 {
				first = i
			}
		case broken:
			t.Errorf("seed %d: %v", seed+i, c.err)
		case equalToOne, undefinedByOTP, listed:
			t.Logf("seed %d: %v: %s", seed+i, c.verdict, c.why)
		case equal:
		}
	}
	t.Logf("%s, seeds %d to %d: %s", kind, seed, seed+n-1, countText(count))
	if first >= 0 {
		showDifference(t, o, fmt.Sprintf("%s-%d", kind, seed+first), texts[first])
	}
}

// playersOf says how many scenarios of a kind are played at once. An Erlang
// system of its own takes longer to start than what it plays; the other kinds
// are fast, and some of them have short times, which want a machine that is not
// too busy.
func playersOf(kind string) int {
	if strings.HasPrefix(kind, "app") {
		return 2 * runtime.GOMAXPROCS(0) // each of them sleeps now and then, to see whether all is quiet
	}
	return 2
}

// compareAll returns the comparisons of scenarios, in their order.
func compareAll(t *testing.T, o *otp, texts [][]byte, players int) []comparison {
	all := make([]comparison, len(texts))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range players {
		o := o.another(t)
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(texts); i = int(next.Add(1)) - 1 {
				all[i] = o.compare(texts[i])
			}
		})
	}
	wg.Wait()
	return all
}

func countText(count map[verdictOf]int) string {
	var parts []string
	for v := equal; v <= broken; v++ {
		if count[v] > 0 || v == equal {
			parts = append(parts, fmt.Sprintf("%d %s", count[v], v))
		}
	}
	return strings.Join(parts, ", ")
}

// showDifference writes the smallest scenario that differs to a file.
func showDifference(t *testing.T, o *otp, name string, text []byte) {
	small := shrink(text, func(text []byte) bool {
		c := o.compare(text)
		return c.verdict == different && !strings.Contains(c.theirs, timeoutLine)
	})
	file := filepath.Join(os.TempDir(), "otp-differs-"+name+".json")
	if err := os.WriteFile(file, small, 0o666); err != nil {
		t.Error(err)
	}
	c := o.compare(small)
	t.Errorf("OTP and coppice differ in %s:\n%s", file, small)
	diff(t, "OTP", c.theirs, c.ours)
}

// generate makes scenarios, one a seed: by the generator of the recordings, or by
// our own if that has none of the kind.
func generate(t *testing.T, kind string, seed, n int) [][]byte {
	if ownKinds[kind] == nil {
		return generateRecorded(t, kind, seed, n)
	}
	var texts [][]byte
	for i := range n {
		texts = append(texts, generateOwn(kind, seed+i))
	}
	return texts
}

func generateRecorded(t *testing.T, kind string, seed, n int) [][]byte {
	const many = `
import sys, io, runpy
path, kind, first, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for seed in range(first, first + n):
    sys.argv, out, sys.stdout = [path, str(seed), kind], sys.stdout, io.StringIO()
    runpy.run_path(path)
    text, sys.stdout = sys.stdout.getvalue(), out
    sys.stdout.write(text + "\0")
`
	cmd := exec.Command("python3", "-c", many, data+"record/gen", kind, fmt.Sprint(seed), fmt.Sprint(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("generator: %v", err)
	}
	return bytes.SplitN(bytes.TrimSuffix(out, []byte{0}), []byte{0}, n)
}
