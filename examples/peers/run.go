package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/coppice-go/coppice/examples/peers/work"
)

// An outcome is what came of one run of a workload: its rows, or what the peer
// lacks to run it.
type outcome struct {
	rows  []work.Row
	lacks string
}

// run runs a workload on a peer. A row that it does not give has failed, with
// what the program said last.
func (b bench) run(ctx context.Context, p peer, w work.Workload, c counts, limit time.Duration) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, limit+limit/4)
	defer cancel()
	cmd := b.command(ctx, p, w.Name, c.N, c.K, limit)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return outcome{}, fmt.Errorf("%s: %w", cmd, err)
	}
	if exit != nil && exit.ExitCode() == 2 && strings.HasPrefix(said.String(), "has no ") {
		return outcome{lacks: firstLine(said.String())}, nil
	}
	return read(&out, w.Rows, complaint(err, said.String()))
}

// complaint is what a program says of its own failure; "" if it has not failed.
func complaint(err error, said string) string {
	if err == nil {
		return ""
	}
	if line := firstLine(said); line != "" {
		return line
	}
	return err.Error()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line[:min(len(line), 200)]
}

// read takes the rows that a program wrote. If it then failed, those that are
// missing have failed, or the last, if none is. One that left some out and did
// not fail is no program of ours.
func read(r io.Reader, want []string, wrong string) (o outcome, err error) {
	for d := json.NewDecoder(r); ; {
		var row work.Row
		if err := d.Decode(&row); err == io.EOF {
			break
		} else if err != nil {
			return o, fmt.Errorf("what the program wrote is no row: %w", err)
		}
		if !slices.Contains(want, row.Name) || o.has(row.Name) {
			return o, fmt.Errorf("the program wrote a row %q, want one each of %q", row.Name, want)
		}
		o.rows = append(o.rows, row)
	}
	if wrong != "" && len(o.rows) == len(want) {
		o.rows[len(want)-1].Failed = wrong
	}
	for _, name := range want {
		if o.has(name) {
			continue
		}
		if wrong == "" {
			return o, fmt.Errorf("the program wrote no row %q, and does not say why", name)
		}
		o.rows = append(o.rows, work.Row{Name: name, Failed: wrong})
	}
	return o, nil
}

func (o outcome) has(row string) bool {
	return slices.ContainsFunc(o.rows, func(r work.Row) bool { return r.Name == row })
}

// measure runs every workload on every peer, in rounds: so that what disturbs
// the machine for a while disturbs them all.
func (b bench) measure(ctx context.Context, s size, peers []peer, works []work.Workload, say func(string, ...any)) (cells, error) {
	var all cells
	spent := map[string]time.Duration{}
	for round := range s.rounds {
		for _, w := range works {
			c, ok := s.sizes[w.Name]
			if !ok {
				continue
			}
			for i := range peers {
				p := peers[(i+round)%len(peers)] // nobody is always the first
				pair := p.name + "/" + w.Name
				if s.skips(p, w.Name) != "" || all.lacks(p.name, w.Rows[0]) || spent[pair] > s.budget {
					continue
				}
				began := time.Now()
				o, err := b.run(ctx, p, w, c, s.limit)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", p.name, w.Name, err)
				}
				took := time.Since(began)
				spent[pair] += took
				all.add(p.name, w, o)
				say("%d/%d  %-20s %-13s %5.1f s  %s", round+1, s.rounds, p.name, w.Name, took.Seconds(), o)
			}
		}
	}
	return all, nil
}

func (o outcome) String() string {
	if o.lacks != "" {
		return o.lacks
	}
	var parts []string
	for _, r := range o.rows {
		switch {
		case r.Failed != "":
			parts = append(parts, "FAILED: "+r.Failed)
		case r.Lesser != "":
			parts = append(parts, number(r.Value)+" ("+r.Lesser+")")
		default:
			parts = append(parts, number(r.Value))
		}
	}
	return strings.Join(parts, "  ")
}
