package trusted

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// Section says what Load is given.
type Section uint8

// The sections, in the order in which they may come in any number of pieces.
const (
	LoadFillers Section = iota // descriptors
	LoadData                   // descriptors
	LoadFiles                  // file entries
	LoadChanges                // changes that the chain has not accepted
	LoadStep                   // the pending transition, whole, after the others were taken
)

// Limits of what a core keeps.
const (
	// MaxUnits is how many units a plan may have: 1 PiB in full units.
	MaxUnits = 1 << 20
	// MaxFiles is how many files an index may have, and changes a log.
	MaxFiles = 1 << 20
)

// ErrMismatch reports lists that do not hash to what the record says.
var ErrMismatch = errors.New("trusted: what was loaded is not what the record commits to")

// loading is what the host has loaded so far.
type loading struct {
	ledger  proof.Ledger
	changes int
}

// reload forgets plan, index and log for those of a record.
func (c *Core) reload(r proof.Record) {
	c.record, c.phase, c.challenge, c.unsigned = r, Loading, nil, nil
	c.ledger = proof.Ledger{}
	c.load = newLoading(&r)
}

func newLoading(r *proof.Record) *loading {
	return &loading{ledger: proof.Ledger{Log: proof.NewLog(r.Changes, r.Head)}}
}

// Load takes one piece of a section: entries in their order, one after the other,
// nothing in between. Whether they are right, Loaded says.
func (c *Core) Load(s Section, b []byte) error {
	if s == LoadStep {
		return c.loadStep(b)
	}
	if c.phase != Loading {
		return fmt.Errorf("trusted: nothing to load in phase %d", c.phase)
	}
	l, cur := c.load, scale.NewCursor(b)
	switch s {
	case LoadFillers, LoadData:
		kind := proof.Kind(s)
		units := entries[proof.Descriptor](cur, MaxUnits-l.ledger.Plan.Len(kind))
		if cur.Err() == nil {
			return l.ledger.Plan.Load(kind, units)
		}
	case LoadFiles:
		files := entries[proof.File](cur, MaxFiles-l.ledger.LenFiles())
		if cur.Err() == nil {
			l.ledger.LoadFiles(files)
		}
	case LoadChanges:
		changes := entries[proof.Change](cur, MaxFiles-l.changes)
		if cur.Err() == nil {
			l.ledger.Log.Add(changes...)
			l.changes += len(changes)
		}
	default:
		return fmt.Errorf("trusted: section %d", s)
	}
	return cur.Err()
}

// entries reads entries one after the other, at most limit of them.
func entries[T any, P interface {
	*T
	scale.Unmarshaler
}](cur *scale.Cursor, limit int) (all []T) {
	for cur.Remaining() > 0 {
		if len(all) == limit {
			cur.Fail(fmt.Errorf("trusted: more than %d entries", limit))
			return nil
		}
		var v T
		P(&v).DecodeSCALE(cur)
		all = append(all, v)
	}
	return all
}

// Loaded compares what was loaded with the record. If it is right the core is
// ready; if not, loading begins again.
func (c *Core) Loaded() error {
	if c.phase != Loading {
		return fmt.Errorf("trusted: nothing was loaded in phase %d", c.phase)
	}
	g := &c.load.ledger
	err := g.Plan.SetNew(c.record.Plan.New)
	files, size := g.Index()
	if err != nil || g.Plan.Totals() != c.record.Plan || files != c.record.Files || size != c.record.FilesSize {
		c.load = newLoading(&c.record)
		return fmt.Errorf("%w: counter %d", ErrMismatch, c.record.Counter)
	}
	c.ledger, c.load, c.phase = *g, nil, Ready
	c.hold()
	return nil
}

// hold computes which CIDs are held, and lets go of fresh files whose CID another file of
// the index has.
func (c *Core) hold() {
	clear(c.held)
	for _, f := range c.ledger.Files() {
		c.held[string(f.CID)] = f.ID
	}
	if c.pending != nil && c.pending.step != nil {
		c.holdAll(c.pending.step.Keep)
	}
	c.fresh.files = c.holdAll(c.fresh.files)
	for _, f := range c.files { //arch:allow maprange each CID is there once
		key := f.walk.Root().Key()
		if _, taken := c.held[key]; taken {
			c.close(f)
		} else {
			c.held[key] = f.id
		}
	}
}

// holdAll holds the CIDs of files and returns those whose CID no other file has.
func (c *Core) holdAll(files []proof.File) (kept []proof.File) {
	for _, f := range files {
		if id, taken := c.held[string(f.CID)]; !taken || id == f.ID {
			c.held[string(f.CID)] = f.ID
			kept = append(kept, f)
		}
	}
	return kept
}

// loadStep takes the pending transition, which the state only has the hash of.
func (c *Core) loadStep(b []byte) error {
	if err := c.ready(); err != nil {
		return err
	}
	p := c.pending
	if p == nil || p.step != nil {
		return errors.New("trusted: no pending transition is missing")
	}
	if hash.Blake2b256(b) != p.hash {
		return fmt.Errorf("pending transition: %w", ErrMismatch)
	}
	t := new(proof.Transition)
	if err := scale.Decode(b, t); err != nil {
		return err
	}
	after, err := c.after(t, p.loss, p.unitLeaves)
	if err != nil {
		return err
	}
	if files, size := after.Index(); after.Plan.Totals() != p.plan || files != p.files || size != p.size {
		return fmt.Errorf("pending transition: %w", ErrMismatch)
	}
	p.step, p.after = t, after
	c.hold()
	return nil
}
