package acceptor_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/tlsconn"
)

// parrot is what the connections of a storm speak: a frame, its length ahead, is
// answered by itself. One without length says goodbye, one of length 0xffff makes
// the connection crash.
var parrot parrots

type parrots struct{ conn *acceptor.Conn }

const (
	farewell = 0
	poison   = 0xffff
)

func (parrots) protocol() acceptor.Protocol[parrots] {
	return acceptor.Protocol[parrots]{
		New: func(_ context.Context, c *acceptor.Conn) (*parrots, error) { return &parrots{c}, nil },
		Split: func(data []byte, _ bool) (int, []byte, error) {
			if len(data) < 2 {
				return 0, nil, nil
			}
			n := 2 + int(binary.BigEndian.Uint16(data))
			if n == 2+poison {
				n = 2
			}
			if len(data) < n {
				return 0, nil, nil
			}
			return n, data[:n], nil
		},
		Frame: func(_ context.Context, p *parrots, frame []byte) error {
			switch binary.BigEndian.Uint16(frame) {
			case farewell:
				return server.Stop(nil)
			case poison:
				panic(errBoom)
			}
			_, err := p.conn.Write(frame)
			return err
		},
	}
}

// say has the parrot answer n bytes.
func say(c net.Conn, dice *rand.Rand, n int) error {
	frame := make([]byte, 2+n)
	binary.BigEndian.PutUint16(frame, uint16(n))
	for i := range frame[2:] {
		frame[2+i] = byte(dice.Uint32())
	}
	if _, err := c.Write(frame); err != nil {
		return fmt.Errorf("writing %d bytes: %w", n, err)
	}
	answer := make([]byte, len(frame))
	if m, err := io.ReadFull(c, answer); err != nil {
		return fmt.Errorf("%d of %d bytes: %w", m, len(frame), err)
	}
	if !bytes.Equal(frame, answer) {
		return errors.New("the answer is another one")
	}
	return nil
}

// A visit is what one client did.
type visit struct {
	what      string
	addrs     []string      // of the client, as the server may know it: ahead of the proxy's header, and behind
	class     tlsconn.Class // of the fault that it is; 0: none
	end       string        // the class of the end of its connection
	denied    bool          // it should not be let in
	leaves    bool          // it does not wait for anything
	from, to  time.Time
	connected bool
	talked    bool // it had an answer
	err       error
	serial    string // of the certificate that it was shown
}

// Addresses: proxies and those that Access denies have a block of their own.
var (
	proxies    = []netip.Prefix{netip.MustParsePrefix("127.70.0.0/16")}
	badAddress = netip.MustParsePrefix("127.66.0.0/16")
)

func access(more bool) []acceptor.Rule {
	rules := []acceptor.Rule{{Deny: true, From: badAddress}}
	if more { // which are about nobody
		rules = append(rules, acceptor.Rule{Deny: true, From: netip.MustParsePrefix("192.0.2.0/24")}, acceptor.Rule{})
	}
	return rules
}

// address is one that nobody has had, in a block.
func (s *storm) address(block byte) *net.TCPAddr {
	n := s.next.Add(1)
	return &net.TCPAddr{IP: net.IPv4(127, block, byte(n>>22), byte(n>>14)), Port: 10000 + int(n&(1<<14-1))}
}

// arrive connects a client. Nobody is at home: v.connected is false.
func (p *site) arrive(v *visit) (net.Conn, error) {
	v.from = time.Now()
	p.mu.Lock()
	p.visits = append(p.visits, v)
	p.mu.Unlock()
	block := byte(20)
	switch {
	case v.denied:
		block = 66
	case p.name == "behind":
		block = 70
	}
	c, err := p.dial(block)
	for errors.Is(err, syscall.EADDRINUSE) { // by the storm before this one
		c, err = p.dial(block)
	}
	v.addrs = append(v.addrs, c.from.String())
	v.connected = !errors.Is(err, syscall.ECONNREFUSED)
	if err != nil {
		return nil, err
	}
	// One that hangs should say where.
	return c.Conn, c.SetDeadline(time.Now().Add(time.Minute + p.left()))
}

// A caller is a connection from an address that nobody has had.
type caller struct {
	net.Conn
	from net.Addr
}

func (p *site) dial(block byte) (c caller, err error) {
	from := p.address(block)
	c.from = from
	c.Conn, err = (&net.Dialer{LocalAddr: from}).Dial("tcp", p.addr)
	return c, err
}

func (p *site) left() time.Duration { return max(time.Until(p.end), 0) }

// introduce writes a proxy's header, where one is wanted.
func (p *site) introduce(v *visit, c net.Conn) error {
	if p.name != "behind" {
		return nil
	}
	is := p.address(20)
	is.IP[len(is.IP)-4] = 10
	v.addrs = append(v.addrs, is.String())
	if is.Port%2 == 0 {
		_, err := fmt.Fprintf(c, "PROXY TCP4 %v 10.0.0.1 %d 443\r\n", is.IP, is.Port)
		return err
	}
	header := append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"), is.IP.To4()...)
	header = append(header, 10, 0, 0, 1)
	header = binary.BigEndian.AppendUint16(header, uint16(is.Port))
	header = binary.BigEndian.AppendUint16(header, 443)
	_, err := c.Write(header)
	return err
}

// config is a healthy client's.
func (s *storm) config(edit ...func(*tls.Config)) *tls.Config {
	conf := &tls.Config{RootCAs: s.pki.root.Pool(), ServerName: "localhost", NextProtos: []string{"echo"}}
	identify(s.pki.clients.Client("alice"))(conf)
	for _, e := range edit {
		e(conf)
	}
	return conf
}

// greet is one healthy visit.
func (p *site) greet() *visit {
	v := &visit{what: "greeting", end: "closed"}
	p.healthy(v, p.config(), rand.New(rand.NewPCG(1, 1)), func(c net.Conn, dice *rand.Rand) error { return say(c, dice, 100) })
	return v
}

// healthy is a visit of somebody who does everything right: talk, and goodbye.
func (p *site) healthy(v *visit, conf *tls.Config, dice *rand.Rand, talk func(net.Conn, *rand.Rand) error) {
	defer func() { v.to = time.Now() }()
	raw, err := p.arrive(v)
	if raw != nil {
		defer raw.Close()
	}
	if err == nil {
		err = p.introduce(v, raw)
	}
	if err != nil {
		v.err = err
		return
	}
	c := tls.Client(raw, conf)
	if v.err = c.Handshake(); v.err != nil {
		return
	}
	v.serial = c.ConnectionState().PeerCertificates[0].SerialNumber.Text(16)
	// With TLS 1.3 the server has not looked at our certificate yet.
	if v.err = say(c, dice, 1+dice.IntN(100)); v.err != nil {
		return
	}
	v.talked = true
	if v.err = talk(c, dice); v.err != nil {
		return
	}
	if v.end == "normal" {
		if _, v.err = c.Write([]byte{0, farewell}); v.err != nil {
			return
		}
		if n, err := c.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			v.err = fmt.Errorf("no goodbye: %d bytes, %v", n, err)
			return
		}
	}
	v.err = c.Close()
}

// patron comes again and again, for short talks.
func (p *site) patron(dice *rand.Rand) {
	cache := tls.NewLRUClientSessionCache(4)
	for !p.over() {
		v := &visit{what: "patron", end: [...]string{"closed", "normal"}[dice.IntN(2)]}
		conf := p.config(func(c *tls.Config) {
			c.ClientSessionCache = cache
			c.MaxVersion = version(dice)
		})
		rounds := dice.IntN(20)
		p.healthy(v, conf, dice, func(c net.Conn, dice *rand.Rand) error {
			for range rounds {
				if err := say(c, dice, 1+dice.IntN(40_000)); err != nil {
					return err
				}
			}
			return nil
		})
		if v.err != nil {
			pause(dice, 20*time.Millisecond)
		}
	}
}

// lodger stays, and says something now and then.
func (p *site) lodger(dice *rand.Rand) {
	for !p.over() {
		v := &visit{what: "lodger", end: "closed"}
		p.healthy(v, p.config(), dice, func(c net.Conn, dice *rand.Rand) error {
			for !p.over() {
				if err := say(c, dice, 1+dice.IntN(1000)); err != nil {
					return err
				}
				pause(dice, 50*time.Millisecond)
			}
			return nil
		})
		if v.err != nil {
			pause(dice, 50*time.Millisecond)
		}
	}
}

func version(dice *rand.Rand) uint16 { return tls.VersionTLS12 + uint16(dice.IntN(2)) }

// pause is a while, twice that at most.
func pause(dice *rand.Rand, d time.Duration) {
	time.Sleep(d/2 + time.Duration(dice.Int64N(int64(3*d/2))))
}
