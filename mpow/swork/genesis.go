package swork

import (
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Genesis is the pallet's genesis configuration.
type Genesis struct {
	// Codes are the enclave programs that are allowed from the start.
	Codes []GenesisCode `json:"codes"`
}

// GenesisCode is one of them.
type GenesisCode struct {
	Code    types.Hash        `json:"code"`
	Version uint32            `json:"version"`
	Until   types.BlockNumber `json:"until"`
}

// NewGenesis returns the default configuration: no programs.
func (p *Pallet) NewGenesis() any { return &Genesis{} }

// BuildGenesis files the programs.
func (p *Pallet) BuildGenesis(e *frame.Env, config any) error {
	if err := p.Validate(); err != nil {
		return err
	}
	for _, c := range config.(*Genesis).Codes {
		if p.Codes.Exists(e, c.Code) {
			return fmt.Errorf("swork: code %x is listed twice", c.Code)
		}
		p.Codes.Put(e, c.Code, Code{Version: c.Version, Until: c.Until})
	}
	return nil
}

// Check verifies that workers and records, groups and members, counts and what is
// counted agree.
func (p *Pallet) Check(e *frame.Env) error {
	n := uint32(0)
	for l, w := range p.Workers.All(e) {
		r, ok := p.Records.Lookup(e, w.Account)
		of, seen := p.Lineages.Lookup(e, l)
		switch n++; {
		case !ok || r.Lineage != l || !seen || of != w.Account:
			return fmt.Errorf("swork: worker %x of %x has no record of its own", l, w.Account)
		case len(w.Run) > int(p.PunishmentSlots.Get()) || w.Missed >= retireAfter:
			return fmt.Errorf("swork: worker %x has %d entries and missed %d slots", l, len(w.Run), w.Missed)
		case r.Counter < w.Proven || r.Counter == 0 && w.Slot != 0:
			return fmt.Errorf("swork: worker %x proved plan %d and is at %d", l, w.Proven, r.Counter)
		}
	}
	records, audits := uint32(0), uint32(0)
	for who := range p.Records.All(e) {
		if records++; p.Groups.Exists(e, who) {
			return fmt.Errorf("swork: %x has a worker and a group", who)
		}
	}
	for l := range p.Audits.All(e) {
		if audits++; !p.Workers.Exists(e, l) {
			return fmt.Errorf("swork: an audit of worker %x, which is gone", l)
		}
	}
	if count, open := p.WorkerCount.Get(e), p.OpenAudits.Get(e); n != count || records != count || audits != open {
		return fmt.Errorf("swork: %d workers, %d records, counted %d; %d audits, counted %d", n, records, count, audits, open)
	}
	return p.checkGroups(e)
}

func (p *Pallet) checkGroups(e *frame.Env) error {
	joined := 0
	for who, m := range p.Members.All(e) {
		if owner, in := m.Owner.Get(); in {
			joined++
			if _, there := slices.BinarySearchFunc(p.Groups.Get(e, owner).Members, who, compare); !there {
				return fmt.Errorf("swork: %x is in the group of %x, which does not know", who, owner)
			}
		}
	}
	for owner, g := range p.Groups.All(e) {
		joined -= len(g.Members)
		if limit := int(p.MaxGroupSize.Get()); len(g.Members) > limit || len(g.Allowlist) > limit || !slices.IsSortedFunc(g.Members, compare) || !slices.IsSortedFunc(g.Allowlist, compare) {
			return fmt.Errorf("swork: the group of %x has %d members and %d allowed, at most %d in order", owner, len(g.Members), len(g.Allowlist), limit)
		}
	}
	if joined != 0 {
		return fmt.Errorf("swork: members and groups differ by %d", joined)
	}
	return nil
}
