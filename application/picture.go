package application

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coppice-go/coppice/process"
)

// stacksDrawn bounds how many goroutines a picture shows.
const stacksDrawn = 50

// picture draws what is still there of all applications, for the moment when a
// stop is forced: each application with the phase it is in, its processes, and
// where those stand that are doing something.
func (c *controller) picture() string {
	var b strings.Builder
	members := map[*process.Group][]process.PID{}
	for _, pid := range c.node.Processes() {
		members[pid.Group()] = append(members[pid.Group()], pid)
	}
	c.mu.RLock()
	instances := slices.Concat(c.running, c.rising)
	c.mu.RUnlock()
	stacks := stacksDrawn
	for _, i := range slices.Backward(instances) {
		at, detail, since := i.where()
		fmt.Fprintf(&b, "  %s: %s for %v, %d processes\n", i.app, phaseName(at, detail),
			time.Since(since).Round(time.Millisecond), len(members[i.group]))
		if at == phaseRunning {
			continue // its turn would have come
		}
		for _, pid := range members[i.group] {
			drawProcess(&b, pid, &stacks)
		}
	}
	return b.String()
}

func drawProcess(b *strings.Builder, pid process.PID, stacks *int) {
	info := pid.Info()
	indent := strings.Repeat("  ", 2+strings.Count(info.Path, "/"))
	fmt.Fprintf(b, "%s%s %s", indent, pid, info.Status)
	if info.Mailbox > 0 {
		fmt.Fprintf(b, ", %d in its mailbox", info.Mailbox)
	}
	if info.Spawner != "" {
		fmt.Fprintf(b, ", started at %s", info.Spawner)
	}
	b.WriteByte('\n')
	if info.Status == "idle" || *stacks == 0 {
		return
	}
	if stack := pid.Stack(); stack != "" {
		*stacks--
		for line := range strings.Lines(stack) {
			b.WriteString(indent + "    " + line)
		}
		if !strings.HasSuffix(stack, "\n") {
			b.WriteByte('\n')
		}
	}
}
