// Package pki makes certificates for tests: authorities, intermediates, leaves
// and keys, sound or with any flaw that a test needs.
//
//	root := pki.CA("root")
//	good := root.Server("localhost", "127.0.0.1")
//	late := root.Issue(pki.Want{Name: "late", Names: []string{"localhost"}, NotAfter: time.Now().Add(-time.Hour)})
//	files := good.Write(t, t.TempDir())        // paths of PEM files
//	conf := &tls.Config{Certificates: []tls.Certificate{good.TLS()}}
//	pool := root.Pool()
//
// Keys follow from names, so that the same test makes the same certificates
// each time, and fast: a key is as secret as the name it came from. Nothing here
// is for use outside of tests. What cannot be made panics: it is a fault of the
// test.
//
// By default an authority is valid from 1990 to 2090, and a leaf from an hour
// before now to a year after. Now is time.Now, so that a leaf that is made in a
// testing/synctest bubble is valid there.
package pki
