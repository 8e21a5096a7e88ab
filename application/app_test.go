package application

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coppice-go/coppice/process"
)

func TestValidate(t *testing.T) {
	other, needed, twice := &App{Name: "other"}, &App{Name: "needed"}, &App{Name: "twice"}
	bad := &App{
		Needs:       []*App{other, nil, other, needed},
		Optional:    []*App{needed, twice, twice},
		Included:    []*App{other, twice},
		Env:         []Setting{&Var[int]{Name: "n", Default: -1, Check: func(int) error { return errors.New("too small") }}, &Var[int]{Name: "n"}, &Var[int]{}, nil},
		StartPhases: []Phase{{Name: "p"}, {Name: "p", Run: func(context.Context) error { return nil }}, {}},
		PrepStop:    func(context.Context) error { return nil },
		TreeTimeout: -2 * time.Second, MaxTime: -3 * time.Second,
	}
	err := bad.validate()
	spec, ok := errors.AsType[*SpecError](err)
	if !ok || spec.App != bad {
		t.Fatalf("validate = %v, want a *SpecError of that App", err)
	}
	for _, want := range []string{
		"Name is empty", "Needs[1] is nil", "other is in Needs and again in Needs", "other is in Needs and again in Included",
		"twice is in Optional and again in Optional", "twice is in Optional and again in Included",
		"n: its Default is refused by its Check: too small", `Env has "n" twice`, "Env[2] has no Name", "Env[3] is nil",
		"StartPhases[0] (p) has no Run", `StartPhases has "p" twice`, "StartPhases[2] has no Name",
		"StartPhases without Start means nothing", "PrepStop without Start means nothing", "TreeTimeout is -2s", "MaxTime is -3s", "MaxTime without Start means nothing",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the faults lack %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "needed is in") {
		t.Errorf("one that is needed where it is there may be in both lists, but: %v", err)
	}
	if err := (&App{Name: "lib"}).validate(); err != nil {
		t.Errorf("an App with a name alone is a library, but: %v", err)
	}
}

func TestLimits(t *testing.T) {
	zero := &App{Name: "a"}
	if d := zero.limit(phaseStart); d != process.Infinity {
		t.Errorf("a start may take %v, want no limit", d)
	}
	if d := zero.limit(phaseTree); d != DefaultTimeout {
		t.Errorf("a tree may take %v, want the default", d)
	}
	if d := (&App{TreeTimeout: process.Infinity}).limit(phaseTree); d != process.Infinity {
		t.Errorf("a tree without limit may take %v", d)
	}
}
