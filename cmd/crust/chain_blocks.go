package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/chain/blockfile"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

func writeJSON(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }

type exportResult struct {
	File           string `json:"file"`
	From           uint32 `json:"from"`
	To             uint32 `json:"to"`
	Blocks         uint32 `json:"blocks"`
	Justifications uint32 `json:"justifications"`
	Last           point  `json:"last"`
	Finalised      point  `json:"finalised"` // of the chain
}

// exportBlocks writes blocks of the best chain into a file that appears when it
// is whole. to is the best block if it is 0.
func exportBlocks(ctx context.Context, m *chain.Manager, name string, from, to uint32, p *progress) (res exportResult, err error) {
	best := uint32(m.Heads().Best.Number)
	to = cmp.Or(to, best)
	switch {
	case from == 0:
		return res, errors.New("block 0 is made from the chain spec; the first block to export is 1")
	case to > best:
		return res, fmt.Errorf("the chain ends with block %d", best)
	case from > to+1:
		return res, fmt.Errorf("the first block to export, %d, is above the last, %d", from, to)
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".part-*")
	if err != nil {
		return res, err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Rename(f.Name(), name)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := f.Chmod(0o644); err != nil {
		return res, err
	}
	w, err := blockfile.NewWriter(f, m.Genesis())
	if err != nil {
		return res, err
	}
	res = exportResult{File: name, From: from, To: to, Finalised: pointOf(m.Heads().Finalised)}
	p.begin(int64(to) - int64(from) + 1)
	defer p.end()
	for n := from; n <= to && n != 0; n++ {
		if err := ctx.Err(); err != nil {
			return res, context.Cause(ctx)
		}
		b, j, err := blockAt(m, types.BlockNumber(n))
		if err != nil {
			return res, err
		}
		if err := w.Write(b, j); err != nil {
			return res, err
		}
		if res.Blocks++; j != nil {
			res.Justifications++
		}
		res.Last = point{b.Header.Number, b.Header.Hash()}
		p.at(int64(res.Blocks))
	}
	return res, errors.Join(w.Close(), f.Sync())
}

// blockAt reads a block of the best chain.
func blockAt(m *chain.Manager, n types.BlockNumber) (*types.Block, []byte, error) {
	h, ok, err := m.HashAt(n)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, fmt.Errorf("block %d is missing", n)
	}
	return m.Block(h)
}

type importResult struct {
	File         string `json:"file"`
	Imported     uint32 `json:"imported"`
	Skipped      uint32 `json:"skipped"`
	Transactions uint64 `json:"transactions"` // of the imported blocks, without inherents
	Best         point  `json:"best"`
	Finalised    point  `json:"finalised"`
}

// importBlocks adds the blocks of a file to the chain.
func importBlocks(ctx context.Context, m *chain.Manager, name string, p *progress) (res importResult, err error) {
	res.File = name
	defer func() {
		heads := m.Heads()
		res.Best, res.Finalised = pointOf(heads.Best), pointOf(heads.Finalised)
	}()
	f, err := os.Open(name)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return res, err
	}
	r, err := blockfile.NewReader(f)
	if err != nil {
		return res, fmt.Errorf("%s: %w", name, err)
	}
	if r.Genesis() != m.Genesis() {
		return res, fmt.Errorf("%s has blocks of the chain with genesis %v; this chain's is %v: name the right one with --chain", name, r.Genesis(), m.Genesis())
	}
	p.bytes = true
	p.begin(info.Size())
	defer p.end()
	for {
		if ctx.Err() != nil {
			return res, context.Cause(ctx)
		}
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return res, nil
		}
		if err != nil {
			return res, fmt.Errorf("%s: %w", name, err)
		}
		if err := importRecord(m, rec, &res); err != nil {
			return res, err
		}
		p.at(r.Offset())
	}
}

// importRecord adds one block, and finalises it if it comes with the proof.
func importRecord(m *chain.Manager, rec *blockfile.Record, res *importResult) error {
	h := rec.Block.Header
	hash, final := h.Hash(), m.Heads().Finalised.Number
	if h.Number <= final {
		known, ok, err := m.HashAt(h.Number)
		if err != nil {
			return err
		}
		if !ok || known != hash {
			return fmt.Errorf("block %d of the file is %v, but %v is final here: the file has another fork", h.Number, hash, known)
		}
		res.Skipped++
		return nil
	}
	switch _, err := m.Import(&rec.Block); {
	case err == nil:
		res.Imported++
		res.Transactions += signed(&rec.Block)
	case errors.Is(err, chain.ErrKnown):
		res.Skipped++
	case errors.Is(err, chain.ErrUnknownParent):
		return fmt.Errorf("%w; the file has to begin at most one block above the chain, which ends with %d", err, m.Heads().Best.Number)
	default:
		return err
	}
	if rec.Justification == nil {
		return nil
	}
	switch ref, err := m.Finalise(rec.Justification); {
	case err != nil:
		return fmt.Errorf("block %d: %w", h.Number, err)
	case ref.Hash != hash:
		return fmt.Errorf("block %d comes with the justification of block %d", h.Number, ref.Number)
	}
	return nil
}

// signed counts the extrinsics that carry a signature.
func signed(b *types.Block) (n uint64) {
	for _, x := range b.Body {
		c := scale.NewCursor(x)
		c.Compact() // the length
		if c.U8()&0x80 != 0 {
			n++
		}
	}
	return n
}
