package trusted

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/mpow/proof"
)

// Errors that callers tell apart.
var (
	// ErrTooManyBad reports more unreadable units than a report may name: the loss has
	// to be declared.
	ErrTooManyBad = errors.New("trusted: too many units cannot be read")
	// ErrPending reports a signed step that has to become final, or to lapse, first.
	ErrPending = errors.New("trusted: another step is signed and not final")
	// ErrNoChallenge reports that no challenge is open.
	ErrNoChallenge = errors.New("trusted: no challenge is open")
)

// Asked is a leaf that a challenge asks for.
type Asked struct {
	Kind proof.Kind
	Unit proof.Descriptor
	Leaf uint32 // in the unit
}

// Challenge is what a slot asks of the plan that the chain holds.
type Challenge struct {
	params proof.Params
	slot   uint32
	hash   Hash // of the slot's first block
	beacon Hash
	asked  []Asked
	proven []bool // by index in asked
	secret *secret
}

// Challenge opens a slot's challenge; the one before is closed. That the slot, its
// hash, its beacon and the parameters are the chain's is the host's word: they are
// part of what is signed.
func (c *Core) Challenge(p proof.Params, slot uint32, hash, beacon Hash) (*Challenge, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if slot > ^uint32(0)-p.AuditWindow {
		return nil, fmt.Errorf("trusted: slot %d", slot)
	}
	h := &Challenge{params: p, slot: slot, hash: hash, beacon: beacon, secret: &c.secret}
	seed := proof.ChallengeSeed(beacon, c.secret.lineage, c.record.Plan.Root, c.record.Counter)
	leaves := proof.Challenge(seed, &c.record.Plan, p.Samples)
	h.asked, h.proven = make([]Asked, len(leaves)), make([]bool, len(leaves))
	for i, l := range leaves {
		at, err := c.ledger.Plan.Find(l)
		if err != nil {
			return nil, err
		}
		h.asked[i] = Asked{at.Kind, *at.Unit, at.Leaf}
	}
	c.challenge, c.unsigned = h, nil
	return h, nil
}

// Asked is what the challenge asks for, not to be changed.
func (h *Challenge) Asked() []Asked { return h.asked }

// Scratch is what checking leaves needs of memory. It belongs to one goroutine; the
// zero value is ready for use.
type Scratch struct {
	hasher proof.Hasher
	buf    [proof.LeafSize]byte // of a filler's leaf, decrypted
}

// Proves reports whether a leaf is number i of what was asked for. Path is its path
// in a data unit; a filler has none. It changes nothing, so that several goroutines
// may check leaves at a time, each with its scratch.
func (h *Challenge) Proves(s *Scratch, i int, leaf []byte, path []Hash) bool {
	if i < 0 || i >= len(h.asked) || len(leaf) != proof.LeafSize {
		return false
	}
	a := &h.asked[i]
	if a.Kind == proof.Filler {
		return isKeystream(h.secret.unitCipher(proof.Filler, &a.Unit.ID), a.Leaf, leaf, s.buf[:])
	}
	root, err := proof.UnitRootFrom(s.hasher.Leaf(leaf), a.Leaf, a.Unit.Leaves, path)
	return err == nil && root == a.Unit.Root
}

// Mark notes that leaves, by their numbers, were proven.
func (c *Core) Mark(h *Challenge, proven []int) error {
	if c.challenge == nil || c.challenge != h {
		return ErrNoChallenge
	}
	for _, i := range proven {
		h.proven[i] = true
	}
	return nil
}

// bad returns the units of which a leaf was not proven.
func (h *Challenge) bad(into map[proof.UnitID]bool) {
	for i := range h.asked {
		if !h.proven[i] {
			into[h.asked[i].Unit.ID] = true
		}
	}
}
