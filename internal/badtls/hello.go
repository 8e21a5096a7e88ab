package badtls

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
)

// Hello is the ClientHello that a client with these settings sends: one record.
func Hello(conf *tls.Config) []byte {
	ours, theirs := net.Pipe()
	defer ours.Close()
	var wg sync.WaitGroup
	wg.Go(func() { _ = tls.Client(theirs, conf).Handshake() }) // nobody answers it
	defer wg.Wait()
	defer theirs.Close()
	record := make([]byte, 5)
	_, err := io.ReadFull(ours, record)
	if err == nil {
		body := make([]byte, int(record[3])<<8|int(record[4]))
		_, err = io.ReadFull(ours, body)
		record = append(record, body...)
	}
	if err != nil {
		panic("badtls: no ClientHello: " + err.Error())
	}
	return record
}
