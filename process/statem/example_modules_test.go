package statem_test

import (
	"context"
	"fmt"
	"log"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/statem"
)

// A peer says which version it speaks; from then on that version's own code
// handles what comes.
type (
	hello struct{ version int }
	line  struct {
		text string
		statem.Reply[string]
	}
)

func (q line) With(r statem.Reply[string]) any { q.Reply = r; return q }

type peer struct{ speaks dialect }

type dialect interface {
	line(t *statem.Turn[any], l line) (string, error)
}

type first struct{}

func (first) line(t *statem.Turn[any], l line) (string, error) {
	t.Reply(l.Answer("1 " + l.text))
	return "talking", nil
}

type second struct{ first } // adds a farewell to what the first version has

func (s second) line(t *statem.Turn[any], l line) (string, error) {
	if l.text != "bye" {
		return s.first.line(t, l)
	}
	t.Reply(l.Answer("2 bye"))
	return "talking", statem.Stop(nil)
}

func (p *peer) greeting(t *statem.Turn[any], ev any) (string, error) {
	h, ok := ev.(hello)
	if !ok {
		t.Postpone()
		return "greeting", nil
	}
	p.speaks = [...]dialect{1: first{}, 2: second{}}[h.version]
	return "talking", nil
}

func (p *peer) talking(t *statem.Turn[any], ev any) (string, error) {
	if l, ok := ev.(line); ok {
		return p.speaks.line(t, l)
	}
	return "talking", fmt.Errorf("unexpected %T", ev)
}

// Code that a machine changes while it runs, OTP's callback modules, is an
// interface value in its data. The table stays, with its checks and its
// picture. Where OTP pushes and pops modules, the data has a slice of them.
func Example_callbackModules() {
	node := process.NewNode(process.NodeSpec{Name: "example"})
	ctx := node.Context()
	defer node.Stop(context.Background())

	m := statem.Must(statem.New(statem.Spec[string, any, peer]{
		First: []string{"greeting"},
		Init:  func(*statem.Turn[any]) (string, *peer, error) { return "greeting", &peer{}, nil },
		States: map[string]statem.State[string, any, peer]{
			"greeting": {On: (*peer).greeting, To: []string{"talking"}},
			"talking":  {On: (*peer).talking},
		},
	}))
	p, err := m.Start(ctx)
	if err != nil {
		log.Fatal(err)
	}
	p.Cast(ctx, hello{version: 2})
	for _, text := range []string{"how are you", "bye"} {
		fmt.Println(statem.Call(ctx, p, line{text: text}))
	}
	// Output:
	// 1 how are you <nil>
	// 2 bye <nil>
}
