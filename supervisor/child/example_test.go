package child_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/supervisor/child"
)

// A web server below a supervisor, on a port that the system picks.
func ExampleHTTPOn() {
	node := process.NewNode(process.NodeSpec{})
	var addr net.Addr
	listen := func(ctx context.Context) (net.Listener, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			addr = l.Addr()
		}
		return l, err
	}
	hello := func() *http.Server {
		return &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "hello from %s", process.Self(r.Context()).Path())
		})}
	}
	_, err := supervisor.Start(node.Context(), supervisor.Spec{Name: "top", Children: []supervisor.Child{
		{ID: "web", Start: child.HTTPOn(listen, hello), Shutdown: 30 * time.Second},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := http.Get("http://" + addr.String())
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := io.ReadAll(resp.Body)
	fmt.Printf("%s %v\n", text, err)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	fmt.Println(node.Stop(context.Background()))
	// Output:
	// hello from top/web <nil>
	// <nil>
}

// Something to do now and then.
func ExampleTicker() {
	node := process.NewNode(process.NodeSpec{})
	swept := make(chan int)
	n := 0
	sweep := func(ctx context.Context) error {
		n++
		select {
		case swept <- n:
		case <-ctx.Done():
		}
		return nil
	}
	_, err := supervisor.Start(node.Context(), supervisor.Spec{Children: []supervisor.Child{
		{ID: "sweep", Start: child.Ticker(time.Millisecond, sweep)},
	}})
	fmt.Println(err, <-swept, <-swept, <-swept)
	fmt.Println(node.Stop(context.Background()))
	// Output:
	// <nil> 1 2 3
	// <nil>
}
