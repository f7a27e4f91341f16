package network

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
)

// Limits of answers.
const (
	// maxBlockBytes is how many bytes of blocks an answer has, but for its first
	// block. A peer that reads nothing makes the node keep four answers.
	maxBlockBytes = 3 << 20
	// maxStateBytes is how many bytes of keys and values an answer has, but for its
	// first entry.
	maxStateBytes = 2 << 20
)

// Server answers requests of peers. It is safe for concurrent use.
type Server struct {
	Chain *chain.Manager
	// Keys tells what a function under :code reads: queryview.View.Keys.
	Keys func(function string, args []byte) ([][]byte, error)
}

// Blocks answers a request of sync/2: at most protocol.MaxBlocks consecutive
// blocks, and at most 3 MiB unless the first block alone is larger. Justifications
// are there where the node keeps them: at changes of the set of voters, now and
// then between, and at the last final block. No blocks means that the first one is
// not there.
func (s *Server) Blocks(req *protocol.BlockRequest) (*protocol.BlockResponse, error) {
	limit := int(req.Max)
	if limit == 0 || limit > protocol.MaxBlocks {
		limit = protocol.MaxBlocks
	}
	resp := &protocol.BlockResponse{}
	at, ok := req.FromHash, true
	if at == (types.Hash{}) {
		var err error
		if at, ok, err = s.Chain.HashAt(req.FromNumber); err != nil {
			return nil, err
		}
	}
	for total := 0; ok && len(resp.Blocks) < limit; {
		b, header, size, err := s.block(at, req.Fields)
		if errors.Is(err, state.ErrUnknownBlock) { // not here, or lost to finality while we walk
			break
		}
		if err != nil {
			return nil, err
		}
		if n := len(resp.Blocks); n > 0 && (total+size > maxBlockBytes || req.Direction == protocol.Ascending && header.ParentHash != resp.Blocks[n-1].Hash) {
			break // full, or the walk left a fork for the best chain
		}
		total += size
		resp.Blocks = append(resp.Blocks, b)
		if req.Direction == protocol.Descending {
			at, ok = header.ParentHash, header.Number > 0
		} else if at, ok, err = s.Chain.HashAt(header.Number + 1); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

// block reads what was asked of a block, and estimates its size.
func (s *Server) block(h types.Hash, fields protocol.BlockFields) (b protocol.BlockData, header *types.Header, size int, err error) {
	b.Hash = h
	var justification []byte
	if fields&protocol.FieldBody != 0 {
		var whole *types.Block
		if whole, justification, err = s.Chain.Block(h); err != nil {
			return b, nil, 0, err
		}
		header, b.Body, b.HasBody = &whole.Header, whole.Body, true
		for _, x := range b.Body {
			size += len(x)
		}
	} else {
		if header, err = s.Chain.Header(h); err != nil {
			return b, nil, 0, err
		}
		if fields&protocol.FieldJustification != 0 {
			if justification, err = s.Chain.Justification(h); err != nil {
				return b, nil, 0, err
			}
		}
	}
	if fields&protocol.FieldHeader != 0 {
		b.Header = header
		for i := range header.Digest {
			size += len(header.Digest[i].Data)
		}
	}
	if fields&protocol.FieldJustification != 0 && justification != nil {
		b.Justifications = types.Justifications{{Engine: types.EngineGRANDPA, Data: justification}}
		size += len(justification)
	}
	const rest = 200 // hash, fixed fields, lengths
	return b, header, size + rest, nil
}

// Warp answers a request of sync/warp.
func (s *Server) Warp(from types.Hash) ([]byte, error) {
	return s.Chain.WarpProof(from, grandpa.MaxWarpBytes)
}

// Read answers a read of light/2: SCALE Vec<Vec<u8>> of the trie nodes that show
// what the keys map to after a block; nil if the node does not have the state.
func (s *Server) Read(block types.Hash, keys [][]byte) ([]byte, error) {
	if len(keys) == 0 || len(keys) > protocol.MaxReadKeys {
		return nil, fmt.Errorf("a read of %d keys; it has to be 1 to %d", len(keys), protocol.MaxReadKeys)
	}
	nodes, err := s.Chain.Proof(block, keys)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return protocol.AppendProof(nil, nodes), nil
}

// childPrefix begins the keys under which the roots of child tries would be.
const childPrefix = ":child_storage:default:"

// ReadChild answers a read of a child trie of light/2. The chain has none, which
// is what the proof shows.
func (s *Server) ReadChild(block types.Hash, child []byte) ([]byte, error) {
	if !bytes.HasPrefix(child, []byte(childPrefix)) {
		child = append([]byte(childPrefix), child...)
	}
	return s.Read(block, [][]byte{child})
}

// Call answers a call of light/2: the proof of everything that running the
// function under :code reads, :code and :heappages included. A function that is not
// there, or arguments that it refuses, the client finds out with the code alone.
func (s *Server) Call(block types.Hash, function string, args []byte) ([]byte, error) {
	keys := [][]byte{[]byte(":code"), []byte(":heappages")}
	if read, err := s.Keys(function, args); err == nil {
		keys = append(keys, read...)
	}
	return s.Read(block, keys)
}

// Entries is a piece of the state after a block: what follows a key, in order.
type Entries struct {
	StateRoot types.Hash
	protocol.StateTrie
	// Proof is SCALE Vec<Vec<u8>> of the trie nodes that lead to the entries; nil if
	// it was not asked for. Substrate would answer in its compact form.
	Proof []byte
}

// State answers a request of state/2: the entries after the key start, from the
// first if it is nil, at most 2 MiB of them. Nil if the node does not have the state.
func (s *Server) State(block types.Hash, start []byte, proof bool) (*Entries, error) {
	header, err := s.Chain.Header(block)
	var view state.View
	if err == nil {
		view, err = s.Chain.ViewAt(block)
	}
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e := &Entries{StateRoot: header.StateRoot}
	if err := e.fill(view.Iterate(nil, start), start); err != nil {
		if gone(err) {
			return nil, nil
		}
		return nil, err
	}
	if !proof {
		return e, nil
	}
	keys := [][]byte{start} // shows that there is nothing else, if nothing is left
	for i := range e.Entries {
		keys = append(keys, e.Entries[i].Key)
	}
	nodes, err := s.Chain.Proof(block, keys)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e.Proof = protocol.AppendProof(nil, nodes)
	return e, nil
}

// fill takes the entries after start from an iterator, and closes it.
func (e *Entries) fill(it state.Iterator, start []byte) error {
	e.Complete = true
	for total := 0; it.Next(); {
		if start != nil && bytes.Equal(it.Key(), start) {
			continue
		}
		if total += len(it.Key()) + len(it.Value()); total > maxStateBytes && len(e.Entries) > 0 {
			e.Complete = false
			break
		}
		e.Entries = append(e.Entries, protocol.StateEntry{Key: bytes.Clone(it.Key()), Value: bytes.Clone(it.Value())})
	}
	return errors.Join(it.Err(), it.Close())
}

// gone reports whether the node does not have what was asked for, or not near enough.
func gone(err error) bool {
	return errors.Is(err, state.ErrUnknownBlock) || errors.Is(err, state.ErrPruned) || errors.Is(err, store.ErrTooFar)
}
