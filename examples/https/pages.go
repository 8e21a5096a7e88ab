package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/coppice-go/coppice/process"
	"github.com/coppice-go/coppice/process/server"
	"github.com/coppice-go/coppice/registry"
	"github.com/coppice-go/coppice/tlsconn"
)

// visits counts. Only its own process touches the number.
type visits struct{ n int }

var theVisits = registry.NewKey[server.Ref[visits]]("visits")

// Visit is one more; the answer is how many that makes.
type Visit struct{}

func (Visit) Handle(_ context.Context, v *visits) (int, error) {
	v.n++
	return v.n, nil
}

// hello calls the client by the name that it has proved to have, if any.
func hello(w http.ResponseWriter, r *http.Request) {
	n, err := server.Call(r.Context(), theVisits, Visit{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	name := "whoever you are"
	if who, ok := tlsconn.PeerOf(r.TLS); ok {
		name = who.CommonName
	}
	fmt.Fprintf(w, "Hello, %s. You are visitor %d, over %s and %s, and talk to process %v.\n",
		name, n, r.Proto, tls.VersionName(r.TLS.Version), process.Self(r.Context()))
}

const slowest = 20 * time.Second

// slow takes its time, for those who want to see what a stop does about that.
func slow(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.FormValue("for"))
	if err != nil || d < 0 || d > slowest {
		http.Error(w, fmt.Sprintf("ask for a time up to %v, as in /slow?for=5s", slowest), http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(d):
		fmt.Fprintf(w, "That took %v.\n", d)
	case <-r.Context().Done(): // the client has gone, or its process was killed
	}
}
