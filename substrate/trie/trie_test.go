package trie

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// goPar is a Par with real goroutines, for the race detector's sake.
func goPar(n int, f func(int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		go func() { defer wg.Done(); f(i) }()
	}
	wg.Wait()
}

func randState(r *rand.Rand, n, maxKey, alphabet int) map[string]string {
	m := map[string]string{}
	for range n {
		m[string(randKey(r, maxKey, alphabet))] = string(randValue(r))
	}
	return m
}

func randKey(r *rand.Rand, maxLen, alphabet int) []byte {
	k := make([]byte, r.IntN(maxLen+1))
	for i := range k {
		k[i] = byte(r.IntN(alphabet) * 256 / alphabet)
		if r.IntN(3) == 0 {
			k[i] = byte(r.IntN(alphabet))
		}
	}
	return k
}

func randValue(r *rand.Rand) []byte {
	sizes := []int{0, 1, 2, 10, 31, 32, 33, 34, 64, 100}
	v := make([]byte, sizes[r.IntN(len(sizes))])
	for i := range v {
		v[i] = byte(r.Uint32())
	}
	return v
}

func entriesOf(state map[string]string) (out []KV) {
	for k, v := range state {
		out = append(out, KV{[]byte(k), []byte(v)})
	}
	return out
}

func TestRootAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		state := randState(r, r.IntN(120), 1+r.IntN(90), 2+r.IntN(200))
		for v, m := range map[Version]naive{V0: {false}, V1: {true}} {
			if got, want := Root(v, entriesOf(state)), m.root(state); got != want {
				t.Fatalf("case %d, version %d, %d keys: root %x, want %x", i, v, len(state), got, want)
			}
		}
	}
}

func TestKnownRoots(t *testing.T) {
	empty, _ := hex.DecodeString("03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314")
	if EmptyRoot != [32]byte(empty) || Root(V1, nil) != EmptyRoot || OrderedRoot(V0, nil) != EmptyRoot {
		t.Errorf("empty root is %x", EmptyRoot)
	}
	// The last value of a repeated key counts.
	a := Root(V1, []KV{{[]byte("k"), []byte("2")}, {[]byte("j"), nil}})
	b := Root(V1, []KV{{[]byte("k"), []byte("1")}, {[]byte("j"), nil}, {[]byte("k"), []byte("2")}})
	if a != b {
		t.Errorf("repeated key: %x and %x", a, b)
	}
}

func TestLongPartialKeys(t *testing.T) {
	// Partial keys around the limits of every header kind and of its extra bytes.
	for n := range 600 {
		long := bytes.Repeat([]byte{0xAB}, n)
		for _, state := range []map[string]string{
			{string(long): "v"},
			{string(long): string(make([]byte, 40))},
			{string(long) + "\x00a": "v", string(long) + "\x01b": "w"},
			{string(long): "v", string(long) + "\x01b": "w"},
			{string(long): string(make([]byte, 40)), string(long) + "\x01b": "w"},
		} {
			if got, want := Root(V1, entriesOf(state)), (naive{true}).root(state); got != want {
				t.Fatalf("key of %d bytes: root %x, want %x", n, got, want)
			}
		}
	}
}

func TestOrderedRootAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, 63, 64, 65, 300} {
		items, state := [][]byte{}, map[string]string{}
		for i := range n {
			items = append(items, randValue(r))
			state[string(naiveCompact(i))] = string(items[i])
		}
		if got, want := OrderedRoot(V0, items), (naive{false}).root(state); got != want {
			t.Errorf("%d items: root %x, want %x", n, got, want)
		}
	}
}

// drawChanges makes a sorted block of changes against state. Some HadOld flags
// that could be true are left false, as when execution did not read the key.
func drawChanges(r *rand.Rand, state map[string]string, n, maxKey, alphabet int) []Change {
	keys := sortedKeys(state)
	picked := map[string]Change{}
	for range n {
		k := string(randKey(r, maxKey, alphabet))
		if len(keys) > 0 && r.IntN(2) == 0 {
			k = keys[r.IntN(len(keys))]
		}
		_, had := state[k]
		c := Change{Key: []byte(k), HadOld: had && r.IntN(4) > 0}
		if r.IntN(2) == 0 {
			c.Deleted = true
		} else {
			c.Value = randValue(r)
		}
		picked[k] = c
	}
	out := make([]Change, 0, len(picked))
	for _, c := range picked {
		out = append(out, c)
	}
	sort.Slice(out, func(i, j int) bool { return bytes.Compare(out[i].Key, out[j].Key) < 0 })
	return out
}

// TestUpdateAgainstNaive runs random blocks with flushes, evictions and reopens
// in between, and compares every root with the naive one, every flush with a
// fresh build, and checks that old tries stay what they were.
func TestUpdateAgainstNaive(t *testing.T) {
	for _, v := range []Version{V0, V1} {
		t.Run(fmt.Sprint("V", v), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
				maxKey := rapid.SampledFrom([]int{2, 3, 6, 40}).Draw(t, "maxKey")
				alphabet := rapid.SampledFrom([]int{2, 4, 16, 256}).Draw(t, "alphabet")
				f, tr := newFlat(), Empty(v)
				var removed [][]byte
				tick := uint32(1)
				var space Workspace
				for block := range 12 {
					n := 1 + r.IntN(1+rapid.SampledFrom([]int{1, 5, 100, 400}).Draw(t, "size"))
					ch := drawChanges(r, f.now, n, maxKey, alphabet)
					par := []Par{nil, Sequential, goPar}[r.IntN(3)]
					before := tr.Hash()
					up, err := tr.UpdateIn(&space, f, ch, par, tick)
					if err != nil {
						t.Fatalf("block %d: %v", block, err)
					}
					if tr.Hash() != before {
						t.Fatalf("block %d changed the old trie", block)
					}
					tr = up.Trie
					removed = append(removed, up.Removed...)
					f.apply(ch)
					if want := (naive{v == V1}).root(f.now); tr.Hash() != want {
						t.Fatalf("block %d: root %x, want %x", block, tr.Hash(), want)
					}
					tick++
					if r.IntN(3) == 0 {
						if err := f.flush(tr, removed); err != nil {
							t.Fatalf("block %d: flush: %v", block, err)
						}
						removed = nil
						switch r.IntN(3) {
						case 0:
							if tr, err = Open(f, v, tr.Anchor()); err != nil {
								t.Fatal(err)
							}
						case 1:
							tr.Evict(r.IntN(20000), tick)
						}
					}
				}
			})
		})
	}
}

func TestUpdateRejects(t *testing.T) {
	f := newFlat()
	if _, err := Empty(V1).Update(f, []Change{{Key: []byte("b")}, {Key: []byte("a")}}, nil, 1); err == nil {
		t.Error("unsorted changes were accepted")
	}
	if _, err := Empty(V1).Update(f, []Change{{Key: []byte("a")}, {Key: []byte("a")}}, nil, 1); err == nil {
		t.Error("a repeated key was accepted")
	}
	if _, err := Empty(V1).Update(f, []Change{{Key: []byte("a"), HadOld: true}}, nil, 1); err == nil {
		t.Error("a false HadOld was accepted")
	}
}

// grown is a flushed trie of n entries.
func grown(t testing.TB, n int) (*flat, *Trie) {
	r := rand.New(rand.NewPCG(9, 9))
	f := newFlat()
	f.now = randState(r, n, 40, 256)
	var ch []Change
	for _, k := range sortedKeys(f.now) {
		ch = append(ch, Change{Key: []byte(k), Value: []byte(f.now[k])})
	}
	up, err := Empty(V1).Update(f, ch, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.flush(up.Trie, nil); err != nil {
		t.Fatal(err)
	}
	return f, up.Trie
}

func TestCorruptionIsReported(t *testing.T) {
	f, tr := grown(t, 2000)
	all := func() []Change {
		var ch []Change
		for _, k := range sortedKeys(f.now) {
			ch = append(ch, Change{Key: []byte(k), Value: []byte("changed"), HadOld: true})
		}
		return ch
	}
	reopen := func() error {
		o, err := Open(f, V1, tr.Anchor())
		if err != nil {
			return err
		}
		_, err = o.Update(f, all(), nil, 2)
		return err
	}
	if err := reopen(); err != nil {
		t.Fatalf("intact: %v", err)
	}
	for p, rec := range f.records {
		for _, bad := range []string{rec[:len(rec)-1], rec + "\x01", "\xff" + rec[1:], ""} {
			f.records[p] = bad
			if err := reopen(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("record %x as %d bytes: %v", p, len(bad), err)
			}
		}
		f.records[p] = rec
	}
	k := sortedKeys(f.flushed)[100]
	v := f.flushed[k]
	f.flushed[k] += "x"
	if err := reopen(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("changed value: %v", err)
	}
	delete(f.flushed, k)
	if err := reopen(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("missing entry: %v", err)
	}
	f.flushed[k] = v
	if err := reopen(); err != nil {
		t.Errorf("repaired: %v", err)
	}
}

func TestEvictBoundsMemory(t *testing.T) {
	f, tr := grown(t, 5000)
	whole := tr.Evict(1<<30, 1)
	if kept := tr.Evict(whole/2, 50); kept > whole/2 {
		t.Errorf("kept %d of %d bytes, limit %d", kept, whole, whole/2)
	}
	// What is used stays, what is not goes.
	k := []byte(sortedKeys(f.now)[7])
	up, err := tr.Update(f, []Change{{Key: k, Value: []byte("x"), HadOld: true}}, nil, 60)
	if err != nil {
		t.Fatal(err)
	}
	f.apply([]Change{{Key: k, Value: []byte("x")}})
	if err := f.flush(up.Trie, up.Removed); err != nil {
		t.Fatal(err)
	}
	kept := up.Trie.Evict(8000, 61)
	if kept == 0 || kept > 8000 {
		t.Errorf("kept %d bytes, limit 8000", kept)
	}
	records := f.records
	f.records = nil // the path of k must still be in memory
	if _, err := up.Trie.Update(f, []Change{{Key: k, Value: []byte("y"), HadOld: true}}, nil, 62); err != nil {
		t.Errorf("the path just used was evicted: %v", err)
	}
	f.records = records
}

func TestForksShareATrie(t *testing.T) {
	f, base := grown(t, 500)
	r := rand.New(rand.NewPCG(5, 5))
	start := f.now
	for i := range 20 {
		f.now = start
		ch := drawChanges(r, f.now, 80, 40, 256)
		up, err := base.Update(f, ch, goPar, uint32(i+2))
		if err != nil {
			t.Fatal(err)
		}
		f.apply(ch)
		if want := (naive{true}).root(f.now); up.Trie.Hash() != want {
			t.Fatalf("fork %d: root %x, want %x", i, up.Trie.Hash(), want)
		}
	}
}

func FuzzDecodeBranch(f *testing.F) {
	fl, _ := grown(f, 200)
	n := 0
	for _, k := range sortedKeys(fl.records) {
		if n++; n < 6 {
			f.Add([]byte(fl.records[k]))
		}
	}
	f.Add([]byte{0x80, 1, 0, 4, 0, 1})
	f.Fuzz(func(t *testing.T, rec []byte) {
		n, ok := recordLen(rec)
		if !ok {
			return
		}
		b, err := decodeBranch(rec, n)
		if err != nil {
			return
		}
		// What decodes must be walkable: no index of it may be out of range.
		b.match([]byte("some key that goes down"), 0)
		for nib := range 16 {
			if s := b.child(nib); s.size > 0 && (s.ref.n == 0 || s.ref.n > 32) {
				t.Fatalf("child %d has a Merkle value of %d bytes", nib, s.ref.n)
			}
		}
	})
}
