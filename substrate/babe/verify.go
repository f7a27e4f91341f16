package babe

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/types"
)

// Reasons why a header is refused, for callers that tell them apart. All but
// ErrFuture prove that whoever sent the header misbehaves.
var (
	// ErrFuture reports a slot that has not begun: the header may be valid later.
	ErrFuture = errors.New("babe: slot is in the future")
	// ErrSlot reports a slot that is not after the parent's.
	ErrSlot = errors.New("babe: slot is not after the parent's")
	// ErrClaim reports a claim that the epoch does not admit: its kind, or an author that does not exist.
	ErrClaim = errors.New("babe: claim is not admitted")
	// ErrSecondaryAuthor reports a secondary claim by another than the slot's secondary author.
	ErrSecondaryAuthor = errors.New("babe: not the secondary author of the slot")
	// ErrVRF reports a VRF proof that does not verify.
	ErrVRF = errors.New("babe: VRF proof is wrong")
	// ErrThreshold reports a primary claim whose VRF result is not below the threshold.
	ErrThreshold = errors.New("babe: VRF result is above the threshold")
	// ErrSeal reports a missing seal, or one that is not a signature of the author.
	ErrSeal = errors.New("babe: seal is wrong")
	// ErrAnnouncement reports a first block of an epoch that does not announce
	// the next one, or another block that does.
	ErrAnnouncement = errors.New("babe: announcement of the next epoch is missing or out of place")
)

// Verified is what a valid header tells.
type Verified struct {
	Claim  PreDigest
	Author [32]byte // key of the authority that made the claim
	Epoch  *Epoch   // the block's epoch
	First  bool     // whether the block is the first of its epoch
	Weight uint32   // what the block counts for in the fork choice
	Head   Head     // what the block's children inherit
	// Output is what the claim's VRF adds to the randomness: set when its proof was checked, and zero
	// without a VRF.
	Output [32]byte
}

// Lot is all that a claim's VRF output depends on.
type Lot struct {
	Author     [32]byte
	Slot       types.Slot
	Epoch      types.EpochIndex
	Randomness [32]byte // of the epoch
	PreOutput  [32]byte
}

// Lot is what the claim's VRF was evaluated on.
func (v *Verified) Lot() Lot {
	return Lot{v.Author, v.Claim.Slot, v.Epoch.Index, v.Epoch.Randomness, v.Claim.PreOutput}
}

// Output is what a verified claim adds to the randomness, computed without the proof; ok is false if PreOutput is
// no point, which no verified claim has.
func (l *Lot) Output() (out [32]byte, ok bool) {
	t := sr25519.BABETranscript(l.Randomness, uint64(l.Slot), uint64(l.Epoch))
	o, ok := sr25519.VRFOutput(l.Author, t, l.PreOutput)
	if ok {
		out = o.Randomness()
	}
	return out, ok
}

// Candidate is a header that is valid but for its signatures.
type Candidate struct {
	Verified
	unsealed types.Hash
	seal     [SealSize]byte
}

// Verify checks a sealed header against its parent's head. Latest is the highest
// slot that is not in the future; callers add one to the clock's slot to forgive
// a small drift. That the parent is the header's parent, that the numbers follow
// each other, and everything that execution decides is not checked here.
func Verify(h *types.Header, parent Head, latest types.Slot) (Verified, error) {
	c, err := Inspect(h, parent, latest)
	if err != nil {
		return Verified{}, err
	}
	if err := c.VerifySignatures(); err != nil {
		return Verified{}, err
	}
	return c.Verified, nil
}

// Inspect makes all checks of Verify except those of VerifySignatures. It costs
// a few microseconds and does not change anything; the head in its result is
// right if the signatures are.
func Inspect(h *types.Header, parent Head, latest types.Slot) (*Candidate, error) {
	logs, err := ReadLogs(h.Digest)
	if err != nil {
		return nil, err
	}
	claim := logs.Claim
	unsealed, ok := h.PreSealHash()
	switch {
	case !ok || !logs.Sealed:
		return nil, fmt.Errorf("%w: there is none", ErrSeal)
	case claim.Slot <= parent.Slot:
		return nil, fmt.Errorf("%w: %d after %d", ErrSlot, claim.Slot, parent.Slot)
	case claim.Slot > latest:
		return nil, fmt.Errorf("%w: %d, the latest is %d", ErrFuture, claim.Slot, latest)
	}
	epoch, first := parent.Epochs.At(claim.Slot)
	if first != (logs.Next != nil) {
		return nil, fmt.Errorf("%w: slot %d, epoch %d, first block %v", ErrAnnouncement, claim.Slot, epoch.Index, first)
	}
	if err := admit(&claim, epoch); err != nil {
		return nil, err
	}
	c := &Candidate{unsealed: unsealed, seal: logs.Seal, Verified: Verified{
		Claim: claim, Author: epoch.Authorities[claim.Authority].Key,
		Epoch: epoch, First: first, Weight: claim.Weight(),
		Head: Head{Slot: claim.Slot, Epochs: parent.Epochs},
	}}
	if first {
		c.Head.Epochs = advance(h.Hash(), epoch, logs.Next, logs.NextConfig)
	}
	return c, nil
}

// admit checks the claim's kind and author against the epoch.
func admit(claim *PreDigest, e *Epoch) error {
	if int64(claim.Authority) >= int64(len(e.Authorities)) {
		return fmt.Errorf("%w: authority %d of %d", ErrClaim, claim.Authority, len(e.Authorities))
	}
	if claim.Kind == Primary {
		return nil
	}
	if claim.Kind != e.Config.Allowed.secondary() {
		return fmt.Errorf("%w: %v in an epoch with allowed slots %d", ErrClaim, claim.Kind, e.Config.Allowed)
	}
	author, _ := SecondaryAuthor(e.Randomness, claim.Slot, len(e.Authorities))
	if claim.Authority != author {
		return fmt.Errorf("%w: authority %d claims slot %d of authority %d", ErrSecondaryAuthor, claim.Authority, claim.Slot, author)
	}
	return nil
}

// VerifySignatures checks the VRF proof, the threshold and the seal. It may run
// on any goroutine.
func (c *Candidate) VerifySignatures() error {
	if err := c.VerifyVRF(nil); err != nil {
		return err
	}
	if pub, msg, sig := c.SealInput(); !sr25519.Verify(pub, msg[:], sig) {
		return fmt.Errorf("%w: authority %d, slot %d", ErrSeal, c.Claim.Authority, c.Claim.Slot)
	}
	return nil
}

// VerifyVRF checks the VRF proof and, for a primary claim, the threshold.
// Together with the signature that SealInput describes it is VerifySignatures;
// a caller with many headers checks the seals in a batch. author, which may be nil,
// is the key Author made ready.
func (c *Candidate) VerifyVRF(author *sr25519.PreparedKey) error {
	if !c.Claim.HasVRF() {
		return nil
	}
	var out sr25519.Output
	var ok bool
	if author != nil {
		out, ok = author.VRFVerify(c.Epoch.transcript(c.Claim.Slot), c.Claim.PreOutput, c.Claim.Proof)
	} else {
		out, ok = sr25519.VRFVerify(c.Author, c.Epoch.transcript(c.Claim.Slot), c.Claim.PreOutput, c.Claim.Proof)
	}
	if !ok {
		return fmt.Errorf("%w: authority %d, slot %d", ErrVRF, c.Claim.Authority, c.Claim.Slot)
	}
	if c.Claim.Kind == Primary && !c.Epoch.Threshold(c.Claim.Authority).Admits(out.Lottery()) {
		return fmt.Errorf("%w: authority %d, slot %d", ErrThreshold, c.Claim.Authority, c.Claim.Slot)
	}
	c.Output = out.Randomness()
	return nil
}

// SealInput is the signature that seals the header, an sr25519 signature in
// Substrate's context: who made it, of what, and its bytes.
func (c *Candidate) SealInput() (public [32]byte, message [32]byte, seal [SealSize]byte) {
	return c.Author, c.unsealed, c.seal
}
