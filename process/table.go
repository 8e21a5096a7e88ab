package process

import "sync"

// table lists a node's processes, in a few shards so that those who spawn do
// not all wait for one lock.
type table [8]shard

type shard struct {
	mu    sync.Mutex
	procs map[uint64]*proc
	_     [64]byte // keeps the locks on lines of their own
}

func (t *table) at(id uint64) *shard { return &t[id%uint64(len(t))] }

func (t *table) of(p *proc) *shard { return t.at(p.id) }

func (t *table) find(id uint64) *proc {
	s := t.at(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.procs[id]
}

func (t *table) add(p *proc) {
	s := t.of(p)
	s.mu.Lock()
	if s.procs == nil {
		s.procs = make(map[uint64]*proc)
	}
	s.procs[p.id] = p
	s.mu.Unlock()
}

func (t *table) remove(p *proc) {
	s := t.of(p)
	s.mu.Lock()
	delete(s.procs, p.id)
	s.mu.Unlock()
}

func (t *table) all() []*proc {
	var out []*proc
	for i := range t {
		s := &t[i]
		s.mu.Lock()
		for _, p := range s.procs {
			out = append(out, p)
		}
		s.mu.Unlock()
	}
	return out
}
