package supervisortest

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/supervisor"
)

// runs is how many random histories a strategy is put through.
const runs = 150

// Check fails the test with every law that the strategy breaks, and how.
func Check(t *testing.T, s supervisor.Strategy) {
	t.Helper()
	if err := verify(t, s); err != nil {
		t.Error(err)
	}
}

// verify returns the first breach of each kind of run. t is needed for the
// bubbles only.
func verify(t *testing.T, s supervisor.Strategy) error {
	var broken []error
	for seed := range uint64(runs) {
		if err := inBubble(t, func(h *history) { h.random(seed) }, s); err != nil {
			broken = append(broken, fmt.Errorf("supervisortest: random history %d: %w", seed, err))
			break
		}
	}
	for what, how := range map[string]func(*kid){
		"a child that crashes as soon as it has started": func(k *kid) { k.crashes = true },
		"a child that never starts again":                func(k *kid) { k.fails = true },
	} {
		if err := inBubble(t, func(h *history) { h.hopeless(how) }, s); err != nil {
			broken = append(broken, fmt.Errorf("supervisortest: %s: %w", what, err))
		}
	}
	return errors.Join(broken...)
}

// inBubble lets one history happen and returns the law that it broke.
func inBubble(t *testing.T, run func(*history), s supervisor.Strategy) (err error) {
	synctest.Test(t, func(*testing.T) {
		h := newHistory(s)
		run(h)
		h.finish()
		err = h.breach()
	})
	return err
}

// A breach is a law that was broken.
type breach struct {
	law, how string
	history  []string
}

func (b *breach) Error() string {
	text := fmt.Sprintf("the law %q is broken: %s\nwhat happened:", b.law, b.how)
	for _, line := range b.history {
		text += "\n\t" + line
	}
	return text
}

// The times of the supervisors here.
const (
	period = 10 * time.Second
	// goodbye is how long a child takes to stop. It shows whether it is awaited.
	goodbye = time.Millisecond
)
