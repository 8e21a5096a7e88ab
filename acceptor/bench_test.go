package acceptor_test

import (
	"net"
	"testing"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// Clients that connect to a real socket and close at once, as a health check
// does, in numbers.
func BenchmarkConnectAndClose(b *testing.B) {
	log := &processtest.Recorder{}
	ctx := processtest.Node(b, process.NodeSpec{Probe: log})
	pid, err := acceptor.Start(ctx, acceptor.Spec{Address: "127.0.0.1:0", Protocol: (&host{}).protocol()})
	if err != nil {
		b.Fatal(err)
	}
	addr, err := acceptor.Addr(ctx, pid)
	if err != nil {
		b.Fatal(err)
	}
	dialed := uint64(0)
	for b.Loop() {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			b.Fatal(err)
		}
		dialed++
		c.Close()
	}
	if err := acceptor.Drain(ctx, pid, process.Infinity); err != nil {
		b.Fatal(err)
	}
	i, err := acceptor.GetInfo(ctx, pid)
	if err != nil {
		b.Fatal(err)
	}
	ended := uint64(0)
	for _, n := range i.Ends {
		ended += n
	}
	// Those that were still in the operating system's queue when it was closed.
	b.ReportMetric(float64(dialed-i.Accepted), "unseen")
	if i.Accepted != ended+i.Refusals[acceptor.Closing] {
		b.Errorf("accepted %d of %d, ended %v, refused %v", i.Accepted, dialed, i.Ends, i.Refusals)
	}
	lines := 0
	for _, e := range log.Events(process.Network) {
		if e.Level >= process.LevelInfo {
			lines++
		}
	}
	b.ReportMetric(float64(lines), "lines")
}
