package acceptor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/coppice-go/coppice/process"
)

// A Rule allows or denies the connections from some addresses. The zero Rule
// allows all.
type Rule struct {
	Deny bool
	// From is the addresses that the rule is about, as a CIDR block; zero: all,
	// also those that are no IP addresses. IPv4 addresses are IPv4, however the
	// socket shows them.
	From netip.Prefix
}

// ParseRule reads a rule as it is written in settings: "allow" or "deny", and
// "all", an address, or a CIDR block: "deny 10.0.0.0/8", "allow ::1".
func ParseRule(s string) (Rule, error) {
	verb, from, _ := strings.Cut(strings.TrimSpace(s), " ")
	from = strings.TrimSpace(from)
	var r Rule
	switch verb {
	case "allow":
	case "deny":
		r.Deny = true
	default:
		return r, fmt.Errorf("acceptor: rule %q: begin with allow or deny", s)
	}
	var err error
	switch {
	case from == "all":
		return r, nil
	case strings.Contains(from, "/"):
		r.From, err = netip.ParsePrefix(from)
	default:
		var addr netip.Addr
		if addr, err = netip.ParseAddr(from); err == nil {
			r.From, err = addr.WithZone("").Prefix(addr.BitLen())
		}
	}
	if err != nil {
		return Rule{}, fmt.Errorf("acceptor: rule %q: give all, an address, or a block like 10.0.0.0/8: %w", s, err)
	}
	return r.plain(), nil
}

// String returns the rule as [ParseRule] reads it.
func (r Rule) String() string {
	verb, from := "allow ", "all"
	if r.Deny {
		verb = "deny "
	}
	if r.From != (netip.Prefix{}) {
		from = r.From.String()
	}
	return verb + from
}

// MarshalText and UnmarshalText let a rule stand in a file of settings.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what [ParseRule] does.
func (r *Rule) UnmarshalText(b []byte) error {
	rule, err := ParseRule(string(b))
	if err == nil {
		*r = rule
	}
	return err
}

// fault says what is wrong with a rule that was not parsed.
func (r Rule) fault() error {
	if r.From != (netip.Prefix{}) && !r.From.IsValid() {
		return fmt.Errorf("not a CIDR block (%v): use netip.ParsePrefix, or leave it out for all addresses", r.From)
	}
	return nil
}

// plain is the rule with IPv4 addresses as such, without bits that are not
// looked at.
func (r Rule) plain() Rule {
	if a := r.From.Addr(); a.Is4In6() && r.From.Bits() >= 96 {
		r.From = netip.PrefixFrom(a.Unmap(), r.From.Bits()-96)
	}
	r.From = r.From.Masked()
	return r
}

// denied reports whether rules keep an address out: the first that is about it
// decides; if there is none, it is let in. Rules are plain.
func denied(rules []Rule, addr net.Addr) bool {
	if len(rules) == 0 {
		return false
	}
	ip := addressOf(addr)
	for _, r := range rules {
		if r.From == (netip.Prefix{}) || r.From.Contains(ip) {
			return r.Deny
		}
	}
	return false
}

// denies reports whether Access keeps out a connection that was just accepted. If
// a proxy is still to tell whose it is, [listener.admits] is asked later.
func (l *listener) denies(in *arrival) bool {
	peer := in.raw.RemoteAddr()
	if p := in.bound.Proxy; p != nil && peer != nil && p.trusts(peer) {
		return false
	}
	return denied(l.settings().access, peer)
}

// admits returns the error that ends a connection whose peer's address is known
// only now that it has begun.
func (l *listener) admits(ctx context.Context, peer net.Addr) error {
	if !denied(l.settings().access, peer) {
		return nil
	}
	l.say(ctx, process.LevelWarn, textDenied, nil, details{{"remote", peer}})
	return &DeniedError{peer}
}

// addressOf returns an address as rules see it; zero: it is no IP address.
func addressOf(addr net.Addr) netip.Addr {
	var ip netip.Addr
	switch a := addr.(type) {
	case nil:
	case *net.TCPAddr:
		ip = a.AddrPort().Addr()
	case *net.UDPAddr:
		ip = a.AddrPort().Addr()
	default:
		if ap, err := netip.ParseAddrPort(addr.String()); err == nil {
			ip = ap.Addr()
		}
	}
	return ip.Unmap().WithZone("")
}

// A DeniedError ends a connection from an address that Access denies, where
// that address is known only once the connection has begun.
type DeniedError struct{ Peer net.Addr }

func (e *DeniedError) Error() string {
	return fmt.Sprintf("acceptor: %v is denied by Access", e.Peer)
}

// ClassName is the class under which such an end is counted.
func (e *DeniedError) ClassName() string { return string(Denied) }
