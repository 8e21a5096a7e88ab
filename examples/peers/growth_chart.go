package main

import (
	"fmt"
	"math"
)

// The measures of a chart of growth, in pixels. Two stand side by side.
const (
	growWidth, growHeight = 430, 280
	growLeft, growRight   = 64, 325 // right of it there is room for the processors
	growTop, growBottom   = 40, 230
)

// The colours of the numbers of processors, from 1 on; the last is used again.
var growColours = []string{"#1a7f4b", "#1d4ed8", "#b45309", "#7e22ce", "#0e7490", "#be123c"}

// A plane gives sizes and figures their place, by logarithms both.
type plane struct{ x, y scale }

// place is where a value stands between two pixels, by its logarithm.
func place(s scale, v, from, to float64) float64 {
	return from + (to-from)*(math.Log10(v)-math.Log10(s.from))/(math.Log10(s.to)-math.Log10(s.from))
}

func (p plane) at(n int, v float64) (x, y float64) {
	return place(p.x, float64(n), growLeft, growRight), place(p.y, v, growBottom, growTop)
}

// A curve is a line on so many processors: its figures by size.
type curve struct {
	caption, colour string
	n               []int
	cells           []*cell
}

// curves are ours, and that of bare goroutines on all processors if we are
// beside them.
func (g *growth) curves(l line) (out []curve) {
	add := func(c curve, p peer, procs int) {
		for _, n := range g.sizes() {
			if cell := g.at(p, l.row, n, procs); cell.ok() && cell.min() > 0 { // else it cannot be drawn
				c.n, c.cells = append(c.n, n), append(c.cells, cell)
			}
		}
		if len(c.n) > 0 {
			out = append(out, c)
		}
	}
	all := g.procs()
	for i, procs := range all {
		caption := fmt.Sprint(procs, " processors")
		if procs == 1 {
			caption = "1 processor"
		}
		add(curve{caption: caption, colour: growColours[min(i, len(growColours)-1)]}, peers[0], procs)
	}
	if l.beside {
		add(curve{caption: "goroutines", colour: colourOther}, bare, all[len(all)-1])
	}
	return out
}

// growthChart draws a line as SVG: a curve for each number of processors, with
// its median, its least and its greatest figure at each size.
func growthChart(g *growth, l line) string {
	c := &canvas{}
	c.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="DejaVu Sans, Verdana, sans-serif" font-size="11" fill="%s">`,
		growWidth, growHeight, growWidth, growHeight, colourText)
	c.printf(`<rect width="%d" height="%d" fill="white"/>`, growWidth, growHeight)
	c.text(10, 20, `font-size="12" font-weight="bold"`, l.title)
	list := g.curves(l)
	if len(list) == 0 {
		c.text(growLeft, growTop+20, fmt.Sprintf(`fill="%s"`, colourFailed), "failed at every size")
		c.printf("</svg>")
		return c.String()
	}
	p := newPlane(g.sizes(), list)
	c.grid(p, l)
	for _, cv := range list {
		c.curve(p, cv, l)
	}
	c.captions(list)
	c.printf("</svg>")
	return c.String()
}

func newPlane(sizes []int, list []curve) plane {
	lo, hi := math.Inf(1), 0.0
	for _, cv := range list {
		for _, cell := range cv.cells {
			lo, hi = min(lo, cell.min()), max(hi, cell.max())
		}
	}
	return plane{decadeScale(float64(sizes[0]), float64(sizes[len(sizes)-1])), decadeScale(lo, hi)}
}

// decadeScale goes from a power of ten to another, at least one further.
func decadeScale(lo, hi float64) scale {
	a, b := math.Floor(math.Log10(lo)), math.Ceil(math.Log10(hi))
	s := scale{log: true}
	for e := a; e <= max(a+1, b); e++ {
		s.ticks = append(s.ticks, math.Pow(10, e))
	}
	s.from, s.to = s.ticks[0], s.ticks[len(s.ticks)-1]
	return s
}

// grid draws the scales, and what is exactly linear.
func (c *canvas) grid(p plane, l line) {
	for _, t := range p.x.ticks {
		x := place(p.x, t, growLeft, growRight)
		c.printf(`<path d="M%.1f %d V%d" stroke="%s"/>`, x, growTop, growBottom, colourLine)
		c.text(x, growBottom+16, `text-anchor="middle"`, number(t))
	}
	for _, t := range p.y.ticks {
		y := place(p.y, t, growBottom, growTop)
		c.printf(`<path d="M%d %.1f H%d" stroke="%s"/>`, growLeft, y, growRight, colourLine)
		c.text(growLeft-6, y+4, `text-anchor="end"`, number(t))
	}
	of := " for one of n"
	if l.whole {
		of = " for all n"
	}
	c.text(growLeft, growBottom+36, "", l.unit+of)
}

func (c *canvas) curve(p plane, cv curve, l line) {
	path, colour := "", cv.colour
	for i, n := range cv.n {
		cell := cv.cells[i]
		x, y := p.at(n, cell.median())
		path += fmt.Sprintf("%s%.1f %.1f", map[bool]string{true: "M", false: " L"}[i == 0], x, y)
		_, lo := p.at(n, cell.min())
		_, hi := p.at(n, cell.max())
		c.printf(`<path d="M%.1f %.1f V%.1f" stroke="%s"/><circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x, lo, hi, colour, x, y, colour)
	}
	c.printf(`<path d="%s" fill="none" stroke="%s" stroke-width="1.8"/>`, path, colour)
	if !l.beside {
		c.linear(p, cv, l)
	}
}

// linear draws what is exactly linear, from a curve's first figure on.
func (c *canvas) linear(p plane, cv curve, l line) {
	from, to := cv.n[0], cv.n[len(cv.n)-1]
	end := cv.cells[0].median()
	if l.whole {
		end *= float64(to) / float64(from)
	}
	x1, y1 := p.at(from, cv.cells[0].median())
	x2, y2 := p.at(to, end)
	if y2 < growTop { // as far as there is room
		x2, y2 = x1+(x2-x1)*(y1-growTop)/(y1-y2), growTop
	}
	c.printf(`<path d="M%.1f %.1f L%.1f %.1f" stroke="%s" stroke-dasharray="4 4" stroke-opacity="0.6"/>`, x1, y1, x2, y2, cv.colour)
}

// captions write what the curves are of, one below the other.
func (c *canvas) captions(list []curve) {
	for i, cv := range list {
		c.printf(`<circle cx="%d" cy="%d" r="3" fill="%s"/>`, growRight+18, growTop+4+16*i, cv.colour)
		c.text(growRight+26, float64(growTop+8+16*i), "", cv.caption)
	}
}
