package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// The measures of a chart, in pixels.
const (
	chartWidth = 800
	plotLeft   = 160 // room for the names
	plotRight  = 580 // right of it there is room for the figures
	plotTop    = 54
	barStep    = 28
	barHeight  = 16
)

const (
	colourOwn     = "#1a7f4b"
	colourOther   = "#8a98a8"
	colourGoal    = "#c2410c"
	colourFailed  = "#b91c1c"
	colourText    = "#1f2933"
	colourLine    = "#d9dee4"
	colourWhisker = "#3d4854"
)

// A bar is one peer in a chart.
type bar struct {
	name          string
	own           bool
	value, lo, hi float64
	pale          bool   // it counts for less
	text          string // in place of the bar, if it has no value
}

// bars are the peers that have something to show in a row.
func bars(all cells, r row) (out []bar) {
	for _, p := range peers {
		c := all.get(p.name, r.name)
		switch {
		case c == nil || c.Lacks != "":
		case c.ok():
			out = append(out, bar{name: p.name, own: p.role <= variant, value: c.median(), lo: c.min(), hi: c.max(), pale: c.Lesser != ""})
		default:
			out = append(out, bar{name: p.name, text: shorten("failed: "+c.Failed, 90)})
		}
	}
	return out
}

// shorten cuts a text where a chart has no more room.
func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// A scale gives values their place in a chart.
type scale struct {
	from, to float64
	log      bool
	ticks    []float64
}

// logFrom is how many times more the largest figure has to be than the smallest
// for a scale of logarithms. Below that, lengths tell the ratio at a glance.
const logFrom = 25

func newScale(values []float64) scale {
	lo, hi := math.Inf(1), 0.0
	for _, v := range values {
		lo, hi = min(lo, v), max(hi, v)
	}
	if hi == 0 {
		return scale{0, 1, false, []float64{0, 1}}
	}
	if lo > 0 && hi/lo >= logFrom {
		return logScale(lo, hi)
	}
	step := niceStep(hi / 4)
	s := scale{from: 0, to: step * math.Ceil(hi/step)}
	for i := range int(math.Round(s.to/step)) + 1 {
		s.ticks = append(s.ticks, step*float64(i))
	}
	return s
}

// logScale begins a power of ten below the smallest, so that its bar has a
// length too.
func logScale(lo, hi float64) scale {
	a, b := math.Floor(math.Log10(lo*0.8)), math.Ceil(math.Log10(hi))
	s := scale{from: math.Pow(10, a), to: math.Pow(10, b), log: true}
	for e := a; e <= b; e++ {
		s.ticks = append(s.ticks, math.Pow(10, e))
	}
	return s
}

// niceStep is the next 1, 2 or 5 times a power of ten from x on.
func niceStep(x float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*p >= x {
			return m * p
		}
	}
	return 10 * p
}

func (s scale) x(v float64) float64 {
	share := (v - s.from) / (s.to - s.from)
	if s.log {
		share = (math.Log10(v) - math.Log10(s.from)) / (math.Log10(s.to) - math.Log10(s.from))
	}
	return plotLeft + max(0, min(1, share))*(plotRight-plotLeft)
}

// chart draws a row as SVG: a bar for each peer with its median, a line from
// its least figure to its greatest, and dashes where our goal is.
func chart(r *report, row row) string {
	list := bars(r.Cells, row)
	goal, hasGoal := strictest(r, row)
	var values []float64
	for _, b := range list {
		if b.text == "" {
			values = append(values, b.value, b.hi, b.lo)
		}
	}
	if hasGoal {
		values = append(values, goal)
	}
	c := &canvas{s: newScale(values)}
	bottom := float64(plotTop + barStep*len(list))
	height := bottom + 46
	c.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%.0f" viewBox="0 0 %d %.0f" font-family="DejaVu Sans, Verdana, sans-serif" font-size="12" fill="%s">`,
		chartWidth, height, chartWidth, height, colourText)
	c.printf(`<rect width="%d" height="%.0f" fill="white"/>`, chartWidth, height)
	c.text(12, 22, `font-size="14" font-weight="bold"`, r.title(row))
	c.axis(bottom, row.unit)
	for i, b := range list {
		c.bar(barTop(i), b)
	}
	if hasGoal {
		x := c.s.x(goal)
		c.printf(`<path d="M%.1f %d V%.1f" stroke="%s" stroke-width="1.5" stroke-dasharray="5 3"/>`, x, plotTop-6, bottom, colourGoal)
		c.text(x, plotTop-9, fmt.Sprintf(`fill="%s" text-anchor="middle" font-size="11"`, colourGoal), "goal "+number(goal))
	}
	for i, b := range list { // above the line of the goal
		c.label(barTop(i)+barHeight/2+4, b)
	}
	c.printf("</svg>")
	return c.String()
}

func barTop(i int) float64 { return float64(plotTop + barStep*i + (barStep-barHeight)/2) }

// strictest is the lowest figure that a goal of the row asks for.
func strictest(r *report, row row) (x float64, ok bool) {
	for _, g := range row.goals {
		if b, has := g.bound(r, row.name); has && (!ok || b < x) {
			x, ok = b, true
		}
	}
	return x, ok
}

type canvas struct {
	strings.Builder
	s scale
}

func (c *canvas) printf(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

func (c *canvas) text(x, y float64, attributes, text string) {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	c.printf(`<text x="%.1f" y="%.1f" %s>%s</text>`, x, y, attributes, b.String())
}

func (c *canvas) axis(bottom float64, unit string) {
	for _, t := range c.s.ticks {
		x := c.s.x(t)
		c.printf(`<path d="M%.1f %d V%.1f" stroke="%s"/>`, x, plotTop, bottom, colourLine)
		c.text(x, bottom+16, `text-anchor="middle" font-size="11"`, number(t))
	}
	if c.s.log {
		unit += ", scale of logarithms: an equal step is an equal ratio"
	}
	c.text(plotLeft, bottom+34, `font-size="11"`, unit+"; less is better")
}

func (c *canvas) bar(y float64, b bar) {
	if b.text != "" {
		return
	}
	colour, opacity := colourOther, 1.0
	if b.own {
		colour = colourOwn
	}
	if b.pale {
		opacity = 0.4
	}
	c.printf(`<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s" fill-opacity="%.1f"/>`, plotLeft, y, c.s.x(b.value)-plotLeft, barHeight, colour, opacity)
	lo, hi := c.s.x(b.lo), c.s.x(b.hi)
	c.printf(`<path d="M%.1f %.1f H%.1f m0 -3 v6 M%.1f %.1f v6" stroke="%s"/>`, lo, y+barHeight/2, hi, lo, y+barHeight/2-3, colourWhisker)
}

// rim keeps a text readable where a line passes.
const rim = ` stroke="white" stroke-width="4" paint-order="stroke"`

// label writes who a bar is of, and its figure.
func (c *canvas) label(y float64, b bar) {
	weight := ""
	if b.own {
		weight = `font-weight="bold"`
	}
	c.text(plotLeft-8, y, `text-anchor="end" `+weight, b.name)
	if b.text != "" {
		c.text(plotLeft+6, y, fmt.Sprintf(`fill="%s"`, colourFailed)+rim, b.text)
		return
	}
	figure := number(b.value)
	if b.pale {
		figure += " (did less)"
	}
	c.text(max(c.s.x(b.hi), c.s.x(b.value))+8, y, weight+rim, figure)
}
