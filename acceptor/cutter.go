package acceptor

import (
	"bufio"
	"errors"
	"io"
	"sync"
)

// A cutter cuts a stream into frames. It is the buffer of one connection's
// reader and knows nothing of processes.
//
// While it waits for the first byte of a frame it holds only its small buffer:
// most connections are silent most of the time. A frame that is longer borrows
// a page from a pool, or, if it is longer still, from the heap, until it has
// been handled.
type cutter struct {
	split bufio.SplitFunc
	limit int // of one frame

	small    [512]byte
	buf      []byte // small[:], page[:], or longer
	page     *page
	from, to int   // what of buf has been read and not yet cut
	err      error // that ended the stream; what is buffered is still cut
	final    bool  // the split function has said that there is no more
}

type page [4096]byte

var (
	pages   = sync.Pool{New: func() any { return new(page) }}
	cutters = sync.Pool{New: func() any { return new(cutter) }}
)

func newCutter(split bufio.SplitFunc, limit int) *cutter {
	c := cutters.Get().(*cutter)
	c.split, c.limit = split, limit
	c.release()
	return c
}

// free gives the cutter back, and all that it has borrowed.
func (c *cutter) free() {
	c.release()
	c.split, c.err, c.final = nil, nil, false
	cutters.Put(c)
}

var (
	errNoProgress = errors.New("acceptor: Split returned an empty frame and did not advance")
	errAdvance    = errors.New("acceptor: Split advanced outside of its data")
)

// next returns the next frame, reading as much as it takes. The frame is good
// until the next call. The error is what ended the stream: io.EOF at its proper
// end, io.ErrUnexpectedEOF in the middle of a frame, ErrFrameTooLong, Split's
// or the reader's own.
func (c *cutter) next(r io.Reader) ([]byte, error) {
	for {
		frame, ok, err := c.cut()
		if ok || err != nil {
			return frame, err
		}
		if err := c.room(); err != nil {
			return nil, err
		}
		c.read(r)
	}
}

// cut takes a frame from what is buffered; not ok: there is no whole one.
func (c *cutter) cut() (frame []byte, ok bool, err error) {
	for !c.final && (c.from < c.to || c.err == io.EOF) {
		data := c.buf[c.from:c.to]
		n, frame, err := c.split(data, c.err == io.EOF)
		if err != nil && err != bufio.ErrFinalToken {
			return nil, false, err
		}
		if n < 0 || n > len(data) {
			return nil, false, errAdvance
		}
		c.from += n
		c.final = err == bufio.ErrFinalToken
		switch {
		case frame != nil && n == 0 && len(frame) == 0 && !c.final:
			return nil, false, errNoProgress
		case frame != nil:
			return frame, true, nil
		case n == 0 && !c.final:
			return nil, false, c.ending(len(data))
		}
	}
	if c.final {
		return nil, false, io.EOF
	}
	return nil, false, c.err
}

// ending is the error of a stream that has ended with that much left over; nil
// if it has not ended.
func (c *cutter) ending(left int) error {
	if c.err == io.EOF && left > 0 {
		return io.ErrUnexpectedEOF
	}
	return c.err
}

// buffered is how many bytes have been read and belong to no frame yet.
func (c *cutter) buffered() int { return c.to - c.from }

// room makes space to read into.
func (c *cutter) room() error {
	if c.from == c.to {
		c.release()
	}
	switch {
	case c.to < len(c.buf):
		return nil
	case c.from > 0: // what is left moves to the front
		c.to = copy(c.buf, c.buf[c.from:c.to])
		c.from = 0
		return nil
	case len(c.buf) >= c.limit:
		return ErrFrameTooLong
	}
	c.grow()
	return nil
}

// grow moves what is buffered into a longer buffer.
func (c *cutter) grow() {
	var longer []byte
	var p *page
	if len(c.buf) < len(page{}) {
		p = pages.Get().(*page)
		longer = p[:]
	} else {
		longer = make([]byte, 2*len(c.buf))
	}
	copy(longer, c.buf)
	if c.page != nil {
		pages.Put(c.page)
	}
	c.buf, c.page = longer[:min(len(longer), c.limit)], p
}

// release gives borrowed space back. Nothing is buffered.
func (c *cutter) release() {
	if c.page != nil {
		pages.Put(c.page)
		c.page = nil
	}
	c.buf = c.small[:min(len(c.small), c.limit)]
	c.from, c.to = 0, 0
}

// read reads once. An error is kept for when the buffer has been cut.
func (c *cutter) read(r io.Reader) {
	for range 100 {
		n, err := r.Read(c.buf[c.to:])
		c.to += n
		c.err = err
		if n > 0 || err != nil {
			return
		}
	}
	c.err = io.ErrNoProgress
}
