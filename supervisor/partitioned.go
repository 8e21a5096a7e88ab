package supervisor

import (
	"context"
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"

	"github.com/coppice-go/coppice/process"
)

// A Partitioned is one name for several processes that do the same work, so
// that none of them is everybody's bottleneck: say a dynamic supervisor that has
// to start ten thousand connections a second. Each key belongs to one of them,
// always the same while the program runs.
//
//	var conns = supervisor.NewPartitioned("conns", 0)
//
//	{ID: "conns", Start: supervisor.StartFunc(conns.Spec(func(name string) func(context.Context) (process.PID, error) {
//		return supervisor.StartFunc(supervisor.Spec{Name: name, Strategy: supervisor.Dynamic, Children: template})
//	}))}
//
//	pid, err := supervisor.StartOne(ctx, supervisor.Partition(conns, addr), conn)
type Partitioned struct {
	names []process.Name
	seed  maphash.Seed
}

// NewPartitioned names n partitions after name: "conns/0", "conns/1" and so on.
// Zero means one for each thread that runs Go code.
func NewPartitioned(name string, n int) *Partitioned {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	p := &Partitioned{names: make([]process.Name, n), seed: maphash.MakeSeed()}
	for i := range p.names {
		p.names[i] = process.Name(fmt.Sprintf("%s/%d", name, i))
	}
	return p
}

// Spec describes a supervisor with a child for each partition. start makes the
// start function of one; its process has to register that name. All other
// fields of the Spec are free to set.
func (p *Partitioned) Spec(start func(name string) func(context.Context) (process.PID, error)) Spec {
	var s Spec
	for _, name := range p.names {
		s.Children = append(s.Children, Child{ID: string(name), Start: start(string(name))})
	}
	return s
}

// Names lists the partitions, for those who have something to say to all.
func (p *Partitioned) Names() []process.Name { return slices.Clone(p.names) }

// Partition is the partition that a key belongs to.
func Partition[K comparable](p *Partitioned, key K) process.Name {
	return p.names[maphash.Comparable(p.seed, key)%uint64(len(p.names))]
}
