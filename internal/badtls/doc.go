// Package badtls plays what crypto/tls itself does not: clients that break the
// protocol, for tests of those who have to bear with them.
package badtls
