package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/coppice-go/coppice/examples/peers/conns/control"
	"github.com/coppice-go/coppice/examples/peers/work"
	"github.com/coppice-go/coppice/tlsconn/identity"
)

// A meter measures the connections of servers.
type meter struct {
	bench
	size    size
	sides   []peer
	only    []string // works; nil: all
	profile string   // folder; "": none
	files   identity.Files
	secure  *tls.Config
}

// A connWork is what is done with one server, and what rows come of it.
type connWork struct {
	name string
	tls  bool
	rows []string
	run  func(s *subject, c counts) ([]float64, error)
}

var connWorks = []connWork{
	{"tcp visit", false, []string{"tcp visit"}, (*subject).visits},
	{"tcp echo", false, []string{"tcp echo"}, (*subject).echoes},
	{"tcp idle", false, []string{"tcp resident", "tcp in use", "tcp wake", "tcp echo idle"}, (*subject).idle},
	{"tls visit", true, []string{"tls visit"}, (*subject).visits},
	{"tls echo", true, []string{"tls echo"}, (*subject).echoes},
	{"tls idle", true, []string{"tls resident", "tls in use", "tls wake", "tls echo idle"}, (*subject).idle},
}

// measure runs every work on every side, in rounds: so that what disturbs the
// machine for a while disturbs them all.
func (m *meter) measure(ctx context.Context, say func(string, ...any)) (all cells, err error) {
	for round := range m.size.rounds {
		for _, w := range connWorks {
			if len(m.only) > 0 && !slices.Contains(m.only, w.name) {
				continue
			}
			for i := range m.sides {
				p := m.sides[(i+round)%len(m.sides)] // nobody is always the first
				began := time.Now()
				values, err := m.run(ctx, p, w)
				o := outcome{}
				for i, name := range w.rows {
					row := work.Row{Name: name}
					if err != nil {
						row.Failed = firstLine(err.Error())
					} else {
						row.Value = values[i]
					}
					o.rows = append(o.rows, row)
				}
				all.add(p.name, work.Workload{Name: w.name, Rows: w.rows}, o)
				say("%d/%d  %-20s %-13s %5.1f s  %s", round+1, m.size.rounds, p.name, w.name, time.Since(began).Seconds(), o)
			}
		}
	}
	return all, ctx.Err()
}

// run runs a work on a server of its own.
func (m *meter) run(ctx context.Context, p peer, w connWork) (values []float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, m.size.limit)
	defer cancel()
	s, err := m.start(ctx, p, w)
	if err != nil {
		return nil, err
	}
	defer func() {
		if gone := s.stop(); err == nil {
			err = gone
		}
		runtime.GC() // our own, now and not while the next one is measured
	}()
	return w.run(s, m.size.sizes[w.name])
}

// A subject is a server that is measured, and its clients.
type subject struct {
	clients
	cmd   *exec.Cmd
	ask   io.WriteCloser
	reply *bufio.Reader
	said  bytes.Buffer
}

func (m *meter) start(ctx context.Context, p peer, w connWork) (*subject, error) {
	args := slices.Clone(p.args)
	s := &subject{}
	if m.profile != "" {
		args = append(args, "-profile", filepath.Join(m.profile, fmt.Sprintf("%s-%s.prof", p.name, w.name)))
	}
	if w.tls {
		args = append(args, "-tls", "-cert", m.files.Cert, "-key", m.files.Key)
		s.secure = m.secure
	}
	s.cmd = exec.CommandContext(ctx, filepath.Join(m.dir, p.dir), args...)
	if m.procs > 0 {
		s.cmd.Env = append(os.Environ(), fmt.Sprint("GOMAXPROCS=", m.procs))
	}
	s.cmd.Stderr = &s.said
	s.cmd.WaitDelay = time.Second
	var err error
	if s.ask, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.reply = bufio.NewReader(out)
	line, err := s.reply.ReadString('\n')
	if err != nil {
		return nil, s.complaint(err)
	}
	s.addr = strings.TrimSpace(line)
	return s, nil
}

// use asks the server what it has used: "cpu", or "memory".
func (s *subject) use(what string) (u control.Use, err error) {
	if _, err := fmt.Fprintln(s.ask, what); err != nil {
		return u, s.complaint(err)
	}
	line, err := s.reply.ReadBytes('\n')
	if err != nil {
		return u, s.complaint(err)
	}
	return u, json.Unmarshal(line, &u)
}

// stop ends the server in good order.
func (s *subject) stop() error {
	err := s.ask.Close()
	if gone := s.cmd.Wait(); gone != nil {
		return errors.Join(fmt.Errorf("%w: %s", gone, firstLine(s.said.String())), err)
	}
	return nil
}

// complaint is an error of talking to the server, with what it said before it
// ended.
func (s *subject) complaint(err error) error {
	return errors.Join(err, s.stop())
}

// per is the processors' time that one of n operations takes the server, when it
// has warmed up.
func (s *subject) per(n int, operate func(n int) error) (float64, error) {
	if err := operate(n/10 + workers); err != nil {
		return 0, err
	}
	before, err := s.use("cpu")
	if err != nil {
		return 0, err
	}
	if err := operate(n); err != nil {
		return 0, err
	}
	after, err := s.use("cpu")
	return (after.CPU - before.CPU) / float64(n), err
}

// silence is how long connections have been silent when they are called idle.
const silence = 1500 * time.Millisecond

func (s *subject) visits(c counts) ([]float64, error) {
	x, err := s.per(c.K, s.clients.visits)
	return []float64{x}, err
}

func (s *subject) echoes(c counts) ([]float64, error) {
	x, err := s.per(c.K, s.clients.echoes)
	return []float64{x}, err
}

// idle opens N connections and lets them be silent, wakes each once, and lets
// others be busy beside them.
func (s *subject) idle(c counts) ([]float64, error) {
	if err := s.clients.visits(2 * workers); err != nil { // what is made once is made now
		return nil, err
	}
	before, err := s.use("memory")
	if err != nil {
		return nil, err
	}
	idle, err := s.settle(c.N)
	defer leave(idle)
	if err != nil {
		return nil, fmt.Errorf("with %d connections: %w", len(idle), err)
	}
	time.Sleep(silence)
	after, err := s.use("memory")
	if err != nil {
		return nil, err
	}
	if _, err := s.woken(idle); err != nil { // the memory that this takes is there then
		return nil, err
	}
	woken, err := s.woken(idle)
	if err != nil {
		return nil, err
	}
	busy, err := s.per(c.K, s.clients.echoes)
	n := float64(c.N)
	return []float64{(after.RSS - before.RSS) / n, (after.InUse - before.InUse) / n, woken, busy}, err
}

// woken is what the first echo after a silence costs, with what it takes to be
// silent again.
func (s *subject) woken(idle []net.Conn) (float64, error) {
	before, err := s.use("cpu")
	if err != nil {
		return 0, err
	}
	if err := wake(idle); err != nil {
		return 0, err
	}
	time.Sleep(silence)
	after, err := s.use("cpu")
	return (after.CPU - before.CPU) / float64(len(idle)), err
}
