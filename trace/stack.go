package trace

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
)

const modulePath = "github.com/coppice-go/coppice/"

// A place is one line of a stack.
type place struct {
	function string
	file     string
	line     int
}

func (p place) String() string { return fmt.Sprintf("%s %s:%d", p.function, p.file, p.line) }

// A trimmed stack has what its reader can act on.
type trimmed struct {
	head   string  // what the goroutine is doing, if that is known
	at     place   // the innermost frame of the user's own code
	places []place // innermost first
}

// stack makes a trimmed stack of program counters.
func stack(pcs []uintptr) trimmed {
	if len(pcs) == 0 {
		return trimmed{}
	}
	var all []place
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		all = append(all, place{f.Function, f.File, f.Line})
		if !more {
			return trim(all)
		}
	}
}

// parseStack makes a trimmed stack of what the runtime prints of a goroutine:
//
//	goroutine 7 [select]:
//	main.(*conn).read(0xc000012345)
//		/src/main.go:12 +0x1d
//	created by main.start in goroutine 1
//		/src/main.go:7 +0x2c
func parseStack(text string) trimmed {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var all []place
	for i := 1; i+1 < len(lines); i += 2 {
		function, starter := strings.CutPrefix(lines[i], "created by ")
		if starter {
			function, _, _ = strings.Cut(function, " in goroutine ")
		} else if open := strings.LastIndex(function, "("); open > 0 {
			function = function[:open]
		}
		where, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " +0x")
		colon := strings.LastIndex(where, ":")
		if colon < 0 {
			continue
		}
		line, err := strconv.Atoi(where[colon+1:])
		if err != nil {
			continue
		}
		all = append(all, place{function, where[:colon], line})
	}
	t := trim(all)
	t.head = strings.TrimSuffix(lines[0], ":")
	return t
}

// trim leaves out the frames of the runtime and our own. The user's innermost
// frame is rarely the innermost of all: it is libraries that panic. If nothing
// of the user's is on the stack, then the fault is ours and all of it is shown.
func trim(all []place) (t trimmed) {
	var mine []place
	for _, p := range all {
		if p.function == "" || ofRuntime(p.function) {
			continue
		}
		mine = append(mine, p)
		if ours(p) {
			continue
		}
		t.places = append(t.places, p)
		if t.at == (place{}) && !standard(p) {
			t.at = p
		}
	}
	if t.at == (place{}) {
		t.places = mine
	}
	return t
}

func ofRuntime(function string) bool {
	return strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "internal/runtime/") || function == "panic"
}

// ours reports whether a frame belongs to this module. Its examples and tests
// are users like any other.
func ours(p place) bool {
	rest, found := strings.CutPrefix(p.function, modulePath)
	return found && !strings.HasPrefix(rest, "examples/") && !strings.HasSuffix(p.file, "_test.go")
}

// standard reports whether a frame belongs to Go's own library.
func standard(p place) bool {
	if goSource != "" {
		return strings.HasPrefix(p.file, goSource)
	}
	// Built with -trimpath: then a package of the library is one whose path
	// does not begin with a domain, as far as people keep to that.
	pkg := p.function
	slash := strings.LastIndex(pkg, "/") + 1
	if dot := strings.Index(pkg[slash:], "."); dot >= 0 {
		pkg = pkg[:slash+dot]
	}
	domain, _, _ := strings.Cut(pkg, "/")
	return domain != "main" && !strings.Contains(domain, ".")
}

// goSource is where the compiler found the library's files, "" if it did not
// say: the folder of errors/errors.go.
var goSource = func() string {
	pc := reflect.ValueOf(errors.New).Pointer()
	file, _ := runtime.FuncForPC(pc).FileLine(pc)
	root, found := strings.CutSuffix(filepath.ToSlash(file), "errors/errors.go")
	if !found {
		return ""
	}
	return root
}()
