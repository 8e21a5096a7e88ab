package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// EnsureSelfSigned makes a certificate that signed itself, with its key, for a
// program's first start: f.Cert and f.Key say where, f.Names for whom, and it is
// valid from an hour before now on. If both files exist they are left alone, and
// made is false. If only the key does, a certificate is made for it: so a first
// start that was cut short is made good by the next. A certificate without its
// key is an error, as it cannot be told what it is worth to whom.
//
// The key is ECDSA on P-256, in a file that only its owner can read. Clients
// trust such a certificate by its own file: curl --cacert, mosquitto_sub
// --cafile. It is for trying things out and for machines that know each other;
// it is not an authority, and nobody else will believe it.
func EnsureSelfSigned(f Files, validity time.Duration, now time.Time) (made bool, err error) {
	if f.Cert == "" || f.Key == "" || len(f.Names) == 0 || validity <= 0 {
		return false, errors.New("identity: to make a certificate, name Cert, Key and at least one of Names, and give it some time to be valid")
	}
	j := &judge{files: f, now: now}
	for _, name := range f.Names {
		j.nameFault(name)
	}
	if len(j.flaws) > 0 {
		return false, &Error{j.flaws}
	}
	hasCert, err := exists(f.Cert)
	if err != nil {
		return false, fmt.Errorf("identity: %w", err)
	}
	hasKey, err := exists(f.Key)
	switch {
	case err != nil:
		return false, fmt.Errorf("identity: %w", err)
	case hasCert && hasKey:
		return false, nil
	case hasCert:
		return false, fmt.Errorf("identity: there is a certificate %s, and no key %s: put the key there, or remove the certificate to have both made anew", f.Cert, f.Key)
	}
	key, err := ensureKey(f.Key, hasKey)
	if err != nil {
		return false, fmt.Errorf("identity: %w", err)
	}
	der, err := selfSign(key, f, validity, now)
	if err != nil {
		return false, fmt.Errorf("identity: making a certificate: %w", err)
	}
	if err := writeNew(f.Cert, "CERTIFICATE", der, 0o644); err != nil {
		return false, fmt.Errorf("identity: %w", err)
	}
	return true, nil
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// ensureKey reads the key, or makes one and writes it.
func ensureKey(path string, there bool) (crypto.Signer, error) {
	if there {
		c := readFile(osFiles{}, source{"Key", path})
		defer clear(c.data)
		j := &judge{}
		if c.flaw != nil {
			j.add(*c.flaw)
		}
		key := j.key(c)
		if len(j.flaws) > 0 {
			return nil, &Error{j.flaws}
		}
		return key, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writeNew(path, "PRIVATE KEY", der, 0o600)
}

func selfSign(key crypto.Signer, f Files, validity time.Duration, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:          serial.Add(serial, big.NewInt(1)),
		Subject:               pkix.Name{CommonName: f.Names[0]},
		NotBefore:             now.Add(-time.Hour), // for clients whose clock is behind
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{f.Usage.extUsage()},
		BasicConstraintsValid: true,
	}
	for _, name := range f.Names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, name)
		}
	}
	return x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
}

// writeNew puts a PEM block into a file that does not exist, at one stroke: who
// reads the file finds all of it or none. It never writes over another.
func writeNew(path, kind string, der []byte, mode fs.FileMode) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if gone := os.Remove(tmp.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	_, err = tmp.Write(text)
	clear(text)
	clear(der)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	err = os.Link(tmp.Name(), path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(tmp.Name(), path) // a file system without links
}

// LocalNames are the names for a certificate that signed itself and is served at an
// address, as of net.Listen: localhost with its addresses, and the address's host
// if that is one by which others may know this machine.
func LocalNames(address string) []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	if err != nil || host == "" || host == "localhost" || ip != nil && (ip.IsUnspecified() || ip.IsLoopback()) {
		return names
	}
	return append(names, host)
}
