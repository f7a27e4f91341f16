package arch

import (
	"go/ast"
	"strconv"
	"strings"
)

// imports checks the import arrows, third-party modules and, for pure packages,
// the standard library. Test files of pure packages may use the whole standard
// library, but ours only as their package may.
func (c *checker) imports(p *pkg, r rule) {
	for _, f := range p.files {
		for _, spec := range f.ast.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue
			}
			switch own, isOwn := strings.CutPrefix(path, c.tree.module+"/"); {
			case isOwn:
				c.ownImport(p, r, f, spec, own)
			case !strings.Contains(strings.Split(path, "/")[0], "."):
				if r.kind == pure && !f.test {
					c.stdImport(p, spec, path)
				}
			default:
				allowed := r.thirds
				if f.test {
					allowed = join(allowed, testThirds)
				}
				if !underAny(path, allowed) {
					c.add(spec.Pos(), "third-party", "%s may not import %s", p.path, path)
				}
			}
		}
	}
}

// ownImport checks an arrow inside the module. Tests may use more of substrate
// than their package (a fixture needs a store, say), but never leave it.
func (c *checker) ownImport(p *pkg, r rule, f *file, spec *ast.ImportSpec, own string) {
	target, _ := find(c.table, own)
	switch {
	case under(own, p.path), under(p.path, own) && r.kind == target.kind && r.prefix == target.prefix:
	case f.test && under(p.path, "substrate") && under(own, "substrate"):
	case f.test && !under(p.path, "substrate") && !under(own, "cmd"):
	case !underAny(own, r.ours) && !(r.siblings && under(own, r.prefix)):
		c.add(spec.Pos(), "arrow", "%s may not import %s", p.path, own)
	case r.kind == pure && target.kind != pure:
		c.add(spec.Pos(), "arrow", "pure package %s may not import %s, which is not pure", p.path, own)
	}
}

func (c *checker) stdImport(p *pkg, spec *ast.ImportSpec, path string) {
	if path == "reflect" || path == "sync/atomic" && underAny(p.path, mayAtomic) {
		return // what is used of reflect is checked by purity
	}
	for _, ok := range pureStd {
		if path == ok || strings.HasSuffix(ok, "/") && strings.HasPrefix(path, ok) {
			return
		}
	}
	c.add(spec.Pos(), "purity", "pure package %s may not import %s", p.path, path)
}

// pallets reports uses of another package's Pallet: what a pallet needs of
// another is an interface of its own.
func (c *checker) pallets(p *pkg) {
	for f := range p.source {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Pallet" {
				return true
			}
			obj := p.info.Uses[sel.Sel]
			if obj == nil || obj.Pkg() == nil || obj.Pkg() == p.types {
				return true
			}
			own, isOwn := strings.CutPrefix(obj.Pkg().Path(), c.tree.module+"/")
			if r, _ := find(c.table, own); isOwn && !under(own, "substrate/frame") && r.kind == pure {
				c.add(sel.Pos(), "pallet", "%s names the Pallet of %s: declare an interface for what it needs", p.path, own)
			}
			return true
		})
	}
}

// dead reports packages that nothing but tests imports. It begins to matter when
// there is a command that everything ends up in.
func (c *checker) dead() {
	used := map[string]bool{}
	commands := 0
	for _, p := range c.tree.pkgs {
		if under(p.path, "cmd") {
			commands++
		}
		for f := range p.source {
			for _, spec := range f.ast.Imports {
				if path, err := strconv.Unquote(spec.Path.Value); err == nil {
					used[strings.TrimPrefix(path, c.tree.module+"/")] = true
				}
			}
		}
	}
	for _, p := range c.tree.pkgs {
		r, _ := find(c.table, p.path)
		main := p.types != nil && p.types.Name() == "main"
		if commands > 0 && r.kind != tool && !main && !used[p.path] && !underAny(p.path, mayRest) {
			c.add(p.files[0].ast.Package, "dead", "nothing but tests imports %s", p.path)
		}
	}
}
