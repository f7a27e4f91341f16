package shell

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/gpos/benefits"
	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dev"
	"github.com/crustgo/crust/test/chaintest"
)

// storageUnit is a unit as the storage node of these tests keeps it.
type storageUnit struct {
	bytes  []byte
	hashes []proof.Hash
}

// storageNode runs the trusted core beside a chain of the real runtime, in memory.
type storageNode struct {
	t        testing.TB
	n        *chaintest.Node
	uri      string
	platform *dev.Enclave
	core     *trusted.Core
	units    map[proof.UnitID]*storageUnit
}

func newStorageNode(t testing.TB, n *chaintest.Node, uri string) *storageNode {
	t.Helper()
	s := &storageNode{t: t, n: n, uri: uri, units: map[proof.UnitID]*storageUnit{}}
	random := rand.NewChaCha8([32]byte{7})
	s.platform = dev.NewEnclave(dev.Config{CA: dev.NewCA(dev.DevelopmentSeed()), Kind: tee.SGX, Version: 1, Secret: [32]byte{8}, Random: random})
	raw, err := n.Runtime().Call(state.NewMem(n.Net.Genesis.Entries), "GrandpaApi_grandpa_authorities", nil)
	s.ok(err)
	voters, err := grandpa.NewVoterSet(0, grandpa.DecodeAuthorities(scale.NewCursor(raw)))
	s.ok(err)
	env := trusted.Env{Rand: random}
	env.Sealing, err = s.platform.DeriveKey(tee.SealThisCode, "test")
	s.ok(err)
	birth := trusted.Birth{Account: chaintest.Account(uri), Genesis: n.Net.Genesis.Header.Hash(), Checkpoint: light.Checkpoint{Header: n.Net.Genesis.Header, Voters: voters}}
	s.core, err = trusted.New(birth, env)
	s.ok(err)
	return s
}

func (s *storageNode) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// send makes a block with one call of the account.
func send(n *chaintest.Node, uri, pallet, call string, args any) {
	n.Grow(n.Sign(uri, frame.Tx{Nonce: n.Nonce(uri), Call: n.Call(pallet, call, args)}))
}

// register has a genuine quote registered.
func (s *storageNode) register() {
	s.t.Helper()
	id := s.core.Identity()
	quote, anchor := s.quote()
	send(s.n, s.uri, "Swork", "register", &swork.RegisterArgs{Quote: quote, Pubkey: id.Key, Lineage: id.Lineage, AnchorBlock: anchor})
	s.follow()
}

// quote is a genuine quote over the best block, to be used behind it.
func (s *storageNode) quote() (raw []byte, anchor types.BlockNumber) {
	s.t.Helper()
	at := s.n.Heads().Best
	quote, err := s.platform.Quote(s.core.ReportData(types.Hash(at.Hash)))
	s.ok(err)
	s.n.Grow()
	return quote.Raw, at.Number
}

// follow finalises the best block and shows the core what it says of the worker.
func (s *storageNode) follow() trusted.Outcome {
	s.t.Helper()
	s.n.FinaliseBest()
	from := s.n.Net.Genesis.Header.Hash()
	if final := s.core.Identity().Final; final > 0 {
		h, ok, err := s.n.HashAt(types.BlockNumber(final))
		if err != nil || !ok {
			s.t.Fatalf("block %d: %v, %v", final, ok, err)
		}
		from = h
	}
	serve := serverOf(s.n)
	warp, err := serve.Warp(from)
	s.ok(err)
	raw, err := serve.Read(s.n.Heads().Finalised.Hash, [][]byte{proof.RecordKey(chaintest.Account(s.uri))})
	s.ok(err)
	nodes, err := protocol.DecodeProof(raw)
	s.ok(err)
	out, err := s.core.Follow(warp, nodes, nil)
	s.ok(err)
	return out
}

// fill makes a filler unit.
func (s *storageNode) fill() {
	s.t.Helper()
	leaves := s.n.Net.Runtime.Preset.Storage.UnitLeaves
	f, err := s.core.OpenFiller(leaves)
	s.ok(err)
	u := &storageUnit{bytes: make([]byte, int(leaves)*proof.LeafSize)}
	u.hashes, err = f.Next(u.bytes, nil)
	s.ok(err)
	d, _, err := s.core.CloseFiller(f)
	s.ok(err)
	s.units[d.ID] = u
}

// seal seals a file of three blocks and tells its CID.
func (s *storageNode) seal() dag.CID {
	s.t.Helper()
	content := map[string][]byte{}
	var node []byte
	for i := range 2 {
		b := bytes.Repeat([]byte{byte(i + 1)}, 30_000)
		c := dag.Sum(dag.Raw, b)
		content[c.Key()] = b
		link := append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(c.Bytes()))), c.Bytes()...)
		node = append(binary.AppendUvarint(append(node, 2<<3|2), uint64(len(link))), link...)
	}
	root := dag.Sum(dag.DagPB, append(node, 1<<3|2, 0))
	content[root.Key()] = append(node, 1<<3|2, 0)
	f, err := s.core.Begin(root, 1<<20)
	s.ok(err)
	unit, err := s.core.OpenData(s.n.Net.Runtime.Preset.Storage.UnitLeaves)
	s.ok(err)
	u := &storageUnit{}
	write := func(e trusted.Emitted) {
		u.bytes, u.hashes = append(u.bytes, e.Bytes...), append(u.hashes, e.Hashes...)
	}
	for want := []dag.CID{root}; len(want) > 0; {
		e, links, err := f.Put(unit, want[0], content[want[0].Key()])
		s.ok(err)
		s.ok(s.core.Count(f))
		write(e)
		want = append(want[1:], links...)
	}
	e, d, _, _, err := s.core.CloseData(unit)
	s.ok(err)
	write(e)
	s.units[d.ID] = u
	_, _, err = s.core.End(f)
	s.ok(err)
	return root
}

// slot lives through the next slot: it proves and reports, and its recount is over in the end.
func (s *storageNode) slot() {
	s.t.Helper()
	pallet := runtime.PalletsOf(s.n.Net.Runtime).Swork
	for {
		slot := pallet.Slot.Get(env(s.t, s.n))
		if slot.Start > 0 && slot.Beacon != (types.Hash{}) && uint32(s.n.Heads().Best.Number)-slot.Start < uint32(s.n.Net.Runtime.Preset.Storage.Deadline)-1 {
			if w := pallet.Workers.Get(env(s.t, s.n), s.core.Identity().Lineage); w.Slot < slot.Start {
				break
			}
		}
		s.n.Grow()
	}
	slot := pallet.Slot.Get(env(s.t, s.n))
	c, err := s.core.Challenge(pallet.Params(), slot.Start, slot.Hash, slot.Beacon)
	s.ok(err)
	var scratch trusted.Scratch
	var proven []int
	for i, a := range c.Asked() {
		u := s.units[a.Unit.ID]
		var path []proof.Hash
		if a.Kind == proof.Data {
			path = proof.PathIn(proof.UnitRows(u.hashes), a.Leaf, uint32(len(u.hashes)))
		}
		if !c.Proves(&scratch, i, u.bytes[a.Leaf*proof.LeafSize:(a.Leaf+1)*proof.LeafSize], path) {
			s.t.Fatalf("leaf %d is not proven", a.Leaf)
		}
		proven = append(proven, i)
	}
	s.ok(s.core.Mark(c, proven))
	p, err := s.core.Report(nil, nil)
	s.ok(err)
	signed, err := s.core.Persisted(p.Seq)
	s.ok(err)
	a := &swork.ReportWorksArgs{Signature: signed.Signature}
	s.ok(scale.Decode(signed.Message, &a.Report))
	s.n.Grow(frame.EncodeBare(s.n.Call("Swork", "report_works", a)))
	if out := s.follow(); out != trusted.Committed {
		s.t.Fatalf("the report of slot %d came to %v", slot.Start, out)
	}
	for uint32(s.n.Heads().Best.Number)%uint32(s.n.Net.Runtime.Preset.Storage.ReportSlot) != 0 {
		s.n.Grow()
	}
}

// TestReAttest attests again with genuine quotes: once a day it is free.
func TestReAttest(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	const member = "//user//1"
	s := newStorageNode(t, n, member)
	s.register()
	for i, free := range []bool{false, true, false} { // the registration was evidence, too
		if free {
			n.Add(chaintest.Plan{Skip: 86_400}) // slots of a second
		}
		quote, anchor := s.quote()
		before := n.Free(n.Heads().Best.Hash, member)
		send(n, member, "Swork", "re_attest", &swork.ReAttestArgs{Quote: quote, AnchorBlock: anchor})
		if paid := n.Free(n.Heads().Best.Hash, member) != before; paid == free {
			t.Errorf("time %d: paid %v", i, paid)
		}
	}
	at := runtime.PalletsOf(n.Net.Runtime).Timestamp.Get(env(t, n))
	if a, ok := runtime.PalletsOf(n.Net.Runtime).Attest.Keys.Lookup(env(t, n), attest.EnclaveKey(s.core.Identity().Key)); !ok || a.At != at {
		t.Errorf("the latest evidence is of %v, it is %v", a.At, at)
	}
}

// TestStorage goes through all three layers on the real runtime: an enclave with a
// genuine quote proves storage in a validator's group, whose stake limit follows; a file
// is ordered, sealed, reported and live, and its merchant is paid.
func TestStorage(t *testing.T) {
	net := chaintest.New(t, func(n *runtime.Network) {
		n.Preset.Storage.UnitLeaves, n.Preset.Storage.AuditOdds = 4, 1_000_000
		n.Preset.Staking.SPowerRatio = fixed.FromUint64(chaintest.CRU) // 256 KiB have to matter beside what genesis grants
	})
	n := net.Start(t)
	p := runtime.PalletsOf(net.Runtime)
	const member, owner, user = "//user//1", "//Alice//stash", "//user//2"
	s := newStorageNode(t, n, member)
	stash := chaintest.Account(owner)

	send(n, owner, "Swork", "create_group", &frame.NoArgs{})
	send(n, owner, "Swork", "add_member_into_allowlist", &swork.TargetArgs{Target: chaintest.Account(member)})
	send(n, owner, "Benefits", "add_benefit_funds", &benefits.FundsArgs{Value: fixed.FromUint64(100 * chaintest.CRU), FundsType: benefits.Market})
	s.register()
	send(n, member, "Swork", "join_group", &swork.TargetArgs{Target: stash})

	before := p.Staking.StakeLimit.Get(env(t, n), stash)
	s.fill()
	for range int(net.Runtime.Preset.Storage.PunishmentSlots) + 2 {
		s.slot()
	}
	const unit = 4 * proof.LeafSize
	if got := p.Swork.Workload(env(t, n), stash); got != fixed.FromUint64(unit) {
		t.Errorf("a workload of %v bytes, %d are proven", got, unit)
	}
	if limit := p.Staking.StakeLimit.Get(env(t, n), stash); limit.Cmp(before) <= 0 {
		t.Errorf("the stake limit was %v and is %v", before, limit)
	}

	root := s.seal()
	send(n, user, "Market", "place_storage_order", &market.PlaceStorageOrderArgs{Cid: []byte(root.String()), ReportedFileSize: 100_000})
	s.slot()
	signed, err := s.core.Files(p.Swork.Records.Get(env(t, n), chaintest.Account(member)).Changes, 300)
	s.ok(err)
	a := &swork.ReportFilesArgs{Signature: signed.Signature}
	s.ok(scale.Decode(signed.Message, &a.Report))
	send(n, member, "Swork", "report_files", a)
	for range int(net.Runtime.Preset.Storage.PunishmentSlots) + 1 {
		s.slot()
	}
	info, err := p.Market.OrderOf(env(t, n), []byte(root.String()))
	s.ok(err)
	order, ok := info.Get()
	if !ok || order.Replicas != 1 || order.LiveReplicas != 1 || order.FileSize >= 100_000 {
		t.Fatalf("the order: %v, %+v", ok, order)
	}
	if _, reward := p.Benefits.Collateral(env(t, n), stash); reward.IsZero() {
		t.Error("the merchant has earned nothing")
	}
	if err := n.Runtime().Check(env(t, n).View()); err != nil {
		t.Error(err)
	}
}
