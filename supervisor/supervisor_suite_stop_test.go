package supervisor_test

import (
	"context"
	"testing/synctest"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// asleep keeps a process in a handler, as OTP's {sleep, 200000} does. It watches
// its ctx, for a goroutine cannot be killed.
func (s *suite) asleep(pid process.PID) {
	s.t.Helper()
	s.fine(process.Send(s.ctx, pid, func(ctx context.Context) error {
		select {
		case <-time.After(200 * time.Second):
		case <-process.Uninterrupted(ctx).Done():
		}
		return nil
	}))
	synctest.Wait()
}

// withReason ends with that reason when it is told to stop.
func withReason(why error) func(context.Context, error) error {
	return func(context.Context, error) error { return process.End(why) }
}

// suiteReasons are OTP's normal, shutdown, {shutdown, test} and other.
var suiteReasons = []error{nil, process.ErrShutdown, process.Shutdown(errNo), errBoom}

var suiteStop = map[string]func(*suite){
	"sup_stop_infinity": func(s *suite) {
		s.start(flags(nil))
		one := s.add(supervisor.Child{ID: "child1", Shutdown: supervisor.Infinity, Start: supervisor.StartFunc(supervisor.Spec{})})
		two := s.add(s.child("child2", shutdown(supervisor.Infinity)))
		s.shutdown()
		s.ends(one, process.ErrShutdown)
		s.ends(two, process.ErrShutdown)
	},
	"sup_stop_timeout": func(s *suite) {
		s.start(flags(nil))
		one, two := s.add(s.worker("child1")), s.add(s.worker("child2"))
		s.asleep(two)
		s.shutdown()
		s.ends(one, process.ErrShutdown)
		s.ends(two, process.ErrKilled)
	},
	"sup_stop_timeout_dynamic": func(s *suite) {
		s.start(flags(supervisor.Dynamic), s.worker("child", restart(supervisor.Temporary)))
		one, two := s.one(), s.one()
		s.asleep(two)
		s.shutdown()
		s.ends(one, process.ErrShutdown)
		s.ends(two, process.ErrKilled)
	},
	"sup_stop_brutal_kill": func(s *suite) {
		s.start(flags(nil))
		one, two := s.add(s.worker("child1")), s.add(s.child("child2", shutdown(supervisor.BrutalKill)))
		s.shutdown()
		s.ends(one, process.ErrShutdown)
		s.ends(two, process.ErrKilled)
	},
	"sup_stop_brutal_kill_dynamic": func(s *suite) {
		s.start(flags(supervisor.Dynamic), s.child("child", restart(supervisor.Temporary), shutdown(supervisor.BrutalKill)))
		var kids []process.PID
		for range 10 {
			kids = append(kids, s.one())
		}
		s.shutdown()
		for _, pid := range kids {
			s.ends(pid, process.ErrKilled)
		}
	},
	"sup_stop_race": func(s *suite) {
		s.start(flags(nil))
		first := s.add(s.worker("child_a", restart(supervisor.Temporary)))
		kids := map[process.PID]error{}
		for _, r := range []supervisor.Restart{supervisor.Temporary, supervisor.Transient, supervisor.Permanent} {
			for _, why := range suiteReasons {
				kids[s.add(s.worker(r.String()+" "+reason(why), restart(r)))] = why
			}
		}
		last := s.add(s.child("child_z", restart(supervisor.Temporary), shutdown(2*time.Second), stops(taking(time.Second))))
		time.AfterFunc(200*time.Millisecond, func() {
			for pid, why := range kids {
				s.fine(process.Send(s.ctx, pid, end{why}))
			}
		})
		s.shutdown()
		s.ends(last, process.ErrShutdown)
		for pid, why := range kids {
			s.ends(pid, why)
		}
		s.ends(first, process.ErrShutdown)
	},
	"sup_stop_non_shutdown_exit_dynamic": func(s *suite) {
		for _, r := range []supervisor.Restart{supervisor.Temporary, supervisor.Transient, supervisor.Permanent} {
			s.start(flags(supervisor.Dynamic), supervisor.Child{ID: "child", Restart: r,
				Start: supervisor.Template(func(ctx context.Context, why error) (process.PID, error) {
					return s.child("child", stops(withReason(why))).Start(ctx)
				})})
			kids := map[process.PID]error{}
			for _, why := range suiteReasons {
				pid, err := supervisor.StartOne(s.ctx, s.sup, why)
				s.fine(err)
				kids[pid] = why
			}
			s.shutdown()
			for pid, why := range kids {
				s.ends(pid, why)
			}
		}
	},
	"simple_one_for_one_shutdown": func(s *suite) {
		const second = time.Second
		s.start(flags(supervisor.Dynamic), supervisor.Child{ID: "child", Shutdown: 2 * second,
			Start: supervisor.Template(func(ctx context.Context, d time.Duration) (process.PID, error) {
				return s.child("child", stops(taking(d))).Start(ctx)
			})})
		for _, takes := range []time.Duration{second, second, 5 * second} {
			_, err := supervisor.StartOne(s.ctx, s.sup, takes)
			s.fine(err)
		}
		begin := time.Now()
		s.shutdown()
		if took := time.Since(begin); took != 2*second {
			s.t.Errorf("it took %v, want all of them stopped at once, and the last one killed after 2s", took)
		}
	},
	"child_unlink": func(s *suite) {
		s.start(flags(nil))
		pid := s.add(s.worker("naughty_child", stops(func(ctx context.Context, _ error) error {
			<-ctx.Done() // it says goodbye for ever
			return nil
		})))
		s.fine(process.Send(s.ctx, pid, func(ctx context.Context) error { return process.Unlink(ctx, s.sup) }))
		synctest.Wait()
		caller, err := process.Go(s.ctx, func(ctx context.Context) error {
			return supervisor.TerminateChild(ctx, s.sup, "naughty_child")
		})
		s.fine(err)
		s.fine(process.Send(s.ctx, s.sup, "foo"))
		time.Sleep(5 * time.Second)
		if n := s.sup.Info().Mailbox; n != 0 {
			s.t.Errorf("%d messages wait: the supervisor hangs", n)
		}
		s.ends(caller, nil)
		s.ends(pid, process.ErrKilled)
	},
	"order_of_children": func(s *suite) {
		var kids []supervisor.Child
		for _, id := range []string{"ch7", "ch3", "ch10", "ch2", "ch5"} { // not in alphabetical order
			kids = append(kids, s.worker(id))
		}
		s.start(flags(supervisor.RestForOne), kids...)
		s.want("they start in order", "sup_test/ch7 starts", "sup_test/ch3 starts", "sup_test/ch10 starts",
			"sup_test/ch2 starts", "sup_test/ch5 starts")
		s.terminate(s.now("ch10"), errBoom)
		s.want("those after it stop in reverse, and start in order", "sup_test/ch10 stops boom", "sup_test: child terminated: ch10 boom",
			"sup_test/ch5 stops shutdown", "sup_test/ch2 stops shutdown",
			"sup_test/ch10 starts", "sup_test/ch2 starts", "sup_test/ch5 starts")
		s.shutdown()
		s.want("all stop in reverse", "sup_test/ch5 stops shutdown", "sup_test/ch2 stops shutdown", "sup_test/ch10 stops shutdown",
			"sup_test/ch3 stops shutdown", "sup_test/ch7 stops shutdown", "sup_test exit shutdown")
	},
}
