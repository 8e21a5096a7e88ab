package identity

import (
	"bytes"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/internal/pki"
)

// memory is a system of files that are not on any disk.
type memory map[string][]byte

func (m memory) Stat(path string) (fs.FileInfo, error) {
	return fstest.MapFS{path: {Data: m[path], Mode: 0o600}}.Stat(path)
}
func (m memory) ReadFile(path string) ([]byte, error) { return bytes.Clone(m[path]), nil }

// sound are files that load, and the certificates in them.
func sound() (memory, Files, *pki.Cert) {
	root := pki.CA("root")
	leaf := root.CA("inter").Server("localhost")
	m := memory{
		"cert":    leaf.ChainPEM(),
		"key":     leaf.KeyPEM(),
		"roots":   root.PEM(),
		"clients": pki.CA("clients").PEM(),
	}
	return m, Files{Cert: "cert", Key: "key", Roots: "roots", ClientCA: "clients", VerifyClients: true, Names: []string{"localhost"}}, leaf
}

// mutate spoils a text: bytes are changed, dropped, doubled, moved, or taken from
// another.
func mutate(t *rapid.T, data, other []byte) []byte {
	data = bytes.Clone(data)
	for range rapid.IntRange(1, 4).Draw(t, "changes") {
		if len(data) == 0 {
			return data
		}
		at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
		to := rapid.IntRange(at, min(len(data), at+80)).Draw(t, "to")
		switch rapid.IntRange(0, 6).Draw(t, "kind") {
		case 0:
			data[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case 1:
			data[at] = rapid.Byte().Draw(t, "byte")
		case 2:
			data = slices.Delete(data, at, to)
		case 3:
			data = slices.Insert(data, at, bytes.Clone(data[at:to])...)
		case 4:
			data = data[:at]
		case 5:
			data = slices.Insert(data, at, other[:min(len(other), to)]...)
		case 6:
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\n- "
			data[at] = alphabet[rapid.IntRange(0, len(alphabet)-1).Draw(t, "letter")]
		}
	}
	return data
}

// Whatever is done to the files, Load does not panic, does not show a key, and
// finds good only what is still the same certificates and the same key.
func TestMutated(t *testing.T) {
	files, f, leaf := sound()
	now := time.Now()
	good, err := load(files, f, now)
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(files))
	rapid.Check(t, func(t *rapid.T) {
		spoilt := maps.Clone(files)
		name := rapid.SampledFrom(names).Draw(t, "file")
		spoilt[name] = mutate(t, files[name], files[rapid.SampledFrom(names).Draw(t, "other")])
		p, err := load(spoilt, f, now)
		if err != nil {
			if form := leaf.Leaked(err.Error()); form != "" {
				t.Fatalf("shows the key, %s: %v", form, err)
			}
			if p != nil {
				t.Fatalf("both a pair and %v", err)
			}
			return
		}
		if !slices.EqualFunc(p.tls.Certificate, good.tls.Certificate, bytes.Equal) ||
			!samePublic(p.tls.PrivateKey.(*sealed).Public(), leaf.Key.Public()) ||
			!known(p, leaf) {
			t.Fatalf("found good:\n%s", spoilt[name])
		}
	})
}

// known reports whether all certificates are among those of the sound files. A
// spoilt one may have lost some, and got others from another file. An authority that
// no longer names itself as its issuer is signed by nobody we know, and may be sound.
func known(p *Pair, leaf *pki.Cert) bool {
	var sound []cert
	for _, c := range append(leaf.Chain(), leaf.Root(), pki.CA("clients")) {
		sound = append(sound, cert{Certificate: c.Certificate})
	}
	all := slices.Concat(p.clientCAs, p.rootCAs)
	return len(p.clientCAs) > 0 && len(p.rootCAs) > 0 &&
		!slices.ContainsFunc(all, func(c cert) bool { return !contains(sound, c.Certificate) && selfIssued(c.Certificate) })
}

// Certificates in any order, with any left out, give the flaw that they should.
func TestAnyOrder(t *testing.T) {
	root := pki.CA("root")
	leaf := root.CA("a").CA("b").Server("localhost")
	chain := leaf.Chain()
	now := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		order := rapid.Permutation([]int{0, 1, 2}).Draw(t, "order")
		order = order[:rapid.IntRange(1, 3).Draw(t, "kept")]
		var text []byte
		for _, i := range order {
			text = append(text, chain[i].PEM()...)
		}
		m := memory{"cert": text, "key": leaf.KeyPEM(), "roots": root.PEM()}
		_, err := load(m, Files{Cert: "cert", Key: "key", Roots: "roots"}, now)
		has := func(c Check) bool { e, ok := err.(*Error); return ok && e.Has(c) }
		switch whole, sorted := len(order) == 3, slices.IsSorted(order); {
		case !slices.Contains(order, 0):
			if !has(Mismatch) {
				t.Fatalf("%v: no leaf: %v", order, err)
			}
		case whole && sorted:
			if err != nil {
				t.Fatalf("%v: %v", order, err)
			}
		case whole:
			if !has(ChainOrder) || has(IncompleteChain) {
				t.Fatalf("%v: %v", order, err)
			}
		default:
			if !has(IncompleteChain) {
				t.Fatalf("%v: %v", order, err)
			}
		}
	})
}

func FuzzScan(f *testing.F) {
	files, _, _ := sound()
	for _, data := range files {
		f.Add(data)
	}
	for _, text := range []string{"", "-----BEGIN ", "-----BEGIN X-----\n-----END X-----", "-----END X-----\n-----BEGIN X-----\n", "0\x80", "\xff\xfe", "-----BEGIN A-----\r\nProc-Type: 4,ENCRYPTED\r\n\r\nAAAA\r\n-----END A-----\r\n"} {
		f.Add([]byte(text))
	}
	leaf := pki.CA("root").Server("localhost")
	f.Fuzz(func(t *testing.T, data []byte) {
		blocks := scan(data)
		begins := 0
		for line := range bytes.Lines(data) {
			if strings.HasPrefix(strings.TrimSpace(string(line)), "-----BEGIN ") {
				begins++
			}
		}
		if len(blocks) < begins {
			t.Errorf("%d blocks begin, and %d are accounted for", begins, len(blocks))
		}
		for i, b := range blocks {
			if b.broken != "" && (b.kind != "" || b.der != nil) {
				t.Errorf("block %d is both whole and broken: %+v", i, b)
			}
			if b.line < 1 || i > 0 && b.line < blocks[i-1].line {
				t.Errorf("block %d is at line %d", i, b.line)
			}
		}
		// As each of the files: there must be an answer.
		for field, name := range []string{"cert", "key", "clients", "roots"} {
			m := memory{"cert": leaf.ChainPEM(), "key": leaf.KeyPEM(), "clients": leaf.Issuer.PEM(), "roots": leaf.Issuer.PEM()}
			m[name] = data
			p, err := load(m, Files{Cert: "cert", Key: "key", Roots: "roots", ClientCA: "clients"}, leaf.NotBefore.Add(time.Hour))
			if (p == nil) == (err == nil) {
				t.Errorf("%d: %v, %v", field, p, err)
			}
			if err != nil && strings.Contains(err.Error(), "%!") {
				t.Errorf("%d: a message is badly made: %v", field, err)
			}
		}
	})
}
