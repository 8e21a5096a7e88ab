package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coppice-go/coppice/tlsconn/identity"
)

// What connections cost is measured apart from what processes cost: it takes a
// server of a side's own, and clients that are none of it.

// sides are whose connections are measured.
var sides = []peer{
	{name: "coppice", role: own, dir: "coppice"},
	{name: "raw", role: baseline, dir: "raw"},
}

// connRows is the table of connections. The order is that in which they are
// measured.
var connRows = []row{
	{"tcp visit", "TCP: accept, echo, close", "µs", []goal{overRaw(1.3)}},
	{"tcp echo", "TCP: echo", "µs", []goal{overRaw(1.3)}},
	{"tcp echo idle", "TCP: echo, with {n} idle", "µs", []goal{overRaw(1.3)}},
	{"tcp wake", "TCP: echo, of one of {n} that were idle", "µs", nil},
	{"tcp resident", "TCP: an idle connection, resident", "bytes", []goal{overRaw(1), overRaw(0.5)}},
	{"tcp in use", "TCP: an idle connection, heap and stacks", "bytes", []goal{overRaw(1), overRaw(0.5)}},
	{"tls visit", "TLS: accept, handshake, echo, close", "µs", []goal{overRaw(1.3)}},
	{"tls echo", "TLS: echo", "µs", []goal{overRaw(1.3)}},
	{"tls echo idle", "TLS: echo, with {n} idle", "µs", []goal{overRaw(1.3)}},
	{"tls wake", "TLS: echo, of one of {n} that were idle", "µs", nil},
	{"tls resident", "TLS: an idle connection, resident", "bytes", []goal{overRaw(1), overRaw(0.5)}},
	{"tls in use", "TLS: an idle connection, heap and stacks", "bytes", []goal{overRaw(1), overRaw(0.5)}},
}

// overRaw is a goal: at most that many times what the raw side needs.
func overRaw(x float64) goal {
	return goal{text: fmt.Sprintf("at most %v times raw", x), kind: notAbove, x: x, of: "raw"}
}

// connSizes say how much: N idle connections, K operations.
var connSizes = []size{
	{name: "tiny", rounds: 1, limit: time.Minute, sizes: connCounts(200, 300, 100, 1000)},
	{name: "small", rounds: 3, limit: time.Minute, sizes: connCounts(2000, 5000, 1000, 20_000)},
	{name: "two", rounds: 3, limit: time.Minute, sizes: connCounts(10_000, 8000, 1500, 40_000)},
	{name: "night", rounds: 11, limit: 3 * time.Minute, sizes: connCounts(10_000, 40_000, 8000, 200_000)},
}

func connCounts(idle, tcpVisits, tlsVisits, echoes int) map[string]counts {
	return map[string]counts{
		"tcp visit": {K: tcpVisits}, "tls visit": {K: tlsVisits},
		"tcp echo": {K: echoes}, "tls echo": {K: echoes},
		"tcp idle": {N: idle, K: echoes}, "tls idle": {N: idle, K: echoes},
	}
}

// runConns is run, of connections.
func (o options) runConns(ctx context.Context) error {
	if o.from != "" {
		r := &report{}
		if err := load(o.from, r); err != nil {
			return err
		}
		return publish(o.from, r.connFiles)
	}
	r, err := o.measureConns(ctx)
	if err != nil {
		return err
	}
	fmt.Print(connTable(r))
	if err := o.keep(r, r.Machine, r.connFiles); err != nil {
		return err
	}
	return r.own()
}

// measureConns builds the servers of both sides and measures them.
func (o options) measureConns(ctx context.Context) (*report, error) {
	i := slices.IndexFunc(connSizes, func(s size) bool { return s.name == o.size })
	if i < 0 {
		return nil, fmt.Errorf("there is no size %q: use tiny, small, two or night", o.size)
	}
	s := connSizes[i]
	if o.rounds > 0 {
		s.rounds = o.rounds
	}
	dir, err := os.MkdirTemp("", "conns")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	m := meter{bench: bench{dir: dir, procs: o.procs}, size: s, only: split(o.work), profile: o.profile}
	if m.files, m.secure, err = identify(dir); err != nil {
		return nil, err
	}
	r := &report{Command: strings.Join(append([]string{"go run ."}, os.Args[1:]...), " "), Size: s.name, Sizes: s.sizes,
		Machine: thisMachine(o.procs), Versions: map[string]string{}}
	if m.sides, err = chosenSides(split(o.peers)); err != nil {
		return nil, err
	}
	for _, p := range m.sides {
		if err := m.compile(ctx, "./conns/", p); err != nil {
			return nil, err
		}
		if r.Versions[p.name], err = m.version(p); err != nil {
			return nil, fmt.Errorf("version of %s: %w", p.name, err)
		}
	}
	r.Began = time.Now().UTC().Truncate(time.Second)
	r.Cells, err = m.measure(ctx, func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	r.Took = time.Since(r.Began).Round(time.Second).String()
	return r, err
}

func chosenSides(names []string) (out []peer, err error) {
	for _, p := range sides {
		if len(names) == 0 || slices.Contains(names, p.name) {
			out = append(out, p)
		}
	}
	if len(out) < len(names) {
		return nil, fmt.Errorf("%q: the sides are coppice and raw", names)
	}
	return out, nil
}

// identify makes a certificate for the servers, and has their clients trust it.
func identify(dir string) (f identity.Files, conf *tls.Config, err error) {
	f = identity.Files{Cert: filepath.Join(dir, "server.crt"), Key: filepath.Join(dir, "server.key"), Names: []string{"127.0.0.1"}}
	if _, err := identity.EnsureSelfSigned(f, 60*24*time.Hour, time.Now()); err != nil {
		return f, nil, err
	}
	pem, err := os.ReadFile(f.Cert)
	if err != nil {
		return f, nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return f, nil, errors.New("the certificate that was made is none")
	}
	return f, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13}, nil
}
