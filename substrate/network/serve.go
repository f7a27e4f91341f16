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
	w := walk{Server: s, req: req, limit: limit}
	at, ok := req.FromHash, true
	if at == (types.Hash{}) {
		var err error
		if at, ok, err = s.Chain.HashAt(req.FromNumber); err != nil {
			return nil, err
		}
	}
	for n := -1; ok && len(w.resp.Blocks) > n; { // the last visit found something
		n = len(w.resp.Blocks)
		err := w.visit(at)
		if err == nil {
			at, ok, err = w.next()
		}
		if errors.Is(err, state.ErrUnknownBlock) { // not here, or lost to finality while we walk
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return &w.resp, nil
}

// walk gathers the blocks of an answer.
type walk struct {
	*Server
	req   *protocol.BlockRequest
	limit int // of blocks

	resp  protocol.BlockResponse
	bytes int           // about the size of resp
	last  *types.Header // of the last block
	full  bool
}

// visit adds a block; if it is final, those that follow it as well, as far as they are.
func (w *walk) visit(at types.Hash) error {
	down, bodies := w.req.Direction == protocol.Descending, w.req.Fields&protocol.FieldBody != 0
	number, final, err := w.Chain.Final(at)
	if err != nil {
		return err
	}
	if final {
		return w.Chain.FinalBlocks(number, down, bodies, func(h types.Hash, b *types.Block, justification []byte) (bool, error) {
			w.add(h, b, justification)
			return w.full, nil
		})
	}
	b, justification, err := w.Chain.Block(at)
	if err == nil {
		w.add(at, b, justification)
	}
	return err
}

// next is where the walk goes on.
func (w *walk) next() (at types.Hash, ok bool, err error) {
	switch {
	case w.full || w.last == nil:
		return at, false, nil
	case w.req.Direction == protocol.Descending:
		return w.last.ParentHash, w.last.Number > 0, nil
	}
	return w.Chain.HashAt(w.last.Number + 1)
}

// add takes what was asked of a block, unless the answer is full.
func (w *walk) add(h types.Hash, block *types.Block, justification []byte) {
	b, header, size := protocol.BlockData{Hash: h}, &block.Header, 200 // hash, fixed fields, lengths
	if w.req.Fields&protocol.FieldHeader != 0 {
		b.Header = header
		for i := range header.Digest {
			size += len(header.Digest[i].Data)
		}
	}
	if w.req.Fields&protocol.FieldBody != 0 {
		b.Body, b.HasBody = block.Body, true
		for _, x := range b.Body {
			size += len(x)
		}
	}
	if w.req.Fields&protocol.FieldJustification != 0 && justification != nil {
		b.Justifications = types.Justifications{{Engine: types.EngineGRANDPA, Data: justification}}
		size += len(justification)
	}
	if w.last != nil && (w.bytes+size > maxBlockBytes || w.req.Direction == protocol.Ascending && header.ParentHash != w.resp.Blocks[len(w.resp.Blocks)-1].Hash) {
		w.full = true // of bytes, or the walk left a fork for the best chain
		return
	}
	w.bytes += size
	w.last = header
	w.resp.Blocks = append(w.resp.Blocks, b)
	w.full = len(w.resp.Blocks) == w.limit
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
