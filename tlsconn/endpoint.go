package tlsconn

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/coppice-go/coppice/process"
)

// An endpoint is what the connections of one Spec share.
type endpoint struct {
	name        string
	client      bool
	selfFraming bool
	levels      map[Class]process.Level
	tally       *tally // nil: of one connection only, which nobody counts
	open        atomic.Int64
}

// info is what the tally knows.
func (ep *endpoint) info() Info {
	faults, established := ep.tally.total()
	return Info{Name: ep.name, Open: int(ep.open.Load()), Established: established, Faults: faults}
}

// level is how much a fault matters here.
func (ep *endpoint) level(f *Fault) process.Level {
	if level, ok := ep.levels[f.Class]; ok {
		return level
	}
	if f.Class == Truncated && ep.selfFraming {
		return process.LevelQuiet
	}
	return f.Class.Level()
}

// tell makes of a fault its one counter and its one event, on behalf of the
// connection's process.
func (ep *endpoint) tell(ctx context.Context, f *Fault) {
	level := ep.level(f)
	worth := level > process.LevelDebug
	if ep.tally != nil && !ep.tally.fault(time.Now(), f.Class, f.Stage, f.Peer, worth) && worth {
		level = process.LevelQuiet // told by number at the end of the minute
	}
	process.Emit(ctx, process.Event{
		Kind: process.Network, Level: level, Text: "TLS: " + classRows[f.Class].says, Reason: f, Detail: f,
	})
}
