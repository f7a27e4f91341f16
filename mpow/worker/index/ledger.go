package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/scale"
)

func number(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:9]) }

// Sections of a snapshot, in the order in which an enclave wants them.
const (
	sectionFillers = iota
	sectionData
	sectionFiles
	sectionChanges
	sectionHead // last: a snapshot that has it is whole
)

// pieceSize is about how long a piece of a section is.
const pieceSize = 1 << 20

// Pieces cuts a ledger into pieces of the sections that an enclave loads: fillers,
// data units, files, and changes.
func Pieces(g *proof.Ledger, put func(section int, piece []byte) error) error {
	var b []byte
	flush := func(section, limit int) error {
		if len(b) <= limit {
			return nil
		}
		err := put(section, b)
		b = nil
		return err
	}
	for k := range 2 {
		for _, d := range g.Plan.Units(proof.Kind(k)) {
			b = d.AppendSCALE(b)
			if err := flush(k, pieceSize); err != nil {
				return err
			}
		}
		if err := flush(k, 0); err != nil {
			return err
		}
	}
	for _, f := range g.Files() {
		b = f.AppendSCALE(b)
		if err := flush(sectionFiles, pieceSize); err != nil {
			return err
		}
	}
	if err := flush(sectionFiles, 0); err != nil {
		return err
	}
	for _, c := range g.Log.Changes() {
		b = c.AppendSCALE(b)
		if err := flush(sectionChanges, pieceSize); err != nil {
			return err
		}
	}
	return flush(sectionChanges, 0)
}

// head is what a snapshot says beside its pieces.
type head struct {
	fresh uint64 // leaves that are new in the plan
	base  uint64 // changes that the chain has accepted
	log   proof.Hash
}

// Snapshot writes down the ledger of a counter and forgets all but one before. The log
// has to begin where the record says.
func (x *DB) Snapshot(r *proof.Record, g *proof.Ledger) error {
	if g.Log.Base() != r.Changes {
		return fmt.Errorf("index: a log from change %d on, the record says %d", g.Log.Base(), r.Changes)
	}
	b := x.Batch()
	n := uint32(0)
	err := Pieces(g, func(section int, piece []byte) error {
		must(b.b.Set(numbered(keySnapshot, r.Counter, append([]byte{byte(section)}, binary.BigEndian.AppendUint32(nil, n)...)...), piece, nil))
		n++
		return nil
	})
	if err != nil {
		return err
	}
	h := append(scale.AppendU64(scale.AppendU64(nil, g.Plan.Totals().New), r.Changes), r.Head[:]...)
	must(b.b.Set(numbered(keySnapshot, r.Counter, sectionHead), h, nil))
	last, ok, err := x.snapshotBefore(r.Counter)
	if err != nil {
		return err
	}
	if ok {
		must(b.b.DeleteRange(numbered(keySnapshot, 0), numbered(keySnapshot, last), nil))
		must(b.b.DeleteRange(numbered(keyStep, 0), numbered(keyStep, last+1), nil))
	}
	return b.Commit()
}

// snapshotBefore returns the last snapshot of a counter below some other.
func (x *DB) snapshotBefore(counter uint64) (at uint64, ok bool, err error) {
	for e, err := range x.scan([]byte{keySnapshot}, numbered(keySnapshot, counter)) {
		if err != nil {
			return 0, false, err
		}
		at, ok = number(e.key), true
	}
	return at, ok, nil
}

// SinceSnapshot is how many steps it takes from the last snapshot to a counter.
func (x *DB) SinceSnapshot(counter uint64) (uint64, error) {
	at, _, err := x.snapshotBefore(counter + 1)
	return counter - at, err
}

// Step returns the step that leads to a counter.
func (x *DB) Step(counter uint64) (*Step, error) {
	b, err := x.get(numbered(keyStep, counter))
	if err != nil {
		return nil, fmt.Errorf("step to counter %d: %w", counter, err)
	}
	s := new(Step)
	return s, s.decode(b)
}

// Ledger makes the ledger of a counter, with the log as it was at the snapshot that
// it comes from: what the chain has accepted since is for the caller to forget.
func (x *DB) Ledger(counter uint64) (proof.Ledger, error) {
	at, ok, err := x.snapshotBefore(counter + 1)
	if err != nil {
		return proof.Ledger{}, err
	}
	var g proof.Ledger // of a new worker, at counter 0
	if ok {
		if g, err = x.load(at); err != nil {
			return proof.Ledger{}, fmt.Errorf("snapshot of counter %d: %w", at, err)
		}
	}
	for at++; at <= counter; at++ {
		s, err := x.Step(at)
		if err != nil {
			return proof.Ledger{}, err
		}
		if err := s.Apply(&g); err != nil {
			return proof.Ledger{}, fmt.Errorf("step to counter %d: %w", at, err)
		}
	}
	return g, nil
}

// Decode returns the transition.
func (s *Step) Decode() (*proof.Transition, error) {
	t := new(proof.Transition)
	return t, scale.Decode(s.Transition, t)
}

// Apply moves a ledger by the step.
func (s *Step) Apply(g *proof.Ledger) error {
	t, err := s.Decode()
	if err != nil {
		return err
	}
	return g.Apply(t, s.Loss, s.UnitLeaves)
}

// load reads a snapshot.
func (x *DB) load(counter uint64) (g proof.Ledger, err error) {
	h, err := x.head(counter)
	if err != nil {
		return g, err
	}
	g.Log = proof.NewLog(h.base, h.log)
	for e, err := range x.scan(numbered(keySnapshot, counter), numbered(keySnapshot, counter, sectionHead)) {
		if err != nil {
			return g, err
		}
		if len(e.key) < 10 {
			return g, errors.New("a piece without a section")
		}
		if err := loadPiece(&g, int(e.key[9]), bytes.Clone(e.value)); err != nil {
			return g, err
		}
	}
	return g, g.Plan.SetNew(h.fresh)
}

func (x *DB) head(counter uint64) (h head, err error) {
	b, err := x.get(numbered(keySnapshot, counter, sectionHead))
	if err != nil {
		return h, err
	}
	c := scale.NewCursor(b)
	h.fresh, h.base = c.U64(), c.U64()
	c.Fixed(h.log[:])
	return h, c.Finish()
}

func loadPiece(g *proof.Ledger, section int, b []byte) error {
	c := scale.NewCursor(b)
	switch section {
	case sectionFillers, sectionData:
		var units []proof.Descriptor
		for c.Remaining() > 0 && c.Err() == nil {
			var d proof.Descriptor
			d.DecodeSCALE(c)
			units = append(units, d)
		}
		if err := c.Err(); err != nil {
			return err
		}
		return g.Plan.Load(proof.Kind(section), units)
	case sectionFiles:
		var files []proof.File
		for c.Remaining() > 0 && c.Err() == nil {
			var f proof.File
			f.DecodeSCALE(c)
			files = append(files, f)
		}
		g.LoadFiles(files)
	case sectionChanges:
		var changes []proof.Change
		for c.Remaining() > 0 && c.Err() == nil {
			var v proof.Change
			v.DecodeSCALE(c)
			changes = append(changes, v)
		}
		g.Log.Add(changes...)
	}
	return c.Err()
}
