package proof

import (
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// noise is bytes that no two seeds share.
func noise(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	b := make([]byte, n)
	r.Read(b)
	return b
}

func sum(tag byte, parts ...[]byte) []byte {
	h := sha256.Sum256(append([]byte{tag}, slices.Concat(parts...)...))
	return h[:]
}

// naiveLeaf hashes a leaf as the document says it.
func naiveLeaf(leaf []byte) Hash {
	var row [][]byte
	for i := 0; i < LeafSize; i += SubLeafSize {
		row = append(row, sum(0, leaf[i:i+SubLeafSize]))
	}
	for tag := byte(1); len(row) > 1; tag++ {
		var up [][]byte
		for c := range slices.Chunk(row, 8) {
			up = append(up, sum(tag, c...))
		}
		row = up
	}
	return Hash(row[0])
}

// naiveUnit is RFC 6962's definition.
func naiveUnit(leaves []Hash) Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := split(len(leaves))
	l, r := naiveUnit(leaves[:k]), naiveUnit(leaves[k:])
	return Hash(sum(3, l[:], r[:]))
}

// split is the largest power of two below n.
func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

func TestLeafHash(t *testing.T) {
	var h Hasher
	for seed := range uint64(3) {
		leaf := noise(seed, LeafSize)
		want := naiveLeaf(leaf)
		if got := h.Leaf(leaf); got != want {
			t.Fatalf("leaf %d: %x, want %x", seed, got, want)
		}
		for sub := range SubLeaves {
			p := h.Path(leaf, sub)
			b := [SubLeafSize]byte(leaf[sub*SubLeafSize:])
			if got := p.root(&b, sub); got != want {
				t.Fatalf("path of sub-leaf %d: %x, want %x", sub, got, want)
			}
			b[sub]++
			if p.root(&b, sub) == want {
				t.Fatal("another sub-leaf gives the same root")
			}
			b[sub]--
			if p.root(&b, sub^1) == want {
				t.Fatal("another place gives the same root")
			}
		}
	}
	if n := testing.AllocsPerRun(10, func() { h.Leaf(noise0) }); n != 0 {
		t.Errorf("hashing a leaf allocates %v times", n)
	}
}

var noise0 = noise(0, LeafSize)

func TestUnitTree(t *testing.T) {
	var all []Hash
	for i := range 70 {
		all = append(all, Hash(noise(uint64(i), 32)))
	}
	for n := 1; n <= len(all); n++ {
		leaves := all[:n]
		want := naiveUnit(leaves)
		if got := UnitRoot(leaves); got != want {
			t.Fatalf("%d leaves: %x, want %x", n, got, want)
		}
		rows := UnitRows(leaves)
		if got := rows[len(rows)-1]; got != want {
			t.Fatalf("rows of %d leaves end with %x, want %x", n, got, want)
		}
		for i := range leaves {
			path := PathIn(rows, uint32(i), uint32(n))
			got, err := UnitRootFrom(leaves[i], uint32(i), uint32(n), path)
			if err != nil || got != want {
				t.Fatalf("leaf %d of %d: %x, %v", i, n, got, err)
			}
			for j := range n {
				if j == i {
					continue
				}
				if got, err := UnitRootFrom(leaves[i], uint32(j), uint32(n), path); err == nil && got == want {
					t.Fatalf("leaf %d of %d passes for leaf %d", i, n, j)
				}
			}
			if _, err := UnitRootFrom(leaves[i], uint32(i), uint32(n), append(path, Hash{})); err == nil {
				t.Fatal("a path that is too long")
			}
		}
	}
	if _, err := UnitRootFrom(Hash{}, 0, MaxUnitLeaves+1, nil); err == nil {
		t.Error("a unit that is too large")
	}
}

// naiveSum is the definition of a sum tree over nodes.
func naiveSum(nodes []Node) Node {
	switch len(nodes) {
	case 0:
		return Node{}
	case 1:
		return nodes[0]
	}
	k := split(len(nodes))
	l, r := naiveSum(nodes[:k]), naiveSum(nodes[k:])
	n, _ := sumInner(&l, &r)
	return n
}

// A sum tree that grows, changes and shrinks has the root of a tree built at once;
// paths and searches agree with a walk over the list; clones do not see changes.
func TestSumTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tree sumTree
		var model []Node
		var old sumTree
		var oldRoot Node
		fresh := uint64(0)
		node := func() Node {
			fresh++
			return Node{Hash(noise(fresh, 32)), rapid.Uint64Range(1, 9).Draw(t, "sum")}
		}
		t.Repeat(map[string]func(*rapid.T){
			"grow": func(t *rapid.T) {
				var nodes []Node
				for range rapid.IntRange(0, 300).Draw(t, "n") {
					nodes = append(nodes, node())
				}
				tree.grow(nodes)
				model = append(model, nodes...)
			},
			"set": func(t *rapid.T) {
				if len(model) > 0 {
					i := rapid.IntRange(0, len(model)-1).Draw(t, "i")
					model[i] = node()
					tree.set(i, model[i])
				}
			},
			"pop": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, 40).Draw(t, "n")) {
					model = model[:len(model)-1]
					tree.pop()
				}
			},
			"clone": func(t *rapid.T) { old, oldRoot = tree.clone(), tree.root() },
			"": func(t *rapid.T) {
				root := tree.root()
				if want := naiveSum(model); root != want {
					t.Fatalf("root %v, want %v", root, want)
				}
				if old.root() != oldRoot {
					t.Fatal("a clone changed")
				}
				if len(model) == 0 {
					return
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "at")
				before := uint64(0)
				for _, n := range model[:i] {
					before += n.Sum
				}
				got, sum, err := Path(tree.path(i)).climb(model[i])
				if err != nil || got != root || sum != before || tree.before(i) != before {
					t.Fatalf("path of %d: %v, %d before it, %v; want %v, %d", i, got, sum, err, root, before)
				}
				x := rapid.Uint64Range(0, model[i].Sum-1).Draw(t, "inside")
				if at, off := tree.find(before + x); at != i || off != x {
					t.Fatalf("%d lies in %d at %d, want %d at %d", before+x, at, off, i, x)
				}
			},
		})
	})
}

func BenchmarkLeaf(b *testing.B) {
	var h Hasher
	b.SetBytes(LeafSize)
	b.ReportAllocs()
	for b.Loop() {
		h.Leaf(noise0)
	}
}

// BenchmarkLeafBound is what the leaf benchmark is measured against.
func BenchmarkLeafBound(b *testing.B) {
	b.SetBytes(LeafSize)
	for b.Loop() {
		sha256.Sum256(noise0)
	}
}
