package acceptor_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
)

// held lets the first connection begin only when it is told to.
func held(gate *chan struct{}) func(*acceptor.Spec, *acceptor.Protocol[guest]) {
	return func(s *acceptor.Spec, p *acceptor.Protocol[guest]) {
		*gate = make(chan struct{}) // in the bubble
		limit(1, acceptor.Wait)(s, nil)
		inner, first := p.New, true
		p.New = func(ctx context.Context, c *acceptor.Conn) (*guest, error) {
			if first {
				first = false
				<-*gate
			}
			return inner(ctx, c)
		}
	}
}

// kill kills all processes with that in their path, where $ is the end.
func (t *test) kill(part string) {
	t.Helper()
	n := 0
	for _, pid := range t.pid.Node().Processes() {
		if strings.Contains(pid.Path()+"$", part) {
			n++
			if err := process.Kill(t.ctx, pid); err != nil {
				t.Error(err)
			}
		}
	}
	if n == 0 {
		t.Fatalf("no process %s", part)
	}
}

// Whoever is killed while a connection begins: it is one or is refused, never
// both, and its place is taken once.
func TestKilledWhileOneBegins(t *testing.T) {
	for name, c := range map[string]struct {
		part    string
		lives   bool
		refused refusals
		killed  uint64
	}{
		"its acceptor":   {part: "/acceptor-", refused: refusals{acceptor.Failed: 1}},
		"the gate":       {part: "street/gate", lives: true},
		"its own":        {part: "/connection$", killed: 1},
		"the port":       {part: "street/port", refused: refusals{acceptor.Failed: 1}},
		"its supervisor": {part: "/connections-", refused: refusals{acceptor.Failed: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var gate chan struct{}
			bubble(t, held(&gate), func(t *test) {
				a := t.street.dial()
				synctest.Wait()
				t.kill(c.part)
				time.Sleep(50 * ms) // within Grace, so it is not abandoned
				close(gate)
				time.Sleep(10 * time.Second)
				b := t.street.dial()
				if c.lives {
					a.send(t.T, "x\n")
					a.want(t.T, "echo: x")
					t.wantOpen(1)
					t.wantCounts(c.refused, nil)
					a.Close()
				} else {
					a.wantEnd(t.T)
				}
				b.send(t.T, "y\n")
				b.want(t.T, "echo: y")
				t.wantOpen(1)
				b.Close()
				t.wantOpen(0)
				all := ends{"closed": 1}
				if c.killed > 0 {
					all["killed"] = c.killed
				}
				if c.lives {
					all["closed"] = 2
				}
				t.wantCounts(c.refused, all)
			})
		})
	}
}
