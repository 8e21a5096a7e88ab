package tlsconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
	"github.com/coppice-go/coppice/process/statem"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A Client keeps one connection with a server: it dials, has the server prove its
// name, and when the connection ends, whyever, it waits a little and dials again.
// Its methods may be called from anywhere.
//
//	db := tlsconn.NewClient(tlsconn.ClientSpec{Address: "db.example.com:5432"})
//	{ID: "db", Start: db.Start}  // below a supervisor
//	c, err := db.Conn(ctx)       // anywhere
type Client struct {
	spec  ClientSpec
	wrong error // with the spec
	ep    *endpoint

	mu sync.Mutex
	// Guarded by mu.
	pid     process.PID
	conn    *Conn         // nil: there is none
	changed chan struct{} // closed when there is one
	last    error         // how the last attempt failed; nil after a success
	served  []Served
}

// NewClient makes a Client. It does nothing before [Client.Start], which also
// tells what is wrong with the Spec.
func NewClient(spec ClientSpec) *Client {
	c := &Client{wrong: spec.validate(), changed: make(chan struct{})}
	c.spec = spec.withDefaults()
	c.ep = c.spec.endpoint(&tally{})
	return c
}

// StartClient is [NewClient] and [Client.Start].
func StartClient(ctx context.Context, spec ClientSpec) (*Client, error) {
	c := NewClient(spec)
	_, err := c.Start(ctx)
	return c, err
}

// Start starts the process that keeps the connection, linked to the caller, and
// does not wait for the connection. The error says what is wrong with the Spec and
// its files. After its end it may be started again, as a supervisor does.
func (c *Client) Start(ctx context.Context) (process.PID, error) {
	if c.wrong != nil {
		return process.PID{}, c.wrong
	}
	ref, err := clientMachine.With(func(t *statem.Turn[clientEvent]) (phase, *courtship, error) {
		return c.begin(t)
	}).Start(ctx)
	return ref.PID(), err
}

// Conn returns the connection, and waits for one if there is none. It belongs to
// the Client: others use it, and whoever closes it has the Client dial anew. When
// ctx is done first, the error also says how the last attempt failed.
func (c *Client) Conn(ctx context.Context) (*Conn, error) {
	for {
		c.mu.Lock()
		conn, changed, pid := c.conn, c.changed, c.pid
		c.mu.Unlock()
		if pid.IsZero() {
			return nil, fmt.Errorf("tlsconn: client %q is not started: Start it before it is asked for a connection", c.spec.Name)
		}
		if conn != nil && conn.Err() == nil {
			return conn, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, c.none(whyDone(ctx))
		}
	}
}

// none says why there is no connection.
func (c *Client) none(cause error) error {
	err := fmt.Errorf("tlsconn: client %q has no connection: %w", c.spec.Name, cause)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil {
		err = fmt.Errorf("%w; the last attempt: %w", err, c.last)
	}
	return err
}

// Counts returns how many faults of each class there were.
func (c *Client) Counts() map[Class]uint64 { return c.ep.info().Faults }

// Info returns what there is to know. Serving is our certificate, if there is one.
func (c *Client) Info() Info {
	info := c.ep.info()
	c.mu.Lock()
	defer c.mu.Unlock()
	info.Serving = c.served
	return info
}

// set makes a connection known, or, with nil, that there is none and why.
func (c *Client) set(conn *Conn, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	had := c.conn
	c.conn, c.last = conn, why
	switch {
	case conn != nil:
		close(c.changed)
	case had != nil:
		c.changed = make(chan struct{})
	}
}

// A phase is what a Client is doing.
type phase int

const (
	connecting phase = iota
	up
	waiting // before it dials again
)

func (p phase) String() string { return [...]string{"connecting", "up", "waiting"}[p] }

// A courtship is what the process of a Client keeps to itself.
type courtship struct {
	*Client
	files    identity.Rotation
	pair     *identity.Pair
	ages     time.Time              // when its end comes nearer
	cache    tls.ClientSessionCache // nil: no tickets
	keys     *keyLog
	trying   *Conn // in phases connecting and up
	failures int   // in a row
	since    time.Time
	raised   map[string]bool // IDs of alarms
}

type clientEvent interface{ isClientEvent() }

type (
	won     struct{ c *Conn } // the connection is established
	lost    struct{ process.Down }
	again   struct{} // it has waited long enough
	noticed struct{} // there is something in the tally
	due     struct{} // it is time to look at it
	aged    struct{} // the end of the certificate has come nearer
)

func (won) isClientEvent()     {}
func (lost) isClientEvent()    {}
func (again) isClientEvent()   {}
func (noticed) isClientEvent() {}
func (due) isClientEvent()     {}
func (aged) isClientEvent()    {}

// The time-outs that go on whatever the phase is.
const (
	telling statem.Timeout = "tell"
	aging   statem.Timeout = "certificate"
)

var clientMachine = statem.Must(statem.New(statem.Spec[phase, clientEvent, courtship]{
	States: map[phase]statem.State[phase, clientEvent, courtship]{
		connecting: {Enter: (*courtship).dial, On: (*courtship).onConnecting, To: []phase{up, waiting}},
		up:         {Enter: (*courtship).won, On: (*courtship).onUp, To: []phase{waiting}},
		waiting:    {Enter: (*courtship).wait, On: (*courtship).onWaiting, To: []phase{connecting}},
	},
	TrapExit:  true,
	Terminate: (*courtship).terminate,
	Inspect:   func(w *courtship) any { return struct{ Server string }{w.spec.Address} },
}))

func (c *Client) begin(t *statem.Turn[clientEvent]) (phase, *courtship, error) {
	ctx := t.Context()
	if err := c.claim(ctx); err != nil {
		return connecting, nil, err
	}
	w := &courtship{Client: c, files: identity.Rotation{Files: c.spec.Files, Every: process.Infinity}, raised: make(map[string]bool)}
	if err := w.look(ctx); err != nil {
		return connecting, nil, fmt.Errorf("tlsconn: client %q does not start:\n%w", c.spec.Name, err)
	}
	var err error
	if w.keys, err = newKeyLog(ctx, c.spec.Name, c.spec.KeyLog); err != nil {
		return connecting, nil, fmt.Errorf("tlsconn: client %q does not start: KeyLog: %w", c.spec.Name, err)
	}
	self, err := statem.As[clientEvent](process.Self(ctx))
	if err != nil {
		return connecting, nil, err
	}
	c.ep.tally.attend(func() {
		// Refused only when it has ended; its Terminate has told the rest.
		_ = self.Cast(ctx, noticed{})
	})
	return connecting, w, nil
}

// claim makes the calling process the one of the Client.
func (c *Client) claim(ctx context.Context) error {
	c.mu.Lock()
	before := c.pid
	c.mu.Unlock()
	if !outlived(ctx, before) || !c.replace(before, process.Self(ctx)) {
		return fmt.Errorf("tlsconn: client %q is started already", c.spec.Name)
	}
	return nil
}

func (c *Client) replace(before, by process.PID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid != before {
		return false
	}
	c.pid = by
	return true
}

// look reads the files, as before each attempt. If they cannot be used now, what
// was good is used on.
func (w *courtship) look(ctx context.Context) error {
	change, err := w.files.Look(time.Now())
	w.noted(ctx, change)
	if change.Pair == nil {
		return err
	}
	if !change.Fresh {
		return nil
	}
	if !w.spec.NoTickets {
		w.cache = tls.NewLRUClientSessionCache(1) // the old sessions were another one's
	}
	w.ep.alarms(ctx, w.ep.tally.forgive())
	if change.Pair.TLS() != nil {
		w.mu.Lock()
		w.served = []Served{servedBy(change.Pair, w.spec.Files)}
		w.mu.Unlock()
	}
	return nil
}

// dial starts a connection. That it is established, or has ended, it says itself.
func (w *courtship) dial(t *statem.Turn[clientEvent], _ phase) error {
	ctx := t.Context()
	if err := w.look(ctx); err != nil {
		return err
	}
	w.age(t)
	self, err := statem.As[clientEvent](process.Self(ctx))
	if err != nil {
		return err
	}
	l := w.spec.connection(w.ep, w.spec.config(materialOf(w.pair), w.cache, w.keys.writer()), w.spec.Timeout)
	l.announce = func() {
		// A client that has ended has no use for it.
		_ = self.Cast(l.c.ctx, won{l.c})
	}
	if err := l.start(ctx); err != nil {
		return err
	}
	w.trying = l.c
	_, err = statem.Monitor(ctx, l.c.PID(), func(d process.Down) clientEvent { return lost{d} })
	return err
}

func (w *courtship) onConnecting(t *statem.Turn[clientEvent], ev clientEvent) (phase, error) {
	switch ev := ev.(type) {
	case won:
		return up, nil
	case lost:
		w.failures++
		w.set(nil, w.trying.Err())
		w.despair(t.Context())
		return waiting, nil
	default:
		return w.always(t, connecting, ev)
	}
}

func (w *courtship) won(t *statem.Turn[clientEvent], _ phase) error {
	w.since = time.Now()
	w.set(w.trying, nil)
	w.hope(t.Context())
	return nil
}

// onUp waits for the end. A connection that did not live long counts as a
// failure: a server that throws us out at once is not to be dialled at once.
func (w *courtship) onUp(t *statem.Turn[clientEvent], ev clientEvent) (phase, error) {
	if _, ok := ev.(lost); !ok {
		return w.always(t, up, ev)
	}
	if time.Since(w.since) >= w.spec.Backoff.Max {
		w.failures = 0
	}
	w.failures++
	w.set(nil, w.trying.Err())
	return waiting, nil
}

func (w *courtship) wait(t *statem.Turn[clientEvent], _ phase) error {
	w.trying = nil
	t.Timeout(statem.StateTimeout, w.spec.Backoff.wait(w.failures), again{})
	return nil
}

func (w *courtship) onWaiting(t *statem.Turn[clientEvent], ev clientEvent) (phase, error) {
	if _, ok := ev.(again); ok {
		return connecting, nil
	}
	return w.always(t, waiting, ev)
}

func (w *courtship) always(t *statem.Turn[clientEvent], in phase, ev clientEvent) (phase, error) {
	ctx, now := t.Context(), time.Now()
	switch ev.(type) {
	case noticed:
		t.Timeout(telling, tick, due{})
	case due:
		w.ep.report(ctx, now, false)
		if !w.ep.tally.settled(now) {
			t.Timeout(telling, tick, due{})
		}
	case aged:
		w.noted(ctx, w.files.Age(now))
		w.age(t)
	default:
		return in, fmt.Errorf("tlsconn: unexpected %T in phase %v", ev, in)
	}
	return in, nil
}

// age has us told when the end of the certificate comes nearer.
func (w *courtship) age(t *statem.Turn[clientEvent]) {
	if w.ages.IsZero() {
		t.Cancel(aging)
		return
	}
	t.TimeoutAt(aging, w.ages, aged{})
}

// terminate ends the connection with a goodbye: its process would do that anyway,
// but later.
func (w *courtship) terminate(t *statem.Turn[clientEvent], _ phase, reason error) error {
	ctx := t.Context()
	w.ep.tally.attend(nil)
	var told error
	if w.trying != nil {
		told = w.trying.Close()
	}
	w.set(nil, errors.Join(reason, told))
	for id := range w.raised {
		clearAlarm(ctx, id)
	}
	w.ep.report(ctx, time.Now(), true)
	return w.keys.close()
}

// alarmAfter is how many failures in a row are an alarm.
const alarmAfter = 5

// despair sets the alarm when it is time to.
func (w *courtship) despair(ctx context.Context) {
	if id := w.ep.alarm("no connection"); w.failures >= alarmAfter && !w.raised[id] {
		w.raised[id] = true
		setAlarm(ctx, alarm.Alarm{ID: id, Text: fmt.Sprintf("%d attempts in a row have failed", w.failures), Err: w.trying.Err()})
	}
}

// hope clears it.
func (w *courtship) hope(ctx context.Context) {
	if id := w.ep.alarm("no connection"); w.raised[id] {
		delete(w.raised, id)
		clearAlarm(ctx, id)
	}
}

// noted tells of what a look at the files came to.
func (w *courtship) noted(ctx context.Context, c identity.Change) {
	w.pair, w.ages = c.Pair, c.Next
	for _, one := range c.Alarms {
		id := w.ep.alarm(string(one.Kind))
		if w.raised[id] = one.Set; one.Set {
			setAlarm(ctx, alarm.Alarm{ID: id, Text: one.Text, Err: one.Err})
		} else {
			delete(w.raised, id)
			clearAlarm(ctx, id)
		}
	}
}
