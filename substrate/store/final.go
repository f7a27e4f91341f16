package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/types"
)

// FinalBlocks calls f with the final blocks from a number on, upwards, or if down
// towards genesis, as they are at the time of the call, until f is done or fails.
// The justification is nil where none is kept. Blocks that are read in a row cost
// a fraction of what Block takes for each. The slices are valid during the call of f.
func (db *DB) FinalBlocks(from types.BlockNumber, down bool, f func(b *Block, justification []byte) (done bool, err error)) error {
	var canonical *tableIter
	var blocks, proofs along
	err := db.read(func() (err error) {
		if db.base == nil || from > db.finalised.number {
			return nil
		}
		first, last := from, db.finalised.number
		if down {
			first, last = 0, from
		}
		for kind, it := range map[byte]**tableIter{kindCanonical: &canonical, kindBlock: &blocks.tableIter, kindJustification: &proofs.tableIter} {
			if *it, err = db.iterate(byNumber(kind, first), byNumber(kind, last+1)); err != nil {
				return err
			}
			(*it).down = down
		}
		return nil
	})
	for done := false; !done && err == nil && canonical != nil && canonical.Next(); {
		done, err = finalBlock(canonical, &blocks, &proofs, f)
	}
	for _, it := range []*tableIter{canonical, blocks.tableIter, proofs.tableIter} {
		if it != nil {
			err = errors.Join(err, it.Err(), it.Close())
		}
	}
	return err
}

// finalBlock calls f with the block at canonical, to which the others move.
func finalBlock(canonical *tableIter, blocks, proofs *along, f func(*Block, []byte) (bool, error)) (done bool, err error) {
	place := append(bytes.Clone(canonical.Key()), canonical.Value()...)
	r, err := decodeRef(place)
	if err != nil {
		return false, err
	}
	if !blocks.find(place) {
		return false, errors.Join(blocks.Err(), fmt.Errorf("%w: record of block %d", ErrCorrupt, r.number))
	}
	b, err := decodeBlock(r, blocks.Value())
	if err != nil {
		return false, err
	}
	var justification []byte
	if proofs.find(place) {
		justification = proofs.Value()
	} else if err := proofs.Err(); err != nil {
		return false, err
	}
	return f(b, justification)
}

// along is an iterator that is moved along another one, whose order it has.
type along struct {
	*tableIter
	valid bool
}

// find reports whether there is a record at key. Keys have to come in the
// iterator's order.
func (a *along) find(key []byte) bool {
	if !a.started {
		a.valid = a.Next()
	}
	for a.valid {
		order := bytes.Compare(a.Key(), key)
		if a.down {
			order = -order
		}
		if order >= 0 {
			return order == 0
		}
		a.valid = a.Next()
	}
	return false
}
