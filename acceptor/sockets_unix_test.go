//go:build unix

package acceptor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Between bind and the mode nobody can connect.
func TestModeWithoutWindow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	f, err := newSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := onConn(raw, func(fd int) error { return syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}) }); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("unix", path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial before listen: %v, want %v", err, syscall.ECONNREFUSED)
	}
	ln, err := serveMode(f, raw, path, 0o620)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o620 {
		t.Errorf("the file: %v, %v; want mode 0620", info, err)
	}
}

// Of what was handed over only listening stream sockets will do.
func TestAdopt(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for name, c := range map[string]struct {
		file func() (*os.File, error)
		want string
	}{
		"a file":       {func() (*os.File, error) { return file, nil }, "no socket"},
		"a connection": {conn.(*net.TCPConn).File, "does not listen"},
		"datagrams":    {udp.(*net.UDPConn).File, "without connections"},
		"a listener":   {ln.(*net.TCPListener).File, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := c.file()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for range 2 { // it can be adopted again, when a listener is resumed
				got, err := adopt(int(f.Fd()))
				switch {
				case c.want == "" && err != nil, c.want != "" && err == nil, c.want != "" && !strings.Contains(err.Error(), c.want):
					t.Errorf("adopt: %v, want %q", err, c.want)
				case err == nil:
					if got.Addr().String() != ln.Addr().String() {
						t.Errorf("it is on %v, want %v", got.Addr(), ln.Addr())
					}
					got.Close()
				}
			}
		})
	}
	if _, err := adopt(1 << 20); err == nil || !strings.Contains(err.Error(), "not open") {
		t.Errorf("adopt of no descriptor: %v", err)
	}
}
