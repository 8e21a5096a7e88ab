package coppice

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of the repository's root.
const module = "github.com/coppice-go/coppice"

// A source is one Go file of the repository that is not a test. The checks
// read syntax only: so they see the files of every operating system, and they
// run on the small invented trees that prove that each of them can fail.
type source struct {
	pkg  string // its package's folder, relative to the root; "." is the root
	path string
	file *ast.File
	fset *token.FileSet
}

// at says where in the repository a node stands, as file:line.
func (s source) at(n ast.Node) string {
	return s.path + ":" + strconv.Itoa(s.fset.Position(n.Pos()).Line)
}

// imports lists what the file imports: each path, and where.
func (s source) imports(yield func(path, at string) bool) {
	for _, spec := range s.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			p = spec.Path.Value // the compiler will have its say
		}
		if !yield(p, s.at(spec)) {
			return
		}
	}
}

// sources parses every file below root that a user's program could contain.
// Test files, testdata and folders that the go tool ignores are left out.
func sources(t *testing.T, root fs.FS) []source {
	t.Helper()
	var found []source
	fset := token.NewFileSet()
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != "." && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(base) != ".go" || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		found = append(found, source{pkg: path.Dir(name), path: name, file: file, fset: fset})
		return nil
	})
	if err != nil {
		t.Fatalf("reading the source tree: %v", err)
	}
	return found
}

// packages lists the folders that hold Go code, sorted.
func packages(src []source) []string {
	var all []string
	for _, s := range src {
		all = append(all, s.pkg)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
