package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/crustgo/crust/node/httpd"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/author"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/mempool"
	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/reporter"
	"github.com/crustgo/crust/substrate/rpc"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/substrate/voter"
)

// Run runs a node until ctx ends or a part of it fails.
func Run(ctx context.Context, cfg Config) (err error) {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	TuneMemory(cfg.cacheBytes())
	n := &node{cfg: cfg, log: cfg.Logger}
	defer func() { err = errors.Join(err, n.close()) }()
	if err := n.open(); err != nil {
		return err
	}
	return n.run(ctx)
}

// node is a running node.
type node struct {
	cfg     Config
	log     *slog.Logger
	tmp     string // directory to remove at the end
	data    *Data
	keys    keys
	metrics *metrics
}

func clock() types.Moment { return types.Moment(time.Now().UnixMilli()) }

// open prepares everything that does not run.
func (n *node) open() (err error) {
	if n.cfg.Tmp {
		if n.tmp, err = os.MkdirTemp("", "crust-"); err != nil {
			return err
		}
		n.cfg.BasePath = n.tmp
	}
	if n.data, err = OpenData(&n.cfg); err != nil {
		return err
	}
	keyDir := filepath.Join(n.data.Dir, "keystore")
	if n.cfg.Tmp {
		keyDir = ""
	}
	n.keys, err = openKeys(keyDir, n.cfg.Keys)
	return err
}

// close releases what open has taken.
func (n *node) close() error {
	var err error
	if n.data != nil {
		err = n.data.Close()
	}
	if n.tmp != "" {
		err = errors.Join(err, os.RemoveAll(n.tmp))
	}
	return err
}

// run starts the parts and waits for them.
func (n *node) run(ctx context.Context) error {
	c := n.data.Chain
	n.metrics = newMetrics(&n.cfg)
	pool := mempool.New(c, mempool.Config{Par: lifecycle.Parallel, Points: c.Points(), Log: n.log.With("part", "pool")})
	n.metrics.watch(c, pool, n.data.DB)
	reports := reporter.New(c, pool, n.keys, reporter.Config{Now: clock, Memory: n.data.DB, Log: n.log.With("part", "reporter")})
	if n.cfg.Validator {
		n.data.equivocated = reports.ReportBABE
	}
	votes, err := n.voter(reports)
	if err != nil {
		return err
	}
	peers, err := n.connect(pool, votes)
	if err != nil {
		return err
	}
	n.metrics.watchPeers(peers)
	defer HurryWhile(func() bool { _, far := peers.InTouch(); return far })()
	server, listener, err := n.serveRPC(pool, peers, votes)
	if err != nil {
		return errors.Join(err, peers.Host().Close())
	}
	metricsListener, err := n.listenMetrics()
	if err != nil {
		return errors.Join(err, listener.Close(), peers.Host().Close())
	}
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	g.Go("transaction pool", pool.Run)
	g.Go("network", peers.Run)
	g.Go("voter", func(ctx context.Context) error { return votes.Run(ctx, peers) })
	g.Go("rpc", func(ctx context.Context) error { return server.Serve(ctx, listener) })
	if metricsListener != nil {
		g.Go("metrics", func(ctx context.Context) error {
			return httpd.Serve(ctx, metricsListener, httpd.Metrics(n.metrics.registry), httpd.Limits{Answer: metricsTimeout})
		})
	}
	if n.cfg.Validator {
		a := author.New(c, pool, n.keys, author.Config{Now: clock, Log: n.log.With("part", "author"), Made: n.made, Peers: peers.InTouch})
		g.Go("author", a.Run)
		g.Go("reporter", reports.Run)
	}
	n.announce(listener, metricsListener, peers)
	return g.Wait()
}

// made reports a block that this node made.
func (n *node) made(b author.Block) {
	n.metrics.made(b)
	n.log.Info("block made", "block", uint32(b.Number), "hash", b.Hash.String(), "slot", uint64(b.Slot), "claim", b.Claim.String(),
		"extrinsics", b.Extrinsics, "took", b.Build.Round(time.Millisecond/10).String())
}

// announce tells where the node listens.
func (n *node) announce(rpcListener, metricsListener net.Listener, peers *network.Network) {
	heads := n.data.Chain.Heads()
	r := Ready{RPC: "ws://" + rpcListener.Addr().String(), P2P: peers.Host().Addresses(), GenesisHash: n.data.Chain.Genesis().String()}
	if metricsListener != nil {
		r.Metrics = "http://" + metricsListener.Addr().String() + "/metrics"
	}
	n.log.Info("node is ready", "chain", n.data.Spec.Name, "genesis", r.GenesisHash, "best", uint32(heads.Best.Number),
		"finalised", uint32(heads.Finalised.Number), "rpc", r.RPC, "metrics", r.Metrics, "p2p", r.P2P, "data", n.data.Dir)
	if n.cfg.Ready != nil {
		n.cfg.Ready(r)
	}
}

// rpcWorkers is how many calls of one connection run at a time. Those that submit
// transactions wait for the pool, which checks the signatures of all that wait
// together: with a few workers its batches were small and cost twice as much.
const rpcWorkers = 256

func (n *node) serveRPC(pool *mempool.Pool, peers *network.Network, votes *voter.Voter) (*jsonrpc.Server, net.Listener, error) {
	spec := n.data.Spec
	properties, err := json.Marshal(spec.Properties)
	if err != nil {
		return nil, nil, err
	}
	kind, err := json.Marshal(spec.ChainType)
	if err != nil {
		return nil, nil, err
	}
	prefix, _ := spec.Properties.SS58Format()
	table, err := rpc.New(rpc.Deps{
		Chain: n.data.Chain, Pool: rpc.PoolOf(pool), Keys: n.keys, Name: "Crust Node", Version: n.cfg.Version, Authority: n.cfg.Validator,
		Spec:     rpc.Spec{Name: spec.Name, Type: kind, Properties: properties, SS58Prefix: prefix, JSON: n.data.specJSON},
		Network:  peersView{peers, n.wantsPeers()},
		Grandpa:  roundsView{votes},
		Offchain: n.data.Offchain(),
		Log:      n.log.With("part", "rpc"),
	}, rpc.Config{})
	if err != nil {
		return nil, nil, err
	}
	cfg := jsonrpc.Config{
		AllowUnsafe: n.cfg.allowUnsafe(), MaxConnections: n.cfg.RPCMaxConns, Observer: observer{n.metrics}, Log: n.log.With("part", "rpc"),
		Origins: n.cfg.RPCCors, Health: n.health(peers), Workers: rpcWorkers,
	}
	if n.cfg.RPCExternal {
		cfg.Hosts = []string{"all"}
	}
	server, err := jsonrpc.NewServer(cfg, table)
	if err != nil {
		return nil, nil, err
	}
	address := httpd.Local(n.cfg.RPCPort)
	if n.cfg.RPCExternal {
		address = net.JoinHostPort("", strconv.Itoa(int(n.cfg.RPCPort)))
	}
	l, err := httpd.Listen(address, "RPC", "--rpc-port")
	return server, l, err
}

// metricsTimeout is how long a request for metrics, and its answer, may take.
const metricsTimeout = 30 * time.Second

// listenMetrics is nil if nobody is to be told.
func (n *node) listenMetrics() (net.Listener, error) {
	if n.cfg.NoPrometheus {
		return nil, nil
	}
	return httpd.Listen(httpd.Local(n.cfg.PrometheusPort), "metrics", "--prometheus-port")
}

// Data is a chain on disk, opened.
type Data struct {
	Dir     string
	Spec    *chainspec.Spec // raw
	Runtime *runtime.Runtime
	DB      *store.DB
	Chain   *chain.Manager

	equivocated func(babe.EquivocationProof) // nil if nobody reports; set before blocks are imported
}

// LoadSpec finds the chain specification that --chain names: a network that
// ships with the program, or a file.
func LoadSpec(name string) (*chainspec.Spec, error) {
	if n, ok := runtime.Networks()[name]; ok {
		return n.Spec()
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("--chain %s is neither dev, local, nor a file; make a chain spec with `crust build-spec`", name)
	}
	if err != nil {
		return nil, err
	}
	spec, err := chainspec.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return spec, nil
}

// OpenData opens the chain of a configuration, or begins it.
func OpenData(cfg *Config) (*Data, error) {
	spec, err := LoadSpec(cfg.Chain)
	if err != nil {
		return nil, err
	}
	d := &Data{}
	if d.Runtime, d.Spec, err = runtime.Load(spec); err != nil {
		return nil, err
	}
	header, err := d.Spec.GenesisHeader()
	if err != nil {
		return nil, err
	}
	entries, err := d.Spec.Entries()
	if err != nil {
		return nil, err
	}
	d.Dir = filepath.Join(cfg.BasePath, "chains", d.Spec.ID)
	dir := filepath.Join(d.Dir, "db")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("data directory: %w; choose another with --base-path", err)
	}
	archive, keep, err := cfg.pruning()
	if err != nil {
		return nil, err
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if d.DB, err = store.Open(dir, store.Options{Archive: archive, KeepBlocks: keep, CacheBytes: cfg.cacheBytes(), Par: lifecycle.Parallel, Log: log.With("part", "store")}); err != nil {
		return nil, err
	}
	d.Chain, err = chain.Open(d.DB, d.Runtime.Frame, chain.Genesis{Header: header, Entries: entries}, chain.Config{
		Now: clock, Par: lifecycle.Parallel, SlotTolerance: 1, Log: log.With("part", "chain"),
		Equivocated: func(p babe.EquivocationProof) {
			if d.equivocated != nil {
				d.equivocated(p)
			}
		},
	})
	if err != nil {
		return nil, errors.Join(err, d.DB.Close())
	}
	return d, nil
}

// Close closes the database.
func (d *Data) Close() error { return d.DB.Close() }

func (d *Data) specJSON(bool) (json.RawMessage, error) { return d.Spec.Encode() }

// offchain keeps the values of offchain_localStorageSet in the database.
type offchain struct{ db *store.DB }

// Offchain is the node's persistent off-chain storage.
func (d *Data) Offchain() rpc.Offchain { return offchain{d.DB} }

// Get returns a value.
func (o offchain) Get(key []byte) ([]byte, bool, error) {
	v, err := o.db.Aux("offchain/" + string(key))
	return v, v != nil, err
}

// Set keeps a value.
func (o offchain) Set(key, value []byte) error {
	return o.db.PutAux(true, store.AuxWrite{Name: "offchain/" + string(key), Value: value})
}
