package arch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Violation is one breach of one rule.
type Violation struct {
	Pos  string // file:line, relative to the module
	Rule string // short name of the rule
	Text string // what is wrong
}

// String formats the violation the way compilers do.
func (v Violation) String() string { return fmt.Sprintf("%s: %s: %s", v.Pos, v.Rule, v.Text) }

// file is one parsed source file.
type file struct {
	name      string // path relative to the module
	lines     int
	ast       *ast.File
	test      bool
	generated bool
}

// pkg is one package: its parsed files, test files included, and the types of
// the files that are not tests.
type pkg struct {
	path  string // import path relative to the module; "." for its root
	files []*file
	types *types.Package
	info  *types.Info
}

// Tree is a parsed and type-checked module.
type Tree struct {
	dir    string
	module string
	fset   *token.FileSet
	pkgs   []*pkg
}

// listed is the part of "go list -json" that is read.
type listed struct {
	ImportPath, Dir, Export                            string
	Standard, DepOnly                                  bool
	GoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
	CgoFiles                                           []string
	Module                                             *struct{ Path, Dir string }
	Error                                              *struct{ Err string }
}

// Load reads the module in dir. Packages that do not compile are still parsed;
// what needs their types is then checked as far as it goes.
func Load(dir string) (*Tree, error) {
	cmd := exec.Command("go", "list", "-e", "-export", "-deps",
		"-json=ImportPath,Dir,Export,Standard,DepOnly,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles,Module,Error", "./...")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, &stderr)
	}
	tree := &Tree{fset: token.NewFileSet()}
	exports := map[string]string{}
	var own []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := dec.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list output: %w", err)
		}
		exports[l.ImportPath] = l.Export
		if !l.DepOnly && l.Module != nil {
			own = append(own, l)
			tree.module, tree.dir = l.Module.Path, l.Module.Dir
		}
	}
	imp := importer.ForCompiler(tree.fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(exports[path])
	})
	for _, l := range own {
		p, err := tree.parse(l)
		if err != nil {
			return nil, err
		}
		tree.check(p, imp)
		tree.pkgs = append(tree.pkgs, p)
	}
	return tree, nil
}

func (t *Tree) parse(l listed) (*pkg, error) {
	rel := strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, t.module), "/")
	p := &pkg{path: cmp.Or(rel, ".")}
	names := slices.Concat(l.GoFiles, l.CgoFiles, l.IgnoredGoFiles, l.TestGoFiles, l.XTestGoFiles)
	for _, name := range names {
		full := filepath.Join(l.Dir, name)
		src, err := os.ReadFile(full)
		if err != nil {
			return nil, err
		}
		tree, err := parser.ParseFile(t.fset, full, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		relName, err := filepath.Rel(t.dir, full)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, &file{
			name:      filepath.ToSlash(relName),
			lines:     bytes.Count(src, []byte("\n")),
			ast:       tree,
			test:      strings.HasSuffix(name, "_test.go"),
			generated: ast.IsGenerated(tree),
		})
	}
	return p, nil
}

// check computes the types of the package's own files, as far as they have any.
func (t *Tree) check(p *pkg, imp types.Importer) {
	p.info = &types.Info{
		Types:      map[ast.Expr]types.TypeAndValue{},
		Defs:       map[*ast.Ident]types.Object{},
		Uses:       map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	var files []*ast.File
	for _, f := range p.files {
		if !f.test && f.ast.Name.Name != "ignore" {
			files = append(files, f.ast)
		}
	}
	conf := types.Config{Importer: imp, Error: func(error) {}} // the compiler reports these
	p.types, _ = conf.Check(t.module+"/"+p.path, t.fset, files, p.info)
}

// pos formats a position relative to the module.
func (t *Tree) pos(at token.Pos) string {
	where := t.fset.Position(at)
	rel, err := filepath.Rel(t.dir, where.Filename)
	if err != nil {
		rel = where.Filename
	}
	return fmt.Sprintf("%s:%d", filepath.ToSlash(rel), where.Line)
}

// source yields the files that are not tests.
func (p *pkg) source(yield func(*file) bool) {
	for _, f := range p.files {
		if !f.test && !yield(f) {
			return
		}
	}
}
