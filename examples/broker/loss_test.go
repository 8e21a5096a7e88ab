package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// While the router, connections and parts of the listener are killed, every message
// that a publisher is told has been taken care of reaches the subscriber, who keeps
// its session. It may come twice: that is QoS 1.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	ctx := processtest.Node(t, process.NodeSpec{Probe: &processtest.Recorder{}})
	h := &hospital{t: t, ctx: ctx, addr: startOn(t, ctx, options{tcp: quietAddress(t), out: io.Discard})}
	sub := newCollector(t, h.addr)

	killing, done := context.WithTimeout(ctx, 2*time.Second)
	defer done()
	var killer sync.WaitGroup
	killed := make(map[string]int)
	killer.Go(func() {
		pace := time.NewTicker(killEvery)
		defer pace.Stop()
		for killing.Err() == nil {
			all := slices.DeleteFunc(h.alive(), keepsMessages)
			if len(all) == 0 {
				return
			}
			pid := all[rand.IntN(len(all))]
			killed[labelOf(pid)]++
			if err := process.Kill(ctx, pid); err != nil {
				t.Error(err)
			}
			<-pace.C
		}
	})
	published := 0
	for ; killing.Err() == nil; published++ {
		publishSurely(t, h.addr, published)
	}
	killer.Wait()
	publishSurely(t, h.addr, published)
	sub.wantAll(published)
	t.Logf("published %d messages and killed %v", published, killed)
}

// keepsMessages reports whether what has been acknowledged would be lost with a process:
// it is only in memory.
func keepsMessages(pid process.PID) bool {
	return slices.Contains([]string{"session", "sessions"}, labelOf(pid))
}

// publishSurely publishes a number until the broker has acknowledged it.
func publishSurely(t *testing.T, addr string, n int) {
	t.Helper()
	acknowledged := errors.New("acknowledged")
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		err = converse(t.Context(), addr, func(p packets.ControlPacket) (packets.ControlPacket, error) {
			if _, ok := p.(*packets.PubackPacket); ok {
				return packets.NewControlPacket(packets.Disconnect), acknowledged
			}
			return nil, nil
		}, connect("publisher"), publication("numbers", 1, 1, strconv.Itoa(n)))
		if errors.Is(err, acknowledged) {
			return
		}
	}
	t.Fatalf("number %d was not acknowledged: %v", n, err)
}

// A collector subscribes to numbers, and comes back whenever its connection is lost.
type collector struct {
	t    *testing.T
	mu   sync.Mutex
	seen map[int]bool // guarded by mu
	more chan struct{}
}

func newCollector(t *testing.T, addr string) *collector {
	c := &collector{t: t, seen: make(map[int]bool), more: make(chan struct{}, 1)}
	subscribed := make(chan struct{})
	var life sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() { stop(); life.Wait() })
	life.Go(func() {
		first := []packets.ControlPacket{hello("collector"), subscribe(1, map[string]byte{"numbers": 1})}
		for ctx.Err() == nil {
			// It is lost when it is killed; the next one makes up for it.
			_ = converse(ctx, addr, func(p packets.ControlPacket) (packets.ControlPacket, error) {
				switch p := p.(type) {
				case *packets.SubackPacket:
					close(subscribed)
					first = first[:1] // the session knows now
				case *packets.PublishPacket:
					n, err := strconv.Atoi(string(p.Payload))
					c.add(n)
					return puback(p.MessageID), err
				}
				return nil, nil
			}, first...)
		}
	})
	<-subscribed
	return c
}

func (c *collector) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[n] = true
	select {
	case c.more <- struct{}{}:
	default: // it is known already that there are more
	}
}

// wantAll waits for the numbers from 0 to last.
func (c *collector) wantAll(last int) {
	c.t.Helper()
	timeout := time.After(patience)
	for {
		missing := c.missing(last)
		if len(missing) == 0 {
			return
		}
		select {
		case <-c.more:
		case <-timeout:
			c.t.Fatalf("acknowledged to the publisher, and lost: %s", fmt.Sprint(missing))
		}
	}
}

func (c *collector) missing(last int) (missing []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := range last + 1 {
		if !c.seen[n] {
			missing = append(missing, n)
		}
	}
	return missing
}
