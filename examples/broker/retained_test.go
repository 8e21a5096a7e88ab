package main

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRetained(t *testing.T) {
	ctx := context.Background()
	r, _ := newRetained(ctx)
	for _, m := range []message{
		{Topic: "a/2", Payload: []byte("first")},
		{Topic: "a/2", Payload: []byte("second")},
		{Topic: "a/1", Payload: []byte("one"), QoS: 1},
		{Topic: "b", Payload: []byte("b")},
		{Topic: "c", Payload: []byte("c")},
		{Topic: "c"},
		{Topic: "never"},
	} {
		if err := (Retain{m}).Handle(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	for filter, want := range map[string][]string{
		"#":     {"a/1=one", "a/2=second", "b=b"},
		"a/+":   {"a/1=one", "a/2=second"},
		"a/2":   {"a/2=second"},
		"c":     nil,
		"never": nil,
	} {
		found, err := Retained{filter}.Handle(ctx, r)
		var got []string
		for _, m := range found {
			got = append(got, m.Topic+"="+string(m.Payload))
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("retained for %s: %v (-want +got):\n%s", filter, err, diff)
		}
	}
}
