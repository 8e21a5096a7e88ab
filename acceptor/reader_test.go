package acceptor_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// A frame that is being handled stays what it is though its reader has ended: what it
// lies in is nobody else's before.
func TestFrameOutlivesItsReader(t *testing.T) {
	var gate chan struct{}
	var saw bytes.Buffer
	bubble(t, func(_ *acceptor.Spec, p *acceptor.Protocol[guest]) {
		gate = make(chan struct{}) // in the bubble
		p.Grace = time.Minute
		p.Frame = func(_ context.Context, g *guest, line []byte) error {
			if line[0] != 'a' {
				_, err := fmt.Fprintf(g.conn, "%s\n", line)
				return err
			}
			<-gate
			saw.Write(line)
			return nil
		}
	}, func(t *test) {
		text := func(c string) string { return strings.Repeat(c, 2000) }
		c := t.street.dial()
		c.send(t.T, text("a")+"\n")
		synctest.Wait()
		for _, pid := range t.pid.Node().Processes() {
			if pid.Is("reader") {
				if err := process.Kill(t.ctx, pid); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		for range 10 { // one of which may get its space
			d := t.street.dial()
			d.send(t.T, text("b")+"\n")
			d.want(t.T, text("b"))
			d.Close()
		}
		close(gate)
		c.wantEnd(t.T)
		t.wantOpen(0)
		if saw.String() != text("a") {
			t.Errorf("the frame became %.20q...", saw.String())
		}
	})
}
