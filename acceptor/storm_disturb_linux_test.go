package acceptor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A closet is where a site's certificates are, and how they are replaced: a folder
// behind a symbolic link, as orchestrators do it, or the files in it, as people do.
type closet struct {
	*storm
	dir string // the link is in it
	n   int

	mu   sync.Mutex
	fine map[string]bool // serials of what may be served
}

func newCloset(s *storm) *closet {
	k := &closet{storm: s, dir: s.TempDir(), fine: make(map[string]bool)}
	pki.WriteFile(s, k.dir, "root.crt", s.pki.root.PEM())
	pki.WriteFile(s, k.dir, "clients.crt", s.pki.clients.PEM())
	k.hang(k.make())
	return k
}

func (k *closet) files() identity.Files {
	return identity.Files{
		Cert: filepath.Join(k.dir, "now", "server.crt"), Key: filepath.Join(k.dir, "now", "server.key"),
		Roots: filepath.Join(k.dir, "root.crt"), ClientCA: filepath.Join(k.dir, "clients.crt"),
	}
}

// make makes a certificate that may be served.
func (k *closet) make() *pki.Cert {
	k.n++
	c := k.pki.root.Issue(pki.Want{Name: "server", Seed: fmt.Sprint(k.n), Names: []string{"localhost"}})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fine[c.SerialNumber.Text(16)] = true
	return c
}

// hang puts a certificate into a new folder, and has the link lead there.
func (k *closet) hang(c *pki.Cert) {
	dir := filepath.Join(k.dir, fmt.Sprint(k.n))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		k.Error(err)
	}
	k.put(dir, "server.crt", c.ChainPEM())
	k.put(dir, "server.key", c.KeyPEM())
	next := filepath.Join(k.dir, "next")
	if err := errors.Join(os.Symlink(dir, next), os.Rename(next, filepath.Join(k.dir, "now"))); err != nil {
		k.Error(err)
	}
}

// overwrite puts a file in the place of the one in use, in two strokes.
func (k *closet) overwrite(name string, data []byte) {
	k.put(filepath.Join(k.dir, "now"), name, data[:len(data)/2])
	k.put(filepath.Join(k.dir, "now"), name, data)
}

func (k *closet) put(dir, name string, data []byte) {
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		k.Error(err)
	}
}

// good has a new certificate be served.
func (k *closet) good(p *site) error {
	c := k.make()
	k.hang(c)
	if err := p.server.Reload(k.ctx); err != nil {
		return err
	}
	if got, want := p.server.Info().Serving[0].Serial, c.SerialNumber.Text(16); got != want {
		k.Errorf("%s serves %s after it was given %s", p.name, got, want)
	}
	return nil
}

// spoil leaves what cannot be served, one way or another.
func (k *closet) spoil(dice *rand.Rand) string {
	c := k.make()
	ways := []struct {
		name string
		do   func()
	}{
		{"half-written", func() { k.overwrite("server.key", c.KeyPEM()) }},
		{"swapped", func() { k.overwrite("server.crt", c.KeyPEM()); k.overwrite("server.key", c.ChainPEM()) }},
		{"expired", func() {
			k.n++
			k.hang(k.pki.root.Issue(pki.Want{Name: "server", Names: []string{"localhost"}, NotAfter: time.Now().Add(-time.Hour)}))
		}},
		{"truncated", func() { k.put(filepath.Join(k.dir, "now"), "server.crt", c.ChainPEM()[:100]) }},
		{"garbage", func() { k.overwrite("server.key", []byte("garbage")) }},
		{"a stranger's", func() { k.n++; k.hang(k.pki.stranger.Server("localhost")) }},
		{"gone", func() {
			if err := os.Remove(filepath.Join(k.dir, "now", "server.crt")); err != nil && !errors.Is(err, os.ErrNotExist) {
				k.Error(err)
			}
		}},
	}
	way := ways[dice.IntN(len(ways))]
	way.do()
	return way.name
}

// changeClothes has a listener serve one good certificate after the other, and
// leaves bad ones for it to find between.
func (p *site) changeClothes(dice *rand.Rand) {
	for ; !p.over(); pause(dice, 100*time.Millisecond) {
		switch dice.IntN(3) {
		case 0: // by the link
			p.closet.hang(p.closet.make())
		case 1: // by people, who take their time
			c := p.closet.make()
			p.closet.overwrite("server.crt", c.ChainPEM())
			pause(dice, 20*time.Millisecond)
			p.closet.overwrite("server.key", c.KeyPEM())
		default:
			way := p.closet.spoil(dice)
			err := p.server.Reload(p.ctx)
			_, refused := errors.AsType[*identity.Error](err)
			if !refused && (err == nil || !p.wild) {
				p.Errorf("%s was given what is %s, and says: %v", p.name, way, err)
			}
			pause(dice, 300*time.Millisecond)
		}
		if dice.IntN(2) == 0 {
			p.try("Reload", func() error { return p.closet.good(p) })
		}
	}
}

// calm are options with which nobody is kept out who should not be.
func (*site) calm(o *acceptor.Options) {
	*o = acceptor.Options{Protocol: parrot.protocol(), HandshakeTimeout: o.HandshakeTimeout, Access: access(false)}
}

// changeOptions changes options; in the calm in ways that nobody notices.
func (p *site) changeOptions(dice *rand.Rand) {
	for ; !p.over(); pause(dice, 50*time.Millisecond) {
		tight := p.wild && dice.IntN(4) == 0
		err := acceptor.SetOptions(p.ctx, p.pid, func(o *acceptor.Options) {
			p.calm(o)
			o.Access = access(dice.IntN(2) == 0)
			o.Alarms = []acceptor.Alarm{{Name: "many", Threshold: 1 + dice.IntN(8), Cooldown: 50 * time.Millisecond, Callback: p.ring}}
			o.MaxConnections = dice.IntN(2) * 1000
			o.Overflow = acceptor.Overflow(dice.IntN(2))
			if p.name == "hasty" {
				o.HandshakeTimeout = time.Duration(100+dice.IntN(200)) * time.Millisecond
			}
			if !tight {
				return
			}
			o.MaxConnections = 2 + dice.IntN(6)
			o.SoftConnections = dice.IntN(o.MaxConnections)
			o.SoftWait = 10 * time.Millisecond
			o.Rate = float64(dice.IntN(2) * 20)
		})
		if err != nil && !p.wild {
			p.Errorf("%s: options: %v", p.name, err)
		}
	}
}

func (p *site) ring(context.Context, acceptor.Alarmed) error { p.calls.Add(1); return nil }

// shut suspends the listener now and then, for a moment.
func (p *site) shut(dice *rand.Rand) {
	for pause(dice, time.Second); !p.over(); pause(dice, time.Second) {
		closed := p.book.shuts(p.name, process.PID{})
		p.try("Suspend", func() error { return acceptor.Suspend(p.ctx, p.pid) })
		pause(dice, 50*time.Millisecond)
		p.try("Resume", func() error { return acceptor.Resume(p.ctx, p.pid) })
		p.book.reopened(closed)
	}
}

// kill kills processes of single connections.
func (p *site) kill(dice *rand.Rand) {
	for pause(dice, 50*time.Millisecond); !p.over(); pause(dice, 20*time.Millisecond) {
		p.killOne(dice, []string{"connection", "reader", "tls", "handshake"}[dice.IntN(4)])
	}
}

var parts = []string{"supervisor", "shard", "gate", "transports", "transport", "porter", "port", "acceptor", "lookout"}

// fell kills parts of the listener, at a pace at which it does not give up.
func (p *site) fell(dice *rand.Rand) {
	for pause(dice, 500*time.Millisecond); !p.over(); pause(dice, time.Second) {
		p.killOne(dice, parts[dice.IntN(len(parts))])
	}
}

func (p *site) killOne(dice *rand.Rand, as string) {
	var all []process.PID
	for _, pid := range p.pid.Node().Processes() {
		if p.role(pid) == as {
			all = append(all, pid)
		}
	}
	if len(all) == 0 {
		return
	}
	pid := all[dice.IntN(len(all))]
	p.book.aim(pid, as)
	switch as {
	case "supervisor", "gate", "transports", "transport", "porter", "port", "acceptor":
		p.book.shuts(p.name, pid)
	}
	if err := process.Kill(p.ctx, pid); err != nil {
		p.Error(err)
	}
}

// role is what a process is in the listener; "": it is not of this one, or its top.
func (p *site) role(pid process.PID) string {
	if reader, ok := p.book.reader(pid); ok {
		if p.role(reader) == "reader" {
			return "tls"
		}
		return ""
	}
	path := pid.Path()
	rest, ok := strings.CutPrefix(path, p.name+"/")
	switch {
	case pid.Is("handshake"): // below a TLS process, which has no path that leads here
		if p.role(pid.Parent()) == "tls" {
			return "handshake"
		}
		return ""
	case !ok:
		return ""
	case pid.Is("reader"):
		return "reader"
	case strings.HasSuffix(path, "/connection"):
		return "connection"
	case rest == "connections":
		return "supervisor"
	case strings.HasPrefix(rest, "connections/"):
		return "shard"
	case strings.HasPrefix(rest, "port/"):
		return "acceptor"
	case strings.HasPrefix(rest, "transports/") && strings.Count(rest, "/") == 1:
		return "transport"
	case rest == "gate", rest == "transports", rest == "porter", rest == "port", rest == "lookout":
		return rest
	}
	return ""
}
