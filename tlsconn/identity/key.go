package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// key finds the private key of a file; nil if there is none to be used.
func (j *judge) key(c content) crypto.Signer {
	blocks, ok := j.blocks(c)
	if !ok {
		return nil
	}
	var keys []block
	for _, b := range blocks {
		if b.isKey() {
			keys = append(keys, b)
		}
	}
	switch {
	case len(keys) == 1:
		return j.oneKey(c.source, keys[0])
	case len(keys) > 1:
		j.fault(SeveralKeys, c.source, "keep the one that belongs to the certificate", "holds %d private keys (%s)", len(keys), lines(keys))
	case len(blocks) == 0: // all is said
	case c.path == j.files.Cert:
		j.fault(WrongContent, c.source, "name the file with the private key", "holds no private key: it is the file that Cert names")
	default:
		f := wrongKind(blocks[0].kind, c.path)
		j.fault(f.check, c.source, f.cure, "holds no private key, but %s", f.what)
	}
	return nil
}

func (j *judge) oneKey(at source, b block) crypto.Signer {
	if b.kind == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.headers["Proc-Type"], "ENCRYPTED") {
		j.fault(Encrypted, at, fmt.Sprintf("decrypt it, and name the result: openssl pkey -in %s -out %s", quote(at.path), quote(at.path+".pem")),
			"is encrypted (line %d), and nobody is there to type the password", b.line)
		return nil
	}
	if f := wrongKind(b.kind, at.path); b.kind == "OPENSSH PRIVATE KEY" || b.kind == "DSA PRIVATE KEY" {
		j.fault(f.check, at, f.cure, "is %s (line %d)", f.what, b.line)
		return nil
	}
	key, err := parseKey(b.der)
	clear(b.der)
	if err != nil {
		// Parsers name tags and lengths that they met, which are bytes of the key.
		j.fault(Damaged, at, "write it anew from where it was made", "holds a private key (line %d) that cannot be parsed as PKCS #8, PKCS #1 or SEC 1", b.line)
		return nil
	}
	if what := unsupported(key.Public()); what != "" {
		j.fault(UnsupportedKey, at, "make another: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", "is %s, which TLS has no use for", what)
		return nil
	}
	return key
}

// parseKey reads a private key in any of the forms that Go knows, whatever its
// PEM block calls it.
func parseKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
		return nil, errNoKey // for key agreement only
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errNoKey
}

var errNoKey = errors.New("no private key that can sign")

// unsupported says what kind of key it is that crypto/tls does not serve with;
// "" of one that it does.
func unsupported(public crypto.PublicKey) string {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits > 8192 {
			return fmt.Sprintf("an RSA key of %d bits", bits)
		}
		return ""
	case *ecdsa.PublicKey:
		switch public.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return ""
		}
		return "a key on the curve " + public.Curve.Params().Name
	case ed25519.PublicKey:
		return ""
	case nil:
		return "a key of an unknown kind"
	}
	return fmt.Sprintf("a key of the kind %T", public)
}

// samePublic reports whether two public keys are equal.
func samePublic(a, b crypto.PublicKey) bool {
	eq, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && eq.Equal(b)
}

// fingerprint is the SHA-256 of a public key as certificates hold it:
//
//	openssl x509 -in CERT -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum
func fingerprint(public crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "unknown"
	}
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// sealed is a private key that can sign and decrypt, and cannot be seen: the key
// is only in what its functions have closed over, where neither package fmt nor
// reflection can follow.
type sealed struct {
	public crypto.PublicKey
	sign   func(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// sealedRSA can decrypt too, for the oldest of key exchanges.
type sealedRSA struct {
	*sealed
	decrypt func(random io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error)
}

func seal(key crypto.Signer) crypto.Signer {
	s := &sealed{public: key.Public(), sign: func(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		return key.Sign(random, digest, opts)
	}}
	if rsaKey, ok := key.(*rsa.PrivateKey); ok {
		return &sealedRSA{s, func(random io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
			return rsaKey.Decrypt(random, msg, opts)
		}}
	}
	return s
}

func (s *sealed) Public() crypto.PublicKey { return s.public }

func (s *sealed) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.sign(random, digest, opts)
}

func (s *sealedRSA) Decrypt(random io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	return s.decrypt(random, msg, opts)
}

const hidden = "[private key]"

func (s *sealed) String() string               { return hidden }
func (s *sealed) GoString() string             { return hidden }
func (s *sealed) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, hidden) } // fmt has no use for the error
func (s *sealed) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (s *sealed) MarshalText() ([]byte, error) { return []byte(hidden), nil }
