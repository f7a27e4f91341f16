package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"

	"github.com/crustgo/crust/substrate/types"
)

// compare fails if a weight in the file is below half of what was measured.
func compare(path string, values []value) error {
	there, err := read(path)
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range values {
		ws, ok := there[v.name]
		if !ok {
			errs = append(errs, fmt.Errorf("%s has no weight %s: run make weights", path, v.name))
			continue
		}
		for i, want := range []types.Weight{v.base, v.unit} {
			if i < len(ws) && ws[i].RefTime < want.RefTime/2 {
				errs = append(errs, fmt.Errorf("%s: %s is %d, and %d was measured: run make weights", path, v.name, ws[i].RefTime, want.RefTime))
			}
		}
	}
	return errors.Join(errs...)
}

// compareKeys fails if a weight in the file is not for the keys that were counted: if
// it has another proof size, or less time than the database takes for the keys alone.
func compareKeys(path string, values []value) error {
	there, err := read(path)
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range values {
		for i, want := range []types.Weight{v.base, v.unit} {
			switch ws := there[v.name]; {
			case i == 1 && !v.linear:
			case len(ws) <= i:
				errs = append(errs, fmt.Errorf("%s has no weight %s: run make weights", path, v.name))
			case ws[i].ProofSize != roundUp(want.ProofSize) || ws[i].RefTime < want.RefTime:
				errs = append(errs, fmt.Errorf("%s: %s is %d ps and %d bytes, and its keys alone take %d and %d: it reads or writes others than when it was measured; run make weights",
					path, v.name, ws[i].RefTime, ws[i].ProofSize, want.RefTime, want.ProofSize))
			}
		}
	}
	return errors.Join(errs...)
}

// read returns the weights of a file by name: one, or base and unit.
func read(path string) (map[string][]types.Weight, error) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return nil, err
	}
	out := map[string][]types.Weight{}
	ast.Inspect(f, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		name, ok := kv.Key.(*ast.Ident)
		if !ok {
			return true
		}
		ast.Inspect(kv.Value, func(n ast.Node) bool {
			if lit, ok := n.(*ast.CompositeLit); ok && isWeight(lit) {
				out[name.Name] = append(out[name.Name], weightOf(lit))
				return false
			}
			return true
		})
		return false
	})
	return out, nil
}

func isWeight(lit *ast.CompositeLit) bool {
	sel, ok := lit.Type.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Weight"
}

func weightOf(lit *ast.CompositeLit) (w types.Weight) {
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		n, ok := kv.Value.(*ast.BasicLit)
		if !ok {
			continue
		}
		v, err := strconv.ParseUint(strings.ReplaceAll(n.Value, "_", ""), 10, 64)
		if err != nil {
			continue // not what emit writes: it counts as zero, which compare refuses
		}
		switch fmt.Sprint(kv.Key) {
		case "RefTime":
			w.RefTime = v
		case "ProofSize":
			w.ProofSize = v
		}
	}
	return w
}
