// Package acceptor turns a listening socket into supervised connections.
//
// A listener is a child like any other: a small tree of acceptors, connection
// supervisors and a gate that keeps the limit. Each connection is one process,
// a server (package process/server) that gets the frames of its peer besides
// the messages of other processes:
//
//	acceptor.Spec{
//		Name:    "tcp",
//		Address: "127.0.0.1:1883",
//		Protocol: acceptor.Protocol[client]{
//			New:   newClient,  // func(context.Context, *acceptor.Conn) (*client, error)
//			Split: splitPackets, // as for a bufio.Scanner
//			Frame: func(ctx context.Context, c *client, packet []byte) error { return c.handle(ctx, packet) },
//			Drain: func(ctx context.Context, c *client) error { return c.goodbye(ctx) },
//		},
//	}
//
//	pid, err := acceptor.Start(ctx, spec)           // or {ID: "tcp", Start: acceptor.StartFunc(spec)} below a supervisor
//	addr, err := acceptor.Addr(ctx, process.Name("tcp"))
//	err = server.Cast(ctx, clientRef, Deliver{...}) // any message of client, from any process
//	err = acceptor.Drain(ctx, process.Name("tcp"), 10*time.Second)
//
// # Other kinds of connections
//
// A [Service] is for what serves a net.Listener by itself, a grpc.Server for
// example: each of its connections is a process too, for as long as the net.Conn is
// open. Package acceptor/httpd makes one of an http.Server. With a [Subtree] each
// connection is a supervisor, whose children share it. A [DrainPlan] takes listeners
// out of service behind load balancers.
//
// # UDP
//
// With the network "udp", "udp4" or "udp6" each peer is a connection: the first
// datagram from an address starts its process, and all of them come to its Frame.
//
//	acceptor.Spec{
//		Name:     "syslog",
//		Network:  "udp",
//		Address:  ":514",
//		Protocol: acceptor.Protocol[source]{New: newSource, Frame: onLine, Idle: time.Minute},
//		MaxConnections: 10000,
//	}
//
// All else is as for streams: limits, Access and Rate, [Connections], [Suspend],
// [Drain], alarms, counters, messages of other processes. What differs:
//
//   - There is no Split, and no Transport. Write sends one datagram.
//   - Nobody tells that a peer has gone, so silence ends it: Idle is 1 min unless
//     it is set. A peer that comes back begins anew.
//   - Nobody waits. A peer above MaxConnections is refused without a word to it; a
//     datagram that finds no room in its peer's Queue is dropped, and counted
//     (Info.Dropped), and so one peer cannot hold up another.
//   - A suspended listener keeps its socket for the peers that there are.
//   - Errors of the socket that an ICMP message causes are about some one peer:
//     they are counted (Info.Aborted). A socket that is broken is opened anew, at
//     the same address, and the peers live on.
//   - A peer that is silent costs no goroutine.
//
// The address of a datagram is what its sender says it is: before you send much
// more than you were sent, have the peer prove that it is there.
//
// # What you may rely on
//
//   - Start returns when connections are accepted. If it cannot be bound, its
//     [*BindError] names the address and what can be done. The socket file that
//     a dead program left behind is removed; nothing else ever is.
//   - A connection's process sees whole frames only, one at a time: half a packet
//     does not keep it from its other messages, and a peer that sends faster
//     than it is served waits.
//   - When a connection ends, however it ends, its socket is closed and its
//     reader is gone; when the peer or the network ends it, the process ends
//     with that reason in a process.Shutdown, which is no crash. A crash ends
//     this connection only.
//   - There are never more than MaxConnections that count, for all acceptors
//     together, whoever of them or of the listener's other processes dies, and
//     whatever is changed meanwhile.
//   - Who is not served is told: by a reset, and at once, except with Overflow
//     Wait, which leaves clients in the operating system's queue until there is
//     room. Acceptors never stop for a Rate, for Access or for want of
//     descriptors.
//   - Every connection that was accepted is counted once: it is refused, or
//     there, or has ended, each with its reason; see [Info].
//   - No error of Accept is ignored. One that is about a single connection is
//     counted. Out of descriptors, acceptors wait, longer each time, in case that
//     it is soon over; then a descriptor kept in reserve lets them reset who
//     comes. Everything else ends the port, which is opened again, on the same
//     address; the connections live on.
//   - What may happen ten thousand times a second is said at once, and then once
//     a minute, with the number of times; nothing is left out of that number.
//   - [Suspend] closes the listening socket and leaves the connections alone;
//     once it has returned no further one arrives. [Drain] also waits for the
//     connections, and says by name which had to be stopped.
//   - Nothing of a handshake happens where connections are accepted: socket
//     options, a PROXY header ([Proxy]) and the [Transport], in this order, are
//     the work of the connection's reader, each within a time.
//   - Every end of a connection is counted once, by its class: [Info].
//   - A listener that stops first accepts no more and then ends its connections,
//     all at once, each with its Terminate.
//
// # Silent peers
//
// A connection has a second process, its reader, in whose goroutine somebody waits
// for the peer's next bytes. When nothing has come for a while (Spec.Silence) the
// reader ends, with its goroutine and its buffers; what it had of a frame is kept.
// One process of the listener then waits for all such peers at once, and starts
// another reader when there is something to read. Nothing else is different: all that
// is promised above holds, and the tests are the same for both.
//
// That is so on Linux, with sockets of the operating system, TCP or unix, also behind
// a PROXY header, and with a [Transport] that allows it, as tlsconn does. Everywhere
// else, and with Silence: process.Infinity, a connection keeps its reader: with a Bind
// of your own whose connections are of another type, over a net.Pipe, with a
// Transport that does not say that it can, and once somebody has asked for the socket
// itself ([Conn.NetConn]), which he might close unnoticed. What this saves is in
// docs/connections.md.
//
// # Limits
//
// MaxConnections, SoftConnections, Rate, Access, Alarms and the Protocol are
// [Options]: [SetOptions] changes them while the listener runs, all that is
// asked for or, if something of it is wrong, nothing. What changes is for
// connections to come; those that there are stay as they are. A connection may
// leave the count with [Conn.Uncount]. [WaitForConnections] waits until there are
// so many, or none.
//
// Where and how a listener is bound, its [Binding] with the Transport, [Rebind]
// changes while it runs: connections stay, and what does not work is undone.
//
// # What we ask of you
//
// Split runs in another process than the rest of the protocol: it is a function
// of its arguments. A frame is not valid once Frame has returned: copy what you
// keep. Only the connection's own process may use its [Conn]; others send it a
// message.
//
// # Where to listen
//
// TCP, with several sockets at one address if one is not enough (Sockets), unix
// sockets, and sockets that the program was started with: Network "systemd" or
// "fd". Socket has the options of the operating system, and Listening is called
// when the address is bound and nobody is accepted yet, say to tell the system
// that the program is ready.
//
// # TLS
//
// A [Transport] makes of an accepted socket the one that carries the protocol. It
// has a process in the listener's tree, started before the address is bound, so
// one that cannot work keeps the listener from starting. A protocol that begins in
// clear changes to it in the middle with [Conn.Upgrade].
//
// # Testing
//
// A Spec's Bind may return a listener of your own whose connections are ends of
// a net.Pipe: then all of it, time-outs included, runs in a testing/synctest
// bubble.
package acceptor
