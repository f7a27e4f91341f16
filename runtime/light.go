package runtime

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// Of is the runtime of the chain that a state is of, by the constants that the state
// holds: all that who verifies without a node has.
func Of(view state.View) (*Runtime, error) {
	raw, ok, err := view.Get([]byte(PresetKey))
	switch {
	case err != nil:
		return nil, fmt.Errorf("constants of the chain: %w", err)
	case !ok:
		return nil, errors.New("the state has no constants of a Crust chain")
	}
	p, err := DecodePreset(raw)
	if err != nil {
		return nil, err
	}
	return New(p), nil
}

// SigningEnv is the environment in which transactions for the next block are signed:
// view is the state of the block of that number and hash, which it lacks itself.
func (r *Runtime) SigningEnv(view state.View, number types.BlockNumber, hash types.Hash) *frame.Env {
	e := r.Frame.NewEnv(view)
	PalletsOf(r).System.BlockHash.Put(e, number, hash)
	return e
}

// Genesis is the checkpoint that is block 0 of a chain, from which final state can be
// read by proofs. It has no epochs: it checks no headers.
func Genesis(spec *chainspec.Spec) (p light.Checkpoint, err error) {
	rt, raw, err := Load(spec)
	if err != nil {
		return p, err
	}
	entries, err := raw.Entries()
	if err != nil {
		return p, err
	}
	if p.Header, err = raw.GenesisHeader(); err != nil {
		return p, err
	}
	answer, err := rt.Frame.Call(state.NewMem(entries), "GrandpaApi_grandpa_authorities", nil)
	if err != nil {
		return p, err
	}
	c := scale.NewCursor(answer)
	authorities := grandpa.DecodeAuthorities(c)
	if err := c.Finish(); err != nil {
		return p, err
	}
	p.Voters, err = grandpa.NewVoterSet(0, authorities)
	return p, err
}
