package tlsconn_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coppice-go/coppice/tlsconn"
)

// A sniffer is a tshark that looks at ports of ours on loopback.
type sniffer struct {
	*testing.T
	cmd  *exec.Cmd
	file string       // of the capture
	seen chan string  // the port that each packet comes from, while it runs
	bell net.Listener // for packets that only say that there is a capture
}

// sniff starts a capture. False: this machine does not let us, which is said.
func sniff(t *testing.T, ports []string) (*sniffer, bool) {
	t.Helper()
	if !installed(t, "tshark", "tshark") {
		return nil, false
	}
	bell, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sniffer{T: t, bell: bell, file: filepath.Join(t.TempDir(), "capture.pcapng"), seen: make(chan string)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	filter := "tcp port " + strings.Join(append(ports, portOf(bell.Addr())), " or tcp port ")
	s.cmd = exec.CommandContext(ctx, "tshark", "-n", "-i", "lo", "-f", filter, "-w", s.file, "-P", "-l", "-T", "fields", "-e", "tcp.srcport")
	var complaints strings.Builder
	s.cmd.Stderr = &complaints
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer close(s.seen)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.seen <- strings.TrimSpace(lines.Text())
		}
	}()
	t.Cleanup(func() {
		cancel()
		for range s.seen {
		}
		<-over
		bell.Close()
	})
	if !s.ring() {
		// It has ended: there is no more to it than what it said.
		_ = s.cmd.Wait()
		t.Logf("NOT RUN: tshark cannot look at loopback here:\n%s", &complaints)
		return nil, false
	}
	return s, true
}

// ring sends packets until one of them is in the capture, and with it all that
// came before; false: there is none.
func (s *sniffer) ring() bool {
	s.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	var mine []string
	for {
		if c, err := net.Dial("tcp", s.bell.Addr().String()); err == nil {
			mine = append(mine, portOf(c.LocalAddr()))
			c.Close()
		}
		for waiting := true; waiting; {
			select {
			case port, running := <-s.seen:
				if !running || slices.Contains(mine, port) {
					return running
				}
			case <-again.C:
				waiting = false
			}
		}
	}
}

// stop ends the capture.
func (s *sniffer) stop() {
	s.Helper()
	if !s.ring() {
		s.Fatal("the capture has ended")
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		s.Error(err)
	}
	for range s.seen {
	}
	if err := s.cmd.Wait(); err != nil {
		s.Error(err)
	}
}

// alerts are those in the capture that are no goodbye, by our port: decrypted with
// the keys, as whoever looks into a capture would.
func (s *sniffer) alerts(ports []string, keys string) map[string][]string {
	s.Helper()
	args := []string{"-n", "-r", s.file, "-o", "tls.keylog_file:" + keys, "-Y", "tls.alert_message",
		"-T", "fields", "-e", "tcp.srcport", "-e", "tcp.dstport", "-e", "tls.alert_message.desc"}
	for _, port := range ports {
		args = append(args, "-d", "tcp.port=="+port+",tls")
	}
	out, err := exec.CommandContext(s.Context(), "tshark", args...).Output()
	if err != nil {
		s.Fatalf("tshark: %v", err)
	}
	found := make(map[string][]string)
	for line := range strings.Lines(string(out)) {
		fields := append(strings.Split(strings.TrimRight(line, "\n"), "\t"), "")
		way, port := tlsconn.Sent, fields[0]
		if !slices.Contains(ports, port) {
			way, port = tlsconn.Received, fields[1]
		}
		for code := range strings.SplitSeq(fields[2], ",") {
			n, err := strconv.ParseUint(code, 10, 8)
			if err != nil {
				s.Errorf("an alert that cannot be read: %q", line)
			}
			if a := (tlsconn.Alert{Way: way, Code: uint8(n)}); n != 0 {
				found[port] = append(found[port], a.String())
			}
		}
	}
	return found
}

func portOf(a net.Addr) string { return strconv.Itoa(a.(*net.TCPAddr).Port) }

// The alert that an event names is the one that a capture shows, and the only one;
// where it names none, there is none.
func TestAlertsOnWire(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys.log")
	type seat struct {
		*house
		row   runtimeRow
		world *world
	}
	var seats []seat
	var ports []string
	for _, row := range runtimeRows {
		w := newWorld()
		spec := row.specOf(t, w)
		spec.KeyLog = keys
		h := build(t, spec)
		if err := h.open(); err != nil {
			t.Fatal(err)
		}
		seats, ports = append(seats, seat{h, row, w}), append(ports, portOf(h.addr))
	}
	s, ok := sniff(t, ports)
	if !ok {
		return
	}
	named := make(map[string]string)
	for _, at := range seats {
		reason, _ := at.row.visit(at.house, at.world)
		named[portOf(at.addr)] = faultOf(t, reason).Alert.String()
	}
	s.stop()
	found := s.alerts(ports, keys)
	for _, at := range seats {
		got, want := strings.Join(found[portOf(at.addr)], ", "), named[portOf(at.addr)]
		if at.row.name == "client rejects our certificate, in the clear" {
			// crypto/tls takes that alert for a forged record. Whether its answer
			// still goes out depends on who closes first.
			got = strings.TrimSuffix(got, ", sent bad_record_mac")
		}
		if got != want {
			t.Errorf("%s: the capture has %q, want %q", at.row.name, got, want)
		}
	}
}
