package tlsconn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
)

// rounds is how many lives are played. They are the same each time.
const rounds = 150

// Whatever happens to a connection, in whatever order, it ends once, in one way,
// that everybody is told; a fault is one event and one counter; and nothing is
// left.
func TestAnythingAtAnyTime(t *testing.T) {
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { anything(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func anything(t *testing.T, dice *rand.Rand) {
	p := opened(t, tlsconn.Spec{})
	heir := idler(t, p.ctx)
	p.client = tls.Client(p.wire, p.world.trusting(maxVersion(tls.VersionTLS12+uint16(dice.IntN(2)))))

	// errs is what the users of the connection were told, in any order.
	var mu sync.Mutex
	var errs []error
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil, err == io.EOF, strings.Contains(err.Error(), "after CloseWrite"):
		case errors.Is(err, os.ErrDeadlineExceeded) && strings.HasPrefix(err.Error(), "read"): // it could be tried again
		default:
			errs = append(errs, err)
		}
	}
	var users sync.WaitGroup
	users.Go(func() { note(p.conn.Handshake(p.ctx)) })
	users.Go(func() { note(until(p.conn)) })
	writing := make(chan struct{}, 1) // one at a time
	users.Go(func() {
		for {
			writing <- struct{}{}
			_, err := p.conn.Write(make([]byte, 1000))
			<-writing
			if err != nil {
				note(err)
				return
			}
			time.Sleep(time.Second)
		}
	})
	closeWrite := func() {
		writing <- struct{}{}
		p.conn.CloseWrite()
		<-writing
	}
	// The client echoes, until something is wrong.
	users.Go(func() { io.Copy(p.client, p.client) })

	deeds := []func(){
		func() { p.conn.Close() },
		// Not both in one life: crypto/tls has the one wait for the other with a mutex,
		// and in a bubble time stands still meanwhile.
		[]func(){closeWrite, func() { p.conn.TLS().Close() }}[dice.IntN(2)],
		func() { p.client.Close() },
		func() { p.wire.Close() },
		func() {
			p.wire.SetDeadline(time.Now().Add(time.Second))
			io.WriteString(p.wire, "garbage")
			p.wire.Close()
		},
		func() { process.Kill(p.ctx, p.conn.PID()) },
		func() { process.Kill(p.ctx, p.owner) },
		func() { process.SendExit(p.ctx, p.conn.PID(), process.ErrShutdown) },
		func() { p.conn.Give(p.ctx, heir) },
		func() {
			ctx, cancel := context.WithTimeout(p.ctx, time.Second)
			defer cancel()
			note(p.conn.Handshake(ctx))
		},
		func() { p.conn.SetDeadline(time.Now()) },
	}
	for range 1 + dice.IntN(4) {
		deed, wait := deeds[dice.IntN(len(deeds))], time.Duration(dice.Int64N(int64(3*time.Second)))
		if dice.IntN(3) == 0 {
			wait = 0
		}
		users.Go(func() { time.Sleep(wait); deed() })
	}
	time.Sleep(10 * time.Second)
	process.Kill(p.ctx, p.owner) // if it lives yet, it ends now
	p.wire.Close()
	process.Kill(p.ctx, heir)
	users.Wait()
	synctest.Wait()

	if p.conn.PID().Alive() || p.conn.Err() == nil {
		t.Fatalf("it lives: %v", p.conn)
	}
	end := p.conn.Err()
	for _, err := range errs {
		if !errors.Is(err, end) {
			t.Errorf("told %v, and it ended with %v", err, end)
		}
	}
	fault, faulty := end.(*tlsconn.Fault)
	counts, events := p.server.Counts(), p.rec.Events(reports)
	switch {
	case !faulty && (len(counts) > 0 || len(events) > 0):
		t.Errorf("it ended with %v, counted %v, and said\n%v", end, counts, p.rec)
	case faulty && (len(counts) != 1 || counts[fault.Class] != 1 || len(events) != 1 || events[0].Reason != end):
		t.Errorf("it ended with %v, counted %v, and said\n%v", end, counts, p.rec)
	case faulty && fault.Class == tlsconn.Internal:
		t.Errorf("our own fault: %v", fault)
	}
	for _, pid := range p.owner.Node().Processes() {
		if pid.Kind() != "server" {
			t.Errorf("%v (%s) is left", pid, pid.Kind())
		}
	}
	if _, err := p.wire.Read(make([]byte, 1)); err != io.ErrClosedPipe {
		t.Errorf("the wire: %v", err)
	}
	if n := p.server.Info().Open; n != 0 {
		t.Errorf("%d open", n)
	}
}
