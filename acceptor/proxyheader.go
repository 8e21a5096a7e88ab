package acceptor

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"

	"github.com/pires/go-proxyproto"
)

// A ProxyHeader is what a proxy has said of a connection that it passes on, with
// the PROXY protocol.
type ProxyHeader struct {
	Version int // 1 or 2
	// Local says that the proxy speaks for itself, as for a health check, or that it
	// does not know whom for. Then there are no addresses.
	Local       bool
	Source      net.Addr // the client
	Destination net.Addr // where the client connected to
	TLVs        []ProxyTLV
}

// A ProxyTLV is one of the further things that version 2 may say; their types are
// in section 2.2 of the protocol's specification.
type ProxyTLV struct {
	Type  byte
	Value []byte
}

// The signatures with which headers begin.
var (
	signature1 = []byte("PROXY ")
	signature2 = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

const (
	longest1 = 107     // a header of version 1, with its end of line
	fixed2   = 16      // of version 2: signature, command, family, length of the rest
	longest2 = 4 << 10 // that rest; the specification leaves 64 KiB, and nobody sends it
)

// headerSpan finds the PROXY header that a stream begins with, from its first
// bytes. It is n bytes long, 0: there is none. Not known: it takes more bytes to
// tell.
func headerSpan(b []byte) (n int, known bool, err error) {
	switch {
	case begins(b, signature1):
		if len(b) < len(signature1) {
			return 0, false, nil
		}
		if i := bytes.IndexByte(b[:min(len(b), longest1)], '\n'); i >= 0 {
			return i + 1, true, nil
		}
		if len(b) >= longest1 {
			return 0, true, fmt.Errorf("no end of line within %d bytes", longest1)
		}
		return 0, false, nil
	case begins(b, signature2):
		if len(b) < fixed2 {
			return 0, false, nil
		}
		rest := int(binary.BigEndian.Uint16(b[fixed2-2:]))
		if rest > longest2 {
			return 0, true, fmt.Errorf("it says that it is %d bytes long, and we read %d at most", fixed2+rest, fixed2+longest2)
		}
		if len(b) < fixed2+rest {
			return 0, false, nil
		}
		return fixed2 + rest, true, nil
	}
	return 0, true, nil
}

// begins reports whether one of them is a prefix of the other.
func begins(b, signature []byte) bool {
	n := min(len(b), len(signature))
	return bytes.Equal(b[:n], signature[:n])
}

// parseHeader reads one whole header.
func parseHeader(b []byte) (*ProxyHeader, error) {
	in := bufio.NewReader(bytes.NewReader(b))
	h, err := proxyproto.Read(in)
	if err != nil {
		return nil, err
	}
	if in.Buffered() > 0 {
		return nil, fmt.Errorf("%d bytes are left over", in.Buffered())
	}
	out := &ProxyHeader{Version: int(h.Version), Local: h.Command.IsLocal()}
	if out.Local {
		return out, nil
	}
	if h.SourceAddr == nil || h.DestinationAddr == nil {
		return nil, errors.New("it has no addresses")
	}
	out.Source, out.Destination = h.SourceAddr, h.DestinationAddr
	tlvs, err := h.TLVs()
	if err != nil {
		return nil, err
	}
	for _, t := range tlvs {
		if t.Type != proxyproto.PP2_TYPE_NOOP {
			out.TLVs = append(out.TLVs, ProxyTLV{byte(t.Type), t.Value})
		}
	}
	if len(tlvs) > 0 && !intact(b) {
		return nil, errors.New("its checksum is wrong")
	}
	return out, nil
}

// addressBytes is how long the addresses of a header of version 2 are, by family.
var addressBytes = map[byte]int{1: 2*4 + 4, 2: 2*16 + 4, 3: 2 * 108}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// intact checks the checksum of a whole header with TLVs, if it has one: it is that
// of the header with zeros in its place.
func intact(b []byte) bool {
	for i := fixed2 + addressBytes[b[13]>>4]; i+3 <= len(b); {
		kind, n := b[i], int(binary.BigEndian.Uint16(b[i+1:]))
		i += 3
		if kind == byte(proxyproto.PP2_TYPE_CRC32C) {
			if n != 4 {
				return false
			}
			zeroed := bytes.Clone(b)
			clear(zeroed[i : i+n])
			return crc32.Checksum(zeroed, castagnoli) == binary.BigEndian.Uint32(b[i:])
		}
		i += n
	}
	return true
}
