package main

import (
	"encoding/binary"

	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
	"github.com/crustgo/crust/tee/dev"
)

// What the vendor publishes: a list of revoked processors with some more entries
// than there were in 2023, and tables with a third of the rows that are taken.
const (
	revoked = 64
	levels  = 20
)

const today = uint64(firstSlot) // in seconds; slots of development networks have one

// authority is that of the development networks.
var authority = dev.NewCA(dev.DevelopmentSeed())

// published is what a vendor of that size publishes, daysAgo days before today.
func published(kind tee.Kind, daysAgo uint64, revoked, levels, moduleLevels int) *dev.Specimen {
	s := authority.Specimen(kind, [16]byte{1}, 1)
	at := today - daysAgo*86_400
	for _, w := range []*dcap.Window{&s.Info.Window, &s.QE.Window} {
		w.Issued, w.Next = at, at+30*86_400
	}
	for _, l := range []*dev.List{&s.RootList, &s.PCKList} {
		l.Issued, l.Next = at, at+30*86_400
	}
	for i := range revoked {
		var serial dcap.Serial
		serial[0] = 0x40
		binary.BigEndian.PutUint32(serial[16:], uint32(i))
		s.PCKList.Revoked = append(s.PCKList.Revoked, serial)
	}
	oldest := s.Info.Levels[len(s.Info.Levels)-1]
	for len(s.Info.Levels) < levels {
		oldest.PCESVN-- // from 11 on, and round: nobody compares rows with each other
		s.Info.Levels = append(s.Info.Levels, oldest)
	}
	for i := range moduleLevels {
		last := &s.Info.Modules[len(s.Info.Modules)-1]
		if len(last.Levels) == mostLevels {
			next := *last
			next.Version, next.Levels = last.Version+1, nil
			s.Info.Modules = append(s.Info.Modules, next)
			last = &s.Info.Modules[len(s.Info.Modules)-1]
		}
		last.Levels = append(last.Levels, dcap.SVNLevel{SVN: uint16(i % 3), Status: dcap.OutOfDate})
	}
	return s
}

// mostLevels is how many rows a table may have.
const mostLevels = 64

// bringing is a call that brings something of what a vendor publishes.
type bringing struct {
	name string
	args any
}

func rootList(s *dev.Specimen) bringing {
	return bringing{"submit_root_list", &attest.RootListArgs{Root: s.Chain()[2], List: s.Bundle().RootCRL}}
}

func processorList(s *dev.Specimen) bringing {
	c := s.Chain()
	return bringing{"submit_processor_list", &attest.ProcessorListArgs{Authority: c[1], Root: c[2], List: s.Bundle().PCKCRL}}
}

func tcbInfo(s *dev.Specimen) bringing {
	b := s.Bundle()
	return bringing{"submit_tcb_info", &attest.CollateralArgs{Signer: b.Signer, Root: s.Chain()[2], Body: b.TCBInfo.Body, Signature: b.TCBInfo.Signature}}
}

func qeIdentity(s *dev.Specimen) bringing {
	b := s.Bundle()
	return bringing{"submit_qe_identity", &attest.CollateralArgs{Signer: b.Signer, Root: s.Chain()[2], Body: b.QEIdentity.Body, Signature: b.QEIdentity.Signature}}
}

// supply gives the chain its time and what the vendor has published.
func supply(w *world, e *frame.Env) {
	w.pallets.Timestamp.Now.Put(e, types.Moment(today)*1000)
	s, t := published(tee.SGX, 2, revoked, levels, 0), published(tee.TDX, 2, revoked, levels, 0)
	for _, c := range []bringing{rootList(s), processorList(s), tcbInfo(s), qeIdentity(s), tcbInfo(t), qeIdentity(t)} { // lists are of both
		mustDo(w, e, "Attest", alice, c.name, c.args)
	}
}

// unseen is supply on a chain that has verified no certificate of an authority yet.
func unseen(w *world, e *frame.Env) {
	supply(w, e)
	forget(w, e)
}

func forget(w *world, e *frame.Env) {
	for digest := range w.pallets.Attest.Certificates.All(e) {
		w.pallets.Attest.Certificates.Kill(e, digest)
	}
}

// quote is a genuine quote over data.
func quote(kind tee.Kind, data [64]byte) []byte {
	s := authority.Specimen(kind, [16]byte{1}, 1)
	s.Data = data
	return s.Quote()
}

// verified has a genuine quote verified.
func verified(kind tee.Kind) func(w *world, e *frame.Env) {
	raw := quote(kind, [64]byte{1})
	return func(w *world, e *frame.Env) {
		if _, err := w.pallets.Attest.Verify(e, raw); err != nil {
			panic(err) // it is genuine
		}
	}
}

// submitted measures a call that brings what was published today.
func submitted(c bringing) run {
	return staged(unseen, call(frame.Signed(alice), "Attest", c.name, c.args))(0)
}

// longest is by how much a list of processors can be longer than a vendor's, nearly.
const longest = 250_000

// longList is a list of processors that is n bytes longer than a vendor's, in the place
// of one that is as long as may be: how long that is the call does not say.
func longList(n int) run {
	of := func(daysAgo uint64, entries int) bringing {
		return processorList(published(tee.SGX, daysAgo, entries, levels, 0))
	}
	length := func(entries int) int { return len(of(0, entries).args.(*attest.ProcessorListArgs).List) }
	each := length(1001) - length(1000)
	return staged(func(w *world, e *frame.Env) {
		supply(w, e)
		before := of(1, revoked+longest/each)
		mustDo(w, e, "Attest", alice, before.name, before.args)
		forget(w, e)
	}, call(frame.Signed(alice), "Attest", "submit_processor_list", of(0, revoked+(n+each-1)/each).args))(0)
}

// longTable is a TCB info that is n bytes longer than a vendor's.
func longTable(n int) run {
	s := published(tee.TDX, 0, revoked, levels, 0)
	if n > 0 {
		length := func(rows, more int) int { return len(published(tee.TDX, 0, 0, rows, more).Bundle().TCBInfo.Body) }
		short := length(levels, 0)
		each := length(mostLevels, 101) - length(mostLevels, 100)
		s = published(tee.TDX, 0, revoked, mostLevels, max(0, n-(length(mostLevels, 0)-short)+each-1)/each)
	}
	return submitted(tcbInfo(s))
}

// quotes lists what is measured of attestation. Certificates of authorities were
// not verified before; most of what the chain is shown has them verified.
func quotes() []field {
	root := frame.Root()
	policy := attest.DefaultPolicy()
	return []field{
		{name: "verify", setup: staged(unseen, untouched(verified(tee.SGX))), or: []func(int) run{staged(unseen, untouched(verified(tee.TDX)))}},
		{name: "set", setup: call(root, "Attest", "set_evaluation_limit", &attest.EvaluationLimitArgs{Limit: 7}), or: []func(int) run{
			call(root, "Attest", "set_tcb_policy", &attest.TCBPolicyArgs{Policy: policy}),
			staged(enlisted(1), call(root, "Attest", "bar_platform", &attest.BarPlatformArgs{Platform: platformOf(0), Before: 7}))}},
		{name: "list", count: longest, setup: longList, or: []func(int) run{func(int) run { return submitted(rootList(published(tee.SGX, 0, 0, levels, 0))) }}},
		{name: "collateral", count: 45_000, setup: longTable, or: []func(int) run{func(int) run { return submitted(qeIdentity(published(tee.TDX, 0, 0, levels, 0))) }}},
	}
}
