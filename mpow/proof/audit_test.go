package proof

import (
	"errors"
	"testing"

	"github.com/crustgo/crust/substrate/scale"
)

// stored is a plan with the bytes of its units.
type stored struct {
	plan   Plan
	leaves map[UnitID][][]byte
}

func (s *stored) add(t testing.TB, k Kind, id byte, leaves int) Descriptor {
	t.Helper()
	var h Hasher
	var u UnitHasher
	d := Descriptor{ID: UnitID{id}, Leaves: uint32(leaves)}
	for i := range leaves {
		l := noise(uint64(id)<<8|uint64(i), LeafSize)
		s.leaves[d.ID] = append(s.leaves[d.ID], l)
		u.Add(h.Leaf(l))
	}
	d.Root = u.Root()
	if err := s.plan.Load(k, []Descriptor{d}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (s *stored) answer(t testing.TB, sample Sample) *Held {
	t.Helper()
	at, err := s.plan.Find(sample.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	var h Hasher
	var hashes []Hash
	for _, l := range s.leaves[at.Unit.ID] {
		hashes = append(hashes, h.Leaf(l))
	}
	a, err := s.plan.AnswerLeaf(sample, s.leaves[at.Unit.ID][at.Leaf], PathIn(UnitRows(hashes), at.Leaf, at.Unit.Leaves))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newStored(t testing.TB) *stored {
	s := &stored{leaves: map[UnitID][][]byte{}}
	for i := range 3 {
		s.add(t, Filler, byte(1+i), 5)
	}
	s.add(t, Data, 10, 3)
	s.add(t, Data, 11, 1)
	return s
}

// TestAuditAnsweredWithAnotherLeaf is a row of the attack table: every leaf and sub-leaf
// has one answer, and no answer serves for another.
func TestAuditAnsweredWithAnotherLeaf(t *testing.T) {
	s := newStored(t)
	tot := s.plan.Totals()
	n := tot.Filler + tot.Data
	for i := range n {
		sample := Sample{i, int(i*7) % SubLeaves}
		a := s.answer(t, sample)
		for j := range n {
			other := Sample{j, sample.Sub}
			err := VerifyAudit(&AuditAnswer{Leaves: []Answer{{Held: a}}}, &tot, []Sample{other}, nil)
			if (err == nil) != (i == j) || err != nil && !errors.Is(err, ErrProof) {
				t.Fatalf("the answer for leaf %d to leaf %d: %v", i, j, err)
			}
		}
		if VerifyAudit(&AuditAnswer{Leaves: []Answer{{Held: a}}}, &tot, []Sample{{i, sample.Sub ^ 8}}, nil) == nil {
			t.Fatal("another sub-leaf is accepted")
		}
	}
}

// Every byte of an answer counts: one that is not the right one is refused.
func TestAuditAnswerIsRigid(t *testing.T) {
	s := newStored(t)
	tot := s.plan.Totals()
	samples := []Sample{{3, 9}, {16, 0}, {18, 63}}
	a := &AuditAnswer{Lineage: Lineage{1}, Slot: 600}
	for _, x := range samples {
		a.Leaves = append(a.Leaves, Answer{Held: s.answer(t, x)})
	}
	bad, err := s.plan.AnswerBad(samples[1])
	if err != nil {
		t.Fatal(err)
	}
	a.Leaves[1] = Answer{Lost: bad}
	named := []UnitID{bad.Unit.ID}
	if err := VerifyAudit(a, &tot, samples, named); err != nil {
		t.Fatal(err)
	}
	if VerifyAudit(a, &tot, samples, nil) == nil {
		t.Error("a unit that was not named as bad excuses")
	}
	if VerifyAudit(a, &tot, samples[:2], named) == nil {
		t.Error("too many answers")
	}
	enc := scale.Encode(a)
	if len(enc) > MaxAuditAnswer {
		t.Errorf("%d bytes, the limit is %d", len(enc), MaxAuditAnswer)
	}
	for i := 20; i < len(enc); i++ { // lineage and slot are compared elsewhere
		enc[i] ^= 1
		var b AuditAnswer
		if scale.Decode(enc, &b) == nil && VerifyAudit(&b, &tot, samples, named) == nil {
			t.Fatalf("byte %d does not matter", i)
		}
		enc[i] ^= 1
	}
}

// Sums that overflow, or that put a unit where it is not, are refused.
func TestAuditSums(t *testing.T) {
	s := newStored(t)
	tot := s.plan.Totals()
	a := s.answer(t, Sample{7, 0})
	verify := func(h *Held) error {
		return VerifyAudit(&AuditAnswer{Leaves: []Answer{{Held: h}}}, &tot, []Sample{{7, 0}}, nil)
	}
	if err := verify(a); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Held){
		"overflow":   func(h *Held) { h.InPlan[0].Node.Sum = ^uint64(0) - 2 },
		"half range": func(h *Held) { h.InPlan[0].Node.Sum = 1 << 63 },
		"moved":      func(h *Held) { h.InPlan[0].Node.Sum-- },
		"other side": func(h *Held) { h.InPlan[0].Left = !h.InPlan[0].Left },
		"longer":     func(h *Held) { h.InPlan = append(h.InPlan, Step{}) },
		"shorter":    func(h *Held) { h.InPlan = h.InPlan[1:] },
		"huge unit":  func(h *Held) { h.Leaves = MaxUnitLeaves + 1 },
		"endless":    func(h *Held) { h.InPlan = make(Path, 33) },
	} {
		h := *a
		h.InPlan = append(Path(nil), a.InPlan...)
		spoil(&h)
		if err := verify(&h); !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkVerifyAudit is what the chain does for an answer about a worker of 500
// TiB: at most 100 µs.
func BenchmarkVerifyAudit(b *testing.B) {
	p := simulated(512_000, 100_000)
	leaf := noise(1, LeafSize)
	var h Hasher
	hashes := make([]Hash, MaxUnitLeaves)
	for i := range hashes {
		hashes[i] = h.Leaf(leaf)
	}
	rows := UnitRows(hashes)
	root := rows[len(rows)-1]
	at := [AuditLeaves]int{5, 70_000, 300_000, 411_999}
	var samples []Sample
	for i, u := range at {
		d := *p.filler.items.at(u)
		d.Root = root
		p.filler.items.set(u, d)
		p.filler.tree.set(u, d.node())
		samples = append(samples, Sample{uint64(u)*MaxUnitLeaves + uint64(i), i})
	}
	tot := p.Totals()
	var a AuditAnswer
	for _, s := range samples {
		held, err := p.AnswerLeaf(s, leaf, PathIn(rows, uint32(s.Leaf%MaxUnitLeaves), MaxUnitLeaves))
		if err != nil {
			b.Fatal(err)
		}
		a.Leaves = append(a.Leaves, Answer{Held: held})
	}
	enc := scale.Encode(&a)
	b.ReportMetric(float64(len(enc)), "B/answer")
	b.ReportAllocs()
	for b.Loop() {
		var a AuditAnswer
		if err := scale.Decode(enc, &a); err != nil {
			b.Fatal(err)
		}
		if err := VerifyAudit(&a, &tot, samples, nil); err != nil {
			b.Fatal(err)
		}
	}
}
