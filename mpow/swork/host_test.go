package swork_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// voter finalises the blocks of these tests.
var voter = ed25519.FromSeed([32]byte{2, 2})

// unit is what a host has of a unit on its disks.
type unit struct {
	kind   proof.Kind
	bytes  []byte
	hashes []proof.Hash
	desc   proof.Descriptor
	ticket trusted.Ticket
}

func (u *unit) path(leaf uint32) []proof.Hash {
	return proof.PathIn(proof.UnitRows(u.hashes), leaf, uint32(len(u.hashes)))
}

// host runs the real trusted core against the pallet; it may do what it likes with
// what it has.
type host struct {
	w       *world
	account types.AccountID
	env     trusted.Env
	core    *trusted.Core
	units   map[proof.UnitID]*unit
	state   []byte
	step    []byte
	ledger  proof.Ledger // what the chain's record commits to
	before  proof.Ledger // that was challenged in the slot of the latest report
	bad     []proof.UnitID
}

// newHost starts an enclave on a machine of its own and registers it.
func newHost(w *world, account types.AccountID) *host {
	h := w.unregistered(account)
	h.register()
	return h
}

func (w *world) unregistered(account types.AccountID) *host {
	w.T.Helper()
	set, err := grandpa.NewVoterSet(0, []grandpa.Authority{{Key: voter.Public(), Weight: 1}})
	w.must(err)
	if w.Number < 2 {
		w.Run(2)
	}
	w.born++
	h := &host{w: w, account: account, units: map[proof.UnitID]*unit{}}
	h.env = trusted.Env{Rand: rand.NewChaCha8([32]byte{w.born}), Sealing: [32]byte{w.born, 3}}
	h.core, err = trusted.New(trusted.Birth{Account: account, Genesis: hashOf(0), Checkpoint: light.Checkpoint{Header: types.Header{StateRoot: trie.EmptyRoot}, Head: babe.Head{}, Voters: set}}, h.env)
	w.must(err)
	h.keep()
	return h
}

func (w *world) must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

func (h *host) keep() {
	h.w.T.Helper()
	var err error
	h.state, err = h.core.State()
	h.w.must(err)
}

// registration is the call that registers the enclave.
func (h *host) registration() *swork.RegisterArgs {
	id, anchor := h.core.Identity(), h.w.Number-1
	data := h.core.ReportData(hashOf(anchor))
	quote := append(append([]byte{}, code[:]...), append([]byte{0xaa, h.account[0]}, make([]byte, 30)...)...)
	return &swork.RegisterArgs{Quote: append(quote, data[:]...), Pubkey: id.Key, Lineage: id.Lineage, AnchorBlock: anchor}
}

func (h *host) register() {
	h.w.T.Helper()
	h.w.do(func(e *frame.Env) error {
		return h.w.Call(e, frame.Signed(h.account), "Swork", "register", h.registration())
	})
	h.follow()
}

// fill makes filler units.
func (h *host) fill(n int) {
	h.w.T.Helper()
	leaves := h.w.p.UnitLeaves.Get()
	for range n {
		f, err := h.core.OpenFiller(leaves)
		h.w.must(err)
		u := &unit{kind: proof.Filler, bytes: make([]byte, int(leaves)*proof.LeafSize)}
		u.hashes, err = f.Next(u.bytes, nil)
		h.w.must(err)
		u.desc, u.ticket, err = h.core.CloseFiller(f)
		h.w.must(err)
		h.units[u.desc.ID] = u
	}
}

// seal seals a file of a few blocks in units of its own.
func (h *host) seal(seed byte, blocks int) dag.CID {
	h.w.T.Helper()
	content := map[string][]byte{}
	var node []byte
	for i := range blocks {
		b := bytes.Repeat([]byte{seed, byte(i)}, 20_000)
		c := dag.Sum(dag.Raw, b)
		content[c.Key()] = b
		l := append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(c.Bytes()))), c.Bytes()...)
		node = append(binary.AppendUvarint(append(node, 2<<3|2), uint64(len(l))), l...)
	}
	node = append(node, 1<<3|2, 0)
	root := dag.Sum(dag.DagPB, node)
	content[root.Key()] = node
	f, err := h.core.Begin(root, 1<<30)
	h.w.must(err)
	var data *trusted.DataUnit
	var u *unit
	write := func(e trusted.Emitted) {
		u.bytes, u.hashes = append(u.bytes, e.Bytes...), append(u.hashes, e.Hashes...)
	}
	shut := func() {
		e, d, ticket, ok, err := h.core.CloseData(data)
		h.w.must(err)
		if ok {
			write(e)
			u.desc, u.ticket = d, ticket
			h.units[d.ID] = u
		}
		data = nil
	}
	for want := []dag.CID{root}; len(want) > 0; {
		if data == nil {
			data, err = h.core.OpenData(h.w.p.UnitLeaves.Get())
			h.w.must(err)
			u = &unit{kind: proof.Data}
		}
		e, links, err := f.Put(data, want[0], content[want[0].Key()])
		if errors.Is(err, trusted.ErrFull) {
			shut()
			continue
		}
		h.w.must(err)
		h.w.must(h.core.Count(f))
		write(e)
		want = append(want[1:], links...)
	}
	shut()
	_, _, err = h.core.End(f)
	h.w.must(err)
	return root
}

// challenge has the core check the current slot's leaves, as far as the host has them.
func (h *host) challenge() {
	h.w.T.Helper()
	slot := h.w.p.Slot.Get(h.w.Env())
	c, err := h.core.Challenge(h.w.p.Params(), slot.Start, slot.Hash, slot.Beacon)
	h.w.must(err)
	h.check(c)
}

func (h *host) check(c *trusted.Challenge) {
	h.w.T.Helper()
	var s trusted.Scratch
	var proven []int
	for i, a := range c.Asked() {
		u := h.units[a.Unit.ID]
		if u == nil {
			continue
		}
		var path []proof.Hash
		if a.Kind == proof.Data {
			path = u.path(a.Leaf)
		}
		if c.Proves(&s, i, u.bytes[a.Leaf*proof.LeafSize:(a.Leaf+1)*proof.LeafSize], path) {
			proven = append(proven, i)
		}
	}
	h.w.must(h.core.Mark(c, proven))
}

// sign makes durable what has to be and takes the signature.
func (h *host) sign(p *trusted.Persist, err error) (*trusted.Signed, error) {
	if err != nil {
		return nil, err
	}
	h.state = p.State
	if p.Step != nil {
		h.step = p.Step
	}
	return h.core.Persisted(p.Seq)
}

// report signs for the open challenge.
func (h *host) report() (*swork.ReportWorksArgs, error) {
	s, err := h.sign(h.core.Report(nil, nil))
	if err != nil {
		return nil, err
	}
	a := &swork.ReportWorksArgs{Signature: s.Signature}
	h.w.must(scale.Decode(s.Message, &a.Report))
	return a, nil
}

// beat reports in the current slot, whose beacon is known.
func (h *host) beat() {
	h.w.T.Helper()
	h.challenge()
	a, err := h.report()
	h.w.must(err)
	h.before, h.bad = h.ledger.Clone(), a.Report.Bad
	h.w.do(func(e *frame.Env) error { return h.w.submit(e, "report_works", a) })
}

// slot lives through the next slot.
func (h *host) slot() {
	h.w.T.Helper()
	h.w.beacon()
	h.beat()
	h.follow()
	h.w.to(19)
}

// leavesOf answers for the state of a chain in memory.
type leavesOf []trie.KV

func (l leavesOf) Record([]byte) ([]byte, error) { return nil, nil }
func (l leavesOf) Range(p trie.Path, _ int) (out []trie.KV, _ error) {
	for _, kv := range l {
		if p.Covers(kv.Key) {
			out = append(out, kv)
		}
	}
	return out, nil
}
func (l leavesOf) Leaf(p trie.Path) (trie.KV, error) {
	out, _ := l.Range(p, 1)
	return out[0], nil
}

// final finalises the latest block, with its real state root, and proves the
// account's record in it.
func (h *host) final() (warp []byte, nodes [][]byte) {
	w := h.w
	w.T.Helper()
	var values leavesOf
	for it := w.State.Iterate(nil, nil); it.Next(); {
		values = append(values, trie.KV{Key: it.Key(), Value: it.Value()})
	}
	values = trie.SortEntries(values)
	var changes []trie.Change
	for _, kv := range values {
		changes = append(changes, trie.Change{Key: kv.Key, Value: kv.Value})
	}
	up, err := trie.Empty(trie.V1).Update(values, changes, trie.Sequential, 1)
	w.must(err)
	nodes, err = up.Trie.Prove(values, w.State.Get, [][]byte{proof.RecordKey(h.account)}, 1<<20)
	w.must(err)
	head := types.Header{Number: w.Number, StateRoot: up.Trie.Hash()}
	b := grandpa.WarpBuilder{Max: 1 << 20}
	j := grandpa.Solo(voter, grandpa.Round{Number: 1}, grandpa.Target{Hash: head.Hash(), Number: head.Number})
	b.Add(scale.Encode(&head), scale.Encode(&j))
	return b.Proof(true), nodes
}

// follow shows the core that the latest block is final.
func (h *host) follow() trusted.Outcome {
	h.w.T.Helper()
	warp, nodes := h.final()
	o, err := h.core.Follow(warp, nodes, nil)
	h.w.must(err)
	if o == trusted.Committed {
		var t proof.Transition
		h.w.must(scale.Decode(h.step, &t))
		h.w.must(h.ledger.Apply(&t, false, h.w.p.UnitLeaves.Get()))
		h.step = nil
	}
	h.keep()
	return o
}

// record is what the chain has of the account.
func (h *host) record() swork.Record { return h.w.p.Records.Get(h.w.Env(), h.account) }

func (h *host) lineage() swork.Lineage { return h.core.Identity().Lineage }

// tell reports all changes of files that the chain does not know.
func (h *host) tell() {
	h.w.T.Helper()
	for h.record().Changes < h.ledger.Log.Len() {
		s, err := h.core.Files(h.record().Changes, 300)
		h.w.must(err)
		a := &swork.ReportFilesArgs{Signature: s.Signature}
		h.w.must(scale.Decode(s.Message, &a.Report))
		h.w.do(func(e *frame.Env) error { return h.w.Call(e, frame.Signed(h.account), "Swork", "report_files", a) })
	}
	h.w.must(h.ledger.Log.Accepted(h.record().Changes))
	h.follow()
}

// restart stops the enclave and starts it again from a sealed state.
func (h *host) restart(state []byte, ledger *proof.Ledger) error {
	var err error
	if h.core, err = trusted.Open(state, h.env); err != nil {
		return err
	}
	h.state = state
	var sections [4][]byte
	for k := range 2 {
		for _, d := range ledger.Plan.Units(proof.Kind(k)) {
			sections[k] = d.AppendSCALE(sections[k])
		}
	}
	for _, f := range ledger.Files() {
		sections[2] = f.AppendSCALE(sections[2])
	}
	for _, c := range ledger.Log.Changes() {
		sections[3] = c.AppendSCALE(sections[3])
	}
	for s, b := range sections {
		if err := h.core.Load(trusted.Section(s), b); err != nil {
			return err
		}
	}
	return h.core.Loaded()
}

// twin is a copy of all that the host has, with its enclave.
func (h *host) twin() *host {
	c := *h
	c.units, c.ledger = maps.Clone(h.units), h.ledger.Clone()
	h.w.must(c.restart(slices.Clone(h.state), &c.ledger))
	return &c
}

// answer answers the open audit from what the host has; without a leaf it is empty.
func (h *host) answer() *swork.RespondAuditArgs {
	h.w.T.Helper()
	audit, ok := h.w.p.Audits.Lookup(h.w.Env(), h.lineage())
	if !ok {
		h.w.T.Fatal("no audit is open")
	}
	a := &swork.RespondAuditArgs{Answer: swork.AuditAnswer{AuditAnswer: proof.AuditAnswer{Lineage: h.lineage(), Slot: audit.Slot}}}
	for _, s := range proof.Audit(proof.Seed(audit.Seed), &audit.Plan.Totals) {
		at, err := h.before.Plan.Find(s.Leaf)
		h.w.must(err)
		u := h.units[at.Unit.ID]
		if slices.Contains(audit.Bad, at.Unit.ID) {
			lost, err := h.before.Plan.AnswerBad(s)
			h.w.must(err)
			a.Answer.Leaves = append(a.Answer.Leaves, proof.Answer{Lost: lost})
			continue
		}
		if u == nil {
			continue
		}
		held, err := h.before.Plan.AnswerLeaf(s, u.bytes[at.Leaf*proof.LeafSize:(at.Leaf+1)*proof.LeafSize], u.path(at.Leaf))
		h.w.must(err)
		a.Answer.Leaves = append(a.Answer.Leaves, proof.Answer{Held: held})
	}
	return a
}
