package babe

import (
	"errors"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// APIs lists the runtime API BabeApi.
func (p *Pallet) APIs() []frame.API {
	return []frame.API{{Name: "BabeApi", Version: 2, Doc: "Tells engines and light clients the epochs.", Methods: []frame.Method{
		frame.Method0("configuration", "Returns the configuration, which at genesis is that of epoch 0.", p.configuration),
		frame.Method0("current_epoch_start", "Returns the first slot of the current epoch.", func(e *frame.Env) (types.Slot, error) {
			return p.startOf(e, p.EpochIndex.Get(e)), nil
		}),
		frame.Method0("current_epoch", "Returns the current epoch.", p.CurrentEpoch),
		frame.Method0("next_epoch", "Returns the next epoch, which has been announced.", p.NextEpoch),
		frame.Method2("generate_key_ownership_proof", "Proves to whom a key belonged in the session of a slot.", "slot", "authority_id", p.keyOwnershipProof),
		frame.Method2("submit_report_equivocation_unsigned_extrinsic", "Returns none: nodes make their reports themselves.", "equivocation_proof", "key_owner_proof", submitReport),
	}}}
}

// errNoConfig reports a state without a configuration of BABE.
var errNoConfig = errors.New("babe: the state has no epoch configuration")

func (p *Pallet) configuration(e *frame.Env) (Configuration, error) {
	c, ok := p.EpochConfig.Lookup(e)
	if !ok {
		return Configuration{}, errNoConfig
	}
	return Configuration{
		SlotDuration: p.ExpectedBlockTime.Get(), EpochLength: p.EpochDuration.Get(), C: c.C,
		Authorities: p.Authorities.Get(e), Randomness: p.Randomness.Get(e), AllowedSlots: c.AllowedSlots,
	}, nil
}

// CurrentEpoch is the epoch of the latest block.
func (p *Pallet) CurrentEpoch(e *frame.Env) (Epoch, error) {
	c, ok := p.EpochConfig.Lookup(e)
	if !ok {
		return Epoch{}, errNoConfig
	}
	index := p.EpochIndex.Get(e)
	return Epoch{index, p.startOf(e, index), p.EpochDuration.Get(), p.Authorities.Get(e), p.Randomness.Get(e), c}, nil
}

// NextEpoch is the epoch after the current one, as it was announced.
func (p *Pallet) NextEpoch(e *frame.Env) (Epoch, error) {
	c, ok := p.NextEpochConfig.Lookup(e)
	if !ok {
		if c, ok = p.EpochConfig.Lookup(e); !ok {
			return Epoch{}, errNoConfig
		}
	}
	index := p.EpochIndex.Get(e) + 1
	return Epoch{index, p.startOf(e, index), p.EpochDuration.Get(), p.NextAuthorities.Get(e), p.NextRandomness.Get(e), c}, nil
}
