package rpc

import (
	"context"
	"errors"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

func (a *api) grandpaMethods() []*jsonrpc.Method {
	return []*jsonrpc.Method{
		jsonrpc.Fn0("grandpa_roundState", a.roundState),
		jsonrpc.Fn1("grandpa_proveFinality", a.proveFinality),
		jsonrpc.Fn1("crust_warpProof", a.warpProof),
		jsonrpc.Sub0("grandpa_subscribeJustifications", "grandpa_unsubscribeJustifications", "grandpa_justifications", a.justifications),
	}
}

type roundVotes struct {
	Weight  uint64   `json:"currentWeight"`
	Missing []string `json:"missing"`
}

type roundState struct {
	Round      uint64     `json:"round"`
	Total      uint64     `json:"totalWeight"`
	Threshold  uint64     `json:"thresholdWeight"`
	Prevotes   roundVotes `json:"prevotes"`
	Precommits roundVotes `json:"precommits"`
}

type roundStates struct {
	Set        types.SetID  `json:"setId"`
	Best       roundState   `json:"best"`
	Background []roundState `json:"background"`
}

func (a *api) roundState(context.Context) (roundStates, error) {
	notReady := fail(codeGrandpaNotReady, "GRANDPA RPC endpoint not ready")
	if a.Grandpa == nil {
		return roundStates{}, notReady
	}
	set, best, background, ok := a.Grandpa.Rounds()
	if !ok {
		return roundStates{}, notReady
	}
	out := roundStates{Set: set, Best: a.roundOf(&best), Background: []roundState{}}
	for i := range background {
		out.Background = append(out.Background, a.roundOf(&background[i]))
	}
	return out, nil
}

func (a *api) roundOf(r *Round) roundState {
	return roundState{Round: r.Number, Total: r.Total, Threshold: r.Threshold, Prevotes: a.votesOf(&r.Prevotes), Precommits: a.votesOf(&r.Precommits)}
}

func (a *api) votesOf(v *Votes) roundVotes {
	out := roundVotes{Weight: v.Weight, Missing: []string{}}
	for _, who := range v.Missing {
		out.Missing = append(out.Missing, a.address(who))
	}
	return out
}

// proveFinality proves that the block at a number is final, in the encoding of
// Substrate's FinalityProof: see chain.Manager.FinalityProof.
func (a *api) proveFinality(ctx context.Context, number uint32) (any, error) {
	n, top := types.BlockNumber(number), a.Chain.Heads().Finalised.Number
	if n > top {
		return nil, fail(codeGrandpaProof, "failed to prove finality for block %d: the finalised block is %d", n, top)
	}
	done, err := a.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	proof, err := a.Chain.FinalityProof(n, a.cfg.MaxBlockRange)
	if err != nil {
		return nil, err
	}
	if proof == nil {
		return nil, fail(codeGrandpaProof, "failed to prove finality for block %d: no justification is kept within %d blocks", n, a.cfg.MaxBlockRange)
	}
	return jsonrpc.Hex(proof), nil
}

// maxWarpBytes bounds warp proofs, which hex makes twice as long: half of what
// sync/warp carries, below what an answer may have.
const maxWarpBytes = grandpa.MaxWarpBytes / 2

// warpProof is what sync/warp answers to a client whose last final block is h.
func (a *api) warpProof(ctx context.Context, h blockHash) (any, error) {
	done, err := a.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	proof, err := a.Chain.WarpProof(types.Hash(h), maxWarpBytes)
	switch {
	case errors.Is(err, chain.ErrNotFinal):
		return nil, fail(codeGrandpaProof, "no warp proof from %v: the block is not final", types.Hash(h))
	case err != nil:
		return nil, clientError(types.Hash(h), err)
	}
	return jsonrpc.Hex(proof), nil
}

// justifications tells every justification that makes blocks final from now on.
func (a *api) justifications(ctx context.Context, s *jsonrpc.Subscription) error {
	cursor := a.Chain.Snapshot().Cursor
	s.Accept()
	tell := func(h types.Hash) error {
		_, j, err := a.Chain.Block(h)
		switch {
		case errors.Is(err, state.ErrUnknownBlock):
			return nil
		case err != nil:
			return err
		case j == nil:
			return nil // a later one took its place before its turn
		}
		return s.Send(jsonrpc.Hex(j))
	}
	return a.follow(ctx, cursor, func(u *chain.Update) error {
		if n := len(u.Finalised); n > 0 {
			return tell(u.Finalised[n-1].Hash)
		}
		return nil
	}, func() (chain.Cursor, error) {
		snap := a.Chain.Snapshot()
		return snap.Cursor, tell(snap.Finalised.Hash)
	})
}
