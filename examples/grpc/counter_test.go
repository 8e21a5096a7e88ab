package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/examples/grpc/counter"
	"github.com/coppice-go/coppice/internal/pki"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/supervisor"
)

// What is added by one is seen by all.
func TestCounter(t *testing.T) {
	s := start(t, nil)
	a, b := dial(t, s.addr, nil), dial(t, s.addr, nil)
	wa, wb := watching(t, a), watching(t, b)
	wa.next(0, "")
	wb.next(0, "")
	for i, by := range []int64{5, -7, 0} {
		n := []int64{5, -2, -2}[i]
		add(t, a, by, n)
		wa.next(n, "")
		wb.next(n, "")
	}
	if got, err := serving(t, a); got != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health is %v (%v)", got, err)
	}

	// A process for each client, and one for each call.
	all, err := acceptor.Connections(s.ctx, rpc)
	if err != nil || len(all) != 2 {
		t.Errorf("connections %v (%v), want 2", all, err)
	}
	s.wantCalls(2)
	s.wantQuiet()
}

func (s *site) wantCalls(n int) {
	s.Helper()
	eventually(s.T, fmt.Sprintf("there are %d calls", n), func() error {
		all, err := supervisor.CountChildren(s.ctx, calls)
		if err == nil && all.Active != n {
			err = fmt.Errorf("%d", all.Active)
		}
		return err
	})
}

// Who has gone is waited for no longer: nothing is kept of a watcher.
func TestWatchersGo(t *testing.T) {
	s := start(t, nil)
	c := dial(t, s.addr, nil)
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		w, err := counter.NewCounterClient(c).Watch(ctx, &counter.WatchRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Recv(); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	s.wantCalls(0)
	eventually(t, "no watcher is remembered", func() error {
		kept, err := server.Call(s.ctx, theTotal, watchers{})
		if err == nil && kept != 0 {
			err = fmt.Errorf("%d", kept)
		}
		return err
	})
	s.wantQuiet()
}

// watchers asks how many there are.
type watchers struct{}

func (watchers) Handle(_ context.Context, t *total) (int, error) { return len(t.watchers), nil }

// Clients with a certificate are known by its name; others are not let in.
func TestClientCA(t *testing.T) {
	clients := pki.CA("clients")
	s := start(t, func(o *options) { o.clientCA = pki.WriteFile(t, t.TempDir(), "clients.crt", clients.PEM()) })
	alice, bob := dial(t, s.addr, clients.Client("alice")), dial(t, s.addr, clients.Client("bob"))
	w := watching(t, alice)
	w.next(0, "")
	add(t, bob, 1, 1)
	w.next(1, "bob")
	add(t, alice, 1, 2)
	w.next(2, "alice")
	for name, c := range map[string]*grpc.ClientConn{
		"nobody":   dial(t, s.addr, nil),
		"stranger": dial(t, s.addr, pki.CA("others").Client("alice")),
	} {
		if _, err := counter.NewCounterClient(c).Add(t.Context(), &counter.AddRequest{By: 1}); status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v, want not to be let in", name, err)
		}
	}
}

// The end of a process is that of one call, of one connection, or of the number; in
// none of these cases does anybody else have to mind.
func TestKill(t *testing.T) {
	s := start(t, nil)
	a, b := dial(t, s.addr, nil), dial(t, s.addr, nil)
	add(t, b, 1, 1)
	all, err := acceptor.Connections(s.ctx, rpc)
	if err != nil || len(all) != 1 {
		t.Fatalf("connections %v (%v), want 1", all, err)
	}
	conn := all[0].PID

	wb := watching(t, b)
	wb.next(1, "")
	add(t, a, 1, 2)
	wb.next(2, "")

	call, err := supervisor.WhichChildren(s.ctx, calls)
	if err != nil || len(call) != 1 {
		t.Fatalf("calls %v (%v), want 1", call, err)
	}
	if err := process.Kill(s.ctx, call[0].PID); err != nil {
		t.Fatal(err)
	}
	wb.ends(codes.Internal, "the call crashed")
	wb = watching(t, b) // on the same connection
	wb.next(2, "")

	if err := process.Kill(s.ctx, conn); err != nil {
		t.Fatal(err)
	}
	wb.ends(codes.Unavailable, "")
	add(t, b, 1, 3) // on another connection

	number, err := theTotal.Ref(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	wb = watching(t, b)
	wb.next(3, "")
	if err := process.Kill(s.ctx, number.PID()); err != nil {
		t.Fatal(err)
	}
	wb.ends(codes.Unavailable, "try again")
	eventually(t, "there is a new number", func() error {
		got, err := counter.NewCounterClient(a).Add(t.Context(), &counter.AddRequest{By: 1})
		if err == nil && got.GetN() != 1 {
			t.Errorf("a new number begins at %v", got)
		}
		return err
	})
}

// A test has a call that panics and one that waits.
type extra struct{ begun, finish chan struct{} }

func newExtra() *extra { return &extra{make(chan struct{}), make(chan struct{})} }

func (x *extra) register(srv *grpc.Server) {
	method := func(name string, f func()) grpc.MethodDesc {
		return grpc.MethodDesc{MethodName: name, Handler: func(_ any, ctx context.Context, dec func(any) error, in grpc.UnaryServerInterceptor) (any, error) {
			handle := func(context.Context, any) (any, error) { f(); return &emptypb.Empty{}, nil }
			req := &emptypb.Empty{}
			if err := dec(req); err != nil {
				return nil, err
			}
			return in(ctx, req, &grpc.UnaryServerInfo{FullMethod: "/extra/" + name}, handle)
		}}
	}
	srv.RegisterService(&grpc.ServiceDesc{ServiceName: "extra", Methods: []grpc.MethodDesc{
		method("Crash", func() { panic("a handler that panics") }),
		method("Wait", func() { close(x.begun); <-x.finish }),
	}}, nil)
}

func call(t *testing.T, c *grpc.ClientConn, method string) error {
	return c.Invoke(t.Context(), "/extra/"+method, &emptypb.Empty{}, &emptypb.Empty{})
}

// A panic in a handler is told to the one who called, and to the log, where it was.
func TestCrash(t *testing.T) {
	s := start(t, func(o *options) { o.more = newExtra().register })
	c := dial(t, s.addr, nil)
	w := watching(t, c)
	w.next(0, "")
	wantStatus(t, call(t, c, "Crash"), codes.Internal, "the call crashed")
	add(t, c, 1, 1)
	w.next(1, "") // the same connection, and another call on it

	crashed := s.rec.Events(process.Crashed)
	if len(crashed) != 1 || !strings.Contains(crashed[0].Reason.Error(), "a handler that panics") {
		t.Errorf("crashed: %v, want one call", crashed)
	}
	info, err := acceptor.GetInfo(s.ctx, rpc)
	if err != nil || info.Accepted != 1 || len(info.Ends) != 0 {
		t.Errorf("connections: %+v (%v), want one, which lives", info, err)
	}
}

// The stop: the health service says no, and calls are still served; then what is under
// way is finished, and watchers are sent away.
func TestStop(t *testing.T) {
	x := newExtra()
	s := start(t, func(o *options) { o.more, o.delay = x.register, 500*time.Millisecond })
	c, idle := dial(t, s.addr, nil), dial(t, s.addr, nil)
	add(t, idle, 1, 1)
	w := watching(t, c)
	w.next(1, "")
	health, err := healthpb.NewHealthClient(c).Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	wantHealth := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		if got, err := health.Recv(); err != nil || got.GetStatus() != want {
			t.Errorf("health is %v (%v), want %v", got, err, want)
		}
	}
	wantHealth(healthpb.HealthCheckResponse_SERVING)
	inHand := make(chan error, 1)
	go func() { inHand <- call(t, c, "Wait") }()
	<-x.begun

	stopped := make(chan error, 1)
	go func() { stopped <- application.Stop(s.ctx, s.app) }()
	wantHealth(healthpb.HealthCheckResponse_NOT_SERVING)
	add(t, c, 1, 2)
	w.next(2, "")
	add(t, dial(t, s.addr, nil), 1, 3) // who comes now is still served
	w.next(3, "")

	w.ends(codes.Unavailable, "about to stop")
	_, err = health.Recv()
	wantStatus(t, err, codes.Unavailable, "about to stop")
	if _, err := counter.NewCounterClient(dial(t, s.addr, nil)).Add(t.Context(), &counter.AddRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("who comes after that gets %v", err)
	}
	select {
	case err := <-inHand:
		t.Errorf("the call under way has ended: %v", err)
		inHand <- err
	case err := <-stopped:
		t.Errorf("stopped with a call under way: %v", err)
		stopped <- err
	default:
	}
	close(x.finish)
	if err := errors.Join(<-inHand, <-stopped); err != nil {
		t.Error(err)
	}
	s.wantQuiet()
}

// A drain under load: every addition was either done and answered, or not done.
func TestDrainUnderLoad(t *testing.T) {
	s := start(t, nil)
	var added, refused atomic.Int64
	var all sync.WaitGroup
	busy := make(chan struct{}, 20)
	for range cap(busy) {
		c := counter.NewCounterClient(dial(t, s.addr, nil))
		all.Go(func() {
			for n := 0; ; n++ {
				_, err := c.Add(t.Context(), &counter.AddRequest{By: 1})
				if status.Code(err) == codes.Unavailable {
					refused.Add(1)
					return
				} else if err != nil {
					t.Errorf("after %d calls: %v", n, err)
					return
				}
				added.Add(1)
				if n == 20 {
					busy <- struct{}{}
				}
			}
		})
	}
	for range cap(busy) {
		<-busy
	}
	if err := s.app.PrepStop(s.ctx); err != nil {
		t.Error(err)
	}
	all.Wait()
	got, err := server.Call(s.ctx, theTotal, Next{Version: 0})
	if err != nil || got.N != added.Load() || refused.Load() != int64(cap(busy)) {
		t.Errorf("the total is %d (%v), %d additions were answered and %d refused", got.N, err, added.Load(), refused.Load())
	}
	t.Logf("%d additions", added.Load())
	s.wantQuiet()
}
