package ipfs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/gateway"
	"github.com/crustgo/crust/dsm/picker"
	"github.com/crustgo/crust/dsm/routing"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/mpow/worker/reporter"
	"github.com/crustgo/crust/node/httpd"
	"github.com/crustgo/crust/node/storage"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/p2p"
)

// Config says what of a storage node touches IPFS.
type Config struct {
	Dir         string    // where the key of the peer id lies
	Swarm       []string  // multiaddresses to listen on
	Public      []string  // multiaddresses to tell others in addition
	GatewayPort uint16    // of HTTP on this machine; 0 picks a free one
	Bandwidth   int64     // bytes a second each way; 0 for unbounded
	Directory   Directory // of the IPFS network
	NoPrivate   bool      // whether private addresses that strangers name are not dialled
	MaxSize     uint64    // of a file, in bytes; 0 for any
	Take        []string  // CIDs that are fetched whoever else has them
	Refuse      []string  // CIDs that are never fetched
	Agent       string    // what other nodes are told: crust/<version>
	Registry    prometheus.Registerer
	Log         *slog.Logger
}

// KeyFile is the name of the file with the key of the peer id.
const KeyFile = "engine.key"

// Run runs it until ctx ends.
func Run(ctx context.Context, cfg Config, w *worker.Worker, n *reporter.Node) error {
	key, err := p2p.LoadKey(filepath.Join(cfg.Dir, KeyFile))
	if err != nil {
		return err
	}
	store, figures := storage.Vault{W: w}, engine.NewMetrics()
	up, down := engine.NewLimit(cfg.Bandwidth), engine.NewLimit(cfg.Bandwidth)
	if cfg.Registry != nil {
		for _, c := range figures.All() {
			if err := cfg.Registry.Register(c); err != nil {
				return err
			}
		}
	}
	e, err := engine.Open(engine.Config{Key: key, Listen: cfg.Swarm, Public: cfg.Public, Store: store, Agent: cfg.Agent, NoPrivate: cfg.NoPrivate,
		Up: up, Down: down, Metrics: figures, Log: cfg.Log})
	if err != nil {
		return fmt.Errorf("%w; choose other addresses with --swarm-addr", err)
	}
	l, err := httpd.Listen(httpd.Local(cfg.GatewayPort), "files", "--gateway-port")
	if err != nil {
		return errors.Join(err, e.Close())
	}
	h, err := gateway.New(gateway.Config{Store: store, Replicas: providers(n), Up: up, Metrics: figures, Registry: cfg.Registry})
	if err != nil {
		return errors.Join(err, l.Close(), e.Close())
	}
	o, err := newOrders(&cfg, w, n, e)
	if err != nil {
		return errors.Join(err, l.Close(), e.Close())
	}
	if o.sources, err = cfg.Directory.Open(e, cfg.Dir, cfg.Registry, cfg.Log); err != nil {
		return errors.Join(err, l.Close(), e.Close())
	}
	cfg.Log.Info("ipfs", "swarm", e.Addresses(), "gateway", "http://"+l.Addr().String())
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	g.Go("swarm", e.Run)
	g.Go("gateway", func(ctx context.Context) error { return httpd.Serve(ctx, l, h, httpd.Limits{}) }) // who reads blocks asks again
	g.Go("endpoint", func(ctx context.Context) error { return publish(ctx, n, key, e.Endpoint(), cfg.Log) })
	g.Go("orders", o.run)
	if d := o.sources.Directory; d != nil {
		g.Go("directory", d.Run)
		g.Go("announce", func(ctx context.Context) error { return Announce(ctx, d, staying(w), cfg.Log) })
	}
	return g.Wait()
}

// staying lists the files that a worker has and means to keep.
func staying(w *worker.Worker) func(context.Context) ([]dag.CID, error) {
	return func(context.Context) (roots []dag.CID, _ error) {
		for _, f := range w.Files() {
			if f.State != worker.Leaving {
				roots = append(roots, f.Root)
			}
		}
		return roots, nil
	}
}

// providers says from the chain who has a file.
func providers(n *reporter.Node) gateway.Replicas {
	return func(ctx context.Context, root dag.CID) (list []gateway.Provider, err error) {
		endpoints, err := Holders(ctx, n.Client(), root.String())
		for _, p := range endpoints {
			found := gateway.Provider{Protocols: []string{routing.Bitswap}}
			for _, text := range p.Texts() {
				at := strings.LastIndex(text, "/p2p/")
				found.ID, found.Addrs = text[at+len("/p2p/"):], append(found.Addrs, text[:at])
			}
			if found.ID != "" {
				list = append(list, found)
			}
		}
		return list, err
	}
}

// pickerConfig says which orders the node takes.
func (cfg *Config) pickerConfig(n *reporter.Node, reportSlot uint32) picker.Config {
	p := picker.Default(n.Account(), n.Account(), reportSlot)
	p.MaxSize = cfg.MaxSize
	p.Take, p.Refuse = set(cfg.Take), set(cfg.Refuse)
	return p
}

// set is a set of CIDs, by their canonical text.
func set(texts []string) map[string]struct{} {
	all := map[string]struct{}{}
	for _, text := range texts {
		if c, err := dag.Parse(text); err == nil {
			text = c.String()
		}
		all[text] = struct{}{}
	}
	return all
}
