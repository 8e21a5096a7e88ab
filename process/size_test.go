package process

import (
	"testing"
	"unsafe"
)

// A process is small. Whoever adds to it for what few need: that is what the
// extension is for.
func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(proc{}); n > 256 {
		t.Errorf("a process takes %d bytes, more than 256", n)
	}
}
