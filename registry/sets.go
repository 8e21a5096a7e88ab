package registry

import "github.com/coppice-go/coppice/internal/ordered"

// add puts v into the set of a key, which is made if need be.
func add[K, V comparable](sets map[K]*ordered.Set[V], key K, v V) {
	set := sets[key]
	if set == nil {
		set = &ordered.Set[V]{}
		sets[key] = set
	}
	set.Add(v)
}

// remove takes v out of the set of a key, and an empty set away.
func remove[K, V comparable](sets map[K]*ordered.Set[V], key K, v V) {
	if set := sets[key]; set != nil && set.Delete(v) && set.Len() == 0 {
		delete(sets, key)
	}
}

// all lists the set of a key.
func all[K, V comparable](sets map[K]*ordered.Set[V], key K) []V {
	if set := sets[key]; set != nil {
		return set.All()
	}
	return nil
}
