package trace

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// maxRead is how long a line may be that is read back. Those of a stream are
// much shorter.
const maxRead = 1 << 20

// A Reader reads a stream back.
type Reader struct {
	lines *bufio.Scanner
	line  int
	end   *End
	err   error
}

// NewReader returns a reader of the stream that was written to where in reads
// from: a file, a connection, [Files.Open] or [Follow].
func NewReader(in io.Reader) *Reader {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxRead)
	lines.Split(wholeLine)
	return &Reader{lines: lines}
}

// Next returns the next event. After the last one it returns io.EOF, and
// [Reader.End] how the stream ended. io.ErrUnexpectedEOF says that the stream
// has no end, as it is still being written, or its program died; what was read
// is good. Once there was an error, there is nothing but that.
func (r *Reader) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	record, err := r.next()
	r.err = err
	return record, err
}

func (r *Reader) next() (Record, error) {
	r.line++
	if !r.lines.Scan() {
		if err := r.lines.Err(); err != nil {
			return Record{}, fmt.Errorf("trace: line %d of a stream: %w", r.line, err)
		}
		return Record{}, io.ErrUnexpectedEOF
	}
	var l struct {
		Record
		Why    Why `json:"end"`
		Events int `json:"events"`
	}
	if err := json.Unmarshal(r.lines.Bytes(), &l); err != nil {
		return Record{}, fmt.Errorf("trace: line %d is none of a stream: %w", r.line, err)
	}
	if l.Why != "" {
		r.end = &End{Why: l.Why, Events: l.Events, Dropped: l.Dropped}
		return Record{}, io.EOF
	}
	if l.N < 1 || l.Event == "" {
		return Record{}, fmt.Errorf("trace: line %d is none of a stream: it has neither an event nor an end", r.line)
	}
	return l.Record, nil
}

// End returns how the stream ended; ok is false as long as Next has not come to
// its last line. Err is not among what is written.
func (r *Reader) End() (end End, ok bool) {
	if r.end == nil {
		return End{}, false
	}
	return *r.end, true
}

// wholeLine is a bufio.SplitFunc of lines that are complete.
func wholeLine(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}

// Follow returns a reader that does not end where in ends for the moment: it
// looks again every so often, until ctx is done, and then returns ctx's cause.
// 0 is every second. With [NewReader] around it a file can be read while it is
// written; the stream's own end ends that.
func Follow(ctx context.Context, in io.Reader, every time.Duration) io.Reader {
	if every <= 0 {
		every = time.Second
	}
	return &follower{ctx, in, every}
}

type follower struct {
	ctx   context.Context
	in    io.Reader
	every time.Duration
}

func (f *follower) Read(p []byte) (int, error) {
	for {
		n, err := f.in.Read(p)
		if err == io.EOF {
			err = nil
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		pause := time.NewTimer(f.every)
		select {
		case <-f.ctx.Done():
			pause.Stop()
			return 0, context.Cause(f.ctx)
		case <-pause.C:
		}
	}
}
