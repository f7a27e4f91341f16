package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/scale"
)

func (a *api) syncStateMethods() []*jsonrpc.Method {
	return []*jsonrpc.Method{jsonrpc.Fn1("sync_state_genSyncSpec", a.genSyncSpec)}
}

// lightSyncState is where a light client can start instead of at genesis.
type lightSyncState struct {
	EpochChanges  jsonrpc.Hex `json:"babeEpochChanges"`
	BlockWeight   uint32      `json:"babeFinalizedBlockWeight"`
	Header        jsonrpc.Hex `json:"finalizedBlockHeader"`
	AuthoritiesAt jsonrpc.Hex `json:"grandpaAuthoritySet"`
}

// genSyncSpec is the chain specification with the finalised block as a place to
// start from.
func (a *api) genSyncSpec(_ context.Context, asRaw bool) (json.RawMessage, error) {
	if a.Spec.JSON == nil {
		return nil, errors.New("the node has no chain specification to give away")
	}
	text, err := a.Spec.JSON(asRaw)
	if err != nil {
		return nil, err
	}
	var spec map[string]json.RawMessage
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, fmt.Errorf("chain specification: %w", err)
	}
	s, err := a.lightSyncState()
	if err != nil {
		return nil, err
	}
	if spec["lightSyncState"], err = json.Marshal(s); err != nil {
		return nil, err
	}
	return json.Marshal(spec)
}

// maxTries bounds how often finality may outrun lightSyncState.
const maxTries = 8

// lightSyncState describes the finalised block. What belongs to it is read in
// several steps, so it is read again if finality has moved in between.
func (a *api) lightSyncState() (*lightSyncState, error) {
	for range maxTries {
		fin := a.Chain.Heads().Finalised
		if fin.Number == 0 {
			return nil, errors.New("no block is finalised yet: light clients start at genesis by themselves")
		}
		head, ok := a.Chain.Head(fin.Hash)
		voters := a.Chain.Voters()
		if !ok || a.Chain.Heads().Finalised.Hash != fin.Hash {
			continue
		}
		h, err := a.headers.get(fin.Hash)
		if err != nil {
			return nil, err
		}
		return &lightSyncState{EpochChanges: epochChanges(fin, head), Header: h.scale, AuthoritiesAt: authoritySet(voters)}, nil
	}
	return nil, errors.New("finality moves too fast to be described; ask again")
}

// epochChanges is sc-consensus-babe's EpochChanges with two epochs, the finalised
// block's and the next one: an empty fork tree, then the epochs by the hash and
// number of the block that announced them. Readers sort by the numbers alone,
// which say no more here than that the first epoch is the older.
func epochChanges(fin chain.Ref, head babe.Head) []byte {
	const regular = 1 // PersistedEpoch::Regular
	out := []byte{0, 0}
	out = scale.AppendCompact(out, 2)
	for i, e := range []*babe.Epoch{head.Epochs.Current, head.Epochs.Next} {
		out = append(out, fin.Hash[:]...)
		out = scale.AppendU32(out, uint32(fin.Number)-1+uint32(i))
		out = e.AppendSCALE(append(out, regular))
	}
	return append(out, 0) // no gap
}

// authoritySet is sc-consensus-grandpa's AuthoritySet without pending changes.
func authoritySet(v *grandpa.VoterSet) []byte {
	out := grandpa.AppendAuthorities(nil, v.Authorities())
	out = scale.AppendU64(out, uint64(v.ID()))
	// An empty fork tree of standard changes that has no finalised number, no forced
	// changes, no history of changes.
	return append(out, 0, 0, 0, 0)
}
