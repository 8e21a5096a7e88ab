package acceptor_test

import (
	"bufio"
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
)

// A connection whose reader has ended can still say its last words, and what it ends
// with is what became of the reader, not that its socket was closed.
func TestLastWordsWithoutReader(t *testing.T) {
	for _, class := range []string{"killed", "crashed"} {
		t.Run(class, func(t *testing.T) {
			bubble(t, func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) {
				p.Split = func(data []byte, atEOF bool) (int, []byte, error) {
					if string(data) == "panic\n" {
						panic(errBoom)
					}
					return bufio.ScanLines(data, atEOF)
				}
				p.Terminate = func(_ context.Context, g *guest, reason error) error {
					_, err := fmt.Fprintln(g.conn, "farewell")
					return err
				}
			}, func(t *test) {
				c := t.street.dial()
				c.send(t.T, "x\n")
				c.want(t.T, "echo: x")
				synctest.Wait()
				if class == "crashed" {
					c.send(t.T, "panic\n")
				} else {
					for _, pid := range t.pid.Node().Processes() {
						if pid.Is("reader") {
							if err := process.Kill(t.ctx, pid); err != nil {
								t.Fatal(err)
							}
						}
					}
				}
				c.want(t.T, "farewell")
				c.wantEnd(t.T)
				t.wantOpen(0)
				t.wantCounts(nil, ends{class: 1})
			})
		})
	}
}
