package proof

import (
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/scale"
)

// MaxAuditAnswer is the length of the longest encoded answer to an audit.
const MaxAuditAnswer = 16 + 4 + 1 + AuditLeaves*(1+SubLeafSize+14*32+36+1+maxUnitPath*32+1+maxPlanPath*41+32)

// Held is a sub-leaf and its way to the root of the plan.
type Held struct {
	Sub    [SubLeafSize]byte
	InLeaf LeafPath
	Unit   UnitID
	Leaves uint32 // of the unit
	InUnit []Hash
	InPlan Path
	Other  Hash // root of the tree of the other kind
}

// Lost says that the leaf is in a unit that the slot's report named as bad.
type Lost struct {
	Unit   Descriptor
	InPlan Path
	Other  Hash
}

// Answer is that for one sample: either Held or Lost.
type Answer struct {
	Held *Held
	Lost *Lost
}

// AuditAnswer answers an audit: one Answer for each sample, in order.
type AuditAnswer struct {
	Lineage Lineage
	Slot    uint32
	Leaves  []Answer
}

// AppendSCALE appends lineage, slot and answers.
func (a *AuditAnswer) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU32(append(dst, a.Lineage[:]...), a.Slot)
	dst = scale.AppendCompact(dst, uint64(len(a.Leaves)))
	for i := range a.Leaves {
		if h := a.Leaves[i].Held; h != nil {
			dst = append(append(dst, 0), h.Sub[:]...)
			for j := range h.InLeaf {
				dst = append(dst, h.InLeaf[j][:]...)
			}
			dst = scale.AppendU32(append(dst, h.Unit[:]...), h.Leaves)
			dst = appendIDs(dst, h.InUnit)
			dst = append(h.InPlan.AppendSCALE(dst), h.Other[:]...)
			continue
		}
		l := a.Leaves[i].Lost
		dst = l.Unit.AppendSCALE(append(dst, 1))
		dst = append(l.InPlan.AppendSCALE(dst), l.Other[:]...)
	}
	return dst
}

// DecodeSCALE reads an answer of at most AuditLeaves leaves.
func (a *AuditAnswer) DecodeSCALE(c *scale.Cursor) {
	c.Fixed(a.Lineage[:])
	a.Slot = c.U32()
	a.Leaves = make([]Answer, count(c, AuditLeaves, DescriptorSize))
	for i := range a.Leaves {
		if c.Tag(2) == 1 {
			l := new(Lost)
			l.Unit.DecodeSCALE(c)
			l.InPlan.DecodeSCALE(c)
			c.Fixed(l.Other[:])
			a.Leaves[i].Lost = l
			continue
		}
		h := new(Held)
		c.Fixed(h.Sub[:])
		for j := range h.InLeaf {
			c.Fixed(h.InLeaf[j][:])
		}
		c.Fixed(h.Unit[:])
		h.Leaves = c.U32()
		h.InUnit = make([]Hash, count(c, maxUnitPath, 32))
		for j := range h.InUnit {
			c.Fixed(h.InUnit[j][:])
		}
		h.InPlan.DecodeSCALE(c)
		c.Fixed(h.Other[:])
		a.Leaves[i].Held = h
	}
}

// VerifyAudit checks an answer against the totals of the challenged plan and what
// was drawn; bad are the units that the slot's accepted report named.
func VerifyAudit(a *AuditAnswer, t *Totals, samples []Sample, bad []UnitID) error {
	if len(a.Leaves) != len(samples) {
		return fmt.Errorf("%w: %d answers to an audit of %d leaves", ErrProof, len(a.Leaves), len(samples))
	}
	for i, s := range samples {
		var err error
		if h := a.Leaves[i].Held; h != nil {
			err = h.verify(t, s)
		} else if l := a.Leaves[i].Lost; slices.Contains(bad, l.Unit.ID) {
			err = locate(t, s.Leaf, &l.Unit, l.InPlan, l.Other)
		} else {
			err = fmt.Errorf("%w: unit %x is not one that was named as bad", ErrProof, l.Unit.ID)
		}
		if err != nil {
			return fmt.Errorf("audit of leaf %d: %w", s.Leaf, err)
		}
	}
	return nil
}

// verify checks everything but the unit's root, which locate compares by way of the
// descriptor: the root that the sub-leaf gives is the only one that fits.
func (h *Held) verify(t *Totals, s Sample) error {
	// The place in the unit is needed before its root; that it lies there, locate checks.
	before, err := h.InPlan.before()
	if err != nil {
		return err
	}
	leaf := s.Leaf
	if leaf >= t.Filler {
		leaf -= t.Filler
	}
	root, err := UnitRootFrom(h.InLeaf.root(&h.Sub, s.Sub), uint32(leaf-before), h.Leaves, h.InUnit)
	if err != nil {
		return err
	}
	return locate(t, s.Leaf, &Descriptor{h.Unit, h.Leaves, root}, h.InPlan, h.Other)
}

// before is the sum on the left of a path.
func (p Path) before() (sum uint64, err error) {
	for i := range p {
		if s := p[i].Node.Sum; p[i].Left {
			if s > maxSum || sum+s > maxSum {
				return 0, fmt.Errorf("%w: sums overflow", ErrProof)
			}
			sum += s
		}
	}
	return sum, nil
}

// locate checks that a plan has a unit where a leaf index leads.
func locate(t *Totals, leaf uint64, d *Descriptor, path Path, other Hash) error {
	kind, want := Filler, t.Filler
	if leaf >= t.Filler {
		kind, want, leaf = Data, t.Data, leaf-t.Filler
	}
	if len(path) > maxPlanPath {
		return fmt.Errorf("%w: a path of %d steps", ErrProof, len(path))
	}
	root, before, err := path.climb(d.node())
	if err != nil {
		return err
	}
	trees := [2]Node{root, {other, t.Filler + t.Data - want}}
	if kind == Data {
		trees[Filler], trees[Data] = trees[Data], trees[Filler]
	}
	switch {
	case root.Sum != want || planRoot(&trees[Filler], &trees[Data]) != t.Root:
		return fmt.Errorf("%w: not a unit of the plan", ErrProof)
	case leaf < before || leaf-before >= uint64(d.Leaves):
		return fmt.Errorf("%w: another leaf: the unit has %d from %d on", ErrProof, d.Leaves, before)
	}
	return nil
}

// AnswerLeaf makes the answer for a sample: leaf are the bytes, path the leaf's path
// in its unit.
func (p *Plan) AnswerLeaf(s Sample, leaf []byte, path []Hash) (*Held, error) {
	at, err := p.Find(s.Leaf)
	if err != nil {
		return nil, err
	}
	if len(leaf) != LeafSize {
		return nil, fmt.Errorf("proof: a leaf of %d bytes", len(leaf))
	}
	var h Hasher
	a := &Held{Sub: [SubLeafSize]byte(leaf[s.Sub*SubLeafSize:]), InLeaf: h.Path(leaf, s.Sub),
		Unit: at.Unit.ID, Leaves: at.Unit.Leaves, InUnit: path}
	a.InPlan, a.Other = p.Path(at.Kind, at.At)
	return a, nil
}

// AnswerBad makes the answer for a sample in a unit that was named as bad.
func (p *Plan) AnswerBad(s Sample) (*Lost, error) {
	at, err := p.Find(s.Leaf)
	if err != nil {
		return nil, err
	}
	a := &Lost{Unit: *at.Unit}
	a.InPlan, a.Other = p.Path(at.Kind, at.At)
	return a, nil
}
