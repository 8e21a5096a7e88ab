package acceptor

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
	"pgregory.net/rapid"
)

// acceptors returns names of processes.
func acceptors(t testing.TB, n int) (pids []process.PID) {
	node := process.NewNode(process.NodeSpec{})
	for range n {
		pid, err := process.Go(node.Context(), func(context.Context) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if err := node.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	return pids
}

func TestLedger(t *testing.T) {
	now := time.Now()
	second := time.Second
	type turn struct {
		who      int
		accepted bool
		after    time.Duration
		want     verdict
	}
	for name, c := range map[string]struct {
		limits
		spread bool
		open   int
		turns  []turn
	}{
		"no limit":     {turns: []turn{{0, false, 0, granted}, {1, false, 0, granted}, {0, false, 0, granted}}},
		"wait":         {limits: limits{max: 2}, open: 1, turns: []turn{{0, false, 0, granted}, {1, false, 0, wait}, {1, true, 0, wait}, {0, true, 0, granted}}},
		"refuse":       {limits: limits{max: 2, overflow: Refuse}, open: 1, turns: []turn{{0, false, 0, forward}, {1, false, 0, forward}, {0, true, 0, granted}, {1, true, 0, refused}}},
		"spread":       {limits: limits{max: 2}, spread: true, open: 1, turns: []turn{{0, false, 0, forward}, {1, false, 0, forward}, {0, true, 0, granted}, {1, true, 0, wait}}},
		"spread, full": {limits: limits{max: 2}, spread: true, open: 2, turns: []turn{{0, false, 0, wait}}},
		"spread, soft": {limits: limits{soft: 2, pause: second}, spread: true, open: 1, turns: []turn{{0, false, 0, forward}, {0, true, 0, granted}, {1, false, 0, forward}}},
		"above max":    {limits: limits{max: 2, overflow: Refuse}, open: 5, turns: []turn{{0, true, 0, refused}}},
		"soft, room for one": {limits: limits{max: 9, soft: 3, pause: second}, open: 2, turns: []turn{
			{0, false, 0, granted}, {1, false, 0, wait}, {1, false, time.Hour, wait}}},
		"soft, pause": {limits: limits{max: 4, soft: 2, pause: second}, open: 2, turns: []turn{
			{0, false, 0, wait}, {1, false, second / 2, wait}, {0, false, second, granted}, {1, false, second * 11 / 10, wait}, {1, false, second * 21 / 10, granted}, {2, false, second * 21 / 10, wait}}},
		"soft, one in hand":   {limits: limits{soft: 2, pause: second}, open: 2, turns: []turn{{0, true, 0, granted}}},
		"soft, until room":    {limits: limits{soft: 2, pause: process.Infinity}, open: 2, turns: []turn{{0, false, 0, wait}, {0, false, 24 * time.Hour, wait}}},
		"soft, refuse":        {limits: limits{max: 3, soft: 2, pause: second, overflow: Refuse}, open: 2, turns: []turn{{0, false, 0, wait}, {0, false, second, forward}, {0, true, second, granted}, {1, true, second, refused}}},
		"soft, refuse, below": {limits: limits{max: 3, soft: 2, pause: second, overflow: Refuse}, open: 1, turns: []turn{{0, true, 0, granted}, {1, false, 0, forward}}},
	} {
		who := acceptors(t, 3)
		g := ledger{limits: c.limits, spread: c.spread, open: c.open}
		for i, turn := range c.turns {
			if got := g.ask(who[turn.who], turn.accepted, now.Add(turn.after)); got != turn.want {
				t.Errorf("%s: answer %d is %v, want %v", name, i, got, turn.want)
			}
		}
	}
}

// Whatever happens in whatever order: what is open and allowed is never more
// than the limit lets in, nobody waits while there is room, and who waits for the
// brake is told when it opens.
func TestLedgerIsExact(t *testing.T) {
	all := acceptors(t, 4)
	rapid.Check(t, func(t *rapid.T) {
		now := time.Now()
		g := ledger{limits: limits{pause: time.Second}, spread: rapid.Bool().Draw(t, "spread")}
		var counted, uncounted int
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 700).Draw(t, "ms")) * time.Millisecond)
			who := rapid.SampledFrom(all).Draw(t, "who")
			held := len(g.holders)
			switch rapid.IntRange(0, 7).Draw(t, "what") {
			case 0, 1, 2:
				accepted := rapid.Bool().Draw(t, "accepted")
				v := g.ask(who, accepted, now)
				if g.max > 0 && len(g.holders) > held && g.open+len(g.holders) > g.max {
					t.Fatalf("%v: %d open, %d allowed of %d", v, g.open, len(g.holders), g.max)
				}
				if v == granted && !slices.Contains(g.holders, who) || v == refused && g.overflow != Refuse || v == forward && accepted {
					t.Fatalf("%v with holders %v", v, g.holders)
				}
				if v == wait {
					full := g.max > 0 && g.open+len(g.holders) >= g.max
					slow := !accepted && g.soft > 0 && g.open+len(g.holders) >= g.soft
					if !full && !slow {
						t.Fatalf("it waits with %d open and %d allowed", g.open, len(g.holders))
					}
					at := g.opens()
					if brake := g.soft > 0 && g.open >= g.soft && !full; brake && (!at.After(now) || at.Sub(now) > time.Second) {
						t.Fatalf("it waits %v for the brake", at.Sub(now))
					}
				}
			case 3:
				counts := rapid.Bool().Draw(t, "counts")
				if held := slices.Contains(g.holders, who); g.claim(who, counts) != held {
					t.Fatalf("claimed with a permission: %v", held)
				} else if held && counts {
					counted++
				} else if held {
					uncounted++
				}
			case 4:
				if counted > 0 {
					g.leave(true)
					counted--
				} else if uncounted > 0 {
					g.leave(false)
					uncounted--
				}
			case 5:
				if counted > 0 {
					g.uncount()
					counted--
					uncounted++
				}
			case 6:
				g.release(who)
			case 7:
				g.max = rapid.IntRange(0, 6).Draw(t, "max")
				g.soft = rapid.IntRange(0, max(0, g.max-1)).Draw(t, "soft")
				g.overflow = Overflow(rapid.IntRange(0, 1).Draw(t, "overflow"))
			}
			if g.open != counted || g.uncounted != uncounted || g.all() != counted+uncounted {
				t.Fatalf("%d open, %d uncounted; want %d, %d", g.open, g.uncounted, counted, uncounted)
			}
		}
	})
}
