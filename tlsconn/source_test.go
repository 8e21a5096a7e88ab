package tlsconn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A vault is a Source: certificates by name, in memory.
type vault struct {
	names []string
	roots string
	fail  error // of Start

	mu        sync.Mutex
	held      map[string][]byte
	started   []process.PID
	challenge *pki.Cert // nil: none is under way
}

func newVault(t testing.TB, root *pki.Cert, names ...string) *vault {
	return &vault{names: names, roots: pki.WriteFile(t, t.TempDir(), "roots.crt", root.PEM()), held: make(map[string][]byte)}
}

func (v *vault) put(c *pki.Cert, name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.held[name+"/cert"], v.held[name+"/key"] = c.ChainPEM(), c.KeyPEM()
}

func (v *vault) ReadFile(name string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if data, ok := v.held[name]; ok {
		return append([]byte(nil), data...), nil
	}
	return nil, fs.ErrNotExist
}

func (v *vault) Start(ctx context.Context) (process.PID, error) {
	if v.fail != nil {
		return process.PID{}, v.fail
	}
	pid, err := process.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
	v.mu.Lock()
	defer v.mu.Unlock()
	v.started = append(v.started, pid)
	return pid, err
}

func (v *vault) pids() []process.PID {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]process.PID(nil), v.started...)
}

func (v *vault) Sites() (all []tlsconn.Site) {
	for _, name := range v.names {
		all = append(all, tlsconn.Site{Files: identity.Files{
			Cert: name + "/cert", Key: name + "/key", From: v, Roots: v.roots, Names: []string{name},
		}})
	}
	return all
}

func (v *vault) Challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.challenge == nil || hello.ServerName != v.names[0] {
		return nil, errors.New("nobody has asked for that")
	}
	cert := v.challenge.TLS()
	return &cert, nil
}

// What a Source has is served by name, and what it has instead later on.
func TestSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, rec := node(t)
		root, clients := pki.CA("root"), pki.CA("clients")
		v := newVault(t, root, "a.example", "b.example")
		v.put(root.Server("a.example"), "a.example")
		v.put(root.Server("b.example"), "b.example")
		s := tlsconn.NewServer(tlsconn.Spec{
			Source:     v,
			ClientAuth: tlsconn.OptionalClientCert,
			Files:      identity.Files{ClientCA: pki.WriteFile(t, t.TempDir(), "clients.crt", clients.PEM())},
		})
		if _, err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
		visited := func(name string, want *pki.Cert) {
			t.Helper()
			state, err := visit(t, ctx, s, &tls.Config{RootCAs: root.Pool(), ServerName: name})
			if err != nil || !state.PeerCertificates[0].Equal(want.Certificate) {
				t.Errorf("%s: served %v, %v", name, state.PeerCertificates, err)
			}
		}
		visited("a.example", root.Server("a.example"))
		visited("b.example", root.Server("b.example"))
		renewed := root.Issue(pki.Want{Name: "b.example", Seed: "renewed", Names: []string{"b.example"}})
		v.put(renewed, "b.example")
		time.Sleep(11 * time.Second)
		visited("b.example", renewed)

		// For another name than it has promised, it is not served.
		v.put(root.Server("c.example"), "b.example")
		if bad, ok := errors.AsType[*identity.Error](s.Reload(ctx)); !ok || !bad.Has(identity.WrongNames) {
			t.Errorf("reload: %v", bad)
		}
		visited("b.example", renewed)
		v.put(renewed, "b.example")
		if got := len(rec.Events(process.Network)); got != 0 {
			t.Errorf("%d faults\n%v", got, rec)
		}
	})
}

// A challenge is answered, and the connection is for nobody. Without one, and for other
// names, it is refused.
func TestChallenge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, rec := node(t)
		root := pki.CA("root")
		proof := pki.Make(pki.Want{Name: "proof", Names: []string{"a.example"}})
		v := newVault(t, root, "a.example", "b.example")
		v.put(root.Server("a.example"), "a.example")
		v.put(root.Server("b.example"), "b.example")
		s := tlsconn.NewServer(tlsconn.Spec{Source: v, ALPN: []string{"h2"}})
		if _, err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
		ask := func(name string, protocols ...string) (tls.ConnectionState, error, error) {
			raw, wire := net.Pipe()
			served := make(chan error, 1)
			go func() {
				_, err := s.Handshake(ctx, raw, process.PID{})
				served <- err
			}()
			c := tls.Client(wire, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: protocols})
			err := c.Handshake()
			go until(wire)
			defer wire.Close()
			return c.ConnectionState(), err, <-served
		}
		if _, err, served := ask("a.example", "acme-tls/1"); err == nil || faultOf(t, served).Class != tlsconn.UnknownName {
			t.Errorf("a challenge that nobody waits for: %v, the server says %v", err, served)
		}
		v.mu.Lock()
		v.challenge = proof
		v.mu.Unlock()
		state, err, served := ask("a.example", "acme-tls/1")
		if err != nil || state.NegotiatedProtocol != "acme-tls/1" || !state.PeerCertificates[0].Equal(proof.Certificate) {
			t.Errorf("the authority sees %q, %v, %v", state.NegotiatedProtocol, state.PeerCertificates, err)
		}
		if end, ok := errors.AsType[*tlsconn.EndError](served); !ok || end.How != tlsconn.Challenged || end.ClassName() != "challenged" {
			t.Errorf("the server says %v", served)
		}
		if _, err, served := ask("b.example", "acme-tls/1"); err == nil || faultOf(t, served).Class != tlsconn.UnknownName {
			t.Errorf("for another name: %v, the server says %v", err, served)
		}
		// One that offers other protocols too is no challenge.
		if state, err, served := ask("a.example", "acme-tls/1", "h2"); err != nil || served != nil || state.NegotiatedProtocol != "h2" {
			t.Errorf("a client: %q, %v, the server says %v", state.NegotiatedProtocol, err, served)
		}
		if info := s.Info(); info.Faults[tlsconn.UnknownName] != 2 || len(info.Faults) != 1 {
			t.Errorf("faults %v", info.Faults)
		}
		if key := pki.Leaked(proof.Key, rec.String()); key != "" {
			t.Errorf("a key is shown: %s", key)
		}
	})
}

// A server without a Source knows of no challenges.
func TestNoChallenge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, _ := node(t)
		w := newWorld()
		s := w.serving(t, ctx, tlsconn.Spec{ALPN: []string{"h2"}})
		if _, err := visit(t, ctx, s, w.trusting(func(c *tls.Config) { c.NextProtos = []string{"acme-tls/1"} })); err == nil {
			t.Error("answered")
		}
		if n := s.Counts()[tlsconn.NoCommonALPN]; n != 1 {
			t.Errorf("counted %v", s.Counts())
		}
	})
}

// What is wrong with a Source keeps the server from starting, and leaves nothing
// behind.
func TestSourceFaults(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, _ := node(t)
		root := pki.CA("root")
		boom := errors.New("the authority is on strike")
		for name, tt := range map[string]struct {
			v    *vault
			spec tlsconn.Spec
			says string
		}{
			"no names":  {newVault(t, root), tlsconn.Spec{}, "the Source has no identities"},
			"two":       {newVault(t, root, "a.example"), tlsconn.Spec{Files: identity.Files{Cert: "a.crt"}}, "give one of them"},
			"its start": {&vault{names: []string{"a.example"}, fail: boom}, tlsconn.Spec{}, boom.Error()},
			"nothing":   {newVault(t, root, "a.example"), tlsconn.Spec{}, "a.example/cert: is not in the store"},
		} {
			tt.spec.Source = tt.v
			_, err := tlsconn.NewServer(tt.spec).Start(ctx)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v, want %q", name, err, tt.says)
			}
			synctest.Wait()
			for _, pid := range tt.v.pids() {
				if pid.Alive() {
					t.Errorf("%s: %v lives on", name, pid)
				}
			}
		}
	})
}

// The end of the Source's process is that of the server's, and both are started again;
// what was served is served on.
func TestSourceCrashes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, _ := node(t)
		root := pki.CA("root")
		v := newVault(t, root, "a.example")
		v.put(root.Server("a.example"), "a.example")
		s := tlsconn.NewServer(tlsconn.Spec{Source: v})
		sup, err := supervisor.Start(ctx, supervisor.Spec{Children: []supervisor.Child{{ID: "tls", Start: s.Start}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Kill(ctx, v.pids()[0]); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if all := v.pids(); len(all) != 2 || !all[1].Alive() {
			t.Errorf("started %v", all)
		}
		if _, err := visit(t, ctx, s, &tls.Config{RootCAs: root.Pool(), ServerName: "a.example"}); err != nil {
			t.Error(err)
		}
		if err := process.Stop(ctx, sup, process.ErrShutdown); err != nil {
			t.Fatal(err)
		}
		if all := v.pids(); all[1].Alive() {
			t.Error("the Source's process outlives the server")
		}
	})
}
