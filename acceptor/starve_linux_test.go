package acceptor_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// starve in the environment makes this test binary the program that runs out of
// descriptors. It is the folder of its certificate, or "clear": it speaks no TLS.
const starve = "COPPICE_TEST_STARVE"

// A program with real limits is ten seconds without a descriptor. Every client
// of that time is told at once, none is lost count of, there are few lines and
// the waiting takes no processor time. Afterwards it serves as before.
func TestTenSecondsWithoutDescriptors(t *testing.T) {
	testTenSeconds(t, newStarving(t, nil), "out of file descriptors", "accepted again")
}

// So it does with TLS. It looks at its certificates each second meanwhile: if it
// cannot read them, it is not they that are wrong.
func TestTenSecondsWithoutDescriptorsTLS(t *testing.T) {
	said := testTenSeconds(t, newStarving(t, newAuthorities().root), "out of file descriptors", "accepted again")
	if strings.Contains(said, "look after the disk") {
		t.Errorf("it said\n%s", said)
	}
	if pki.Leaked(newAuthorities().root.Server("localhost").Key, said) != "" {
		t.Error("it told its key")
	}
}

func testTenSeconds(t *testing.T, p *starveling, texts ...string) string {
	long := 10 * time.Second
	if testing.Short() {
		long = time.Second
	}
	const before, during, after = 3, 200, 20
	for range before {
		p.served(t)
	}
	p.tell(t, "dry")
	var wg sync.WaitGroup
	for range during {
		wg.Go(func() { p.reset(t) })
		time.Sleep(long / during)
	}
	wg.Wait()
	used := p.tell(t, "wet")
	for range after {
		p.served(t)
	}
	p.tell(t, "idle")
	counts := p.tell(t, "count")
	want := fmt.Sprintf("accepted %d refused %d starved %d open 0 ended map[closed:%d] faults map[]", before+during+after, during, during, before+after)
	if counts != want {
		t.Errorf("counted %s, want %s", counts, want)
	}
	said := p.end(t)
	if n := strings.Count(said, "\n"); n < 2 || n > 10 {
		t.Errorf("it said %d lines, want at most 10:\n%s", n, said)
	}
	for _, text := range texts {
		if !strings.Contains(said, text) {
			t.Errorf("it did not say %q:\n%s", text, said)
		}
	}
	t.Logf("%v without descriptors, %d clients told: %s\n%s", long, during, used, said)
	return said
}

// More clients than descriptors: who cannot be served is told, and when others
// have left there is room again.
func TestMoreClientsThanDescriptors(t *testing.T) {
	for name, root := range map[string]*pki.Cert{"clear": nil, "TLS": newAuthorities().root} {
		t.Run(name, func(t *testing.T) { moreClients(t, newStarving(t, root)) })
	}
}

func moreClients(t *testing.T, p *starveling) {
	const all = 60
	var cs []net.Conn
	served, told := 0, 0
	for i := range all {
		c, err := p.dial()
		if err == nil {
			cs = append(cs, c)
			err = echo(c)
		}
		switch {
		case err == nil:
			served++
		case errors.Is(err, syscall.ECONNRESET):
			told++
		default:
			t.Errorf("client %d: %v, want to be served or reset", i, err)
		}
	}
	if served < 10 || told < 10 {
		t.Errorf("%d were served and %d reset, want some of both", served, told)
	}
	want := fmt.Sprintf("accepted %d refused %d starved %d open %d ended map[] faults map[]", all, told, told, served)
	if got := p.tell(t, "count"); got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
	for _, c := range cs {
		c.Close()
	}
	p.tell(t, "idle")
	p.served(t)
	p.end(t)
}

// A starveling is that program, as its parent sees it.
type starveling struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said bytes.Buffer
	addr string
	conf *tls.Config // nil: in clear
}

// newStarving starts the program, with a certificate of root; nil: in clear.
func newStarving(t *testing.T, root *pki.Cert) *starveling {
	t.Helper()
	p := &starveling{cmd: exec.Command(os.Args[0])}
	how := "clear"
	if root != nil {
		how = t.TempDir()
		root.Server("localhost").Write(t, how)
		p.conf = &tls.Config{RootCAs: root.Pool(), ServerName: "localhost"}
	}
	p.cmd.Env = append(os.Environ(), starve+"="+how)
	p.cmd.Stderr = &p.said
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.addr = p.line(t)
	return p
}

// tell gives an order and returns the answer.
func (p *starveling) tell(t *testing.T, order string) string {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, order); err != nil {
		t.Fatal(err)
	}
	return p.line(t)
}

func (p *starveling) line(t *testing.T) string {
	t.Helper()
	s, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("the program ended: %v\n%s", err, p.said.String())
	}
	return strings.TrimSpace(s)
}

// end ends the program and returns what it said.
func (p *starveling) end(t *testing.T) string {
	t.Helper()
	p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("the program ended with %v and said\n%s", err, p.said.String())
	}
	return p.said.String()
}

func (p *starveling) dial() (net.Conn, error) {
	c, err := net.Dial("tcp", p.addr)
	if err != nil || p.conf == nil {
		return c, err
	}
	return tls.Client(c, p.conf), nil
}

func (p *starveling) served(t *testing.T) {
	t.Helper()
	c, err := p.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := echo(c); err != nil {
		t.Errorf("not served: %v", err)
	}
}

func (p *starveling) reset(t *testing.T) {
	c, err := net.Dial("tcp", p.addr)
	if err == nil { // it may also be told before Dial has returned
		c.SetDeadline(time.Now().Add(20 * time.Second))
		_, err = c.Read(make([]byte, 1))
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a client without a descriptor for it: %v, want %v", err, syscall.ECONNRESET)
	}
}

// echo has a line sent back.
func echo(c net.Conn) error {
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintln(c, "x"); err != nil {
		return err
	}
	_, err := bufio.NewReader(c).ReadString('\n')
	return err
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
		starvingProgram()
		os.Exit(0)
	}
}

// starvingProgram is a listener in a program that can open about forty files. It
// prints its address, obeys a few orders and ends with its standard input.
func starvingProgram() {
	node := process.NewNode(process.NodeSpec{Name: "starving"})
	ctx := node.Context()
	spec := acceptor.Spec{Address: "127.0.0.1:0", Protocol: (&host{}).protocol()}
	secure := tlsconn.NewServer(tlsconn.Spec{})
	if dir := os.Getenv(starve); dir != "clear" {
		in := func(name string) string { return filepath.Join(dir, name) }
		secure = tlsconn.NewServer(tlsconn.Spec{
			Files:  identity.Files{Cert: in("server.crt"), Key: in("server.key"), Roots: in("server-ca.crt")},
			Reload: time.Second,
		})
		spec.Transport = secure
	}
	pid, err := acceptor.Start(ctx, spec)
	fatal(err)
	addr, err := acceptor.Addr(ctx, pid)
	fatal(err)
	fatal(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 40, Max: 40}))
	fmt.Println(addr)
	var held []*os.File
	var from, to syscall.Rusage
	var since time.Time
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "dry":
			fatal(acceptor.WaitForConnections(ctx, pid, "==", 0))
			for {
				f, err := os.Open(os.DevNull)
				if err != nil {
					break
				}
				held = append(held, f)
			}
			fatal(syscall.Getrusage(syscall.RUSAGE_SELF, &from))
			since = time.Now()
			fmt.Println("dry")
		case "wet":
			fatal(syscall.Getrusage(syscall.RUSAGE_SELF, &to))
			used := time.Duration(to.Utime.Nano() + to.Stime.Nano() - from.Utime.Nano() - from.Stime.Nano())
			for _, f := range held {
				fatal(f.Close())
			}
			fmt.Printf("%v of processor time, %.2f %%\n", used, 100*used.Seconds()/time.Since(since).Seconds())
		case "idle":
			fatal(acceptor.WaitForConnections(ctx, pid, "==", 0))
			fmt.Println("idle")
		case "count":
			i, err := acceptor.GetInfo(ctx, pid)
			fatal(err)
			fmt.Printf("accepted %d refused %d starved %d open %d ended %v faults %v\n",
				i.Accepted, i.Refused, i.Refusals[acceptor.Starved], i.Connections, i.Ends, secure.Counts())
		}
	}
	fatal(node.Stop(ctx))
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
