package identity

import (
	"errors"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/coppice-go/coppice/internal/pki"
)

// A cabinet is a Store.
type cabinet map[string][]byte

var errClosed = errors.New("the cabinet is closed")

func (c cabinet) ReadFile(name string) ([]byte, error) {
	if c == nil {
		return nil, errClosed
	}
	data, ok := c[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return append([]byte(nil), data...), nil
}

// What is in a store is judged as what is in files, and followed like that.
func TestStore(t *testing.T) {
	root := pki.CA("root")
	now := time.Now()
	leaf, renewed := root.Server("localhost"), root.Issue(pki.Want{Name: "renewed", Names: []string{"localhost"}})
	late := root.Issue(pki.Want{Name: "late", Names: []string{"localhost"}, NotAfter: now.Add(-time.Hour)})
	store := cabinet{}
	put := func(c *pki.Cert) { store["a/cert"], store["a/key"] = c.ChainPEM(), c.KeyPEM() }
	put(leaf)
	files := Files{Cert: "a/cert", Key: "a/key", From: store, Roots: pki.WriteFile(t, t.TempDir(), "root.crt", root.PEM())}
	r := &Rotation{Files: files}
	look := func() Change {
		t.Helper()
		c, err := r.Look(now)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := look(); !c.Fresh || !c.Pair.Leaf().Equal(leaf.Certificate) {
		t.Errorf("first look: %+v", c)
	}
	if c := look(); c.Fresh { // what was wiped was not the store's
		t.Errorf("second look: %+v", c)
	}
	put(renewed)
	if c := look(); !c.Fresh || !c.Pair.Leaf().Equal(renewed.Certificate) {
		t.Errorf("after a renewal: %+v", c)
	}

	for name, tt := range map[string]struct {
		edit  func(cabinet) cabinet
		check Check
		says  string
	}{
		"missing": {func(c cabinet) cabinet { delete(c, "a/key"); return c }, Missing, "a/key: is not in the store"},
		"closed":  {func(cabinet) cabinet { return nil }, Unreadable, "cannot be read from the store: the cabinet is closed"},
		"long":    {func(c cabinet) cabinet { c["a/cert"] = make([]byte, tooLong+1); return c }, NotAFile, "bytes"},
		"mixed":   {func(c cabinet) cabinet { c["a/key"] = leaf.KeyPEM(); return c }, Mismatch, "a/key"},
		"late":    {func(cabinet) cabinet { return cabinet{"a/cert": late.ChainPEM(), "a/key": late.KeyPEM()} }, Expired, "a/cert"},
	} {
		t.Run(name, func(t *testing.T) {
			f := files
			f.From = tt.edit(maps.Clone(store))
			_, err := Load(f, now)
			if bad, ok := errors.AsType[*Error](err); !ok || !bad.Has(tt.check) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %s with %q", err, tt.check, tt.says)
			}
		})
	}
}
