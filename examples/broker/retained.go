package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
)

// The retained process keeps the last message of each topic that asked for it. It
// does nothing else, so there is little that could end it and lose them.
type retained struct {
	byTopic map[string]message
}

var theRetained = registry.NewKey[server.Ref[retained]]("retained")

func newRetained(context.Context) (*retained, error) {
	return &retained{byTopic: make(map[string]message)}, nil
}

// Retain keeps a message in place of the one before. An empty one clears the topic.
type Retain struct{ message }

func (m Retain) Handle(_ context.Context, r *retained) error {
	if len(m.Payload) == 0 {
		delete(r.byTopic, m.Topic)
	} else {
		r.byTopic[m.Topic] = m.message
	}
	return nil
}

// Retained asks for the messages whose topics match Filter, in the order of topics.
type Retained struct{ Filter string }

func (m Retained) Handle(_ context.Context, r *retained) ([]message, error) {
	var filter topicTree[string]
	filter.add(m.Filter, "", 0)
	var found []message
	for topic, kept := range r.byTopic {
		if len(filter.match(topic)) > 0 {
			found = append(found, kept)
		}
	}
	slices.SortFunc(found, func(a, b message) int { return cmp.Compare(a.Topic, b.Topic) })
	return found, nil
}
