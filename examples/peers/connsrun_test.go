package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A server that does not serve, or that breaks off, gives no figure, and says why.
func TestConnRun(t *testing.T) {
	w := connWorks[0]
	for _, tt := range []struct{ script, want string }{
		{`echo 'no port' >&2; exit 1`, "no port"},
		{`echo 127.0.0.1:1; cat`, "connection refused"},
		{`echo 127.0.0.1:1; exec sleep 60`, "connection refused"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "fake"), []byte("#!/bin/sh\n"+tt.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		m := &meter{bench: bench{dir: dir}, size: size{limit: time.Second, sizes: connCounts(1, 1, 1, 1)}}
		_, err := m.run(t.Context(), peer{dir: "fake"}, w)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s\ngot  %v\nwant %s", tt.script, err, tt.want)
		}
	}
}
