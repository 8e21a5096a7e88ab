// Package acme gets certificates from an ACME authority, Let's Encrypt for example, and
// renews them: a tlsconn.Source, made of github.com/caddyserver/certmagic. It is a
// module of its own, so that nobody else gets the dependencies.
//
//	certs := acme.New(acme.Spec{
//		Names:  []string{"example.com", "www.example.com"},
//		Email:  "ops@example.com",
//		Agreed: true, // to the authority's terms
//		Folder: "/var/lib/shop/acme",
//	})
//
//	acceptor.Spec{
//		Name:      "web",
//		Address:   ":443",
//		Protocol:  httpd.Serve(newServer),
//		Transport: tlsconn.NewServer(tlsconn.Spec{Source: certs, ALPN: []string{"h2", "http/1.1"}}),
//	}
//
// # What you may rely on
//
//   - A listener that starts has its certificates. They are taken from the storage;
//     what is not there is obtained first, before the port is bound. If the authority
//     does not give it, the listener does not start, and the error says for which
//     name and why.
//   - What is in the storage is judged as certificates in files are (see package
//     tlsconn), and served as soon as it is renewed, by whomever: several machines may
//     share a storage, and then one of them renews.
//   - A certificate is renewed when less than 0.4 of its life is left, which is before
//     tlsconn would raise an alarm for it. An attempt that fails is an alarm and is
//     made again, after a quarter of an hour, then after twice as long each time, up to
//     half a day. What there was is served on.
//   - Challenges are answered by TLS (tls-alpn-01) on the service's own port, so
//     nothing else has to be open; before that is bound, on the same one. With a DNS
//     solver they are made by DNS, and wildcards can be had.
//   - Renewals run in a process, one at a time. If certmagic crashes in one of them,
//     that is a failed attempt.
//
// # What it does not do
//
// Certificates on demand, several authorities, HTTP challenges, OCSP, and the renewal
// times that an authority suggests (ARI). certmagic keeps two things for the program as
// a whole: the challenges that are under way, and its own limit of requests to an
// authority, which is a goroutine that stays; and a lock in a Folder has one that goes
// up to five seconds late.
package acme
