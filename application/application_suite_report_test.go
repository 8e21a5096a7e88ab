package application

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/coppice-go/coppice/trace"
)

// What a report holds, by key.
func suiteFormatLog1(k *kit) {
	app := &App{Name: "my_application"}
	for _, tt := range []struct {
		r    Report
		want string
	}{
		{Report{What: Exited, App: app, Type: Temporary, Reason: errBoom}, "what=exited application=my_application type=temporary"},
		{Report{What: Started, App: app, Type: Temporary, Took: time.Second}, "what=started application=my_application type=temporary took=1s"},
		{Report{What: StillNeeded, App: app, By: make([]*App, 15)}, "what=still needed application=my_application by=" +
			strings.Repeat("x, ", 9) + "x and 5 more"},
	} {
		for i := range tt.r.By {
			tt.r.By[i] = &App{Name: "x"}
		}
		var got []string
		tt.r.Each(func(key string, value any) { got = append(got, fmt.Sprintf("%s=%v", key, value)) })
		if s := strings.Join(got, " "); s != tt.want {
			k.Errorf("a report of kind %v holds\n\t%s\nwant\n\t%s", tt.r.What, s, tt.want)
		}
	}
}

// What a log shows of an application that starts and is stopped, on a line each.
func suiteFormatLog2(r *runKit) {
	var log bytes.Buffer
	r.options.Node.Probe = nil
	r.options.Reports = trace.Options{Output: &log, Form: trace.JSON, Progress: true}
	r.run(r.Context(), chSup("my_application"))
	r.signals <- syscall.SIGTERM
	r.clean()
	for _, want := range [][]string{
		{`"level":"debug"`, `"application":"my_application"`, `"type":"permanent"`, `application my_application started in`},
		{`"level":"info"`, `"application":"my_application"`, `"type":"permanent"`, `application my_application (permanent) stopped with its node`},
	} {
		if !hasLine(log.String(), want) {
			r.Errorf("no line of the log has all of %q:\n%s", want, log.String())
		}
	}
}

func hasLine(text string, parts []string) bool {
	for line := range strings.Lines(text) {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			return true
		}
	}
	return false
}
