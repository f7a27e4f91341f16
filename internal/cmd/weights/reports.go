package main

import (
	"errors"

	engine "github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/frame"
	finality "github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/pallets/babe"
	"github.com/crustgo/crust/substrate/pallets/grandpa"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/imonline"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// unsigned measures an unsigned call with what a block does before it: judge it.
func unsigned(pallet, name string, args func(w *world, n int) (any, error), prepare ...func(w *world, e *frame.Env)) func(int) run {
	return func(n int) run {
		return func(w *world, h *types.Header) (*frame.Env, *counter, func() error, error) {
			e, counts, f, err := dispatch(frame.None(), pallet, name, args, n, prepare...)(w, h)
			if err != nil {
				return nil, nil, nil, err
			}
			c, err := makeCall(w, pallet, name, args, n)
			if err != nil {
				return nil, nil, nil, err
			}
			var judge frame.UnsignedValidator
			for _, v := range []frame.UnsignedValidator{w.pallets.Babe, w.pallets.Grandpa, w.pallets.ImOnline, w.pallets.Swork} {
				if p, ok := v.(frame.Pallet); ok && p.PalletBase().Name() == pallet {
					judge = v
				}
			}
			return e, counts, func() error {
				if _, err := judge.ValidateUnsigned(e, frame.SourceInBlock, c); err != nil {
					return err
				}
				return f()
			}, nil
		}
	}
}

// owner proves whose a key was in session 0, in n KiB more than that takes.
func owner(w *world, kind session.KeyTypeID, key [32]byte, n int) (historical.MembershipProof, error) {
	p, err := w.pallets.Historical.Prove(w.rt.Frame.NewEnv(w.view), session.OwnedKey{Type: kind, Key: key}, 0)
	for i := range n {
		p.TrieNodes = append(p.TrieNodes, append(make([]byte, 1023), byte(i)))
	}
	return p, err
}

// twoBlocks is a report of Alice, who made two blocks in the first slot.
func twoBlocks(w *world, n int) (any, error) {
	p := engine.EquivocationProof{Offender: w.author.Public(), Slot: firstSlot}
	for i, h := range []*types.Header{&p.First, &p.Second} {
		made, err := w.header(types.BlockNumber(i), firstSlot)
		if err != nil {
			return nil, err
		}
		*h = *made
		if err := engine.Seal(h, w.author); err != nil {
			return nil, err
		}
	}
	proof, err := owner(w, session.KeyBabe, p.Offender, n)
	return &babe.ReportArgs{EquivocationProof: babe.EquivocationProof{EquivocationProof: p}, KeyOwnerProof: proof}, err
}

// twoVotes is a report of Alice, who voted twice in a round.
func twoVotes(w *world, n int) (any, error) {
	pair, err := crypto.ParseURI("//Alice", crypto.Ed25519)
	if err != nil {
		return nil, err
	}
	key, ok := pair.(crypto.Ed25519Pair)
	if !ok {
		return nil, errors.New("not an ed25519 key")
	}
	round := finality.Round{Number: 1}
	p := finality.EquivocationProof{Round: round, First: finality.Sign(key.KeyPair, finality.Prevote, finality.Target{}, round),
		Second: finality.Sign(key.KeyPair, finality.Prevote, finality.Target{Number: 1}, round)}
	proof, err := owner(w, session.KeyGrandpa, p.First.ID, n)
	return &grandpa.ReportArgs{EquivocationProof: grandpa.EquivocationProof{EquivocationProof: p}, KeyOwnerProof: proof}, err
}

// beat is Alice's heartbeat among n validators more.
func beat(w *world, n int) (any, error) {
	a := &imonline.HeartbeatArgs{Heartbeat: imonline.Heartbeat{ValidatorsLen: uint32(n) + 1}}
	codec := scale.CodecOf[imonline.Heartbeat]()
	a.Signature = w.author.Sign(codec.Append(nil, &a.Heartbeat), nil)
	return a, nil
}

// quiet makes Alice look as if she had made no block, among that many validators more.
func quiet(n int) func(w *world, e *frame.Env) {
	return func(w *world, e *frame.Env) {
		w.pallets.ImOnline.AuthoredBlocks.KillPrefix(e, 0)
		keys := append([]session.ImOnlineID{}, w.pallets.ImOnline.Keys.Get(e)...)
		w.pallets.ImOnline.Keys.Put(e, append(keys, make([]session.ImOnlineID, n)...))
	}
}

// alone is the block's author being found, without those who are told.
func alone(w *world, e *frame.Env) {
	handlers := w.pallets.Authorship.Handlers
	w.pallets.Authorship.Handlers = nil
	w.pallets.Authorship.OnInitialize(e)
	w.pallets.Authorship.OnFinalize(e)
	w.pallets.Authorship.Handlers = handlers
}
