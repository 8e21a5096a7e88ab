package work

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"
)

// A Row is one figure of a workload, and what is wrong with it.
type Row struct {
	Name   string             `json:"row"`
	Value  float64            `json:"value"`
	Detail map[string]float64 `json:"detail,omitempty"`
	// Lesser says that the peer did less than was asked, though it lost nothing:
	// the figure is shown, and nobody is compared with it.
	Lesser string `json:"lesser,omitempty"`
	// Failed says what was lost. Then there is no figure.
	Failed string `json:"failed,omitempty"`
}

// A Bench is one run of one workload.
type Bench struct {
	N, K  int       // how many processes, how many operations: see Workloads
	Until time.Time // when waiting ends
	Emit  func(Row)
}

// A Workload gives one Row for each name in Rows.
type Workload struct {
	Name string
	N, K string // what its sizes count; "": it has none
	Rows []string
	Run  func(*Bench, Driver) error
}

// Workloads are all that there are, in the order of the table.
var Workloads = []Workload{
	{"spawn", "processes", "", []string{"spawn", "spawn+stop"}, spawn},
	{"idle", "processes", "", []string{"idle"}, idle},
	{"send 1-1", "", "messages", []string{"send 1-1"}, send("send 1-1", 1, 1)},
	{"send 2-1", "", "messages", []string{"send 2-1"}, send("send 2-1", 2, 1)},
	{"send 2-8", "", "messages", []string{"send 2-8"}, send("send 2-8", 2, 8)},
	{"call", "", "calls", []string{"call p50", "call p99"}, call},
	{"pingpong", "pairs", "rounds", []string{"pingpong"}, play("pingpong", false)},
	{"deep", "pairs", "rounds", []string{"deep"}, play("deep", true)},
	{"block", "processes", "milliseconds", []string{"block"}, block},
	{"spin", "", "calls", []string{"spin"}, spin},
	{"restart", "children", "crashes", []string{"restart"}, restart("restart")},
	{"restart many", "children", "crashes", []string{"restart many"}, restart("restart many")},
	{"burst", "children", "crashes at once", []string{"burst"}, burst},
	{"tree", "workers", "", []string{"tree start", "tree stop"}, tree},
	{"monitor", "processes", "", []string{"monitor"}, monitor},
	{"name", "names", "look-ups", []string{"name", "lookup"}, name},
	{"timer", "timers", "milliseconds", []string{"timer"}, timer},
	{"million", "processes", "", []string{"million"}, million},
	{"million tree", "workers", "", []string{"million tree", "million stop"}, millionTree},
}

// Find returns the workload with that name.
func Find(name string) (Workload, bool) {
	i := slices.IndexFunc(Workloads, func(w Workload) bool { return w.Name == name })
	if i < 0 {
		return Workload{}, false
	}
	return Workloads[i], true
}

// Main is the program of a peer: it runs the workload that its flags name, and
// writes each Row as a line of JSON. What stands in the way it writes to
// standard error, and exits with 1; a peer that lacks what is needed, with 2.
func Main(d Driver) {
	name := flag.String("work", "", "the workload")
	n := flag.Int("n", 1000, "how many processes")
	k := flag.Int("k", 1000, "how many operations")
	limit := flag.Duration("limit", time.Minute, "how long it may take")
	profile := flag.String("profile", "", "`FILE` for a profile of the processors' time")
	contention := flag.String("contention", "", "`FILE` for a profile of waiting for locks")
	flag.Parse()
	w, ok := Find(*name)
	if !ok {
		fatal(1, "there is no workload %q", *name)
	}
	time.AfterFunc(*limit, func() { fatal(1, "did not finish within %v", *limit) })
	out := json.NewEncoder(os.Stdout)
	b := &Bench{N: *n, K: *k, Until: time.Now().Add(*limit * 8 / 10), Emit: func(r Row) {
		if err := out.Encode(r); err != nil {
			fatal(1, "%v", err)
		}
	}}
	if err := d.Boot(); err != nil {
		fatal(1, "boot: %v", err)
	}
	stop, err := startProfile(*profile)
	if err != nil {
		fatal(1, "%v", err)
	}
	if *contention != "" {
		runtime.SetMutexProfileFraction(1)
	}
	err = w.Run(b, d)
	if err := errors.Join(stop(), writeContention(*contention)); err != nil {
		fatal(1, "%v", err)
	}
	switch err := err.(type) {
	case nil:
	case lacks:
		fatal(2, "has no %s", string(err))
	default:
		fatal(1, "%v", err)
	}
	if err := d.Halt(); err != nil {
		fatal(1, "halt: %v", err)
	}
}

// startProfile begins a profile, if there is a file for one, for those who want
// to know where the time goes.
func startProfile(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	stop = func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}
	return stop, pprof.StartCPUProfile(f)
}

// writeContention writes who has waited for whose lock, if there is a file for it:
// what binds on few processors a little binds on many much.
func writeContention(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("mutex").WriteTo(f, 0), f.Close())
}

// lacks is what a peer does not have.
type lacks string

func (l lacks) Error() string { return "has no " + string(l) }

func fatal(code int, format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(code)
}

// Must ends the program if a peer refuses what no peer should.
func Must(err error) {
	if err != nil {
		fatal(1, "%v", err)
	}
}
