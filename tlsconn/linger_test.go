package tlsconn_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/coppice-go/coppice/tlsconn"
)

// A client of TLS 1.3 has sent a request before the server has seen that there is no
// certificate. It can send all of it, and then reads why it was refused.
func TestRefusalIsHeard(t *testing.T) {
	ctx, _ := node(t)
	w := newWorld()
	s := w.serving(t, ctx, tlsconn.Spec{ClientAuth: tlsconn.RequireClientCert})
	for range 20 {
		raw, client := tcpPair(t)
		told := make(chan error, 1)
		go func() {
			defer client.Close()
			c := tls.Client(client, w.trusting())
			for range 32 {
				if _, err := c.Write(make([]byte, 1024)); err != nil {
					told <- err
					return
				}
			}
			told <- until(c)
		}()
		_, err := s.Handshake(ctx, raw, idler(t, ctx))
		if f := faultOf(t, err); f.Class != tlsconn.ClientNotTrusted {
			t.Errorf("the server says %v", f)
		}
		if err := <-told; err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("the client was told %v", err)
		}
	}
}
