package blocktree

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/types"
)

// h names a block: the first byte of its hash.
func h(b byte) types.Hash { return types.Hash{b} }

// build makes a tree from rows {block, parent, number, weight}.
func build(t *testing.T, rows ...[4]int) *Tree {
	t.Helper()
	tree := New(h(0), 0, 100)
	for _, r := range rows {
		b := Block{Hash: h(byte(r[0])), Parent: h(byte(r[1])), Number: types.BlockNumber(r[2]), Weight: uint32(r[3])}
		if err := tree.Insert(b); err != nil {
			t.Fatalf("insert %v: %v", r, err)
		}
	}
	return tree
}

func names(blocks []Block) []byte {
	out := []byte{}
	for _, b := range blocks {
		out = append(out, b.Hash[0])
	}
	return out
}

func TestForkChoice(t *testing.T) {
	for _, tc := range []struct {
		name string
		rows [][4]int
		want byte
	}{
		{"nothing above the root", nil, 0},
		{"one chain", [][4]int{{1, 0, 1, 0}, {2, 1, 2, 0}}, 2},
		{"more primaries beat length", [][4]int{{1, 0, 1, 0}, {2, 1, 2, 0}, {3, 0, 1, 1}}, 3},
		{"length breaks a tie of primaries", [][4]int{{1, 0, 1, 1}, {2, 0, 1, 1}, {3, 2, 2, 0}}, 3},
		{"first seen breaks a full tie", [][4]int{{2, 0, 1, 1}, {1, 0, 1, 1}}, 2},
		{"a secondary head extends the best chain", [][4]int{{1, 0, 1, 1}, {2, 0, 1, 1}, {3, 1, 2, 0}}, 3},
		{"weights add up along the chain", [][4]int{{1, 0, 1, 1}, {2, 1, 2, 0}, {3, 0, 1, 0}, {4, 3, 2, 1}, {5, 4, 3, 1}}, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := build(t, tc.rows...).Best().Hash[0]; got != tc.want {
				t.Errorf("best = %d, want %d", got, tc.want)
			}
		})
	}
}

func TestInsertRefuses(t *testing.T) {
	tree := New(h(9), 5, 2)
	if err := tree.Insert(Block{Hash: h(1), Parent: h(9), Number: 6}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		b    Block
		want error
	}{
		{"known", Block{Hash: h(1), Parent: h(9), Number: 6}, ErrKnown},
		{"root again", Block{Hash: h(9), Parent: h(8), Number: 5}, ErrKnown},
		{"unknown parent", Block{Hash: h(2), Parent: h(7), Number: 6}, ErrUnknown},
		{"number too high", Block{Hash: h(2), Parent: h(1), Number: 8}, nil},
		{"number zero", Block{Hash: h(2), Parent: h(1), Number: 0}, nil},
	} {
		err := tree.Insert(tc.b)
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	if err := tree.Insert(Block{Hash: h(2), Parent: h(1), Number: 7}); err != nil {
		t.Fatal(err)
	}
	if err := tree.Insert(Block{Hash: h(3), Parent: h(1), Number: 7}); !errors.Is(err, ErrFull) {
		t.Errorf("third block in a tree of two: %v, want %v", err, ErrFull)
	}
	if tree.Len() != 2 {
		t.Errorf("Len = %d, want 2", tree.Len())
	}
}

// forked is 0-1-2-3 with 4-5 on 1 and 6 on 0; 5 is the best.
func forked(t *testing.T) *Tree {
	return build(t, [4]int{1, 0, 1, 1}, [4]int{2, 1, 2, 0}, [4]int{3, 2, 3, 0},
		[4]int{4, 1, 2, 1}, [4]int{5, 4, 3, 1}, [4]int{6, 0, 1, 1})
}

func TestRoute(t *testing.T) {
	for _, tc := range []struct {
		from, to, common   byte
		retracted, enacted []byte
	}{
		{3, 5, 1, []byte{3, 2}, []byte{4, 5}},
		{5, 6, 0, []byte{5, 4, 1}, []byte{6}},
		{1, 5, 1, []byte{}, []byte{4, 5}},
		{5, 1, 1, []byte{5, 4}, []byte{}},
		{2, 2, 2, []byte{}, []byte{}},
	} {
		r, err := forked(t).Route(h(tc.from), h(tc.to))
		if err != nil {
			t.Fatal(err)
		}
		got := []any{r.Common.Hash[0], names(r.Retracted), names(r.Enacted)}
		if d := cmp.Diff([]any{tc.common, tc.retracted, tc.enacted}, got); d != "" {
			t.Errorf("route %d to %d (-want +got):\n%s", tc.from, tc.to, d)
		}
	}
	if _, err := forked(t).Route(h(1), h(77)); !errors.Is(err, ErrUnknown) {
		t.Errorf("route to an unknown block: %v", err)
	}
}

func TestFinalise(t *testing.T) {
	tree := forked(t)
	f, err := tree.Finalise(h(2))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]byte{1, 2}, names(f.Finalised)); d != "" {
		t.Errorf("finalised (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]byte{4, 5, 6}, names(f.Pruned)); d != "" {
		t.Errorf("pruned (-want +got):\n%s", d)
	}
	if !f.BestMoved || tree.Best().Hash != h(3) || tree.Root().Hash != h(2) || tree.Len() != 1 {
		t.Errorf("moved %v, best %v, root %v, %d blocks", f.BestMoved, tree.Best(), tree.Root(), tree.Len())
	}
	if f, err = tree.Finalise(h(2)); err != nil || len(f.Finalised)+len(f.Pruned) != 0 || f.BestMoved {
		t.Errorf("finalising the root again: %+v, %v", f, err)
	}
	for _, b := range []byte{0, 1, 5} {
		if _, err := tree.Finalise(h(b)); !errors.Is(err, ErrUnknown) {
			t.Errorf("finalising %d below or beside the root: %v", b, err)
		}
	}
	if err := tree.Insert(Block{Hash: h(7), Parent: h(1), Number: 2}); !errors.Is(err, ErrUnknown) {
		t.Errorf("a block that conflicts with finality: %v", err)
	}
}

func TestRemove(t *testing.T) {
	tree := forked(t)
	out, err := tree.Remove(h(4))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]byte{4, 5}, names(out)); d != "" {
		t.Errorf("removed (-want +got):\n%s", d)
	}
	if tree.Best().Hash != h(3) {
		t.Errorf("best after removal = %v", tree.Best())
	}
	if _, err := tree.Remove(h(0)); err == nil {
		t.Error("the root was removed")
	}
	if _, err := tree.Remove(h(4)); !errors.Is(err, ErrUnknown) {
		t.Errorf("removed twice: %v", err)
	}
}

// model is the tree as a plain list of all blocks ever inserted.
type model struct {
	root   types.Hash
	blocks []Block // in order of insertion, the root first
}

func (m *model) get(x types.Hash) *Block {
	for i := range m.blocks {
		if m.blocks[i].Hash == x {
			return &m.blocks[i]
		}
	}
	return nil
}

// path lists the blocks from the root, inclusive, to x.
func (m *model) path(x types.Hash) []Block {
	b := m.get(x)
	if x == m.root {
		return []Block{*b}
	}
	return append(m.path(b.Parent), *b)
}

func (m *model) above(a, x types.Hash) bool {
	for _, b := range m.path(x) {
		if b.Hash == a {
			return true
		}
	}
	return false
}

func (m *model) best(a types.Hash) types.Hash {
	return m.bestBy(a, func(b, best types.Hash) bool { return false })
}

// agreeable is the best block, of equals the one with the lowest hash.
func (m *model) agreeable(a types.Hash) types.Hash {
	return m.bestBy(a, func(b, best types.Hash) bool { return bytes.Compare(b[:], best[:]) < 0 })
}

func (m *model) bestBy(a types.Hash, before func(b, best types.Hash) bool) types.Hash {
	best, bestWeight, bestNumber := types.Hash{}, -1, -1
	for _, b := range m.blocks {
		if !m.above(a, b.Hash) {
			continue
		}
		w := 0
		for _, p := range m.path(b.Hash)[1:] {
			w += int(p.Weight)
		}
		if w > bestWeight || w == bestWeight && (int(b.Number) > bestNumber || int(b.Number) == bestNumber && before(b.Hash, best)) {
			best, bestWeight, bestNumber = b.Hash, w, int(b.Number)
		}
	}
	return best
}

func (m *model) keep(f func(Block) bool) {
	var kept []Block
	for _, b := range m.blocks {
		if f(b) {
			kept = append(kept, b)
		}
	}
	m.blocks = kept
}

func TestAgainstList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := New(h(0), 0, 1000)
		m := &model{blocks: []Block{{}}}
		next := uint16(1)
		pick := func(label string) types.Hash {
			// The last blocks are picked more often, so that chains grow long.
			i := len(m.blocks) - 1 - rapid.IntRange(0, 3).Draw(t, "recent")
			if i < 0 || rapid.IntRange(0, 3).Draw(t, "any") == 0 {
				i = rapid.IntRange(0, len(m.blocks)-1).Draw(t, label)
			}
			return m.blocks[i].Hash
		}
		insert := func(t *rapid.T) {
			p := m.get(pick("parent"))
			b := Block{Hash: types.Hash{byte(next), byte(next >> 8)}, Parent: p.Hash, Number: p.Number + 1, Weight: uint32(rapid.IntRange(0, 1).Draw(t, "weight"))}
			next++
			if err := tree.Insert(b); err != nil {
				t.Fatal(err)
			}
			m.blocks = append(m.blocks, b)
		}
		t.Repeat(map[string]func(*rapid.T){
			"insert": insert, "insert2": insert, "insert3": insert, "insert4": insert, "insert5": insert,
			"finalise": func(t *rapid.T) {
				x := pick("final")
				want := m.path(x)[1:]
				old := len(m.blocks)
				f, err := tree.Finalise(x)
				if err != nil {
					t.Fatal(err)
				}
				m.keep(func(b Block) bool { return m.above(x, b.Hash) })
				m.root = x
				if d := cmp.Diff(append([]Block{}, want...), append([]Block{}, f.Finalised...)); d != "" {
					t.Fatalf("finalised (-want +got):\n%s", d)
				}
				if got, wantN := len(f.Pruned), old-len(m.blocks)-len(want); got != wantN {
					t.Fatalf("pruned %d, want %d", got, wantN)
				}
			},
			"remove": func(t *rapid.T) {
				if x := pick("removed"); x != m.root && rapid.IntRange(0, 4).Draw(t, "really") == 0 {
					if _, err := tree.Remove(x); err != nil {
						t.Fatal(err)
					}
					m.keep(func(b Block) bool { return !m.above(x, b.Hash) })
				}
			},
			"route": func(t *rapid.T) { checkRoute(t, tree, m, pick("from"), pick("to")) },
			"": func(t *rapid.T) {
				a := pick("containing")
				got, err := tree.BestContaining(a)
				agreed, err2 := tree.Agreeable(a)
				if err2 != nil || agreed.Hash != m.agreeable(a) {
					t.Fatalf("above %v voters agree on %v (want %v), %v", a, agreed.Hash, m.agreeable(a), err2)
				}
				if tree.Best().Hash != m.best(m.root) || err != nil || got.Hash != m.best(a) || tree.Len() != len(m.blocks)-1 {
					t.Fatalf("best %v (want %v), above %v %v (want %v), %v", tree.Best().Hash, m.best(m.root), a, got.Hash, m.best(a), err)
				}
			},
		})
	})
}

func checkRoute(t *rapid.T, tree *Tree, m *model, a, b types.Hash) {
	pa, pb := m.path(a), m.path(b)
	n := 0
	for n < len(pa) && n < len(pb) && pa[n].Hash == pb[n].Hash {
		n++
	}
	r, err := tree.Route(a, b)
	if err != nil {
		t.Fatal(err)
	}
	var back []Block
	for i := len(pa) - 1; i >= n; i-- {
		back = append(back, pa[i])
	}
	want := Route{Common: pa[n-1], Retracted: back, Enacted: append([]Block(nil), pb[n:]...)}
	if d := cmp.Diff(want, r); d != "" {
		t.Fatalf("route (-want +got):\n%s", d)
	}
	if got, want := tree.IsDescendant(a, b), m.above(a, b); got != want {
		t.Fatalf("IsDescendant = %v, want %v", got, want)
	}
	for _, p := range pb {
		if got, err := tree.AncestorAt(b, p.Number); err != nil || got.Hash != p.Hash {
			t.Fatalf("AncestorAt(%v, %d) = %v, %v", b, p.Number, got, err)
		}
	}
}

// long is a chain of n blocks with a stale fork at every block.
func long(n int) (*Tree, types.Hash) {
	tree := New(types.Hash{}, 0, 2*n)
	parent := types.Hash{}
	for i := 1; i <= n; i++ {
		b := Block{Hash: types.Hash{byte(i), byte(i >> 8), 1}, Parent: parent, Number: types.BlockNumber(i), Weight: 1}
		fork := b
		fork.Hash[2], fork.Weight = 2, 0
		if err := errors.Join(tree.Insert(b), tree.Insert(fork)); err != nil {
			panic(fmt.Sprint(i, err))
		}
		parent = b.Hash
	}
	return tree, parent
}

func TestDeepTree(t *testing.T) {
	tree, head := long(20000)
	if !tree.IsDescendant(types.Hash{1, 0, 1}, head) || tree.IsDescendant(types.Hash{1, 0, 2}, head) {
		t.Error("ancestry over 20,000 blocks is wrong")
	}
	if n := len(tree.Leaves()); n != 20001 {
		t.Errorf("%d leaves, want the head and 20000 forks", n)
	}
	f, err := tree.Finalise(head)
	if err != nil || len(f.Finalised) != 20000 || len(f.Pruned) != 20000 || tree.Len() != 0 {
		t.Errorf("finalised %d, pruned %d, left %d, %v", len(f.Finalised), len(f.Pruned), tree.Len(), err)
	}
}

func BenchmarkInsertFinalise(b *testing.B) {
	tree := New(types.Hash{}, 0, 100)
	b.ReportAllocs()
	n := uint32(0)
	parent := types.Hash{}
	for b.Loop() {
		n++
		x := types.Hash{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24), 1}
		if err := tree.Insert(Block{Hash: x, Parent: parent, Number: types.BlockNumber(n), Weight: 1}); err != nil {
			b.Fatal(err)
		}
		parent = x
		if n%64 == 0 {
			if _, err := tree.Finalise(x); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkIsDescendantDeep(b *testing.B) {
	tree, head := long(10000)
	low := types.Hash{1, 0, 1}
	b.ReportAllocs()
	for b.Loop() {
		if !tree.IsDescendant(low, head) {
			b.Fatal("not a descendant")
		}
	}
}
