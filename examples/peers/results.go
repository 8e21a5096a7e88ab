package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/coppice-go/coppice/examples/peers/work"
)

// A report is all that is kept of a run: the page is made of it, and of nothing
// else.
type report struct {
	Command  string            `json:"command"`
	Size     string            `json:"size"`
	Sizes    map[string]counts `json:"sizes"` // of the workloads
	Began    time.Time         `json:"began"`
	Took     string            `json:"took"`
	Machine  machine           `json:"machine"`
	Versions map[string]string `json:"versions"` // of the peers
	Absent   map[string]string `json:"absent,omitempty"`
	Cells    cells             `json:"cells"`
}

// A cell is what came of one row on one peer, in all rounds.
type cell struct {
	Row    string               `json:"row"`
	Peer   string               `json:"peer"`
	Values []float64            `json:"values,omitempty"` // in the order of the rounds
	Detail map[string][]float64 `json:"detail,omitempty"`
	Lacks  string               `json:"lacks,omitempty"`
	Lesser string               `json:"lesser,omitempty"`
	// Failed is what went wrong the first time that something did. A peer that
	// loses something now and then is not one that is fast the other times.
	Failed   string `json:"failed,omitempty"`
	Failures int    `json:"failures,omitempty"` // rounds in which something did
}

func (c *cell) median() float64 {
	v := slices.Sorted(slices.Values(c.Values))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

func (c *cell) min() float64 { return slices.Min(c.Values) }
func (c *cell) max() float64 { return slices.Max(c.Values) }

// ok reports whether there is a figure.
func (c *cell) ok() bool { return c != nil && c.Failed == "" && len(c.Values) > 0 }

// comparable reports whether others are compared with the figure.
func (c *cell) comparable() bool { return c.ok() && c.Lesser == "" }

type cells []*cell

func (all cells) get(peer, row string) *cell {
	i := slices.IndexFunc(all, func(c *cell) bool { return c.Peer == peer && c.Row == row })
	if i < 0 {
		return nil
	}
	return all[i]
}

func (all cells) lacks(peer, row string) bool {
	c := all.get(peer, row)
	return c != nil && c.Lacks != ""
}

// at returns the cell of a row on a peer, a new one if there is none.
func (all *cells) at(peer, row string) *cell {
	c := all.get(peer, row)
	if c == nil {
		c = &cell{Row: row, Peer: peer}
		*all = append(*all, c)
	}
	return c
}

// add takes in what came of one run.
func (all *cells) add(peer string, w work.Workload, o outcome) {
	if o.lacks != "" {
		for _, name := range w.Rows {
			all.at(peer, name).Lacks = o.lacks
		}
	}
	for _, r := range o.rows {
		c := all.at(peer, r.Name)
		if r.Failed != "" {
			if c.Failures++; c.Failed == "" {
				c.Failed = r.Failed
			}
			continue
		}
		c.Values = append(c.Values, r.Value)
		if c.Lesser == "" {
			c.Lesser = r.Lesser
		}
		for key, v := range r.Detail {
			if c.Detail == nil {
				c.Detail = map[string][]float64{}
			}
			c.Detail[key] = append(c.Detail[key], v)
		}
	}
}

// own is an error if we have lost something or left it out ourselves: slow we
// may be, wrong not.
func (r *report) own() error {
	var faults []error
	for _, c := range r.Cells {
		if p, _ := findPeer(c.Peer); p.role <= variant && (c.Failed != "" || c.Lesser != "") {
			faults = append(faults, fmt.Errorf("%s, %s: %s%s", c.Peer, c.Row, c.Failed, c.Lesser))
		}
	}
	return errors.Join(faults...)
}

// load reads a report into r, or a growth. An empty one, {}, is that of no run.
func load(file string, r any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func save(file string, r any) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
