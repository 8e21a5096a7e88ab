package main

import (
	"fmt"
	"io"
	"net"
	"strings"
)

// addresses are where a broker listens; nil: not.
type addresses struct {
	tcp, tls net.Addr
	trust    string // file that clients of tls trust
}

// greet says how to talk to the broker.
func (a addresses) greet(out io.Writer, wantsCert bool) error {
	var where, how []string
	add := func(addr net.Addr, kind, more string) error {
		if addr == nil {
			return nil
		}
		host, port, err := net.SplitHostPort(addr.String())
		where = append(where, addr.String()+kind)
		how = append(how,
			fmt.Sprintf("mosquitto_sub -h %s -p %s%s -v -t 'hello/#'", host, port, more),
			fmt.Sprintf("mosquitto_pub -h %s -p %s%s -t hello/world -m 'good morning'", host, port, more))
		return err
	}
	if err := add(a.tcp, "", ""); err != nil {
		return err
	}
	if err := add(a.tls, " (TLS)", hint(a.trust, wantsCert)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "An MQTT 3.1.1 broker listens on %s. Try it from two other terminals:\n\n  %s\n\nCtrl-C stops it.\n",
		strings.Join(where, " and on "), strings.Join(how, "\n  "))
	return err
}
