package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/google/go-cmp/cmp"

	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

var killTime = flag.Duration("kill", 5*time.Second, "how long TestKill kills processes at random")

// killEvery is the pace of the kills: slow enough for no supervisor to give up for
// good, since then the program should end, and not heal.
const killEvery = 100 * time.Millisecond

// Whichever process of the running broker is killed, the tree heals, the clients come
// back and hear what is published, no process is left over, and somebody says what
// happened.
func TestKill(t *testing.T) {
	rec := &processtest.Recorder{}
	ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
	h := &hospital{t: t, ctx: ctx, rec: rec, addr: startOn(t, ctx, options{tcp: quietAddress(t), out: io.Discard})}
	h.admitPatrons(10)
	h.heal("before anything was killed")
	h.healthy = h.census()
	t.Logf("alive: %v", h.healthy)

	for _, label := range slices.Sorted(maps.Keys(h.healthy)) {
		for _, pid := range h.alive() {
			if labelOf(pid) == label {
				h.kill(pid)
				break
			}
		}
	}
	killed := make(map[string]int)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	pace := time.NewTicker(killEvery)
	defer pace.Stop()
	for end := time.Now().Add(*killTime); time.Now().Before(end); <-pace.C {
		all := h.alive()
		if len(all) == 0 {
			return
		}
		pid := all[random.IntN(len(all))]
		killed[labelOf(pid)]++
		h.kill(pid)
	}
	t.Logf("killed at random: %v", killed)
}

// quietAddress is a free address whose port is not among those that the system gives
// to clients: one of ours could get the broker's own while that is being restarted.
func quietAddress(t *testing.T) string {
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))
		if l, err := net.Listen("tcp", addr); err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return addr
		}
	}
}

// A hospital has a broker that is hurt, and clients to see whether it is well.
type hospital struct {
	t       *testing.T
	ctx     context.Context
	rec     *processtest.Recorder
	addr    string
	patrons []*patron
	beats   int
	healthy map[string]int // processes by label, when all is well
}

// alive lists the processes of both trees but their tops, whose end is that of the
// application.
func (h *hospital) alive() (below []process.PID) {
	h.t.Helper()
	infos, err := application.Infos(h.ctx)
	if err != nil || len(infos) != 2 {
		h.t.Errorf("applications: %v, %v", infos, err)
		return nil
	}
	for _, pid := range mustNode(h.ctx).Processes() {
		isTop := slices.ContainsFunc(infos, func(i application.Info) bool { return pid == i.Top || pid == i.PID })
		if pid.Group() != nil && !isTop {
			below = append(below, pid)
		}
	}
	return below
}

func mustNode(ctx context.Context) *process.Node {
	n, err := process.NodeOf(ctx)
	if err != nil {
		panic(err)
	}
	return n
}

// labelOf tells apart what is not of one kind: the last element of a process's path.
func labelOf(pid process.PID) string {
	if label := path.Base(pid.Path()); !strings.HasPrefix(label, "<") {
		return label
	}
	return pid.Kind()
}

func (h *hospital) census() map[string]int {
	count := make(map[string]int)
	for _, pid := range h.alive() {
		count[labelOf(pid)]++
	}
	return count
}

// kill kills a process and sees to it that all becomes well again.
func (h *hospital) kill(pid process.PID) {
	h.t.Helper()
	if err := process.Kill(h.ctx, pid); err != nil {
		h.t.Fatal(err)
	}
	if _, err := process.Wait(h.ctx, pid); err != nil {
		h.t.Fatal(err)
	}
	h.heal(fmt.Sprintf("after %v was killed", pid))
	// The reader of a connection is its own affair. If its client was back, and took
	// over the session, before the connection heard of it, there is nothing to report.
	gone := pid.Is("reader") && !pid.Parent().Alive()
	if !gone && !slices.ContainsFunc(h.rec.Events(0), func(e process.Event) bool { return speaksOf(e, pid) }) {
		h.t.Fatalf("nobody reports that %v was killed", pid)
	}
}

// speaksOf reports whether an event is a report of the death of a process.
func speaksOf(e process.Event, pid process.PID) bool {
	exit, ok := errors.AsType[*process.ExitError](e.Reason)
	return e.Level == process.LevelError && (e.PID == pid || e.Peer == pid || ok && exit.PID == pid)
}

// heal publishes until every patron has heard it, and waits until there are the same
// processes as ever.
func (h *hospital) heal(when string) {
	h.t.Helper()
	h.beats++
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); <-again.C {
		deaf := slices.ContainsFunc(h.patrons, func(p *patron) bool { return p.heard.Load() < int64(h.beats) })
		if now := h.census(); !deaf && now["session"] == len(h.patrons) && now["reader"] == len(h.patrons) &&
			(h.healthy == nil || maps.Equal(h.healthy, now)) {
			return
		}
		if deaf {
			err = beat(h.addr, h.beats)
		}
	}
	for _, p := range h.patrons {
		if heard, lost := p.heard.Load(), p.lost.Load(); heard < int64(h.beats) && lost != nil {
			h.t.Errorf("%s has heard %d, and not yet %d; its connection before: %v", p.id, heard, h.beats, *lost)
		}
	}
	h.t.Fatalf("not well %s; last publication: %v; processes (-healthy +now):\n%s", when, err, cmp.Diff(h.healthy, h.census()))
}

// beat publishes the number of the beat, on a connection of its own.
func beat(addr string, n int) error {
	return converse(context.Background(), addr, func(p packets.ControlPacket) (packets.ControlPacket, error) {
		if _, ok := p.(*packets.PubackPacket); ok {
			return packets.NewControlPacket(packets.Disconnect), io.EOF
		}
		return nil, nil
	}, connect("heart"), publication("beat", 1, 1, strconv.Itoa(n)))
}

// A patron is a client that keeps its session, and comes back whenever its connection
// is lost.
type patron struct {
	id    string
	heard atomic.Int64          // the latest beat
	lost  atomic.Pointer[error] // how the connection before ended
}

func (h *hospital) admitPatrons(n int) {
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	h.t.Cleanup(func() { stop(); all.Wait() })
	for i := range n {
		p := &patron{id: fmt.Sprint("patron", i)}
		h.patrons = append(h.patrons, p)
		all.Go(func() {
			for ctx.Err() == nil {
				err := p.visit(ctx, h.addr)
				p.lost.Store(&err)
			}
		})
	}
}

// visit is one connection of a patron.
func (p *patron) visit(ctx context.Context, addr string) error {
	return converse(ctx, addr, func(packet packets.ControlPacket) (packets.ControlPacket, error) {
		m, ok := packet.(*packets.PublishPacket)
		if !ok {
			return nil, nil
		}
		n, err := strconv.ParseInt(string(m.Payload), 10, 64)
		p.heard.Store(max(p.heard.Load(), n))
		return puback(m.MessageID), err
	}, hello(p.id), subscribe(1, map[string]byte{"beat": 1}))
}

// hello is a CONNECT for a session that is kept.
func hello(id string) *packets.ConnectPacket {
	p := connect(id)
	p.CleanSession = false
	return p
}

// converse sends packets, and then answers those that come, until ctx is done, the
// connection is lost, or answer has an error.
func converse(ctx context.Context, addr string, answer func(packets.ControlPacket) (packets.ControlPacket, error), first ...packets.ControlPacket) error {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	for _, p := range first {
		if err := p.Write(conn); err != nil {
			return err
		}
	}
	in := bufio.NewScanner(conn)
	in.Split(splitPacket)
	for in.Scan() {
		p, err := packets.ReadPacket(bytes.NewReader(in.Bytes()))
		if err != nil {
			return err
		}
		a, done := answer(p)
		if a != nil {
			if err := a.Write(conn); err != nil {
				return err
			}
		}
		if done != nil {
			return done
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	return errors.New("the broker closed the connection")
}
