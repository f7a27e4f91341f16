package example

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/crustgo/crust/substrate/author"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/mempool"
	"github.com/crustgo/crust/substrate/rpc"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/substrate/voter"
)

// finalityDelay is how long a block waits to be finalised.
const finalityDelay = 50 * time.Millisecond

// Options are what a node is told.
type Options struct {
	Dir    string           // of the database; empty: in memory
	Listen string           // address of the RPC server, such as 127.0.0.1:9944
	Keys   string           // secret URI of the validator's keys; empty: make no blocks
	Log    *slog.Logger     // nil discards
	Ready  func(url string) // told where the server listens; may be nil
}

// Run runs a node until ctx ends or one of its parts fails.
func Run(ctx context.Context, o Options) (err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	k, err := newKeys(o.Keys)
	if err != nil {
		return err
	}
	rt := NewRuntime()
	spec, err := Spec(rt)
	if err != nil {
		return err
	}
	db, err := open(o.Dir, store.Options{Par: lifecycle.Parallel, Log: o.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }() // last: everything below writes into it
	c, err := begin(db, rt, spec, o.Log)
	if err != nil {
		return err
	}
	pool := mempool.New(c, mempool.Config{Par: lifecycle.Parallel, Points: c.Points(), Log: o.Log})
	server, err := serve(c, pool, spec, o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return err
	}
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	g.Go("pool", pool.Run)
	g.Go("rpc", func(ctx context.Context) error { return server.Serve(ctx, listener) })
	if o.Keys != "" {
		g.Go("author", author.New(c, pool, k, author.Config{Now: now, Log: o.Log}).Run)
		g.Go("voter", func(ctx context.Context) error { return finalise(ctx, c, db, k, o.Log) })
	}
	if o.Ready != nil {
		o.Ready("http://" + listener.Addr().String())
	}
	return g.Wait()
}

// finalise votes for blocks to be final, alone: there is no network.
func finalise(ctx context.Context, c *chain.Manager, db *store.DB, k voter.Keys, log *slog.Logger) error {
	rounds, err := voter.NewCore(c, db, k, now(), grandpa.VoterConfig{})
	if err != nil {
		return err
	}
	return voter.New(rounds, voter.Config{Now: now, SoloDelay: finalityDelay, Log: log}).Run(ctx, nil)
}

// now is the node's clock. Nothing below the shell reads one.
func now() types.Moment { return types.Moment(time.Now().UnixMilli()) }

// open opens the database.
func open(dir string, o store.Options) (*store.DB, error) {
	if dir == "" {
		return store.OpenMem(store.NewMem(), o)
	}
	return store.Open(dir, o)
}

// begin opens the chain in the database, or begins it with block 0.
func begin(db *store.DB, rt *Runtime, spec *chainspec.Spec, log *slog.Logger) (*chain.Manager, error) {
	header, err := spec.GenesisHeader()
	if err != nil {
		return nil, err
	}
	entries, err := spec.Entries()
	if err != nil {
		return nil, err
	}
	return chain.Open(db, rt.Runtime, chain.Genesis{Header: header, Entries: entries}, chain.Config{
		Now: now, Par: lifecycle.Parallel, SlotTolerance: 1, Log: log,
	})
}

// serve makes the RPC server: a table of methods behind HTTP and WebSocket.
func serve(c *chain.Manager, pool *mempool.Pool, spec *chainspec.Spec, o Options) (*jsonrpc.Server, error) {
	properties, err := json.Marshal(spec.Properties)
	if err != nil {
		return nil, err
	}
	kind, err := json.Marshal(spec.ChainType)
	if err != nil {
		return nil, err
	}
	table, err := rpc.New(rpc.Deps{
		Chain: c, Pool: rpc.PoolOf(pool), Name: "Notary Example", Version: "1", Authority: o.Keys != "", Log: o.Log,
		Spec: rpc.Spec{Name: spec.Name, Type: kind, Properties: properties, SS58Prefix: ss58Prefix},
	}, rpc.Config{})
	if err != nil {
		return nil, err
	}
	return jsonrpc.NewServer(jsonrpc.Config{Log: o.Log}, table)
}

// keys are the two keys that a validator works with: one to make blocks with, one
// to finalise them.
type keys struct {
	babe    babe.Key
	grandpa grandpa.Key
}

func newKeys(uri string) (k keys, err error) {
	if uri == "" {
		return k, nil
	}
	sr, err := crypto.ParseURI(uri, crypto.Sr25519)
	if err != nil {
		return k, err
	}
	ed, err := crypto.ParseURI(uri, crypto.Ed25519)
	if err != nil {
		return k, err
	}
	return keys{sr.(crypto.Sr25519Pair).KeyPair, ed.(crypto.Ed25519Pair).KeyPair}, nil
}

// BABE returns the key that blocks are made with.
func (k keys) BABE() []babe.Key { return []babe.Key{k.babe} }

// GRANDPA returns the key that blocks are finalised with.
func (k keys) GRANDPA() []grandpa.Key { return []grandpa.Key{k.grandpa} }
