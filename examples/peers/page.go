package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coppice-go/coppice/examples/peers/work"
)

// files are what is made of a report: the page, and the charts in a folder
// beside it, by their paths from there.
func (r *report) files(name string) map[string]string {
	out := map[string]string{name + ".md": page(r, name)}
	for _, row := range charted(r) {
		out[chartFile(name, row.name)] = chart(r, row)
	}
	return out
}

func chartFile(name, row string) string {
	return name + "/" + strings.NewReplacer(" ", "-", "+", "-").Replace(row) + ".svg"
}

// charted are the rows that there is something to show of.
func charted(r *report) (out []row) {
	for _, row := range rows {
		if len(bars(r.Cells, row)) > 0 {
			out = append(out, row)
		}
	}
	return out
}

// publish writes what is made of results beside their own FILE.json: FILE.md and
// FILE/*.svg. Charts of rows that are gone are removed.
func publish(file string, files func(name string) map[string]string) error {
	name, err := baseName(file)
	if err != nil {
		return err
	}
	dir := filepath.Dir(file)
	old, err := filepath.Glob(filepath.Join(dir, name, "*.svg"))
	if err != nil {
		return err
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			return err
		}
	}
	for f, text := range files(name) {
		f = filepath.Join(dir, filepath.FromSlash(f))
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// baseName is the name of a file of results without its ending.
func baseName(file string) (string, error) {
	name, ok := strings.CutSuffix(filepath.Base(file), ".json")
	if !ok || name == "" {
		return "", fmt.Errorf("%q: results are kept in a file whose name ends in .json", file)
	}
	return name, nil
}

const intro = `# Performance

<!-- Made by examples/peers; what is changed here is lost, and a test says so. -->

The same work on this module and on others, side by side: on BEAM, where it all
comes from; on ergo, protoactor-go and hollywood, which have processes too; on
suture, which has supervisors; and on bare goroutines with channels, which do
less than any of them. The goals are ratios to the best of these in the same
run, because a figure of one machine says little about another.

It is made by one command, in ` + "`examples/peers`" + ` (a module of its own, so that
nobody inherits what it needs), in some two minutes:

` + "```" + `
cd examples/peers
GOWORK=off go run . -size two -out ../../docs/performance.json
` + "```" + `
`

// page is the Markdown of a report.
func page(r *report, name string) string {
	var b strings.Builder
	b.WriteString(intro)
	if len(r.Cells) == 0 {
		b.WriteString("\nNo run is kept here yet.\n")
		return b.String()
	}
	b.WriteString(circumstances(r))
	b.WriteString(goalTable(r))
	b.WriteString(shortfalls(r))
	b.WriteString(peerTable(r))
	b.WriteString(remarks(r))
	b.WriteString(method)
	b.WriteString("\n## Charts\n")
	for _, row := range charted(r) {
		fmt.Fprintf(&b, "\n![%s](%s)\n", r.title(row), chartFile(name, row.name))
	}
	return b.String()
}

func circumstances(r *report) string {
	var b strings.Builder
	b.WriteString("\n## The run\n\n")
	fmt.Fprintf(&b, "- Command: `%s`, size %s; it began %s and took %s.\n", r.Command, r.Size, r.Began.UTC().Format("2006-01-02 15:04 MST"), r.Took)
	b.WriteString(r.Machine.describe())
	var versions []string
	for _, p := range peers {
		if v := r.Versions[p.name]; v != "" {
			versions = append(versions, p.name+" "+v)
		}
	}
	if versions != nil { // a program knows its own only if it was built with that of its repository
		fmt.Fprintf(&b, "- Versions: %s.\n", strings.Join(versions, "; "))
	}
	for _, p := range peers {
		if why := r.Absent[p.name]; why != "" {
			fmt.Fprintf(&b, "- %s was not run: %s.\n", p.name, why)
		}
	}
	return b.String()
}

// goalTable shows each goal, and what has come of it.
func goalTable(r *report) string {
	var b strings.Builder
	b.WriteString("\n## Against the goals\n\n")
	b.WriteString("A ratio is how many times faster coppice is than the best of the others, bare\ngoroutines left out.\n\n")
	b.WriteString("| what | unit | coppice | best of the others | ratio | goal | reached |\n| --- | --- | ---: | ---: | ---: | --- | --- |\n")
	for _, row := range rows {
		ours := r.Cells.get(peers[0].name, row.name)
		if ours == nil {
			continue
		}
		other, ratio := "–", "–"
		if c := best(r.Cells, row.name); c != nil {
			other = c.Peer + " " + number(c.median())
			if ours.ok() && ours.median() > 0 {
				ratio = number(c.median() / ours.median())
			}
		}
		texts, verdicts := goalCells(r, row)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", r.title(row), row.unit, figure(ours), other, ratio, texts, verdicts)
	}
	return b.String()
}

// short says of each row why it may fall short, and what was tried. It is written
// by hand, from profiles.
//
//go:embed short.md
var short string

// excuses are the parts of short by their rows.
func excuses() map[string]string {
	out := map[string]string{}
	for _, part := range strings.Split("\n"+short, "\n## ")[1:] {
		row, text, _ := strings.Cut(part, "\n")
		out[row] = strings.TrimSpace(text)
	}
	return out
}

// shortfalls says what is known of the rows that have missed a goal.
func shortfalls(r *report) string {
	var b strings.Builder
	known := excuses()
	for _, row := range rows {
		if row.missed(r) {
			fmt.Fprintf(&b, "\n### %s\n\n%s\n", r.title(row), known[row.name])
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n## Where it falls short, and why\n\nFrom profiles on a machine with two processors; the figures here are of the days when\nit was tried, one after the other.\n" + b.String()
}

// missed reports whether one of the row's goals was.
func (row row) missed(r *report) bool {
	return slices.ContainsFunc(row.goals, func(g goal) bool { return g.judge(r, row.name) == missed })
}

func goalCells(r *report, row row) (texts, verdicts string) {
	var t, v []string
	for _, g := range row.goals {
		text := g.text
		if x, ok := g.bound(r, row.name); ok && g.kind != atMost {
			text += " (" + number(x) + ")"
		}
		t, v = append(t, text), append(v, g.judge(r, row.name).String())
	}
	if t == nil {
		return "–", "–"
	}
	return strings.Join(t, "; "), strings.Join(v, "; ")
}

// figure is the median of a cell, or that there is none.
func figure(c *cell) string {
	switch {
	case c == nil || c.Lacks != "":
		return "–"
	case c.Failed != "":
		return "failed"
	case c.Lesser != "":
		return number(c.median()) + "\\*"
	}
	return number(c.median())
}

// peerTable shows every figure, with its least and greatest.
func peerTable(r *report) string {
	var b strings.Builder
	b.WriteString("\n## Every figure\n\nMedian, and in parentheses the least and the greatest of the rounds. –: it has no\nsuch thing, or was not run; \\*: it did less than was asked, see below.\n\n| what | unit |")
	line := "| --- | --- |"
	for _, p := range peers {
		b.WriteString(" " + p.name + " |")
		line += " ---: |"
	}
	b.WriteString("\n" + line + "\n")
	for _, row := range rows {
		cols, some := "", false
		for _, p := range peers {
			c := r.Cells.get(p.name, row.name)
			cols += " " + figure(c)
			if c.ok() && len(c.Values) > 1 {
				cols += fmt.Sprintf(" (%s–%s)", number(c.min()), number(c.max()))
			}
			cols += " |"
			some = some || c != nil
		}
		if some {
			fmt.Fprintf(&b, "| %s | %s |%s\n", r.title(row), row.unit, cols)
		}
	}
	return b.String()
}

// remarks say who lost what, and who did less than was asked.
func remarks(r *report) string {
	var b strings.Builder
	for _, row := range rows {
		for _, p := range peers {
			c := r.Cells.get(p.name, row.name)
			if c == nil {
				continue
			}
			if c.Failed != "" {
				rounds := c.Failures + len(c.Values)
				fmt.Fprintf(&b, "- %s, %s: failed in %d of %d rounds: %s.\n", r.title(row), p.name, c.Failures, rounds, c.Failed)
			} else if c.Lesser != "" {
				fmt.Fprintf(&b, "- %s, %s\\*: %s.\n", r.title(row), p.name, c.Lesser)
			}
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n### What was lost, and what was left out\n\n" + b.String()
}

const method = `
## How it is measured

- Each peer is a program of its own, and each workload a run of its own. Rounds
  are interleaved: one of everything, then the next.
- Handlers and checks are the same code for all that are written in Go, and the
  same in Erlang. Every outcome is counted: who loses a message, a child, a timer
  or a monitor's word has failed, and has no figure.
- coppice: by its public API; bare processes where BEAM has bare processes,
  servers where BEAM has gen_servers; default deadlines, a tracer that runs with
  no stream open, and whose crash reports go to nobody. "no reports" makes none.
- A crash is what costs a peer's users least: an error as the reason, or a panic
  where there is nothing else. All others have their logs off.
- BEAM copies messages, counts reductions, and yields; goroutines call without a
  deadline.
- ergo's mailboxes hold a hundred messages and refuse more: senders try again.
- hollywood has no supervisors: its actors restart themselves, at once here,
  instead of after half a second.
- suture has no processes: it supervises a goroutine that reads a channel, and
  the channel outlives the crash.
- Restart windows are as wide as a peer allows, so that none gives up.
- Memory: what is in use after a collection; of the million, what the whole
  program occupies.
`

// works are the workloads by name, all if none is named.
func works(names []string) ([]work.Workload, error) {
	if len(names) == 0 {
		return work.Workloads, nil
	}
	var out []work.Workload
	for _, name := range names {
		w, ok := work.Find(name)
		if !ok {
			return nil, fmt.Errorf("there is no workload %q", name)
		}
		out = append(out, w)
	}
	return out, nil
}
