package acme

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"time"
)

// renewalRatio is how much of its life a certificate has left when it is renewed. An
// alarm of package tlsconn comes when a third is left.
const renewalRatio = 0.4

// due tells whether a certificate should be renewed, and if not, when.
func due(c *x509.Certificate, now time.Time) (bool, time.Time) {
	left := time.Duration(float64(c.NotAfter.Sub(c.NotBefore)) * renewalRatio)
	at := c.NotAfter.Add(-left)
	return !now.Before(at), at
}

const (
	firstRetry   = 15 * time.Minute
	longestRetry = 12 * time.Hour
)

// retry is how long after the nth failure in a row the next attempt is made.
func retry(n int) time.Duration {
	wait := firstRetry
	for ; n > 1 && wait < longestRetry; n-- {
		wait *= 2
	}
	return min(wait, longestRetry)
}

// leafOf returns the certificate of a PEM chain.
func leafOf(chain []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil, errors.New("acme: what the storage has is no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}
