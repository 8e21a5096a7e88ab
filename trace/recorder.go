package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A recorder is the process that writes a stream.
type recorder struct {
	*Session
	owner   context.Context // the stream ends when it is done; for Init only
	forget  func() bool     // stops watching it
	timer   *process.Timer
	line    bytes.Buffer
	written int
	err     error // of the writer
}

// timeOver says that the stream has had its time.
type timeOver struct{}

// flush asks to write what is queued, and is answered when that is done.
type flush struct{ process.Call }

// Init opens the stream.
func (r *recorder) Init(ctx context.Context) error {
	r.pid, r.began = process.Self(ctx), time.Now()
	if err := r.t.attach(r.Session); err != nil {
		return err
	}
	r.timer = process.After(ctx, r.spec.For, timeOver{})
	r.forget = context.AfterFunc(r.owner, func() { r.end(ByContext) })
	return nil
}

// Handle writes what there is, and ends when the stream is over.
func (r *recorder) Handle(_ context.Context, msg any) error {
	if _, ok := msg.(timeOver); ok {
		r.close(ByTime)
	}
	r.drain()
	if f, ok := msg.(*flush); ok {
		f.Reply(nil, r.err)
	}
	if r.over.Load() {
		return process.End(nil)
	}
	return nil
}

// Terminate writes the last lines. If the stream was not over yet then it is
// the node that stops.
func (r *recorder) Terminate(context.Context, error) error {
	r.timer.Stop()
	r.forget()
	r.t.detach(r.Session)
	r.close(ByNode)
	r.drain()
	r.mu.Lock()
	end := End{Why: r.why, Events: r.written, Dropped: r.dropped, Err: r.fault}
	r.mu.Unlock()
	if r.err == nil {
		r.err = r.write(end)
	}
	if r.err != nil {
		end.Why, end.Err = ByWriter, r.err
	}
	r.mu.Lock()
	r.ended = end
	r.mu.Unlock()
	return nil
}

// drain writes what is queued, until the writer fails.
func (r *recorder) drain() {
	for r.err == nil {
		r.mu.Lock()
		queue := r.queue
		r.queue = nil
		r.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for _, record := range queue {
			if r.err = r.write(record); r.err != nil {
				r.close(ByWriter)
				return
			}
			r.written++
		}
	}
}

// write writes one line.
func (r *recorder) write(line any) error {
	r.line.Reset()
	enc := json.NewEncoder(&r.line)
	enc.SetEscapeHTML(false) // a PID has angle brackets, and is for people
	if err := enc.Encode(line); err != nil {
		return err
	}
	return write(r.spec.To, r.line.Bytes())
}
