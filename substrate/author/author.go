package author

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Limits of the making of one block.
const (
	maxOffered = 1 << 16 // transactions taken from the pool
	maxSkipped = 16      // transactions that do not fit before the block counts as full
)

// Pool offers what could be in a block.
type Pool interface {
	// Ready lists at most limit transactions in order, their signatures checked.
	Ready(limit int) []*frame.Tx
	// Remove drops transactions that cannot be in any block.
	Remove(hashes []types.Hash, raws []types.Extrinsic) []types.Hash
}

// Keys are the node's BABE keys; they may change at any time.
type Keys interface {
	BABE() []babe.Key
}

// Config is what an Author is given.
type Config struct {
	Now func() types.Moment // the node's clock
	// Time measures how long a block takes, by which it is cut short; time.Now if
	// it is nil. It never goes back, which the node's clock may.
	Time func() time.Time
	Log  *slog.Logger
	// Made is told of every block that was made; it may be nil.
	Made func(Block)
	// Peers tells how many peers the node has and whether it is far behind them; nil
	// means that it is alone and knows everything. A node that is far behind makes no
	// blocks, nor does one that should have peers, because there are other
	// authorities, and has none.
	Peers func() (count int, behind bool)
}

// Block is a block that was made.
type Block struct {
	chain.Imported
	Slot       types.Slot
	Claim      babe.ClaimKind
	Extrinsics int
	Build      time.Duration // from the claim to the sealed block
}

// Author makes blocks.
type Author struct {
	chain *chain.Manager
	pool  Pool
	keys  Keys
	cfg   Config
	last  types.Slot // for which a block was attempted

	applying *frame.Tx // the transaction that is being put into the block
	disabled bool      // said that it is, and has made no block since
}

// New makes an author. It does nothing until Run.
func New(m *chain.Manager, pool Pool, keys Keys, cfg Config) *Author {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Time == nil {
		cfg.Time = time.Now
	}
	// Before it was restarted the node may have made a block in a slot on another
	// fork, and two blocks of one author in a slot are an equivocation.
	return &Author{chain: m, pool: pool, keys: keys, cfg: cfg, last: m.HighestSlot()}
}

// Run makes blocks until ctx ends, or until the import of blocks is halted.
func (a *Author) Run(ctx context.Context) error {
	duration := a.chain.BABE().SlotDuration
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if ctx.Err() != nil { // both were due, and the wrong one was chosen
			return nil
		}
		now := a.cfg.Now()
		slot := babe.SlotAt(now, duration)
		if err := a.Make(slot, now); errors.Is(err, babe.ErrDisabled) {
			a.noteDisabled(slot)
		} else if err != nil {
			a.cfg.Log.Error("no block was made", "slot", uint64(slot), "err", err)
		}
		if a.chain.Halted() != nil {
			<-ctx.Done() // reads go on; there is nothing more to make
			return nil
		}
		timer.Reset(time.Duration(babe.UntilSlot(a.cfg.Now(), slot+1, duration)) * time.Millisecond)
	}
}

// Make makes the block of the slot that now is in, if one of the keys may claim
// it; for a slot it is of use once. Run calls it, or who has a clock of its own.
// If the claim is of an authority that is disabled it fails with
// babe.ErrDisabled.
func (a *Author) Make(slot types.Slot, now types.Moment) error {
	if slot <= a.last {
		return nil
	}
	a.last = slot
	return a.attempt(slot, now)
}

// attempt makes the block of a slot if one of the keys may claim it.
func (a *Author) attempt(slot types.Slot, now types.Moment) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("making a block panicked: %v\n%s", r, debug.Stack())
			if t := a.applying; t != nil { // without it the next slot may do better
				a.applying = nil
				err = fmt.Errorf("transaction %v, which is dropped: %w", t.Hash(), err)
				a.pool.Remove([]types.Hash{t.Hash()}, nil)
			}
		}
	}()
	parent := a.chain.Heads().Best
	head, ok := a.chain.Head(parent.Hash)
	if !ok || slot <= head.Slot {
		return nil // finality moved meanwhile, or the slot has a block already
	}
	epoch, _ := head.Epochs.At(slot)
	if !a.inTouch(len(epoch.Authorities)) {
		return nil
	}
	claim, key, ok := babe.Claim(slot, epoch, a.keys.BABE())
	if !ok {
		return nil
	}
	if a.chain.Crowded() {
		return errors.New("too much waits for finality; blocks are made again when some of it is finalised")
	}
	start := a.cfg.Time()
	duration := time.Duration(a.chain.BABE().SlotDuration) * time.Millisecond
	b, out, err := a.build(parent, claim, now, start.Add(duration*2/3))
	if err != nil {
		return err
	}
	if err := babe.Seal(&b.Header, key); err != nil {
		return err
	}
	made := Block{Slot: slot, Claim: claim.Kind, Extrinsics: len(b.Body), Build: a.cfg.Time().Sub(start)}
	if made.Imported, err = a.chain.ImportOwn(b, out); err != nil {
		return err
	}
	a.disabled = false
	if a.cfg.Made != nil {
		a.cfg.Made(made)
	}
	return nil
}

// noteDisabled says once, not in every slot, that the runtime refuses blocks of this validator.
func (a *Author) noteDisabled(slot types.Slot) {
	if !a.disabled {
		a.cfg.Log.Warn("an offence of this validator was reported; it makes no blocks until the session ends", "slot", uint64(slot))
	}
	a.disabled = true
}

// inTouch reports whether the node knows enough of the others to make blocks.
func (a *Author) inTouch(authorities int) bool {
	if a.cfg.Peers == nil {
		return true
	}
	count, behind := a.cfg.Peers()
	return !behind && (count > 0 || authorities == 1)
}

// build makes the block, all but its seal.
func (a *Author) build(parent chain.Ref, claim babe.PreDigest, now types.Moment, deadline time.Time) (*types.Block, frame.Outcome, error) {
	var none frame.Outcome
	view, err := a.chain.ViewAt(parent.Hash)
	if err != nil {
		return nil, none, err
	}
	b := &types.Block{Header: types.Header{ParentHash: parent.Hash, Number: parent.Number + 1, Digest: types.Digest{claim.Item()}}}
	builder, err := a.chain.Runtime().NewBlock(view, &b.Header)
	if err != nil {
		return nil, none, err
	}
	if err := builder.Inherents(a.chain.InherentsAt(now)); err != nil {
		return nil, none, err
	}
	if err := a.fill(builder, deadline); err != nil {
		return nil, none, err
	}
	body, root, out, err := builder.Finish()
	if err != nil {
		return nil, none, err
	}
	b.Body, b.Header.ExtrinsicsRoot, b.Header.Digest = body, root, out.Digest
	b.Header.StateRoot, err = a.chain.StateRoot(parent.Hash, out)
	return b, out, err
}

// fill adds transactions until the block is full or the deadline has passed. It
// fails if the state cannot be read, which is no transaction's fault.
func (a *Author) fill(b *frame.BlockBuilder, deadline time.Time) error {
	skipped := 0
	var refused []types.Hash
	for i, t := range a.pool.Ready(maxOffered) {
		if i%64 == 0 && a.cfg.Time().After(deadline) {
			break
		}
		a.applying = t
		err := b.Push(t)
		a.applying = nil
		var corrupt *frame.Corruption
		switch {
		case err == nil:
		case errors.As(err, &corrupt):
			return err
		case errors.Is(err, frame.ErrExhaustsResources):
			skipped++
		case errors.Is(err, frame.ErrFuture) || errors.Is(err, frame.ErrStale):
			// A predecessor was skipped, or the pool sees another best block than this
			// block's parent; it drops by itself what the chain has overtaken.
		default:
			refused = append(refused, t.Hash())
		}
		if skipped == maxSkipped {
			break
		}
	}
	if len(refused) > 0 {
		a.pool.Remove(refused, nil)
	}
	return nil
}
