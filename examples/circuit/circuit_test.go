package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coppice-go/coppice/supervisor/supervisortest"
)

// One call checks a strategy of one's own.
func TestCircuitKeepsTheLaws(t *testing.T) {
	supervisortest.Check(t, circuit)
}

// In a bubble the program takes no time, and says the same each time.
func TestRun(t *testing.T) {
	const want = `A weather feed loses its service from 1s to 5s.

  0.0s  closed     the feed is up
  1.0s  closed     connection lost: the next attempt is in 200ms
  1.2s  closed     one attempt
  1.2s  closed     connection refused: the next attempt is in 400ms
  1.6s  closed     one attempt
  1.6s  closed     connection refused: the next attempt is in 800ms
  2.4s  closed     one attempt
  2.4s  open       connection refused, 4 times in a row: nobody asks for 1.5s
  3.9s  half-open  one attempt
  3.9s  open       connection refused, 5 times in a row: nobody asks for 1.5s
  5.4s  half-open  one attempt
  5.4s  half-open  the feed is up
  6.4s  closed     up for 1s: the failures are forgotten
`
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		if err := run(&out); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}
