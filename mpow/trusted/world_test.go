package trusted

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/prooftest"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/scale"
)

// The parameters of these tests: units of 256 KiB.
var testParams = prooftest.Params

const slotBlocks = prooftest.SlotBlocks

var (
	errSlot      = prooftest.ErrSlot
	errWindow    = prooftest.ErrWindow
	errReported  = prooftest.ErrReported
	errCounter   = prooftest.ErrCounter
	errSignature = prooftest.ErrSignature
)

// chain is the chain of these tests, in the words of package trusted.
type chain struct{ prooftest.Chain }

func newChain() *chain { return &chain{*prooftest.New()} }

func (c *chain) report(s *Signed) error { return c.Report(s.Message, s.Signature) }
func (c *chain) loss(s *Signed) error   { return c.Loss(s.Message, s.Signature) }
func (c *chain) files(s *Signed) error  { return c.Files(s.Message, s.Signature) }

func (c *chain) birth(t testing.TB) Birth {
	t.Helper()
	return Birth{c.Account, c.Genesis.Hash(), c.Checkpoint(t)}
}

// unitOnDisk is what a host has of a unit.
type unitOnDisk struct {
	kind   proof.Kind
	bytes  []byte
	hashes []Hash
	desc   proof.Descriptor
	ticket Ticket
}

// fileOnDisk is what a host has of a file.
type fileOnDisk struct {
	entry   proof.File
	ticket  Ticket
	records map[proof.UnitID][][]byte
}

// host is the untrusted half: it may do what it likes with what it has.
type host struct {
	t      testing.TB
	chain  *chain
	env    Env
	core   *Core
	unit   *DataUnit
	open   *unitOnDisk // of unit
	units  map[proof.UnitID]*unitOnDisk
	files  map[string]*fileOnDisk
	state  []byte
	step   []byte       // pending
	ledger proof.Ledger // a mirror: what the chain's record commits to
	loss   bool         // whether the pending step is a declared loss
}

func newHost(t testing.TB, c *chain) *host {
	h := &host{t: t, chain: c, units: map[proof.UnitID]*unitOnDisk{}, files: map[string]*fileOnDisk{}}
	h.env = Env{Rand: rand.NewChaCha8([32]byte{1}), Sealing: [32]byte{3}}
	var err error
	h.core, err = New(c.birth(t), h.env)
	h.ok(err)
	h.keep()
	id := h.core.Identity()
	r := proof.NewRecord(id.Key, id.Lineage)
	c.Record = &r
	return h
}

func (h *host) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// keep makes the state durable.
func (h *host) keep() {
	h.t.Helper()
	var err error
	h.state, err = h.core.State()
	h.ok(err)
}

func (h *host) fill(n int) (ids []proof.UnitID) {
	h.t.Helper()
	for range n {
		f, err := h.core.OpenFiller(testParams.UnitLeaves)
		h.ok(err)
		u := &unitOnDisk{kind: proof.Filler, bytes: make([]byte, int(testParams.UnitLeaves)*proof.LeafSize)}
		half := len(u.bytes) / 2
		u.hashes, err = f.Next(u.bytes[:half], nil)
		h.ok(err)
		u.hashes, err = f.Next(u.bytes[half:], u.hashes)
		h.ok(err)
		u.desc, u.ticket, err = h.core.CloseFiller(f)
		h.ok(err)
		h.units[u.desc.ID] = u
		ids = append(ids, u.desc.ID)
	}
	return ids
}

// room opens a data unit if none is.
func (h *host) room() *DataUnit {
	h.t.Helper()
	if h.unit == nil {
		var err error
		h.unit, err = h.core.OpenData(testParams.UnitLeaves)
		h.ok(err)
		h.open = &unitOnDisk{kind: proof.Data}
	}
	return h.unit
}

func (h *host) write(e Emitted) {
	h.t.Helper()
	if int(e.Offset) != len(h.open.bytes) {
		h.t.Fatalf("offset %d, the unit has %d bytes", e.Offset, len(h.open.bytes))
	}
	h.open.bytes = append(h.open.bytes, e.Bytes...)
	h.open.hashes = append(h.open.hashes, e.Hashes...)
}

func (h *host) closeUnit() {
	h.t.Helper()
	if h.unit == nil {
		return
	}
	e, d, ticket, ok, err := h.core.CloseData(h.unit)
	h.ok(err)
	if ok {
		h.write(e)
		h.open.desc, h.open.ticket = d, ticket
		h.units[d.ID] = h.open
	}
	h.unit, h.open = nil, nil
}

// graph is a file: its root and its blocks.
type graph struct {
	root   dag.CID
	blocks map[string][]byte
	size   uint64
}

// newGraph makes a file of leaves blocks under one root.
func newGraph(seed uint64, leaves, size int) graph {
	g := graph{blocks: map[string][]byte{}}
	add := func(codec dag.Codec, b []byte) dag.CID {
		c := dag.Sum(codec, b)
		g.blocks[c.Key()] = b
		g.size += uint64(len(b))
		return c
	}
	var node []byte
	for i := range leaves {
		b := make([]byte, size)
		rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(i), byte(i >> 8), 5}).Read(b)
		c := add(dag.Raw, b).Bytes()
		l := append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(c))), c...)
		node = append(binary.AppendUvarint(append(node, 2<<3|2), uint64(len(l))), l...)
	}
	g.root = add(dag.DagPB, append(node, 1<<3|2, 0))
	return g
}

// seal has the core seal a whole file.
func (h *host) seal(g graph) *fileOnDisk {
	h.t.Helper()
	f, err := h.core.Begin(g.root, g.size)
	h.ok(err)
	d := &fileOnDisk{records: map[proof.UnitID][][]byte{}}
	for want := []dag.CID{g.root}; len(want) > 0; {
		e, links, err := f.Put(h.room(), want[0], g.blocks[want[0].Key()])
		if errors.Is(err, ErrFull) {
			h.closeUnit()
			continue
		}
		h.ok(err)
		h.ok(h.core.Count(f))
		h.write(e)
		d.records[h.unit.ID()] = append(d.records[h.unit.ID()], bytes.Clone(e.Bytes))
		want = append(want[1:], links...)
	}
	d.entry, d.ticket, err = h.core.End(f)
	h.ok(err)
	h.files[g.root.Key()] = d
	return d
}

// challenge has the slot's leaves checked, those that the host has.
func (h *host) challenge() *Challenge {
	h.t.Helper()
	c := h.chain
	ch, err := h.core.Challenge(testParams, c.Slot, c.HashOf(c.Slot), c.Beacon)
	h.ok(err)
	h.check(ch)
	return ch
}

func (h *host) check(ch *Challenge) {
	h.t.Helper()
	var s Scratch
	var proven []int
	for i, a := range ch.Asked() {
		if u := h.units[a.Unit.ID]; u != nil {
			var path []Hash
			if a.Kind == proof.Data {
				path = proof.PathIn(proof.UnitRows(u.hashes), a.Leaf, a.Unit.Leaves)
			}
			if ch.Proves(&s, i, u.bytes[a.Leaf*proof.LeafSize:(a.Leaf+1)*proof.LeafSize], path) {
				proven = append(proven, i)
			}
		}
	}
	h.ok(h.core.Mark(ch, proven))
}

// sign makes durable what has to be and takes the signature.
func (h *host) sign(p *Persist, err error) (*Signed, error) {
	if err != nil {
		return nil, err
	}
	h.state = p.State
	if p.Step != nil {
		h.step = p.Step
	}
	return h.core.Persisted(p.Seq)
}

// slot lives through one slot: challenge, report, finality.
func (h *host) slot(drop ...proof.UnitID) {
	h.t.Helper()
	h.closeUnit()
	h.chain.Next()
	h.challenge()
	s, err := h.sign(h.core.Report(drop, nil))
	h.ok(err)
	h.ok(h.chain.report(s))
	if got := h.follow(); got != Committed {
		h.t.Fatalf("after a report that is final: %d", got)
	}
}

// follow tells the core what is final and mirrors what became of the step.
func (h *host) follow() Outcome {
	h.t.Helper()
	o, err := h.core.Follow(h.warp())
	h.ok(err)
	switch o {
	case Committed:
		h.apply(h.step)
	case Lapsed:
		h.step = nil
	}
	h.keep()
	return o
}

func (h *host) warp() ([]byte, [][]byte, light.Par) {
	w, n := h.chain.Final(h.t)
	return w, n, nil
}

// apply moves the mirror by the pending step.
func (h *host) apply(step []byte) {
	h.t.Helper()
	var t proof.Transition
	h.ok(scale.Decode(step, &t))
	h.ok(h.ledger.Apply(&t, h.loss, testParams.UnitLeaves))
	h.step, h.loss = nil, false
	if got := h.ledger.Plan.Totals(); got != h.chain.Record.Plan {
		h.t.Fatalf("the mirror has %+v, the chain %+v", got, h.chain.Record.Plan)
	}
}

// tell reports all changes of files that the chain does not know.
func (h *host) tell() {
	h.t.Helper()
	for h.chain.Record.Changes < h.ledger.Log.Len() {
		s, err := h.core.Files(h.chain.Record.Changes, 300)
		h.ok(err)
		h.ok(h.chain.files(s))
	}
	h.ok(h.ledger.Log.Accepted(h.chain.Record.Changes))
	h.follow()
}

// restart stops the enclave and starts it from a sealed state; plan, index and log
// come from the mirror, tickets from the disks.
func (h *host) restart(state []byte) error {
	var err error
	if h.core, err = Open(state, h.env); err != nil {
		return err
	}
	h.unit, h.open = nil, nil
	h.state = state
	return nil
}

// reload loads the mirror.
func (h *host) reload() error {
	var fillers, data, files, changes []byte
	for k, into := range [2]*[]byte{&fillers, &data} {
		for _, d := range h.ledger.Plan.Units(proof.Kind(k)) {
			*into = d.AppendSCALE(*into)
		}
	}
	for _, f := range h.ledger.Files() {
		files = f.AppendSCALE(files)
	}
	for i := range h.ledger.Log.Changes() {
		changes = h.ledger.Log.Changes()[i].AppendSCALE(changes)
	}
	for s, b := range [][]byte{fillers, data, files, changes} {
		if err := h.core.Load(Section(s), b); err != nil {
			return fmt.Errorf("section %d: %w", s, err)
		}
	}
	return h.core.Loaded()
}

// tickets shows the core all tickets there are.
func (h *host) tickets() {
	h.t.Helper()
	for _, u := range h.units {
		h.ok(h.core.RestoreUnit(u.kind, u.desc, u.ticket))
	}
	for _, f := range h.files {
		if err := h.core.RestoreFile(f.entry, f.ticket); err != nil && !errors.Is(err, ErrHeld) {
			h.t.Fatal(err)
		}
	}
}

// read opens all records of a file as an IPFS node would.
func (h *host) read(g graph) {
	h.t.Helper()
	d := h.files[g.root.Key()]
	n := 0
	for id, records := range d.records {
		for _, r := range records {
			cid, block, err := h.core.OpenRecord(id, r)
			h.ok(err)
			if !bytes.Equal(block, g.blocks[cid.Key()]) {
				h.t.Fatalf("block %v differs", cid)
			}
			n++
		}
	}
	if n != len(g.blocks) {
		h.t.Fatalf("%d blocks read, the file has %d", n, len(g.blocks))
	}
}
