package state

import (
	"errors"

	"github.com/crustgo/crust/substrate/trie"
)

// View is the state at one block, read only. It is safe for concurrent use.
type View interface {
	// Get returns the value of key, which must not be modified, and whether there is one.
	Get(key []byte) (value []byte, ok bool, err error)
	// Iterate visits the keys that have prefix and are not below from, in order.
	Iterate(prefix, from []byte) Iterator
}

// Iterator walks keys in order. Key and Value are valid until the next call of
// Next, and must not be modified.
type Iterator interface {
	Next() bool
	Key() []byte
	Value() []byte
	Err() error
	Close() error
}

// Change is one key that a block writes. Changes travel sorted by key, each key once.
// HadOld says that execution read the key in the parent's state and found a
// value; if it did not look, it leaves HadOld false.
type Change = trie.Change

// ErrPruned says that the state of a block is not kept any more, or not at all:
// the block lost to a finalised one, or is older than the history that is kept.
var ErrPruned = errors.New("state is pruned")

// ErrUnknownBlock says that there is no such block.
var ErrUnknownBlock = errors.New("unknown block")
