package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

var (
	errTakenOver = errors.New("another connection has the client identifier now")
	errTooSlow   = errors.New("the client does not keep up with what it subscribed to")
)

// A conn is the connection of one client: the protocol MQTT, and nothing that must
// outlive it. It calls the session and the router, and passes on what they send.
type conn struct {
	self    server.Ref[conn]
	socket  *acceptor.Conn
	client  string
	session server.Ref[session] // zero until the client has introduced itself
}

func newConn(ctx context.Context, socket *acceptor.Conn) (*conn, error) {
	self, err := server.As[conn](process.Self(ctx))
	return &conn{self: self, socket: socket}, err
}

// onPacket does what a packet from the client asks for.
func onPacket(ctx context.Context, c *conn, data []byte) error {
	packet, err := decodePacket(data)
	if err != nil {
		return violation("%w", err)
	}
	_, connects := packet.(*packets.ConnectPacket)
	if introduced := c.session != (server.Ref[session]{}); introduced == connects {
		return violation("the first packet, and no other, is a CONNECT")
	}
	switch p := packet.(type) {
	case *packets.ConnectPacket:
		return c.onConnect(ctx, p)
	case *packets.PublishPacket:
		return c.onPublish(ctx, p)
	case *packets.PubackPacket:
		return server.Cast(ctx, c.session, Acknowledged{c.self, p.MessageID})
	case *packets.SubscribePacket:
		return c.onSubscribe(ctx, p)
	case *packets.UnsubscribePacket:
		return c.onUnsubscribe(ctx, p)
	case *packets.PingreqPacket:
		return c.send(packets.NewControlPacket(packets.Pingresp))
	case *packets.DisconnectPacket:
		return c.onDisconnect(ctx)
	}
	return violation("a broker takes no %s", packets.PacketNames[data[0]>>4])
}

// violation is the end of a connection whose client breaks the protocol: clean,
// since nothing is wrong on our side.
func violation(format string, args ...any) error {
	return process.Shutdown(fmt.Errorf("the client breaks the protocol: "+format, args...))
}

func (c *conn) onConnect(ctx context.Context, p *packets.ConnectPacket) error {
	if code, err := checkConnect(p); err != nil {
		if code != packets.Accepted {
			err = errors.Join(err, c.send(connack(code, false)))
		}
		return violation("%w", err)
	}
	if c.client = p.ClientIdentifier; c.client == "" {
		c.client = rand.Text()
	}
	session, present, err := openSession(ctx, c.client, Attach{Conn: c.self, Clean: p.CleanSession, Will: willOf(p)})
	if err != nil {
		return err
	}
	c.session = session
	if _, err := server.Monitor(ctx, c.session, func(d process.Down) Orphaned { return Orphaned{d} }); err != nil {
		return err
	}
	// MQTT allows half as much again, for what happens on the way.
	c.socket.SetIdle(time.Duration(p.Keepalive) * time.Second * 3 / 2)
	return c.send(connack(packets.Accepted, present))
}

// checkConnect says what is wrong with a CONNECT, and the code to answer with. Where
// there is none, packets.Accepted, MQTT wants the connection closed without a word.
func checkConnect(p *packets.ConnectPacket) (code byte, err error) {
	switch {
	case otherVersion(p):
		return packets.ErrRefusedBadProtocolVersion, fmt.Errorf("the version of MQTT is %d, want 4 (MQTT 3.1.1)", p.ProtocolVersion)
	case p.ProtocolName != "MQTT":
		return packets.Accepted, fmt.Errorf("protocol is %q, want MQTT", p.ProtocolName)
	case p.ClientIdentifier == "":
		if !p.CleanSession {
			return packets.ErrRefusedIDRejected, errors.New("no client identifier, yet the session is to be kept")
		}
	case checkText(p.ClientIdentifier) != nil:
		return packets.ErrRefusedIDRejected, fmt.Errorf("client identifier: %w", checkText(p.ClientIdentifier))
	}
	switch {
	case p.PasswordFlag && !p.UsernameFlag:
		return packets.Accepted, errors.New("a password without a user name")
	case p.WillFlag && p.WillQos > 2, !p.WillFlag && (p.WillQos > 0 || p.WillRetain):
		return packets.Accepted, errors.New("impossible flags of a will")
	case p.WillFlag && checkTopic(p.WillTopic) != nil:
		return packets.Accepted, fmt.Errorf("will: %w", checkTopic(p.WillTopic))
	}
	return packets.Accepted, nil
}

func willOf(p *packets.ConnectPacket) *message {
	if !p.WillFlag {
		return nil
	}
	return &message{Topic: p.WillTopic, Payload: p.WillMessage, QoS: min(p.WillQos, 1), Retain: p.WillRetain}
}

func (c *conn) onPublish(ctx context.Context, p *packets.PublishPacket) error {
	if err := checkTopic(p.TopicName); err != nil {
		return violation("%w", err)
	}
	switch {
	case p.Qos > 1:
		return violation("QoS 2 is not offered here")
	case p.Qos == 1 && p.MessageID == 0:
		return violation("packet identifier 0")
	}
	m := message{Topic: p.TopicName, Payload: p.Payload, QoS: p.Qos, Retain: p.Retain}
	if _, err := server.Call(ctx, theRouter, Publish{m}); err != nil || p.Qos == 0 {
		return err
	}
	return c.send(puback(p.MessageID))
}

func (c *conn) onSubscribe(ctx context.Context, p *packets.SubscribePacket) error {
	if len(p.Topics) == 0 {
		return violation("a SUBSCRIBE to nothing")
	}
	var codes []byte // the QoS granted to each
	for i, filter := range p.Topics {
		qos := min(p.Qoss[i], 1)
		switch {
		case p.Qoss[i] > 2:
			return violation("subscription with QoS %d", p.Qoss[i])
		case checkFilter(filter) != nil:
			qos = subscribeFailed
		default:
			if _, err := server.Call(ctx, theRouter, Subscribe{c.session, filter, qos}); err != nil {
				return err
			}
		}
		codes = append(codes, qos)
	}
	return c.send(suback(p.MessageID, codes...))
}

func (c *conn) onUnsubscribe(ctx context.Context, p *packets.UnsubscribePacket) error {
	if len(p.Topics) == 0 {
		return violation("an UNSUBSCRIBE from nothing")
	}
	for _, filter := range p.Topics {
		if _, err := server.Call(ctx, theRouter, Unsubscribe{c.session, filter}); err != nil {
			return err
		}
	}
	return c.send(unsuback(p.MessageID))
}

// onDisconnect makes the client's will void: a connection that ends in any other
// way leaves it in force.
func (c *conn) onDisconnect(ctx context.Context) error {
	if err := server.Cast(ctx, c.session, Leave{c.self}); err != nil {
		return err
	}
	return server.Stop(nil)
}

// Send passes a message on to the client.
type Send struct{ delivery }

func (m Send) Handle(_ context.Context, c *conn) error { return c.send(publish(m.delivery)) }

// TakenOver says that the session has another connection now.
type TakenOver struct{}

func (TakenOver) Handle(context.Context, *conn) error { return process.Shutdown(errTakenOver) }

// Orphaned says that the session has ended. So the connection ends too: its client
// will come back, and start another.
type Orphaned struct{ process.Down }

func (m Orphaned) Handle(context.Context, *conn) error {
	if m.Reason == nil {
		return server.Stop(nil)
	}
	return fmt.Errorf("the session ended: %w", m.Reason) // a crash here if it was one there
}

// send writes a packet. An error says that the client is gone, and is no crash.
func (c *conn) send(p packets.ControlPacket) error { return p.Write(c.socket) }
