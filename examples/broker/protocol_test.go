package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/google/go-cmp/cmp"
)

// A wire is a bare connection, for what a well-behaved client never does.
type wire struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Scanner
}

func openWire(t *testing.T, addr string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(conn)
	in.Split(splitPacket)
	return &wire{t, conn, in}
}

func (w *wire) send(p packets.ControlPacket) {
	w.t.Helper()
	if err := p.Write(w.conn); err != nil {
		w.t.Fatalf("sending %v: %v", p, err)
	}
}

func (w *wire) want(want packets.ControlPacket, why string) {
	w.t.Helper()
	if !w.in.Scan() {
		w.t.Fatalf("got no packet (%v), want %v: %s", w.in.Err(), want, why)
	}
	got, err := packets.ReadPacket(bytes.NewReader(w.in.Bytes()))
	if diff := cmp.Diff(want, got, cmp.FilterPath(remainingLength, cmp.Ignore())); err != nil || diff != "" {
		w.t.Fatalf("%s: %v (-want +got)\n%s", why, err, diff)
	}
}

func remainingLength(p cmp.Path) bool { return p.Last().String() == ".RemainingLength" }

// wantClosed waits for the broker to close the connection without another packet.
func (w *wire) wantClosed(why string) {
	w.t.Helper()
	if w.in.Scan() {
		got, err := packets.ReadPacket(bytes.NewReader(w.in.Bytes()))
		w.t.Fatalf("got %v (%v), want the connection closed: %s", got, err, why)
	}
	if err := w.in.Err(); errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Fatalf("%v, want the connection closed: %s", err, why)
	}
}

// connect returns a CONNECT of a clean session, which tests then spoil.
func connect(id string) *packets.ConnectPacket {
	p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion = "MQTT", 4
	p.ClientIdentifier, p.CleanSession = id, true
	return p
}

func publication(topic string, qos byte, id uint16, payload string) packets.ControlPacket {
	return publish(delivery{message: message{Topic: topic, QoS: qos, Payload: []byte(payload)}, ID: id})
}

func subscribe(id uint16, filters map[string]byte) *packets.SubscribePacket {
	p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	p.MessageID = id
	for filter, qos := range filters {
		p.Topics, p.Qoss = append(p.Topics, filter), append(p.Qoss, qos)
	}
	return p
}

func TestRefusals(t *testing.T) {
	addr := startBroker(t)
	for _, c := range []struct {
		name  string
		spoil func(*packets.ConnectPacket)
		code  byte
	}{
		{"another version", func(p *packets.ConnectPacket) { p.ProtocolVersion = 5 }, packets.ErrRefusedBadProtocolVersion},
		{"an older version", func(p *packets.ConnectPacket) { p.ProtocolName, p.ProtocolVersion = "MQIsdp", 3 }, packets.ErrRefusedBadProtocolVersion},
		{"no identifier for a session that is kept", func(p *packets.ConnectPacket) { p.ClientIdentifier, p.CleanSession = "", false }, packets.ErrRefusedIDRejected},
		{"an identifier that is no text", func(p *packets.ConnectPacket) { p.ClientIdentifier = "\xff" }, packets.ErrRefusedIDRejected},
	} {
		w := openWire(t, addr)
		p := connect("c")
		c.spoil(p)
		w.send(p)
		w.want(connack(c.code, false), c.name)
		w.wantClosed(c.name)
	}
}

func TestViolations(t *testing.T) {
	addr := startBroker(t)
	for _, c := range []struct {
		name string
		send []packets.ControlPacket
	}{
		{"a second CONNECT", []packets.ControlPacket{connect("c")}},
		{"a topic with a wildcard", []packets.ControlPacket{publication("a/#", 0, 0, "")}},
		{"a message without a topic", []packets.ControlPacket{publication("", 0, 0, "")}},
		{"QoS 2", []packets.ControlPacket{publication("a", 2, 1, "")}},
		{"QoS 1 without a packet identifier", []packets.ControlPacket{publication("a", 1, 0, "")}},
		{"a SUBSCRIBE to nothing", []packets.ControlPacket{subscribe(1, nil)}},
		{"QoS 3", []packets.ControlPacket{subscribe(1, map[string]byte{"a": 3})}},
		{"what only a broker sends", []packets.ControlPacket{connack(0, false)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := openWire(t, addr)
			w.send(connect("c"))
			w.want(connack(packets.Accepted, false), "a good CONNECT")
			for _, p := range c.send {
				w.send(p)
			}
			w.wantClosed(c.name)
		})
	}
	t.Run("no CONNECT", func(t *testing.T) {
		w := openWire(t, addr)
		w.send(packets.NewControlPacket(packets.Pingreq))
		w.wantClosed("the first packet must be a CONNECT")
	})
	t.Run("another protocol", func(t *testing.T) {
		w := openWire(t, addr)
		if _, err := io.WriteString(w.conn, "GET / HTTP/1.1\r\n"+strings.Repeat("Accept: */*\r\n", 20)); err != nil {
			t.Fatal(err)
		}
		w.wantClosed("this is no MQTT")
	})
	t.Run("a bad will", func(t *testing.T) {
		w := openWire(t, addr)
		p := connect("c")
		p.WillFlag, p.WillTopic = true, "a/+"
		w.send(p)
		w.wantClosed("nobody can publish to a wildcard")
	})
}

func TestBadFilterFailsAlone(t *testing.T) {
	w := openWire(t, startBroker(t))
	w.send(connect("c"))
	w.want(connack(packets.Accepted, false), "a good CONNECT")
	p := subscribe(7, map[string]byte{"a#": 0})
	p.Topics, p.Qoss = append(p.Topics, "a/#", "b"), append(p.Qoss, 0, 2)
	w.send(p)
	w.want(suback(7, 0x80, 0, 1), "one code for each filter; QoS 2 is granted as QoS 1")
	w.send(publication("b", 1, 9, "x"))
	w.want(puback(9), "the message is taken care of")
	w.want(publication("b", 1, 1, "x"), "the good filters are subscribed")
}

func TestKeepAlive(t *testing.T) {
	addr := startBroker(t)
	watcher := dial(t, addr, "watcher")
	watcher.subscribe("wills", 1)

	w := openWire(t, addr)
	p := connect("silent")
	p.Keepalive = 1
	p.WillFlag, p.WillTopic, p.WillMessage = true, "wills", []byte("silent")
	w.send(p)
	w.want(connack(packets.Accepted, false), "a good CONNECT")
	start := time.Now()
	w.wantClosed("nothing came for one and a half times the keep-alive")
	if took := time.Since(start); took < 1400*time.Millisecond || took > 5*time.Second {
		t.Errorf("closed after %v, want 1.5 s", took)
	}
	watcher.want("wills=silent", "the client is gone without a DISCONNECT")
}

func TestPing(t *testing.T) {
	w := openWire(t, startBroker(t))
	w.send(connect("c"))
	w.want(connack(packets.Accepted, false), "a good CONNECT")
	w.send(packets.NewControlPacket(packets.Pingreq))
	w.want(packets.NewControlPacket(packets.Pingresp), "that is what a ping is for")
}

// A client that does not read what it subscribed to is shut out, in time to keep what
// waits for it small; the others notice nothing.
func TestSlowClient(t *testing.T) {
	addr := startBroker(t)
	slow, quick := openWire(t, addr), openWire(t, addr)
	slow.send(connect("slow"))
	slow.want(connack(packets.Accepted, false), "a good CONNECT")
	slow.send(subscribe(1, map[string]byte{"flood": 0}))
	slow.want(suback(1, 0), "a good SUBSCRIBE")

	quick.send(connect("quick"))
	quick.want(connack(packets.Accepted, false), "a good CONNECT")
	const sent = 3 * maxBehind // far more than sockets and mailbox hold
	payload := strings.Repeat("x", 16<<10)
	for range sent {
		quick.send(publication("flood", 0, 0, payload))
	}
	quick.send(publication("end", 1, 1, ""))
	quick.want(puback(1), "the broker goes on")

	received := 0
	for slow.in.Scan() {
		received++
	}
	if received >= sent {
		t.Errorf("the slow client got all %d messages: who kept them?", received)
	}
	slow.wantClosed("it did not keep up")
}
