package trie

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"
)

// askable is present keys, near misses and prefixes of them.
func askable(r *rand.Rand, state map[string]string) (keys [][]byte) {
	for _, k := range sortedKeys(state) {
		if r.IntN(6) > 0 {
			continue
		}
		keys = append(keys, []byte(k), append([]byte(k), byte(r.Uint32())))
		if n := len(k); n > 0 {
			keys = append(keys, []byte(k[:n-1]), []byte(k[:n-1]+string(byte(r.Uint32()))), []byte(k[:r.IntN(n)]))
		}
	}
	return append(keys, nil, randKey(r, 40, 256))
}

func TestProofs(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 60 {
		n := []int{0, 1, 2, 20, 60, 400}[i%6]
		f := newFlat()
		f.now = randState(r, n, []int{3, 40}[r.IntN(2)], []int{3, 256}[r.IntN(2)])
		f.flushed = f.now
		v := Version(i / 6 % 2)
		anchor, err := Build(v, under(f.now, Path{}), func(p Path, rec []byte) error {
			f.records[string(p.Append(nil))] = string(rec)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		tr, err := Open(f, v, anchor)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range askable(r, f.now) {
			nodes, err := tr.Prove(f, f.get, [][]byte{k}, 1<<20)
			if err != nil {
				t.Fatalf("prove %x: %v", k, err)
			}
			checkProof(t, tr, nodes, f.now, k)
			checkDescendant(t, tr, f, v, nodes, k)
			if len(nodes) > 0 && n > 1 {
				damaged(t, tr.Hash(), nodes, f.now, k, r)
			}
		}
		if n == 0 {
			continue
		}
		keys := askable(r, f.now)
		nodes, err := tr.Prove(f, f.get, keys, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			checkProof(t, tr, nodes, f.now, k)
		}
		size := 0
		for _, nd := range nodes {
			size += len(nd)
		}
		if _, err := tr.Prove(f, f.get, keys, size-1); !errors.Is(err, ErrProofTooLarge) {
			t.Errorf("limit below the size: %v", err)
		}
	}
}

func checkProof(t *testing.T, tr *Trie, nodes [][]byte, state map[string]string, k []byte) {
	t.Helper()
	got, present, err := VerifyProof(tr.Hash(), nodes, k)
	want, wantPresent := state[string(k)]
	if err != nil || present != wantPresent || string(got) != want {
		t.Fatalf("verify %x: %x, %v, %v; want %x, %v", k, got, present, err, want, wantPresent)
	}
	p, err := NewProof(tr.Hash(), nodes)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := p.Unreferenced(); err != nil || n != 0 {
		t.Fatalf("proof of %x has %d superfluous entries, %v", k, n, err)
	}
	for i := range nodes {
		if i > 0 && len(nodes[i]) < 32 {
			t.Fatalf("proof of %x holds an inline node", k)
		}
	}
}

// checkDescendant compares with the Merkle value of the subtree below k, found
// the slow way: the node whose path is the shortest that covers all those keys.
func checkDescendant(t *testing.T, tr *Trie, f *flat, v Version, nodes [][]byte, k []byte) {
	t.Helper()
	var below []KV
	shared := 0 // nibbles of k that other keys also reach
	for _, s := range sortedKeys(f.now) {
		if strings.HasPrefix(s, string(k)) {
			below = append(below, KV{[]byte(s), []byte(f.now[s])})
		} else {
			shared = max(shared, commonNibbles([]byte(s), k, 0)+1)
		}
	}
	mv, ok, err := tr.ClosestDescendant(f, k)
	if err != nil || ok != (len(below) > 0) {
		t.Fatalf("closest descendant of %x: %v, %v, want %v", k, ok, err, len(below) > 0)
	}
	p, err := NewProof(tr.Hash(), nodes)
	if err != nil {
		t.Fatal(err)
	}
	pmv, pok, err := p.ClosestDescendant(k)
	if err != nil || pok != ok || !bytes.Equal(mv, pmv) {
		t.Fatalf("closest descendant of %x: proof says %x, %v, %v, trie %x", k, pmv, pok, err, mv)
	}
	if !ok {
		return
	}
	var es []naiveKV
	for _, e := range below {
		es = append(es, naiveKV{toNibbles(e.Key)[min(shared, 2*len(k)):], e.Value})
	}
	enc := (naive{v == V1}).encode(es)
	want := enc
	if len(enc) >= 32 || shared == 0 {
		h := blake2b.Sum256(enc)
		want = h[:]
	}
	if !bytes.Equal(mv, want) {
		t.Fatalf("closest descendant of %x is %x, want %x", k, mv, want)
	}
}

// damaged drops or alters one node: the answer must be an error or stay right.
func damaged(t *testing.T, root [32]byte, nodes [][]byte, state map[string]string, k []byte, r *rand.Rand) {
	t.Helper()
	i := r.IntN(len(nodes))
	var less, bad [][]byte
	less = append(append(less, nodes[:i]...), nodes[i+1:]...)
	bad = append(append(bad, less...), flipBit(nodes[i], r))
	for _, set := range [][][]byte{less, bad} {
		v, present, err := VerifyProof(root, set, k)
		want, ok := state[string(k)]
		if err == nil && (present != ok || string(v) != want) {
			t.Fatalf("damaged proof of %x: %x, %v, want %x, %v", k, v, present, want, ok)
		}
		if err == nil && len(nodes) == 1 {
			t.Fatalf("proof of %x without its root node was accepted", k)
		}
	}
}

func flipBit(b []byte, r *rand.Rand) []byte {
	b = bytes.Clone(b)
	b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	return b
}

func TestProofLimits(t *testing.T) {
	if _, err := NewProof([32]byte{1}, make([][]byte, MaxProofNodes+1)); err == nil {
		t.Error("too many nodes were accepted")
	}
	if _, err := NewProof([32]byte{1}, [][]byte{make([]byte, MaxProofBytes+1)}); err == nil {
		t.Error("too many bytes were accepted")
	}
	if _, err := NewProof([32]byte{1}, nil); !errors.Is(err, ErrIncompleteProof) {
		t.Errorf("no root node: %v", err)
	}
}

// FuzzVerifyProof lets the fuzzer write the root node and one more: whatever it
// proves must not crash, and what it proves about one key must be stable.
func FuzzVerifyProof(f *testing.F) {
	fl, tr := grown(f, 300)
	for _, k := range sortedKeys(fl.now)[:5] {
		nodes, err := tr.Prove(fl, fl.get, [][]byte{[]byte(k)}, 1<<20)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(nodes[0], nodes[len(nodes)-1], []byte(k))
	}
	f.Add([]byte{0}, []byte{0x40, 0}, []byte{})
	f.Fuzz(func(t *testing.T, root, other, key []byte) {
		p, err := NewProof(blake2b.Sum256(root), [][]byte{root, other})
		if err != nil {
			t.Fatal(err)
		}
		v, present, err := p.Get(key)
		v2, present2, err2 := VerifyProof(blake2b.Sum256(root), [][]byte{other, root, root}, key)
		if !bytes.Equal(v, v2) || present != present2 || (err == nil) != (err2 == nil) {
			t.Fatalf("order and repetition matter: %x %v %v, %x %v %v", v, present, err, v2, present2, err2)
		}
		if _, ok, err := p.ClosestDescendant(key); err == nil && present && !ok {
			t.Fatal("a present key has no closest descendant")
		}
		p.Unreferenced()
	})
}
