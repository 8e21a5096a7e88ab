package acceptor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A Protocol says what the connections of a listener are: servers with state S
// (see package process/server), one process for each connection, that get the
// peer's frames besides their own messages. New, Split and Frame are needed; on UDP
// there is no Split.
//
//	acceptor.Protocol[client]{
//		New:   func(_ context.Context, c *acceptor.Conn) (*client, error) { return &client{conn: c}, nil },
//		Split: splitPackets,
//		Frame: func(ctx context.Context, c *client, packet []byte) error { return c.handle(ctx, packet) },
//	}
//
//	// Deliver is sent by other processes: server.Cast(ctx, clientRef, Deliver{...}).
//	func (d Deliver) Handle(ctx context.Context, c *client) error { _, err := c.conn.Write(d.packet); return err }
//
// An error that a hook returns ends the connection with that reason, as it ends
// any server. What is the peer's fault, or the network's, is no crash: wrap it
// in process.Shutdown, as the errors of [Conn] are.
type Protocol[S any] struct {
	// New makes the state of a connection. It runs before the connection counts
	// as started. An error refuses the connection and is reported;
	// process.ErrIgnore refuses it without a word.
	New func(ctx context.Context, c *Conn) (*S, error)

	// Open is called once the connection can be written to: at once, or, with a
	// Proxy or Transport, after the header and the handshake; and again after that of an upgrade. Nil:
	// nothing.
	Open func(ctx context.Context, s *S) error

	// Split cuts the peer's stream into frames, as it does for a bufio.Scanner.
	// It runs in another process than the rest, and must not touch S. On UDP
	// there is none: each datagram is a frame.
	Split bufio.SplitFunc
	// MaxFrame is the longest frame, with all that Split needs to see to cut it;
	// 0: 64 KiB. A longer one ends the connection with [ErrFrameTooLong]; a longer
	// datagram is dropped, and counted.
	MaxFrame int

	// Frame handles one frame. The next one comes when it has returned, and
	// frame is not valid after that.
	Frame func(ctx context.Context, s *S, frame []byte) error

	// Idle is how long the peer may be silent; 0: for ever, but 1 min on UDP, where
	// nobody tells that he has gone; Infinity: for ever. [Conn.SetIdle] changes it. Then OnIdle is called, each time that much has passed again;
	// nil ends the connection with [ErrIdle].
	Idle   time.Duration
	OnIdle func(ctx context.Context, s *S) error

	// Drain tells the connection to finish: to say goodbye, or to end as soon as
	// what is under way is done. One that is not open yet is told after Open. Nil:
	// it is left alone until its time is over.
	Drain func(ctx context.Context, s *S) error

	// Terminate is called at the end, however the connection ends but by a kill,
	// and with the socket still open if the peer's end is. reason is nil after
	// server.Stop(nil); io.EOF, ErrIdle and errors of the network come in a
	// process.Shutdown.
	Terminate func(ctx context.Context, s *S, reason error) error

	// Exit gets the exit signals of processes that are linked to the connection.
	// Nil: one that is not clean ends it.
	Exit func(ctx context.Context, s *S, x process.ExitSignal) error

	// WriteTimeout is how long one write may take, or up to an eighth longer; 0: 30 s,
	// Infinity: for ever.
	WriteTimeout time.Duration

	// Queue is how many datagrams of one peer may wait for Frame; 0: 64. Those that
	// find no room are dropped, and counted (Info.Dropped). For UDP only.
	Queue int

	Limit   int            // of messages in the mailbox, frames not counted; 0: none
	Inspect func(s *S) any // what crash reports show of the state; nil: nothing
	Grace   time.Duration  // see process.Spec; 0: the node's
}

// The ends of a connection that are the peer's doing. They are the reason of
// its process in a process.Shutdown.
var (
	// ErrFrameTooLong ends a connection whose peer has sent more than MaxFrame
	// bytes that make no frame.
	ErrFrameTooLong error = &end{"frame_too_long", "acceptor: frame too long: the peer sent more than MaxFrame without an end"}
	// ErrIdle ends a connection whose peer has been silent for too long.
	ErrIdle error = &end{"idle", "acceptor: the peer was silent for too long"}
	// ErrNotOpen refuses to write before the Transport's handshake is done, or
	// that of an upgrade.
	ErrNotOpen = errors.New("acceptor: the connection is not open yet: write in Open, not in New, and not behind Upgrade")
)

// A Handler is a [Protocol] of any state.
type Handler interface {
	faults(datagrams bool) []error
	// starter returns what starts a connection, for all of them.
	starter() func(context.Context, *listener, *arrival) (process.PID, error)
}

// faults are those of the Protocol itself.
func (p Protocol[S]) faults(datagrams bool) (faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("Protocol of %T: "+format, append([]any{*new(S)}, args...)...))
	}
	if p.New == nil {
		fault("New is missing: it makes the state of a connection")
	}
	if datagrams && p.Split != nil {
		fault("Split is for streams: each datagram is a frame, so leave it out")
	}
	if p.Split == nil && !datagrams {
		fault("Split is missing: it cuts the stream into frames (bufio.ScanLines is one)")
	}
	if p.Frame == nil {
		fault("Frame is missing: nobody would take what the peer sends")
	}
	if p.MaxFrame < 0 {
		fault("MaxFrame is %d: use 0 for %d", p.MaxFrame, defaultFrame)
	}
	if p.Idle < 0 && p.Idle != process.Infinity {
		fault("Idle is %v: use a time or Infinity", p.Idle)
	}
	if p.Queue < 0 || p.Queue > 0 && !datagrams {
		fault("Queue is %d: it is for datagrams, and 0 means %d", p.Queue, defaultQueue)
	}
	if p.Limit < 0 {
		fault("Limit is %d: use 0 for none", p.Limit)
	}
	return faults
}
