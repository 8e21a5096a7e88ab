package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coppice-go/coppice/internal/pki"
)

// The programs that people have, and the Debian packages that they are in.
var packages = map[string]string{"curl": "curl", "h2load": "nghttp2-client", "wrk": "wrk", "openssl": "openssl"}

// has reports whether a program is there; if not, it says that the test did not run.
func has(t *testing.T, program string) bool {
	t.Helper()
	_, err := exec.LookPath(program)
	if err != nil {
		t.Logf("NOT RUN: %v (it is in Debian's package %s)", err, packages[program])
	}
	return err == nil
}

// run runs a program and returns its exit code, and all that it prints. Its input is
// at its end.
func run(t *testing.T, program string, args ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && (!exited || ctx.Err() != nil) {
		t.Fatalf("%s %q: %v\n%s", program, args, errors.Join(err, ctx.Err()), out)
	}
	if err != nil {
		return err.(*exec.ExitError).ExitCode(), string(out)
	}
	return 0, string(out)
}

// prints wants a program to end well, and to print this.
func prints(t *testing.T, want string, program string, args ...string) string {
	t.Helper()
	code, out := run(t, program, args...)
	if found, err := regexp.MatchString(want, out); code != 0 || err != nil || !found {
		t.Errorf("%s %q (exit code %d) printed\n%s\nwant %s", program, args, code, out, want)
	}
	return out
}

// What the greeting says works, as it stands there.
func TestCurlOfTheGreeting(t *testing.T) {
	if !has(t, "curl") {
		return
	}
	t.Chdir(t.TempDir())
	p := launch(t, "-delay=0")
	var said strings.Builder
	for _, line := range strings.Split(p.greeting, "\n") {
		if command, ok := strings.CutPrefix(line, "  "); ok {
			// Nobody need wait here.
			command = strings.Replace(command, "for=5s", "for=1ms", 1)
			said.WriteString(prints(t, "", "sh", "-c", strings.Replace(command, "curl", "curl -sS", 1)))
		}
	}
	const want = `^Hello, whoever you are\. You are visitor 1, over HTTP/2\.0 and TLS 1\.3, .*
Hello, whoever you are\. You are visitor 2, over HTTP/1\.1 and TLS 1\.3, .*
That took 1ms\.
ready
$`
	if ok, err := regexp.MatchString(want, said.String()); !ok || err != nil {
		t.Errorf("the commands print\n%s\nwant %s", &said, want)
	}
	p.stopCleanly(t)
}

// A client that does not trust us goes, and the log says why. OpenSSL says it in the
// clear on TLS 1.3.
func TestCurlDoesNotTrust(t *testing.T) {
	if !has(t, "curl") {
		return
	}
	t.Chdir(t.TempDir())
	p := launch(t, "-delay=0")
	other := pki.WriteFile(t, t.TempDir(), "other.crt", pki.CA("other").PEM())
	const distrust = 60 // curl's exit code
	for _, version := range []string{"1.2", "1.3"} {
		if code, out := run(t, "curl", "-sS", "--tls-max", version, "--cacert", other, "https://"+p.addr); code != distrust {
			t.Errorf("TLS %s: exit code %d, want %d; it printed\n%s", version, code, distrust, out)
		}
	}
	loud := reports(p.stop(t))
	for _, r := range loud {
		if r.Level != "error" || r.Class != "peer_rejected_us" || !strings.Contains(r.line, `"alert":"received unknown_ca"`) {
			t.Errorf("reported: %s", r.line)
		}
	}
	if len(loud) != 2 {
		t.Errorf("%d lines in the log, want one for each of 2 clients", len(loud))
	}
}

// Clients' certificates.
func TestCurlClientCA(t *testing.T) {
	if !has(t, "curl") {
		return
	}
	t.Chdir(t.TempDir())
	clients := pki.CA("clients")
	p := launch(t, "-delay=0", "-client-ca="+pki.WriteFile(t, ".", "clients.crt", clients.PEM()))
	curl := func(c *pki.Cert, version string) []string {
		args := []string{"-sS", "--cacert", ownCert, "--tls-max", version, "https://" + p.addr}
		if c != nil {
			f := c.Write(t, t.TempDir())
			args = append(args, "--cert", f.Cert, "--key", f.Key)
		}
		return args
	}
	for _, version := range []string{"1.2", "1.3"} {
		prints(t, "^Hello, alice. You are visitor .*, over HTTP/2.0 and TLS "+version, "curl", curl(clients.Client("alice"), version)...)
		for name, c := range map[string]*pki.Cert{"nobody": nil, "stranger": pki.CA("others").Client("alice")} {
			if code, out := run(t, "curl", curl(c, version)...); code == 0 || !strings.Contains(out, "alert") {
				t.Errorf("TLS %s, %s: exit code %d, want an alert; it printed\n%s", version, name, code, out)
			}
		}
	}
	loud := reports(p.stop(t))
	for _, r := range loud {
		if r.Level != "warn" || r.Class != "client_auth" {
			t.Errorf("reported: %s", r.line)
		}
	}
	if len(loud) != 4 {
		t.Errorf("%d lines in the log, want one for each of 4 clients", len(loud))
	}
}

// Versions, ALPN, names of the certificate, resumption: what openssl sees of us.
func TestOpenSSL(t *testing.T) {
	if !has(t, "openssl") {
		return
	}
	t.Chdir(t.TempDir())
	p := launch(t, "-delay=0")
	client := func(args ...string) []string {
		return append([]string{"s_client", "-connect", p.addr, "-CAfile", ownCert, "-verify_return_error", "-verify_ip", "127.0.0.1"}, args...)
	}
	for version, flag := range map[string]string{"TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"} {
		for alpn, says := range map[string]string{
			"h2,http/1.1": "ALPN protocol: h2", "http/1.1": "ALPN protocol: http/1.1", "": "No ALPN negotiated",
		} {
			args := client(flag)
			if alpn != "" {
				args = append(args, "-alpn", alpn)
			}
			out := prints(t, `(?m)^New, `+version+`, Cipher is .*AES`, "openssl", args...)
			if !strings.Contains(out, says) || !strings.Contains(out, "Verification: OK") {
				t.Errorf("%s, ALPN %q: openssl printed\n%s\nwant %q and that it is verified", version, alpn, out, says)
			}
		}
		session := filepath.Join(t.TempDir(), "session.pem")
		// The ticket of TLS 1.3 comes after the handshake, with an answer.
		request := "printf 'GET /readyz HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' | openssl "
		prints(t, `ready`, "sh", "-c", request+strings.Join(client(flag, "-ign_eof", "-sess_out", session), " "))
		prints(t, `(?s)Reused, `+version+`, .*ready`, "sh", "-c", request+strings.Join(client(flag, "-ign_eof", "-sess_in", session), " "))
	}
	for _, refused := range [][]string{{"-tls1_1", "-cipher", "ALL@SECLEVEL=0"}, {"-alpn", "smtp"}} {
		if code, out := run(t, "openssl", client(refused...)...); code == 0 || !strings.Contains(out, "alert") {
			t.Errorf("openssl s_client %q: exit code %d, want an alert; it printed\n%s", refused, code, out)
		}
	}
	classes := map[string]int{}
	for _, r := range reports(p.stop(t)) {
		classes[r.Class]++
	}
	if len(classes) != 2 || classes["no_common_version"] != 1 || classes["no_common_alpn"] != 1 {
		t.Errorf("reported: %v, want one version and one protocol that are not spoken", classes)
	}
}

// A new pair in the place of the old one, while clients come all the time.
func TestCurlReload(t *testing.T) {
	if !has(t, "curl") {
		return
	}
	t.Chdir(t.TempDir())
	p := launch(t, "-delay=0", "-reload=10ms")
	prints(t, "^Hello", "curl", "-sS", "--cacert", ownCert, "https://"+p.addr)
	old, err := os.ReadFile(ownCert)
	if err != nil {
		t.Fatal(err)
	}
	trusted := pki.WriteFile(t, t.TempDir(), "old.crt", old)
	renewed := pki.Make(pki.Want{Name: "renewed", Names: []string{"127.0.0.1"}})
	put(t, renewed, ownCert, ownKey)
	trust := pki.WriteFile(t, t.TempDir(), "both.crt", append(old, renewed.PEM()...))
	eventually(t, "who trusts the old one only is not served", func() error {
		prints(t, "^Hello", "curl", "-sS", "--cacert", trust, "https://"+p.addr)
		if code, _ := run(t, "curl", "-sS", "--cacert", trusted, "https://"+p.addr); code == 0 {
			return errors.New("it is served")
		}
		return nil
	})
	for _, r := range reports(p.stop(t)) {
		if r.Class != "peer_rejected_us" { // by the one who was not served
			t.Errorf("reported: %s", r.line)
		}
	}
}
