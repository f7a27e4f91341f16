package babe

import (
	"slices"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// segmentLength is how many VRF outputs one value of UnderConstruction holds.
// Every primary block rewrites the last segment, so segments are short.
const segmentLength = 32

// maxSkipped is how many entries SkippedEpochs keeps; the oldest go first.
const maxSkipped = 100

// OnInitialize reads the author's claim. It does nothing if the session pallet,
// whose hook runs before, has asked already.
func (p *Pallet) OnInitialize(e *frame.Env) types.Weight {
	p.initialize(e)
	return weights.block
}

func (p *Pallet) initialize(e *frame.Env) {
	if p.Initialized.Exists(e) {
		return
	}
	claim := claimOf(e)
	p.Initialized.Put(e, claim)
	c, ok := claim.Get()
	if !ok {
		return
	}
	if !p.GenesisSlot.Exists(e) {
		p.GenesisSlot.Put(e, c.Slot)
		p.announce(e)
	} else if last := p.CurrentSlot.Get(e); c.Slot > last+1 {
		p.Lateness.Put(e, types.BlockNumber(min(uint64(c.Slot-last-1), uint64(^uint32(0)))))
	}
	p.CurrentSlot.Put(e, c.Slot)
}

// announce deposits what light clients must know of the next epoch.
func (p *Pallet) announce(e *frame.Env) {
	e.Deposit(babe.NextEpoch(forEngine(p.NextAuthorities.Get(e)), p.NextRandomness.Get(e)).Item())
}

// ShouldEndSession reports whether the block that begins is the first of an epoch after 0.
func (p *Pallet) ShouldEndSession(e *frame.Env) bool {
	p.initialize(e)
	start := p.startOf(e, p.EpochIndex.Get(e))
	slot := p.CurrentSlot.Get(e)
	return p.GenesisSlot.Exists(e) && slot >= start && uint64(slot-start) >= p.EpochDuration.Get()
}

// epochAt is the index of the epoch of a slot.
func (p *Pallet) epochAt(e *frame.Env, slot types.Slot) types.EpochIndex {
	genesis := p.GenesisSlot.Get(e)
	return types.EpochIndex(uint64(slot-min(slot, genesis)) / p.EpochDuration.Get())
}

// startOf is the first slot of an epoch.
func (p *Pallet) startOf(e *frame.Env, index types.EpochIndex) types.Slot {
	return p.GenesisSlot.Get(e) + types.Slot(uint64(index)*p.EpochDuration.Get())
}

// OnGenesisSession sets the authorities of epochs 0 and 1.
func (p *Pallet) OnGenesisSession(e *frame.Env, validators []session.Entry) {
	as := authorities(validators, p.MaxAuthorities.Get())
	p.Authorities.Put(e, as)
	p.NextAuthorities.Put(e, as)
}

// OnNewSession begins the epoch of the block's slot.
func (p *Pallet) OnNewSession(e *frame.Env, index types.SessionIndex, _ bool, validators, queued []session.Entry) {
	if len(validators) == 0 {
		return // nobody could author in the epoch: the old one goes on
	}
	limit := p.MaxAuthorities.Get()
	p.enact(e, index, authorities(validators, limit), authorities(queued, limit))
}

// OnBeforeSessionEnding does nothing.
func (p *Pallet) OnBeforeSessionEnding(*frame.Env) {}

// OnDisabled announces that an authority must not author; OnTimestampSet refuses its blocks.
func (p *Pallet) OnDisabled(e *frame.Env, position uint32) {
	e.Deposit(babe.OnDisabled(position).Item())
}

// enact begins an epoch and announces the next one.
func (p *Pallet) enact(e *frame.Env, sess types.SessionIndex, now, next []Authority) {
	index := p.epochAt(e, p.CurrentSlot.Get(e))
	if p.EpochIndex.Get(e)+1 != index {
		p.noteSkipped(e, index, sess)
	}
	p.EpochIndex.Put(e, index)
	p.Authorities.Put(e, now)
	p.NextAuthorities.Put(e, next)
	p.turnRandomness(e, index+1)
	start := p.EpochStart.Get(e)
	p.EpochStart.Put(e, scale.Pair[types.BlockNumber, types.BlockNumber]{A: start.B, B: e.Number()})
	p.announce(e)
	if c, ok := p.NextEpochConfig.Lookup(e); ok {
		p.EpochConfig.Put(e, c)
	}
	if planned, ok := p.PendingEpochConfigChange.Lookup(e); ok {
		p.PendingEpochConfigChange.Kill(e)
		p.NextEpochConfig.Put(e, *planned.V1)
		e.Deposit(babe.NextConfig(planned.V1.engine()).Item())
	}
}

func (p *Pallet) noteSkipped(e *frame.Env, index types.EpochIndex, sess types.SessionIndex) {
	if uint64(index) < uint64(sess) {
		return // cannot be: sessions are not skipped
	}
	skipped := p.SkippedEpochs.Get(e)
	skipped = slices.Clone(skipped[max(0, len(skipped)-maxSkipped+1):])
	p.SkippedEpochs.Put(e, append(skipped, scale.Pair[types.EpochIndex, types.SessionIndex]{A: index, B: sess}))
}

// SessionOfEpoch is the session in which an epoch was, which is what proofs of
// key ownership refer to.
func (p *Pallet) SessionOfEpoch(e *frame.Env, index types.EpochIndex) types.SessionIndex {
	skipped := p.SkippedEpochs.Get(e)
	for i := len(skipped) - 1; i >= 0; i-- {
		if s := skipped[i]; s.A <= index {
			return types.SessionIndex(uint64(index-s.A) + uint64(s.B))
		}
	}
	return types.SessionIndex(index)
}

// turnRandomness makes the next randomness the current one, and all VRF outputs
// of the epoch that ended the randomness of epoch next.
func (p *Pallet) turnRandomness(e *frame.Env, next types.EpochIndex) {
	var outputs [][32]byte
	for i := range p.SegmentIndex.Take(e) + 1 {
		outputs = append(outputs, p.UnderConstruction.Take(e, i)...)
	}
	this := p.NextRandomness.Get(e)
	p.Randomness.Put(e, this)
	p.NextRandomness.Put(e, babe.MixRandomness(this, next, outputs))
}

// OnFinalize keeps the VRF output of the block.
func (p *Pallet) OnFinalize(e *frame.Env) {
	claim, _ := p.Claim(e)
	p.Initialized.Kill(e)
	p.Lateness.Kill(e)
	out, ok := p.output(e, &claim)
	if !ok {
		p.AuthorVrfRandomness.Put(e, scale.Option[[32]byte]{})
		return
	}
	p.AuthorVrfRandomness.Put(e, scale.Some(out))
	if claim.Kind == babe.Primary {
		p.deposit(e, out)
	}
}

// Output is the VRF output of the block that is executed, if its claim has one:
// what OnFinalize keeps as AuthorVrfRandomness, for pallets that need it before.
func (p *Pallet) Output(e *frame.Env) ([32]byte, bool) {
	claim, _ := p.Claim(e)
	return p.output(e, &claim)
}

// output is what the claim's VRF adds to the randomness, if it has one. Whoever
// imports a block has checked the proof (babe.Verify) and lends what came out; to
// check it again would double the cost of an empty block.
func (p *Pallet) output(e *frame.Env, claim *babe.PreDigest) (out [32]byte, ok bool) {
	as := p.Authorities.Get(e)
	if claim.Kind == 0 || !claim.HasVRF() || int64(claim.Authority) >= int64(len(as)) {
		return out, false
	}
	lot := babe.Lot{
		Author: as[claim.Authority].Key, Slot: claim.Slot, Epoch: p.EpochIndex.Get(e),
		Randomness: p.Randomness.Get(e), PreOutput: claim.PreOutput,
	}
	if known, ok := e.Known(lot); ok {
		return known.([32]byte), true
	}
	return lot.Output()
}

// deposit appends an output to those of the epoch.
func (p *Pallet) deposit(e *frame.Env, out [32]byte) {
	i := p.SegmentIndex.Get(e)
	segment := p.UnderConstruction.Get(e, i)
	if len(segment) >= segmentLength {
		i++
		p.SegmentIndex.Put(e, i)
		segment = nil
	}
	p.UnderConstruction.Put(e, i, append(slices.Clone(segment), out))
}
