package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const keptConns = "../../docs/connections.json"

// The page says what the kept results say, and no more. To make it anew:
// go run . -conns -from ../../docs/connections.json
func TestConnPageIsMadeOfResults(t *testing.T) {
	r := &report{}
	if err := load(keptConns, r); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(strings.TrimSuffix(keptConns, ".json") + ".md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != connPage(r) {
		t.Errorf("the page is not what is made of %s", keptConns)
	}
}

func TestConnPage(t *testing.T) {
	r := &report{Command: "go run . -conns", Size: "two", Sizes: connSizes[2].sizes, Machine: machine{CPU: "abacus", Procs: 2}, Cells: cells{
		{Peer: "coppice", Row: "tcp visit", Values: []float64{60, 50, 70}},
		{Peer: "raw", Row: "tcp visit", Values: []float64{50}},
		{Peer: "coppice", Row: "tcp resident", Values: []float64{3000}},
		{Peer: "raw", Row: "tcp resident", Values: []float64{4000}},
		{Peer: "coppice", Row: "tls echo", Failed: "EOF", Failures: 2, Values: []float64{1}},
		{Peer: "raw", Row: "tls echo", Values: []float64{2}},
	}}
	got := connPage(r)
	for _, want := range []string{
		"| TCP: accept, echo, close | µs | 60 (50–70) | 50 | 1.2 | at most 1.3 times raw (65) | yes |\n",
		"| TCP: an idle connection, resident | bytes | 3,000 | 4,000 | 0.75 | at most 1 times raw (4,000); at most 0.5 times raw (2,000) | yes; **no** |\n",
		"| TLS: echo | µs | failed | 2 | – | at most 1.3 times raw (2.6) | **no** |\n",
		"\ncoppice, tls echo: failed in 2 of 3 rounds: EOF.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks\n%s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// Each row of the table comes of one work, and each work has its sizes.
func TestConnRows(t *testing.T) {
	var want, got []string
	for _, w := range connWorks {
		want = append(want, w.rows...)
		for _, s := range connSizes {
			if s.sizes[w.name].K == 0 {
				t.Errorf("%s: %s has no size", s.name, w.name)
			}
		}
	}
	for _, r := range connRows {
		got = append(got, r.name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("rows of the table %q, of the works %q", got, want)
	}
}
