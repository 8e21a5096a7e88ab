package process

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
)

// Stack returns where the goroutine of a process stands, "" if it has none, as
// the idle do. It stops the world for a moment: it is for reports.
//
// There are no labels to find it by, which would cost each wake-up: run is
// never inlined, so its frame shows its receiver, the process.
func (pid PID) Stack() string {
	if pid.p == nil {
		return ""
	}
	mark := []byte(fmt.Sprintf("process.(*proc).run(%p", pid.p))
	for _, g := range bytes.Split(allStacks(), []byte("\n\n")) {
		if bytes.Contains(g, mark) {
			return string(g)
		}
	}
	return ""
}

// waitsForCPU reports whether the goroutine of a stack could run if it were let.
func waitsForCPU(stack string) bool {
	head, _, _ := strings.Cut(stack, "\n")
	return strings.Contains(head, "[runnable") || strings.Contains(head, "[running")
}

func allStacks() []byte {
	for size := 1 << 16; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= 1<<28 {
			return buf[:n]
		}
	}
}
