package state

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
type Change struct {
	Key     []byte
	Value   []byte // nil when Deleted
	Deleted bool
	HadOld  bool // the key had a value before the block
}
