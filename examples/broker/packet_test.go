package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/google/go-cmp/cmp"
)

func TestSplitPacket(t *testing.T) {
	for _, c := range []struct {
		name, data string
		atEOF      bool
		want       string
		err        error
	}{
		{name: "nothing", data: ""},
		{name: "nothing more", data: "", atEOF: true},
		{name: "only the type", data: "\xc0"},
		{name: "a ping", data: "\xc0\x00", want: "\xc0\x00"},
		{name: "a ping and more", data: "\xc0\x00\x30", want: "\xc0\x00"},
		{name: "half a length", data: "\x30\x80"},
		{name: "half a packet", data: "\x30\x03ab"},
		{name: "a packet", data: "\x30\x03abc", want: "\x30\x03abc"},
		{name: "the end in a length", data: "\x30\x80", atEOF: true, err: io.ErrUnexpectedEOF},
		{name: "the end in a packet", data: "\x30\x03ab", atEOF: true, err: io.ErrUnexpectedEOF},
		{name: "an endless length", data: "\x30\x80\x80\x80\x80", err: errLength},
		{name: "the largest length", data: "\x30\xff\xff\xff\x7f", err: errTooLarge},
	} {
		advance, packet, err := splitPacket([]byte(c.data), c.atEOF)
		if string(packet) != c.want || advance != len(c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s: got %d, %q, %v; want %q, %v", c.name, advance, packet, err, c.want, c.err)
		}
	}
}

func TestDecodePacketRefuses(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       error
	}{
		{"a topic longer than its packet", "\x30\x04\x00\x09ab", io.ErrUnexpectedEOF},
		{"QoS 3", "\x36\x05\x00\x01a\x00\x01", errFlags},
		{"a ping with flags", "\xc1\x00", errFlags},
		{"a subscription without its flags", "\x80\x06\x00\x01\x00\x01a\x00", errFlags},
		{"a ping that holds something", "\xc0\x01x", errTrailing},
	} {
		if p, err := decodePacket([]byte(c.data)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, %v; want %v", c.name, p, err, c.want)
		}
	}
	for _, kind := range []string{"\x00\x00", "\xf0\x00"} {
		if p, err := decodePacket([]byte(kind)); err == nil {
			t.Errorf("packet type %#x: got %v, want an error", kind[0]>>4, p)
		}
	}
}

func TestDecodePacketOfAnotherVersion(t *testing.T) {
	// What an MQTT 5 client sends: properties come before the client identifier.
	p, err := decodePacket([]byte("\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03abc"))
	c, ok := p.(*packets.ConnectPacket)
	if err != nil || !ok || !otherVersion(c) {
		t.Errorf("got %v, %v; want a CONNECT that can be answered", p, err)
	}
}

// However the stream is cut on its way, the same packets come out; nothing makes
// the decoder panic, and what it accepts it can write and read again.
func FuzzPackets(f *testing.F) {
	f.Add([]byte("\xc0\x00\x30\x03\x00\x01a\x30\x04\x00\x01ab"), uint8(1))
	f.Add([]byte("\x82\x06\x00\x01\x00\x01#\x01\xe0\x00"), uint8(3))
	f.Add([]byte("\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc"), uint8(2))
	f.Add([]byte("\x30\x80\x80\x80\x80"), uint8(4))
	f.Fuzz(func(t *testing.T, stream []byte, step uint8) {
		whole, errWhole := scan(bytes.NewReader(stream))
		cut, errCut := scan(&trickle{stream, int(step)%7 + 1})
		if diff := cmp.Diff(whole, cut); diff != "" || !errors.Is(errCut, errWhole) {
			t.Fatalf("cut into steps: %v, want %v (-whole +cut):\n%s", errCut, errWhole, diff)
		}
		for _, data := range whole {
			p, err := decodePacket(data)
			if c, ok := p.(*packets.ConnectPacket); err != nil || ok && otherVersion(c) {
				continue
			}
			var out bytes.Buffer
			if err := p.Write(&out); err != nil {
				t.Fatalf("writing %v: %v", p, err)
			}
			again, err := decodePacket(out.Bytes())
			if diff := cmp.Diff(p, again); err != nil || diff != "" {
				t.Fatalf("read again: %v (-first +again):\n%s", err, diff)
			}
		}
	})
}

func scan(r io.Reader) (found [][]byte, err error) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxPacket+1)
	s.Split(splitPacket)
	for s.Scan() {
		found = append(found, bytes.Clone(s.Bytes()))
	}
	return found, s.Err()
}

// A trickle is a reader that gives at most step bytes at once.
type trickle struct {
	rest []byte
	step int
}

func (r *trickle) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:min(r.step, len(r.rest))])
	r.rest = r.rest[n:]
	return n, nil
}
