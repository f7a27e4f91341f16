package rpc

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
)

// Deps is what the methods work on. Chain, Pool and Spec are needed; the others
// may be nil, and what depends on them then says so.
type Deps struct {
	Chain    *chain.Manager
	Pool     Pool
	Spec     Spec
	Keys     Keys
	Network  Network
	Grandpa  Grandpa
	Offchain Offchain

	// Name and Version are what system_name and system_version tell.
	Name, Version string
	// Authority says that the node makes blocks.
	Authority bool
	// Log is told what an operator would want to know; nil discards it.
	Log *slog.Logger
}

// Pool is the transaction pool. Its refusals are *txpool.Error.
type Pool interface {
	Submit(ctx context.Context, raw types.Extrinsic) (types.Hash, error)
	SubmitAndWatch(ctx context.Context, raw types.Extrinsic) (Watch, error)
	// Broadcast keeps offering a transaction until stopped; ok is false if too many
	// are broadcast already.
	Broadcast(raw types.Extrinsic) (stop func(), ok bool)
	Pending() []types.Extrinsic
	// Remove takes transactions out, by hash or by content, and returns those it held.
	Remove(hashes []types.Hash, raws []types.Extrinsic) []types.Hash
	// NextNonce counts what waits in the pool.
	NextNonce(who types.AccountID) (types.Nonce, error)
}

// Watch tells what becomes of a transaction.
type Watch interface {
	// Next waits for the next events; after the last one it returns io.EOF.
	Next(ctx context.Context) ([]txpool.Event, error)
	Close()
}

// watcher is a pool whose watches have a type of their own.
type watcher[W Watch] interface {
	Submit(ctx context.Context, raw types.Extrinsic) (types.Hash, error)
	SubmitAndWatch(ctx context.Context, raw types.Extrinsic) (W, error)
	Broadcast(raw types.Extrinsic) (stop func(), ok bool)
	Pending() []types.Extrinsic
	Remove(hashes []types.Hash, raws []types.Extrinsic) []types.Hash
	NextNonce(who types.AccountID) (types.Nonce, error)
}

type pool[W Watch] struct{ watcher[W] }

// SubmitAndWatch implements Pool.
func (p pool[W]) SubmitAndWatch(ctx context.Context, raw types.Extrinsic) (Watch, error) {
	w, err := p.watcher.SubmitAndWatch(ctx, raw)
	if err != nil {
		return nil, err // not a nil W in a Watch
	}
	return w, nil
}

// PoolOf is a pool whose SubmitAndWatch returns a type of its own, as a Pool.
func PoolOf[W Watch](p watcher[W]) Pool { return pool[W]{p} }

// Spec is what the chain specification says of the chain.
type Spec struct {
	Name       string
	Type       json.RawMessage // "Live", "Local", "Development" or {"Custom":…}, as JSON
	Properties json.RawMessage // JSON object
	// SS58Prefix is the network of the addresses that answers hold.
	SS58Prefix uint16
	// JSON is the chain specification for others to start from, raw or as written;
	// nil if sync_state_genSyncSpec is not to be answered.
	JSON func(raw bool) (json.RawMessage, error)
}

// KeyType names a purpose of session keys, such as "babe" or "gran".
type KeyType [4]byte

// Keys holds the node's session keys.
type Keys interface {
	// Insert keeps the key of a secret URI, which must have the public key.
	Insert(kind KeyType, suri string, public []byte) error
	// Generate makes a fresh set of session keys and returns their public keys in
	// the order of the session pallet.
	Generate() ([]byte, error)
	Has(kind KeyType, public []byte) bool
	// Authoring returns the keys that blocks are made with.
	Authoring() []babe.Key
}

// Peer is a node that this one is connected to.
type Peer struct {
	ID         string
	Roles      string // "FULL", "LIGHT" or "AUTHORITY"
	BestHash   types.Hash
	BestNumber types.BlockNumber
}

// Network is what the node knows of others.
type Network interface {
	PeerID() string
	Addresses() []string // multiaddresses with the peer id
	Peers() []Peer
	PeerCount() int
	// Wanted reports whether the node should have peers at all.
	Wanted() bool
	// Syncing reports whether the node is far behind its peers.
	Syncing() bool
	// Highest is the highest block that a peer has announced; 0 if none has.
	Highest() types.BlockNumber
	// AddReserved and RemoveReserved change the peers that the node always connects
	// to, by multiaddress and by peer id; Reserved lists their ids.
	AddReserved(multiaddr string) error
	RemoveReserved(peerID string) error
	Reserved() []string
}

// Votes is where one of two votes of a GRANDPA round stands.
type Votes struct {
	Weight  uint64
	Missing []types.AccountID // voters that have not voted; ed25519 keys
}

// Round is a round of GRANDPA voting.
type Round struct {
	Number               uint64
	Total, Threshold     uint64 // weights
	Prevotes, Precommits Votes
}

// Grandpa is the node's GRANDPA voter.
type Grandpa interface {
	// Rounds returns the set that votes, its best round and older ones in progress;
	// ok is false before the voter has started.
	Rounds() (set types.SetID, best Round, background []Round, ok bool)
}

// Offchain is the node's persistent off-chain storage.
type Offchain interface {
	Get(key []byte) (value []byte, ok bool, err error)
	Set(key, value []byte) error
}
