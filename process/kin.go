package process

// Links are sets of two halves: each side has its own, guarded by its own mu.
// Nearly all are between a parent and its children. So those take no room of
// their own: the child has a flag, and the parent a list through its children.

// links is a process's place in the list of its parent's children, which is a
// circle; zero: it is in none.
type links struct{ prev, next *proc }

// hasLink reports whether p is linked to q. p.mu is held.
func (p *proc) hasLink(q *proc) bool {
	switch {
	case q == p.parent:
		return p.up
	case q.parent == p:
		return q.siblings.next != nil
	}
	return p.x != nil && p.x.links.Has(q)
}

// addLink links p to q. p.mu is held.
func (p *proc) addLink(q *proc) {
	switch {
	case p.hasLink(q):
	case q == p.parent:
		p.up = true
	case q.parent == p:
		p.list(q)
	default:
		p.ext().links.Add(q)
	}
}

// dropLink ends p's half of a link, and reports whether there was one. p.mu is
// held.
func (p *proc) dropLink(q *proc) bool {
	switch {
	case !p.hasLink(q):
		return false
	case q == p.parent:
		p.up = false
	case q.parent == p:
		p.unlist(q)
	default:
		p.x.links.Delete(q)
	}
	return true
}

func (p *proc) list(q *proc) {
	x := p.ext()
	if x.eldest == nil {
		x.eldest = q
		q.siblings = links{q, q}
		return
	}
	last := x.eldest.siblings.prev
	q.siblings = links{last, x.eldest}
	last.siblings.next, x.eldest.siblings.prev = q, q
}

func (p *proc) unlist(q *proc) {
	x, at := p.x, q.siblings
	at.prev.siblings.next, at.next.siblings.prev = at.next, at.prev
	q.siblings = links{}
	switch {
	case at.next == q:
		x.eldest = nil
	case x.eldest == q:
		x.eldest = at.next
	}
}

// linked lists whom p is linked to: its parent, its children, the others, in the
// order in which they came. p.mu is held.
func (p *proc) linked() (out []*proc) {
	if p.up {
		out = append(out, p.parent)
	}
	if p.x == nil {
		return out
	}
	for q := p.x.eldest; q != nil; {
		out = append(out, q)
		if q = q.siblings.next; q == p.x.eldest {
			break
		}
	}
	return append(out, p.x.links.All()...)
}

// takeLinks ends p's half of all its links but that to its parent, and returns
// them. p.mu is held.
func (p *proc) takeLinks() (out []*proc) {
	if p.x == nil {
		return nil
	}
	for p.x.eldest != nil {
		out = append(out, p.x.eldest)
		p.unlist(p.x.eldest)
	}
	out = append(out, p.x.links.All()...)
	p.x.links = struct0(p.x.links)
	return out
}
