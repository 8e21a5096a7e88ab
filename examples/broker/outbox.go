package main

import "slices"

// How much a session holds for its client.
const (
	window    = 32   // messages sent and not acknowledged yet
	maxQueued = 1000 // messages that wait behind them, or for an absent client
)

// A message is what publishers and subscribers exchange.
type message struct {
	Topic   string
	Payload []byte // shared by all who have the message: nobody writes to it
	QoS     byte
	Retain  bool // from a publisher: keep it; to a subscriber: it was kept
}

// A delivery is a message on its way to a client. ID is zero with QoS 0.
type delivery struct {
	message
	ID  uint16
	Dup bool // it may have arrived before
}

// An outbox holds the QoS 1 messages for one client until it acknowledges them. It
// is plain data: what it returns is for the caller to send.
type outbox struct {
	sent    []delivery // oldest first, at most window
	waiting []message  // not sent yet, oldest first, at most maxQueued
	lastID  uint16
}

// push adds a message. It reports false, and drops the message, when too many wait.
func (o *outbox) push(m message) bool {
	if len(o.waiting) >= maxQueued {
		return false
	}
	o.waiting = append(o.waiting, m)
	return true
}

// next returns what may be sent now and was not sent before.
func (o *outbox) next() []delivery {
	n := min(window-len(o.sent), len(o.waiting))
	first := len(o.sent)
	for _, m := range o.waiting[:n] {
		o.sent = append(o.sent, delivery{message: m, ID: o.freeID()})
	}
	o.waiting = o.waiting[n:]
	return o.sent[first:]
}

// resend returns what a client that is back may have missed, in the first order.
func (o *outbox) resend() []delivery {
	for i := range o.sent {
		o.sent[i].Dup = true
	}
	return o.sent
}

// acknowledge forgets a delivery. One that is not there was acknowledged before.
func (o *outbox) acknowledge(id uint16) {
	o.sent = slices.DeleteFunc(o.sent, func(d delivery) bool { return d.ID == id })
}

// freeID returns a packet identifier that no delivery in flight has. Zero is not one.
func (o *outbox) freeID() uint16 {
	for {
		o.lastID++
		if o.lastID != 0 && !o.inFlight(o.lastID) {
			return o.lastID
		}
	}
}

func (o *outbox) inFlight(id uint16) bool {
	return slices.ContainsFunc(o.sent, func(d delivery) bool { return d.ID == id })
}
