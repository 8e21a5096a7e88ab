// Command mqttload keeps an MQTT broker busy: clients that publish to each other, each
// the next message as soon as the last one is acknowledged, until they lose their
// connections.
//
//	go run ./examples/mqttload [-clients n] [-term pid] address
//
// With -term it sends SIGTERM to that process once all of them are at it, so that a
// broker can be seen to stop under load.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

func main() {
	clients := flag.Int("clients", 200, "how many")
	term := flag.Int("term", 0, "send SIGTERM to this `process` when all clients are busy")
	flag.Parse()
	if flag.NArg() != 1 || *clients < 1 {
		fmt.Fprintln(os.Stderr, "mqttload: want one address, as in mqttload -clients 200 127.0.0.1:1883")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *clients, *term); err != nil {
		fmt.Fprintln(os.Stderr, "mqttload:", err)
		os.Exit(1)
	}
}

// run returns when all clients have lost their connections. One that could not
// connect is an error.
func run(address string, n, term int) error {
	var all []*client
	defer func() {
		for _, c := range all {
			_ = c.conn.Close() // it is lost already, or we give up
		}
	}()
	for i := range n {
		c, err := dial(address, i)
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		all = append(all, c)
	}
	var acknowledged atomic.Int64
	busy := make(chan struct{})
	var talking sync.WaitGroup
	for _, c := range all {
		talking.Go(func() {
			c.talk(func() {
				if acknowledged.Add(1) == int64(10*n) {
					close(busy)
				}
			})
		})
	}
	lost := make(chan struct{})
	go func() { talking.Wait(); close(lost) }()
	select {
	case <-busy:
	case <-lost:
		return errors.New("the connections were lost before the clients got busy")
	}
	fmt.Printf("%d clients are busy\n", n)
	if term != 0 {
		if err := syscall.Kill(term, syscall.SIGTERM); err != nil {
			return fmt.Errorf("SIGTERM to %d: %w", term, err)
		}
	}
	<-lost
	fmt.Printf("all connections have ended\n")
	return nil
}

// A client is one connection. It subscribes to the topic that it publishes to, with
// some others.
type client struct {
	conn  net.Conn
	in    *bufio.Reader
	topic string
}

const (
	perTopic = 10
	patience = 10 * time.Second // for a broker that does not listen yet
)

func dial(address string, i int) (*client, error) {
	conn, err := net.Dial("tcp", address)
	for begin := time.Now(); errors.Is(err, syscall.ECONNREFUSED) && time.Since(begin) < patience; {
		time.Sleep(10 * time.Millisecond) // the broker may have been started just now
		conn, err = net.Dial("tcp", address)
	}
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, in: bufio.NewReader(conn), topic: fmt.Sprint("load/", i/perTopic)}
	if err := c.introduce(fmt.Sprint("mqttload-", i)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// introduce connects and subscribes.
func (c *client) introduce(id string) error {
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion = "MQTT", 4
	hello.ClientIdentifier, hello.CleanSession = id, true
	if err := hello.Write(c.conn); err != nil {
		return err
	}
	answer, err := packets.ReadPacket(c.in)
	if err != nil {
		return err
	}
	if ack, ok := answer.(*packets.ConnackPacket); !ok || ack.ReturnCode != packets.Accepted {
		return fmt.Errorf("the broker answered %v to a CONNECT", answer)
	}
	subscribe := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	subscribe.MessageID, subscribe.Topics, subscribe.Qoss = 1, []string{c.topic}, []byte{1}
	return subscribe.Write(c.conn)
}

// talk publishes, and acknowledges what others publish, until the connection is lost.
// It calls done for each message that the broker has acknowledged.
func (c *client) talk(done func()) {
	for err := c.publish(); err == nil; {
		var packet packets.ControlPacket
		if packet, err = packets.ReadPacket(c.in); err != nil {
			return // that is what we wait for
		}
		switch p := packet.(type) {
		case *packets.PubackPacket:
			done()
			err = c.publish()
		case *packets.PublishPacket:
			ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
			ack.MessageID = p.MessageID
			err = ack.Write(c.conn)
		}
	}
}

func (c *client) publish() error {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Qos, p.MessageID, p.Payload = c.topic, 1, 1, []byte("x")
	return p.Write(c.conn)
}
