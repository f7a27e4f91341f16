// Command docgen writes docs_gen.go for a pallet package: the documentation
// that metadata shows to clients, taken from the source comments of the
// pallet's storage fields, constants, calls, events and errors. Reflection
// cannot see comments, so they are collected when code is generated.
//
//	//go:generate go run github.com/crustgo/crust/internal/cmd/docgen
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"sort"
	"strconv"
	"strings"
)

const outFile = "docs_gen.go"

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	src, err := generate(dir)
	if err != nil {
		return err
	}
	return os.WriteFile(dir+"/"+outFile, src, 0o644)
}

// generate returns the source of docs_gen.go for the package in dir.
func generate(dir string) ([]byte, error) {
	fset := token.NewFileSet()
	notGenerated := func(f fs.FileInfo) bool {
		return !strings.HasSuffix(f.Name(), "_test.go") && f.Name() != outFile
	}
	pkgs, err := parser.ParseDir(fset, dir, notGenerated, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	if len(pkgs) != 1 {
		return nil, fmt.Errorf("%s holds %d packages, want one", dir, len(pkgs))
	}
	var out []byte
	for name, pkg := range pkgs {
		c := collector{docs: map[string]string{}, comments: map[string]string{}}
		for _, f := range pkg.Files {
			c.declarations(f)
		}
		for _, f := range pkg.Files {
			ast.Inspect(f, c.surface)
		}
		if out, err = render(name, c.docs); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type collector struct {
	docs     map[string]string // what is written
	comments map[string]string // comments of types and functions by Go name
}

// declarations gathers the comments of a file's types, functions and pallet fields.
func (c *collector) declarations(f *ast.File) {
	if f.Doc != nil {
		c.docs[""] = synopsis(f.Doc.Text())
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			c.comments[d.Name.Name] = synopsis(d.Doc.Text())
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				c.spec(d, spec)
			}
		}
	}
}

func (c *collector) spec(d *ast.GenDecl, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		text := s.Doc.Text()
		if text == "" && len(d.Specs) == 1 {
			text = d.Doc.Text()
		}
		c.comments[s.Name.Name] = synopsis(text)
		if st, ok := s.Type.(*ast.StructType); ok && s.Name.Name == "Pallet" {
			c.fields(st)
		}
	case *ast.ValueSpec:
		for i, v := range s.Values {
			if name, ok := constructed(v, "NewError"); ok {
				text := s.Doc.Text()
				if text == "" && len(d.Specs) == 1 {
					text = d.Doc.Text()
				}
				c.docs[name] = rename(synopsis(text), s.Names[i].Name, name)
			}
		}
	}
}

// fields documents the pallet's storage items and constants.
func (c *collector) fields(st *ast.StructType) {
	for _, f := range st.Fields.List {
		text := f.Doc.Text()
		if text == "" {
			text = f.Comment.Text()
		}
		for _, n := range f.Names {
			if n.IsExported() && text != "" {
				c.docs[n.Name] = sentence(synopsis(text))
			}
		}
	}
}

// surface documents the calls and events of a Spec.
func (c *collector) surface(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		if name, ok := constructed(n, "NewCall"); ok && len(n.Args) > 1 {
			if sel, ok := n.Args[1].(*ast.SelectorExpr); ok && c.comments[sel.Sel.Name] != "" {
				c.docs[name] = rename(c.comments[sel.Sel.Name], sel.Sel.Name, name)
			}
		}
	case *ast.KeyValueExpr:
		if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Events" {
			if lit, ok := n.Value.(*ast.CompositeLit); ok {
				c.events(lit)
			}
		}
	}
	return true
}

func (c *collector) events(lit *ast.CompositeLit) {
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			e = kv.Value
		}
		if ev, ok := e.(*ast.CompositeLit); ok {
			if id, ok := ev.Type.(*ast.Ident); ok && c.comments[id.Name] != "" {
				c.docs[id.Name] = c.comments[id.Name]
			}
		}
	}
}

// constructed returns the string that is the first argument of a call of fn.
func constructed(e ast.Expr, fn string) (string, bool) {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return "", false
	}
	var name string
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = f.Sel.Name
	case *ast.Ident:
		name = f.Name
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if name != fn || !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

func synopsis(text string) string {
	return new(doc.Package).Synopsis(text)
}

// sentence makes a bare phrase, as fields have, start with a capital.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// rename puts the wire name in place of the Go name that a comment starts with.
func rename(text, goName, wire string) string {
	if rest, ok := strings.CutPrefix(text, goName); ok {
		return wire + rest
	}
	return text
}

func render(pkg string, docs map[string]string) ([]byte, error) {
	var names []string
	for n := range docs {
		names = append(names, n)
	}
	sort.Strings(names)
	var b bytes.Buffer
	fmt.Fprintf(&b, "// Code generated by docgen; DO NOT EDIT.\n\npackage %s\n\nimport \"github.com/crustgo/crust/substrate/frame\"\n\n", pkg)
	b.WriteString("// Docs is the documentation that metadata shows.\nfunc (*Pallet) Docs() frame.Docs {\n\treturn frame.Docs{\n")
	for _, n := range names {
		fmt.Fprintf(&b, "\t\t%q: %q,\n", n, docs[n])
	}
	b.WriteString("\t}\n}\n")
	return format.Source(b.Bytes())
}
