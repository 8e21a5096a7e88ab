package identity

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coppice-go/coppice/internal/pki"
)

// All that is wrong is said at once.
func TestEveryFlawAtOnce(t *testing.T) {
	b := newBench(t)
	b.serve(pki.CA("elsewhere").CA("between").Issue(pki.Want{
		Name: "server", Algo: pki.RSA1024, SHA1: true, NotAfter: b.now.Add(-time.Hour),
		Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Names: []string{"other"},
	}))
	b.put("server.crt", append(b.leaf.Issuer.PEM(), b.leaf.PEM()...))
	b.put("clients.pem", []byte("garbage"))
	b.files.Waive = []Check{"everything"}
	b.files.Names = []string{"localhost", "localhost:8883"}
	b.files.ServerCA = filepath.Join(b.dir, "none.pem")
	b.check([]want{
		{BadWaive, "Waive", "", `there is no check "everything"`, "chain_order, constraints, expired, incomplete_chain, key_usage, names, not_a_ca, not_yet_valid, weak_key, weak_signature"},
		{BadField, "ServerCA", "none.pem", "no servers to verify", "ClientCA"},
		{BadName, "Names", "", `"localhost:8883" has a port: "localhost" has none`, "without a port"},
		{Missing, "ServerCA", "none.pem", "does not exist", ""},
		{NotPEM, "ClientCA", "clients.pem", "is not PEM", ""},
		{ChainOrder, "Cert", "server.crt", "the leaf is not first", ""},
		{Expired, "Cert", "server.crt", "expired on", ""},
		{WeakSignature, "Cert", "server.crt", "ECDSA-SHA1", ""},
		{WeakKey, "Cert", "server.crt", "1024 bits", ""},
		{KeyUsage, "Cert", "server.crt", "clientAuth", ""},
		{WrongNames, "Cert", "server.crt", `is not for "localhost", "localhost:8883"`, ""},
		{IncompleteChain, "Cert", "server.crt", `"elsewhere"`, ""},
	})
	_, err := b.load()
	for _, c := range []Check{Expired, ChainOrder, BadWaive} {
		if !errors.Is(err, Flaw{Check: c}) || !err.Has(c) {
			t.Errorf("errors.Is does not find %q", c)
		}
	}
	if errors.Is(err, Flaw{Check: Mismatch}) || errors.Is(err, Flaw{Check: Expired, Field: "Key"}) || err.Has(Mismatch) {
		t.Error("errors.Is finds what is not there")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("errors.Is does not find the cause")
	}
	if f, ok := errors.AsType[Flaw](err); !ok || f.Check != BadWaive {
		t.Errorf("the first flaw is %v", f)
	}
}

// Each judgement that can be waived is, by its own name only; then the pair
// loads.
func TestWaive(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	past := time.Now().Add(-time.Hour)
	local := []string{"localhost"}
	spoil := map[Check]func(b *bench){
		Expired:     func(b *bench) { b.serve(b.inter.Issue(pki.Want{Name: "server", Names: local, NotAfter: past})) },
		NotYetValid: func(b *bench) { b.serve(b.inter.Issue(pki.Want{Name: "server", Names: local, NotBefore: soon})) },
		KeyUsage: func(b *bench) {
			b.serve(b.inter.Issue(pki.Want{Name: "server", Names: local, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}))
		},
		WrongNames:      func(b *bench) { b.files.Names = []string{"elsewhere"} },
		ChainOrder:      func(b *bench) { b.put("server.crt", append(b.inter.PEM(), b.leaf.PEM()...)) },
		IncompleteChain: func(b *bench) { b.put("server.crt", b.leaf.PEM()) },
		Constraints:     func(b *bench) { b.serve(narrow(b.root).Server("localhost")) },
		WeakSignature:   func(b *bench) { b.serve(b.inter.Issue(pki.Want{Name: "server", Names: local, SHA1: true})) },
		WeakKey:         func(b *bench) { b.serve(b.inter.Issue(pki.Want{Name: "server", Names: local, Algo: pki.RSA1024})) },
		NotACA:          func(b *bench) { b.put("clients.pem", b.root.Client("alice").PEM()) },
	}
	for _, c := range Waivable() {
		t.Run(string(c), func(t *testing.T) {
			b := newBench(t)
			spoil[c](b)
			_, err := b.load()
			if err == nil || len(err.Flaws) != 1 || err.Flaws[0].Check != c || !strings.HasSuffix(err.Flaws[0].Cure, fmt.Sprintf("; or waive %q", c)) {
				t.Fatalf("not waived: %v", err)
			}
			b.files.Waive = []Check{c}
			p, err := b.load()
			if err != nil {
				t.Fatalf("waived: %v", err)
			}
			if !bytes.Equal(p.TLS().Certificate[0], b.leaf.Raw) {
				t.Error("the leaf is not what is served first")
			}
			// All other waivers do not help.
			b.files.Waive = slices.DeleteFunc(Waivable(), func(o Check) bool { return o == c })
			if _, err := b.load(); err == nil || !err.Has(c) {
				t.Errorf("waived by other names: %v", err)
			}
		})
	}
	if len(spoil) != len(Waivable()) {
		t.Errorf("%d of %d judgements tried", len(spoil), len(Waivable()))
	}
}

// narrow makes an authority that may not certify localhost.
func narrow(root *pki.Cert) *pki.Cert {
	return root.Issue(pki.Want{Name: "narrow", CA: true, Edit: func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"example.org"}, true
	}})
}

func TestWaiveMisused(t *testing.T) {
	for _, c := range fatal {
		b := newBench(t)
		b.files.Waive = []Check{c}
		b.check([]want{{BadWaive, "Waive", "", fmt.Sprintf("%q cannot be waived", c), "what can be waived is chain_order, "}})
	}
	b := newBench(t)
	b.files.Waive = []Check{Expired, "", Expired}
	b.check([]want{
		{BadWaive, "Waive", "", `there is no check ""`, "what can be waived is"},
		{BadWaive, "Waive", "", `"expired" is waived twice`, "once"},
	})
}

// What cannot be waived stays, whatever is.
func TestWaiverDoesNotReachFurther(t *testing.T) {
	b := newBench(t)
	b.files.Waive = Waivable()
	b.put("server.key", b.root.KeyPEM())
	if _, err := b.load(); err == nil || len(err.Flaws) != 1 || !err.Has(Mismatch) {
		t.Errorf("mismatch: %v", err)
	}
}

// More that a file may hold in place of what it should.
func TestContents(t *testing.T) {
	request := func(b *bench) []byte {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}}, b.leaf.Key)
		if err != nil {
			b.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	}
	typed := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	pkcs8 := func(b *bench, key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			b.Fatal(err)
		}
		return typed("PRIVATE KEY", der)
	}
	rows := []row{
		{"cert is a key", func(b *bench) { b.files.Cert = b.files.Key },
			[]want{{WrongContent, "Cert", "server.key", "holds no certificate, but a private key", "name the file with the certificate"}}},
		{"cert is a request", func(b *bench) { b.put("server.crt", request(b)) },
			[]want{{WrongContent, "Cert", "server.crt", "holds a request for a certificate (line 1)", "send it to an authority"}}},
		{"cert in PKCS #7", func(b *bench) { b.put("server.crt", typed("PKCS7", []byte{0x30, 0})) },
			[]want{{WrongContent, "Cert", "server.crt", "PKCS #7", "openssl pkcs7 -print_certs"}}},
		{"cert in openssl's own form", func(b *bench) { b.put("server.crt", typed("TRUSTED CERTIFICATE", b.leaf.Raw)) },
			[]want{{WrongContent, "Cert", "server.crt", "a form of openssl's own", "openssl x509 -in"}}},
		{"a key called a certificate", func(b *bench) { b.put("server.crt", typed("CERTIFICATE", b.leaf.KeyDER())) },
			[]want{{Damaged, "Cert", "server.crt", "is called a certificate, and is a private key", "anew"}}},
		{"PKCS #12", func(b *bench) { b.put("server.crt", []byte{0x30, 5, 2, 1, 3, 0x30, 0}) },
			[]want{{NotPEM, "Cert", "server.crt", "PKCS #12", "openssl pkcs12 -nodes -in"}}},
		{"other DER", func(b *bench) { b.put("server.crt", []byte{0x30, 3, 2, 1, 9}) },
			[]want{{NotPEM, "Cert", "server.crt", "is DER, not PEM", "openssl"}}},
		{"a zero", func(b *bench) { b.put("server.crt", []byte("0 not DER")) },
			[]want{{NotPEM, "Cert", "server.crt", "is not PEM", "BEGIN CERTIFICATE"}}},
		{"a keystore", func(b *bench) { b.put("server.crt", []byte("\xfe\xed\xfe\xed\x00\x00")) },
			[]want{{NotPEM, "Cert", "server.crt", "Java keystore", "keytool"}}},
		{"UTF-16", func(b *bench) { b.put("server.crt", []byte("\xff\xfe-\x00-\x00")) },
			[]want{{NotPEM, "Cert", "server.crt", "UTF-16", "iconv -f UTF-16"}}},
		{"zero bytes", func(b *bench) { b.put("server.key", make([]byte, 300)) },
			[]want{{Damaged, "Key", "server.key", "zero bytes", "anew"}}},
		{"a web page", func(b *bench) { b.put("clients.pem", []byte("<html>404")) },
			[]want{{NotPEM, "ClientCA", "clients.pem", "HTML", "fetch"}}},
		{"an SSH key", func(b *bench) { b.put("server.crt", []byte("ssh-ed25519 AAAA me@here")) },
			[]want{{NotPEM, "Cert", "server.crt", "SSH", "PEM"}}},
		{"no line breaks", func(b *bench) { b.put("server.crt", bytes.ReplaceAll(b.leaf.PEM(), []byte("\n"), []byte(`\n`))) },
			[]want{{Damaged, "Cert", "server.crt", `has no END line`, ""}}},
		{"quoted, no line breaks", func(b *bench) { b.put("server.crt", fmt.Appendf(nil, "%q", b.leaf.PEM())) },
			[]want{{NotPEM, "Cert", "server.crt", `the two characters \n`, "printf"}}},
		{"four dashes", func(b *bench) { b.put("server.crt", b.leaf.PEM()[1:]) },
			[]want{{Damaged, "Cert", "server.crt", "has an END line, and no BEGIN line before it", ""}}},
		{"four dashes all over", func(b *bench) { b.put("server.crt", bytes.ReplaceAll(b.leaf.PEM(), []byte("-----"), []byte("----"))) },
			[]want{{Damaged, "Cert", "server.crt", "no line that begins with -----BEGIN", "anew"}}},
		{"indented", func(b *bench) { b.put("server.crt", bytes.ReplaceAll(b.leaf.PEM(), []byte("\n"), []byte("\n  "))) },
			[]want{{Damaged, "Cert", "server.crt", "is damaged", ""}}},
		{"indented as a whole", func(b *bench) {
			b.put("server.crt", append([]byte("  "), bytes.ReplaceAll(b.leaf.PEM(), []byte("\n"), []byte("\n  "))...))
		},
			[]want{{Damaged, "Cert", "server.crt", "is indented", ""}}},
		{"a block without an end between others", func(b *bench) {
			b.put("server.crt", bytes.Join([][]byte{b.leaf.PEM(), b.inter.PEM()[:80], []byte("\n"), b.inter.PEM()}, nil))
		}, []want{{Damaged, "Cert", "server.crt", "has no END line: the next block begins before it", "anew"}}},
		{"not base64", func(b *bench) { b.put("server.crt", bytes.Replace(b.leaf.PEM(), []byte("\nMII"), []byte("\n*II"), 1)) },
			[]want{{Damaged, "Cert", "server.crt", "not base64", "anew"}}},
		{"two keys", func(b *bench) { b.put("server.key", append(b.leaf.KeyPEM(), b.root.KeyPEM()...)) },
			[]want{{SeveralKeys, "Key", "server.key", "holds 2 private keys (at lines 1, 6)", "keep the one"}}},
		{"OpenSSH key", func(b *bench) { b.put("server.key", typed("OPENSSH PRIVATE KEY", []byte("openssh-key-v1"))) },
			[]want{{WrongContent, "Key", "server.key", "OpenSSH", "ssh-keygen -p"}}},
		{"DSA key", func(b *bench) { b.put("server.key", typed("DSA PRIVATE KEY", []byte{0x30, 0})) },
			[]want{{UnsupportedKey, "Key", "server.key", "DSA", "openssl genpkey"}}},
		{"damaged key", func(b *bench) { b.put("server.key", typed("PRIVATE KEY", b.leaf.KeyDER()[:60])) },
			[]want{{Damaged, "Key", "server.key", "cannot be parsed", "anew"}}},
		{"key for agreement", func(b *bench) {
			key, err := ecdh.X25519().GenerateKey(rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			b.put("server.key", pkcs8(b, key))
		}, []want{{Damaged, "Key", "server.key", "cannot be parsed", ""}}},
		{"key on P-224", func(b *bench) {
			key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			b.serve(b.inter.Issue(pki.Want{Name: "server", Names: []string{"localhost"}, Key: key}))
		}, []want{
			{UnsupportedKey, "Key", "server.key", "is a key on the curve P-224", "P-256"},
			{UnsupportedKey, "Cert", "server.crt", "is for a key on the curve P-224", "P-256"},
		}},
		{"public key", func(b *bench) {
			der, err := x509.MarshalPKIXPublicKey(b.leaf.PublicKey)
			if err != nil {
				b.Fatal(err)
			}
			b.put("server.key", typed("PUBLIC KEY", der))
		}, []want{{WrongContent, "Key", "server.key", "holds no private key, but a public key", "private key"}}},
		{"CRL among authorities", func(b *bench) {
			b.put("clients.pem", append(b.root.PEM(), typed("X509 CRL", []byte{0x30, 0})...))
		}, []want{{WrongContent, "ClientCA", "clients.pem", "a list of revoked certificates, which would not be heeded (line", "take it out"}}},
		{"key among authorities", func(b *bench) { b.put("clients.pem", append(b.root.PEM(), b.root.KeyPEM()...)) },
			[]want{{WrongContent, "ClientCA", "clients.pem", "holds a private key", ""}}},
		{"root damaged", func(b *bench) {
			der := bytes.Clone(b.root.Raw)
			der[len(der)-1] ^= 1
			b.put("clients.pem", typed("CERTIFICATE", der))
		}, []want{{Damaged, "ClientCA", "clients.pem", "signed itself, and the signature does not hold", "anew"}}},
		{"signed by a leaf", func(b *bench) { b.serve(b.inter.Client("alice").Server("localhost")) },
			[]want{{NotACA, "Cert", "server.crt", `"alice") signed certificate 1|CA:TRUE`, "authority|waive"}}},
		{"signed by who may not", func(b *bench) {
			b.serve(b.root.Issue(pki.Want{Name: "mute", CA: true, KeyUsage: x509.KeyUsageCRLSign}).Server("localhost"))
		}, []want{{NotACA, "Cert", "server.crt", `"mute") signed certificate 1|key usage`, "waive"}}},
		{"forbidden by constraints", func(b *bench) { b.serve(narrow(b.root).Server("localhost")) },
			[]want{{Constraints, "Cert", "server.crt", `would be refused|not permitted`, "waive"}}},
		{"root expired", func(b *bench) {
			b.root = pki.Make(pki.Want{Name: "root", CA: true, NotAfter: b.now.Add(-time.Hour)})
			b.serve(b.root.Server("localhost"))
			b.put("roots.pem", b.root.PEM())
		}, []want{{Expired, "Roots", "roots.pem", "all its authorities are expired", ""}}},
		{"intermediate expired", func(b *bench) {
			b.serve(b.root.Issue(pki.Want{Name: "inter", CA: true, NotAfter: b.now.Add(-time.Hour)}).Server("localhost"))
		}, []want{{Expired, "Cert", "server.crt", `"inter") expired`, "renew"}}},
		{"intermediate not for servers", func(b *bench) {
			b.serve(b.root.Issue(pki.Want{Name: "inter", CA: true, Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}).Server("localhost"))
		}, []want{{KeyUsage, "Cert", "server.crt", `would be refused`, ""}}},
		{"a root that is not the declared one", func(b *bench) {
			b.put("server.crt", append(b.leaf.ChainPEM(), b.root.PEM()...))
			b.put("roots.pem", pki.CA("another").PEM())
		}, []want{{IncompleteChain, "Cert", "server.crt", `the chain ends in certificate 3|"root"|which is not in|roots.pem`, "trust it"}}},
		{"far too long", func(b *bench) { b.sys = vast{b.files.Cert} },
			[]want{{NotAFile, "Cert", "server.crt", "has 1099511627776 bytes", ""}}},
		{"nothing given", func(b *bench) { b.files = Files{} },
			[]want{
				{Missing, "Cert", "", "no certificate file is named", ""},
				{Missing, "Key", "", "no key file is named", ""},
			}},
		{"names that are none", func(b *bench) {
			b.files.Names = []string{"", "https://x", "bücher.example", "[::1]:443"}
			b.files.Waive = []Check{WrongNames}
		},
			[]want{
				{BadName, "Names", "", "a name is empty", ""},
				{BadName, "Names", "", `"https://x" is not a name`, ""},
				{BadName, "Names", "", `"bücher.example" has letters beyond ASCII`, "xn--"},
				{BadName, "Names", "", `"[::1]:443" has a port: "::1" has none`, ""},
			}},
		{"no such usage", func(b *bench) { b.files.Usage = 7; b.files.Waive = []Check{KeyUsage, Constraints} },
			[]want{{BadField, "Usage", "", "no usage 7", "Server or Client"}}},
		{"client with clients", func(b *bench) { b.files = Files{Usage: Client, ClientCA: b.files.ClientCA} },
			[]want{{BadField, "ClientCA", "clients.pem", "a client has no clients", "ServerCA"}}},
		{"client with half a pair", func(b *bench) { b.files = Files{Usage: Client, Key: b.files.Key} },
			[]want{{Missing, "Cert", "", "no certificate file", ""}}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			b := newBench(t)
			r.spoil(b)
			b.check(r.want)
		})
	}
}

// vast is the operating system, where one file is said to be very long.
type vast struct{ path string }

func (v vast) Stat(path string) (fs.FileInfo, error) {
	info, err := osFiles{}.Stat(path)
	if path == v.path {
		return long{info}, err
	}
	return info, err
}
func (v vast) ReadFile(path string) ([]byte, error) {
	if path == v.path {
		panic("read all the same")
	}
	return osFiles{}.ReadFile(path)
}

type long struct{ fs.FileInfo }

func (long) Size() int64 { return 1 << 40 }

// What is unusual, and right.
func TestSoundToo(t *testing.T) {
	selfSigned := func(b *bench, w pki.Want) {
		w.Name, w.Names = "self", []string{"localhost"}
		b.serve(pki.Make(w))
		b.files.Roots = ""
	}
	tests := map[string]func(b *bench){
		"self-signed leaf": func(b *bench) { selfSigned(b, pki.Want{}) },
		"self-signed authority": func(b *bench) {
			selfSigned(b, pki.Want{CA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign})
		},
		"self-signed leaf, its own root": func(b *bench) {
			selfSigned(b, pki.Want{})
			b.files.Roots = b.files.Cert
		},
		"root in the file, no roots": func(b *bench) {
			b.put("server.crt", append(b.leaf.ChainPEM(), b.root.PEM()...))
			b.files.Roots = ""
		},
		"root in the file and declared": func(b *bench) { b.put("server.crt", append(b.leaf.ChainPEM(), b.root.PEM()...)) },
		"intermediate is the root":      func(b *bench) { b.put("server.crt", b.leaf.PEM()); b.put("roots.pem", b.inter.PEM()) },
		"one file for both": func(b *bench) {
			b.files.Cert = b.put("both.pem", append(b.leaf.KeyPEM(), b.leaf.ChainPEM()...))
			b.files.Key = b.files.Cert
		},
		"old form of key": func(b *bench) {
			b.put("server.key", append([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), b.leaf.OldKeyPEM()...))
		},
		"old form of RSA key": func(b *bench) {
			b.serve(b.inter.Issue(pki.Want{Name: "server", Names: []string{"localhost"}, Algo: pki.RSA2048}))
			b.put("server.key", b.leaf.OldKeyPEM())
		},
		"Ed25519": func(b *bench) {
			b.serve(b.inter.Issue(pki.Want{Name: "server", Names: []string{"localhost"}, Algo: pki.Ed25519}))
		},
		"Windows' line ends": func(b *bench) { b.put("server.crt", bytes.ReplaceAll(b.leaf.ChainPEM(), []byte("\n"), []byte("\r\n"))) },
		"byte order mark":    func(b *bench) { b.put("server.crt", append([]byte("\ufeff"), b.leaf.ChainPEM()...)) },
		"words between":      func(b *bench) { b.put("server.crt", append([]byte("Certificate:\n  Data: x\n"), b.leaf.ChainPEM()...)) },
		"no newline at end":  func(b *bench) { b.put("server.crt", bytes.TrimSpace(b.leaf.ChainPEM())) },
		"no usage at all": func(b *bench) {
			b.serve(b.inter.Issue(pki.Want{Name: "s", Names: []string{"localhost"}, KeyUsage: -1, Usage: []x509.ExtKeyUsage{}}))
		},
		"a wildcard": func(b *bench) {
			b.serve(b.inter.Server("*.example.org"))
			b.files.Names = []string{"a.example.org", "*.example.org"}
		},
		"any names":  func(b *bench) { b.files.Names = nil },
		"IP address": func(b *bench) { b.files.Names = []string{"127.0.0.1"} },
		"one old authority": func(b *bench) {
			b.put("clients.pem", append(pki.Make(pki.Want{Name: "old", CA: true, NotAfter: b.now.Add(-time.Hour)}).PEM(), b.root.PEM()...))
		},
		"no clients verified": func(b *bench) { b.files.ClientCA, b.files.VerifyClients = "", false },
		"client": func(b *bench) {
			b.serve(b.root.Client("alice"))
			b.files = Files{Usage: Client, Cert: b.files.Cert, Key: b.files.Key, ServerCA: b.files.Roots}
		},
		"client without a certificate": func(b *bench) { b.files = Files{Usage: Client, ServerCA: b.files.Roots} },
		"client of a server that signed itself": func(b *bench) {
			b.files = Files{Usage: Client, ServerCA: b.put("it.pem", pki.Make(pki.Want{Name: "it", Names: []string{"localhost"}}).PEM())}
		},
		"client with nothing": func(b *bench) { b.files = Files{Usage: Client} },
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			prepare(b)
			p, err := b.load()
			if err != nil {
				t.Fatal(err)
			}
			if b.files.Cert == "" {
				if p.TLS() != nil || p.Leaf() != nil || p.Subject() != "" || p.String() != "identity without a certificate" {
					t.Errorf("a certificate from nowhere: %v", p)
				}
				return
			}
			if b.files.Usage == Server {
				b.handshake(p)
			}
		})
	}
}

// handshake proves that the pair serves a client that trusts its roots.
func (b *bench) handshake(p *Pair) {
	b.Helper()
	near, far := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- tls.Server(far, &tls.Config{Certificates: []tls.Certificate{*p.TLS()}}).Handshake() }()
	name := "localhost"
	if len(b.files.Names) > 0 {
		name = b.files.Names[0]
	}
	conn := tls.Client(near, &tls.Config{RootCAs: p.Roots(), ServerName: name})
	if err := conn.Handshake(); err != nil {
		b.Errorf("client: %v", err)
	}
	if err := <-done; err != nil {
		b.Errorf("server: %v", err)
	}
}

func TestQuote(t *testing.T) {
	for path, want := range map[string]string{
		"/etc/tls/a-b_c.1.pem": "/etc/tls/a-b_c.1.pem",
		"a b":                  "'a b'",
		"it's":                 `'it'\''s'`,
		"$(rm)":                "'$(rm)'",
		"":                     "''",
	} {
		if got := quote(path); got != want {
			t.Errorf("quote(%q) = %s, want %s", path, got, want)
		}
	}
}
