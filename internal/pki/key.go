package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"math/big"
)

// Algo is the algorithm of a key, and its size.
type Algo int

// RSA keys take tens of milliseconds to make; the others next to nothing.
const (
	P256    Algo = 0
	P384    Algo = 384
	Ed25519 Algo = 25519
	RSA1024 Algo = 1024
	RSA2048 Algo = 2048
)

// newKey makes the key that belongs to a seed.
func newKey(algo Algo, seed string) crypto.Signer {
	switch algo {
	case P256:
		return ecKey(elliptic.P256(), seed)
	case P384:
		return ecKey(elliptic.P384(), seed)
	case Ed25519:
		return ed25519.NewKeyFromSeed(stream(seed, ed25519.SeedSize))
	case RSA1024, RSA2048:
		return rsaKey(int(algo), seed)
	}
	panic(fmt.Sprintf("pki: no such key algorithm: %d", algo))
}

func ecKey(curve elliptic.Curve, seed string) crypto.Signer {
	// One draw in 2^32 lies beyond the curve's order.
	for n := 0; n < 4; n++ {
		if key, err := ecdsa.ParseRawPrivateKey(curve, stream(fmt.Sprint(seed, n), curve.Params().BitSize/8)); err == nil {
			return key
		}
	}
	panic(fmt.Sprintf("pki: no key from seed %q", seed))
}

func rsaKey(bits int, seed string) crypto.Signer {
	const exponent = 65537
	one, e := big.NewInt(1), big.NewInt(exponent)
	for n := 0; ; n++ {
		p := prime(bits/2, fmt.Sprint(seed, n, "p"))
		q := prime(bits/2, fmt.Sprint(seed, n, "q"))
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(e, phi)
		if d == nil {
			continue
		}
		key := &rsa.PrivateKey{
			PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: exponent},
			D:         d,
			Primes:    []*big.Int{p, q},
		}
		key.Precompute()
		if err := key.Validate(); err != nil {
			panic(fmt.Sprintf("pki: no RSA key from seed %q: %v", seed, err))
		}
		return key
	}
}

// prime is the first prime at or after the number that the seed gives. Its two
// top bits are set, so that a product of two has all its bits.
func prime(bits int, seed string) *big.Int {
	p := new(big.Int).SetBytes(stream(seed, bits/8))
	p.SetBit(p, bits-1, 1).SetBit(p, bits-2, 1).SetBit(p, 0, 1)
	for two := big.NewInt(2); !p.ProbablyPrime(10); {
		p.Add(p, two)
	}
	return p
}

// stream is n bytes that follow from the seed.
func stream(seed string, n int) []byte {
	var out []byte
	for i := uint64(0); len(out) < n; i++ {
		block := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("coppice test key "+seed+" "), i))
		out = append(out, block[:]...)
	}
	return out[:n]
}

func sha1With(key crypto.Signer) x509.SignatureAlgorithm {
	switch key.(type) {
	case *ecdsa.PrivateKey:
		return x509.ECDSAWithSHA1
	case *rsa.PrivateKey:
		return x509.SHA1WithRSA
	}
	panic(fmt.Sprintf("pki: no SHA-1 signature with a %T", key))
}
