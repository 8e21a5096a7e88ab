package coppice

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// A check that cannot fail protects nothing. Each one is run here on small
// trees that have one thing wrong, and has to name it.
func TestChecksFail(t *testing.T) {
	layering := func(root fs.FS) []string { return layerFaults(sources(t, root)) }
	starting := func(root fs.FS) []string { return goStatementFaults(sources(t, root)) }
	describing := func(root fs.FS) []string { return packageDocFaults(sources(t, root)) }
	mapping := func(root fs.FS) []string { return architectureFaults(root, sources(t, root)) }

	tests := []struct {
		name  string
		check func(fs.FS) []string
		files map[string]string
		want  []string // each is part of a fault, in order; none: no fault
	}{
		{"layers kept", layering, map[string]string{
			"process/pid.go":                imports("process", "example.com/anything", module+"/internal/queue"),
			"supervisor/sup.go":             imports("supervisor", module+"/process", module+"/process/server"),
			"supervisor/child/http.go":      imports("child", module+"/supervisor"),
			"trace/log.go":                  imports("trace", "github.com/rs/zerolog", module+"/process"),
			"examples/hello/main.go":        imports("main", "github.com/rs/zerolog", module+"/application"),
			"internal/cmd/otpreplay/run.go": imports("main", module+"/internal/otpscript"),
			"process/pid_test.go":           imports("process", module+"/process/processtest"),
			"process/testdata/odd.go":       imports("odd", module+"/application"),
		}, nil},
		{"import upward", layering, map[string]string{
			"process/pid.go": imports("process", module+"/process/server"),
		}, []string{"process/pid.go:3: process (layer 1) imports process/server (layer 2)"}},
		{"import sideways", layering, map[string]string{
			"acceptor/tcp.go": imports("acceptor", module+"/application"),
		}, []string{"acceptor/tcp.go:3: acceptor (layer 4) imports application (layer 4)"}},
		{"import of the front page", layering, map[string]string{
			"internal/queue/q.go": imports("queue", module),
		}, []string{"imports . (layer 0)"}},
		{"ground floor imports ours", layering, map[string]string{
			"internal/queue/q.go": imports("queue", module+"/internal/fakes"),
		}, []string{"internal/queue (layer 0) imports internal/fakes (layer 0)"}},
		{"example imports example", layering, map[string]string{
			"examples/hello/main.go": imports("main", module+"/examples/broker/topics"),
		}, []string{"examples/hello (layer 6) imports examples/broker/topics (layer 6)"}},
		{"zerolog outside trace", layering, map[string]string{
			"supervisor/sup.go": imports("supervisor", "github.com/rs/zerolog/log"),
		}, []string{"supervisor/sup.go:3: supervisor imports github.com/rs/zerolog/log, which only trace may"}},
		{"ergo outside cluster", layering, map[string]string{
			"registry/name.go":         imports("registry", "github.com/ergo-services/ergo/gen"),
			"registry/cluster/node.go": imports("cluster", "github.com/ergo-services/ergo"),
		}, []string{"registry/name.go:3: registry imports github.com/ergo-services/ergo/gen"}},
		{"package in no layer", layering, map[string]string{
			"util/strings.go":      imports("util"),
			"process/extra/new.go": imports("extra"),
		}, []string{"process/extra: package in no layer", "util: package in no layer"}},

		{"one go statement", starting, map[string]string{
			"process/run.go":         "package process\nfunc f() { go f() }\n",
			"process/run_test.go":    "package process\nfunc g() { go g() }\n",
			"examples/hello/main.go": "package main\nfunc main() { go main() }\n",
		}, nil},
		{"no go statement", starting, map[string]string{
			"process/run.go": "package process\nfunc f() { f() }\n",
		}, []string{"process/ has 0 go statements"}},
		{"two go statements", starting, map[string]string{
			"process/run.go":          "package process\nfunc f() { go f() }\n",
			"process/statem/turns.go": "package statem\n\nfunc f() {\n\tgo f()\n}\n",
		}, []string{"process/ has 2 go statements, want exactly 1: process/run.go:2, process/statem/turns.go:4"}},
		{"go statement elsewhere", starting, map[string]string{
			"process/run.go":   "package process\nfunc f() { go f() }\n",
			"acceptor/loop.go": "package acceptor\nfunc f() { func() { go f() }() }\n",
		}, []string{"acceptor/loop.go:2: go statement"}},

		{"described", describing, map[string]string{
			"process/doc.go":         "// Package process is ours.\npackage process\n",
			"process/pid.go":         "package process\n",
			"examples/hello/main.go": "// Hello says so.\npackage main\n",
		}, nil},
		{"undescribed", describing, map[string]string{
			"process/pid.go":      "package process\n",
			"process/pid_test.go": "// Package process is described where nobody looks.\npackage process\n",
		}, []string{"process: package without a package comment"}},
		{"described twice", describing, map[string]string{
			"process/doc.go": "// Package process is ours.\npackage process\n",
			"process/pid.go": "// Package process is theirs.\npackage process\n",
		}, []string{"process: package comment in 2 files"}},
		{"described as something else", describing, map[string]string{
			"process/doc.go":         "// Processes are ours.\npackage process\n",
			"examples/hello/main.go": "// Package main says hello.\npackage main\n",
		}, []string{"examples/hello/main.go: a program's comment", `process/doc.go: package comment does not begin with "Package process "`}},

		{"mapped", mapping, map[string]string{
			"docs/architecture.md":     "see `process` and `supervisor`",
			"process/pid.go":           "package process\n",
			"supervisor/child/http.go": "package child\n",
		}, nil},
		{"off the map", mapping, map[string]string{
			"docs/architecture.md": "see process and `process/server`",
			"process/pid.go":       "package process\n",
		}, []string{"does not name `process`"}},
		{"no map", mapping, nil, []string{"docs/architecture.md"}},

		{"readme", readmeFaults, with(nil), nil},
		{"readme shows another program", readmeFaults, with(map[string]string{
			"examples/hello/main.go": "package main // edited\n",
		}), []string{"no Go block equals examples/hello/main.go"}},
		{"readme gives another command", readmeFaults, with(map[string]string{
			"README.md": "```go\npackage main\n```\n```sh\ngo run ./examples/broker\nmake test\n```\n",
		}), []string{"the commands to set up are"}},
		{"ci tests something else", readmeFaults, with(map[string]string{
			".ci/run": "go test ./...\n",
		}), []string{".ci/run: does not run"}},
		{"broken links", readmeFaults, with(map[string]string{
			"docs/map.md":  "[up](../README.md) [away](https://example.com) [gone](gone.md#part)\n```go\nSplit[Till](till)\n```\n",
			"CHANGELOG.md": "[gone](docs/gone.md)",
		}), []string{"docs/map.md: link to gone.md", "CHANGELOG.md: link to docs/gone.md"}},
		{"no readme", readmeFaults, nil, []string{"README.md", "hello", ".ci/run", "no Go block", "the commands", ".ci/run", "README.md", "CHANGELOG.md"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.check(tree(tt.files))
			ok := len(got) == len(tt.want)
			for i := 0; ok && i < len(got); i++ {
				ok = strings.Contains(got[i], tt.want[i])
			}
			if !ok {
				t.Errorf("faults found:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(tt.want, "\n\t"))
			}
		})
	}
}

// imports is a Go file that imports the paths, the first on its third line.
func imports(pkg string, paths ...string) string {
	var b strings.Builder
	b.WriteString("package " + pkg + "\n")
	for _, p := range paths {
		b.WriteString("\nimport _ \"" + p + "\"")
	}
	return b.String() + "\n"
}

// with is a tree that the README's check accepts, but for the changes.
func with(changes map[string]string) map[string]string {
	files := map[string]string{
		"README.md":              "[log](CHANGELOG.md)\n```go\npackage main\n```\n```sh\ngo run ./examples/broker\ngo test ./... ./examples/...\n```\n",
		"examples/hello/main.go": "package main\n",
		".ci/run":                "go test ./... ./examples/...\n",
		"CHANGELOG.md":           "",
	}
	for name, text := range changes {
		files[name] = text
	}
	return files
}

// tree makes a file system of names and contents.
func tree(files map[string]string) fs.FS {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}
