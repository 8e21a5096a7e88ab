package main

import (
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

func TestMessages(t *testing.T) {
	addr := startBroker(t)
	for _, qos := range []byte{0, 1} {
		sub, pub := dial(t, addr, "sub"), dial(t, addr, "pub")
		sub.subscribe("house/door", qos)
		for _, payload := range []string{"open", "shut", ""} {
			pub.publish("house/door", qos, payload)
		}
		pub.publish("house/window", qos, "not for us")
		pub.publish("house/door", qos, "last")
		for _, payload := range []string{"open", "shut", "", "last"} {
			m := sub.want("house/door="+payload, "in the order published, and nothing else")
			if m.Qos() != qos || m.Retained() || m.Duplicate() {
				t.Errorf("got QoS %d, retained %t, duplicate %t; want QoS %d, false, false", m.Qos(), m.Retained(), m.Duplicate(), qos)
			}
		}
		sub.disconnect()
		pub.disconnect()
	}
}

func TestQoSIsTheLowerOfBoth(t *testing.T) {
	addr := startBroker(t)
	pub := dial(t, addr, "pub")
	for _, c := range []struct{ sub, pub, want byte }{{0, 1, 0}, {1, 0, 0}, {1, 1, 1}, {2, 1, 1}} {
		sub := dial(t, addr, "sub")
		sub.subscribe("t", c.sub)
		pub.publish("t", c.pub, "x")
		if m := sub.want("t=x", "it is subscribed"); m.Qos() != c.want {
			t.Errorf("subscribed with QoS %d, published with %d: got %d, want %d", c.sub, c.pub, m.Qos(), c.want)
		}
		sub.disconnect()
	}
}

func TestWildcards(t *testing.T) {
	addr := startBroker(t)
	pub, sub := dial(t, addr, "pub"), dial(t, addr, "sub")
	sub.subscribe("house/+/light", 1)
	sub.subscribe("garden/#", 1)
	for _, topic := range []string{"house/hall/light", "house/hall/door", "garden", "garden/gate/left", "house/light", "house/attic/light"} {
		pub.publish(topic, 1, "x")
	}
	for _, topic := range []string{"house/hall/light", "garden", "garden/gate/left", "house/attic/light"} {
		sub.want(topic+"=x", "only what the filters match")
	}
}

func TestOverlappingFiltersDeliverOnce(t *testing.T) {
	addr := startBroker(t)
	pub, sub := dial(t, addr, "pub"), dial(t, addr, "sub")
	sub.subscribe("a/#", 0)
	sub.subscribe("a/+", 1)
	pub.publish("a/b", 1, "once")
	pub.publish("a/b", 1, "then this")
	if m := sub.want("a/b=once", "two filters match"); m.Qos() != 1 {
		t.Errorf("got QoS %d, want the best of the filters, 1", m.Qos())
	}
	sub.want("a/b=then this", "each message comes once")
}

func TestUnsubscribe(t *testing.T) {
	addr := startBroker(t)
	c := dial(t, addr, "c")
	c.subscribe("a", 1)
	c.subscribe("b", 1)
	c.unsubscribe("a")
	c.publish("a", 1, "no more")
	c.publish("b", 1, "still")
	c.want("b=still", "a is unsubscribed")
}

func TestRetainedMessages(t *testing.T) {
	addr := startBroker(t)
	pub := dial(t, addr, "pub")
	pub.retain("state/a", 1, "old")
	pub.retain("state/a", 1, "new")
	pub.retain("state/b", 0, "b")
	pub.retain("state/c", 1, "c")
	pub.retain("state/c", 1, "")

	sub := dial(t, addr, "sub")
	sub.subscribe("state/#", 1)
	for _, want := range []string{"state/a=new", "state/b=b"} {
		if m := sub.want(want, "it was retained"); !m.Retained() {
			t.Errorf("%s does not say that it was retained", want)
		}
	}
	pub.retain("state/a", 1, "newest")
	if m := sub.want("state/a=newest", "it is subscribed; c was cleared"); m.Retained() {
		t.Error("a message that comes while subscribed says that it was retained")
	}
}

func TestWill(t *testing.T) {
	addr := startBroker(t)
	watcher := dial(t, addr, "watcher")
	watcher.subscribe("wills/#", 1)

	killed := dial(t, addr, "killed", will("wills/killed", "gone", true))
	killed.cut()
	watcher.want("wills/killed=gone", "the client was killed")

	polite := dial(t, addr, "polite", will("wills/polite", "gone", false))
	polite.disconnect()
	watcher.publish("wills/after", 1, "x")
	watcher.want("wills/after=x", "a client that disconnects leaves no will")

	late := dial(t, addr, "late")
	late.subscribe("wills/killed", 1)
	if m := late.want("wills/killed=gone", "this will is retained"); !m.Retained() {
		t.Error("the will does not say that it was retained")
	}
}

func TestSessionIsKept(t *testing.T) {
	addr := startBroker(t)
	pub := dial(t, addr, "pub")
	sub := dial(t, addr, "sub", keepSession)
	sub.subscribe("a/#", 1)
	sub.subscribe("b", 0)
	sub.disconnect()
	pub.publish("b", 1, "QoS 0 is not kept for who is away")
	pub.publish("a/1", 1, "one")
	pub.publish("a/2", 1, "two")

	sub = dial(t, addr, "sub", keepSession)
	sub.want("a/1=one", "it was kept for us")
	sub.want("a/2=two", "it was kept for us")
	pub.publish("b", 0, "back")
	sub.want("b=back", "the subscription was kept too")
	sub.disconnect()

	clean := dial(t, addr, "sub")
	pub.publish("a/3", 1, "not for a clean session")
	clean.subscribe("a/4", 1)
	pub.publish("a/4", 1, "four")
	clean.want("a/4=four", "a clean session begins with nothing")
}

func TestRedelivery(t *testing.T) {
	addr := startBroker(t)
	pub := dial(t, addr, "pub")
	sub := dial(t, addr, "sub", keepSession, noAutoAck)
	sub.subscribe("a", 1)
	pub.publish("a", 1, "one")
	pub.publish("a", 1, "two")
	sub.want("a=one", "it is subscribed").Ack()
	if m := sub.want("a=two", "it is subscribed"); m.Duplicate() {
		t.Error("the first delivery says that it is a duplicate")
	}
	// The acknowledgement of one has gone before: it is answered after it.
	sub.publish("b", 1, "x")
	sub.cut()

	sub = dial(t, addr, "sub", keepSession)
	if m := sub.want("a=two", "it was not acknowledged"); !m.Duplicate() {
		t.Error("the second delivery does not say that it is a duplicate")
	}
	pub.publish("a", 1, "three")
	sub.want("a=three", "one was acknowledged, two comes once")
}

// Who stays away too long misses messages, and one line says so.
func TestFullQueue(t *testing.T) {
	rec := &processtest.Recorder{}
	ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
	addr := startOn(t, ctx, options{tcp: "127.0.0.1:0", out: io.Discard})
	sub, pub := dial(t, addr, "sub", keepSession), dial(t, addr, "pub")
	sub.subscribe("a", 1)
	sub.disconnect()
	const sent = maxQueued + 2*window
	for i := range sent {
		pub.publish("a", 1, strconv.Itoa(i))
	}
	// If some came before the broker knew that the client had left, they are in the
	// window, besides those that wait.
	sub = dial(t, addr, "sub", keepSession)
	for i := range maxQueued {
		sub.want("a="+strconv.Itoa(i), "so many are kept, the oldest")
	}
	pub.publish("a", 1, "new")
	kept := maxQueued
	for m := sub.next("a new message"); string(m.Payload()) != "new"; m = sub.next("a new message") {
		kept++
	}
	if kept > maxQueued+window {
		t.Errorf("%d of %d messages were kept, want %d to %d", kept, sent, maxQueued, maxQueued+window)
	}
	var warned []string
	for _, e := range rec.Events(process.Warned) {
		warned = append(warned, e.PID.Name()+": "+e.Text)
	}
	if len(warned) != 1 || !strings.HasPrefix(warned[0], "session/sub: ") {
		t.Errorf("warned of %q, want one line that names the session", warned)
	}
}

func TestTakeover(t *testing.T) {
	addr := startBroker(t)
	pub := dial(t, addr, "pub")
	first := dial(t, addr, "same", keepSession, will("wills/first", "taken over", false))
	first.subscribe("a", 1)
	pub.subscribe("wills/#", 1)
	second := dial(t, addr, "same", keepSession)
	first.wantLost("another client has its identifier")
	pub.want("wills/first=taken over", "its connection was closed without a DISCONNECT")
	pub.publish("a", 1, "x")
	second.want("a=x", "it has taken over the session")
}

func TestClientWithoutIdentifier(t *testing.T) {
	addr := startBroker(t)
	a, b := dial(t, addr, ""), dial(t, addr, "")
	a.subscribe("a", 1)
	b.publish("a", 1, "x")
	a.want("a=x", "the broker gives each an identifier of its own")
}
