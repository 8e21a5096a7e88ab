package process

import "sync"

// table lists a node's processes, in a few shards so that those who spawn do not
// all wait for one lock. Numbers are never used again, places are: a list of
// places, unlike a hash table, never has to be made anew while it grows.
type table [16]shard

const pageSize = 512

type shard struct {
	mu    sync.Mutex
	pages []*[pageSize]*proc
	used  uint32   // places that were ever taken
	free  []uint32 // those of them that are free
	_     [8]byte  // fills the cache line
}

func (t *table) of(p *proc) *shard { return &t[p.id%uint64(len(t))] }

func (t *table) add(p *proc) {
	s := t.of(p)
	s.mu.Lock()
	if n := len(s.free); n > 0 {
		p.place, s.free = s.free[n-1], s.free[:n-1]
	} else {
		p.place = s.used
		if s.used++; int(p.place/pageSize) == len(s.pages) {
			s.pages = append(s.pages, new([pageSize]*proc))
		}
	}
	s.pages[p.place/pageSize][p.place%pageSize] = p
	s.mu.Unlock()
}

// remove takes p out. It may be out already.
func (t *table) remove(p *proc) {
	s := t.of(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.place >= s.used {
		return
	}
	if at := &s.pages[p.place/pageSize][p.place%pageSize]; *at == p {
		*at = nil
		s.free = append(s.free, p.place)
	}
	if s.used > pageSize && len(s.free) == int(s.used) { // nobody is left: forget how many there were
		s.pages, s.free, s.used = nil, nil, 0
	}
}

// find looks at all of them: it is for tools.
func (t *table) find(id uint64) (found *proc) {
	t[id%uint64(len(t))].each(func(p *proc) {
		if p.id == id {
			found = p
		}
	})
	return found
}

func (t *table) all() (out []*proc) {
	for i := range t {
		t[i].each(func(p *proc) { out = append(out, p) })
	}
	return out
}

func (s *shard) each(f func(*proc)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, page := range s.pages {
		for _, p := range page {
			if p != nil {
				f(p)
			}
		}
	}
}
