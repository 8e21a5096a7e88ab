package acceptor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A Proxy says from whom a listener takes the PROXY protocol, versions 1 and 2: a
// header ahead of everything else, also of TLS, in which a proxy tells whom it
// passes on. From Open on the connection's RemoteAddr is then the client's, in
// events and lists too.
//
// A peer that is not trusted is not asked: it is itself, and a header that it
// sends is taken for bytes of the protocol, which refuses them.
type Proxy struct {
	// Trusted are the addresses of the proxies. Who can open a unix socket is
	// trusted: that is what its mode is for.
	Trusted []netip.Prefix
	// Required ends connections without a header, also those of peers that are
	// not trusted. Otherwise a trusted peer that sends none is itself.
	Required bool
	// Timeout is how long a header may take to arrive; 0: 5 s, Infinity: for ever.
	// Where none is required, a peer that has sent nothing when it is over is
	// itself; so where the server speaks first, require it, or the greeting to who
	// sends none comes that late.
	Timeout time.Duration
}

const defaultProxyTimeout = 5 * time.Second

// A ProxyError ends a connection whose proxy did not introduce it as it should. It
// is the reason of its process in a process.Shutdown.
type ProxyError struct {
	Class string   // "proxy_missing", "proxy_untrusted", "proxy_invalid" or "proxy_timeout"
	Proxy net.Addr // who should have sent the header
	Err   error
}

func (e *ProxyError) Error() string { return fmt.Sprintf("PROXY header of %v: %v", e.Proxy, e.Err) }

func (e *ProxyError) Unwrap() error { return e.Err }

// ClassName is what the end is counted as; see [Info.Ends].
func (e *ProxyError) ClassName() string { return e.Class }

// faults are those of the Proxy itself.
func (p *Proxy) faults(s *Spec) (faults []error) {
	if p == nil {
		return nil
	}
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("Proxy."+format, args...)) }
	switch {
	case s.Network == "unix" && len(p.Trusted) > 0:
		fault("Trusted is for addresses, and peers of a unix socket have none: leave it out, and set Mode")
	case len(p.Trusted) == 0 && !s.inherits() && s.Network != "unix":
		fault("Trusted is empty, so no header would be believed: give the proxies' addresses, say 10.0.0.0/8 (0.0.0.0/0 and ::/0 take in everybody)")
	}
	for i, t := range p.Trusted {
		if !t.IsValid() {
			fault("Trusted[%d] is no prefix: use netip.MustParsePrefix", i)
		} else if t.Addr().Is4In6() {
			fault("Trusted[%d] is %v, which no address is compared with: write it as an IPv4 prefix", i, t)
		}
	}
	if p.Timeout < 0 && p.Timeout != process.Infinity {
		fault("Timeout is %v: use a time, 0 for %v or Infinity", p.Timeout, defaultProxyTimeout)
	}
	return faults
}

// trusts reports whether a peer's header is believed.
func (p *Proxy) trusts(peer net.Addr) bool {
	if _, ok := peer.(*net.UnixAddr); ok {
		return true
	}
	ap, err := netip.ParseAddrPort(peer.String())
	if err != nil {
		return false // it has no address of that kind
	}
	addr := ap.Addr().Unmap().WithZone("")
	for _, t := range p.Trusted {
		if t.Contains(addr) {
			return true
		}
	}
	return false
}

// unwrap reads the header of an accepted socket, if it has one. It returns what to
// read from behind it.
func (p *Proxy) unwrap(raw net.Conn) (net.Conn, *ProxyHeader, error) {
	peer := raw.RemoteAddr()
	refuse := func(class string, err error) (net.Conn, *ProxyHeader, error) {
		return nil, nil, &ProxyError{class, peer, err}
	}
	if !p.trusts(peer) {
		if p.Required {
			return refuse("proxy_untrusted", errors.New("it is not in Proxy.Trusted"))
		}
		return raw, nil, nil
	}
	b, n, err := p.await(raw)
	switch {
	case err == nil && n > 0:
		h, err := parseHeader(b[:n])
		if err != nil {
			return refuse("proxy_invalid", err)
		}
		return behind(raw, b[n:], h), h, nil
	case errors.Is(err, errHeader):
		return refuse("proxy_invalid", err)
	case err == io.EOF && len(b) == 0:
		return nil, nil, err // it only looked whether somebody is there
	case err != nil && err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil, err
	case errors.Is(err, os.ErrDeadlineExceeded) && (p.Required || signed(b)):
		return refuse("proxy_timeout", fmt.Errorf("not here within %v (%d bytes are): %w", p.limit(), len(b), process.ErrTimeout))
	case err == io.EOF && signed(b):
		return refuse("proxy_invalid", io.ErrUnexpectedEOF)
	case p.Required:
		return refuse("proxy_missing", errors.New("it sent something else: have it send the header, or do not set Proxy.Required"))
	}
	return behind(raw, b, nil), nil, nil
}

// errHeader is a header that cannot be read to its end.
var errHeader = errors.New("not to be read")

// await reads until it is known whether there is a header, and how long it is, and
// returns all that it has read.
func (p *Proxy) await(raw net.Conn) (b []byte, n int, err error) {
	if limit := p.limit(); limit > 0 {
		if err := raw.SetReadDeadline(time.Now().Add(limit)); err != nil {
			return nil, 0, err
		}
		// A socket that takes no deadline is closed, and whoever reads it is told.
		defer func() { _ = raw.SetReadDeadline(time.Time{}) }()
	}
	buf := make([]byte, 256)
	for {
		got, err := raw.Read(buf)
		b = append(b, buf[:got]...)
		n, known, fault := headerSpan(b)
		switch {
		case fault != nil:
			return b, 0, fmt.Errorf("%w: %w", errHeader, fault)
		case known:
			return b, n, nil
		case err != nil:
			return b, 0, err
		}
	}
}

func (p *Proxy) limit() time.Duration {
	if p.Timeout == 0 {
		return defaultProxyTimeout
	}
	return p.Timeout
}

// signed reports whether a stream has begun with a whole signature: what follows
// would have been a header.
func signed(b []byte) bool {
	return len(b) >= len(signature1) && begins(b, signature1) || len(b) >= len(signature2) && begins(b, signature2)
}

// behind is a socket with what was read of it too early, and the address that its
// proxy gave it.
func behind(raw net.Conn, rest []byte, h *ProxyHeader) net.Conn {
	if len(rest) == 0 && h.silent() {
		return raw
	}
	return &proxied{Conn: raw, rest: rest, remote: h.remote(raw)}
}

// silent reports whether nobody has said whose the connection is.
func (h *ProxyHeader) silent() bool { return h == nil || h.Local }

// remote is the address of the peer behind a proxy; of the proxy itself, or
// whoever it is, if it speaks for itself.
func (h *ProxyHeader) remote(raw net.Conn) net.Addr {
	if h.silent() {
		return raw.RemoteAddr()
	}
	return h.Source
}

type proxied struct {
	net.Conn
	rest   []byte
	remote net.Addr
}

// Read is for one reader at a time, as ours is.
func (c *proxied) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 {
		c.rest = nil // it need not be kept
	}
	return n, nil
}

func (c *proxied) RemoteAddr() net.Addr { return c.remote }

// NetConn returns the socket itself, as that of a tls.Conn does.
func (c *proxied) NetConn() net.Conn { return c.Conn }

const textProxy = "connections refused: their PROXY header is missing or wrong (Proxy.Trusted, Proxy.Required)"

// introduce has the proxy of an accepted socket say whose it is.
func (c *Conn) introduce(ctx context.Context, p *Proxy) (net.Conn, error) {
	sock, h, err := p.unwrap(c.raw)
	if fault, ok := errors.AsType[*ProxyError](err); ok {
		c.listener.say(ctx, process.LevelWarn, textProxy, fault, nil)
	}
	if err != nil {
		return nil, err
	}
	c.header.Store(h)
	if err := c.listener.admits(ctx, c.RemoteAddr()); err != nil {
		abort(c.raw)
		return nil, err
	}
	return sock, nil
}

// ProxyHeader returns what a proxy has said of the connection; nil: nothing, or
// nothing yet. See [Proxy].
func (c *Conn) ProxyHeader() *ProxyHeader { return c.header.Load() }
