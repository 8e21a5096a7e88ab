package tlsconn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/event/alarm"
	"github.com/coppice-go/coppice/process/processtest"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// visit does a handshake with a server, over a pipe, and says goodbye.
func visit(t testing.TB, ctx context.Context, s *tlsconn.Server, conf *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	raw, wire := net.Pipe()
	defer wire.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		c, err := s.Handshake(ctx, raw, process.PID{})
		if err == nil {
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	c := tls.Client(wire, conf)
	err := c.Handshake()
	state := c.ConnectionState()
	go until(wire) // the pipe holds nothing: who does not read keeps the other from writing
	c.Close()
	<-served
	return state, err
}

// Whatever is wrong with the Spec and its files is told by Start, all at once, and
// nothing is left of it.
func TestStartFaults(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, rec := node(t)
		w := newWorld()
		late := expired(w.root, "late.example").Write(t, t.TempDir())
		s := tlsconn.NewServer(tlsconn.Spec{
			Name:  "mqtts",
			Files: identity.Files{Cert: "/nowhere/server.crt", Key: late.Key},
			Sites: []tlsconn.Site{{Files: identity.Files{Cert: late.Cert, Key: late.Key, Roots: late.CA, ClientCA: late.CA, Usage: identity.Client}}, {}},

			UnknownName: 7, ClientAuth: 0, Reload: -7, MinVersion: tls.VersionTLS11, ALPN: []string{strings.Repeat("x", 256)},
			KeyLog: t.TempDir(), Levels: map[tlsconn.Class]process.Level{-1: 0},
		})
		_, err := s.Start(ctx)
		if err == nil {
			t.Fatal("started")
		}
		for _, want := range []string{
			`server "mqtts" does not start`, "UnknownName is 7", "Sites[0].Files.Usage is client", "Sites[0].Files.ClientCA is given", "Reload is -7ns",
			"MinVersion is TLS 1.1", "ALPN has a protocol of 256 bytes", "Levels has -1", "KeyLog: ", "is a directory",
			"/nowhere/server.crt", late.Cert, "expired", "of Sites[1]: ", "no certificate file is named",
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in\n%v", want, err)
			}
		}
		if bad, ok := errors.AsType[*identity.Error](err); !ok || !bad.Has(identity.Missing) {
			t.Errorf("no *identity.Error in %v", err)
		}
		if _, err := s.Handshake(ctx, &net.TCPConn{}, process.PID{}); err == nil {
			t.Error("it serves")
		}
		if err := s.Reload(ctx); err == nil || !strings.Contains(err.Error(), "not started") {
			t.Errorf("reload: %v", err)
		}
		if n := len(rec.Events(reports)); n > 0 {
			t.Errorf("reported:\n%v", rec)
		}
	})
}

// Every client gets the identity for the name that it asks for.
func TestSites(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, _ := node(t)
		w := newWorld()
		other, third := w.root.Server("other.example", "*.other.example"), w.root.Server("deep.other.example", "localhost")
		s := w.serving(t, ctx, tlsconn.Spec{}, other, third)
		for name, want := range map[string]*pki.Cert{
			"localhost": w.server, "x.wild.example": w.server, "": w.server, "unknown.example": w.server, "10.0.0.9": w.server,
			"other.example": other, "OTHER.example": other, "www.other.example": other, "deep.other.example": third,
		} {
			state, err := visit(t, ctx, s, &tls.Config{ServerName: name, InsecureSkipVerify: true})
			if err != nil || !state.PeerCertificates[0].Equal(want.Certificate) {
				t.Errorf("%q: %v, served %v", name, err, state.PeerCertificates)
			}
		}
		synctest.Wait()
		var files []string
		for _, one := range s.Info().Serving {
			files = append(files, one.Serial)
		}
		if want := []string{w.server.SerialNumber.Text(16), other.SerialNumber.Text(16), third.SerialNumber.Text(16)}; !slices.Equal(files, want) {
			t.Errorf("serving %v, want %v", files, want)
		}
		if info := s.Info(); info.Name != "server" || info.Established != 9 || info.Open != 0 || len(info.Faults) != 0 {
			t.Errorf("info %+v", info)
		}
	})
}

// Without a name a client gets the default even where unknown ones are refused.
func TestRefuseName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, _ := node(t)
		w := newWorld()
		s := w.serving(t, ctx, tlsconn.Spec{UnknownName: tlsconn.RefuseName})
		for name, want := range map[string]string{"": "", "localhost": "", "b.wild.example": "", "unknown.example": "unrecognized name"} {
			_, err := visit(t, ctx, s, &tls.Config{ServerName: name, InsecureSkipVerify: true})
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
}

// Sessions are resumed, until the identity changes or if there are no tickets.
func TestResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ctx, _ := node(t)
				w := newWorld()
				s := w.serving(t, ctx, tlsconn.Spec{})
				none := w.serving(t, ctx, tlsconn.Spec{NoTickets: true})
				conf := w.trusting(maxVersion(version), func(c *tls.Config) { c.ClientSessionCache = tls.NewLRUClientSessionCache(1) })
				want := func(s *tlsconn.Server, why string, resumed bool) {
					t.Helper()
					state, err := meet(t, ctx, s, conf)
					if err != nil || state.DidResume != resumed {
						t.Errorf("%s: resumed %v, %v", why, state.DidResume, err)
					}
				}
				want(s, "the first time", false)
				want(s, "the second time", true)
				if err := s.Reload(ctx); err != nil {
					t.Error(err)
				}
				want(s, "after a look at files that have not changed", true)
				renewed := w.root.Issue(pki.Want{Name: "server", Seed: "renewed", Names: []string{"localhost"}})
				replace(t, s, renewed)
				if err := s.Reload(ctx); err != nil {
					t.Error(err)
				}
				want(s, "with another certificate", false)
				want(s, "and again", true)
				want(none, "without tickets", false)
				want(none, "without tickets again", false)
			})
		})
	}
}

// meet is visit for a client that also reads, as tickets come after the handshake.
func meet(t testing.TB, ctx context.Context, s *tlsconn.Server, conf *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	raw, wire := net.Pipe()
	defer wire.Close()
	go func() {
		if c, err := s.Handshake(ctx, raw, process.PID{}); err == nil {
			io.WriteString(c, "x")
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	c := tls.Client(wire, conf)
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return tls.ConnectionState{}, err
	}
	defer synctest.Wait()
	defer c.Close()
	go until(wire)
	return c.ConnectionState(), nil
}

// replace puts another certificate where a server has its first.
func replace(t testing.TB, s *tlsconn.Server, c *pki.Cert) {
	t.Helper()
	cert := s.Info().Serving[0].Cert
	key := strings.TrimSuffix(cert, ".crt") + ".key"
	write(t, cert, c.ChainPEM())
	write(t, key, c.KeyPEM())
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	pki.WriteFile(t, filepath.Dir(path), filepath.Base(path), data)
}

func serial(s *tlsconn.Server) string { return s.Info().Serving[0].Serial }

// New files are served without being asked; bad ones are not, and are told of
// until they are put right.
func TestReload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, rec := node(t)
		if _, err := alarm.Start(ctx); err != nil {
			t.Fatal(err)
		}
		w := newWorld()
		s := w.serving(t, ctx, tlsconn.Spec{})
		first := serial(s)
		renewed := w.root.Issue(pki.Want{Name: "server", Seed: "renewed", Names: []string{"localhost"}})
		replace(t, s, renewed)
		time.Sleep(11 * time.Second)
		if got := serial(s); got == first || got != renewed.SerialNumber.Text(16) {
			t.Errorf("serving %s", got)
		}
		state, err := visit(t, ctx, s, w.trusting())
		if err != nil || !state.PeerCertificates[0].Equal(renewed.Certificate) {
			t.Errorf("served %v, %v", state.PeerCertificates, err)
		}

		// Half a rotation: the certificate of another key.
		cert := s.Info().Serving[0].Cert
		write(t, cert, w.server.ChainPEM())
		bad, ok := errors.AsType[*identity.Error](s.Reload(ctx))
		if !ok || !bad.Has(identity.Mismatch) {
			t.Errorf("reload: %v", bad)
		}
		time.Sleep(5 * time.Second)
		if alarms, err := alarm.List(ctx); err != nil || len(alarms) != 1 || alarms[0].ID != "tls server: cannot_reload" || !strings.Contains(alarms[0].Text, cert) {
			t.Errorf("alarms %+v, %v", alarms, err)
		}
		if state, err := visit(t, ctx, s, w.trusting()); err != nil || !state.PeerCertificates[0].Equal(renewed.Certificate) {
			t.Errorf("served meanwhile %v, %v", state.PeerCertificates, err)
		}
		replace(t, s, w.server)
		time.Sleep(11 * time.Second)
		if alarms, err := alarm.List(ctx); err != nil || len(alarms) != 0 || serial(s) != first {
			t.Errorf("alarms %+v, %v, serving %s", alarms, err, serial(s))
		}
		if key := pki.Leaked(w.server.Key, rec.String()) + pki.Leaked(renewed.Key, rec.String()); key != "" {
			t.Errorf("a key is shown: %s", key)
		}
	})
}

// Without a period files are looked at only on demand; their end is told all the
// same.
func TestReloadOnDemand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, rec := node(t)
		w := newWorld()
		w.server = w.root.Issue(pki.Want{Name: "server", Names: []string{"localhost"}, NotAfter: time.Now().AddDate(0, 0, 90)})
		s := w.serving(t, ctx, tlsconn.Spec{Reload: process.Infinity})
		first := serial(s)
		replace(t, s, w.root.Issue(pki.Want{Name: "server", Seed: "renewed", Names: []string{"localhost"}}))
		time.Sleep(59 * 24 * time.Hour)
		if serial(s) != first || len(rec.Events(reports)) > 0 {
			t.Errorf("serving %s\n%v", serial(s), rec)
		}
		time.Sleep(2 * 24 * time.Hour)
		events := rec.Events(process.Warned) // nobody keeps alarms here
		if len(events) != 1 || !strings.Contains(events[0].Text, "tls server: expiry") || !strings.Contains(events[0].Text, "renew it") || serial(s) != first {
			t.Errorf("serving %s\n%v", serial(s), rec)
		}
		if err := s.Reload(ctx); err != nil || serial(s) == first {
			t.Errorf("%v, serving %s", err, serial(s))
		}
		if events := rec.Events(process.Warned); len(events) != 2 || !strings.Contains(events[1].Text, "alarm over") {
			t.Errorf("%v", rec)
		}
	})
}

// What runs is not started again; that would be two who read the same files.
func TestStartedAlready(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, _ := node(t)
		w := newWorld()
		s := w.serving(t, ctx, tlsconn.Spec{})
		if _, err := s.Start(ctx); err == nil || !strings.Contains(err.Error(), "started already") {
			t.Errorf("server: %v", err)
		}
		if err := s.Reload(ctx); err != nil {
			t.Error(err)
		}
		b := &backend{w: w}
		c, err := tlsconn.StartClient(ctx, tlsconn.ClientSpec{Address: "localhost:1", Dialer: b.dial, Files: w.clientFiles(t, nil)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Start(ctx); err == nil || !strings.Contains(err.Error(), "started already") {
			t.Errorf("client: %v", err)
		}
		if _, err := c.Conn(ctx); err != nil {
			t.Error(err)
		}
	})
}

// A server that crashed serves on what it served, whatever is in the files; one
// that was stopped starts with what is there.
func TestRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, rec := node(t)
		w := newWorld()
		spec := tlsconn.Spec{Files: filesOf(t, w.server, tlsconn.NoClientCert, nil)}
		s := tlsconn.NewServer(spec)
		sup, err := supervisor.Start(ctx, supervisor.Spec{Children: []supervisor.Child{{ID: "tls", Start: s.Start}}})
		if err != nil {
			t.Fatal(err)
		}
		write(t, spec.Files.Key, []byte("garbage"))
		ref, err := s.Ref(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Kill(ctx, ref.PID()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if now, err := s.Ref(ctx); err != nil || now == ref || !now.PID().Alive() {
			t.Errorf("the new one is %v, %v\n%v", now, err, rec)
		}
		if _, err := visit(t, ctx, s, w.trusting()); err != nil {
			t.Error(err)
		}
		if err := process.Stop(ctx, sup, process.ErrShutdown); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Start(ctx); err == nil {
			t.Error("started with garbage")
		}
	})
}

// What was waived is served, rehearsal and all.
func TestWaived(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, _ := node(t)
		w := newWorld()
		w.server = expired(w.root, "localhost")
		files := filesOf(t, w.server, tlsconn.NoClientCert, nil)
		if _, err := tlsconn.NewServer(tlsconn.Spec{Files: files}).Start(ctx); err == nil {
			t.Fatal("started")
		}
		files.Waive = []identity.Check{identity.Expired}
		s := tlsconn.NewServer(tlsconn.Spec{Files: files})
		if _, err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := visit(t, ctx, s, &tls.Config{InsecureSkipVerify: true}); err != nil {
			t.Error(err)
		}
	})
}

// A server with names by address, by wildcard, with an RSA key, on TLS 1.3 alone:
// all of them can be rehearsed.
func TestRehearsals(t *testing.T) {
	root := pki.CA("root")
	for name, cert := range map[string]*pki.Cert{
		"address":  root.Server("127.0.0.1"),
		"wildcard": root.Server("*.example.com"),
		"chain":    root.CA("middle").Server("localhost"),
		"RSA":      root.Issue(pki.Want{Name: "rsa", Names: []string{"localhost"}, Algo: pki.RSA2048}),
		"itself":   pki.Make(pki.Want{Name: "self", Names: []string{"localhost"}}),
	} {
		for _, min := range []uint16{0, tls.VersionTLS13} {
			t.Run(name+" from "+tls.VersionName(min), func(t *testing.T) {
				ctx, _ := node(t)
				s := tlsconn.NewServer(tlsconn.Spec{MinVersion: min, ALPN: []string{"h2"}, Files: filesOf(t, cert, tlsconn.NoClientCert, nil)})
				if _, err := s.Start(ctx); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Thousands of clients that come for nothing are a few lines and exact numbers.
func TestFlood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, rec := node(t)
		w := newWorld()
		s := w.serving(t, ctx, tlsconn.Spec{})
		const each = 500
		for range each {
			for _, say := range []string{"", "GET / HTTP/1.1\r\n\r\n"} {
				raw, wire := net.Pipe()
				go func() { io.WriteString(wire, say); wire.Close() }()
				if _, err := s.Handshake(ctx, raw, process.PID{}); err == nil {
					t.Fatal("established")
				}
			}
		}
		time.Sleep(2 * time.Minute)
		if counts := s.Counts(); counts[tlsconn.Probe] != each || counts[tlsconn.ClientNotTLS] != each || len(counts) != 2 {
			t.Errorf("counted %v", counts)
		}
		events, lines := rec.Events(process.Network), map[string]int{}
		for _, e := range events {
			if e.Level >= process.LevelInfo {
				lines[e.Text]++
			}
		}
		if len(lines) != 2 || lines["TLS: the client does not speak TLS"] != 5 || lines["TLS: 495 more in the last minute: the client does not speak TLS"] != 1 {
			t.Errorf("said %v", lines)
		}
		last := events[len(events)-1]
		var detail []string
		last.Detail.Each(func(key string, v any) { detail = append(detail, fmt.Sprint(key, " ", v)) })
		if got := strings.Join(detail, ", "); got != "endpoint server, class client_not_tls, count 495, peers 1, worst pipe, worst_count 495" {
			t.Errorf("detail %s", got)
		}
	})
}

// When most clients refuse our certificate, that is an alarm, until they do not.
func TestRatioAlarm(t *testing.T) {
	ctx, _ := node(t)
	if _, err := alarm.Start(ctx); err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	s := w.serving(t, ctx, tlsconn.Spec{})
	for range 20 {
		raw, client := tcpPair(t)
		go shakes(client, w.trusting(func(c *tls.Config) { c.RootCAs = w.clientRoot.Pool() }))
		if _, err := s.Handshake(ctx, raw, process.PID{}); err == nil {
			t.Fatal("established")
		}
	}
	s.Tick(ctx)
	if alarms, err := alarm.List(ctx); err != nil || len(alarms) != 1 || alarms[0].ID != "tls server: certificate refused" ||
		!strings.Contains(alarms[0].Text, "20 of the last 20 handshakes, class peer_rejected_us") {
		t.Errorf("alarms %+v, %v", alarms, err)
	}
	// Another certificate: what was said of the old one does not count.
	replace(t, s, w.root.Issue(pki.Want{Name: "server", Seed: "renewed", Names: []string{"localhost"}}))
	if err := s.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	if alarms, err := alarm.List(ctx); err != nil || len(alarms) != 0 {
		t.Errorf("alarms %+v, %v", alarms, err)
	}
}

// The keys of sessions are written only if that is asked for, and then loudly.
func TestKeyLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		rec := &processtest.Recorder{}
		ctx := processtest.Node(t, process.NodeSpec{Probe: rec})
		w := newWorld()
		path := filepath.Join(t.TempDir(), "keys.log")
		files := filesOf(t, w.server, tlsconn.NoClientCert, nil)
		s := tlsconn.NewServer(tlsconn.Spec{Files: files, KeyLog: path})
		for i := 1; i <= 2; i++ {
			pid, err := s.Start(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if events := rec.Events(process.Warned); len(events) != i || events[i-1].Level != process.LevelWarn || !strings.Contains(events[i-1].Text, "KeyLog is set") {
				t.Errorf("said\n%v", rec)
			}
			if _, err := visit(t, ctx, s, w.trusting()); err != nil {
				t.Fatal(err)
			}
			if err := process.Stop(ctx, pid, process.ErrShutdown); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if n := strings.Count(string(text), "CLIENT_TRAFFIC_SECRET_0"); err != nil || n != i {
				t.Errorf("%d sessions in\n%s\n%v", n, text, err)
			}
			if key := pki.Leaked(w.server.Key, string(text)); key != "" {
				t.Error("the server's own key is in it")
			}
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	})
}
