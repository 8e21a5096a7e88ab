package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/internal/pki"
)

// turning is a bench with a rotation whose clock the test holds.
type turning struct {
	*bench
	r *Rotation
}

func newTurning(t *testing.T) *turning {
	b := newBench(t)
	return &turning{b, &Rotation{Files: b.files}}
}

// look looks after a while, and compares what it comes to.
func (u *turning) look(after time.Duration, fresh bool, next time.Duration, check Check, alarms ...string) Change {
	u.Helper()
	u.now = u.now.Add(after)
	c, err := u.r.Look(u.now)
	if c.Fresh != fresh {
		u.Errorf("fresh is %v", c.Fresh)
	}
	if got := c.Next.Sub(u.now); got != next {
		u.Errorf("next look in %v, want %v", got, next)
	}
	if (err == nil) != (check == "") || err != nil && !errors.Is(err, Flaw{Check: check}) {
		u.Errorf("error is %v, want %q", err, check)
	}
	u.alarms(c, alarms...)
	return c
}

// alarms compares what is told: the kind and + for set, - for cleared, then a
// part of the text or of the error.
func (u *turning) alarms(c Change, want ...string) {
	u.Helper()
	ok := len(c.Alarms) == len(want)
	for i := 0; ok && i < len(want); i++ {
		head, text, _ := strings.Cut(want[i], " ")
		a := c.Alarms[i]
		sign := "-"
		if a.Set {
			sign = "+"
		}
		ok = head == string(a.Kind)+sign && strings.Contains(fmt.Sprint(a.Text, a.Err), text)
	}
	if !ok {
		u.Errorf("alarms are\n\t%+v\nwant\n\t%q", c.Alarms, want)
	}
	for _, a := range c.Alarms {
		u.quiet(fmt.Sprint(a.Text, a.Err))
	}
}

// next is another leaf, of the same names.
func (b *bench) next(seed string) *pki.Cert {
	return b.inter.Issue(pki.Want{Name: "next-" + seed, Names: []string{"localhost"}, Seed: seed})
}

func (u *turning) serves(c Change, leaf *pki.Cert) {
	u.Helper()
	if c.Pair == nil || !c.Pair.Leaf().Equal(leaf.Certificate) {
		u.Errorf("%v is served, want %s", c.Pair, leaf.Subject)
	}
}

const ms = time.Millisecond

func TestRotation(t *testing.T) {
	u := newTurning(t)
	old := u.leaf
	u.serves(u.look(0, true, 10*time.Second, ""), old)
	u.serves(u.look(10*time.Second, false, 10*time.Second, ""), old)
	u.serve(u.bench.next("a"))
	u.serves(u.look(10*time.Second, true, 10*time.Second, ""), u.leaf)
	u.look(10*time.Second, false, 10*time.Second, "")
}

// A pair that is half written is looked at again soon, and nobody is told.
func TestHalfWritten(t *testing.T) {
	u := newTurning(t)
	old := u.leaf
	u.look(0, true, 10*time.Second, "")
	next := u.bench.next("a")
	u.put("server.key", next.KeyPEM())
	u.serves(u.look(10*time.Second, false, 250*ms, Mismatch), old)
	u.put("server.crt", next.ChainPEM()[:300])
	u.serves(u.look(250*ms, false, 250*ms, Damaged), old)
	u.serves(u.look(250*ms, false, 500*ms, Damaged), old)
	u.put("server.crt", next.PEM()) // up to the end of the first block
	u.serves(u.look(500*ms, false, 250*ms, IncompleteChain), old)
	u.put("server.crt", next.ChainPEM())
	u.serves(u.look(250*ms, true, 10*time.Second, ""), next)
}

// What stays unfit raises one alarm, and is looked at more and more slowly.
func TestUnfit(t *testing.T) {
	u := newTurning(t)
	old := u.leaf
	u.look(0, true, 10*time.Second, "")
	u.put("server.crt", []byte("garbage"))
	u.look(time.Second, false, 250*ms, NotPEM)
	u.look(250*ms, false, 500*ms, NotPEM)
	u.look(500*ms, false, time.Second, NotPEM)
	// The next look would be in 2 s, but the alarm is due.
	u.look(time.Second, false, 250*ms, NotPEM)
	u.serves(u.look(250*ms, false, 4*time.Second, NotPEM, "cannot_reload+ server.crt: is not PEM"), old)
	u.look(4*time.Second, false, 8*time.Second, NotPEM)
	u.look(8*time.Second, false, 10*time.Second, NotPEM)
	u.look(10*time.Second, false, 10*time.Second, NotPEM)
	// Another flaw is told of, and looked at soon.
	u.put("server.crt", nil)
	u.look(10*time.Second, false, 250*ms, Empty, "cannot_reload+ server.crt: is empty")
	u.look(250*ms, false, 500*ms, Empty)
	// Who has forgotten it is told again.
	u.r.Remind()
	u.look(500*ms, false, time.Second, Empty, "cannot_reload+ server.crt: is empty")
	u.serve(u.bench.next("a"))
	u.serves(u.look(500*ms, true, 10*time.Second, "", "cannot_reload- now served: identity CN=next-a"), u.leaf)
	u.look(10*time.Second, false, 10*time.Second, "")
}

// Those who put the old files back are told that all is well.
func TestBackToOld(t *testing.T) {
	u := newTurning(t)
	old := u.leaf
	u.r.Patience = time.Nanosecond
	u.look(0, true, 10*time.Second, "")
	if err := os.Remove(u.files.Cert); err != nil {
		t.Fatal(err)
	}
	u.look(time.Second, false, time.Nanosecond, Missing)
	u.look(time.Nanosecond, false, 500*ms, Missing, "cannot_reload+ does not exist")
	u.serve(old)
	u.serves(u.look(500*ms, false, 10*time.Second, "", "cannot_reload- again those that are served"), old)
	u.look(10*time.Second, false, 10*time.Second, "")
}

// A pair whose time has not come is served from when it has.
func TestNotYet(t *testing.T) {
	u := newTurning(t)
	old := u.leaf
	u.look(0, true, 10*time.Second, "")
	u.serve(u.inter.Issue(pki.Want{Name: "future", Names: []string{"localhost"}, NotBefore: u.now.Add(time.Hour).Truncate(time.Second)}))
	u.serves(u.look(time.Second, false, 250*ms, NotYetValid), old)
	u.serves(u.look(time.Minute, false, 500*ms, NotYetValid, "cannot_reload+ is not valid before"), old)
	u.serves(u.look(time.Hour, true, 10*time.Second, "", "cannot_reload- now served"), u.leaf)
}

// As Kubernetes does: the files are links through a link to a folder, which is
// exchanged for another in one stroke.
func TestSymlinkSwap(t *testing.T) {
	u := newTurning(t)
	version := func(name string, leaf *pki.Cert) {
		dir := filepath.Join(u.dir, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		pki.WriteFile(t, dir, "tls.crt", leaf.ChainPEM())
		pki.WriteFile(t, dir, "tls.key", leaf.KeyPEM())
		tmp := filepath.Join(u.dir, "..data_tmp")
		if err := errors.Join(os.Symlink(name, tmp), os.Rename(tmp, filepath.Join(u.dir, "..data"))); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", u.leaf)
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(u.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	u.r.Files.Cert, u.r.Files.Key = filepath.Join(u.dir, "tls.crt"), filepath.Join(u.dir, "tls.key")
	u.serves(u.look(0, true, 10*time.Second, ""), u.leaf)
	next := u.bench.next("a")
	version("..2", next)
	if err := os.RemoveAll(filepath.Join(u.dir, "..1")); err != nil {
		t.Fatal(err)
	}
	u.serves(u.look(10*time.Second, true, 10*time.Second, ""), next)
	u.look(10*time.Second, false, 10*time.Second, "")
}

// A change that leaves size and times as they were is seen.
func TestSameSizeSameTime(t *testing.T) {
	u := newTurning(t)
	stamp := func() {
		for _, path := range []string{u.files.Cert, u.files.Key} {
			if err := os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	stamp()
	u.look(0, true, 10*time.Second, "")
	u.serve(u.bench.next("a"))
	stamp()
	u.serves(u.look(10*time.Second, true, 10*time.Second, ""), u.leaf)
}

// Files that change between the reading of one and of the other do not get
// through.
func TestChangeWhileReading(t *testing.T) {
	u := newTurning(t)
	old := u.leaf
	u.look(0, true, 10*time.Second, "")
	u.serve(u.bench.next("a"))
	second := u.bench.next("b")
	u.r.sys = &between{path: u.files.Key, do: func() { u.serve(second) }}
	u.serves(u.look(10*time.Second, false, 250*ms, Mismatch), old)
	u.serves(u.look(250*ms, true, 10*time.Second, ""), second)
}

// between does something once, just before a file is read.
type between struct {
	osFiles
	path string
	do   func()
}

func (b *between) ReadFile(path string) ([]byte, error) {
	if path == b.path && b.do != nil {
		do := b.do
		b.do = nil
		do()
	}
	return b.osFiles.ReadFile(path)
}

func (b *between) Stat(path string) (fs.FileInfo, error) { return b.osFiles.Stat(path) }

// The authorities rotate with the pair.
func TestAuthoritiesRotate(t *testing.T) {
	u := newTurning(t)
	u.look(0, true, 10*time.Second, "")
	u.put("clients.pem", u.root.PEM())
	c := u.look(10*time.Second, true, 10*time.Second, "")
	if !c.Pair.ClientCAs().Equal(u.root.Pool()) {
		t.Error("the old authorities are served")
	}
	u.put("clients.pem", nil)
	c = u.look(10*time.Second, false, 250*ms, Empty)
	if !c.Pair.ClientCAs().Equal(u.root.Pool()) {
		t.Error("the last good authorities are gone")
	}
}

// What the rehearsal refuses is not served, and is tried again.
func TestRehearsal(t *testing.T) {
	u := newTurning(t)
	old := u.leaf
	broken := errors.New("no handshake")
	var verdict error
	tried := 0
	u.r.Rehearse = func(p *Pair) error {
		tried++
		u.handshake(p)
		return verdict
	}
	u.look(0, true, 10*time.Second, "")
	u.look(10*time.Second, false, 10*time.Second, "")
	if tried != 1 {
		t.Errorf("rehearsed %d times, want once for a pair", tried)
	}
	u.serve(u.bench.next("a"))
	verdict = broken
	u.serves(u.look(10*time.Second, false, 250*ms, Rehearsal), old)
	if _, err := u.r.Look(u.now); !errors.Is(err, broken) {
		t.Errorf("the cause is lost: %v", err)
	}
	u.serves(u.look(2*time.Second, false, time.Second, Rehearsal, "cannot_reload+ came to nothing: no handshake"), old)
	verdict = nil
	u.serves(u.look(time.Second, true, 10*time.Second, "", "cannot_reload- now served"), u.leaf)
}

// Before there is anything good, there is an error and no alarm.
func TestFirstLook(t *testing.T) {
	u := newTurning(t)
	u.put("server.crt", nil)
	c := u.look(0, false, 250*ms, Empty)
	if c.Pair != nil {
		t.Errorf("served: %v", c.Pair)
	}
	if c := u.r.Age(u.now); c.Pair != nil || !c.Next.IsZero() || c.Alarms != nil {
		t.Errorf("aged: %+v", c)
	}
	c = u.look(time.Hour, false, 500*ms, Empty)
	if c.Pair != nil {
		t.Errorf("served: %v", c.Pair)
	}
}

const day = 24 * time.Hour

// The end is told of from 30 days before, at each stage once, and also while the
// files cannot be used.
func TestExpiry(t *testing.T) {
	u := newTurning(t)
	start := u.now.Truncate(time.Second)
	u.now = start
	u.serve(u.inter.Issue(pki.Want{Name: "server", Names: []string{"localhost"}, NotBefore: start, NotAfter: start.Add(365 * day)}))
	u.look(0, true, 10*time.Second, "")
	if left, soon := Expiring(u.r.pair, start); left != 365*day || soon {
		t.Errorf("left %v, soon %v", left, soon)
	}
	u.look(335*day-5*time.Second, false, 5*time.Second, "")
	u.look(5*time.Second, false, 10*time.Second, "", "expiry+ expires on")
	if left, soon := Expiring(u.r.pair, u.now); left != 30*day || !soon {
		t.Errorf("left %v, soon %v", left, soon)
	}
	u.look(10*time.Second, false, 10*time.Second, "")
	u.put("clients.pem", nil)
	u.look(23*day, false, 250*ms, Empty, "expiry+ (in 6 days)")
	u.look(7*day, false, 500*ms, Empty, "cannot_reload+ is empty", "expiry+ has expired on")
	u.look(500*ms, false, time.Second, Empty)
	u.put("clients.pem", u.root.PEM())
	u.serve(u.inter.Issue(pki.Want{Name: "new", Names: []string{"localhost"}, NotBefore: start, NotAfter: start.Add(2 * 365 * day)}))
	u.look(time.Second, true, 10*time.Second, "", "cannot_reload- now served", "expiry- valid until")
}

// An expired pair is served on if it is all there is: those who still accept it
// are better off.
func TestExpiredIsServedOn(t *testing.T) {
	u := newTurning(t)
	u.look(0, true, 10*time.Second, "")
	u.serves(u.look(400*day, false, 10*time.Second, "", "expiry+ has expired"), u.leaf)
	u.look(10*time.Second, false, 10*time.Second, "")
}

// Without planned looks, only the stages are awaited.
func TestNoLooks(t *testing.T) {
	u := newTurning(t)
	u.now = u.now.Truncate(time.Second)
	u.r.Every = -1
	u.serve(u.inter.Issue(pki.Want{Name: "server", Names: []string{"localhost"}, NotBefore: u.now, NotAfter: u.now.Add(100 * day)}))
	u.look(0, true, 70*day, "")
	u.serve(u.bench.next("a"))
	u.now = u.now.Add(70 * day)
	c := u.r.Age(u.now)
	u.alarms(c, "expiry+ (in 30 days)")
	if got := c.Next.Sub(u.now); got != 30*day*3/4 {
		t.Errorf("next in %v", got)
	}
	c = u.r.Age(u.now)
	u.alarms(c)
	u.look(0, true, u.leaf.NotAfter.Add(-30*day).Sub(u.now), "", "expiry- valid until")
	u.put("server.crt", nil)
	u.look(time.Second, false, u.leaf.NotAfter.Add(-30*day).Sub(u.now)-time.Second, Empty)
}

// A certificate that lives for a week is not near its end from its first hour.
func TestShortLived(t *testing.T) {
	b := newBench(t)
	b.serve(b.inter.Issue(pki.Want{Name: "server", Names: []string{"localhost"}, NotBefore: b.now, NotAfter: b.now.Add(6 * day)}))
	p, err := b.load()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after time.Duration
		soon  bool
		stage Stage
	}{{0, false, Fine}, {4*day - time.Minute, false, Fine}, {4*day + time.Minute, true, Soon}, {5*day + 13*time.Hour, true, Urgent}, {6*day + time.Minute, true, Ended}} {
		_, soon := Expiring(p, b.now.Add(tt.after))
		if stage, _ := p.stage(b.now.Add(tt.after)); soon != tt.soon || stage != tt.stage {
			t.Errorf("after %v: soon %v, %v; want %v, %v", tt.after, soon, stage, tt.soon, tt.stage)
		}
	}
}

// An intermediate or authority that ends before the leaf counts.
func TestFirstEndCounts(t *testing.T) {
	b := newBench(t)
	b.put("clients.pem", pki.Make(pki.Want{Name: "clients", CA: true, NotBefore: b.now.Add(-100 * day), NotAfter: b.now.Add(20 * day)}).PEM())
	p, err := b.load()
	if err != nil {
		t.Fatal(err)
	}
	if _, soon := Expiring(p, b.now); !soon || p.first().field != "ClientCA" {
		t.Errorf("the authority's end does not count: %v", p)
	}
	none, err2 := Load(Files{Usage: Client}, b.now)
	if err2 != nil {
		t.Fatal(err2)
	}
	if left, soon := Expiring(none, b.now); left < 1000*day || soon || !none.NotAfter().IsZero() {
		t.Errorf("nothing expires in %v", left)
	}
}

// Whatever happens to the files: what is served is always a pair that was good
// when it was read, the next look is never further than Every and never now, and
// alarms are set before they are cleared.
func TestRotationProperty(t *testing.T) {
	files, f, leaf := sound()
	root := leaf.Root()
	leaves := []*pki.Cert{leaf, leaf.Issuer.Issue(pki.Want{Name: "two", Names: []string{"localhost"}}), root.Server("localhost")}
	start := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		m := memory{}
		for name, data := range files {
			m[name] = data
		}
		r := &Rotation{Files: f, sys: m}
		now := start
		set := map[AlarmKind]bool{}
		var served *Pair
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				m["cert"] = rapid.SampledFrom(leaves).Draw(t, "cert").ChainPEM()
			case 1:
				m["key"] = rapid.SampledFrom(leaves).Draw(t, "key").KeyPEM()
			case 2:
				one := rapid.SampledFrom(leaves).Draw(t, "pair")
				m["cert"], m["key"] = one.ChainPEM(), one.KeyPEM()
			case 3:
				m["cert"] = m["cert"][:rapid.IntRange(0, len(m["cert"])).Draw(t, "cut")]
			case 4:
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*day)).Draw(t, "wait")))
			}
			c, err := r.Look(now)
			if c.Fresh != (c.Pair != served) {
				t.Fatalf("fresh is %v", c.Fresh)
			}
			if served = c.Pair; c.Fresh {
				if err != nil {
					t.Fatalf("fresh, and %v", err)
				}
				if _, err := load(m, f, now); err != nil {
					t.Fatalf("served what does not load: %v", err)
				}
			}
			if err == nil && served == nil {
				t.Fatal("neither pair nor error")
			}
			if wait := c.Next.Sub(now); wait <= 0 || wait > 10*time.Second {
				t.Fatalf("next look in %v", wait)
			}
			for _, a := range c.Alarms {
				if !a.Set && !set[a.Kind] {
					t.Fatalf("cleared what is not set: %+v", a)
				}
				set[a.Kind] = a.Set
				if leaf.Leaked(a.Text) != "" {
					t.Fatalf("an alarm shows a key: %v", a)
				}
			}
			if set[CannotReload] && err == nil {
				t.Fatal("all is well, and the alarm is set")
			}
		}
	})
}
