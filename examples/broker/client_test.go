package main

import (
	"net"
	"net/url"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// patience is how long a test waits for what must come. Nothing waits it out when
// all is well.
const patience = 10 * time.Second

// A client is Eclipse's MQTT client as the tests need it: it fails the test instead
// of returning errors, and keeps what arrives.
type client struct {
	t    *testing.T
	mqtt paho.Client
	conn net.Conn // of the last connection; for cutting it
	got  chan paho.Message
	lost chan error
}

// dial connects a client with a clean session, unless set says otherwise. It does
// not come back by itself when its connection is lost.
func dial(t *testing.T, addr, id string, set ...func(*paho.ClientOptions)) *client {
	t.Helper()
	c := newClient(t, addr, id, set...)
	c.done(c.mqtt.Connect(), "connecting")
	return c
}

func newClient(t *testing.T, addr, id string, set ...func(*paho.ClientOptions)) *client {
	c := &client{t: t, got: make(chan paho.Message, 2*maxQueued), lost: make(chan error, 1)}
	o := paho.NewClientOptions().
		AddBroker("tcp://" + addr).
		SetClientID(id).
		SetProtocolVersion(4).
		SetAutoReconnect(false).
		SetConnectTimeout(patience).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { c.got <- m }).
		SetConnectionLostHandler(func(_ paho.Client, err error) { c.lost <- err }).
		SetCustomOpenConnectionFn(func(u *url.URL, o paho.ClientOptions) (net.Conn, error) {
			conn, err := net.DialTimeout("tcp", u.Host, o.ConnectTimeout)
			c.conn = conn
			return conn, err
		})
	for _, set := range set {
		set(o)
	}
	c.mqtt = paho.NewClient(o)
	t.Cleanup(func() { c.mqtt.Disconnect(0) })
	return c
}

func keepSession(o *paho.ClientOptions) { o.SetCleanSession(false) }
func noAutoAck(o *paho.ClientOptions)   { o.SetAutoAckDisabled(true) }

func will(topic, payload string, retained bool) func(*paho.ClientOptions) {
	return func(o *paho.ClientOptions) { o.SetWill(topic, payload, 1, retained) }
}

func (c *client) subscribe(filter string, qos byte) {
	c.t.Helper()
	c.done(c.mqtt.Subscribe(filter, qos, nil), "subscribing to "+filter)
}

func (c *client) unsubscribe(filter string) {
	c.t.Helper()
	c.done(c.mqtt.Unsubscribe(filter), "unsubscribing from "+filter)
}

func (c *client) publish(topic string, qos byte, payload string) {
	c.t.Helper()
	c.done(c.mqtt.Publish(topic, qos, false, payload), "publishing "+topic)
}

func (c *client) retain(topic string, qos byte, payload string) {
	c.t.Helper()
	c.done(c.mqtt.Publish(topic, qos, true, payload), "publishing and retaining "+topic)
}

func (c *client) disconnect() { c.mqtt.Disconnect(250) }

// cut ends the connection as a client does that is killed: without a word.
func (c *client) cut() {
	c.t.Helper()
	if err := c.conn.Close(); err != nil {
		c.t.Fatalf("cutting a connection: %v", err)
	}
}

// want waits for the next message and compares it with topic=payload.
func (c *client) want(want, why string) paho.Message {
	c.t.Helper()
	m := c.next(want)
	if got := m.Topic() + "=" + string(m.Payload()); got != want {
		c.t.Fatalf("got %s, want %s: %s", got, want, why)
	}
	return m
}

// next waits for the next message.
func (c *client) next(want string) paho.Message {
	c.t.Helper()
	select {
	case m := <-c.got:
		return m
	case <-time.After(patience):
		c.t.Fatalf("got nothing, want %s", want)
		return nil
	}
}

// wantLost waits until the connection is lost.
func (c *client) wantLost(why string) {
	c.t.Helper()
	select {
	case <-c.lost:
	case <-time.After(patience):
		c.t.Fatalf("the connection is still there: %s", why)
	}
}

func (c *client) done(token paho.Token, what string) {
	c.t.Helper()
	if !token.WaitTimeout(patience) {
		c.t.Fatalf("%s: no answer in %v", what, patience)
	}
	if err := token.Error(); err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}
