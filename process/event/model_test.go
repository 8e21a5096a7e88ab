package event_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/process/event"
	"github.com/coppice-go/coppice/process/processtest"
)

// A script is what a handler of the model does with an event, by its content.
type script map[string]string

// naive is a second implementation of a manager's rule: a list of handlers, and
// what would be written into the diary.
type naive struct {
	handlers []entry // newest first
	lines    []string
}

type entry struct {
	id string
	s  script
}

func (m *naive) add(id string, s script) {
	m.lines = append(m.lines, id+" init")
	m.handlers = append([]entry{{id, s}}, m.handlers...)
}

func (m *naive) remove(id, why string) {
	for i, h := range m.handlers {
		if h.id == id {
			m.lines = append(m.lines, id+" gone: "+why)
			m.handlers = append(append([]entry{}, m.handlers[:i]...), m.handlers[i+1:]...)
			return
		}
	}
}

func (m *naive) event(ev string) {
	var left []entry
	for _, h := range m.handlers {
		m.lines = append(m.lines, h.id+" event "+ev)
		switch h.s[ev] {
		case "remove":
			m.lines = append(m.lines, h.id+" gone: removed")
		case "fail":
			m.lines = append(m.lines, h.id+" gone: failed: boom")
		case "panic":
			m.lines = append(m.lines, h.id+" gone: failed: panic: boom")
		case "become":
			m.lines = append(m.lines, h.id+" gone: swapped "+h.id, h.id+" init")
			left = append(left, entry{h.id, nil})
		default:
			left = append(left, h)
		}
	}
	m.handlers = left
}

// real makes the same handler.
func (s script) real(id string, d *diary) event.Handler[string, book] {
	return handler(book{id: id, d: d, react: func(ev any) error {
		switch s[ev.(string)] {
		case "remove":
			return event.Remove(nil)
		case "fail":
			return errBoom
		case "panic":
			panic(errBoom)
		case "become":
			return event.Become(script(nil).real(id, d))
		}
		return nil
	}})
}

// Whatever is added, deleted, swapped and sent, with handlers that fail, go and
// become others on the way: a manager does what the naive one does, and
// terminates each handler once.
func TestLikeTheNaiveManager(t *testing.T) {
	ctx := processtest.Context(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := start(t, ctx, event.Spec[string]{})
		d, model := &diary{}, &naive{}
		id, ev := rapid.SampledFrom([]string{"h1", "h2", "h3"}), rapid.SampledFrom([]string{"e1", "e2", "e3"})
		scripts := rapid.MapOfN(ev, rapid.SampledFrom([]string{"remove", "fail", "panic", "become"}), 0, 3)
		for i := range rapid.IntRange(1, 20).Draw(rt, "steps") {
			switch step := rapid.SampledFrom([]string{"add", "add", "notify", "notify", "delete", "swap"}).Draw(rt, fmt.Sprint("step ", i)); step {
			case "add":
				id, s := id.Draw(rt, "id"), script(scripts.Draw(rt, "script"))
				ok(t, event.Add(ctx, m, s.real(id, d)))
				model.add(id, s)
			case "notify":
				ev := ev.Draw(rt, "event")
				ok(t, m.SyncNotify(ctx, ev))
				model.event(ev)
			case "delete":
				id := id.Draw(rt, "id")
				_ = event.Delete(ctx, m, id) // it may not be there
				model.remove(id, "deleted")
			case "swap":
				id, next, s := id.Draw(rt, "id"), id.Draw(rt, "next"), script(scripts.Draw(rt, "script"))
				ok(t, event.Swap(ctx, m, id, func(*book) event.Handler[string, book] { return s.real(next, d) }))
				model.remove(id, "swapped "+next)
				model.add(next, s)
			}
			if !slices.Equal(d.lines, model.lines) {
				rt.Fatalf("diary:\n%q\nthe naive one:\n%q", d.lines, model.lines)
			}
		}
		var ids []string
		for _, h := range model.handlers {
			ids = append(ids, h.id)
		}
		if got, err := event.Handlers(ctx, m); err != nil || !slices.Equal(got, ids) {
			rt.Fatalf("handlers %q (%v), the naive one has %q", got, err, ids)
		}
	})
}
