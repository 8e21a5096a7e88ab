package acceptor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"pgregory.net/rapid"
)

// A script is a connection whose peer sends some bytes, a few at a time, and
// leaves.
type script struct {
	net.Conn // nil: nothing else is called
	left     []byte
	chunk    int
}

func (s *script) Read(b []byte) (int, error) {
	if len(s.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.left[:min(s.chunk, len(s.left))])
	s.left = s.left[n:]
	return n, nil
}

func (s *script) RemoteAddr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 5} }
func (s *script) SetReadDeadline(time.Time) error { return nil }

var trusting = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}

// FuzzProxy wants every stream taken apart without a panic, and every byte behind
// the header, or all of them where there is none, handed on: none lost, none read
// twice, none of the header among them.
func FuzzProxy(f *testing.F) {
	for _, s := range []string{
		"", "x\n", "P", "PROXY", "PROXY \r\n", "\r\n\r\n", "PROXY UNKNOWN\r\nx", "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\nGET /",
		"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\nx", "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\nx",
		"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00x", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x67\x01\xbbx",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x13\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x67\x01\xbb\x03\x00\x04abcdx",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff", "\r\n\r\n\x00\r\nQUIT\n\x21\x31\x00\x0c", "\r\n\r\n\x00\r\nQUIT\n\x20\x11\x00\x05\x03\x00\x04ab",
	} {
		f.Add([]byte(s), uint8(0), true)
		f.Add([]byte(s), uint8(2), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, chunk uint8, required bool) {
		p := &Proxy{Trusted: trusting, Required: required}
		raw := &script{left: data, chunk: int(chunk) + 1}
		sock, h, err := p.unwrap(raw)
		if err != nil {
			if class := className(err); class == "" && !(err == io.EOF && len(data) == 0) {
				t.Fatalf("an error without a class: %v", err)
			}
			return
		}
		rest, err := io.ReadAll(sock)
		if err != nil {
			t.Fatal(err)
		}
		n := len(data) - len(rest)
		if n < 0 || !bytes.Equal(data[n:], rest) {
			t.Fatalf("%q is not the end of %q", rest, data)
		}
		if want := naiveSpan(data); n != want {
			t.Fatalf("%d bytes were taken for a header, want %d", n, want)
		}
		if (h != nil) != (n > 0) || required && h == nil {
			t.Fatalf("%d bytes of header make %+v", n, h)
		}
		if h != nil && !h.Local && (h.Source.String() == "" || sock.RemoteAddr() != h.Source) {
			t.Fatalf("the source is %v, and the address %v", h.Source, sock.RemoteAddr())
		}
	})
}

// naiveSpan is the length of the header of a stream that has one.
func naiveSpan(b []byte) int {
	switch {
	case bytes.HasPrefix(b, []byte("PROXY ")):
		return bytes.Index(b, []byte("\r\n")) + 2
	case bytes.HasPrefix(b, []byte("\r\n\r\n\x00\r\nQUIT\n")):
		return 16 + int(binary.BigEndian.Uint16(b[14:]))
	}
	return 0
}

// What a proxy writes is what we read, however it arrives.
func TestProxyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, dest := drawAddr(t, "source"), drawAddr(t, "dest")
		written := proxyproto.HeaderProxyFromAddrs(byte(rapid.IntRange(1, 2).Draw(t, "version")), source, dest)
		header, err := written.Format()
		if err != nil {
			t.Fatal(err)
		}
		payload := rapid.SliceOf(rapid.Byte()).Draw(t, "payload")
		raw := &script{left: append(header, payload...), chunk: rapid.IntRange(1, 300).Draw(t, "chunk")}
		sock, h, err := (&Proxy{Trusted: trusting, Required: true}).unwrap(raw)
		if err != nil {
			t.Fatal(err)
		}
		if h.Source.String() != source.String() || h.Destination.String() != dest.String() || sock.RemoteAddr() != h.Source {
			t.Errorf("read %v to %v, want %v to %v", h.Source, h.Destination, source, dest)
		}
		if rest, err := io.ReadAll(sock); err != nil || !bytes.Equal(rest, payload) {
			t.Errorf("behind it %q, %v; want %q", rest, err, payload)
		}
	})
}

func drawAddr(t *rapid.T, label string) *net.TCPAddr {
	b := rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, label)
	if rapid.Bool().Draw(t, label+" of IPv6") {
		b = append([]byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0}, b...)
	}
	return &net.TCPAddr{IP: b, Port: rapid.IntRange(0, 65535).Draw(t, label+" port")}
}

// The header is found as soon as it is there, and nothing that could still become
// one is taken for something else.
func TestHeaderSpan(t *testing.T) {
	line := "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x02ab"
	for _, whole := range []string{line, v2} {
		for i := range len(whole) {
			if n, known, err := headerSpan([]byte(whole[:i])); n != 0 || known || err != nil {
				t.Errorf("headerSpan(%q) = %d, %v, %v; want to wait for more", whole[:i], n, known, err)
			}
		}
		if n, known, err := headerSpan([]byte(whole + "more")); n != len(whole) || !known || err != nil {
			t.Errorf("headerSpan(%q and more) = %d, %v, %v", whole, n, known, err)
		}
	}
	for _, other := range []string{"G", "PROXX", "\r\n\r\nG", "PROXY\r\n"} {
		if n, known, err := headerSpan([]byte(other)); n != 0 || !known || err != nil {
			t.Errorf("headerSpan(%q) = %d, %v, %v; want that there is none", other, n, known, err)
		}
	}
	for _, bad := range []string{line[:20] + string(make([]byte, 100)), v2[:14] + "\x10\x01"} {
		if _, _, err := headerSpan([]byte(bad)); err == nil {
			t.Errorf("headerSpan(%q) is no error", bad)
		}
	}
	if _, _, err := (&Proxy{Trusted: trusting}).unwrap(&script{left: []byte(v2[:14] + "\x10\x01"), chunk: 9}); !errors.Is(err, errHeader) {
		t.Errorf("unwrap of a header too long: %v", err)
	}
}
