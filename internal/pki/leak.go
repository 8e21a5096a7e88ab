package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
)

// Leaked searches text for the secret numbers of the key, and names the encoding
// in which it found one; "" if none is there. It looks for the bytes as they
// are, in hex of either case with and without separators, in base64 at all three
// alignments (so in PEM and DER behind base64 too, whatever surrounds the key),
// as lists of decimal and hexadecimal bytes, as a decimal number, and as the words
// that package fmt shows of a [math/big.Int] within a struct.
func (c *Cert) Leaked(text string) string { return Leaked(c.Key, text) }

// Leaked is [Cert.Leaked] for any key.
func Leaked(key crypto.PrivateKey, text string) string { return Search(text).Key(key) }

// A Text is searched for secrets. For many of them it is made once.
type Text struct{ whole, flat, hex string }

// Search makes a Text.
func Search(text string) *Text {
	// PEM breaks its lines, and %v of long slices may be wrapped by a printer.
	flat := strings.NewReplacer("\n", "", "\r", "", `\n`, "", "\t", "").Replace(text)
	tight := strings.NewReplacer(" ", "", ",", "", ":", "", "0x", "", "0X", "", "-", "", "\\x", "").Replace(flat)
	return &Text{text, flat, strings.ToLower(tight)}
}

// Key does what [Leaked] does.
func (t *Text) Key(key crypto.PrivateKey) string {
	for _, secret := range secrets(key) {
		if form := t.Bytes(secret); form != "" {
			return form
		}
	}
	return ""
}

// Bytes searches for a secret that is no key of anybody's, as those of a TLS session
// are.
func (t *Text) Bytes(secret []byte) string {
	for _, f := range forms(secret) {
		if strings.Contains(t.whole, f.text) || strings.Contains(t.flat, f.text) {
			return f.name
		}
	}
	if strings.Contains(t.hex, hex.EncodeToString(middle(secret))) {
		return "hex"
	}
	return ""
}

type form struct{ name, text string }

// forms lists how a secret may look when it is printed. Of each, 16 bytes from
// the secret's middle are enough: a key that is cut short is leaked too.
func forms(secret []byte) []form {
	number := new(big.Int).SetBytes(secret)
	secret = middle(secret)
	quoted := fmt.Sprintf("%q", secret)
	all := []form{
		{"raw", string(secret)},
		{"quoted", quoted[1 : len(quoted)-1]},
		{"go syntax", strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", secret), "[]byte{"), "}")},
		{"decimal list", strings.Trim(fmt.Sprint(secret), "[]")},
		{"decimal list with commas", strings.ReplaceAll(strings.Trim(fmt.Sprint(secret), "[]"), " ", ",")},
		{"decimal list with commas and blanks", strings.ReplaceAll(strings.Trim(fmt.Sprint(secret), "[]"), " ", ", ")},
		{"decimal number", number.String()},
		{"words of a number", strings.Trim(fmt.Sprint(number.Bits()[:2]), "[]")},
		{"words of a number in Go syntax", fmt.Sprintf("%#x, %#x", number.Bits()[0], number.Bits()[1])},
	}
	for shift := range 3 {
		// Drop what would be encoded together with bytes that are not ours.
		whole := secret[(3-shift)%3:]
		whole = whole[:len(whole)/3*3]
		all = append(all,
			form{fmt.Sprintf("base64, shifted by %d", shift), base64.StdEncoding.EncodeToString(whole)},
			form{fmt.Sprintf("base64 for URLs, shifted by %d", shift), base64.URLEncoding.EncodeToString(whole)})
	}
	return all
}

func middle(secret []byte) []byte {
	const enough = 16
	if len(secret) <= enough {
		return secret
	}
	at := (len(secret) - enough) / 2
	return secret[at : at+enough]
}

// secrets lists the numbers that nobody may see.
func secrets(key crypto.PrivateKey) [][]byte {
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return [][]byte{must(key.Bytes())}
	case ed25519.PrivateKey:
		return [][]byte{bytes.Clone(key.Seed())}
	case *rsa.PrivateKey:
		all := [][]byte{key.D.Bytes()}
		for _, p := range append([]*big.Int{key.Precomputed.Dp, key.Precomputed.Dq, key.Precomputed.Qinv}, key.Primes...) {
			all = append(all, p.Bytes())
		}
		return all
	}
	panic(fmt.Sprintf("pki: no known secrets in a %T", key))
}
