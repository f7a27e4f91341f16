package trusted

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/scale"
)

// Outcome is what became of the worker by what is final.
type Outcome uint8

// The outcomes.
const (
	Unchanged Outcome = iota
	Committed         // the pending step is final: units that it dropped are forgotten
	Lapsed            // the pending step can land no more: what it brought is fresh again
	Diverged          // the chain has another plan of ours: it has to be loaded
	Retired           // the chain knows this worker no more
)

// ErrStale reports a record that is older than what was known to be final.
var ErrStale = errors.New("trusted: an older record than the one that is final")

// Follow takes what the host says is final: a warp proof from the last final block
// on, which may be empty, and a read proof of the worker's record in the block that
// is final then, which may be none. The state has to be made durable after any
// outcome but Unchanged, and now and then besides.
func (c *Core) Follow(warp []byte, nodes [][]byte, par light.Par) (Outcome, error) {
	if len(warp) > 0 {
		if _, err := c.light.Warp(warp, par); err != nil {
			return Unchanged, err
		}
	}
	if len(nodes) == 0 || c.phase == Ended {
		return Unchanged, nil
	}
	at, header := c.light.Final()
	raw, present, err := c.light.Read(at, nodes, proof.RecordKey(c.secret.account))
	if err != nil {
		return Unchanged, err
	}
	var r proof.Record
	if present {
		if err := scale.Decode(raw, &r); err != nil {
			return Unchanged, fmt.Errorf("record in block %d: %w", header.Number, err)
		}
	}
	return c.final(r, uint32(header.Number))
}

// final takes the record, zero if there is none, that is final in a block.
func (c *Core) final(r proof.Record, block uint32) (Outcome, error) {
	if r.Lineage != c.secret.lineage || r.Key != c.key.Public() {
		if !c.registered {
			return Unchanged, nil // not yet: the account may have an older worker
		}
		c.phase, c.challenge, c.unsigned = Ended, nil, nil
		return Retired, nil
	}
	c.registered = true
	if r.Counter < c.record.Counter || r.Changes < c.record.Changes {
		return Unchanged, fmt.Errorf("%w: counter %d with %d changes, known are %d with %d", ErrStale, r.Counter, r.Changes, c.record.Counter, c.record.Changes)
	}
	stays := r.Counter == c.record.Counter && samePlan(&r, &c.record)
	if p := c.pending; p != nil && r.Counter == p.counter && r.Plan == p.plan && r.Files == p.files && r.FilesSize == p.size && p.after != nil {
		c.commit()
		if r.Changes <= c.ledger.Log.Len() {
			c.record = r
			return Committed, c.ledger.Log.Accepted(r.Changes)
		}
		c.reload(r) // a copy of this enclave reported changes that it does not know
		return Diverged, nil
	}
	if !stays {
		if c.pending != nil {
			c.lapse()
		}
		c.reload(r)
		return Diverged, nil
	}
	if c.phase == Loading && r.Changes != c.record.Changes || c.phase == Ready && r.Changes > c.ledger.Log.Len() {
		c.reload(r) // the log begins elsewhere
		return Diverged, nil
	}
	if c.phase == Ready {
		if err := c.ledger.Log.Accepted(r.Changes); err != nil {
			return Unchanged, err
		}
	}
	c.record = r
	if c.pending != nil && block > c.pending.deadline {
		c.lapse()
		return Lapsed, nil
	}
	return Unchanged, nil
}

// samePlan reports whether two records commit to the same plan and files.
func samePlan(a, b *proof.Record) bool {
	return a.Plan == b.Plan && a.Files == b.Files && a.FilesSize == b.FilesSize
}
