// Package identity reads certificates, keys and authorities from files, and
// judges them before anybody is served with them.
//
//	pair, err := identity.Load(identity.Files{
//		Cert:  "server.crt", // the leaf first, then its issuers
//		Key:   "server.key",
//		Names: []string{"mqtt.example.org"},
//	}, time.Now())
//
// A server whose certificate is expired, or for another name, or without its
// intermediate, starts without a word and is then refused by each of its clients
// in turn. Here it does not start. The error is for the person who has to put it
// right: it holds every flaw of every file at once, each with the file, what is
// wrong with it, and what to type.
//
// # What is judged
//
// That each file exists, can be read, is PEM and is whole; that it holds what
// its field is for; that the key is the certificate's and has no password; that
// the leaf comes first, its issuers follow in order, and they lead to a root;
// that all of them are valid now; that the leaf is for this use and for the
// declared names; that nothing is signed with SHA-1, and no RSA key is shorter
// than 2048 bits; that what stands for an authority is one. Each judgement is a
// [Check]. A judgement can be waived by its name, in Files.Waive, if it is one
// that leaves something to serve; there is no way to waive all. See [Waivable].
//
// # What you may rely on
//
//   - Load does not panic, whatever the files hold, and does not hang: what is not
//     a regular file is not opened.
//   - It takes time as an argument, and keeps nothing. There is no goroutine, clock
//     or log here. It reads the files it is given and, if no roots are named, the
//     system's authorities.
//   - No byte of a private key is in an error, or in whatever way anything of this
//     package is printed, logged, or turned into JSON.
//
// # Files that change
//
// A [Rotation] decides when they are read again, what is served meanwhile, and
// what is told of it. A process has to go with it; package tlsconn has one.
package identity
