package supervisor_test

import (
	"testing"

	"github.com/coppice-go/coppice/supervisor"
)

func TestStartAndStopInOrder(t *testing.T) {
	bubble(t, func(w *world) {
		w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a"), w.child("b"), w.child("c")}})
		w.want("children start in order", "top/a starts", "top/b starts", "top/c starts")
		w.stop()
		w.want("they stop in reverse",
			"top/c stops shutdown", "top/b stops shutdown", "top/a stops shutdown", "top exit shutdown")
	})
}

func TestPermanentCrash(t *testing.T) {
	bubble(t, func(w *world) {
		w.top(supervisor.Spec{Children: []supervisor.Child{w.child("a"), w.child("b"), w.child("c")}})
		w.take()
		w.end("top/b", errBoom)
		w.want("b alone is restarted", "top/b stops boom", "top: child terminated: b boom", "top/b starts")
		w.end("top/b", errBoom)
		w.want("twice within the period is too often",
			"top/b stops boom", "top: child terminated: b boom", "top: shutdown: b supervisor: reached maximum restart intensity",
			"top/c stops shutdown", "top/a stops shutdown", "top exit shutdown")
	})
}
