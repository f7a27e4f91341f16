package main

import (
	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee"
)

// slotStart is the first block of the slot of reports in which storage is measured.
// Of the slots that are not full, workers have reported in the one before.
const slotStart = 2000

// What is known of the chain and of the slot.
var genesisHash, slotHash, beacon = types.Hash{9}, types.Hash{8}, types.Hash{7}

// lastSlot is the slot before.
func (w *world) lastSlot() uint32 { return slotStart - uint32(w.rt.Preset.Storage.ReportSlot) }

// inSlot measures in the block at that place of the slot, on a state that prepare
// has changed.
func inSlot(offset types.BlockNumber, prepare func(w *world, e *frame.Env, n int), setup func(int) run) func(int) run {
	const at = types.BlockNumber(slotStart)
	return func(n int) run {
		inner := setup(n)
		return staged(func(w *world, e *frame.Env) {
			supply(w, e)
			p := w.pallets
			p.System.Number.Put(e, at+offset)
			p.System.BlockHash.Put(e, 0, genesisHash)
			p.System.BlockHash.Put(e, at, slotHash)
			p.Swork.Slot.Put(e, swork.Slot{Start: slotStart, Hash: slotHash, Beacon: beacon})
			p.Swork.Turnout.Put(e, swork.Turnout{Carried: 1, Reference: 1 << 50})
			p.Market.AgendaAt.Put(e, market.Agenda{Block: market.Block(at + offset)})
			prepare(w, e, n)
		}, func(int) run {
			return func(w *world, h *types.Header) (*frame.Env, *counter, func() error, error) {
				later := *h
				later.Number = at + offset
				return inner(w, &later)
			}
		})(n)
	}
}

// Names of the i-th worker: its member, the owner of its group, and what else it has.
// A member's group has the worker of one.
func ownerOf(i int) types.AccountID      { return types.AccountID{6, byte(i >> 8), byte(i)} }
func lineageOf(i int) (l proof.Lineage)  { l[0], l[1], l[2] = 4, byte(i>>8), byte(i); return l }
func platformOf(i int) attest.PlatformID { return attest.PlatformID{3, byte(i >> 8), byte(i)} }
func keyOf(i int) *ed25519.KeyPair       { return ed25519.FromSeed([32]byte{2, byte(i >> 8), byte(i)}) }
func otherKey(i, of int) (k attest.EnclaveKey) {
	k = attest.EnclaveKey{1, byte(i), byte(of >> 8), byte(of)}
	return k
}

// Sizes of what workers have: a plan of 64 TiB of filler and 64 GiB of files, a group of
// twenty, a platform with as many keys as it may have, and no slot missed.
const (
	fillerLeaves = 1 << 30
	dataLeaves   = 1 << 20
	groupSize    = 20
	counterNow   = 1000 // of the plan
	replicasOf   = 1000 // of a worker
)

// enlist makes n workers that are live, each on a platform of its own.
func enlist(w *world, e *frame.Env, n int) {
	p := w.pallets
	ev, err := p.Attest.Verify(e, quote(tee.SGX, [64]byte{}))
	if err != nil {
		panic(err) // it is genuine
	}
	run := make([]uint64, w.rt.Preset.Storage.PunishmentSlots)
	for i := range run {
		run[i] = fillerLeaves
	}
	for i := range n {
		one, key, l := *ev, attest.EnclaveKey(keyOf(i).Public()), lineageOf(i)
		one.Platform = platformOf(i)
		if err := p.Attest.Admit(e, key, &one); err != nil {
			panic(err) // it is new
		}
		platform, _ := p.Attest.Platforms.Lookup(e, one.Platform)
		for k := 1; k < int(p.Attest.KeysPerPlatform.Get()); k++ {
			platform.Keys = append(platform.Keys, otherKey(k, i))
		}
		p.Attest.Platforms.Put(e, one.Platform, platform)
		r := proof.NewRecord(types.Hash(key), l)
		r.Step(counterNow, proof.Totals{Root: types.Hash{1, byte(i)}, Filler: fillerLeaves, Data: dataLeaves}, types.Hash{2}, dataLeaves*proof.LeafSize/2, 5000)
		r.Changes, r.Head = 5000, types.Hash{3}
		p.Swork.Records.Put(e, member(i), swork.Record{Record: r})
		p.Swork.Lineages.Put(e, l, member(i))
		p.Swork.Workers.Put(e, l, swork.Worker{Account: member(i), Code: types.Hash(ev.Code), Platform: types.Hash(one.Platform), Since: 1, Slot: w.lastSlot(),
			Proven: counterNow - 1, Ramp: fillerLeaves, Run: run})
		p.Swork.Members.Put(e, member(i), swork.Member{Owner: scale.Some(ownerOf(i)), Since: 1})
		p.Swork.Groups.Put(e, ownerOf(i), swork.Group{Members: accounts(8, groupSize-1, member(i)), Since: 1})
		p.Market.Holders.Put(e, market.Lineage(l), market.Holder{Proven: market.Files{Replicas: replicasOf, Size: replicasOf << 30, Power: replicasOf << 31}, Counter: counterNow})
	}
	p.Swork.WorkerCount.Put(e, uint32(n))
}

// accounts are n accounts behind one, in order.
func accounts(kind byte, n int, first ...types.AccountID) []types.AccountID {
	for i := range n {
		first = append(first, types.AccountID{kind, byte(i >> 8), byte(i)})
	}
	return first
}

// enlisted gives the chain so many workers.
func enlisted(n int) func(w *world, e *frame.Env) {
	return func(w *world, e *frame.Env) { supply(w, e); enlist(w, e, n) }
}
