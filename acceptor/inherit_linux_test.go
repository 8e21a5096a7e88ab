package acceptor_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/processtest"
)

// activated in the environment makes this test binary a program that serves on
// sockets that it was started with: its value is network and address, and perhaps a
// word more.
const activated = "COPPICE_TEST_ACTIVATED"

func init() {
	if v := os.Getenv(activated); v != "" {
		words := strings.Fields(v)
		serveInherited(words[0], words[1], len(words) > 2)
		os.Exit(0)
	}
}

// serveInherited says how many sockets it has, and ends with its standard input. It
// may suspend and resume its listener before that.
func serveInherited(network, address string, suspend bool) {
	node := process.NewNode(process.NodeSpec{Name: "activated"})
	ctx := node.Context()
	pid, err := acceptor.Start(ctx, acceptor.Spec{Network: network, Address: address, Protocol: (&host{}).protocol()})
	fatal(err)
	if suspend {
		fatal(acceptor.Suspend(ctx, pid))
		fatal(acceptor.Resume(ctx, pid))
	}
	info, err := acceptor.GetInfo(ctx, pid)
	fatal(err)
	fmt.Println(len(info.Sockets), info.Addr)
	_, err = io.Copy(io.Discard, os.Stdin)
	fatal(err)
	fatal(node.Stop(ctx))
}

// A program that was started with two sockets, as systemd does it: the process
// id in the environment is that of the program, so a shell has to fill it in.
func TestInherited(t *testing.T) {
	var files []*os.File
	var addrs []net.Addr
	for range 2 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f, err := ln.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		addrs, files = append(addrs, ln.Addr()), append(files, f)
		ln.Close() // f goes on listening
	}
	for name, c := range map[string]struct {
		env    string
		serves []int
		said   string
	}{
		"systemd, by name":   {"systemd both suspend", []int{0, 1}, "2"},
		"systemd, by number": {"systemd 1", []int{1}, "1"},
		"by descriptor":      {"fd 4 suspend", []int{1}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0"`, os.Args[0])
			cmd.Env = append(os.Environ(), activated+"="+c.env, "LISTEN_FDS=2", "LISTEN_FDNAMES=both:both")
			cmd.ExtraFiles = files
			said, stop := background(t, cmd)
			if want := fmt.Sprintf("%s %v\n", c.said, addrs[c.serves[0]]); said != want {
				t.Errorf("the program says %q, want %q", said, want)
			}
			for _, i := range c.serves {
				for range 4 {
					cl := dial(t, addrs[i])
					cl.send(t, "x\n")
					cl.want(t, "echo: x")
				}
			}
			stop()
		})
	}
}

// systemd's own tool starts it, where there is one.
func TestSocketActivate(t *testing.T) {
	tool, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Log("without systemd-socket-activate: TestInherited does the same by hand")
		return
	}
	// It takes no port 0, and binds only when it runs.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr()
	ln.Close()
	cmd := exec.Command(tool, "--fdname=web", "-l", addr.String(), "-E", activated+"=systemd web", os.Args[0])
	stderr := &lineWatch{want: "Listening on", seen: make(chan struct{})}
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-stderr.seen
	c := dial(t, addr) // the first connection starts the program
	c.send(t, "x\n")
	c.want(t, "echo: x")
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, stderr)
	}
}

// background starts a program and returns its first line, and what stops it.
func background(t *testing.T, cmd *exec.Cmd) (said string, stop func()) {
	t.Helper()
	var complaints strings.Builder
	cmd.Stderr = &complaints
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, err = bufio.NewReader(stdout).ReadString('\n')
	stop = func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v and said\n%s", err, &complaints)
		}
	}
	if err != nil {
		stop()
		t.FailNow()
	}
	return said, stop
}

// Without sockets the listener does not start, and says how it would.
func TestNotActivated(t *testing.T) {
	for _, network := range []string{"systemd", "fd"} {
		_, err := acceptor.Start(processtest.Context(t), acceptor.Spec{Network: network, Address: "999999", Protocol: (&host{}).protocol()})
		if b, ok := errors.AsType[*acceptor.BindError](err); !ok || b.Cure == "" {
			t.Errorf("Start on %s: %v, want a BindError with a cure", network, err)
		}
	}
}
