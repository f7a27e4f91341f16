package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/dsm/engine"
	web "github.com/crustgo/crust/dsm/gateway"
	"github.com/crustgo/crust/dsm/pinning"
	"github.com/crustgo/crust/dsm/routing"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/node/httpd"
	"github.com/crustgo/crust/node/ipfs"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/p2p"
)

// Config is what a gateway is made of.
type Config struct {
	NodeURL  string      // RPC of a chain node
	BasePath string      // where key, blocks and database lie
	Payer    crypto.Pair // account that pays for orders
	// Swarm are the multiaddresses to listen on, Public those to tell in addition.
	Swarm, Public []string
	NoPrivate     bool // whether to dial no private addresses that users name
	// Directory is where files are looked for that nobody is known to have, and announced.
	Directory ipfs.Directory
	// HTTPAddress is where users are served, such as 127.0.0.1:8080; port 0 picks one.
	HTTPAddress string
	// Host is the name that tokens must have; the address if it is empty.
	Host         string
	OnlyExpiring bool // whether to refuse tokens without an end
	Trustless    bool // whether to serve blocks and archives only
	Quota        uint64
	PerDay       string // what may be spent on orders in a day, such as 100CRU; nothing bounds it if empty
	Up, Down     uint64 // bytes per second; 0 bounds nothing
	// PrometheusPort is the port of metrics; 0 picks a free one.
	PrometheusPort uint16
	Version        string
	Log            *slog.Logger
}

// Run runs a gateway until ctx ends or a part of it fails.
func Run(ctx context.Context, cfg Config) (err error) {
	dialing, cancel := context.WithTimeout(ctx, 20*time.Second)
	chain, err := client.Dial(dialing, cfg.NodeURL, client.Config{})
	cancel()
	if err != nil {
		return fmt.Errorf("%w; is a node running there? Start one with `crust node --dev`, or name another with --node-url", err)
	}
	defer chain.Close()
	terms, err := readTerms(chain, cfg.PerDay)
	if err != nil {
		return err
	}
	blocks, err := vault.Open(filepath.Join(cfg.BasePath, "blocks"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blocks.Close()) }()
	front, err := httpd.Listen(cfg.HTTPAddress, "users", "--http")
	if err != nil {
		return err
	}
	defer func() { _ = front.Close() }() // or who serves has
	if cfg.Host == "" {
		cfg.Host = front.Addr().String()
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	e, err := openEngine(&cfg, blocks, reg)
	if err != nil {
		return err
	}
	sources, err := cfg.Directory.Open(e, cfg.BasePath, reg, cfg.Log)
	if err != nil {
		return errors.Join(err, e.Close())
	}
	m := pinning.NewMetrics()
	reg.MustRegister(m.All()...)
	pins, err := pinning.Open(pinning.Config{
		Dir: filepath.Join(cfg.BasePath, "pins"), Vault: blocks, Fetch: fetcher(chain, e, sources, cfg.Log), Chain: pinning.NewNode(chain, cfg.Payer), Delegates: e.Addresses,
		Host: cfg.Host, OnlyExpiring: cfg.OnlyExpiring, Quota: cfg.Quota, PerDay: terms.perDay, BlockTime: terms.blockTime, FileBlocks: terms.fileBlocks, Metrics: m, Log: cfg.Log,
	})
	if err != nil {
		return errors.Join(err, sources.Directory.Close(), e.Close())
	}
	defer func() { err = errors.Join(err, pins.Close()) }()
	return serve(ctx, &cfg, &parts{chain, blocks, e, sources.Directory, pins, front, reg})
}

// parts are what runs.
type parts struct {
	chain     *client.Client
	blocks    *vault.DB
	engine    *engine.Engine
	directory *routing.Directory // nil without one
	pins      *pinning.Service
	front     net.Listener
	reg       *prometheus.Registry
}

// serve runs the parts until ctx ends. It closes the engine and the directory.
func serve(ctx context.Context, cfg *Config, p *parts) error {
	files, err := web.New(web.Config{Store: p.blocks, Deserialized: !cfg.Trustless, Replicas: p.replicas, Registry: p.reg})
	if err != nil {
		return errors.Join(err, p.directory.Close(), p.engine.Close())
	}
	figures, err := httpd.Listen(httpd.Local(cfg.PrometheusPort), "metrics", "--prometheus-port")
	if err != nil {
		return errors.Join(err, p.directory.Close(), p.engine.Close())
	}
	cfg.Log.Info("gateway", "http", p.front.Addr().String(), "host", cfg.Host, "swarm", p.engine.Addresses(), "metrics", figures.Addr().String())
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	g.Go("http", func(ctx context.Context) error {
		return httpd.Serve(ctx, p.front, p.routes(files), httpd.Limits{Last: last})
	})
	g.Go("metrics", func(ctx context.Context) error {
		return httpd.Serve(ctx, figures, httpd.Metrics(p.reg), httpd.Limits{Answer: time.Minute})
	})
	g.Go("engine", p.engine.Run)
	if p.directory != nil {
		g.Go("directory", p.directory.Run)
		g.Go("announce", func(ctx context.Context) error { return ipfs.Announce(ctx, p.directory, p.files, cfg.Log) })
	}
	g.Go("pinning", p.pins.Run)
	return g.Wait()
}

// openEngine makes the gateway's node of the IPFS network, whose key is in the base path.
func openEngine(cfg *Config, store vault.Reader, reg *prometheus.Registry) (*engine.Engine, error) {
	key, err := p2p.LoadKey(filepath.Join(cfg.BasePath, ipfs.KeyFile))
	if err != nil {
		return nil, err
	}
	m := engine.NewMetrics()
	reg.MustRegister(m.All()...)
	return engine.Open(engine.Config{
		Key: key, Listen: cfg.Swarm, Public: cfg.Public, Store: store, Agent: "crust/" + cfg.Version, NoPrivate: cfg.NoPrivate,
		Up: engine.NewLimit(int64(cfg.Up)), Down: engine.NewLimit(int64(cfg.Down)), Metrics: m, Log: cfg.Log.With("part", "engine"),
	})
}

// terms are what the chain says of orders, and the operator of money.
type terms struct {
	fileBlocks uint32
	blockTime  time.Duration
	perDay     *big.Int // nil: no bound
}

func readTerms(c *client.Client, perDay string) (t terms, err error) {
	number := func(pallet, name string) uint64 {
		v, err2 := c.Constant(pallet, name)
		n, ok := metadata.BigInt(v)
		if err2 != nil || !ok || !n.IsUint64() {
			err = errors.Join(err, fmt.Errorf("the chain has no %s.%s; does it have a storage market? (%w)", pallet, name, errors.Join(err2, os.ErrInvalid)))
			return 0
		}
		return n.Uint64()
	}
	t.fileBlocks = uint32(number("Market", "FileDuration"))
	t.blockTime = time.Duration(number("Babe", "ExpectedBlockTime")) * time.Millisecond
	if err == nil && perDay != "" {
		format := c.Format()
		if t.perDay, err = format.ParseAmount(perDay); err != nil {
			err = fmt.Errorf("--spend-per-day: %w", err)
		}
	}
	return t, err
}

// files lists what the gateway has.
func (p *parts) files(ctx context.Context) (roots []dag.CID, err error) {
	err = p.blocks.Roots(ctx, func(root dag.CID) error { roots = append(roots, root); return nil })
	return roots, err
}

// replicas says who has a file: this gateway, if it does, and storage nodes.
func (p *parts) replicas(ctx context.Context, root dag.CID) (list []web.Provider, err error) {
	has, err := p.blocks.Has(ctx, root)
	if err != nil {
		return nil, err
	}
	protocols := []string{routing.Bitswap}
	if has {
		id, addrs := p.engine.Self()
		list = append(list, web.Provider{ID: id, Addrs: addrs, Protocols: protocols})
	}
	others, err := ipfs.Holders(ctx, p.chain, root.String())
	for _, o := range others {
		var provider web.Provider
		for _, text := range o.Texts() {
			addr, id, _ := strings.Cut(text, "/p2p/")
			provider.ID, provider.Addrs = id, append(provider.Addrs, addr)
		}
		if provider.Protocols = protocols; provider.ID != "" {
			list = append(list, provider)
		}
	}
	return list, err
}

// fetcher fetches from whom users name, from who holds the file already, and from who is found.
func fetcher(chain *client.Client, e *engine.Engine, sources routing.Sources, log *slog.Logger) func(context.Context, engine.Job) (uint64, error) {
	return func(ctx context.Context, job engine.Job) (uint64, error) {
		others, err := ipfs.Holders(ctx, chain, job.Root.String())
		if err != nil {
			log.Warn("the chain does not say who holds a file", "cid", job.Root.String(), "err", err)
		}
		for _, o := range others {
			if more, err := engine.Origins(o.Texts()); err == nil && len(job.Origins) < 2*engine.MaxOrigins {
				job.Origins = append(job.Origins, more...)
			}
		}
		job.Find = sources.Finder(job.Root, engine.MaxOrigins)
		if len(job.Origins) == 0 {
			job.RootTimeout = min(job.RootTimeout, aloneTimeout)
		}
		return e.Fetch(ctx, job)
	}
}

// aloneTimeout is how long a file is looked for that nobody is known to have.
const aloneTimeout = time.Minute
