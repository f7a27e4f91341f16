package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// target is one fuzz function.
type target struct {
	Dir  string // directory of its package
	Name string // FuzzXxx
}

func (t target) String() string { return filepath.ToSlash(t.Dir) + "." + t.Name }

// findTargets lists the fuzz functions below root. Directories of other modules,
// of test data and hidden ones are not looked into.
func findTargets(root string) ([]target, error) {
	var targets []target
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != root && skipDir(path, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		names, err := fuzzFuncs(path)
		for _, name := range names {
			targets = append(targets, target{Dir: filepath.Dir(path), Name: name})
		}
		return err
	})
	return targets, err
}

func skipDir(path, name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") ||
		name == "testdata" || name == "node_modules" || name == "out" {
		return true
	}
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil
}

func fuzzFuncs(path string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Fuzz") && takesF(fn.Type) {
			names = append(names, fn.Name.Name)
		}
	}
	return names, nil
}

// takesF reports whether a function's only parameter is a *testing.F.
func takesF(t *ast.FuncType) bool {
	if t.Params.NumFields() != 1 {
		return false
	}
	star, ok := t.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "F"
}

func selectTargets(all []target, only string) []target {
	return slices.DeleteFunc(all, func(t target) bool { return !strings.Contains(t.Name, only) })
}

// order sorts the targets by when they were last fuzzed, the longest ago first;
// equal times are ordered by a hash of the target and the salt.
func order(targets []target, last map[string]int64, salt string) {
	draw := func(t target) uint64 {
		h := fnv.New64a()
		h.Write([]byte(salt + t.String()))
		return h.Sum64()
	}
	slices.SortFunc(targets, func(a, b target) int {
		return cmp.Or(
			cmp.Compare(last[a.String()], last[b.String()]),
			cmp.Compare(draw(a), draw(b)),
			cmp.Compare(a.String(), b.String()))
	})
}

func loadState(file string) (map[string]int64, error) {
	last := map[string]int64{}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return last, nil
	}
	if err != nil {
		return nil, err
	}
	return last, json.Unmarshal(data, &last)
}

func saveState(file string, last map[string]int64) error {
	data, err := json.MarshalIndent(last, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}
