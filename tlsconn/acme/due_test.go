package acme

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

func TestDue(t *testing.T) {
	day := 24 * time.Hour
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ life, left time.Duration }{
		{90 * day, 36 * day}, {6 * day, 57*time.Hour + 36*time.Minute}, {10 * time.Second, 4 * time.Second},
	} {
		c := &x509.Certificate{NotBefore: from, NotAfter: from.Add(tt.life)}
		at := c.NotAfter.Add(-tt.left)
		if is, when := due(c, at.Add(-1)); is || !when.Equal(at) {
			t.Errorf("%v: just before, due %v at %v", tt.life, is, when)
		}
		if is, _ := due(c, at); !is {
			t.Errorf("%v: not due in time", tt.life)
		}
	}
}

// It is renewed before tlsconn has an alarm for it.
func TestDueBeforeTheAlarm(t *testing.T) {
	root := pki.CA("root")
	from := time.Now().Add(-time.Hour)
	for _, life := range []time.Duration{6 * 24 * time.Hour, 45 * 24 * time.Hour, 90 * 24 * time.Hour, 398 * 24 * time.Hour} {
		c := root.Issue(pki.Want{Name: "a", Names: []string{"a.example"}, NotBefore: from, NotAfter: from.Add(life)})
		files := c.Write(t, t.TempDir())
		pair, err := identity.Load(identity.Files{Cert: files.Cert, Key: files.Key, Roots: files.CA}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, at := due(c.Certificate, time.Now())
		if left, soon := identity.Expiring(pair, at); soon {
			t.Errorf("of %v: due when the alarm is set already, with %v left", life, left)
		}
	}
}

func TestRetry(t *testing.T) {
	for n, want := range map[int]time.Duration{1: 15 * time.Minute, 2: 30 * time.Minute, 3: time.Hour, 6: 8 * time.Hour, 7: 12 * time.Hour, 1000: 12 * time.Hour} {
		if got := retry(n); got != want {
			t.Errorf("after failure %d: %v, want %v", n, got, want)
		}
	}
}
