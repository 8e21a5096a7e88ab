package httpd

import (
	"context"
	"log"
	"strings"

	"github.com/coppice-go/coppice/process"
)

// errorLog makes events of what a server writes to its ErrorLog.
func errorLog(ctx context.Context) *log.Logger { return log.New(lines{ctx}, "", 0) }

type lines struct{ ctx context.Context }

func (l lines) Write(b []byte) (int, error) {
	text, more, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	e := process.Event{Kind: process.Network, Level: process.LevelWarn, Text: text}
	if strings.HasPrefix(text, "http: panic serving") {
		e.Level = process.LevelError
	}
	if more != "" {
		e.Detail = stack(more)
	}
	process.Emit(l.ctx, e)
	return len(b), nil
}

// A stack is that of a handler that panicked.
type stack string

// Each makes it a process.Detail.
func (s stack) Each(f func(key string, value any)) { f("stack", string(s)) }
