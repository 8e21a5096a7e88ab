// Circuit shows a restart strategy of one's own: one that waits longer and
// longer for a service that has gone away, then hardly asks any more, and comes
// back when the service does.
//
//	go run ./examples/circuit
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "circuit:", err)
		os.Exit(1)
	}
}

var circuit = Circuit{Backoff: 200 * time.Millisecond, Failures: 4, Open: 1500 * time.Millisecond}

// forget is how long the feed has to stay up until its failures are forgotten.
const forget = time.Second

// run shows one outage, from before its beginning until after its end.
func run(out io.Writer) error {
	fmt.Fprintf(out, "A weather feed loses its service from %v to %v.\n\n", outage.from, outage.to)
	lines := &timeline{out: out, start: time.Now()}
	node := process.NewNode(process.NodeSpec{Name: "circuit", Probe: lines})
	ctx := node.Context()
	service := &service{start: lines.start, back: make(chan struct{})}
	_, err := supervisor.Start(ctx, supervisor.Spec{
		Strategy: circuit,
		Period:   forget,
		Children: []supervisor.Child{{ID: "feed", Start: service.startFeed}},
	})
	if err != nil {
		return err
	}
	<-service.back
	time.Sleep(forget)
	lines.print("closed", fmt.Sprintf("up for %v: the failures are forgotten", forget))
	return node.Stop(context.Background())
}

// outage is when the service is away.
var outage = struct{ from, to time.Duration }{time.Second, 5 * time.Second}

// A service is somebody else's, far away.
type service struct {
	start time.Time
	back  chan struct{} // closed when a feed runs after the outage
}

var (
	errRefused = errors.New("connection refused")
	errLost    = errors.New("connection lost")
)

func (s *service) away() bool {
	t := time.Since(s.start)
	return outage.from <= t && t < outage.to
}

// startFeed starts the process that reads from the service. If the service is
// away already that is a failed start, with its reason.
func (s *service) startFeed(ctx context.Context) (process.PID, error) {
	if s.away() {
		return process.PID{}, errRefused
	}
	if time.Since(s.start) > outage.to {
		close(s.back)
	}
	return supervisor.Go(s.read)(ctx)
}

// read reads until it is told to stop, or the service goes away.
func (s *service) read(ctx context.Context) error {
	var gone <-chan time.Time // nil, so never, once the outage is over
	if time.Since(s.start) < outage.from {
		gone = time.After(time.Until(s.start.Add(outage.from)))
	}
	select {
	case <-gone:
		return errLost
	case <-ctx.Done():
		return ctx.Err()
	}
}
