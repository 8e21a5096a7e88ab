package main

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/coppice-go/coppice/examples/grpc/counter"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
)

// A service answers calls. What it does, it has theTotal do.
type service struct {
	counter.UnimplementedCounterServer
	health *health.Server
	more   func(*grpc.Server) // see options
}

// serve serves until ctx is done, and then until the last call is finished. What is
// not finished in time the listener cuts off.
func (s *service) serve(ctx context.Context, ln net.Listener) error {
	srv := grpc.NewServer(
		grpc.Creds(overTLS{process.Uninterrupted(ctx)}),
		grpc.UnaryInterceptor(unary),
		grpc.StreamInterceptor(stream),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute}),
		grpc.ConnectionTimeout(5*time.Second),
	)
	counter.RegisterCounterServer(srv, s)
	healthpb.RegisterHealthServer(srv, s.health)
	reflection.Register(srv)
	if s.more != nil {
		s.more(srv)
	}
	defer srv.Stop() // what it does after a GracefulStop is nothing
	defer context.AfterFunc(ctx, srv.GracefulStop)()
	return srv.Serve(ln)
}

// Add implements counter.CounterServer.
func (s *service) Add(ctx context.Context, r *counter.AddRequest) (*counter.Total, error) {
	sum, err := server.Call(ctx, theTotal, Add{N: r.GetBy(), By: nameOf(ctx)})
	return totalOf(sum), err
}

// Watch implements counter.CounterServer.
func (s *service) Watch(_ *counter.WatchRequest, out grpc.ServerStreamingServer[counter.Total]) error {
	ctx := process.WithCallTimeout(out.Context(), process.Infinity)
	for seen := uint64(0); ; {
		c, err := server.Call(ctx, theTotal, Next{seen})
		if err != nil {
			return err
		}
		if err := out.Send(totalOf(c.sum)); err != nil {
			return err
		}
		seen = c.version
	}
}

func totalOf(s sum) *counter.Total { return &counter.Total{N: s.N, By: s.By} }
