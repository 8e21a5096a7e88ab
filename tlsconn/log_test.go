package tlsconn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/trace"
)

// loggedAs plays a fault on a node with a log, and returns that.
func loggedAs(t *testing.T, form trace.Form, spec tlsconn.Spec, name string) string {
	t.Helper()
	n := process.NewNode(process.NodeSpec{})
	var log bytes.Buffer // written to until the node has stopped
	if _, err := trace.Start(n.Context(), trace.Options{Output: &log, Form: form}); err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	s := w.serving(t, n.Context(), spec)
	rowOf(t, name).meet(t, n.Context(), w, s)
	if err := n.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	return log.String()
}

// rowOf finds a row.
func rowOf(t *testing.T, name string) *runtimeRow {
	t.Helper()
	for i := range runtimeRows {
		if runtimeRows[i].name == name {
			return &runtimeRows[i]
		}
	}
	t.Fatalf("there is no row %q", name)
	return nil
}

// meet lets the row's peer and the server meet, until the connection has ended.
func (row *runtimeRow) meet(t *testing.T, ctx context.Context, w *world, s *tlsconn.Server) {
	t.Helper()
	raw, client := tcpPair(t)
	saw := make(chan error, 1)
	go func() { saw <- row.peer(w, client) }()
	c, err := s.Open(ctx, raw, process.PID{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Handshake(ctx); err == nil {
		// What it ends with is for the log.
		_ = serve(c)
	}
	<-saw
	client.Close()
}

// What a person reads of a fault: what happened, and below it what else is known,
// once.
func TestConsole(t *testing.T) {
	spec := tlsconn.Spec{Name: "mqtts", ClientAuth: tlsconn.RequireClientCert}
	got := loggedAs(t, trace.Console, spec, "expired client certificate")
	for _, inconstant := range [][2]string{
		{`\d\d:\d\d:\d\d\.\d\d\d`, "TIME"}, {`<\d+>`, "<N>"}, {`127\.0\.0\.1:\d+`, "ADDR"}, {`serial=[0-9a-f]+`, "serial=HEX"},
		{`time [-:TZ0-9]+ is after [-:TZ0-9]+`, "time NOW is after THEN"},
	} {
		got = regexp.MustCompile(inconstant[0]).ReplaceAllString(got, inconstant[1])
	}
	want := `TIME WRN TLS: the client's certificate is missing or not trusted: <N> tls: tls: failed to verify certificate: ` +
		`x509: certificate has expired or is not yet valid: current time NOW is after THEN ` +
		`alert="sent certificate_expired" blame=peer class=client_auth endpoint=mqtts remote=ADDR serial=HEX sni=localhost stage=negotiating subject=CN=late why=expired
    because  tls: failed to verify certificate
             x509: certificate has expired or is not yet valid: current time NOW is after THEN
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What a program reads of it.
func TestJSON(t *testing.T) {
	got := loggedAs(t, trace.JSON, tlsconn.Spec{Name: "web"}, "plain HTTP")
	var fields map[string]any
	if err := json.Unmarshal([]byte(got), &fields); err != nil {
		t.Fatalf("%v:\n%s", err, got)
	}
	for key, want := range map[string]any{
		"level": "warn", "event": "network", "message": "TLS: the client does not speak TLS", "path": "tls",
		"reason": "tls: first record does not look like a TLS handshake",
		"class":  "client_not_tls", "stage": "hello", "blame": "peer", "endpoint": "web", "why": "http",
	} {
		if fields[key] != want {
			t.Errorf("%s is %v, want %v", key, fields[key], want)
		}
	}
	if remote, _ := fields["remote"].(string); !strings.HasPrefix(remote, "127.0.0.1:") {
		t.Errorf("remote is %v", fields["remote"])
	}
	for key := range fields {
		if strings.HasPrefix(key, "detail_") {
			t.Errorf("%s has the name of another field", key)
		}
	}
}
