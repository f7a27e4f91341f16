package arch

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
)

// later matches the marks people leave for work they put off.
var later = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

// form checks that the package teaches and that no comment postpones work.
func (c *checker) form(p *pkg) {
	documented := false
	for _, f := range p.files {
		if path.Base(f.name) == "doc.go" && f.ast.Doc != nil && strings.TrimSpace(f.ast.Doc.Text()) != "" {
			documented = true
		}
		for _, group := range f.ast.Comments {
			for _, comment := range group.List {
				if mark := later.FindString(comment.Text); mark != "" {
					c.add(comment.Pos(), "later", "%s: do it now, or write it into docs/STATUS.md", mark)
				}
			}
		}
	}
	if !documented {
		c.add(p.files[0].ast.Package, "doc", "package %s has no doc.go with a package comment", p.path)
	}
}

// size checks the budgets. Generated files are outside all of them, tests outside
// the budget for functions and packages: a table of cases is one long function.
func (c *checker) size(p *pkg) {
	sum, at := 0, p.files[0].ast.Package // or that of doc.go, where an allowance stands
	for _, f := range p.files {
		if path.Base(f.name) == "doc.go" {
			at = f.ast.Package
		}
		if f.generated {
			continue
		}
		if f.lines > maxFileLines {
			c.addUnless(f.ast.Package, "longfile", "%d lines, more than %d", f.lines, maxFileLines)
		}
		if f.test {
			continue
		}
		sum += f.lines
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := c.tree.fset.Position(fn.End()).Line - c.tree.fset.Position(fn.Pos()).Line + 1
			if lines > maxFuncLines {
				c.addUnless(fn.Pos(), "longfunc", "%s has %d lines, more than %d", fn.Name.Name, lines, maxFuncLines)
			}
		}
	}
	if sum > maxPackageLines {
		c.addUnless(at, "longpackage", "package %s has %d lines, more than %d", p.path, sum, maxPackageLines)
	}
}
