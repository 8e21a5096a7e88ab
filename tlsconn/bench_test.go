package tlsconn_test

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/tlsconn"
)

// What a process costs per handshake and per echo, beside crypto/tls alone.

func BenchmarkHandshake(b *testing.B) {
	benchmark(b, func(b *testing.B, accept func(net.Conn) net.Conn, w *world) {
		ln := listen(b)
		conf := w.trusting()
		b.ReportAllocs()
		for b.Loop() {
			c := dial(b, ln, conf)
			raw, err := ln.Accept()
			if err != nil {
				b.Fatal(err)
			}
			done := make(chan error)
			go func() { done <- c.Handshake() }()
			s := accept(raw)
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			c.Close()
			s.Close()
		}
	})
}

func BenchmarkEcho(b *testing.B) {
	benchmark(b, func(b *testing.B, accept func(net.Conn) net.Conn, w *world) {
		ln := listen(b)
		c := dial(b, ln, w.trusting())
		raw, err := ln.Accept()
		if err != nil {
			b.Fatal(err)
		}
		go c.Handshake()
		s := accept(raw)
		defer s.Close()
		defer c.Close()
		go io.Copy(struct{ io.Writer }{s}, struct{ io.Reader }{s})
		var text [32]byte
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Write(text[:]); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(c, text[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkIdle tells the heap and stacks of a connection that does nothing.
func BenchmarkIdle(b *testing.B) {
	benchmark(b, func(b *testing.B, accept func(net.Conn) net.Conn, w *world) {
		const many = 500
		ln := listen(b)
		var all []net.Conn
		for b.Loop() {
			before := memory()
			for range many {
				c := dial(b, ln, w.trusting())
				raw, err := ln.Accept()
				if err != nil {
					b.Fatal(err)
				}
				done := make(chan error)
				go func() { done <- c.Handshake() }()
				all = append(all, accept(raw))
				if err := <-done; err != nil {
					b.Fatal(err)
				}
				all = append(all, c)
			}
			b.ReportMetric((memory()-before)/many, "bytes/conn")
			for _, c := range all {
				go c.Close()
			}
			all = nil
		}
	})
}

func memory() float64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

func benchmark(b *testing.B, run func(*testing.B, func(net.Conn) net.Conn, *world)) {
	w := newWorld()
	b.Run("crypto/tls", func(b *testing.B) {
		conf := &tls.Config{Certificates: []tls.Certificate{w.server.TLS()}}
		run(b, func(raw net.Conn) net.Conn {
			c := tls.Server(raw, conf)
			if err := c.Handshake(); err != nil {
				b.Fatal(err)
			}
			return c
		}, w)
	})
	b.Run("tlsconn", func(b *testing.B) {
		ctx := processtest.Context(b) // the recorder of node keeps what has ended
		s := w.serving(b, ctx, tlsconn.Spec{})
		run(b, func(raw net.Conn) net.Conn {
			c, err := s.Handshake(ctx, raw, process.PID{})
			if err != nil {
				b.Fatal(err)
			}
			return c
		}, w)
	})
}

func listen(b *testing.B) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	return ln
}

func dial(b *testing.B, ln net.Listener, conf *tls.Config) *tls.Conn {
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	return tls.Client(c, conf)
}
