package arch

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// Check reports everything in the tree that breaks a rule, in order of position.
func Check(t *Tree) []Violation {
	c := &checker{tree: t, table: rules, allows: map[string][]*allowance{}}
	for _, p := range t.pkgs {
		for _, f := range p.files {
			c.collectAllowances(f)
		}
	}
	writes := c.findWrites()
	for _, p := range t.pkgs {
		r, ok := find(c.table, p.path)
		if !ok {
			c.add(p.files[0].ast.Package, "table", "package %s has no line in the table of rules", p.path)
			continue
		}
		c.imports(p, r)
		c.form(p)
		c.size(p)
		switch r.kind {
		case pure:
			c.purity(p)
			c.vars(p, writes)
		case shell:
			c.goroutines(p)
		}
		if under(p.path, "substrate/pallets") || r.kind == pure && !under(p.path, "runtime") {
			c.pallets(p)
		}
	}
	c.dead()
	c.unusedAllowances()
	slices.SortFunc(c.found, func(a, b Violation) int {
		return cmp.Or(strings.Compare(a.Pos, b.Pos), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Text, b.Text))
	})
	return slices.Compact(c.found)
}

type checker struct {
	tree   *Tree
	table  []rule
	found  []Violation
	allows map[string][]*allowance // by file
}

// allowance is one "arch:allow" comment. It covers its own line and the next one,
// or the function whose doc comment it is in.
type allowance struct {
	at          token.Pos
	word        string
	first, last int
	used        bool
}

func (c *checker) add(at token.Pos, rule, format string, args ...any) {
	c.found = append(c.found, Violation{Pos: c.tree.pos(at), Rule: rule, Text: fmt.Sprintf(format, args...)})
}

// addUnless reports a violation unless an allowance for the word covers it.
func (c *checker) addUnless(at token.Pos, word, format string, args ...any) {
	where := c.tree.fset.Position(at)
	for _, a := range c.allows[where.Filename] {
		if a.word == word && a.first <= where.Line && where.Line <= a.last {
			a.used = true
			return
		}
	}
	c.add(at, word, format, args...)
}

var allowWords = []string{"maprange", "float", "var", "goroutine", "longfunc", "longfile", "longpackage"}

func (c *checker) collectAllowances(f *file) {
	for _, group := range f.ast.Comments {
		for _, comment := range group.List {
			rest, ok := strings.CutPrefix(comment.Text, "//arch:allow")
			if !ok {
				continue
			}
			word, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
			switch {
			case !slices.Contains(allowWords, word):
				c.add(comment.Pos(), "allow", "unknown word %q: want one of %s", word, strings.Join(allowWords, ", "))
			case strings.TrimSpace(reason) == "":
				c.add(comment.Pos(), "allow", "an allowance needs a reason")
			default:
				where := c.tree.fset.Position(comment.Pos())
				a := &allowance{at: comment.Pos(), word: word, first: where.Line, last: where.Line + 1}
				if word == "longfile" {
					a.first, a.last = 1, f.lines
				}
				c.extendToDecl(f, group, a)
				c.allows[where.Filename] = append(c.allows[where.Filename], a)
			}
		}
	}
}

// extendToDecl lets an allowance in a doc comment cover the whole declaration.
func (c *checker) extendToDecl(f *file, group *ast.CommentGroup, a *allowance) {
	for _, decl := range f.ast.Decls {
		var doc *ast.CommentGroup
		switch d := decl.(type) {
		case *ast.FuncDecl:
			doc = d.Doc
		case *ast.GenDecl:
			doc = d.Doc
		}
		if doc == group {
			a.last = max(a.last, c.tree.fset.Position(decl.End()).Line)
		}
	}
}

func (c *checker) unusedAllowances() {
	for _, list := range c.allows {
		for _, a := range list {
			if !a.used {
				c.add(a.at, "allow", "this allowance of %s excuses nothing: remove it", a.word)
			}
		}
	}
}
