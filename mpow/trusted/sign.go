package trusted

import (
	"fmt"
	"slices"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/scale"
)

// Persist is what has to be durable before a signature leaves.
type Persist struct {
	Seq   uint64 // what Persisted wants to hear
	State []byte // sealed
	Step  []byte // the pending transition, for Load after a restart; in clear
}

// Signed is what the enclave said, and its signature.
type Signed struct {
	Message   []byte // SCALE of a report, a loss or a file report
	Signature [64]byte
}

// unsigned is a message whose Persist is on its way.
type unsigned struct {
	seq    uint64
	scale  []byte
	signed []byte // the bytes under the signature
}

// set is the ids as a set.
func set(ids []proof.UnitID) map[proof.UnitID]bool {
	m := make(map[proof.UnitID]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// Report says that the plan stood the open challenge. Units of which a leaf was not
// proven, and those that the host says are lost, are named as bad and leave, with at
// most proof.MaxBad of them together; the units to drop leave as well, although they
// stood. While an earlier report is signed and not final, its step is signed again.
func (c *Core) Report(drop, lost []proof.UnitID) (*Persist, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	h := c.challenge
	if h == nil {
		return nil, ErrNoChallenge
	}
	bad := set(lost)
	h.bad(bad)
	if len(bad) > proof.MaxBad {
		return nil, fmt.Errorf("%w: %d, at most %d", ErrTooManyBad, len(bad), proof.MaxBad)
	}
	p := c.pending
	if p == nil {
		var err error
		if p, err = c.prepare(bad, set(drop), false, h.params.UnitLeaves); err != nil {
			return nil, err
		}
		p.bad = sorted(bad)
		c.fix(p)
	} else if p.loss || p.unitLeaves != h.params.UnitLeaves {
		return nil, ErrPending
	}
	for _, id := range sorted(bad) {
		if !slices.Contains(p.bad, id) {
			return nil, fmt.Errorf("%w: unit %x cannot be read, and the signed report did not name it", ErrPending, id)
		}
	}
	p.deadline = max(p.deadline, h.slot+h.params.Deadline)
	r := &proof.Report{Lineage: c.secret.lineage, Slot: h.slot, Hash: h.hash, Beacon: h.beacon, Counter: p.counter,
		Challenged: c.record.Plan.Root, Plan: p.plan, Bad: p.bad, Files: p.files, FilesSize: p.size, Due: p.due}
	return c.persist(scale.Encode(r), r.Message(c.secret.genesis, &h.params))
}

// Loss declares that units are lost, of any number, to be accepted until some block.
func (c *Core) Loss(params proof.Params, until uint32, lost []proof.UnitID) (*Persist, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	if err := params.Validate(); err != nil {
		return nil, err
	}
	p := c.pending
	if p == nil {
		if len(lost) == 0 {
			return nil, fmt.Errorf("%w: no unit is lost", proof.ErrTransition)
		}
		var err error
		if p, err = c.prepare(set(lost), nil, true, params.UnitLeaves); err != nil {
			return nil, err
		}
		c.fix(p)
	} else if !p.loss {
		return nil, ErrPending
	}
	p.deadline = max(p.deadline, until)
	l := &proof.Loss{Lineage: c.secret.lineage, Until: until, Counter: p.counter, From: c.record.Plan.Root,
		Plan: p.plan, Files: p.files, FilesSize: p.size, Due: p.due}
	return c.persist(scale.Encode(l), l.Message(c.secret.genesis, &params))
}

// persist keeps a message until what it depends on is durable. After an error the
// step is fixed and nothing is signed.
func (c *Core) persist(encoded, message []byte) (*Persist, error) {
	state, err := c.State()
	if err != nil {
		return nil, err
	}
	c.seq++
	c.unsigned = &unsigned{c.seq, encoded, message}
	out := &Persist{Seq: c.seq, State: state}
	if c.pending.step != nil {
		out.Step = scale.Encode(c.pending.step)
	}
	return out, nil
}

// Persisted signs what waits for a Persist to be durable.
func (c *Core) Persisted(seq uint64) (*Signed, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	u := c.unsigned
	if u == nil || u.seq != seq {
		return nil, fmt.Errorf("trusted: nothing waits for %d to be durable", seq)
	}
	c.unsigned = nil
	return &Signed{u.scale, c.key.Sign(u.signed)}, nil
}

// Files signs the next file report, from some change on: the number that the chain has
// accepted. It speaks of what is final.
func (c *Core) Files(from uint64, limit int) (*Signed, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	if limit < 1 {
		return nil, fmt.Errorf("trusted: a file report of %d changes", limit)
	}
	r, err := c.ledger.Log.Report(from, limit, c.secret.lineage, c.record.Counter)
	if err != nil {
		return nil, err
	}
	return &Signed{scale.Encode(r), c.key.Sign(r.Message(c.secret.genesis))}, nil
}
