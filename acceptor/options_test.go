package acceptor

import (
	"bufio"
	"context"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
	"pgregory.net/rapid"
)

func someProtocol() Handler {
	return Protocol[int]{
		New:   func(context.Context, *Conn) (*int, error) { return new(int), nil },
		Split: bufio.ScanLines,
		Frame: func(context.Context, *int, []byte) error { return nil },
	}
}

// Every field of Options is one of Spec, of the same type, and options takes
// them all along.
func TestOptionsAreOfSpec(t *testing.T) {
	spec := Spec{
		MaxConnections: 1, Overflow: Refuse, SoftConnections: 2, SoftWait: 3, Rate: 4, Burst: 5,
		Access: []Rule{{}}, Alarms: []Alarm{{}}, Protocol: someProtocol(), HandshakeTimeout: 6,
	}
	o := reflect.ValueOf(spec.options())
	for f, v := range o.Fields() {
		in, ok := reflect.TypeFor[Spec]().FieldByName(f.Name)
		if !ok || in.Type != f.Type {
			t.Errorf("Options.%s is no field of Spec with that type", f.Name)
		}
		if v.IsZero() {
			t.Errorf("options leaves %s out", f.Name)
		}
	}
}

// The same for Binding, which also goes back into a Spec.
func TestBindingIsOfSpec(t *testing.T) {
	spec := Spec{
		Network: "unix", Address: "x", Mode: 1, Sockets: 2, Socket: Socket{Backlog: 3}, Acceptors: 4, Proxy: &Proxy{},
		Listening: func(context.Context, []net.Listener) error { return nil }, Transport: plain{1}, Upgrade: plain{2},
	}
	b := reflect.ValueOf(spec.binding())
	back := reflect.ValueOf(Spec{}.with(spec.binding()))
	for f, v := range b.Fields() {
		in, ok := reflect.TypeFor[Spec]().FieldByName(f.Name)
		if !ok || in.Type != f.Type {
			t.Errorf("Binding.%s is no field of Spec with that type", f.Name)
		}
		if v.IsZero() || back.FieldByName(f.Name).IsZero() {
			t.Errorf("%s is left out", f.Name)
		}
	}
}

// plain is a Transport that can be compared.
type plain struct{ n int }

func (plain) Start(context.Context) (process.PID, error) { return process.PID{}, process.ErrIgnore }

func (plain) Handshake(_ context.Context, raw net.Conn, _ process.PID) (net.Conn, error) {
	return raw, nil
}

// odd is one that cannot.
type odd struct {
	plain
	_ []int
}

func TestSameTransport(t *testing.T) {
	p := &odd{}
	for _, c := range []struct {
		a, b Transport
		want bool
	}{
		{nil, nil, true}, {nil, plain{1}, false}, {plain{1}, nil, false}, {plain{1}, plain{1}, true}, {plain{1}, plain{2}, false},
		{odd{}, odd{}, false}, {odd{}, plain{}, false}, {p, p, true}, {p, &odd{}, false},
	} {
		if got := sameTransport(c.a, c.b); got != c.want {
			t.Errorf("%#v and %#v are one: %v", c.a, c.b, got)
		}
	}
}

// When sockets may stay open, and which may be in the way of others.
func TestKeeps(t *testing.T) {
	of := func(b Binding) *binding { return newBinding(Spec{}.with(b)) }
	was := Binding{Address: ":80", Acceptors: 4}
	control := func(string, string, syscall.RawConn) error { return nil }
	for name, c := range map[string]struct {
		edit func(*Binding)
		want bool
	}{
		"nothing":         {func(*Binding) {}, true},
		"its own default": {func(b *Binding) { b.Network, b.Sockets = "tcp", 1 }, true},
		"of connections": {func(b *Binding) {
			b.Transport, b.Proxy, b.Socket = plain{}, &Proxy{}, Socket{Backlog: 1, Delay: true, ReadBuffer: 1}
		}, true},
		"Network":   {func(b *Binding) { b.Network = "tcp4" }, false},
		"Address":   {func(b *Binding) { b.Address = ":81" }, false},
		"Mode":      {func(b *Binding) { b.Mode = 1 }, false},
		"Sockets":   {func(b *Binding) { b.Sockets = 2 }, false},
		"Acceptors": {func(b *Binding) { b.Acceptors = 5 }, false},
		"Multipath": {func(b *Binding) { b.Socket.Multipath = true }, false},
		"Control":   {func(b *Binding) { b.Socket.Control = control }, false},
	} {
		to := was
		c.edit(&to)
		if of(was).keeps(of(to)) != c.want || of(to).keeps(of(was)) != c.want {
			t.Errorf("%s: sockets stay: %v, want %v", name, !c.want, c.want)
		}
	}
	file := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(filepath.Dir(file), ".", "s2")
	for _, c := range []struct {
		at   net.Addr
		to   string
		want bool
	}{
		{&net.TCPAddr{Port: 80}, ":80", true}, {&net.TCPAddr{Port: 80}, "10.0.0.1:http", true}, {&net.TCPAddr{Port: 80}, ":81", false},
		{&net.TCPAddr{Port: 80}, "nonsense", false}, {&net.UDPAddr{Port: 53}, ":53", true}, {&net.UnixAddr{Name: file}, file, true},
		{&net.UnixAddr{Name: file}, filepath.Dir(file) + "/../" + filepath.Base(filepath.Dir(file)) + "/s", true},
		{&net.UnixAddr{Name: file}, other, false}, {&net.UnixAddr{Name: "@a"}, "@a", true}, {nil, ":80", false},
	} {
		if got := of(was).inTheWay(c.at, of(Binding{Address: c.to})); got != c.want {
			t.Errorf("%v in the way of %s: %v", c.at, c.to, got)
		}
	}
}

func TestOptionFaults(t *testing.T) {
	for want, edit := range map[string]func(*Options){
		"Protocol is missing":            func(o *Options) { o.Protocol = nil },
		"New is missing":                 func(o *Options) { o.Protocol = Protocol[int]{} },
		"MaxConnections is -1":           func(o *Options) { o.MaxConnections = -1 },
		"Overflow is 7":                  func(o *Options) { o.Overflow = 7 },
		"SoftConnections is -1":          func(o *Options) { o.SoftConnections = -1 },
		"soft limit is the lower one":    func(o *Options) { o.MaxConnections, o.SoftConnections = 5, 5 },
		"SoftWait is -2ns":               func(o *Options) { o.SoftWait = -2 },
		"Rate is -1":                     func(o *Options) { o.Rate = -1 },
		"Rate is NaN":                    func(o *Options) { o.Rate = math.NaN() },
		"Rate is +Inf":                   func(o *Options) { o.Rate = math.Inf(1) },
		"Burst is -1":                    func(o *Options) { o.Rate, o.Burst = 1, -1 },
		"and set Rate":                   func(o *Options) { o.Burst = 1 },
		"Access[1]: From is not a CIDR":  func(o *Options) { o.Access = []Rule{{}, {From: netip.PrefixFrom(netip.IPv4Unspecified(), 99)}} },
		`Alarms[0] "": Name is missing`:  func(o *Options) { o.Alarms = []Alarm{{Threshold: 1}} },
		`Alarms[1] "a": there is`:        func(o *Options) { o.Alarms = []Alarm{{Name: "a", Threshold: 1}, {Name: "a", Threshold: 2}} },
		`Alarms[0] "a": Threshold is 0`:  func(o *Options) { o.Alarms = []Alarm{{Name: "a"}} },
		`Alarms[0] "a": Cooldown is -1s`: func(o *Options) { o.Alarms = []Alarm{{Name: "a", Threshold: 1, Cooldown: -time.Second}} },
		"HandshakeTimeout is -2ns":       func(o *Options) { o.HandshakeTimeout = -2 },
	} {
		o := Options{Protocol: someProtocol()}
		if faults := o.faults(false); len(faults) > 0 {
			t.Fatalf("the zero options are refused: %v", faults)
		}
		edit(&o)
		var all []string
		for _, err := range o.faults(false) {
			all = append(all, err.Error())
		}
		if got := strings.Join(all, "\n"); !strings.Contains(got, want) {
			t.Errorf("want a fault with %q, got %q", want, got)
		}
	}
}

// Options that are in force share no memory with those that were given, count
// versions, and keep the meter going.
func TestSettle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s *settings
		for i := range rapid.IntRange(1, 5).Draw(t, "changes") {
			o := Options{
				Protocol: someProtocol(),
				Rate:     float64(rapid.IntRange(0, 3).Draw(t, "rate")),
				Access:   []Rule{{Deny: rapid.Bool().Draw(t, "deny")}},
				Alarms:   []Alarm{{Name: "a", Threshold: 1}},
			}
			before := s
			s = o.settle(before, time.Now())
			deny := o.Access[0].Deny
			o.Access[0].Deny, o.Alarms[0].Name = !deny, "b"
			c := s.clone()
			c.Access[0].Deny, c.Alarms[0].Name = !deny, "c"
			if s.version != i || s.Access[0].Deny != deny || s.access[0].Deny != deny || s.Alarms[0].Name != "a" {
				t.Fatalf("change %d is version %d: %+v", i, s.version, s.Options)
			}
			if (s.meter == nil) != (o.Rate == 0) || before != nil && before.meter != nil && s.meter != nil && s.meter != before.meter {
				t.Fatal("the meter began anew")
			}
		}
	})
}

func TestOp(t *testing.T) {
	for op, want := range map[Op][3]bool{"<": {true, false, false}, "<=": {true, true, false}, "==": {false, true, false}, ">=": {false, true, true}, ">": {false, false, true}} {
		for i, have := range []int{4, 5, 6} {
			if got := op.holds(have, 5); got != want[i] {
				t.Errorf("%d %s 5 is %v", have, op, got)
			}
		}
		if err := op.fault(5); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		op Op
		n  int
	}{{"=", 1}, {"", 0}, {"=<", 1}, {"==", -1}, {"<", 0}} {
		if c.op.fault(c.n) == nil {
			t.Errorf("%q %d was not refused", c.op, c.n)
		}
		if c.op == "=" && c.op.holds(1, 1) {
			t.Errorf("%q holds", c.op)
		}
	}
}
