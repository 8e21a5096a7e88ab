package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// A machine is where a run took place.
type machine struct {
	CPU      string  `json:"cpu"`
	Procs    int     `json:"procs"` // that the programs used
	MemoryGB int     `json:"memory_gb"`
	System   string  `json:"system"`
	Load     float64 `json:"load"` // of the minute before
}

// busy is the load, for each processor, from which on figures are noise.
const busy = 0.25

func (m machine) busy() bool { return m.Load > busy*float64(m.Procs) }

// describe is what a page says of a machine.
func (m machine) describe() string {
	s := fmt.Sprintf("- Machine: %s; %d processors in use, %d GB, %s; load %.2f in the minute before.\n", m.CPU, m.Procs, m.MemoryGB, m.System, m.Load)
	if m.busy() {
		s += "- **The machine was busy with something else: these figures are noise.**\n"
	}
	return s
}

// thisMachine looks in /proc; elsewhere less is known.
func thisMachine(procs int) machine {
	if procs == 0 {
		procs = runtime.GOMAXPROCS(0)
	}
	m := machine{Procs: procs, System: runtime.GOOS + "/" + runtime.GOARCH, CPU: field("/proc/cpuinfo", "model name")}
	if kb, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		m.MemoryGB = (kb + 1<<19) >> 20
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(text), &m.Load) // no number: 0, as where there is no such file
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.System += ", " + string(bytes.TrimSpace(text))
	}
	return m
}

// field is the first value of a key in a file of lines "key: value"; "" if
// there is none.
func field(file, key string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
