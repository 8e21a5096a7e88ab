package tlsconn

import (
	"net"
	"slices"
	"strings"
)

// A directory finds the identity that serves a name: the exact name first, then a
// certificate for *.example.com, as certificates have them. It is made once for a
// set of identities and does not change.
type directory[T any] map[string]T

// enter adds the names of an identity; who came first keeps a name.
func (d directory[T]) enter(m material, v T) {
	for _, name := range m.allNames() {
		d.put(name, v)
	}
}

// allNames are those that an identity serves: all of its certificate.
func (m material) allNames() []string {
	if m.leaf == nil {
		return nil
	}
	names := slices.Clone(m.leaf.DNSNames)
	for _, ip := range m.leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

func (d directory[T]) put(name string, v T) {
	if name = normal(name); name != "" {
		if _, taken := d[name]; !taken {
			d[name] = v
		}
	}
}

// find returns who serves a name.
func (d directory[T]) find(name string) (v T, ok bool) {
	name = normal(name)
	if v, ok = d[name]; ok || net.ParseIP(name) != nil {
		return v, ok
	}
	_, rest, ok := strings.Cut(name, ".")
	if !ok {
		return v, false
	}
	v, ok = d["*."+rest]
	return v, ok
}

// normal is a name as it is compared: RFC 6066 has no final dot, but some clients
// do.
func normal(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
