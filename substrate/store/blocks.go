package store

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// numberOf is a block's number. The caller holds db.mu.
func (db *DB) numberOf(h types.Hash) (types.BlockNumber, error) {
	if n := db.nodes[h]; n != nil { // who lost is not among them
		return n.number, nil
	}
	if d := db.lostAt(h); d != nil {
		return d.number, nil
	}
	b, err := db.get(numberKey(h))
	if err != nil {
		return 0, err
	}
	if b == nil {
		return 0, fmt.Errorf("%w %s", state.ErrUnknownBlock, h)
	}
	if len(b) != 4 {
		return 0, fmt.Errorf("%w: number of block %s", ErrCorrupt, h)
	}
	return types.BlockNumber(binary.BigEndian.Uint32(b)), nil
}

// placeOf is a block's number and whether it is finalised. The caller holds db.mu.
func (db *DB) placeOf(h types.Hash) (n types.BlockNumber, finalised bool, err error) {
	if n, err = db.numberOf(h); err != nil {
		return 0, false, err
	}
	if db.nodes[h] != nil {
		return n, n <= db.finalised.number, nil
	}
	if db.lostAt(h) != nil {
		return n, false, nil
	}
	c, err := db.get(byNumber(kindCanonical, n))
	return n, err == nil && string(c) == string(h[:]), err
}

// read runs f unless the database is closed, and keeps it open meanwhile.
func (db *DB) read(f func() error) error {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return ErrClosed
	}
	return f()
}

// Number returns a block's number and whether it is finalised, or
// state.ErrUnknownBlock.
func (db *DB) Number(h types.Hash) (n types.BlockNumber, finalised bool, err error) {
	err = db.read(func() (err error) {
		n, finalised, err = db.placeOf(h)
		return err
	})
	return n, finalised, err
}

// Has reports whether a block with that number is there, as Number would. All those
// above the base are in memory, so of a new block the disk is not asked.
func (db *DB) Has(number types.BlockNumber, h types.Hash) (known bool, err error) {
	err = db.read(func() error {
		if db.nodes[h] != nil || db.lostAt(h) != nil {
			known = true
		} else if db.base == nil || number <= db.base.number {
			b, err := db.get(numberKey(h))
			known = b != nil
			return err
		}
		return nil
	})
	return known, err
}

// HashAt returns the block with that number on the best chain; ok is false if it
// has none.
func (db *DB) HashAt(number types.BlockNumber) (h types.Hash, ok bool, err error) {
	err = db.read(func() error {
		if db.base == nil || number > db.best.number {
			return nil
		}
		if number > db.finalised.number {
			h, ok = db.best.ancestor(number).hash, true
			return nil
		}
		b, err := db.get(byNumber(kindCanonical, number))
		if err != nil {
			return err
		}
		if len(b) != 32 {
			return fmt.Errorf("%w: hash of block %d", ErrCorrupt, number)
		}
		h, ok = types.Hash(b), true
		return nil
	})
	return h, ok, err
}

// Block returns a block that is stored, or was discarded lately; or
// state.ErrUnknownBlock.
func (db *DB) Block(h types.Hash) (b *Block, err error) {
	err = db.read(func() error {
		if d := db.lostAt(h); d != nil {
			b = d.block
			return nil
		}
		n, err := db.numberOf(h)
		if err != nil {
			return err
		}
		rec, err := db.get(byBlock(kindBlock, n, h))
		if err != nil {
			return err
		}
		if rec == nil {
			if _, err := db.numberOf(h); err != nil {
				return err // finality has discarded it in between
			}
			return fmt.Errorf("%w: record of block %d", ErrCorrupt, n)
		}
		b, err = decodeBlock(ref{n, h}, rec)
		return err
	})
	return b, err
}

// Justification returns a block's justification; nil if there is none.
func (db *DB) Justification(h types.Hash) (j []byte, err error) {
	err = db.read(func() error {
		n, err := db.numberOf(h)
		if err != nil {
			return err
		}
		j, err = db.get(byBlock(kindJustification, n, h))
		return err
	})
	return j, err
}

// JustificationOf is Justification of a block that Block returned.
func (db *DB) JustificationOf(b *Block) (j []byte, err error) {
	err = db.read(func() (err error) {
		j, err = db.get(byBlock(kindJustification, b.Number, b.Hash))
		return err
	})
	return j, err
}

// SetJustification stores a justification of a finalised block.
func (db *DB) SetJustification(h types.Hash, justification []byte) error {
	db.write.Lock()
	defer db.write.Unlock()
	return db.read(func() error {
		n, finalised, err := db.placeOf(h)
		if err != nil {
			return err
		}
		if !finalised {
			return fmt.Errorf("justification of block %d (%s), which is not finalised", n, h)
		}
		return writeError(db.pdb.Set(byBlock(kindJustification, n, h), justification, pebble.NoSync))
	})
}

// DeleteJustification drops a justification that is not needed any more.
func (db *DB) DeleteJustification(h types.Hash) error {
	db.write.Lock()
	defer db.write.Unlock()
	return db.read(func() error {
		n, err := db.numberOf(h)
		if err != nil {
			return err
		}
		return writeError(db.pdb.Delete(byBlock(kindJustification, n, h), pebble.NoSync))
	})
}

// Aux returns a value of another part of the node; nil if there is none.
func (db *DB) Aux(name string) (v []byte, err error) {
	err = db.read(func() (err error) {
		v, err = db.get(auxKey(name))
		return err
	})
	return v, err
}

// PutAux writes values of another part of the node, all or nothing.
func (db *DB) PutAux(sync bool, ws ...AuxWrite) error {
	return db.read(func() error {
		batch := db.pdb.NewBatch()
		defer func() { _ = batch.Close() }()
		set := setter{batch: batch}
		set.aux(ws)
		return set.apply(sync)
	})
}
