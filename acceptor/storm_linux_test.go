package acceptor_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/tlsconn"
)

var (
	stormTime = flag.Duration("storm", 3*time.Second, "how long TestStorm disturbs listeners")
	stormSeed = flag.Uint64("storm.seed", 0, "what TestStorm's dice begin with; 0: something else each time")
)

// A storm is listeners under load. Healthy clients have every byte echoed, and look
// at it, while others play each fault there is; certificates are replaced by good
// ones and bad ones, and options are changed.
//
// In the calm that is all. In the storm proper processes are killed besides, limits
// bite, and the listeners are suspended and resumed.
//
// Every client has an address that no other one has or had. So what the node tells
// can be held against what each of them did: see [storm.reckon].
type storm struct {
	*testing.T
	ctx   context.Context
	book  *book
	pki   authorities
	wild  bool
	end   time.Time
	seed  uint64
	sites []*site
	next  atomic.Uint32 // of addresses
	calls atomic.Uint64 // of alarms
}

// Clients with every fault, reloads and changes: each fault is counted once, as what
// it was, and nobody else is disturbed. Then also with processes that are killed: the
// only clients that are disturbed are those whose own processes were hit. Nothing is
// lost of goroutines, descriptors and processes.
func TestStorm(t *testing.T) {
	seed := *stormSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	long := *stormTime
	if testing.Short() {
		long = time.Second
	}
	t.Run("calm", func(t *testing.T) { weather(t, seed, long/3, false) })
	t.Run("wild", func(t *testing.T) { weather(t, seed, long, true) })
}

// openPoller has Go open what it polls sockets with. That stays, and is
// nobody's.
func openPoller(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
}

func weather(t *testing.T, seed uint64, long time.Duration, wild bool) {
	t.Logf("to have the same dice: -storm.seed %d", seed)
	goleak.VerifyNone(t) // what others left is not ours
	t.Cleanup(func() { goleak.VerifyNone(t) })
	s := &storm{T: t, book: newBook(), pki: newAuthorities(), wild: wild, seed: seed}
	s.next.Store(rand.Uint32()) // a run before this one may have left some in TIME_WAIT
	openPoller(t)
	files := descriptors(t)
	// Who is abandoned is stuck, and not only late.
	s.ctx = processtest.Node(t, process.NodeSpec{Probe: s.book, Grace: 20 * time.Second})
	if _, err := alarm.Start(s.ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"open", "behind", "hasty"} {
		p := s.settle(name)
		s.sites = append(s.sites, p)
		if v := p.greet(); v.err != nil { // which has the lookout begin
			t.Fatalf("%s does not serve: %v", name, v.err)
		}
		p.try("WaitForConnections", func() error { return acceptor.WaitForConnections(s.ctx, p.pid, "==", 0) })
	}
	s.same("visits", s.visits, nil) // those at the start may not be quite over
	s.same("lookouts", s.lookouts, []string{"behind/lookout", "hasty/lookout", "open/lookout"})
	before, held := s.census(), descriptors(t)
	s.end = time.Now().Add(long)
	s.rage()
	s.rest()
	s.same("processes", s.census, before)
	s.same("descriptors", func() []string { return descriptors(t) }, held)
	s.reckon()
	s.close()
	s.same("descriptors", func() []string { return descriptors(t) }, files)
}

// settle starts a listener. All faults but slowness are played at the first two, of
// which one is behind a proxy; the third one has no patience.
func (s *storm) settle(name string) *site {
	s.Helper()
	p := &site{storm: s, name: name, closet: newCloset(s)}
	p.server = tlsconn.NewServer(tlsconn.Spec{
		Name: name, Files: p.closet.files(), ALPN: []string{"echo"}, UnknownName: tlsconn.RefuseName,
		ClientAuth: tlsconn.RequireClientCert, Reload: 100 * time.Millisecond,
	})
	spec := acceptor.Spec{Name: name, Address: "127.9.0.1:0", Transport: p.server, Protocol: parrot.protocol(), Access: access(false)}
	if name != "hasty" {
		spec.Silence = 2 * time.Millisecond // nobody has a reader for long
	}
	switch name {
	case "behind":
		spec.Proxy = &acceptor.Proxy{Trusted: proxies, Required: true}
	case "hasty":
		spec.HandshakeTimeout = 250 * time.Millisecond
	}
	var err error
	if p.pid, err = acceptor.Start(s.ctx, spec); err != nil {
		s.Fatal(err)
	}
	addr, err := acceptor.Addr(s.ctx, p.pid)
	if err != nil {
		s.Fatal(err)
	}
	p.addr = addr.String()
	return p
}

// rage is the time of disturbance.
func (s *storm) rage() {
	var wg sync.WaitGroup
	n := uint64(0)
	actor := func(p *site, act func(*site, *rand.Rand)) {
		n++
		dice := rand.New(rand.NewPCG(s.seed, n))
		wg.Go(func() { act(p, dice) })
	}
	for _, p := range s.sites {
		actor(p, (*site).changeClothes)
		actor(p, (*site).changeOptions)
		if s.wild {
			actor(p, (*site).kill)
			actor(p, (*site).fell)
			actor(p, (*site).shut)
		}
		if p.name == "hasty" {
			for range 6 {
				actor(p, (*site).loiter)
			}
			continue
		}
		for range 3 {
			actor(p, (*site).patron)
			actor(p, (*site).vandal)
		}
		for range 2 {
			actor(p, (*site).lodger)
		}
	}
	wg.Wait()
}

// rest has the listeners come to rest, in their first state.
func (s *storm) rest() {
	for _, p := range s.sites {
		p.try("Resume", func() error { return acceptor.Resume(s.ctx, p.pid) })
		p.try("SetOptions", func() error { return acceptor.SetOptions(s.ctx, p.pid, p.calm) })
		p.try("Reload", func() error { return p.closet.good(p) })
		p.try("WaitForConnections", func() error { return acceptor.WaitForConnections(s.ctx, p.pid, "==", 0) })
		if v := p.greet(); v.err != nil {
			s.Errorf("%s does not serve any more: %v", p.name, v.err)
		}
		p.try("WaitForConnections", func() error { return acceptor.WaitForConnections(s.ctx, p.pid, "==", 0) })
	}
}

// close stops the listeners, and wants everything told then.
func (s *storm) close() {
	for _, p := range s.sites {
		info := p.info()
		if err := process.Stop(s.ctx, p.pid, process.ErrShutdown); err != nil {
			s.Errorf("stopping %s: %v", p.name, err)
		}
		p.reckonLines(info)
	}
	if alarms, err := alarm.List(s.ctx); err != nil || len(alarms) > 0 {
		s.Errorf("alarms are left: %+v, %v", alarms, err)
	}
	if alone := s.census(); len(alone) != 1 {
		s.Errorf("processes are left: %v", alone)
	}
}

// same wants something to become what it was. It may take its time.
func (s *storm) same(what string, now func() []string, before []string) {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		have := now()
		if slices.Equal(have, before) {
			return
		}
		if time.Now().After(deadline) {
			s.Errorf("%s: there were %d, now there are %d\nbefore: %v\nnow: %v", what, len(before), len(have), before, have)
			return
		}
	}
}

// census is the paths of all processes.
func (s *storm) census() (paths []string) {
	for _, pid := range s.sites[0].pid.Node().Processes() {
		paths = append(paths, pid.Path())
	}
	slices.Sort(paths)
	return paths
}

// visits are the processes of rehearsals and greetings that have not ended.
func (s *storm) visits() (paths []string) {
	for _, pid := range s.sites[0].pid.Node().Processes() {
		if pid.Is("rehearsal") || pid.Path() == "tls" || pid.Is("handshake") {
			paths = append(paths, pid.Path())
		}
	}
	return paths
}

// lookouts are those that have begun.
func (s *storm) lookouts() (paths []string) {
	for _, pid := range s.sites[0].pid.Node().Processes() {
		if pid.Is("lookout") {
			paths = append(paths, pid.Parent().Path())
		}
	}
	slices.Sort(paths)
	return paths
}

// descriptors is what the program has open, without numbers.
func descriptors(t *testing.T) (open []string) {
	t.Helper()
	dir, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dir {
		to, err := os.Readlink("/proc/self/fd/" + d.Name())
		if err != nil {
			continue // that of the folder itself
		}
		if len(to) > 7 && to[:7] == "socket:" {
			to = "socket"
		}
		open = append(open, to)
	}
	slices.Sort(open)
	return open
}

// authorities are the certificates of a storm.
type authorities struct{ root, clients, stranger *pki.Cert }

func newAuthorities() authorities {
	return authorities{pki.CA("root"), pki.CA("clients"), pki.CA("stranger")}
}

// A site is a listener.
type site struct {
	*storm
	name   string
	pid    process.PID
	addr   string
	server *tlsconn.Server
	closet *closet

	mu     sync.Mutex
	visits []*visit
}

func (p *site) info() acceptor.Info {
	var info acceptor.Info
	p.try("GetInfo", func() (err error) { info, err = acceptor.GetInfo(p.ctx, p.pid); return err })
	return info
}

// try does something that fails while what was killed is being started again.
func (p *site) try(what string, f func() error) {
	p.Helper()
	deadline := time.Now().Add(8 * time.Second)
	for {
		err := f()
		if err == nil {
			return
		}
		if !p.pid.Alive() || time.Now().After(deadline) {
			p.Errorf("%s: %s: %v (the listener lives: %v)", p.name, what, err, p.pid.Alive())
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// over reports whether the storm is, or this site is lost.
func (p *site) over() bool { return time.Now().After(p.end) || !p.pid.Alive() }

// count adds up the visits by what they were.
func (p *site) count(of func(*visit) string) string {
	n := make(map[string]int)
	for _, v := range p.visits {
		n[of(v)]++
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(n)) {
		out = append(out, fmt.Sprintf("%s %d", k, n[k]))
	}
	return fmt.Sprint(out)
}
