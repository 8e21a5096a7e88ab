package main

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCheckTopic(t *testing.T) {
	for topic, want := range map[string]error{
		"a": nil, "a/b": nil, "/": nil, "/a": nil, "a//b": nil, "a b/ü": nil, "$SYS/x": nil,
		"":         errEmptyTopic,
		"a/+/b":    errWildcard,
		"#":        errWildcard,
		"a\x00b":   errTopicText,
		"a\xffb":   errTopicText,
		"\xc3\x28": errTopicText,
	} {
		if got := checkTopic(topic); !errors.Is(got, want) {
			t.Errorf("checkTopic(%q) = %v, want %v", topic, got, want)
		}
	}
}

func TestCheckFilter(t *testing.T) {
	for filter, want := range map[string]error{
		"a": nil, "#": nil, "+": nil, "+/+": nil, "/+": nil, "a/+/b/#": nil, "+/#": nil, "/": nil,
		"":       errEmptyTopic,
		"a/#/b":  errHash,
		"a#":     errHash,
		"a/b#":   errHash,
		"a+":     errPlus,
		"+a/b":   errPlus,
		"a\x00b": errTopicText,
	} {
		if got := checkFilter(filter); !errors.Is(got, want) {
			t.Errorf("checkFilter(%q) = %v, want %v", filter, got, want)
		}
	}
}

// The examples that MQTT 3.1.1 gives in its section 4.7, and their neighbours.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"sport/tennis/#", "sport/tennis", true},
		{"sport/tennis/#", "sport/tennis/player1/ranking", true},
		{"sport/tennis/#", "sport", false},
		{"#", "sport", true},
		{"#", "/", true},
		{"#", "$SYS/x", false},
		{"+/x", "$SYS/x", false},
		{"$SYS/#", "$SYS/x", true},
		{"$SYS/+", "$SYS/x", true},
		{"sport/+", "sport", false},
		{"sport/+", "sport/", true},
		{"sport/+/player1", "sport/tennis/player1", true},
		{"sport/+/player1", "sport/tennis/x/player1", false},
		{"+/+", "/finance", true},
		{"/+", "/finance", true},
		{"+", "/finance", false},
		{"a//b", "a//b", true},
		{"a/+/b", "a//b", true},
		{"a", "A", false},
	} {
		var tree topicTree[string]
		tree.add(c.filter, "me", 1)
		if _, got := tree.match(c.topic)["me"]; got != c.want {
			t.Errorf("filter %q, topic %q: matched is %t, want %t", c.filter, c.topic, got, c.want)
		}
		if got := naive(c.filter).MatchString(c.topic); got != c.want {
			t.Errorf("the naive matcher is wrong about filter %q, topic %q", c.filter, c.topic)
		}
	}
}

// Whatever was subscribed and unsubscribed, the tree finds whom a naive matcher
// finds, and holds no node that nobody needs.
func TestTreeIsNaive(t *testing.T) {
	level := rapid.SampledFrom([]string{"", "a", "b", "$x"})
	wild := rapid.SampledFrom([]string{"", "a", "b", "$x", "+", "+"})
	rapid.Check(t, func(t *rapid.T) {
		var tree topicTree[int]
		naives := make(map[int]map[string]byte) // who → filter → QoS
		drawFilter := func() string {
			levels := rapid.SliceOfN(wild, 1, 4).Draw(t, "levels")
			if rapid.Bool().Draw(t, "hash") {
				levels = append(levels, "#")
			}
			return strings.Join(levels, "/")
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				who, filter, qos := rapid.IntRange(1, 3).Draw(t, "who"), drawFilter(), rapid.ByteMax(1).Draw(t, "qos")
				tree.add(filter, who, qos)
				if naives[who] == nil {
					naives[who] = make(map[string]byte)
				}
				naives[who][filter] = qos
			},
			"remove": func(t *rapid.T) {
				who, filter := rapid.IntRange(1, 3).Draw(t, "who"), drawFilter()
				if known := slices.Sorted(maps.Keys(naives[who])); len(known) > 0 && rapid.Bool().Draw(t, "known") {
					filter = rapid.SampledFrom(known).Draw(t, "which")
				}
				tree.remove(filter, who)
				delete(naives[who], filter)
			},
			"match": func(t *rapid.T) {
				topic := strings.Join(rapid.SliceOfN(level, 1, 5).Draw(t, "topic"), "/")
				want := make(map[int]byte)
				for who, filters := range naives {
					for filter, qos := range filters {
						if naive(filter).MatchString(topic) {
							want[who] = max(want[who], qos)
						}
					}
				}
				if diff := cmp.Diff(want, tree.match(topic)); diff != "" {
					t.Fatalf("topic %q, filters %v (-naive +tree):\n%s", topic, naives, diff)
				}
			},
			"": func(t *rapid.T) {
				for _, next := range tree.below {
					if bare(next) {
						t.Fatalf("nodes are left over for filters %v", naives)
					}
				}
			},
		})
	})
}

// bare reports whether there is a node that leads to no subscription.
func bare(t *topicTree[int]) bool {
	for _, next := range t.below {
		if bare(next) {
			return true
		}
	}
	return t.empty()
}

// naive writes a filter as a regular expression.
func naive(filter string) *regexp.Regexp {
	expr := "^"
	for i, level := range strings.Split(filter, "/") {
		slash := "/"
		if i == 0 {
			slash = ""
		}
		switch {
		case level == "#" && i == 0:
			expr += `([^$].*)?`
		case level == "#":
			expr += "(/.*)?"
		case level == "+" && i == 0:
			expr += `([^$/][^/]*)?`
		case level == "+":
			expr += slash + "[^/]*"
		default:
			expr += slash + regexp.QuoteMeta(level)
		}
	}
	return regexp.MustCompile("(?s)" + expr + "$")
}
