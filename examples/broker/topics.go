package main

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Topics are levels joined by slashes. A filter may also hold "+", which stands
// for one level, and "#" at its end, which stands for all that follows, or for
// nothing. Wildcards do not see topics that begin with "$" from their first level.

var (
	errEmptyTopic = errors.New("topic is empty")
	errTopicText  = errors.New("topic is not valid UTF-8, or holds a zero byte")
	errWildcard   = errors.New("topic of a message holds a wildcard")
	errHash       = errors.New(`"#" is not the whole last level of the filter`)
	errPlus       = errors.New(`"+" is not a whole level of the filter`)
)

// checkTopic says what forbids publishing to topic, if anything does.
func checkTopic(topic string) error {
	if strings.ContainsAny(topic, "+#") {
		return errWildcard
	}
	return checkText(topic)
}

// checkFilter says what forbids subscribing to filter, if anything does.
func checkFilter(filter string) error {
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		switch {
		case strings.Contains(level, "#") && (level != "#" || i < len(levels)-1):
			return errHash
		case strings.Contains(level, "+") && level != "+":
			return errPlus
		}
	}
	return checkText(filter)
}

func checkText(s string) error {
	switch {
	case s == "":
		return errEmptyTopic
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return errTopicText
	}
	return nil
}

// A topicTree holds subscriptions by filter, a node for each level. It is also
// its own root; a nil one is empty.
type topicTree[T comparable] struct {
	below map[string]*topicTree[T]
	here  map[T]byte // who subscribed to the filter that ends here, and the QoS asked for
}

// add subscribes who to filter; doing so again changes the QoS.
func (t *topicTree[T]) add(filter string, who T, qos byte) {
	for level := range strings.SplitSeq(filter, "/") {
		if t.below[level] == nil {
			if t.below == nil {
				t.below = make(map[string]*topicTree[T])
			}
			t.below[level] = new(topicTree[T])
		}
		t = t.below[level]
	}
	if t.here == nil {
		t.here = make(map[T]byte)
	}
	t.here[who] = qos
}

// remove ends a subscription, and takes away the nodes that nobody needs any more.
func (t *topicTree[T]) remove(filter string, who T) {
	t.prune(strings.Split(filter, "/"), who)
}

func (t *topicTree[T]) prune(levels []string, who T) {
	if t == nil {
		return
	}
	if len(levels) == 0 {
		delete(t.here, who)
		return
	}
	next := t.below[levels[0]]
	next.prune(levels[1:], who)
	if next.empty() {
		delete(t.below, levels[0])
	}
}

func (t *topicTree[T]) empty() bool { return t == nil || len(t.here)+len(t.below) == 0 }

// match returns everybody with a filter that matches topic. Who has several gets
// the message once, with the best QoS among them.
func (t *topicTree[T]) match(topic string) map[T]byte {
	found := make(map[T]byte)
	t.collect(strings.Split(topic, "/"), !strings.HasPrefix(topic, "$"), found)
	return found
}

func (t *topicTree[T]) collect(levels []string, wild bool, found map[T]byte) {
	if t == nil {
		return
	}
	if wild {
		t.below["#"].take(found)
	}
	if len(levels) == 0 {
		t.take(found)
		return
	}
	t.below[levels[0]].collect(levels[1:], true, found)
	if wild {
		t.below["+"].collect(levels[1:], true, found)
	}
}

func (t *topicTree[T]) take(found map[T]byte) {
	if t == nil {
		return
	}
	for who, qos := range t.here {
		found[who] = max(found[who], qos)
	}
}
