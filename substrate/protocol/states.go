package protocol

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/crustgo/crust/substrate/types"
)

// Limits of state responses.
const (
	MaxStateStart   = 2 // a key of the main trie and one of a child trie
	MaxStateTries   = 1024
	MaxStateEntries = 1 << 18
)

// StateRequest asks for a range of a block's state (state/2).
type StateRequest struct {
	Block types.Hash
	// Start holds the last key that is there already: none, one of the main trie,
	// or the key of a child trie and one in it.
	Start   [][]byte
	NoProof bool // entries are wanted, not a proof
}

// Append appends the request's encoding.
func (r *StateRequest) Append(dst []byte) []byte {
	return appendBool(appendKeys(appendBytes(dst, 1, r.Block[:]), 2, r.Start), 3, r.NoProof)
}

// DecodeStateRequest reads a request; its keys alias b.
func DecodeStateRequest(b []byte) (r StateRequest, err error) {
	if err := within("a state request", b, MaxRequestBytes); err != nil {
		return r, err
	}
	block := false
	err = fields(b, func(x field) error {
		switch {
		case x.is(1):
			block = true
			return x.hash(&r.Block)
		case x.is(2):
			if len(r.Start) == MaxStateStart || len(x.bytes) > MaxKeyBytes {
				return fmt.Errorf("start key %d of %d bytes", len(r.Start), len(x.bytes))
			}
			r.Start = append(r.Start, x.bytes)
		case x.isVarint(3):
			r.NoProof = x.value != 0
		}
		return nil
	})
	if err = withBlock(block, err); err != nil {
		return StateRequest{}, err
	}
	return r, nil
}

// StateEntry is a key and its value.
type StateEntry struct{ Key, Value []byte }

// StateTrie is a range of one trie.
type StateTrie struct {
	Root     []byte // of a child trie; empty for the main trie
	Entries  []StateEntry
	Complete bool // nothing follows in this trie
}

// StateResponse is the answer to a StateRequest: tries, or a compact proof.
type StateResponse struct {
	Tries []StateTrie
	Proof []byte
}

// Append appends the response's encoding.
func (r *StateResponse) Append(dst []byte) []byte {
	for i := range r.Tries {
		dst = r.Tries[i].append(dst)
	}
	return appendSet(dst, 2, r.Proof)
}

func (t *StateTrie) append(dst []byte) []byte {
	size := 0
	if len(t.Root) > 0 {
		size += sizeBytes(1, len(t.Root))
	}
	for i := range t.Entries {
		size += sizeBytes(2, t.Entries[i].size())
	}
	if t.Complete {
		size += 2
	}
	dst = appendSet(appendMessage(dst, 1, size), 1, t.Root)
	for _, e := range t.Entries {
		dst = appendMessage(dst, 2, e.size())
		dst = appendSet(appendSet(dst, 1, e.Key), 2, e.Value)
	}
	return appendBool(dst, 3, t.Complete)
}

func (e *StateEntry) size() (n int) {
	if len(e.Key) > 0 {
		n += sizeBytes(1, len(e.Key))
	}
	if len(e.Value) > 0 {
		n += sizeBytes(2, len(e.Value))
	}
	return n
}

// DecodeStateResponse reads a response; its byte slices alias b.
func DecodeStateResponse(b []byte) (r StateResponse, err error) {
	if err := within("a state response", b, MaxResponseBytes); err != nil {
		return r, err
	}
	left := MaxStateEntries
	err = fields(b, func(x field) error {
		switch {
		case x.is(1):
			if len(r.Tries) == MaxStateTries {
				return fmt.Errorf("more than %d tries", MaxStateTries)
			}
			t, err := decodeStateTrie(x.bytes, &left)
			r.Tries = append(r.Tries, t)
			return err
		case x.is(2):
			r.Proof = x.bytes
		}
		return nil
	})
	if err != nil {
		return StateResponse{}, err
	}
	return r, nil
}

func decodeStateTrie(b []byte, left *int) (t StateTrie, err error) {
	err = fields(b, func(x field) error {
		switch {
		case x.is(1):
			t.Root = x.bytes
		case x.isVarint(3):
			t.Complete = x.value != 0
		case x.is(2):
			if *left == 0 {
				return fmt.Errorf("more than %d entries", MaxStateEntries)
			}
			*left--
			e, err := decodeStateEntry(x.bytes)
			t.Entries = append(t.Entries, e)
			return err
		}
		return nil
	})
	return t, err
}

func decodeStateEntry(b []byte) (e StateEntry, err error) {
	err = fields(b, func(x field) error {
		switch {
		case x.is(1):
			e.Key = x.bytes
		case x.is(2):
			e.Value = x.bytes
		}
		return nil
	})
	return e, err
}

func appendKeys(dst []byte, num protowire.Number, keys [][]byte) []byte {
	for _, k := range keys {
		dst = appendBytes(dst, num, k)
	}
	return dst
}
