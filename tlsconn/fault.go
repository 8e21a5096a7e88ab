package tlsconn

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
)

// A Fault is how a connection failed: the one thing from which the event, the
// counter, the reason of the process and the error of whoever reads, writes or
// waits are made. It is a net.Error.
type Fault struct {
	Endpoint string // the Name of its Spec
	Class    Class
	Stage    State // the state that the connection was in
	Blame    Blame
	Peer     net.Addr // nil: there was no socket yet
	SNI      string   // the server name that the client asked for

	// Of the certificate that was refused, with ClientNotTrusted and ServerNotTrusted.
	Subject, Serial string
	// Reason says in a word why a certificate was refused: missing, expired,
	// not_yet_valid, unknown_ca, key_usage, name, weak, signature or other; with
	// ClientNotTLS it is http if the client speaks that.
	Reason string

	Alert Alert // that went with it
	Cause error
}

func (f *Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tlsconn: %v in state %v", f.Class, f.Stage)
	f.Each(func(key string, value any) {
		switch key {
		case "endpoint", "remote", "subject", "serial":
			fmt.Fprintf(&b, ", %s %v", key, value)
		case "sni", "alert", "why":
			fmt.Fprintf(&b, ", %s %s", key, value)
		}
	})
	if f.Cause != nil {
		fmt.Fprintf(&b, ": %v", f.Cause)
	}
	return b.String()
}

// Unwrap returns the Cause.
func (f *Fault) Unwrap() error { return f.Cause }

// ClassName is the name of the Class, for whoever counts ends by class.
func (f *Fault) ClassName() string { return f.Class.String() }

// Timeout implements net.Error.
func (f *Fault) Timeout() bool { return f.Class == HandshakeTimeout || f.Class == Stalled }

// Temporary implements net.Error: a connection that failed stays so.
func (f *Fault) Temporary() bool { return false }

// Each gives what is known, by key, in order. It makes a Fault the Detail of its
// event.
func (f *Fault) Each(yield func(key string, value any)) {
	text := func(key, value string) {
		if value != "" {
			yield(key, value)
		}
	}
	text("endpoint", f.Endpoint)
	yield("class", f.Class.String())
	yield("stage", f.Stage.String())
	yield("blame", f.Blame.String())
	if f.Peer != nil {
		yield("remote", f.Peer.String())
	}
	text("sni", f.SNI)
	text("alert", f.Alert.String())
	text("why", f.Reason)
	text("subject", f.Subject)
	text("serial", f.Serial)
}

// LogValue shows a Fault as its fields.
func (f *Fault) LogValue() slog.Value {
	var attrs []slog.Attr
	f.Each(func(key string, value any) { attrs = append(attrs, slog.Any(key, value)) })
	if f.Cause != nil {
		attrs = append(attrs, slog.String("cause", f.Cause.Error()))
	}
	return slog.GroupValue(attrs...)
}

// A How says how a connection ended that did not fail.
type How int

const (
	Closed     How = iota // by our side: [Conn.Close]
	OwnerGone             // its owner has ended
	GaveUp                // whoever waited for the handshake did not wait any longer
	Stopped               // its process was told to stop
	Killed                // its process was killed
	Challenged            // it was a challenge, and is answered; see [Source]
)

var howRows = [...]struct{ name, says string }{
	{"closed", "our side closed it"},
	{"owner_gone", "its owner ended"},
	{"gave_up", "our side did not wait for the handshake"},
	{"stopped", "its process was told to stop"},
	{"killed", "its process was killed"},
	{"challenged", "an authority's challenge was answered"},
}

func (h How) String() string { return howRows[h].name }

// An EndError is what a connection says that has ended without a fault.
// errors.Is finds net.ErrClosed and the Cause.
type EndError struct {
	How   How
	Stage State    // the state that the connection was in
	Peer  net.Addr // nil: there was no socket yet
	Cause error    // of the owner's end, of the stop; nil: none, or a normal one
}

func (e *EndError) Error() string {
	text := "tlsconn: the connection"
	if e.Peer != nil {
		text += " with " + e.Peer.String()
	}
	text += fmt.Sprintf(" has ended in state %v: %s", e.Stage, howRows[e.How].says)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns net.ErrClosed and the Cause.
func (e *EndError) Unwrap() []error {
	if e.Cause == nil {
		return []error{net.ErrClosed}
	}
	return []error{net.ErrClosed, e.Cause}
}

// ClassName is the name of the How, for whoever counts ends by class.
func (e *EndError) ClassName() string { return e.How.String() }
