// Package tlsconn makes TLS connections processes, and says how each of them
// failed: once, by a class, to everybody who asks.
//
// A server judges its certificates before it serves, and again whenever the files
// change; each of its connections is a [Conn]:
//
//	s := tlsconn.NewServer(tlsconn.Spec{
//		Files:      identity.Files{Cert: "server.crt", Key: "server.key", ClientCA: "clients.crt"},
//		ClientAuth: tlsconn.RequireClientCert,
//	})
//	pid, err := s.Start(ctx)             // or {ID: "tls", Start: s.Start} below a supervisor
//	sock, err := s.Handshake(ctx, accepted, owner) // a net.Conn; or as the Transport of an acceptor
//	who, ok := sock.(*tlsconn.Conn).Peer()
//
// A client dials once, or keeps a connection:
//
//	c, err := tlsconn.Dial(ctx, tlsconn.ClientSpec{Address: "db.example.com:5432"})
//	db, err := tlsconn.StartClient(ctx, tlsconn.ClientSpec{Address: "db.example.com:5432"})
//	c, err := db.Conn(ctx)
//
// # A connection
//
// Both sides run one table (see [Mermaid]):
//
//	dialing → hello → negotiating → established → closing
//
// There is no state for what has gone wrong. A fault ends the process, which is
// linked to nobody and belongs to an owner, whose end is the connection's; see
// [Conn.Give]. The handshake runs in a process of its own, linked to the
// connection's, that is gone after. Bytes do not pass through any mailbox: Read
// and Write are those of crypto/tls, and what they return is looked at.
//
// # What you may rely on
//
//   - A server that starts can be served from: its files have been judged (see
//     package identity), and a handshake with each identity was rehearsed. What is
//     wrong is told all at once, with file and cure. New files are served only if
//     they could also be started with; until then the last good ones are, and there
//     is an alarm.
//   - Every [Fault] is one event of kind process.Network, one counter, and the
//     reason of one process, in a process.Shutdown; whoever reads, writes, waits for
//     the handshake or gives the connection away gets that same Fault, with class,
//     state, blame and cause. Faults of our own (class [Internal]) are crashes.
//     What a class means to whoever runs the program stands in docs/tls.md.
//   - io.EOF from Read means that the peer has said goodbye. A stream that was cut
//     is class [Truncated], also where crypto/tls says io.EOF.
//   - A handshake takes no longer than the deadline of its ctx, without one 5 s.
//     A goodbye takes a second at most.
//   - However the process ends, a kill before its first instruction included, its
//     socket is closed, its helper is gone, and who waits is told.
//   - Of each class a few events a minute have a [process.Level] that reaches the
//     log. The others are quiet, and told by number at the end of the minute: none
//     is dropped. Health checks that connect and leave only count.
//   - If most peers refuse our certificate, or we theirs, that is an alarm, set where
//     package alarm keeps them, else told as a warning.
//   - With a [Source] certificates come from elsewhere, from an ACME authority for
//     example. All of this holds for them, and challenges by TLS (RFC 8737) are
//     answered on the same port.
//   - No byte of a private key is in a state, message, event, report or error. Keys
//     of sessions are written only to the KeyLog of a Spec, and then loudly.
//
// # Silence
//
// Whoever waits in Read holds a goroutine. A Read that meets its deadline can be tried
// again, so one may also wait at the socket below, see [Conn.Rest]: package acceptor
// does that, and a silent connection has no goroutine there.
//
// # What we ask of you
//
// One goroutine may read and one may write at a time. A Conn that nobody needs any
// more is closed, or its owner ends. Who gives the [Conn.TLS] to code that takes
// nothing else, as http.Server does, gets truncations told as io.EOF there; the
// event, the counter and the reason are right all the same, except that a
// renegotiation refused then looks like a close.
//
// # What is whose
//
// Versions below TLS 1.2 are not spoken; cipher suites and curves are what the Go
// in use finds good. Renegotiation is refused, as crypto/tls does. Errors of
// crypto/tls without a type are told apart by their texts; a test compares those
// with the crypto/tls in use, and another plays each fault, so that a new version
// of Go is noticed there.
//
// # Testing
//
// A connection works over a net.Pipe in a testing/synctest bubble, time-outs
// included. Mind that a pipe holds nothing: two sides that both write, as when a
// handshake is refused halfway, wait for each other until the deadline.
package tlsconn
