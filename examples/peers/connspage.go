package main

import (
	"fmt"
	"strings"
)

const connIntro = `# What connections cost

<!-- Made by examples/peers; what is changed here is lost, and a test says so. -->

Connections of package acceptor, with and without package tlsconn, beside raw
package net and crypto/tls with a goroutine for each connection: no limits, no
supervision, no deadlines. What is measured is the server: the processor time,
of user and system, of one operation, and the memory of a connection that does
nothing.

It is made by one command, in ` + "`examples/peers`" + `, in some two minutes:

` + "```" + `
cd examples/peers
GOWORK=off go run . -conns -size two -out ../../docs/connections.json
` + "```" + `
`

const connShort = `
## What falls short, and why

- A TCP connection that lives for one echo pays for its supervision: two processes
  are started by a third and buried, and a fourth counts them. A profile of the
  server finds the system calls to be those of raw; of what is above that, about a
  quarter is stacks that grow, a quarter allocation, a fifth scheduling.
- Resident memory over TCP: all connections come within a second here. What their
  readers had is free once they rest, and the next connections get it, but it lies
  between what lives and so stays with the program: some 1 kB each.
- Half of raw over TLS: crypto/tls alone keeps 6 kB of a silent connection (records
  3.5, ciphers 1.7, the rest itself), on both sides of the table.
- The first echo after a silence starts a reader and puts it to rest again.
`

const connMethod = `
## How it is measured

- The server is a program of its own, one for each line of the table and each
  round, and says itself what it has used (getrusage). The clients are another
  program, on the same processors: how many operations there are in a second says
  little then, and is not shown.
- Rounds are interleaved: one of everything, then the next. The figure is the
  median.
- 16 clients at a time. An echo is 32 bytes. TLS is 1.3 with a certificate on
  P-256, and nothing is resumed.
- coppice: below a supervisor, with a limit of connections, a tracer that runs
  with no stream open, and the deadlines that it has by default. Bytes are cut
  into frames, and each is a message to the connection's process.
- raw: whatever a read brings is written.
- Idle: 10,000 connections have echoed once, and then been silent for 1.5
  seconds. Memory is taken after a collection, and divided by their number; that
  of sockets in the operating system is not in it. Then each of them echoes once
  more, and is silent again; the second time that is measured, for the row of those
  that were idle.
`

// connFiles are what is made of a report of connections.
func (r *report) connFiles(name string) map[string]string {
	return map[string]string{name + ".md": connPage(r)}
}

// connPage is the Markdown of a report of connections.
func connPage(r *report) string {
	var b strings.Builder
	b.WriteString(connIntro)
	if len(r.Cells) == 0 {
		b.WriteString("\nNo run is kept here yet.\n")
		return b.String()
	}
	b.WriteString(circumstances(r))
	fmt.Fprintf(&b, "- raw: built with %s.\n", r.Versions["raw"])
	b.WriteString(connTable(r))
	b.WriteString(connShort)
	b.WriteString(connMethod)
	return b.String()
}

// connTable shows every figure, with its least and greatest, and what has come of
// the goals.
func connTable(r *report) string {
	var b strings.Builder
	b.WriteString("\n## Every figure\n\nMedian, and in parentheses the least and the greatest of the rounds.\n\n| what | unit |")
	line := "| --- | --- |"
	for _, p := range sides {
		b.WriteString(" " + p.name + " |")
		line += " ---: |"
	}
	b.WriteString(" ratio | goal | reached |\n" + line + " ---: | --- | --- |\n")
	for _, row := range connRows {
		ours := r.Cells.get(sides[0].name, row.name)
		if ours == nil {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s |", r.title(row), row.unit)
		for _, p := range sides {
			b.WriteString(" " + spread(r.Cells.get(p.name, row.name)) + " |")
		}
		ratio := "–"
		if raw := r.Cells.get("raw", row.name); ours.ok() && raw.ok() {
			ratio = number(ours.median() / raw.median())
		}
		texts, verdicts := goalCells(r, row)
		fmt.Fprintf(&b, " %s | %s | %s |\n", ratio, texts, verdicts)
	}
	for _, c := range r.Cells {
		if c.Failed != "" {
			fmt.Fprintf(&b, "\n%s, %s: failed in %d of %d rounds: %s.\n", c.Peer, c.Row, c.Failures, c.Failures+len(c.Values), c.Failed)
		}
	}
	return b.String()
}

// spread is a figure with its least and greatest.
func spread(c *cell) string {
	s := figure(c)
	if c.ok() && len(c.Values) > 1 {
		s += fmt.Sprintf(" (%s–%s)", number(c.min()), number(c.max()))
	}
	return s
}
