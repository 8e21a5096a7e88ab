// Package ordered has a set that remembers the order in which its members
// came. Small ones, which nearly all are, cost a slice.
package ordered

// indexed is the length from which a set keeps an index beside its slice.
const indexed = 12

// A Set is a set of T in order of insertion. The zero value is empty. T's zero
// value cannot be a member: it marks a hole.
type Set[T comparable] struct {
	list  []T // with holes where members were deleted
	holes int
	index map[T]int // from indexed on
}

// Len is the number of members.
func (s *Set[T]) Len() int { return len(s.list) - s.holes }

// Has reports whether v is a member.
func (s *Set[T]) Has(v T) bool { return s.find(v) >= 0 }

// Add makes v a member and reports whether it was none before.
func (s *Set[T]) Add(v T) bool {
	if s.find(v) >= 0 {
		return false
	}
	if s.index == nil && len(s.list) >= indexed {
		s.compact()
	}
	s.list = append(s.list, v)
	if s.index != nil {
		s.index[v] = len(s.list) - 1
	} else if len(s.list) > indexed {
		s.reindex()
	}
	return true
}

// Delete removes v and reports whether it was a member.
func (s *Set[T]) Delete(v T) bool {
	i := s.find(v)
	if i < 0 {
		return false
	}
	var zero T
	s.list[i] = zero
	s.holes++
	if s.index != nil {
		delete(s.index, v)
	}
	if s.holes == len(s.list) {
		*s = Set[T]{}
	} else if s.holes > len(s.list)/2 {
		s.compact()
	}
	return true
}

// All returns the members, oldest first, in a slice of the caller's own.
func (s *Set[T]) All() []T {
	var zero T
	if s.Len() == 0 {
		return nil
	}
	out := make([]T, 0, s.Len())
	for _, v := range s.list {
		if v != zero {
			out = append(out, v)
		}
	}
	return out
}

func (s *Set[T]) find(v T) int {
	if s.index != nil {
		if i, ok := s.index[v]; ok {
			return i
		}
		return -1
	}
	for i, w := range s.list {
		if w == v {
			return i
		}
	}
	return -1
}

func (s *Set[T]) compact() {
	s.list, s.holes = s.All(), 0
	s.index = nil
	if len(s.list) > indexed {
		s.reindex()
	}
}

func (s *Set[T]) reindex() {
	var zero T
	s.index = make(map[T]int, len(s.list))
	for i, v := range s.list {
		if v != zero {
			s.index[v] = i
		}
	}
}
