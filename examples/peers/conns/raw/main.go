// Raw echoes with package net, crypto/tls and a goroutine for each connection: as
// little as a Go program can do. It has no limits, no deadlines and no handshake
// time-out, logs nothing, and a panic ends it.
package main

import (
	"crypto/tls"
	"net"

	"github.com/coppice-go/coppice/examples/peers/conns/control"
)

func main() { control.Main(serve) }

func serve(o control.Order) (string, func() error, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	secure := func(c net.Conn) net.Conn { return c }
	if o.TLS {
		pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return "", nil, err
		}
		conf := &tls.Config{Certificates: []tls.Certificate{pair}}
		secure = func(c net.Conn) net.Conn { return tls.Server(c, conf) }
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go echo(secure(c))
		}
	}()
	return ln.Addr().String(), ln.Close, nil
}

// echo has a buffer as long as that of a connection of package acceptor.
func echo(c net.Conn) {
	defer c.Close()
	var b [512]byte
	for {
		n, err := c.Read(b[:])
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}
