package acceptor

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func rules(t testing.TB, texts ...string) (out []Rule) {
	t.Helper()
	for _, s := range texts {
		r, err := ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func tcp(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

func TestDenied(t *testing.T) {
	home := []string{"allow 10.1.0.0/16", "deny 10.0.0.0/8", "deny 2001:db8::/32", "allow 192.168.0.7"}
	only := append(home[:len(home):len(home)], "deny all")
	unix := &net.UnixAddr{Name: "/run/x", Net: "unix"}
	for _, c := range []struct {
		rules []string
		addr  net.Addr
		want  bool
	}{
		{nil, tcp("10.2.3.4:1"), false},
		{home, tcp("10.1.3.4:1"), false}, // the first that fits
		{home, tcp("10.2.3.4:1"), true},
		{home, tcp("[::ffff:10.2.3.4]:1"), true}, // as a socket for both shows IPv4
		{home, tcp("[2001:db8::1%eth0]:1"), true},
		{home, tcp("[2001:db9::1]:1"), false}, // none fits
		{home, unix, false},
		{home, nil, false},
		{only, tcp("192.168.0.7:1"), false},
		{only, tcp("192.168.0.8:1"), true},
		{only, unix, true},
		{only, &net.UDPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 5}, false},
		{only, address0("10.1.2.3:5"), false},
		{[]string{"deny 0.0.0.0/0"}, tcp("1.2.3.4:1"), true},
		{[]string{"deny 0.0.0.0/0"}, tcp("[::1]:1"), false},
		{[]string{"deny ::ffff:10.0.0.0/104"}, tcp("10.9.9.9:1"), true},
		{[]string{"allow all", "deny all"}, tcp("1.2.3.4:1"), false},
	} {
		if got := denied(rules(t, c.rules...), c.addr); got != c.want {
			t.Errorf("%v: %v is denied: %v, want %v", c.rules, c.addr, got, c.want)
		}
	}
}

type address0 string

func (address0) Network() string  { return "other" }
func (a address0) String() string { return string(a) }

func TestParseRule(t *testing.T) {
	for s, want := range map[string]string{
		"allow all":           "allow all",
		" deny  all ":         "deny all",
		"deny 10.0.0.0/8":     "deny 10.0.0.0/8",
		"deny 10.1.2.3/8":     "deny 10.0.0.0/8",
		"allow 10.1.2.3":      "allow 10.1.2.3/32",
		"allow ::1":           "allow ::1/128",
		"allow fe80::1%eth0":  "allow fe80::1/128",
		"deny ::ffff:1.2.3.4": "deny 1.2.3.4/32",
	} {
		var r Rule
		if err := r.UnmarshalText([]byte(s)); err != nil || r.String() != want {
			t.Errorf("%q is %q, %v; want %q", s, r, err, want)
		}
	}
	for _, s := range []string{"", "allow", "all", "permit all", "deny 10.0.0.0/33", "deny 10.0.0", "deny all of them", "deny fe80::%eth0/64"} {
		if r, err := ParseRule(s); err == nil {
			t.Errorf("%q is %v, want an error", s, r)
		}
	}
}

// A rule is read as it is written, and decides about all addresses as the block
// does that it was written from.
func FuzzParseRule(f *testing.F) {
	f.Add("deny 10.0.0.0/8")
	f.Add("allow ::ffff:1.2.3.4/97")
	f.Add("allow all")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRule(s)
		if err != nil {
			return
		}
		text, err := r.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseRule(string(text))
		if err != nil || again != r || r.fault() != nil || r.plain() != r {
			t.Errorf("%q is %v, which reads as %v, %v", s, r, again, err)
		}
	})
}

// The first rule that is about an address decides, as in a plain list.
func TestFirstRuleDecides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(0, 4)
		var all []Rule
		for range rapid.IntRange(0, 6).Draw(t, "rules") {
			r := Rule{Deny: rapid.Bool().Draw(t, "deny")}
			if rapid.Bool().Draw(t, "block") {
				a := netip.AddrFrom4([4]byte{byte(rapid.IntRange(0, 15).Draw(t, "net")) << 4, 0, 0, 0})
				r.From = netip.PrefixFrom(a, bits.Draw(t, "bits"))
			}
			all = append(all, r.plain())
		}
		host := byte(rapid.IntRange(0, 255).Draw(t, "host"))
		want := false
		for _, r := range all {
			block := r.From.Addr()
			if r.From == (netip.Prefix{}) || r.From.Bits() == 0 || host>>(8-r.From.Bits()) == block.As4()[0]>>(8-r.From.Bits()) {
				want = r.Deny
				break
			}
		}
		if got := denied(all, tcp(fmt.Sprintf("%d.1.2.3:9", host))); got != want {
			t.Fatalf("%v: host %d is denied: %v, want %v", all, host, got, want)
		}
	})
}
