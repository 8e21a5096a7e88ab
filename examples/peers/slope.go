package main

import "math"

// A slope is how a cost grows with the size.
type slope struct {
	judged verdict
	ratio  float64 // the cost of one at the largest size, in those at the smallest
	tenth  float64 // the steepest that it grows between two sizes, for a tenfold size
}

// What is linear in all is flat for one. Memory is not flat, though: what is in
// the caches among a thousand is not among a million. So the cost of one at the
// largest size may be mayGrow times that at any smaller one for each tenfold
// between them, and twice in any case: that much is noise. And nowhere may it
// grow as that of n to the 1.5 does, which is tooFast for a tenfold: a cost that
// goes with the square has to show somewhere, and would be 10.
const (
	mayGrow = 1.5
	noise   = 2
	tooFast = 3.16
)

// A cost is that of one, at a size.
type cost struct {
	n   int
	one float64
}

// slopeOf judges a line on so many processors. Where something was lost at some
// size, there is no telling how it grows.
func (g *growth) slopeOf(l line, procs int) slope {
	var costs []cost
	for _, n := range g.sizes() {
		c := g.at(peers[0], l.row, n, procs)
		if c == nil {
			continue
		}
		if !c.comparable() {
			return slope{judged: missed}
		}
		one := c.median()
		if l.whole {
			one /= float64(n)
		}
		if l.beside {
			than := g.at(bare, l.row, n, procs)
			if !than.comparable() {
				return slope{}
			}
			one /= than.median()
		}
		costs = append(costs, cost{n, one})
	}
	return judge(costs)
}

// judge wants the costs in order of their sizes. One alone says nothing.
func judge(costs []cost) slope {
	if len(costs) < 2 {
		return slope{}
	}
	last := costs[len(costs)-1]
	s := slope{judged: reached, ratio: last.one / costs[0].one}
	for i, c := range costs[:len(costs)-1] {
		next := costs[i+1]
		s.tenth = max(s.tenth, math.Pow(next.one/c.one, 1/decades(c, next)))
		if last.one/c.one > max(noise, math.Pow(mayGrow, decades(c, last))) {
			s.judged = missed
		}
	}
	if s.tenth > tooFast {
		s.judged = missed
	}
	return s
}

// decades is how many times tenfold a size is of another.
func decades(from, to cost) float64 { return math.Log10(float64(to.n) / float64(from.n)) }
