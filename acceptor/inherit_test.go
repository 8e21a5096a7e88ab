package acceptor

import (
	"fmt"
	"strings"
	"testing"
)

func TestHandovers(t *testing.T) {
	const pid = 77
	for name, c := range map[string]struct {
		env     map[string]string
		address string
		want    string // the descriptors, or a part of the error
	}{
		"by name":        {vars("3", "77", "web:admin:web"), "admin", "[4]"},
		"several":        {vars("3", "77", "web:admin:web"), "web", "[3 5]"},
		"by number":      {vars("3", "77", "web:admin:web"), "2", "[5]"},
		"without names":  {vars("2", "77", ""), "1", "[4]"},
		"a name first":   {vars("2", "77", "1:0"), "1", "[3]"},
		"nothing":        {vars("", "", ""), "web", "LISTEN_FDS is not set"},
		"none":           {vars("0", "77", ""), "web", "among the 0"},
		"not a number":   {vars("x", "77", ""), "web", `LISTEN_FDS is "x"`},
		"below 0":        {vars("-1", "77", ""), "web", `LISTEN_FDS is "-1"`},
		"for another":    {vars("1", "78", ""), "0", `LISTEN_PID is "78" and this is process 77`},
		"for nobody":     {vars("1", "", ""), "0", `LISTEN_PID is ""`},
		"names too few":  {vars("2", "77", "web"), "web", "1 names (web) for 2 sockets"},
		"no such name":   {vars("2", "77", "web:admin"), "wob", `["web" "admin"]`},
		"no such number": {vars("2", "77", ""), "2", "[descriptor 3 descriptor 4]"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := handovers(func(key string) string { return c.env[key] }, pid)
			var chosen []handover
			if err == nil {
				chosen, err = choose(all, c.address)
			}
			got := fmt.Sprint(err)
			if err == nil {
				var fds []int
				for _, h := range chosen {
					fds = append(fds, h.fd)
				}
				got = fmt.Sprint(fds)
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func vars(fds, pid, names string) map[string]string {
	return map[string]string{"LISTEN_FDS": fds, "LISTEN_PID": pid, "LISTEN_FDNAMES": names}
}
