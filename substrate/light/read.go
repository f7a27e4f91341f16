package light

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// View is the part of a block's state that a proof shows. A key that it does not
// show fails with a *MissingError; iteration, which a proof of keys cannot answer,
// fails always. Whoever runs something on a view need not know beforehand what it
// reads: a key that is missing is added to the proof, and it is run again.
type View struct{ proof *trie.Proof }

var _ state.View = View{}

// View checks the nodes of a read proof against the state root of a known block.
// That of a block that is not final is only its author's word. The nodes are kept.
func (c *Client) View(block types.Hash, nodes [][]byte) (View, error) {
	h, err := c.Known(block)
	if err != nil {
		return View{}, err
	}
	p, err := trie.NewProof(h.StateRoot, nodes)
	if err != nil {
		return View{}, fmt.Errorf("state of block %d: %w", h.Number, err)
	}
	return View{p}, nil
}

// Read returns what a key maps to after a known block; present = false is proven
// absence, an error means that the proof does not say.
func (c *Client) Read(block types.Hash, nodes [][]byte, key []byte) (value []byte, present bool, err error) {
	v, err := c.View(block, nodes)
	if err != nil {
		return nil, false, err
	}
	return v.Get(key)
}

// MissingError says that a proof does not show a key.
type MissingError struct {
	Key []byte
	Err error // trie.ErrIncompleteProof, with the node that is missing
}

// Error names the key.
func (e *MissingError) Error() string { return fmt.Sprintf("key %#x: %v", e.Key, e.Err) }

// Unwrap returns the error of the proof.
func (e *MissingError) Unwrap() error { return e.Err }

// Get implements state.View.
func (v View) Get(key []byte) (value []byte, present bool, err error) {
	value, present, err = v.proof.Get(key)
	if errors.Is(err, trie.ErrIncompleteProof) {
		err = &MissingError{bytes.Clone(key), err}
	}
	return value, present, err
}

// Closest returns the Merkle value of the trie node at or nearest below key;
// present = false proves that no key begins with key. Two blocks where it is equal
// have the same values under all keys that begin so.
func (v View) Closest(key []byte) (merkleValue []byte, present bool, err error) {
	return v.proof.ClosestDescendant(key)
}

// Iterate implements state.View.
func (View) Iterate(prefix, from []byte) state.Iterator { return noIterator{} }

// errIterate is what iteration gives.
var errIterate = fmt.Errorf("iteration: %w", trie.ErrIncompleteProof)

// noIterator is an iterator that fails.
type noIterator struct{}

func (noIterator) Next() bool    { return false }
func (noIterator) Key() []byte   { return nil }
func (noIterator) Value() []byte { return nil }
func (noIterator) Err() error    { return errIterate }
func (noIterator) Close() error  { return nil }

// Runtime answers calls from a state: *frame.Runtime is one.
type Runtime interface {
	Call(view state.View, function string, args []byte) ([]byte, error)
}

// Epochs tells a client that has jumped the epochs at the final block: what the
// runtime answers to BabeApi_current_epoch and BabeApi_next_epoch on a proof of the
// block's state. The runtime is trusted to know how its chain keeps them. A
// *MissingError in the error names a key that the proof should show as well.
func (c *Client) Epochs(rt Runtime, nodes [][]byte) error {
	hash, h := c.Final()
	view, err := c.View(hash, nodes)
	if err != nil {
		return err
	}
	logs, err := babe.ReadLogs(h.Digest)
	if err != nil {
		return err
	}
	s := &babe.EpochState{Current: new(babe.Epoch), Next: new(babe.Epoch)}
	for i, into := range []*babe.Epoch{s.Current, s.Next} {
		name := [...]string{"BabeApi_current_epoch", "BabeApi_next_epoch"}[i]
		raw, err := rt.Call(view, name, nil)
		if err == nil {
			err = scale.Decode(raw, into)
		}
		if err != nil {
			return fmt.Errorf("%s at block %d: %w", name, h.Number, err)
		}
	}
	if slot := logs.Claim.Slot; slot < s.Current.Start || slot >= s.Next.Start {
		return errors.New("light: the epochs do not fit the slot of the final block")
	}
	b := c.blocks[hash]
	b.head = babe.Head{Slot: logs.Claim.Slot, Epochs: s}
	c.blocks[hash] = b
	return nil
}
