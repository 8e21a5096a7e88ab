package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process/processtest"
)

const (
	stopClients = 200
	stopRounds  = 5
)

// The broker of another process is stopped by SIGTERM while 200 clients publish and
// subscribe. Drained in time, it has not one error to report, ever.
func TestStopUnderLoad(t *testing.T) {
	for round := range stopRounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			s := stopUnderLoad(t, "prep_stop")
			for _, r := range s.reports {
				if r.Level != "info" {
					t.Errorf("reported: %s", r.line)
				}
			}
			if s.err != nil {
				t.Errorf("the broker ended with: %v", s.err)
			}
		})
	}
}

// The famous mistake: the listener is closed after the processes that connections
// call have gone. Connections crash, and each says which application was stopping and
// what would have avoided it. Long before that there had been a warning.
func TestStopUnderLoadTooLate(t *testing.T) {
	total := 0
	for round := range stopRounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			s := stopUnderLoad(t, "stop")
			if len(s.reports) == 0 {
				t.Fatal("nothing was reported")
			}
			if first := s.reports[0]; first.What != "order hazard" || !strings.Contains(first.line, cure) {
				t.Errorf("first report: %s\nwant the warning, with the cure", first.line)
			}
			crashes, undrained := 0, 0
			for _, r := range s.reports {
				switch {
				case r.Event == "crashed":
					crashes++
					if !strings.Contains(r.line, "application broker: stop") || !strings.Contains(r.line, cure) {
						t.Errorf("a crash that does not say who was stopping, and the cure: %s", r.line)
					}
				case r.What == "not drained":
					undrained++
				}
			}
			if undrained != 1 {
				t.Errorf("%d reports that the broker stops with connections left, want 1", undrained)
			}
			t.Logf("%d lines at level error, %d of them crashed connections", s.errors(), crashes)
			total += crashes
		})
	}
	// Which connections have something to ask at that moment is chance.
	if total == 0 {
		t.Error("no connection crashed: the mistake does not show")
	}
}

// cure is what avoids it, in the words of package application.
const cure = "let broker's PrepStop end those of sockets's processes that call it"

// A stopped is how a broker has ended, and what it had reported.
type stopped struct {
	reports []report
	err     error
}

type report struct {
	Level, Event, What string
	line               string
}

func (s stopped) errors() (n int) {
	for _, r := range s.reports {
		if r.Level == "error" {
			n++
		}
	}
	return n
}

// stopUnderLoad runs a broker, puts load on it, and sends it SIGTERM.
func stopUnderLoad(t *testing.T, drain string) (s stopped) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-tcp=127.0.0.1:0", "-drain="+drain)
	cmd.Env = append(os.Environ(), beBroker+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	greeting := bufio.NewReader(stdout)
	line, err := greeting.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(line, "listens on ")
	addr, _, _ := strings.Cut(rest, ". ")
	wait := putLoad(t, addr)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wait()
	if _, err := io.Copy(io.Discard, greeting); err != nil {
		t.Fatal(err)
	}
	s.err = cmd.Wait()
	for line := range strings.Lines(stderr.String()) {
		r := report{line: line}
		// What is no report has no level, and is judged by that.
		_ = json.Unmarshal([]byte(line), &r)
		s.reports = append(s.reports, r)
	}
	return s
}

// putLoad connects clients that publish to each other until their connections are
// lost, and returns when all are at it; wait waits for the end.
func putLoad(t *testing.T, addr string) (wait func()) {
	topic := func(i int) string { return fmt.Sprint("load/", i%(stopClients/10)) }
	var clients []*wire
	for i := range stopClients {
		w := openWire(t, addr)
		w.send(connect(fmt.Sprint("client", i)))
		w.want(connack(packets.Accepted, false), "a good CONNECT")
		w.send(subscribe(1, map[string]byte{topic(i): 1}))
		clients = append(clients, w)
	}
	var published atomic.Int64
	busy := make(chan struct{})
	var all sync.WaitGroup
	for i, w := range clients {
		all.Go(func() {
			w.chatter(topic(i), func() {
				if published.Add(1) == 10*stopClients {
					close(busy)
				}
			})
		})
	}
	<-busy
	return all.Wait
}

// chatter publishes, and acknowledges what others publish, until the connection is
// lost. It calls done for each message that the broker has acknowledged.
func (w *wire) chatter(topic string, done func()) {
	write := publication(topic, 1, 1, "x").Write
	for write(w.conn) == nil && w.in.Scan() {
		packet, err := packets.ReadPacket(bytes.NewReader(w.in.Bytes()))
		if err != nil {
			w.t.Error(err)
		}
		write = func(io.Writer) error { return nil }
		switch p := packet.(type) {
		case *packets.PubackPacket:
			done()
			write = publication(topic, 1, 1, "x").Write
		case *packets.PublishPacket:
			write = puback(p.MessageID).Write
		}
	}
}

// What Lint says of both ways is what the program would have warned of.
func TestLint(t *testing.T) {
	for drain, want := range map[string]int{"prep_stop": 0, "stop": 1} {
		ctx := processtest.Context(t)
		c := dial(t, startOn(t, ctx, options{tcp: "127.0.0.1:0", drain: drain, out: io.Discard}), "c")
		c.subscribe("a", 1)
		c.publish("a", 1, "x")
		c.want("a=x", "it is subscribed")
		c.disconnect()
		warnings := application.Lint(ctx)
		if len(warnings) != want {
			t.Errorf("-drain=%s: warned of %v, want %d warnings", drain, warnings, want)
		}
		for _, w := range warnings {
			if !strings.Contains(w.String(), cure) {
				t.Errorf("warned of %v, want the cure: %s", w, cure)
			}
		}
	}
}
