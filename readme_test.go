package coppice

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// setUp are the commands that a newcomer types, and the only ones.
var setUp = []string{"go run ./examples/broker", "go test ./... ./examples/..."}

func TestReadme(t *testing.T) {
	for _, fault := range readmeFaults(os.DirFS(".")) {
		t.Error(fault)
	}
}

// readmeFaults holds the README to what the repository really contains: the
// program that it shows, the commands that it gives, and the links of all
// pages. What is not checked goes stale.
func readmeFaults(root fs.FS) (faults []string) {
	read := func(name string) string {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			faults = append(faults, err.Error())
		}
		return string(text)
	}
	readme := read("README.md")
	hello := read("examples/hello/main.go")
	ci := read(".ci/run")

	if shown := fenced(readme, "go"); !slices.Contains(shown, hello) {
		faults = append(faults, "README.md: no Go block equals examples/hello/main.go, byte for byte")
	}
	if got := strings.Split(strings.TrimSpace(strings.Join(fenced(readme, "sh"), "")), "\n"); !slices.Equal(got, setUp) {
		faults = append(faults, fmt.Sprintf("README.md: the commands to set up are %q, want exactly %q", got, setUp))
	}
	if !strings.Contains(ci, setUp[1]) {
		faults = append(faults, fmt.Sprintf(".ci/run: does not run the README's %q", setUp[1]))
	}
	var pages []string
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md"} {
		found, err := fs.Glob(root, pattern)
		if err != nil {
			faults = append(faults, err.Error())
		}
		pages = append(pages, found...)
	}
	for _, page := range append(pages, "README.md", "CHANGELOG.md") {
		faults = append(faults, linkFaults(root, page, read(page))...)
	}
	return faults
}

// fenced returns the contents of a page's code blocks in one language.
func fenced(page, lang string) (blocks []string) {
	for _, m := range regexp.MustCompile("(?ms)^```"+lang+"\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

var (
	link = regexp.MustCompile(`\]\(([^)\s]+)\)`) // text in brackets, target in parentheses
	code = regexp.MustCompile("(?ms)^```.*?^```$")
)

// linkFaults finds links to files that are not there. Code may contain what
// only looks like a link.
func linkFaults(root fs.FS, page, text string) (faults []string) {
	for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
		target, _, _ := strings.Cut(m[1], "#")
		if target == "" || strings.Contains(target, "://") {
			continue
		}
		if _, err := fs.Stat(root, path.Join(path.Dir(page), target)); err != nil {
			faults = append(faults, fmt.Sprintf("%s: link to %s, which is not there", page, target))
		}
	}
	return faults
}

// The architecture page is where one looks for a package: it names them all.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	for _, fault := range architectureFaults(os.DirFS("."), sources(t, os.DirFS("."))) {
		t.Error(fault)
	}
}

func architectureFaults(root fs.FS, src []source) (faults []string) {
	page, err := fs.ReadFile(root, "docs/architecture.md")
	if err != nil {
		return []string{err.Error()}
	}
	for _, pkg := range packages(src) {
		_, family := layerOf(pkg) // a package of no layer is another test's fault
		fault := fmt.Sprintf("docs/architecture.md: does not name `%s`", family)
		if family != "." && !strings.Contains(string(page), "`"+family+"`") && !slices.Contains(faults, fault) {
			faults = append(faults, fault)
		}
	}
	return faults
}
