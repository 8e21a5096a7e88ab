package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A role says what a peer's figures are for.
type role uint8

const (
	own      role = iota // the one that has goals
	variant              // of ours: shown, compared with nobody
	baseline             // what the language has: less than a peer
	rival                // the best of these is what the goals speak of
)

// A peer is a program that runs workloads.
type peer struct {
	name string
	role role
	dir  string // below peer/
	args []string
	only []string // the workloads it is run with; nil: all
	dep  string   // the module whose version it is known by
}

var peers = []peer{
	{name: "coppice", role: own, dir: "coppice"},
	{name: "coppice, no reports", role: variant, dir: "coppice", args: []string{"-silent"}, only: []string{"restart", "restart many", "burst"}},
	{name: "goroutines", role: baseline, dir: "goroutines"},
	{name: "BEAM", role: rival, dir: "beam"},
	{name: "ergo", role: rival, dir: "ergo", dep: "github.com/ergo-services/ergo"},
	{name: "protoactor", role: rival, dir: "protoactor", dep: "github.com/asynkron/protoactor-go"},
	{name: "hollywood", role: rival, dir: "hollywood", dep: "github.com/anthdm/hollywood"},
	{name: "suture", role: rival, dir: "suture", dep: "github.com/thejerf/suture/v4"},
}

func findPeer(name string) (peer, bool) {
	i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
	if i < 0 {
		return peer{}, false
	}
	return peers[i], true
}

// A bench is where the peers' programs are built.
type bench struct {
	dir   string
	procs int // processors that each may use; 0: all
}

// build makes the program of a peer. What cannot be had here, as BEAM without
// Erlang, is an errAbsent.
func (b bench) build(ctx context.Context, p peer) error {
	if p.dir != "beam" {
		return b.compile(ctx, "./peer/", p)
	}
	for _, tool := range []string{"erl", "erlc"} {
		if _, err := exec.LookPath(tool); err != nil {
			return errAbsent{tool}
		}
	}
	return output(exec.CommandContext(ctx, "erlc", "-o", b.dir, "peer/beam/workloads.erl", "peer/beam/workloads_server.erl"))
}

// compile makes a program of a folder below root.
func (b bench) compile(ctx context.Context, root string, p peer) error {
	return output(exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(b.dir, p.dir), root+p.dir))
}

type errAbsent struct{ tool string }

func (e errAbsent) Error() string { return "there is no " + e.tool + " on this machine" }

// output runs a command whose output matters only if it fails.
func output(c *exec.Cmd) error {
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", c, err, out)
	}
	return nil
}

// command is a peer's program with a workload.
func (b bench) command(ctx context.Context, p peer, work string, n, k int, limit time.Duration) *exec.Cmd {
	if p.dir == "beam" {
		seconds := strconv.Itoa(int(limit.Seconds()))
		args := []string{"-noshell", "-noinput", "+P", "4000000", "-pa", b.dir}
		if b.procs > 0 {
			args = append(args, "+S", fmt.Sprint(b.procs))
		}
		return exec.CommandContext(ctx, "erl", append(args, "-s", "workloads", "main", "-extra", work, fmt.Sprint(n), fmt.Sprint(k), seconds)...)
	}
	c := exec.CommandContext(ctx, filepath.Join(b.dir, p.dir), append(slices.Clone(p.args),
		"-work", work, "-n", fmt.Sprint(n), "-k", fmt.Sprint(k), "-limit", limit.String())...)
	if b.procs > 0 {
		c.Env = append(os.Environ(), fmt.Sprint("GOMAXPROCS=", b.procs))
	}
	return c
}

// version says which version of a peer has been built.
func (b bench) version(p peer) (string, error) {
	if p.dir == "beam" {
		out, err := exec.Command("erl", "-noshell", "-eval", `io:format("OTP ~s, erts ~s, ~s", [erlang:system_info(otp_release), `+
			`erlang:system_info(version), erlang:system_info(emu_flavor)]), halt().`).Output()
		return string(out), err
	}
	info, err := buildinfo.ReadFile(filepath.Join(b.dir, p.dir))
	if err != nil {
		return "", err
	}
	for _, d := range info.Deps {
		if d.Path == p.dep {
			return d.Version, nil
		}
	}
	if p.role == baseline {
		return runtime.Version(), nil
	}
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	v := set["vcs.revision"]
	v = v[:min(12, len(v))]
	if set["vcs.modified"] == "true" {
		v += " and changes"
	}
	return strings.TrimSpace(v), nil
}
