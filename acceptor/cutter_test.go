package acceptor

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// packets cuts frames that begin with their length in two bytes, as many
// protocols do.
func packets(data []byte, _ bool) (int, []byte, error) {
	if len(data) < 2 {
		return 0, nil, nil
	}
	n := 2 + int(data[0])<<8 + int(data[1])
	if len(data) < n {
		return 0, nil, nil
	}
	return n, data[2:n:n], nil
}

// pieces reads a stream in pieces of the given sizes, over and over.
type pieces struct {
	data  []byte
	sizes []int
	i     int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := min(p.sizes[p.i%len(p.sizes)], len(b), len(p.data))
	p.i++
	copy(b, p.data[:n])
	p.data = p.data[n:]
	return n, nil
}

func cutAll(split bufio.SplitFunc, limit int, r io.Reader) (frames []string, err error) {
	c := &cutter{split: split, limit: limit}
	c.release()
	for {
		frame, err := c.next(r)
		if err != nil {
			return frames, err
		}
		frames = append(frames, string(frame))
	}
}

// The frames are those that a bufio.Scanner finds, however the stream arrives.
func TestCutterAgainstScanner(t *testing.T) {
	splits := map[string]bufio.SplitFunc{"lines": bufio.ScanLines, "words": bufio.ScanWords, "runes": bufio.ScanRunes, "packets": packets}
	rapid.Check(t, func(t *rapid.T) {
		split := splits[rapid.SampledFrom([]string{"lines", "words", "runes", "packets"}).Draw(t, "split")]
		data := stream(t)
		want := []string{}
		s := bufio.NewScanner(bytes.NewReader(data))
		s.Buffer(nil, 1<<20)
		s.Split(split)
		for s.Scan() {
			want = append(want, s.Text())
		}
		sizes := rapid.SliceOfN(rapid.IntRange(1, 6000), 1, 5).Draw(t, "sizes")
		got, err := cutAll(split, 1<<20, &pieces{data: data, sizes: sizes})
		if len(got) != len(want) {
			t.Fatalf("got %d frames, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("frame %d is %q, want %q", i, got[i], want[i])
			}
		}
		if err != io.EOF && err != io.ErrUnexpectedEOF {
			t.Fatalf("it ended with %v", err)
		}
	})
}

// stream is frames of many lengths, and perhaps a part of one.
func stream(t *rapid.T) []byte {
	var b bytes.Buffer
	for range rapid.IntRange(0, 20).Draw(t, "frames") {
		n := rapid.SampledFrom([]int{0, 1, 10, 500, 511, 512, 513, 4095, 4096, 9000}).Draw(t, "length")
		b.Write([]byte{byte(n >> 8), byte(n)})
		b.Write(bytes.Repeat([]byte("x y\n"), n/4+1)[:n])
	}
	b.Write(rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "rest"))
	return b.Bytes()
}

func TestCutterErrors(t *testing.T) {
	boom := errors.New("boom")
	split := func(n int, frame []byte, err error) bufio.SplitFunc {
		return func([]byte, bool) (int, []byte, error) { return n, frame, err }
	}
	for name, c := range map[string]struct {
		split  bufio.SplitFunc
		r      io.Reader
		frames int
		want   error
	}{
		"end":              {packets, bytes.NewReader([]byte("\x00\x01x")), 1, io.EOF},
		"nothing":          {packets, bytes.NewReader(nil), 0, io.EOF},
		"half a frame":     {packets, bytes.NewReader([]byte("\x00\x01x\x00\x05x")), 1, io.ErrUnexpectedEOF},
		"at the limit":     {packets, bytes.NewReader(append([]byte{0, 98}, make([]byte, 98)...)), 1, io.EOF},
		"above the limit":  {packets, bytes.NewReader(append([]byte{0, 99}, make([]byte, 99)...)), 0, ErrFrameTooLong},
		"the reader fails": {packets, iotest.ErrReader(boom), 0, boom},
		"after a frame":    {packets, io.MultiReader(bytes.NewReader([]byte("\x00\x01x")), iotest.ErrReader(boom)), 1, boom},
		"Split fails":      {split(0, nil, boom), bytes.NewReader([]byte("x")), 0, boom},
		"no progress":      {split(0, []byte{}, nil), bytes.NewReader([]byte("x")), 0, errNoProgress},
		"back":             {split(-1, nil, nil), bytes.NewReader([]byte("x")), 0, errAdvance},
		"too far":          {split(2, nil, nil), bytes.NewReader([]byte("x")), 0, errAdvance},
		"final":            {split(1, []byte("x"), bufio.ErrFinalToken), bytes.NewReader([]byte("xx")), 1, io.EOF},
		"final, empty":     {split(1, nil, bufio.ErrFinalToken), bytes.NewReader([]byte("xx")), 0, io.EOF},
		"nothing is read":  {packets, nothing{}, 0, io.ErrNoProgress},
	} {
		t.Run(name, func(t *testing.T) {
			frames, err := cutAll(c.split, 100, c.r)
			if err != c.want || len(frames) != c.frames {
				t.Errorf("got %d frames and %v, want %d and %v", len(frames), err, c.frames, c.want)
			}
		})
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// A long frame borrows its space; once it is handled the cutter is small again.
func TestCutterGivesSpaceBack(t *testing.T) {
	c := &cutter{split: packets, limit: 1 << 20}
	c.release()
	long := append([]byte{0x40, 0}, make([]byte, 0x4000)...)
	r := io.MultiReader(bytes.NewReader(long), bytes.NewReader([]byte{0, 1, 'x'}))
	for _, want := range []int{0x4000, 1} {
		frame, err := c.next(r)
		if err != nil || len(frame) != want {
			t.Fatalf("got a frame of %d bytes, %v; want %d", len(frame), err, want)
		}
	}
	if len(c.buf) != len(c.small) || c.page != nil {
		t.Errorf("it holds %d bytes for a small frame, want %d", len(c.buf), len(c.small))
	}
}
