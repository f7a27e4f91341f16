package babe

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// EquivocationProof shows that an author made two blocks in one slot:
// sp_consensus_slots::EquivocationProof.
type EquivocationProof struct {
	Offender [32]byte // sr25519 key that sealed both headers
	Slot     types.Slot
	First    types.Header
	Second   types.Header
}

// AppendSCALE appends the proof.
func (p EquivocationProof) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU64(append(dst, p.Offender[:]...), uint64(p.Slot))
	return p.Second.AppendSCALE(p.First.AppendSCALE(dst))
}

// DecodeSCALE reads a proof. It does not verify it.
func (p *EquivocationProof) DecodeSCALE(c *scale.Cursor) {
	c.Fixed(p.Offender[:])
	p.Slot = types.Slot(c.U64())
	p.First.DecodeSCALE(c)
	p.Second.DecodeSCALE(c)
}

// ErrNoEquivocation reports a proof that does not show what it claims to.
var ErrNoEquivocation = errors.New("babe: the headers are no equivocation")

// Verify checks that the headers differ, claim the slot of the proof for the same
// authority, and are both sealed by the offender. Whether the offender was an
// authority is not checked. It costs two signatures.
func (p *EquivocationProof) Verify() error {
	if p.First.Hash() == p.Second.Hash() {
		return fmt.Errorf("%w: they are the same", ErrNoEquivocation)
	}
	first, err := p.claim(&p.First)
	if err != nil {
		return err
	}
	second, err := p.claim(&p.Second)
	if err != nil {
		return err
	}
	if first != second {
		return fmt.Errorf("%w: authority %d made one and authority %d the other", ErrNoEquivocation, first, second)
	}
	for _, h := range []*types.Header{&p.First, &p.Second} {
		unsealed, _ := h.PreSealHash()
		seal := h.Digest[len(h.Digest)-1].Data // claim has seen it
		if !sr25519.Verify(p.Offender, unsealed[:], [SealSize]byte(seal)) {
			return fmt.Errorf("%w: %w", ErrNoEquivocation, ErrSeal)
		}
	}
	return nil
}

// claim is the authority that a sealed header of the slot names.
func (p *EquivocationProof) claim(h *types.Header) (authority uint32, err error) {
	logs, err := ReadLogs(h.Digest)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %w", ErrNoEquivocation, err)
	case !logs.Sealed:
		return 0, fmt.Errorf("%w: a header without seal", ErrNoEquivocation)
	case logs.Claim.Slot != p.Slot:
		return 0, fmt.Errorf("%w: a header of slot %d, not %d", ErrNoEquivocation, logs.Claim.Slot, p.Slot)
	}
	return logs.Claim.Authority, nil
}

// Limits of what Equivocations remembers.
const (
	// watchedSlots is how many slots back from the newest one blocks are compared.
	watchedSlots = 1000
	// maxWatched is how many headers are kept over all slots; when there are more,
	// the oldest slots are forgotten.
	maxWatched = 4000
)

// Equivocations finds authors that make two blocks in one slot. It remembers one
// header of each author in each of the latest slots; the zero value remembers
// none. It belongs to one goroutine.
type Equivocations struct {
	slots map[types.Slot][]seen
	order []types.Slot // the keys of slots, ascending
	count int          // headers in slots
}

// seen is the header of an author, encoded so that it keeps no block in memory;
// told is set once its equivocation was reported.
type seen struct {
	author [32]byte
	header []byte
	told   bool
}

// Note takes the header of a valid block and returns a proof if its author has made another block in the slot: once for
// each author and slot. Slots that are long past are ignored.
func (q *Equivocations) Note(h *types.Header, author [32]byte, slot types.Slot) *EquivocationProof {
	if n := len(q.order); n > 0 && slot+watchedSlots <= q.order[n-1] {
		return nil
	}
	var buf [512]byte
	raw := h.AppendSCALE(buf[:0])
	for i := range q.slots[slot] {
		s := &q.slots[slot][i]
		if s.author != author {
			continue
		}
		if s.told || bytes.Equal(s.header, raw) {
			return nil
		}
		s.told = true
		p := &EquivocationProof{Offender: author, Slot: slot, Second: *h}
		if err := scale.Decode(s.header, &p.First); err != nil {
			return nil // cannot be: it was encoded here
		}
		return p
	}
	q.add(slot, seen{author: author, header: bytes.Clone(raw)})
	return nil
}

func (q *Equivocations) add(slot types.Slot, s seen) {
	if q.slots == nil {
		q.slots = map[types.Slot][]seen{}
	}
	if i, known := slices.BinarySearch(q.order, slot); !known {
		q.order = slices.Insert(q.order, i, slot)
	}
	q.slots[slot] = append(q.slots[slot], s)
	q.count++
	newest := q.order[len(q.order)-1]
	old := 0
	for old < len(q.order)-1 && (q.order[old]+watchedSlots <= newest || q.count > maxWatched) {
		q.count -= len(q.slots[q.order[old]])
		delete(q.slots, q.order[old])
		old++
	}
	q.order = slices.Delete(q.order, 0, old)
}
