package tlsconn_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A shop is a folder with sound files, for a row to spoil.
type shop struct {
	testing.TB
	dir               string
	root, inter, leaf *pki.Cert
	files             identity.Files
}

func newShop(t testing.TB) *shop {
	s := &shop{TB: t, dir: t.TempDir(), root: pki.CA("root")}
	s.inter = s.root.CA("inter")
	s.files = identity.Files{
		Cert: s.path("server.crt"), Key: s.path("server.key"), Names: []string{"localhost"},
		Roots: s.put("roots.crt", s.root.PEM()), ClientCA: s.put("clients.crt", pki.CA("clients").PEM()),
	}
	s.serve(pki.Want{})
	return s
}

func (s *shop) path(name string) string             { return filepath.Join(s.dir, name) }
func (s *shop) put(name string, data []byte) string { return pki.WriteFile(s, s.dir, name, data) }

// serve puts a certificate there, with its chain and key.
func (s *shop) serve(w pki.Want) {
	w.Name = "server"
	if w.Names == nil {
		w.Names = []string{"localhost"}
	}
	if w.Usage == nil {
		w.Usage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	s.leaf = s.inter.Issue(w)
	s.put("server.crt", s.leaf.ChainPEM())
	s.put("server.key", s.leaf.KeyPEM())
}

// spec is that of the server whose files these are.
func (s *shop) spec() tlsconn.Spec {
	return tlsconn.Spec{Name: "front", Files: s.files, ClientAuth: tlsconn.OptionalClientCert, Reload: process.Infinity}
}

// A fileRow is one way in which files are no good. Its name is that of
// docs/tls.md; behind a comma are variants of a row.
type fileRow struct {
	name  string
	spoil func(*shop)
	check identity.Check
	field string
}

var day = 24 * time.Hour

// The rows of what keeps a listener from starting.
var fileRows = []fileRow{
	{"certificate file missing", func(s *shop) { s.remove("server.crt") }, identity.Missing, "Cert"},
	{"key file missing", func(s *shop) { s.remove("server.key") }, identity.Missing, "Key"},
	{"file unreadable", func(s *shop) { s.files.Key = s.unreadable() }, identity.Unreadable, "Key"},
	{"certificate not PEM", func(s *shop) { s.put("server.crt", []byte("just words\n")) }, identity.NotPEM, "Cert"},
	{"certificate not PEM, but DER", func(s *shop) { s.put("server.crt", s.leaf.Raw) }, identity.NotPEM, "Cert"},
	{"certificate not PEM, but empty", func(s *shop) { s.put("server.crt", nil) }, identity.Empty, "Cert"},
	{"certificate cut short", func(s *shop) { s.put("server.crt", s.leaf.PEM()[:300]) }, identity.Damaged, "Cert"},
	{"bad DER within PEM", func(s *shop) {
		s.put("server.crt", bytes.Replace(s.leaf.PEM(), []byte("\nMII"), []byte("\nAII"), 1))
	}, identity.Damaged, "Cert"},
	{"certificate is a folder", func(s *shop) { s.files.Cert = s.dir }, identity.NotAFile, "Cert"},
	{"key not PEM", func(s *shop) { s.put("server.key", []byte("just words\n")) }, identity.NotPEM, "Key"},
	{"key encrypted", func(s *shop) { s.put("server.key", s.leaf.EncryptedKeyPEM("secret")) }, identity.Encrypted, "Key"},
	{"key encrypted, in the old form", func(s *shop) { s.put("server.key", s.leaf.OldEncryptedKeyPEM("secret")) }, identity.Encrypted, "Key"},
	{"certificate and key do not match", func(s *shop) { s.put("server.key", s.root.KeyPEM()) }, identity.Mismatch, "Key"},
	{"certificate given as key", func(s *shop) { s.files.Key = s.files.Cert }, identity.WrongContent, "Key"},
	{"certificate given as key, and key as certificate", func(s *shop) { s.files.Cert, s.files.Key = s.files.Key, s.files.Cert }, identity.WrongContent, "Cert"},
	{"no key given", func(s *shop) { s.files.Key = "" }, identity.Missing, "Key"},
	{"chain in wrong order", func(s *shop) { s.put("server.crt", append(s.inter.PEM(), s.leaf.PEM()...)) }, identity.ChainOrder, "Cert"},
	{"certificate expired", func(s *shop) { s.serve(pki.Want{NotAfter: time.Now().Add(-day)}) }, identity.Expired, "Cert"},
	{"certificate not yet valid", func(s *shop) { s.serve(pki.Want{NotBefore: time.Now().Add(day)}) }, identity.NotYetValid, "Cert"},
	{"wrong key usage", func(s *shop) { s.serve(pki.Want{Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}) }, identity.KeyUsage, "Cert"},
	{"wrong names", func(s *shop) { s.serve(pki.Want{Names: []string{"elsewhere.example"}}) }, identity.WrongNames, "Cert"},
	{"wrong names, none", func(s *shop) { s.serve(pki.Want{Names: []string{}}) }, identity.WrongNames, "Cert"},
	{"chain incomplete", func(s *shop) { s.put("server.crt", s.leaf.PEM()) }, identity.IncompleteChain, "Cert"},
	{"SHA-1 signature", func(s *shop) { s.serve(pki.Want{SHA1: true}) }, identity.WeakSignature, "Cert"},
	{"RSA key of 1024 bits", func(s *shop) { s.serve(pki.Want{Algo: pki.RSA1024}) }, identity.WeakKey, "Cert"},
	{"client CA missing", func(s *shop) { s.remove("clients.crt") }, identity.Missing, "ClientCA"},
	{"client CA is garbage", func(s *shop) { s.put("clients.crt", []byte("garbage")) }, identity.NotPEM, "ClientCA"},
	{"client CA is a leaf", func(s *shop) { s.put("clients.crt", pki.CA("clients").Client("alice").PEM()) }, identity.NotACA, "ClientCA"},
	{"clients verified, no CA given", func(s *shop) { s.files.ClientCA = "" }, identity.Missing, "ClientCA"},
}

// The rows of what keeps what is served from being replaced.
var reloadRows = []fileRow{
	{"rotated to garbage", func(s *shop) { s.put("server.crt", []byte("\x00\x01garbage")) }, identity.NotPEM, "Cert"},
	{"rotated by half", func(s *shop) { s.put("server.key", s.renewed().KeyPEM()) }, identity.Mismatch, "Key"},
}

func (s *shop) remove(name string) {
	if err := os.Remove(s.path(name)); err != nil {
		s.Fatal(err)
	}
}

// unreadable is a file that we may not read. Root may read any, but for what even
// the kernel does not give.
func (s *shop) unreadable() string {
	path := s.put("closed.key", s.leaf.KeyPEM())
	if err := os.Chmod(path, 0); err != nil {
		s.Fatal(err)
	}
	if _, err := os.ReadFile(path); err == nil && runtime.GOOS == "linux" {
		return "/proc/self/mem" // which does not begin at 0
	}
	return path
}

// renewed is the next certificate.
func (s *shop) renewed() *pki.Cert {
	return s.inter.Issue(pki.Want{Name: "server", Names: []string{"localhost"}, Seed: "renewed"})
}

// TestMatrix plays, through a listener, everything that is known to go wrong with
// TLS. The tables of docs/tls.md are its rows.
//
// Of what is wrong with files: the listener does not start, nothing is bound or
// left, and the one error says which file, what, and what to do. Of what goes
// wrong with a connection: it is one event, one count of the server, one of the
// listener, and one end, all of that class.
func TestMatrix(t *testing.T) {
	for _, row := range fileRows {
		t.Run("files/"+row.name, row.doesNotStart)
	}
	for _, row := range reloadRows {
		t.Run("reload/"+row.name, func(t *testing.T) { synctest.Test(t, row.isNotServed) })
	}
	for _, row := range runtimeRows {
		t.Run("runtime/"+row.name, row.behindListener)
	}
	t.Run("runtime/"+slowloris.name, func(t *testing.T) { synctest.Test(t, slowloris.behindListener) })
}

func (row *fileRow) doesNotStart(t *testing.T) {
	s := newShop(t)
	row.spoil(s)
	h := build(t, s.spec())
	before := len(h.node().Processes())
	err := h.open()
	row.wantError(t, err)
	if h.bound != 0 {
		t.Error("a socket was bound")
	}
	if left := h.node().Processes(); len(left) != before {
		t.Errorf("left behind: %v", left)
	}
	// The supervisor's one report, without a crash.
	said := slices.DeleteFunc(h.rec.Events(reports), func(e process.Event) bool { return e.Level < process.LevelInfo })
	if len(said) != 1 || said[0].Kind != process.Supervised || said[0].Level != process.LevelError {
		t.Fatalf("reported %v, want one error", said)
	}
	row.wantError(t, said[0].Reason)
}

// wantError wants the flaw of the row and no other, in words.
func (row *fileRow) wantError(t *testing.T, err error) {
	t.Helper()
	f := row.wantFlaw(t, err)
	for _, part := range []string{`server "front" does not start`, f.File, f.Problem, f.Cure} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}

func (row *fileRow) wantFlaw(t *testing.T, err error) identity.Flaw {
	t.Helper()
	bad, ok := errors.AsType[*identity.Error](err)
	if !ok || len(bad.Flaws) != 1 || bad.Flaws[0].Check != row.check || bad.Flaws[0].Field != row.field || bad.Flaws[0].Cure == "" {
		t.Fatalf("got %v, want %s of %s", err, row.check, row.field)
	}
	return bad.Flaws[0]
}

// isNotServed runs in a bubble.
func (row *fileRow) isNotServed(t *testing.T) {
	s := newShop(t)
	h := build(t, s.spec())
	if err := h.openInBubble(); err != nil {
		t.Fatal(err)
	}
	served := s.leaf
	row.spoil(s)
	row.wantFlaw(t, h.server.Reload(h.ctx))
	h.wantServed(s, served)
	if n := len(h.rec.Events(process.Warned)); n > 0 {
		t.Errorf("an alarm at once:\n%v", h.rec)
	}
	time.Sleep(10 * time.Second)
	row.wantFlaw(t, h.server.Reload(h.ctx))
	h.wantServed(s, served)
	alarms := h.rec.Events(process.Warned)
	if want := "alarm: tls front: cannot_reload: cannot reload, and serve on: identity CN=server"; len(alarms) != 1 ||
		alarms[0].Level != process.LevelWarn || !strings.HasPrefix(alarms[0].Text, want) {
		t.Fatalf("want one alarm:\n%v", h.rec)
	}
	row.wantFlaw(t, alarms[0].Reason)
	s.put("server.crt", s.renewed().ChainPEM())
	s.put("server.key", s.renewed().KeyPEM())
	if err := h.server.Reload(h.ctx); err != nil {
		t.Error(err)
	}
	h.wantServed(s, s.renewed())
	if events := h.rec.Events(process.Warned); len(events) != 2 || events[1].Level != process.LevelInfo {
		t.Errorf("want the alarm to be over:\n%v", h.rec)
	}
}

// wantServed wants a new connection to get a certificate.
func (h *house) wantServed(s *shop, want *pki.Cert) {
	h.Helper()
	c := tls.Client(h.dial(), &tls.Config{RootCAs: s.root.Pool(), ServerName: "localhost"})
	if _, err := io.WriteString(c, "x"); err != nil {
		h.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		h.Fatal(err)
	}
	if got := c.ConnectionState().PeerCertificates[0]; !got.Equal(want.Certificate) {
		h.Errorf("served %v, want %v", got.SerialNumber, want.SerialNumber)
	}
	go until(c.NetConn()) // the pipe holds nothing
	if err := c.Close(); err != nil {
		h.Error(err)
	}
	if reason := <-h.ended; !process.Clean(reason) || !errors.Is(reason, io.EOF) {
		h.Errorf("the connection ended with %v", reason)
	}
}

// behindListener plays the row's peer against a listener.
func (row *runtimeRow) behindListener(t *testing.T) {
	w := newWorld()
	h := build(t, row.specOf(t, w))
	open := h.open
	if row.inBubble {
		open = h.openInBubble
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	reason, alert := row.visit(h, w)
	pid := h.connection()
	info := h.info()

	f := faultOf(t, reason)
	row.wantFault(t, f, w)
	row.wantAlert(t, f, alert)
	if !process.Clean(reason) {
		t.Errorf("the connection crashed: %v", reason)
	}
	if got := h.server.Counts(); !maps.Equal(got, map[tlsconn.Class]uint64{row.class: 1}) {
		t.Errorf("the server counted %v", got)
	}
	if !maps.Equal(info.Ends, map[string]uint64{row.class.String(): 1}) || info.Accepted != 1 || info.Connections != 0 {
		t.Errorf("the listener counted %v, %+v", info.Ends, info)
	}
	row.wantEvents(t, h, pid, f)
}

// specOf is the row's, with files.
func (row *runtimeRow) specOf(t *testing.T, w *world) tlsconn.Spec {
	t.Helper()
	spec := row.spec
	spec.Name, spec.Files = "front", filesOf(t, w.server, spec.ClientAuth, w.clientRoot)
	return spec
}

// visit has the row's peer come by. It returns how the connection ended, and the
// alert that the peer saw.
func (row *runtimeRow) visit(h *house, w *world) (reason, alert error) {
	h.Helper()
	client := h.dial()
	defer client.Close()
	saw := make(chan error, 1)
	go func() { saw <- row.peer(w, client) }()
	return <-h.ended, <-saw
}

// wantEvents wants the one event of the fault, the one end of the process, and
// besides only what tracers are told of any end of a connection.
func (row *runtimeRow) wantEvents(t *testing.T, h *house, pid process.PID, f *tlsconn.Fault) {
	t.Helper()
	var faults, closed, ends int
	for _, e := range h.rec.Events(reports) {
		switch {
		case e.Detail == process.Detail(f):
			faults++
			if e.Kind != process.Network || e.Level != row.level || e.PID != pid || e.Reason != error(f) {
				t.Errorf("the event is %+v", e)
			}
		case e.Kind == process.Network && e.Text == "connection closed" && e.Level == process.LevelQuiet:
			closed++
		case e.Kind != process.Supervised || e.Level >= process.LevelInfo:
			t.Errorf("and another event: %+v", e)
		}
	}
	for _, e := range h.rec.Events(process.Exited) {
		if e.PID == pid {
			ends++
			if got := faultOf(t, e.Reason); got != f {
				t.Errorf("the process ended with %v", got)
			}
		}
	}
	if faults != 1 || closed != 1 || ends != 1 {
		t.Errorf("%d events of the fault, %d of the end, %d ends: want one each\n%v", faults, closed, ends, h.rec)
	}
}
