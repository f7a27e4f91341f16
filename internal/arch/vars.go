package arch

import (
	"go/ast"
	"go/token"
	"go/types"
)

// writes maps a package variable, by import path and name, to the first place
// that may change it.
type writes struct {
	assigned  map[string]token.Pos // assigned to, in whole or in part
	addressed map[string]token.Pos // its address taken, or a pointer method called on it
}

func key(v types.Object) string { return v.Pkg().Path() + "." + v.Name() }

// vars reports package variables that something changes. A table or an error that
// is initialised where it is declared, or in init, is a constant in all but name.
//
// The address of a variable is mostly taken to read a large value without a copy,
// so that alone is no offence; but a variable that also has no initial value can
// only get one through its address.
func (c *checker) vars(p *pkg, w writes) {
	for f := range p.source {
		for _, decl := range f.ast.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				spec := spec.(*ast.ValueSpec)
				for _, name := range spec.Names {
					obj := p.info.Defs[name]
					if obj == nil || obj.Pkg() == nil || name.Name == "_" {
						continue
					}
					at, written := w.assigned[key(obj)]
					if !written && len(spec.Values) == 0 {
						at, written = w.addressed[key(obj)]
					}
					if written {
						c.addUnless(name.Pos(), "var", "package variable %s changes at %s: pass the state in", name.Name, c.tree.pos(at))
					}
				}
			}
		}
	}
}

// findWrites finds every place in the tree that assigns to a package variable or
// to a part of one, takes its address, or calls a pointer method on it. What init
// functions do does not count: nothing has run before them.
func (c *checker) findWrites() writes {
	w := writes{assigned: map[string]token.Pos{}, addressed: map[string]token.Pos{}}
	for _, p := range c.tree.pkgs {
		for f := range p.source {
			for _, decl := range f.ast.Decls {
				fn, ok := decl.(*ast.FuncDecl)
				if ok && fn.Body != nil && !(fn.Recv == nil && fn.Name.Name == "init") {
					ast.Inspect(fn.Body, func(n ast.Node) bool {
						w.note(p, n)
						return true
					})
				}
			}
		}
	}
	return w
}

func (w writes) note(p *pkg, n ast.Node) {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			for _, lhs := range n.Lhs {
				mark(w.assigned, p, lhs)
			}
		}
	case *ast.IncDecStmt:
		mark(w.assigned, p, n.X)
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			mark(w.assigned, p, n.Key)
			mark(w.assigned, p, n.Value)
		}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			mark(w.addressed, p, n.X)
		}
	case *ast.SelectorExpr:
		if sel := p.info.Selections[n]; sel != nil && sel.Kind() == types.MethodVal {
			recv := sel.Obj().(*types.Func).Signature().Recv()
			if _, pointer := recv.Type().(*types.Pointer); pointer {
				mark(w.addressed, p, n.X)
			}
		}
	case *ast.CallExpr:
		name := types.ExprString(n.Fun)
		if (name == "delete" || name == "clear" || name == "copy") && len(n.Args) > 0 {
			mark(w.assigned, p, n.Args[0])
		}
	}
}

// mark records the package variable at the root of an expression.
func mark(into map[string]token.Pos, p *pkg, expr ast.Expr) {
	for {
		switch e := expr.(type) {
		case *ast.ParenExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.SliceExpr:
			expr = e.X
		case *ast.StarExpr:
			expr = e.X
		case *ast.SelectorExpr:
			if root(into, p, e.Sel) {
				return
			}
			expr = e.X
		case *ast.Ident:
			root(into, p, e)
			return
		default:
			return
		}
	}
}

// root records the identifier if it is a package variable.
func root(into map[string]token.Pos, p *pkg, id *ast.Ident) bool {
	obj, ok := p.info.Uses[id].(*types.Var)
	if !ok || obj.IsField() || obj.Pkg() == nil || obj.Parent() != obj.Pkg().Scope() {
		return false
	}
	if _, seen := into[key(obj)]; !seen {
		into[key(obj)] = id.Pos()
	}
	return true
}
