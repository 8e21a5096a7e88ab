package process

import "sync"

// table lists a node's processes by their numbers, in a few shards so that those
// who spawn do not all wait for one lock.
type table [16]shard

// shard is a hash table, chained through the processes themselves. Their numbers
// are handed out in turn, so they spread evenly by themselves.
type shard struct {
	mu      sync.Mutex
	n       int
	buckets []*proc  // a power of two
	_       [24]byte // fills the cache line
}

func (t *table) at(id uint64) *shard { return &t[id%uint64(len(t))] }

func (s *shard) bucket(id uint64) **proc {
	return &s.buckets[id/uint64(len(table{}))&uint64(len(s.buckets)-1)]
}

func (t *table) find(id uint64) *proc {
	s := t.at(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		return nil
	}
	p := *s.bucket(id)
	for p != nil && p.id != id {
		p = p.chain
	}
	return p
}

func (t *table) add(p *proc) {
	s := t.at(p.id)
	s.mu.Lock()
	if s.n++; s.n > len(s.buckets) {
		s.resize(max(8, 2*len(s.buckets)))
	}
	b := s.bucket(p.id)
	p.chain, *b = *b, p
	s.mu.Unlock()
}

func (t *table) remove(p *proc) {
	s := t.at(p.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		return
	}
	for at := s.bucket(p.id); *at != nil; at = &(*at).chain {
		if *at != p {
			continue
		}
		*at, p.chain = p.chain, nil
		if s.n--; s.n < len(s.buckets)/8 {
			s.resize(len(s.buckets) / 4)
		}
		return
	}
}

func (s *shard) resize(to int) {
	all := s.all(nil)
	s.buckets = make([]*proc, to)
	for _, p := range all {
		b := s.bucket(p.id)
		p.chain, *b = *b, p
	}
}

func (s *shard) all(out []*proc) []*proc {
	for _, p := range s.buckets {
		for ; p != nil; p = p.chain {
			out = append(out, p)
		}
	}
	return out
}

func (t *table) all() (out []*proc) {
	for i := range t {
		t[i].mu.Lock()
		out = t[i].all(out)
		t[i].mu.Unlock()
	}
	return out
}
