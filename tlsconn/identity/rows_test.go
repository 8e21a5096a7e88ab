package identity

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coppice-go/coppice/internal/pki"
)

// A bench is a folder with sound files, for a test to spoil.
type bench struct {
	*testing.T
	dir   string
	root  *pki.Cert
	inter *pki.Cert
	leaf  *pki.Cert
	files Files
	now   time.Time
	sys   system
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir(), root: pki.CA("root"), now: time.Now(), sys: osFiles{}}
	b.inter = b.root.CA("inter")
	b.serve(b.inter.Server("localhost", "127.0.0.1"))
	b.files.Roots = b.put("roots.pem", b.root.PEM())
	b.files.ClientCA = b.put("clients.pem", pki.CA("clients").PEM())
	b.files.VerifyClients = true
	b.files.Names = []string{"localhost"}
	return b
}

// serve puts a leaf with its chain and key where the files are.
func (b *bench) serve(leaf *pki.Cert) {
	b.leaf = leaf
	b.files.Cert = b.put("server.crt", leaf.ChainPEM())
	b.files.Key = b.put("server.key", leaf.KeyPEM())
}

func (b *bench) put(name string, data []byte) string { return pki.WriteFile(b, b.dir, name, data) }

func (b *bench) load() (*Pair, *Error) {
	b.Helper()
	p, err := load(b.sys, b.files, b.now)
	if err == nil {
		return p, nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || p != nil {
		b.Fatalf("load: %v, %T %v: want a pair or an *Error", p, err, err)
	}
	return nil, e
}

// want says what a flaw shall be.
type want struct {
	check Check
	field string
	file  string // its base name
	says  string // parts of the problem, separated by |
	cure  string // parts of the cure, separated by |
}

// row is a row of the matrix of misconfigurations.
type row struct {
	name  string
	spoil func(b *bench)
	want  []want // every flaw, in order
}

func TestSound(t *testing.T) {
	b := newBench(t)
	p, err := b.load()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.Leaf().Raw, b.leaf.Raw) || len(p.TLS().Certificate) != 2 || p.ClientCAs() == nil || p.Roots() == nil || p.ServerCAs() != nil {
		t.Errorf("not what is in the files: %v", p)
	}
	if !p.NotAfter().Equal(b.leaf.NotAfter) || !p.NotBefore().Equal(b.leaf.NotBefore) {
		t.Errorf("valid from %v to %v", p.NotBefore(), p.NotAfter())
	}
}

// The 26 rows of misconfigurations that servers were tried with. Each has to
// give these flaws, and no others.
func TestRows(t *testing.T) {
	now := time.Now()
	server := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	issue := func(b *bench, w pki.Want) {
		w.Name = "server"
		if w.Names == nil {
			w.Names = []string{"localhost"}
		}
		if w.Usage == nil {
			w.Usage = server
		}
		b.serve(b.inter.Issue(w))
	}
	cut := func(data []byte) []byte { return data[:len(data)*2/3] }
	rows := []row{
		{"cert file missing", func(b *bench) { b.files.Cert = filepath.Join(b.dir, "none", "x.crt") },
			[]want{{Missing, "Cert", "x.crt", "does not exist|folder", "correct the path"}}},
		{"cert file missing, relative", func(b *bench) { b.files.Cert = "nope.crt" },
			[]want{{Missing, "Cert", "nope.crt", "does not exist in /", "correct the path"}}},
		{"cert file missing, dangling link", func(b *bench) {
			b.files.Cert = filepath.Join(b.dir, "link.crt")
			if err := os.Symlink("..data/tls.crt", b.files.Cert); err != nil {
				b.Fatal(err)
			}
		}, []want{{Missing, "Cert", "link.crt", "is a symbolic link to ..data/tls.crt, which does not exist", "correct the path"}}},
		{"key file missing", func(b *bench) { b.files.Key = filepath.Join(b.dir, "x.key") },
			[]want{{Missing, "Key", "x.key", "does not exist", "correct the path"}}},
		{"unreadable", func(b *bench) { b.sys = refusing{b.files.Key, fs.ErrPermission} },
			[]want{{Unreadable, "Key", "server.key", "permission denied|-rw-------|of user|runs as user", "right to read"}}},
		{"unreadable, broken disk", func(b *bench) { b.sys = refusing{b.files.Key, errors.New("input/output error")} },
			[]want{{Unreadable, "Key", "server.key", "input/output error", "disk"}}},
		{"unreadable, out of descriptors", func(b *bench) { b.sys = refusing{b.files.Key, syscall.EMFILE} },
			[]want{{Unreadable, "Key", "server.key", "too many open files", "ulimit -n"}}},
		{"cert not PEM", func(b *bench) { b.put("server.crt", []byte("just words\n")) },
			[]want{{NotPEM, "Cert", "server.crt", "is not PEM", "BEGIN CERTIFICATE"}}},
		{"cert empty", func(b *bench) { b.put("server.crt", []byte("\n")) },
			[]want{{Empty, "Cert", "server.crt", "is empty", "write the PEM"}}},
		{"cert DER", func(b *bench) { b.put("server.crt", b.leaf.Raw) },
			[]want{{NotPEM, "Cert", "server.crt", "is DER, not PEM: a certificate", "openssl x509 -inform DER -in |server.crt -out |server.crt.pem"}}},
		{"cert PEM truncated", func(b *bench) { b.put("server.crt", cut(b.leaf.PEM())) },
			[]want{{Damaged, "Cert", "server.crt", "the PEM block at line 1 has no END line: the file is cut short", "anew"}}},
		{"cert PEM truncated in its second block", func(b *bench) { b.put("server.crt", append(b.leaf.PEM(), cut(b.inter.PEM())...)) },
			[]want{
				{Damaged, "Cert", "server.crt", "has no END line", "anew"},
				{IncompleteChain, "Cert", "server.crt", `issuer "inter"`, "append"},
			}},
		{"PEM with bad DER inside", func(b *bench) {
			b.put("server.crt", bytes.Replace(b.leaf.PEM(), []byte("\nMII"), []byte("\nAII"), 1))
		}, []want{{Damaged, "Cert", "server.crt", "the certificate at line 1 cannot be parsed", "anew"}}},
		{"cert is a directory", func(b *bench) { b.files.Cert = b.dir },
			[]want{{NotAFile, "Cert", "", "is a folder", "name a file in it"}}},
		{"key not PEM", func(b *bench) { b.put("server.key", []byte("just words\n")) },
			[]want{{NotPEM, "Key", "server.key", "is not PEM", "BEGIN PRIVATE KEY"}}},
		{"key DER", func(b *bench) { b.put("server.key", b.leaf.KeyDER()) },
			[]want{{NotPEM, "Key", "server.key", "is DER, not PEM: a private key", "openssl pkey -inform DER -in |server.key"}}},
		{"key encrypted", func(b *bench) { b.put("server.key", b.leaf.EncryptedKeyPEM("secret")) },
			[]want{{Encrypted, "Key", "server.key", "is encrypted", "openssl pkey -in |server.key -out |server.key.pem"}}},
		{"key encrypted, old form", func(b *bench) { b.put("server.key", b.leaf.OldEncryptedKeyPEM("secret")) },
			[]want{{Encrypted, "Key", "server.key", "is encrypted", "openssl pkey"}}},
		{"cert and key mismatch", func(b *bench) { b.put("server.key", b.root.KeyPEM()) },
			[]want{{Mismatch, "Key", "server.key", "the key's public half is " + fingerprint(pki.CA("root").PublicKey) + ", the certificate's is sha256:", "name the key"}}},
		{"cert given as key", func(b *bench) { b.files.Key = b.files.Cert },
			[]want{{WrongContent, "Key", "server.crt", "holds no private key: it is the file that Cert names", "name the file with the private key"}}},
		{"another cert given as key", func(b *bench) { b.put("server.key", b.root.PEM()) },
			[]want{{WrongContent, "Key", "server.key", "holds no private key, but a certificate", "name the file with the private key"}}},
		{"swapped", func(b *bench) { b.files.Cert, b.files.Key = b.files.Key, b.files.Cert },
			[]want{{WrongContent, "Cert", "server.key", "swapped", "exchange the two"}}},
		{"keyfile not given", func(b *bench) { b.files.Key = "" },
			[]want{{Missing, "Key", "", "no key file is named", "name the PEM file"}}},
		{"chain in wrong order", func(b *bench) { b.put("server.crt", append(b.inter.PEM(), b.leaf.PEM()...)) },
			[]want{{ChainOrder, "Cert", "server.crt", `the leaf is not first: the key belongs to certificate 2|"server"|before it stands certificate 1|"inter"`,
				`write them in this order: certificate 2 (line |"server"), certificate 1 (line 1, "inter")|waive "chain_order"`}}},
		{"chain in wrong order, below the leaf", func(b *bench) {
			second := b.inter.CA("second")
			b.serve(second.Server("localhost"))
			b.put("server.crt", bytes.Join([][]byte{b.leaf.PEM(), b.inter.PEM(), second.PEM()}, nil))
		}, []want{{ChainOrder, "Cert", "server.crt", "each must follow the one that it signed", `certificate 1|certificate 3|certificate 2`}}},
		{"chain with a stranger", func(b *bench) { b.put("server.crt", append(b.leaf.ChainPEM(), pki.CA("stranger").PEM()...)) },
			[]want{{ChainOrder, "Cert", "server.crt", `belongs to no other|"server"): certificate 3|"stranger")`, "take it out"}}},
		{"expired", func(b *bench) { issue(b, pki.Want{NotAfter: now.Add(-72 * time.Hour)}) },
			[]want{{Expired, "Cert", "server.crt", `certificate 1 (line 1, "server") expired on |(3 days ago)`, `renew it; or waive "expired"`}}},
		{"not yet valid", func(b *bench) { issue(b, pki.Want{NotBefore: now.Add(72*time.Hour + time.Minute)}) },
			[]want{{NotYetValid, "Cert", "server.crt", "is not valid before |(in 3 days)", `wait|waive "not_yet_valid"`}}},
		{"wrong EKU", func(b *bench) { issue(b, pki.Want{Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}) },
			[]want{{KeyUsage, "Cert", "server.crt", "is not for a server: its extended key usage is clientAuth", "serverAuth|waive"}}},
		{"wrong key usage", func(b *bench) { issue(b, pki.Want{KeyUsage: x509.KeyUsageKeyAgreement}) },
			[]want{{KeyUsage, "Cert", "server.crt", "may not sign handshakes", "digitalSignature|waive"}}},
		{"no SAN", func(b *bench) { issue(b, pki.Want{Names: []string{}}) },
			[]want{{WrongNames, "Cert", "server.crt", "has no names (subjectAltName)", "subjectAltName = DNS:localhost|waive"}}},
		{"SAN without the names served", func(b *bench) { b.files.Names = []string{"localhost", "example.org", "10.0.0.1"} },
			[]want{{WrongNames, "Cert", "server.crt", `is not for "example.org", "10.0.0.1", but for ["localhost" "127.0.0.1"]`, "waive"}}},
		{"incomplete chain", func(b *bench) { b.put("server.crt", b.leaf.PEM()) },
			[]want{{IncompleteChain, "Cert", "server.crt", `its issuer "inter" is neither in the file nor in |roots.pem`, `append the certificate of "inter"|waive`}}},
		{"incomplete chain, system's roots", func(b *bench) { b.put("server.crt", b.leaf.PEM()); b.files.Roots = "" },
			[]want{{IncompleteChain, "Cert", "server.crt", `its issuer "inter" is neither in the file nor in this system's authorities`, "name its certificate in Roots"}}},
		{"incomplete chain, issuer with another key", func(b *bench) {
			b.put("roots.pem", pki.Make(pki.Want{Name: "root", CA: true, Seed: "other"}).PEM())
		}, []want{{IncompleteChain, "Cert", "server.crt", `names "root" as its issuer, but was signed with another key`, "append"}}},
		{"SHA-1 signature", func(b *bench) { issue(b, pki.Want{SHA1: true}) },
			[]want{{WeakSignature, "Cert", "server.crt", "is signed with ECDSA-SHA1", "SHA-256|waive"}}},
		{"RSA 1024", func(b *bench) { issue(b, pki.Want{Algo: pki.RSA1024}) },
			[]want{{WeakKey, "Cert", "server.crt", "has an RSA key of 1024 bits", "2048|waive"}}},
		{"mTLS CA missing", func(b *bench) { b.files.ClientCA = filepath.Join(b.dir, "none.pem") },
			[]want{{Missing, "ClientCA", "none.pem", "does not exist", "correct the path"}}},
		{"mTLS CA garbage", func(b *bench) { b.put("clients.pem", []byte("garbage")) },
			[]want{{NotPEM, "ClientCA", "clients.pem", "is not PEM", "BEGIN CERTIFICATE"}}},
		{"mTLS CA bundle is a leaf", func(b *bench) { b.put("clients.pem", b.root.Client("alice").PEM()) },
			[]want{{NotACA, "ClientCA", "clients.pem", `certificate 1 (line 1, "alice") is not an authority`, `name the certificate of its issuer, "root"|waive`}}},
		{"mTLS CA expired", func(b *bench) {
			b.put("clients.pem", pki.Make(pki.Want{Name: "old", CA: true, NotAfter: now.Add(-time.Hour)}).PEM())
		}, []want{{Expired, "ClientCA", "clients.pem", "all its authorities are expired", "valid"}}},
		{"verify_peer, no CA", func(b *bench) { b.files.ClientCA = "" },
			[]want{{Missing, "ClientCA", "", "clients shall be verified, and no authority is named", "name the PEM file"}}},
		{"rotated to garbage", func(b *bench) { b.put("server.crt", []byte("\x00\x01garbage")); b.put("server.key", nil) },
			[]want{
				{NotPEM, "Cert", "server.crt", "is not PEM", ""},
				{Empty, "Key", "server.key", "is empty", ""},
			}},
		{"half-done rotation", func(b *bench) {
			b.put("server.key", b.inter.Issue(pki.Want{Name: "server", Names: []string{"localhost"}, Seed: "next"}).KeyPEM())
		}, []want{{Mismatch, "Key", "server.key", `is not the key of certificate 1 (line 1, "server") in `, ""}}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			b := newBench(t)
			r.spoil(b)
			b.check(r.want)
		})
	}
}

// check loads the files and compares every flaw.
func (b *bench) check(wants []want) {
	b.Helper()
	p, err := b.load()
	if err == nil {
		b.Fatalf("found good: %v", p)
	}
	if len(err.Flaws) != len(wants) {
		b.Fatalf("%d flaws, want %d:\n%v", len(err.Flaws), len(wants), err)
	}
	for i, w := range wants {
		f := err.Flaws[i]
		ok := f.Check == w.check && f.Field == w.field && (w.file == "" || filepath.Base(f.File) == w.file) && f.Cure != ""
		for part := range strings.SplitSeq(w.says, "|") {
			ok = ok && strings.Contains(f.Problem, part)
		}
		for part := range strings.SplitSeq(w.cure, "|") {
			ok = ok && strings.Contains(f.Cure, part)
		}
		if !ok {
			b.Errorf("flaw is\n\t%v\nwant\n\t%+v", f, w)
		}
		for _, part := range []string{f.File, f.Problem, f.Cure, string(f.Check)} {
			if !strings.Contains(err.Error(), part) {
				b.Errorf("the error does not say %q:\n%v", part, err)
			}
		}
	}
	b.quiet(err.Error())
}

// quiet checks that a text shows none of the keys at hand.
func (b *bench) quiet(text string) {
	b.Helper()
	for _, c := range []*pki.Cert{b.leaf, b.inter, b.root} {
		if form := c.Leaked(text); form != "" {
			b.Errorf("the key of %s is shown, %s:\n%s", c.Subject, form, text)
		}
	}
}

// refusing is the operating system, but for one file.
type refusing struct {
	path string
	err  error
}

func (r refusing) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }
func (r refusing) ReadFile(path string) ([]byte, error) {
	if path == r.path {
		return nil, &fs.PathError{Op: "open", Path: path, Err: r.err}
	}
	return os.ReadFile(path)
}
