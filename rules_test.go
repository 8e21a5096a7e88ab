package coppice

import (
	"fmt"
	"go/ast"
	"os"
	"strings"
	"testing"
)

// Everything that runs concurrently is a process: it has a PID, a parent and a
// death that somebody hears of. So the runtime of package process starts
// goroutines in exactly one place, and nobody else does. Tests may, and so may
// examples, which are users' programs.
func TestOneGoStatement(t *testing.T) {
	for _, fault := range goStatementFaults(sources(t, os.DirFS("."))) {
		t.Error(fault)
	}
}

func goStatementFaults(src []source) (faults []string) {
	var allowed []string // the places below process/
	for _, s := range src {
		if within(s.pkg, "examples") {
			continue
		}
		for n := range ast.Preorder(s.file) {
			if _, ok := n.(*ast.GoStmt); !ok {
				continue
			}
			if within(s.pkg, "process") {
				allowed = append(allowed, s.at(n))
			} else {
				faults = append(faults, fmt.Sprintf("%s: go statement: start a process (process.Go, process.Start) instead", s.at(n)))
			}
		}
	}
	if len(allowed) != 1 {
		faults = append(faults, fmt.Sprintf("process/ has %d go statements, want exactly 1: %s", len(allowed), strings.Join(allowed, ", ")))
	}
	return faults
}

// A package that cannot say in a sentence what it is has not found its idea.
func TestPackageDocs(t *testing.T) {
	for _, fault := range packageDocFaults(sources(t, os.DirFS("."))) {
		t.Error(fault)
	}
}

// packageDocFaults wants one package comment per package, in go doc's form:
// "Package x ..." for a library; for a program anything but that.
func packageDocFaults(src []source) (faults []string) {
	docs := map[string][]string{}
	for _, s := range src {
		if s.file.Doc == nil {
			continue
		}
		docs[s.pkg] = append(docs[s.pkg], s.path)
		name, text := s.file.Name.Name, s.file.Doc.Text()
		asLibrary := strings.HasPrefix(text, "Package "+name+" ")
		switch {
		case name != "main" && !asLibrary:
			faults = append(faults, fmt.Sprintf("%s: package comment does not begin with %q", s.path, "Package "+name+" "))
		case name == "main" && strings.HasPrefix(text, "Package "):
			faults = append(faults, fmt.Sprintf("%s: a program's comment begins with what it does, not with %q", s.path, "Package"))
		}
	}
	for _, pkg := range packages(src) {
		switch n := len(docs[pkg]); {
		case n == 0:
			faults = append(faults, fmt.Sprintf("%s: package without a package comment", pkg))
		case n > 1:
			faults = append(faults, fmt.Sprintf("%s: package comment in %d files: %s", pkg, n, strings.Join(docs[pkg], ", ")))
		}
	}
	return faults
}
