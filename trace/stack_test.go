package trace

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coppice-go/coppice/process"
)

// Whose a frame is decides what its reader gets to see.
func TestWhoseFrame(t *testing.T) {
	built := goSource
	defer func() { goSource = built }()
	tests := []struct {
		place          place
		ours, standard bool
	}{
		{place{"main.main", "/home/ann/shop/main.go", 1}, false, false},
		{place{"shop.example/till.(*Till).Split", "/home/ann/shop/till/till.go", 1}, false, false},
		{place{"gopkg.in/yaml.v3.Unmarshal", "/go/pkg/mod/gopkg.in/yaml.v3/yaml.go", 1}, false, false},
		{place{"encoding/json.Unmarshal", built + "encoding/json/decode.go", 1}, false, true},
		{place{"bytes.(*Buffer).Write", built + "bytes/buffer.go", 1}, false, true},
		{place{modulePath + "process/server.(*core[...]).Handle", "/src/coppice/process/server/server.go", 1}, true, false},
		{place{modulePath + "examples/hello.Split.Handle", "/src/coppice/examples/hello/main.go", 1}, false, false},
		{place{modulePath + "process.TestX", "/src/coppice/process/x_test.go", 1}, false, false},
	}
	for _, trimpath := range []bool{false, true} {
		if trimpath {
			goSource = ""
		}
		for _, tt := range tests {
			if got := ours(tt.place); got != tt.ours {
				t.Errorf("ours(%v) = %v", tt.place, got)
			}
			if got := standard(tt.place); got != tt.standard {
				t.Errorf("with -trimpath %v: standard(%v) = %v", trimpath, tt.place, got)
			}
		}
	}
}

func TestTrim(t *testing.T) {
	frame := func(function string) place { return place{function, "/x.go", 1} }
	lib, user, mine, run := frame("shop.example/json.Parse"), frame("main.handle"), frame(modulePath+"process.(*proc).turn"), frame("runtime.gopanic")
	std := place{"strconv.Atoi", goSource + "strconv/atoi.go", 1}
	tests := []struct {
		name string
		all  []place
		want trimmed
	}{
		{"nothing", nil, trimmed{}},
		{"user's code", []place{run, user, mine, run}, trimmed{at: user, places: []place{user}}},
		{"library of Go's", []place{run, std, user, mine}, trimmed{at: user, places: []place{std, user}}},
		{"library of somebody's", []place{lib, user, mine}, trimmed{at: lib, places: []place{lib, user}}},
		{"our own fault", []place{run, std, mine, run}, trimmed{places: []place{std, mine}}},
	}
	for _, tt := range tests {
		got := trim(tt.all)
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(trimmed{}, place{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if got := stack((&process.PanicError{}).Stack); len(got.places) > 0 {
		t.Errorf("no stack gives %v", got)
	}
}

func TestParseStack(t *testing.T) {
	const text = `goroutine 7 [select, 2 minutes]:
main.(*conn).read(0xc000012345, {0x1, 0x2})
	/src/my shop/main.go:12 +0x1d
github.com/coppice-go/coppice/process.(*proc).run(0xc000012345)
	/src/coppice/process/run.go:42 +0x57
created by main.start in goroutine 1
	/src/my shop/main.go:7 +0x2c
`
	got := parseStack(text)
	want := trimmed{
		head:   "goroutine 7 [select, 2 minutes]",
		at:     place{"main.(*conn).read", "/src/my shop/main.go", 12},
		places: []place{{"main.(*conn).read", "/src/my shop/main.go", 12}, {"main.start", "/src/my shop/main.go", 7}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(trimmed{}, place{})); diff != "" {
		t.Errorf("parseStack (-want +got):\n%s", diff)
	}
	rapid.Check(t, func(t *rapid.T) { // whatever it is given, it survives
		lines := rapid.SliceOf(rapid.SampledFrom([]string{"goroutine 1 [", "main.f(", "\t/x.go:1 +0x1", "\t:", "created by ", "", "\tx:y"})).Draw(t, "lines")
		text := ""
		for _, l := range lines {
			text += fmt.Sprintln(l)
		}
		parseStack(text)
	})
}
