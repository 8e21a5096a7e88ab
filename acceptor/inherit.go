package acceptor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// A handover is a socket that the program was started with, by socket activation
// (sd_listen_fds(3)).
type handover struct {
	fd   int
	name string // as its unit says; "": none
}

func (h handover) String() string {
	if h.name == "" {
		return fmt.Sprintf("descriptor %d", h.fd)
	}
	return fmt.Sprintf("%q", h.name)
}

// firstHandover is the descriptor of the first of them.
const firstHandover = 3

// inherit adopts sockets that the program was started with: by name or number
// from those of socket activation, or any by descriptor.
func inherit(network, address string) ([]net.Listener, error) {
	fail := func(err error, cure string) ([]net.Listener, error) {
		return nil, &BindError{network, address, err, cure}
	}
	var chosen []handover
	if network == "fd" {
		fd, err := strconv.Atoi(address)
		if err != nil {
			return fail(err, "give the number of the descriptor")
		}
		chosen = []handover{{fd: fd}}
	} else {
		all, err := handovers(os.Getenv, os.Getpid())
		if err != nil {
			return fail(err, "start the program by its socket unit, and without a shell in between that does not exec (systemd-socket-activate -l 8080 PROGRAM tries it)")
		}
		if chosen, err = choose(all, address); err != nil {
			return fail(err, "FileDescriptorName= in the socket unit is the name; a number counts the sockets from 0")
		}
	}
	var lns []net.Listener
	for _, h := range chosen {
		ln, err := adopt(h.fd)
		if err != nil {
			closeAll(lns)
			return fail(err, "hand over a listening stream socket (ListenStream=, and Accept=no)")
		}
		lns = append(lns, ln)
	}
	return lns, nil
}

// handovers reads what the environment says of them.
func handovers(env func(string) string, pid int) ([]handover, error) {
	count, owner, names := env("LISTEN_FDS"), env("LISTEN_PID"), env("LISTEN_FDNAMES")
	if count == "" {
		return nil, errors.New("LISTEN_FDS is not set: no sockets were handed over")
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("LISTEN_FDS is %q, which is no number of sockets", count)
	}
	if owner != strconv.Itoa(pid) {
		return nil, fmt.Errorf("LISTEN_PID is %q and this is process %d: the sockets were handed to another one", owner, pid)
	}
	all := make([]handover, n)
	for i := range all {
		all[i].fd = firstHandover + i
	}
	if names == "" {
		return all, nil
	}
	each := strings.Split(names, ":")
	if len(each) != n {
		return nil, fmt.Errorf("LISTEN_FDNAMES has %d names (%s) for %d sockets", len(each), names, n)
	}
	for i := range all {
		all[i].name = each[i]
	}
	return all, nil
}

// choose finds sockets by their name, which several may have, or one by its number.
func choose(all []handover, address string) (chosen []handover, err error) {
	for _, h := range all {
		if h.name == address {
			chosen = append(chosen, h)
		}
	}
	if len(chosen) > 0 {
		return chosen, nil
	}
	if i, err := strconv.Atoi(address); err == nil && i >= 0 && i < len(all) {
		return all[i : i+1], nil
	}
	return nil, fmt.Errorf("there is no such socket among the %d that were handed over: %v", len(all), all)
}
