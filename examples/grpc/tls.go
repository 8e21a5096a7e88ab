package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
)

// overTLS are the credentials of a server whose connections have had their handshake
// already.
type overTLS struct {
	ctx context.Context // that of Serve
}

// A caller is what is known of a connection, by each call that comes on it.
type caller struct {
	credentials.TLSInfo
	conn context.Context // acts for its process
}

// ServerHandshake implements credentials.TransportCredentials.
func (o overTLS) ServerHandshake(c net.Conn) (net.Conn, credentials.AuthInfo, error) {
	t, ok := c.(*tls.Conn)
	if !ok {
		return nil, nil, fmt.Errorf("the listener gives a %T: it needs a Transport of package tlsconn", c)
	}
	state, conn := t.ConnectionState(), acceptor.ConnContext(o.ctx, c)
	if state.NegotiatedProtocol != "h2" {
		// gRPC closes the connection, and keeps to itself why.
		process.Emit(conn, process.Event{Kind: process.Network, Level: process.LevelWarn, Text: "connection refused", Reason: errNotHTTP2})
		return nil, nil, errNotHTTP2
	}
	return c, caller{
		TLSInfo: credentials.TLSInfo{
			State:          state,
			CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		},
		conn: conn,
	}, nil
}

// errNotHTTP2 is for clients that know of ALPN and speak HTTP/1.1, and those that do
// not know of it: crypto/tls lets both in.
var errNotHTTP2 = errors.New("the client has not asked for HTTP/2 (ALPN h2), which gRPC is spoken over")

// ClientHandshake implements credentials.TransportCredentials. This is a server.
func (overTLS) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.ErrUnsupported
}

// Info implements credentials.TransportCredentials.
func (overTLS) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone implements credentials.TransportCredentials.
func (o overTLS) Clone() credentials.TransportCredentials { return o }

// OverrideServerName implements credentials.TransportCredentials, and is not used.
func (overTLS) OverrideServerName(string) error { return errors.ErrUnsupported }

// callerOf returns whose call this is. Every call comes on a connection that
// ServerHandshake has seen.
func callerOf(ctx context.Context) caller {
	p, _ := peer.FromContext(ctx)
	return p.AuthInfo.(caller)
}

// nameOf is the name that the client has proved to have; "": none.
func nameOf(ctx context.Context) string {
	state := callerOf(ctx).State
	who, _ := tlsconn.PeerOf(&state)
	return who.CommonName
}
