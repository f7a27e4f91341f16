package runtime

import (
	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/babe"
	"github.com/crustgo/crust/substrate/types"
)

// The layers of storage name each other's things in types of their own. The adapters
// here translate between them and hold no rule.

// attestation is Attest as Swork asks it.
type attestation struct{ *attest.Pallet }

func evidence(ev *attest.Evidence, err error) (swork.Evidence, error) {
	if err != nil {
		return swork.Evidence{}, err
	}
	return swork.Evidence{Code: types.Hash(ev.Code), Platform: types.Hash(ev.Platform), ReportData: ev.ReportData, Of: ev}, nil
}

func (a attestation) Verify(e *frame.Env, quote []byte) (swork.Evidence, error) {
	return evidence(a.Pallet.Verify(e, quote))
}

func (a attestation) VerifyFor(e *frame.Env, key types.Hash, quote []byte) (swork.Evidence, error) {
	return evidence(a.Pallet.VerifyFor(e, attest.EnclaveKey(key), quote))
}

func (a attestation) Admit(e *frame.Env, key types.Hash, ev swork.Evidence) error {
	return a.Pallet.Admit(e, attest.EnclaveKey(key), ev.Of.(*attest.Evidence))
}

func (a attestation) Renew(e *frame.Env, key types.Hash, ev swork.Evidence) (free bool, err error) {
	return a.Pallet.Renew(e, attest.EnclaveKey(key), ev.Of.(*attest.Evidence))
}

func (a attestation) Retire(e *frame.Env, key types.Hash) { a.Pallet.Retire(e, attest.EnclaveKey(key)) }
func (a attestation) Suspend(e *frame.Env, key types.Hash) {
	a.Pallet.Suspend(e, attest.EnclaveKey(key))
}

func (a attestation) Bar(e *frame.Env, platform types.Hash, before types.BlockNumber) {
	a.Pallet.Bar(e, attest.PlatformID(platform), before)
}

func (a attestation) Standing(e *frame.Env, key types.Hash) swork.Standing {
	s := a.Pallet.Standing(e, attest.EnclaveKey(key))
	platform, _ := a.Platforms.Lookup(e, s.Platform)
	return swork.Standing{Live: s.State == attest.Live, Since: s.Since, Cap: s.Cap, Keys: uint32(len(platform.Keys))}
}

// replicas is Market as Swork tells and asks it.
type replicas struct{ *market.Pallet }

func (m replicas) QueueRoom(e *frame.Env, worker swork.Lineage) int {
	return m.Pallet.QueueRoom(e, market.Lineage(worker))
}

func (m replicas) RemoveWorker(e *frame.Env, worker swork.Lineage) {
	m.Pallet.RemoveWorker(e, market.Lineage(worker))
}

func (m replicas) FilesOf(e *frame.Env, worker swork.Lineage, counter uint64) swork.Files {
	f := m.Pallet.FilesOf(e, market.Lineage(worker), counter)
	return swork.Files{Size: f.Size, Power: f.Power}
}

func (m replicas) QueueReport(e *frame.Env, worker swork.Lineage, r swork.FileChanges) error {
	out := market.Report{Member: r.Member, Owner: r.Owner, Code: r.Code, Counter: r.Counter}
	for _, a := range r.Added {
		out.Added = append(out.Added, market.AddedFile{File: fileKey(a.CID), Size: a.Size})
	}
	for _, d := range r.Deleted {
		out.Deleted = append(out.Deleted, fileKey(d))
	}
	return m.Pallet.QueueReport(e, market.Lineage(worker), out)
}

// fileKey is the text by which the market knows a CID; none for bytes that are no CID,
// which no enclave reports.
func fileKey(b []byte) market.Key {
	c, err := dag.ParseCID(b)
	if err != nil || c.CheckRoot() != nil {
		return ""
	}
	return market.Key(c.String())
}

// workers is Swork as Market asks it.
type workers struct{ *swork.Pallet }

func (w workers) Live(e *frame.Env, worker market.Lineage, counter uint64) bool {
	return w.Pallet.Live(e, swork.Lineage(worker), counter)
}

func (w workers) DeadSlots(e *frame.Env, worker market.Lineage, counter uint64) uint32 {
	return w.Pallet.DeadSlots(e, swork.Lineage(worker), counter)
}

func (w workers) Platform(e *frame.Env, worker market.Lineage) types.Hash {
	return w.Pallet.Platform(e, swork.Lineage(worker))
}

// stakeLimits is Staking as Swork tells it of workloads.
type stakeLimits struct{ *staking.Pallet }

func (l stakeLimits) AddWorkloads(e *frame.Env, works []swork.Workload) {
	out := make([]staking.Workload, len(works))
	for i, w := range works {
		out[i] = staking.Workload(w)
	}
	l.Pallet.AddWorkloads(e, out)
}

// chance is Babe as Swork draws from it.
type chance struct{ *babe.Pallet }

func (c chance) Randomness(e *frame.Env) [32]byte { return c.Pallet.Randomness.Get(e) }
