package rpc

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/ss58"
	"github.com/crustgo/crust/substrate/types"
)

func (a *api) systemMethods() []*jsonrpc.Method {
	text := func(s string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return s, nil }
	}
	return []*jsonrpc.Method{
		jsonrpc.Fn0("system_name", text(a.Name)),
		jsonrpc.Fn0("system_version", text(a.Version)),
		jsonrpc.Fn0("system_chain", text(a.Spec.Name)),
		jsonrpc.Fn0("system_chainType", func(context.Context) (json.RawMessage, error) { return a.Spec.Type, nil }),
		jsonrpc.Fn0("system_properties", func(context.Context) (json.RawMessage, error) { return a.Spec.Properties, nil }),
		jsonrpc.Fn0("system_health", a.health),
		jsonrpc.Fn0("system_nodeRoles", a.nodeRoles),
		jsonrpc.Fn0("system_localPeerId", a.localPeerID),
		jsonrpc.Fn0("system_localListenAddresses", a.localAddresses),
		jsonrpc.Fn0("system_peers", a.peers, jsonrpc.Unsafe()),
		jsonrpc.Fn0("system_reservedPeers", a.reservedPeers),
		jsonrpc.Fn1("system_addReservedPeer", a.addReservedPeer, jsonrpc.Unsafe()),
		jsonrpc.Fn1("system_removeReservedPeer", a.removeReservedPeer, jsonrpc.Unsafe()),
		jsonrpc.Fn0("system_syncState", a.syncState),
		jsonrpc.Fn1("system_accountNextIndex", a.accountNextIndex, jsonrpc.Alias("account_nextIndex")),
		jsonrpc.Fn2("system_dryRun", a.dryRun, jsonrpc.Unsafe(), jsonrpc.Alias("system_dryRunAt")),
	}
}

type health struct {
	Peers           int  `json:"peers"`
	IsSyncing       bool `json:"isSyncing"`
	ShouldHavePeers bool `json:"shouldHavePeers"`
}

func (a *api) health(context.Context) (health, error) {
	if a.Network == nil {
		return health{}, nil
	}
	return health{a.Network.PeerCount(), a.Network.Syncing(), a.Network.Wanted()}, nil
}

func (a *api) nodeRoles(context.Context) ([]string, error) {
	if a.Authority {
		return []string{"Authority"}, nil
	}
	return []string{"Full"}, nil
}

var errNoNetwork = errors.New("the node takes no part in a network")

func (a *api) localPeerID(context.Context) (string, error) {
	if a.Network == nil {
		return "", errNoNetwork
	}
	return a.Network.PeerID(), nil
}

func (a *api) localAddresses(context.Context) ([]string, error) {
	if a.Network == nil {
		return []string{}, nil
	}
	return append([]string{}, a.Network.Addresses()...), nil
}

type peerInfo struct {
	ID         string            `json:"peerId"`
	Roles      string            `json:"roles"`
	BestHash   types.Hash        `json:"bestHash"`
	BestNumber types.BlockNumber `json:"bestNumber"`
}

func (a *api) peers(context.Context) ([]peerInfo, error) {
	out := []peerInfo{}
	if a.Network != nil {
		for _, p := range a.Network.Peers() {
			out = append(out, peerInfo(p))
		}
	}
	return out, nil
}

func (a *api) reservedPeers(context.Context) ([]string, error) {
	if a.Network == nil {
		return []string{}, nil
	}
	return append([]string{}, a.Network.Reserved()...), nil
}

func (a *api) addReservedPeer(_ context.Context, addr string) (any, error) {
	if a.Network == nil {
		return nil, errNoNetwork
	}
	return nil, peerError(a.Network.AddReserved(addr))
}

func (a *api) removeReservedPeer(_ context.Context, id string) (any, error) {
	if a.Network == nil {
		return nil, errNoNetwork
	}
	return nil, peerError(a.Network.RemoveReserved(id))
}

func peerError(err error) error {
	if err == nil {
		return nil
	}
	return fail(codeSystemPeer, "%v", err)
}

type syncState struct {
	Starting types.BlockNumber `json:"startingBlock"`
	Current  types.BlockNumber `json:"currentBlock"`
	Highest  types.BlockNumber `json:"highestBlock"`
}

func (a *api) syncState(context.Context) (syncState, error) {
	s := syncState{Starting: a.started, Current: a.Chain.Heads().Best.Number}
	s.Highest = s.Current
	if a.Network != nil {
		s.Highest = max(s.Highest, a.Network.Highest())
	}
	return s, nil
}

// accountNextIndex takes an address of any network: it is the account that counts.
func (a *api) accountNextIndex(_ context.Context, address string) (uint32, error) {
	who, _, err := ss58.Decode(address)
	if err != nil {
		return 0, invalidParams("parameter 1: %v", err)
	}
	n, err := a.Pool.NextNonce(who)
	if err != nil {
		return 0, &jsonrpc.Error{Code: codeRuntime, Message: "Unable to query nonce.", Data: err.Error()}
	}
	return uint32(n), nil
}

// dryRun applies an extrinsic without consequences and tells its ApplyExtrinsicResult.
func (a *api) dryRun(ctx context.Context, tx jsonrpc.Hex, at maybeHash) (jsonrpc.Hex, error) {
	v, h, err := a.viewAt(at)
	if err != nil {
		return nil, err
	}
	done, err := a.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	inner, err := a.Chain.Runtime().DryRun(v, h, types.Extrinsic(tx))
	var refused *frame.Validity
	switch {
	case errors.As(err, &refused):
		return refused.AppendSCALE([]byte{1}), nil
	case notThere(err):
		return nil, clientError(h, err)
	case frame.IsUndecodable(err):
		return nil, &jsonrpc.Error{Code: codeDecode, Message: "Unable to dry run extrinsic.", Data: err.Error()}
	case inner != nil:
		return inner.AppendSCALE([]byte{0, 1}), nil
	}
	return []byte{0, 0}, nil
}
