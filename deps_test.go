package coppice

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The layers. A package may import packages of lower layers, and packages of
// its own family: the tree below its row's name. The most exact row counts.
//
// In a name, * stands for any one element, and /... at the end takes in what
// lies below. Whoever adds a package adds a row; whoever needs an import that
// the table forbids has found a question of design, not a typo in the table.
var layers = []struct {
	name  string
	layer int
	holds string
}{
	{".", 0, "the module's front page"},
	{"internal/*/...", 0, "queues, scenario readers, fakes"},
	{"process", 1, "node, PID, signals, links, monitors, reasons, timers, mailboxes, the probe"},
	{"process/server", 2, "gen_server"},
	{"process/statem", 2, "gen_statem"},
	{"process/event/...", 2, "gen_event, and the alarms"},
	{"process/system", 2, "OTP's sys, for any behaviour"},
	{"process/processtest", 2, "for users' tests and ours"},
	{"registry", 2, "typed names, keys with values, groups, locks, watch"},
	{"trace/...", 2, "crash reports, event streams, recorder"},
	{"supervisor/...", 3, "strategies, dynamic children, what can be a child, tasks"},
	{"tlsconn/identity", 1, "judges certificates and keys; knows no process, so that it can be used without"},
	{"tlsconn/acme", 4, "certificates from an ACME authority; a module of its own"},
	{"tlsconn/...", 3, "a TLS connection as a process"},
	{"acceptor/...", 4, "listeners, limits, draining"},
	{"application/...", 4, "order of start and stop, environment, Main"},
	{"registry/cluster/...", 5, "other nodes"},
	{"cmd/*/...", 6, "programs for operators"},
	{"examples/*/...", 6, "one program per idea"},
	{"internal/otpscript/...", 6, "plays OTP's scenarios on every layer"},
	{"internal/cmd/*/...", 7, "programs for ourselves"},
}

// Libraries that only one package may know, so that it alone changes when they
// do. Examples are users' programs, and may import what they like.
var keepers = map[string]string{
	"github.com/rs/zerolog":    "trace",
	"github.com/pires":         "acceptor",
	"github.com/caddyserver":   "tlsconn/acme",
	"github.com/ergo-services": "registry/cluster",
	"ergo.services":            "registry/cluster",
}

func TestLayers(t *testing.T) {
	for _, fault := range layerFaults(sources(t, os.DirFS("."))) {
		t.Error(fault)
	}
}

// layerFaults checks every import against the table, and says what to do about
// each that it refuses.
func layerFaults(src []source) (faults []string) {
	complain := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for _, pkg := range packages(src) {
		if layer, _ := layerOf(pkg); layer < 0 {
			complain("%s: package in no layer: give it a row in deps_test.go", pkg)
		}
	}
	for _, s := range src {
		layer, family := layerOf(s.pkg)
		for path, at := range s.imports {
			lib, keeper := keeperOf(path)
			if lib != "" && !within(s.pkg, keeper) && !within(s.pkg, "examples") {
				complain("%s: %s imports %s, which only %s may", at, s.pkg, path, keeper)
			}
			if !within(path, module) {
				continue
			}
			to := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
			if to == "" {
				to = "."
			}
			toLayer, toFamily := layerOf(to)
			if toLayer >= layer && toFamily != family {
				complain("%s: %s (layer %d) imports %s (layer %d): imports go down only", at, s.pkg, layer, to, toLayer)
			}
		}
	}
	return faults
}

// layerOf finds a package's row: its layer, and the name of its family with
// each * filled in. A package in no row is in layer -1.
func layerOf(pkg string) (layer int, family string) {
	layer = -1
	exact := -1 // how exact the best row is: its elements, a * for less
	for _, row := range layers {
		fam, ok := match(row.name, pkg)
		if !ok {
			continue
		}
		if e := 2*strings.Count(row.name, "/") - strings.Count(row.name, "*"); e > exact {
			exact, layer, family = e, row.layer, fam
		}
	}
	return layer, family
}

// match reports whether a row's name takes in a package, and as which family.
func match(name, pkg string) (family string, ok bool) {
	head, below := strings.CutSuffix(name, "/...")
	want, have := strings.Split(head, "/"), strings.Split(pkg, "/")
	if len(have) < len(want) || len(have) > len(want) && !below {
		return "", false
	}
	for i, w := range want {
		if w != "*" && w != have[i] {
			return "", false
		}
	}
	return strings.Join(have[:len(want)], "/"), true
}

// keeperOf tells which library of keepers an import belongs to, if any.
func keeperOf(path string) (lib, keeper string) {
	for lib, keeper := range keepers {
		if within(path, lib) {
			return lib, keeper
		}
	}
	return "", ""
}

// within reports whether a path is dir or lies below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, dir+"/")
}
