package arch

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// purity checks the statements and expressions of a pure package.
func (c *checker) purity(p *pkg) {
	for f := range p.source {
		floats := slices.Contains(mayFloat, f.name)
		var stack []ast.Node
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if n == nil {
				stack = stack[:len(stack)-1]
				return true
			}
			stack = append(stack, n)
			switch n := n.(type) {
			case *ast.GoStmt:
				c.add(n.Pos(), "purity", "a pure package starts no goroutines")
			case *ast.ChanType, *ast.SendStmt, *ast.SelectStmt:
				c.add(n.Pos(), "purity", "a pure package has no channels")
			case *ast.UnaryExpr:
				if n.Op == token.ARROW {
					c.add(n.Pos(), "purity", "a pure package has no channels")
				}
			case *ast.RangeStmt:
				c.mapRange(p, n, stack)
			case *ast.SelectorExpr:
				c.reflection(p, n)
			}
			if expr, ok := n.(ast.Expr); ok && !floats {
				c.float(p, expr)
			}
			return true
		})
	}
}

// reflection reports any use of reflect but naming a type, outside the packages
// that bind types.
func (c *checker) reflection(p *pkg, sel *ast.SelectorExpr) {
	obj := p.info.Uses[sel.Sel]
	if obj == nil || obj.Pkg() == nil || obj.Pkg().Path() != "reflect" || obj.Parent() != obj.Pkg().Scope() || underAny(p.path, mayReflect) {
		return
	}
	if name := obj.Name(); name != "Type" && name != "TypeFor" {
		c.add(sel.Pos(), "purity", "a pure package only names types to reflect, it does not use %s", name)
	}
}

// float reports the first sight of a floating-point type or value: the name of
// the type, a literal, or an operand.
func (c *checker) float(p *pkg, expr ast.Expr) {
	switch e := expr.(type) {
	case *ast.Ident:
		obj, ok := p.info.Uses[e].(*types.TypeName)
		if ok && isFloat(obj.Type()) {
			c.addUnless(e.Pos(), "float", "a pure package has no floats")
		}
	case *ast.BasicLit, *ast.BinaryExpr, *ast.CallExpr, *ast.SelectorExpr:
		if tv := p.info.Types[expr]; tv.Type != nil && !tv.IsType() && isFloat(tv.Type) {
			c.addUnless(expr.Pos(), "float", "a pure package has no floats")
		}
	}
}

// isFloat leaves untyped constants out: 1e9 is mostly an integer.
func isFloat(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&types.IsUntyped == 0 && basic.Info()&(types.IsFloat|types.IsComplex) != 0
}

// mapRange reports a range over a map, or over the unordered iterators of one,
// unless the loop only collects for a sort or only deletes.
func (c *checker) mapRange(p *pkg, r *ast.RangeStmt, stack []ast.Node) {
	if !rangesMap(p, r.X) || collectsForSort(p, r, stack) || onlyDeletes(p, r) {
		return
	}
	c.addUnless(r.Pos(), "maprange", "the order of a map may reach a result: range over sorted keys")
}

func rangesMap(p *pkg, x ast.Expr) bool {
	if tv := p.info.Types[x]; tv.Type != nil {
		if _, isMap := tv.Type.Underlying().(*types.Map); isMap {
			return true
		}
	}
	call, ok := ast.Unparen(x).(*ast.CallExpr)
	if !ok {
		return false
	}
	return slices.Contains([]string{"maps.Keys", "maps.Values", "maps.All"}, callee(p, call))
}

// callee names a called package function as path.Name.
func callee(p *pkg, call *ast.CallExpr) string {
	fun := ast.Unparen(call.Fun)
	if index, ok := fun.(*ast.IndexExpr); ok {
		fun = index.X
	}
	sel, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	fn, ok := p.info.Uses[sel.Sel].(*types.Func)
	if !ok || fn.Pkg() == nil {
		return ""
	}
	return fn.Pkg().Path() + "." + fn.Name()
}

// collectsForSort recognises a body that is one append, followed at once by a
// sort of what was appended to.
func collectsForSort(p *pkg, r *ast.RangeStmt, stack []ast.Node) bool {
	if len(r.Body.List) != 1 || len(stack) < 2 {
		return false
	}
	assign, ok := r.Body.List[0].(*ast.AssignStmt)
	if !ok || len(assign.Lhs) != 1 || len(assign.Rhs) != 1 {
		return false
	}
	target := types.ExprString(assign.Lhs[0])
	call, ok := assign.Rhs[0].(*ast.CallExpr)
	if !ok || len(call.Args) == 0 || types.ExprString(call.Fun) != "append" || types.ExprString(call.Args[0]) != target {
		return false
	}
	block, ok := stack[len(stack)-2].(*ast.BlockStmt)
	if !ok {
		return false
	}
	next := slices.Index(block.List, ast.Stmt(r)) + 1
	if next == 0 || next >= len(block.List) {
		return false
	}
	stmt, ok := block.List[next].(*ast.ExprStmt)
	if !ok {
		return false
	}
	sorting, ok := stmt.X.(*ast.CallExpr)
	if !ok || len(sorting.Args) == 0 || types.ExprString(sorting.Args[0]) != target {
		return false
	}
	name := callee(p, sorting)
	return strings.HasPrefix(name, "slices.Sort") || strings.HasPrefix(name, "sort.")
}

// onlyDeletes recognises a body whose statements all delete from a map, perhaps
// under a condition.
func onlyDeletes(p *pkg, r *ast.RangeStmt) bool {
	return len(r.Body.List) > 0 && allDelete(p, r.Body.List)
}

func allDelete(p *pkg, list []ast.Stmt) bool {
	for _, stmt := range list {
		switch s := stmt.(type) {
		case *ast.IfStmt:
			if s.Else != nil || !allDelete(p, s.Body.List) {
				return false
			}
		case *ast.ExprStmt:
			call, ok := s.X.(*ast.CallExpr)
			if !ok || types.ExprString(call.Fun) != "delete" {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// goroutines reports go statements of a shell outside the packages that own them.
func (c *checker) goroutines(p *pkg) {
	if underAny(p.path, mayGo) {
		return
	}
	for f := range p.source {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				c.addUnless(g.Pos(), "goroutine", "a naked go: let an owner of %s start it and wait for it", strings.Join(mayGo, ", "))
			}
			return true
		})
	}
}
