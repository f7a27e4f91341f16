package rpc

import (
	"context"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/ss58"
	"github.com/crustgo/crust/substrate/types"
)

func (a *api) babeMethods() []*jsonrpc.Method {
	return []*jsonrpc.Method{jsonrpc.Fn0("babe_epochAuthorship", a.epochAuthorship, jsonrpc.Unsafe())}
}

// address is an account as people read it.
func (a *api) address(who types.AccountID) string { return ss58.Encode(a.Spec.SS58Prefix, who) }

// authorship is the slots of an epoch that one key may fill.
type authorship struct {
	Primary      []types.Slot `json:"primary"`
	Secondary    []types.Slot `json:"secondary"`
	SecondaryVRF []types.Slot `json:"secondary_vrf"`
}

// epochAuthorship tells, for each of the node's authoring keys, the slots of the
// current epoch that it may fill.
func (a *api) epochAuthorship(ctx context.Context) (map[string]*authorship, error) {
	out := map[string]*authorship{}
	if a.Keys == nil {
		return out, nil
	}
	best := a.Chain.Heads().Best.Hash
	head, ok := a.Chain.Head(best)
	if !ok {
		return nil, fail(codeBABE, "the epoch of the best block is not known")
	}
	epoch, _ := head.Epochs.At(head.Slot)
	if head.Slot == 0 {
		return out, nil // epoch 0 begins with block 1
	}
	done, err := a.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	for _, key := range a.Keys.Authoring() {
		if !authorOf(epoch, key) {
			continue
		}
		mine := &authorship{Primary: []types.Slot{}, Secondary: []types.Slot{}, SecondaryVRF: []types.Slot{}}
		for slot := epoch.Start; slot < epoch.End(); slot++ {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			claim, _, ok := babe.Claim(slot, epoch, []babe.Key{key})
			if !ok {
				continue
			}
			switch claim.Kind {
			case babe.Primary:
				mine.Primary = append(mine.Primary, slot)
			case babe.SecondaryPlain:
				mine.Secondary = append(mine.Secondary, slot)
			case babe.SecondaryVRF:
				mine.SecondaryVRF = append(mine.SecondaryVRF, slot)
			}
		}
		out[a.address(key.Public())] = mine
	}
	return out, nil
}

func authorOf(e *babe.Epoch, key babe.Key) bool {
	for _, authority := range e.Authorities {
		if authority.Key == key.Public() {
			return true
		}
	}
	return false
}
