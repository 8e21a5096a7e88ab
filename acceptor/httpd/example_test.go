package httpd_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/acceptor/httpd"
	"github.com/coppice-go/coppice/application"
	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/supervisor"
)

// A web server as a child, which takes leave of its load balancers before the
// application stops.
func Example() {
	newServer := func() *http.Server {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "hello from %s", process.Self(r.Context()).Kind())
		})
		mux.Handle("GET /readyz", httpd.Ready(process.Name("web")))
		return &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	}
	web := acceptor.Spec{Name: "web", Address: "127.0.0.1:0", Protocol: httpd.Serve(newServer)}
	app := &application.App{
		Name: "shop",
		Start: supervisor.StartFunc(supervisor.Spec{Children: []supervisor.Child{
			{ID: "web", Start: acceptor.StartFunc(web)},
		}}),
		PrepStop: acceptor.DrainPlan{
			Listeners: []process.Target{process.Name("web")},
			Delay:     time.Millisecond, // in earnest: until the load balancers have noticed
			Within:    30 * time.Second,
		}.Run,
		PrepStopTimeout: time.Minute,
	}

	node := process.NewNode(process.NodeSpec{Name: "example"})
	ctx := node.Context()
	defer node.Stop(ctx)
	if err := application.Start(ctx, app, application.Temporary); err != nil {
		fmt.Println(err)
		return
	}
	addr, err := acceptor.Addr(ctx, process.Name("web"))
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: &http.Transport{}}
	for _, path := range []string{"/", "/readyz"} {
		a := get(client, "http://"+addr.String()+path)
		fmt.Println(a.status, strings.TrimSpace(a.text))
	}
	fmt.Println(application.Stop(ctx, app))
	// Output:
	// 200 hello from server
	// 200 ready
	// <nil>
}
