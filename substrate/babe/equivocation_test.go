package babe

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// twins are two headers of one author in one slot.
func twins(w *world, slot types.Slot) (a, b types.Header) {
	claim := PreDigest{Kind: SecondaryPlain, Slot: slot}
	other := types.DigestItem{Kind: types.DigestOther, Data: []byte("twin")}
	return w.header(w.genesis(), claim, w.keys[0]), w.header(w.genesis(), claim, w.keys[0], other)
}

func TestEquivocationProof(t *testing.T) {
	w := newWorld(2, PrimaryAndSecondaryPlain)
	first, second := twins(w, 5)
	good := EquivocationProof{Offender: w.keys[0].Public(), Slot: 5, First: first, Second: second}
	if err := good.Verify(); err != nil {
		t.Fatal(err)
	}
	var back EquivocationProof
	if err := scale.Decode(scale.Encode(good), &back); err != nil || back.Verify() != nil {
		t.Errorf("the proof decodes to %+v, %v", back, err)
	}
	sealed := func(claim PreDigest, key Key) types.Header { return w.header(w.genesis(), claim, key) }
	for name, forge := range map[string]func(p *EquivocationProof){
		"the same header twice": func(p *EquivocationProof) { p.Second = p.First },
		"another slot":          func(p *EquivocationProof) { p.Slot = 6 },
		"headers of two slots":  func(p *EquivocationProof) { p.Second = sealed(PreDigest{Kind: SecondaryPlain, Slot: 6}, w.keys[0]) },
		"another offender":      func(p *EquivocationProof) { p.Offender = w.keys[1].Public() },
		"headers of two authors": func(p *EquivocationProof) {
			p.Second = sealed(PreDigest{Kind: SecondaryPlain, Slot: 5, Authority: 1}, w.keys[1])
		},
		"two authority indices": func(p *EquivocationProof) {
			p.Second = sealed(PreDigest{Kind: SecondaryPlain, Slot: 5, Authority: 1}, w.keys[0])
		},
		"a seal of somebody else": func(p *EquivocationProof) { p.Second = sealed(PreDigest{Kind: Primary, Slot: 5}, w.keys[1]) },
		"no seal":                 func(p *EquivocationProof) { p.Second.Digest = p.Second.Digest[:2] },
		"no claim":                func(p *EquivocationProof) { p.Second.Digest = p.Second.Digest[2:] },
		"a changed header":        func(p *EquivocationProof) { p.Second.StateRoot[0]++ },
	} {
		p := good
		if forge(&p); !errors.Is(p.Verify(), ErrNoEquivocation) {
			t.Errorf("%s: %v", name, p.Verify())
		}
	}
}

func TestEquivocations(t *testing.T) {
	w := newWorld(2, PrimaryAndSecondaryPlain)
	first, second := twins(w, 5)
	author, other := w.keys[0].Public(), w.keys[1].Public()
	var q Equivocations
	for i, tc := range []struct {
		h      types.Header
		author [32]byte
		slot   types.Slot
		found  bool
	}{
		{first, author, 5, false},
		{first, author, 5, false},  // the same block
		{second, other, 5, false},  // another author
		{second, author, 6, false}, // another slot
		{second, author, 5, true},
		{second, author, 5, false}, // once is enough
		{first, author, 5, false},
		{first, author, 6, true},
	} {
		p := q.Note(&tc.h, tc.author, tc.slot)
		if (p != nil) != tc.found {
			t.Fatalf("step %d: %+v", i, p)
		}
		if p != nil && tc.slot == 5 && p.Verify() != nil {
			t.Errorf("step %d: the proof does not hold: %v", i, p.Verify())
		}
	}
}

// However many blocks come, and in whatever order, memory is bounded and the
// latest slots are the ones that are remembered.
func TestEquivocationsAreBounded(t *testing.T) {
	var q Equivocations
	check := func() {
		t.Helper()
		n := 0
		for _, s := range q.slots {
			n += len(s)
		}
		if n != q.count || n > maxWatched || len(q.order) != len(q.slots) || len(q.order) > watchedSlots {
			t.Fatalf("%d headers, counted as %d, in %d slots of %d", n, q.count, len(q.slots), len(q.order))
		}
	}
	h := types.Header{Number: 1}
	for slot := types.Slot(1); slot < 3000; slot++ {
		q.Note(&h, [32]byte{1}, slot^1)
		check()
	}
	if q.Note(&types.Header{Number: 2}, [32]byte{1}, 1000) != nil {
		t.Error("a slot that is long past was remembered")
	}
	if q.Note(&types.Header{Number: 2}, [32]byte{1}, 2500) == nil {
		t.Error("a slot of the window was forgotten")
	}
	for i := range 2 * maxWatched {
		q.Note(&h, [32]byte{2, byte(i), byte(i >> 8)}, 2999-types.Slot(i%3))
		if i%1000 == 0 {
			check()
		}
	}
	q.Note(&h, [32]byte{1}, 1<<40)
	if check(); len(q.order) != 1 {
		t.Errorf("%d slots are left", len(q.order))
	}
}

func FuzzEquivocationProof(f *testing.F) {
	w := newWorld(2, PrimaryAndSecondaryPlain)
	first, second := twins(w, 5)
	f.Add(scale.Encode(EquivocationProof{Offender: w.keys[0].Public(), Slot: 5, First: first, Second: second}))
	f.Add(scale.Encode(EquivocationProof{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzRound[EquivocationProof](t, data)
		var p EquivocationProof
		// Author 0 signs nothing but these two: what holds is made of them.
		if scale.Decode(data, &p) == nil && p.Verify() == nil && p.Offender == w.keys[0].Public() {
			for _, h := range []types.Header{p.First, p.Second} {
				if got := h.Hash(); got != first.Hash() && got != second.Hash() {
					t.Errorf("a forged header %x", data)
				}
			}
		}
	})
}

func BenchmarkEquivocations(b *testing.B) {
	b.ReportAllocs()
	h := types.Header{Digest: types.Digest{PreDigest{Kind: Primary}.Item(), types.Seal(types.EngineBABE, make([]byte, SealSize))}}
	pair := sr25519.FromSeed([32]byte{1}).Public()
	var q Equivocations
	slot := types.Slot(0)
	for b.Loop() {
		slot++
		q.Note(&h, pair, slot)
	}
}
