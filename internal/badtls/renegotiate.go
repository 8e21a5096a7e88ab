package badtls

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"sync"
)

// Renegotiate establishes a TLS 1.2 connection and sends another ClientHello on
// it, encrypted, as clients did that wanted new keys. Then it reads until the end,
// and returns how that came. talk says something on the connection, in one record,
// and hears the answer; its error is returned, too.
//
// No client in Go can do that, so the record is made by hand: the keys follow from
// the master secret in the key log and from the randoms on the wire.
func Renegotiate(c net.Conn, conf *tls.Config, talk func(*tls.Conn) error) error {
	wire := &tee{Conn: c}
	var log bytes.Buffer
	conf = conf.Clone()
	conf.MinVersion, conf.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	conf.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	conf.ClientSessionCache = nil // a session resumed would have other messages
	conf.KeyLogWriter = &log
	t := tls.Client(wire, conf)
	if err := talk(t); err != nil {
		return err
	}
	record, err := wire.again(log.String())
	if err != nil {
		return err
	}
	if _, err := c.Write(record); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, t)
	return err
}

// again is the record with the ClientHello that was sent first, which is good
// enough to be sent again. It is the client's third record that is encrypted:
// Finished was the first, what talk said the second.
func (c *tee) again(log string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hello := firstMessage(c.sent.Bytes())
	clientRandom, serverRandom := hello[6:38], firstMessage(c.arrived.Bytes())[6:38]
	var label, random, secret string
	if _, err := fmt.Sscan(log, &label, &random, &secret); err != nil {
		return nil, fmt.Errorf("badtls: key log: %w", err)
	}
	master, err := hex.DecodeString(secret)
	if err != nil {
		return nil, fmt.Errorf("badtls: key log: %w", err)
	}
	keys := prf(master, "key expansion", append(bytes.Clone(serverRandom), clientRandom...), 2*(16+4))
	return sealed(keys[:16], keys[32:36], 2, 22, hello), nil
}

// A tee remembers what went over a connection.
type tee struct {
	net.Conn
	mu            sync.Mutex
	sent, arrived bytes.Buffer
}

func (c *tee) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrived.Write(b[:n])
	return n, err
}

func (c *tee) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.sent.Write(b)
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// firstMessage is the handshake message at the beginning of a stream of records.
func firstMessage(records []byte) []byte {
	n := int(records[6])<<16 | int(records[7])<<8 | int(records[8])
	return records[5 : 5+4+n]
}

// prf is that of TLS 1.2 (RFC 5246, section 5).
func prf(secret []byte, label string, seed []byte, n int) []byte {
	sum := func(parts ...[]byte) []byte {
		h := hmac.New(sha256.New, secret)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	seed = append([]byte(label), seed...)
	var out []byte
	for a := sum(seed); len(out) < n; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:n]
}

// sealed is an encrypted record (RFC 5288).
func sealed(key, salt []byte, seq uint64, kind byte, payload []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	number := binary.BigEndian.AppendUint64(nil, seq)
	nonce := append(bytes.Clone(salt), number...)
	extra := append(bytes.Clone(number), kind, 3, 3, byte(len(payload)>>8), byte(len(payload)))
	body := append(bytes.Clone(number), gcm.Seal(nil, nonce, payload, extra)...)
	return append([]byte{kind, 3, 3, byte(len(body) >> 8), byte(len(body))}, body...)
}
