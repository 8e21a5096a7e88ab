package tlsconn

// A State is where a connection is in its life. There is none for what has gone
// wrong: a fault ends the connection's process.
type State int

const (
	// Dialing: a client side that has no socket yet.
	Dialing State = iota
	// Hello: the peer has not said anything that could be understood. A server
	// waits for the ClientHello, a client for the answer to its own.
	Hello
	// Negotiating: the peer has said hello; keys and certificates follow.
	Negotiating
	// Established: bytes go through.
	Established
	// Closing: one side has said goodbye (close_notify). What the other still
	// has to say goes through until [Conn.Close].
	Closing
)

var stateNames = [...]string{"dialing", "hello", "negotiating", "established", "closing"}

func (s State) String() string { return stateNames[s] }
