// Package control is what the servers have in common whose connections are
// measured: how they are started, and how they are asked what they have cost.
package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
)

// Size is the length of what is echoed: each of these is one frame.
const Size = 32

// An Order says what a server shall be.
type Order struct {
	TLS       bool
	Cert, Key string // files; for TLS
}

// A Use is what a server has used up to now.
type Use struct {
	CPU   float64 `json:"cpu"`   // µs, of user and system
	RSS   float64 `json:"rss"`   // bytes that are resident
	InUse float64 `json:"inuse"` // bytes of heap and stacks
}

// Main is the program of a side. It serves, writes the address, and answers on
// standard output what standard input asks: "cpu", or "memory", for which it
// collects garbage first. When its input ends, it ends.
func Main(serve func(Order) (addr string, stop func() error, err error)) {
	var o Order
	flag.BoolVar(&o.TLS, "tls", false, "speak TLS")
	flag.StringVar(&o.Cert, "cert", "", "`FILE` of the certificate")
	flag.StringVar(&o.Key, "key", "", "`FILE` of its key")
	profile := flag.String("profile", "", "`FILE` for a profile of the processors' time")
	flag.Parse()
	err := run(o, *profile, serve)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(o Order, profile string, serve func(Order) (string, func() error, error)) error {
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	addr, stop, err := serve(o)
	if err != nil {
		return err
	}
	fmt.Println(addr)
	return errors.Join(answer(), stop())
}

func answer() error {
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		u, err := use(in.Text() == "memory")
		if err != nil {
			return err
		}
		if err := out.Encode(u); err != nil {
			return err
		}
	}
	return nil
}

func use(memory bool) (u Use, err error) {
	if !memory {
		u.CPU, err = processorTime()
		return u, err
	}
	for range 3 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.InUse = float64(m.HeapAlloc + m.StackInuse)
	u.RSS, err = resident()
	return u, err
}

// resident is VmRSS, on Linux.
func resident() (float64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no VmRSS")
}
