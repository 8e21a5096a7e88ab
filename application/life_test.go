package application

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
)

// A life is what random callers do to a few applications whose callbacks take
// their time, fail, hang, crash and are killed.
type life struct {
	*kit
	mu   sync.Mutex
	rand *rand.Rand // guarded by mu
	apps []*App
}

func (l *life) chance(oneIn int) bool { return l.number(oneIn) == 0 }

func (l *life) number(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rand.IntN(n)
}

func (l *life) pause() { time.Sleep(time.Duration(l.number(50)) * time.Millisecond) }

// callback is what any callback may do. In the end it obeys.
func (l *life) callback(ctx context.Context) error {
	l.pause()
	switch l.number(20) {
	case 0:
		return errBoom
	case 1:
		panic("oops")
	case 2:
		process.Exit(ctx, nil)
	case 3:
		<-ctx.Done() // hangs, until it is killed
	case 4:
		return process.Kill(ctx, process.Self(ctx))
	case 5:
		_, err := WhichApplications(ctx)
		return err
	case 6:
		return Stop(ctx, l.apps[l.number(len(l.apps))])
	}
	return nil
}

func (l *life) newApp(name string) *App {
	app := l.app(name)
	app.StartTimeout, app.PrepStopTimeout, app.TreeTimeout, app.StopTimeout = time.Second, time.Second, time.Second, time.Second
	for _, earlier := range l.apps {
		if l.chance(3) {
			app.Needs = append(app.Needs, earlier)
		}
	}
	start, prepStop, stop := app.Start, app.PrepStop, app.Stop
	app.Start = func(ctx context.Context) (process.PID, error) {
		top, err := start(ctx)
		if err == nil {
			err = l.callback(ctx)
		}
		if err == nil {
			l.log("%s.returned", name)
		}
		return top, err
	}
	app.PrepStop = func(ctx context.Context) error { return joinFirst(prepStop(ctx), l.callback(ctx)) }
	app.Stop = func(ctx context.Context) error { return joinFirst(stop(ctx), l.callback(ctx)) }
	return app
}

func joinFirst(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// caller does something a few times, and gets an answer each time.
func (l *life) caller() {
	for range 8 {
		l.pause()
		app := l.apps[l.number(len(l.apps))]
		switch l.number(8) {
		case 0:
			_ = Start(l.ctx, app, Temporary)
		case 1, 2:
			_, _ = EnsureAllStarted(l.ctx, Temporary, app)
		case 3:
			_ = Stop(l.ctx, app)
		case 4:
			if pid, ok := process.Whereis(l.ctx, app.Name+"_top"); ok {
				_ = process.Kill(l.ctx, pid)
			}
		case 5:
			if pid, ok := process.Whereis(l.ctx, app.Name+"_top"); ok {
				_ = process.Kill(l.ctx, pid.Parent())
			}
		case 6:
			_ = Permit(l.ctx, app, false)
		case 7:
			_ = Permit(l.ctx, app, true)
		}
	}
}

// check reads the journal: each application's lives must not overlap, each that
// got as far as to return from Start is taken down to the end, and nobody is
// stopped who never was.
func (l *life) check() {
	l.Helper()
	alive := map[string]bool{}   // between its start and its exit
	takenUp := map[string]bool{} // Start has returned
	stopped := map[string]bool{} // Stop was called
	for n, line := range l.journal {
		app, what, _ := strings.Cut(line, ".")
		if name, rest, ok := strings.Cut(line, ":"); ok && strings.HasPrefix(rest, "exited") {
			if takenUp[name] && !stopped[name] && !strings.Contains(rest, "Start:") {
				l.Fatalf("line %d: %s exited, but Stop was not called", n, name)
			}
			alive[name], takenUp[name], stopped[name] = false, false, false
			continue
		}
		switch what {
		case "start":
			if alive[app] {
				l.Fatalf("line %d: %s started twice", n, app)
			}
			alive[app] = true
		case "returned":
			takenUp[app] = true
		case "prep_stop", "stop":
			if !alive[app] || stopped[app] {
				l.Fatalf("line %d: %s.%s, but it is not up", n, app, what)
			}
			stopped[app] = what == "stop"
		}
	}
	for app, is := range alive {
		if is {
			l.Fatalf("%s never exited", app)
		}
	}
}

// Whatever callers and callbacks do at once, everybody gets an answer, books
// are kept, and nothing is left when the node has stopped.
func TestLives(t *testing.T) {
	seeds := 150
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inBubble(t, func(k *kit) {
				l := &life{kit: k, rand: rand.New(rand.NewPCG(uint64(seed), 1))}
				for n := range 5 {
					l.apps = append(l.apps, l.newApp(string(rune('a'+n))))
				}
				var callers sync.WaitGroup
				for range 4 {
					callers.Go(l.caller)
				}
				callers.Wait()
				synctest.Wait()
				_ = k.node.Stop(context.Background()) // it names what hung; that was wanted
				time.Sleep(time.Minute)               // goroutines that were given up come to an end
				l.check()
				if t.Failed() {
					t.Log(strings.Join(k.journal, "\n"))
				}
			})
		})
	}
}
