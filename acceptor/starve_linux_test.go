package acceptor_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/process"
)

// starve in the environment makes this test binary the program that runs out of
// descriptors.
const starve = "COPPICE_TEST_STARVE"

// A program with real limits: more clients than it has descriptors. It says so
// in one line, takes no processor time to wait, and goes on when clients leave.
func TestRealDescriptors(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), starve+"=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := &lineWatch{want: "out of file descriptors", seen: make(chan struct{})}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var cs []net.Conn
	for range 60 {
		c, err := net.Dial("tcp", strings.TrimSpace(addr))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		cs = append(cs, c)
	}
	<-stderr.seen
	// The operating system lets them in one after the other.
	for i, c := range cs {
		c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := fmt.Fprintln(c, "bye"); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
		if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
			t.Fatalf("client %d was not served: %q, %v", i, rest, err)
		}
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the program ended with %v and said\n%s", err, stderr)
	}
	if n := bytes.Count(stderr.all.Bytes(), []byte("out of file descriptors")); n != 1 {
		t.Errorf("it said so %d times, want once:\n%s", n, stderr)
	}
	if used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); used > 2*time.Second {
		t.Errorf("it used %v of processor time to wait", used)
	}
}

// lineWatch keeps what is written and closes seen when want is in it.
type lineWatch struct {
	all  bytes.Buffer
	want string
	seen chan struct{}
	done bool
}

func (w *lineWatch) Write(b []byte) (int, error) {
	w.all.Write(b)
	if !w.done && bytes.Contains(w.all.Bytes(), []byte(w.want)) {
		w.done = true
		close(w.seen)
	}
	return len(b), nil
}

func (w *lineWatch) String() string { return w.all.String() }

func init() {
	if os.Getenv(starve) != "" {
		starving20()
		os.Exit(0)
	}
}

// starving20 is a listener in a program that can open about twenty files more.
// It prints its address and ends with its standard input.
func starving20() {
	node := process.NewNode(process.NodeSpec{Name: "starving"})
	ctx := node.Context()
	pid, err := acceptor.Start(ctx, acceptor.Spec{Address: "127.0.0.1:0", Protocol: (&host{}).protocol()})
	fatal(err)
	addr, err := acceptor.Addr(ctx, pid)
	fatal(err)
	open, err := os.ReadDir("/proc/self/fd")
	fatal(err)
	fatal(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(len(open)) + 20, Max: uint64(len(open)) + 20}))
	fmt.Println(addr)
	_, err = io.Copy(io.Discard, os.Stdin)
	fatal(err)
	fatal(node.Stop(ctx))
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
