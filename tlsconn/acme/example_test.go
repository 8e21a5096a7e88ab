package acme_test

import (
	"net/http"

	"github.com/coppice-go/coppice/acceptor"
	"github.com/coppice-go/coppice/acceptor/httpd"
	"github.com/coppice-go/coppice/supervisor"
	"github.com/coppice-go/coppice/tlsconn"
	"github.com/coppice-go/coppice/tlsconn/acme"
)

// A web service with certificates of Let's Encrypt, as a child.
func Example() {
	certs := acme.New(acme.Spec{
		Names:  []string{"example.com", "www.example.com"},
		Email:  "ops@example.com",
		Agreed: true,
		Folder: "/var/lib/shop/acme",
	})
	_ = supervisor.Child{ID: "web", Start: acceptor.StartFunc(acceptor.Spec{
		Name:      "web",
		Address:   ":443",
		Protocol:  httpd.Serve(func() *http.Server { return &http.Server{Handler: http.FileServer(http.Dir("/srv/shop"))} }),
		Transport: tlsconn.NewServer(tlsconn.Spec{Source: certs, ALPN: []string{"h2", "http/1.1"}}),
	})}
}
