package tlsconn

import (
	"context"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/process/statem"
	"github.com/coppice-go/coppice/process/system"
)

// AlertIn is the alert in an error of crypto/tls.
func AlertIn(err error) Alert { return alertIn(err) }

// AlertOnWire is the alert in the clear in records.
func AlertOnWire(records []byte) Alert { return alertOnWire(records) }

// Tick has a Server look at its tally now.
func (s *Server) Tick(ctx context.Context) { s.ep.report(ctx, time.Now(), false) }

// BlameOf is whose doing faults of a class are, if nobody says otherwise.
func BlameOf(c Class) Blame { return classRows[c].blame }

// StateOf is all that package system shows of a process of ours: of a connection, a
// Client, an attendant. False: it is another's.
func StateOf(ctx context.Context, pid process.PID) (state any, ours bool, err error) {
	if _, err := statem.As[event](pid); err == nil {
		state, err := system.State[statem.Snapshot[State, life]](ctx, pid)
		return state, true, err
	}
	if _, err := statem.As[clientEvent](pid); err == nil {
		state, err := system.State[statem.Snapshot[phase, courtship]](ctx, pid)
		return state, true, err
	}
	if _, err := server.As[attendant](pid); err == nil {
		state, err := system.State[attendant](ctx, pid)
		return state, true, err
	}
	return nil, false, nil
}
