package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/types"
)

// Justified is a finalised block whose justification is kept.
type Justified struct {
	Hash          types.Hash
	Number        types.BlockNumber
	Header        []byte
	Justification []byte
}

// Justifications calls f with the justified blocks from a number on, ascending,
// as they are at the time of the call, until f is done or fails. The slices are
// valid during the call of f.
func (db *DB) Justifications(from types.BlockNumber, f func(Justified) (done bool, err error)) error {
	var js, blocks *tableIter
	err := db.read(func() (err error) {
		if js, err = db.iterate(byNumber(kindJustification, from), []byte{kindJustification + 1}); err != nil {
			return err
		}
		if blocks, err = db.iterate(byNumber(kindBlock, from), []byte{kindBlock + 1}); err != nil {
			err = errors.Join(err, js.Close())
		}
		return err
	})
	if err != nil {
		return err
	}
	for done := false; !done && err == nil && js.Next(); {
		var b Justified
		if b, err = justified(js, blocks); err == nil {
			done, err = f(b)
		}
	}
	return errors.Join(err, js.Err(), blocks.Err(), js.Close(), blocks.Close())
}

// justified is the block at js, with its header from blocks, which moves to it.
func justified(js, blocks *tableIter) (Justified, error) {
	r, err := decodeRef(js.Key())
	if err != nil {
		return Justified{}, err
	}
	if !blocks.seek(byBlock(kindBlock, r.number, r.hash)) || !bytes.Equal(blocks.Key(), js.Key()) {
		return Justified{}, errors.Join(blocks.Err(), fmt.Errorf("%w: block %d has a justification and no record", ErrCorrupt, r.number))
	}
	b, err := decodeBlock(r, blocks.Value())
	if err != nil {
		return Justified{}, err
	}
	return Justified{Hash: r.hash, Number: r.number, Header: b.Header, Justification: js.Value()}, nil
}
