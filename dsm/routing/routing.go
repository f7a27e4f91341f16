package routing

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/namespace"
	pebbleds "github.com/ipfs/go-ds-pebble"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/dual"
	"github.com/libp2p/go-libp2p-kad-dht/provider"
	"github.com/libp2p/go-libp2p-kad-dht/provider/keystore"
	"github.com/libp2p/go-libp2p-kad-dht/provider/stats"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/autonat"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	mh "github.com/multiformats/go-multihash"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/crustgo/crust/mpow/dag"
)

// Part is what a node does in the directory.
type Part int

const (
	// Client asks, and says what the node has.
	Client Part = iota
	// Server also keeps a part of the directory for others.
	Server
	// Auto is a server while others can reach the node, and a client while they cannot or
	// nobody knows. Those that it meets are asked to try, by libp2p's AutoNAT. In a local
	// network it is a server.
	Auto
)

// Config says what a directory is.
type Config struct {
	// Host is the node's place in the network, which its owner closes.
	Host host.Host
	// Peers are nodes to begin with. If there are none the public network's own are taken,
	// and in a local one whoever connects.
	Peers []peer.AddrInfo
	// Local is the directory of the local network, where addresses are private.
	Local bool
	// Part is what the node does in it.
	Part Part
	// Dir is where it remembers what was announced when, and keeps its part.
	Dir string
	// Retry is how long to wait before what could not be announced is tried again
	// (default 5 seconds).
	Retry time.Duration
	// Log is told what an operator would want to know; nil discards it.
	Log *slog.Logger
}

// Directory is a node's part in the directory. All methods may be called at the same
// time.
type Directory struct {
	cfg     Config
	db      datastore.Batching
	fence   *fence          // before it, for kad
	nat     autonat.AutoNAT // nil if nobody has to ask
	kad     *dht.IpfsDHT
	keys    keystore.Keystore
	sweeper *provider.SweepingProvider

	told    atomic.Int64  // files that are announced
	changed chan struct{} // holds one wake-up for Run
	mu      sync.Mutex
	wanted  map[string]struct{} // multihashes that are to be announced; nil before anybody said

	// Of Run alone.
	announced map[string]struct{} // what the sweeper has; nil before it was read
	all       bool                // whether what it has may not have been told
	met       bool                // whether there has been anybody to tell
	warned    bool                // that the node has no address to tell
}

// What a directory may use of the machine.
const (
	memTableBytes = 2 << 20
	cacheBytes    = 4 << 20
	workers       = 4
	connsByWorker = 10
)

const (
	lookEvery   = time.Minute // how often is looked whether the directory is still there
	dialTimeout = 5 * time.Second
)

// clean stands in the store of a directory that was closed: what it had queued is in
// there, too.
var clean = datastore.NewKey("/clean")

// Open joins the directory. The caller closes it if it does not call Run.
func Open(cfg Config) (_ *Directory, err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Retry == 0 {
		cfg.Retry = 5 * time.Second
	}
	if len(cfg.Peers) == 0 && !cfg.Local {
		cfg.Peers = dht.GetDefaultBootstrapPeerAddrInfos()
	}
	if cfg.Part == Auto && cfg.Local {
		cfg.Part = Server
	}
	d := &Directory{cfg: cfg, changed: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("routing: %w", errors.Join(err, d.close()))
		}
	}()
	db, err := pebbleds.NewDatastore(cfg.Dir, pebbleds.WithCacheSize(cacheBytes), pebbleds.WithPebbleOpts(&pebble.Options{
		MemTableSize: memTableBytes, FormatMajorVersion: pebble.FormatValueSeparation, Logger: quiet{}}))
	if err != nil {
		return nil, err
	}
	d.db, d.fence = db, &fence{Batching: db, usage: db.DiskUsage}
	ctx := context.Background()
	wasClean, err := d.db.Has(ctx, clean)
	if err != nil {
		return nil, err
	}
	d.all = !wasClean
	if err := errors.Join(d.db.Delete(ctx, clean), d.db.Sync(ctx, clean)); err != nil {
		return nil, err
	}
	if cfg.Part == Auto {
		if d.nat, err = autonat.New(cfg.Host, autonat.WithoutStartupDelay()); err != nil {
			return nil, err
		}
	}
	if d.kad, err = dht.New(cfg.Host, d.options()...); err != nil {
		return nil, err
	}
	if d.keys, err = keystore.NewKeystore(namespace.Wrap(d.db, datastore.NewKey("/keys"))); err != nil {
		return nil, err
	}
	d.sweeper, err = provider.New(provider.WithHost(cfg.Host), provider.WithRouter(d.kad), provider.WithMessageSender(d.kad.MessageSender()),
		provider.WithSelfAddrs(d.kad.FilteredAddrs), provider.WithKeystore(d.keys), provider.WithDatastore(namespace.Wrap(d.db, datastore.NewKey("/sweep"))),
		provider.WithAddLocalRecord(func(key mh.Multihash) error { return d.kad.Provide(ctx, cid.NewCidV1(cid.Raw, key), false) }),
		provider.WithMaxWorkers(workers), provider.WithMaxProvideConnsPerWorker(connsByWorker))
	return d, err
}

// options are those of the two directories that package dual would keep side by side.
func (d *Directory) options() []dht.Option {
	mode := map[Part]dht.ModeOpt{Client: dht.ModeClient, Server: dht.ModeServer, Auto: dht.ModeAuto}[d.cfg.Part]
	options := []dht.Option{dht.Mode(mode), dht.BootstrapPeers(d.cfg.Peers...), dht.Datastore(namespace.Wrap(d.fence, datastore.NewKey("/dht")))}
	if d.cfg.Local {
		return append(options, dht.ProtocolExtension(dual.LanExtension), dht.QueryFilter(dht.PrivateQueryFilter), dht.RoutingTableFilter(dht.PrivateRoutingTableFilter),
			dht.AddressFilter(func(all []ma.Multiaddr) []ma.Multiaddr { return all }))
	}
	return append(options, dht.QueryFilter(dht.PublicQueryFilter), dht.RoutingTableFilter(dht.PublicRoutingTableFilter),
		dht.AddressFilter(func(all []ma.Multiaddr) []ma.Multiaddr { return ma.FilterAddrs(all, manet.IsPublicAddr) }))
}

// Run announces until ctx ends, and closes the directory.
func (d *Directory) Run(ctx context.Context) error {
	retry := time.NewTimer(0)
	defer retry.Stop()
	for served := d.serves(); ; {
		select {
		case <-ctx.Done():
			return errors.Join(d.Close(), ctx.Err())
		case <-d.changed:
		case <-retry.C:
		}
		if d.Peers() == 0 {
			d.meet(ctx)
		}
		if now := d.serves(); now != served {
			served = now
			d.cfg.Log.Info("part in the directory of the IPFS network, by whether others can reach this node", "server", served)
		}
		done, err := d.tell(ctx)
		if err != nil && ctx.Err() == nil {
			d.cfg.Log.Warn("what this node has is not announced for a moment", "error", err)
		}
		if done && d.Peers() > 0 {
			retry.Reset(lookEvery)
		} else {
			retry.Reset(d.cfg.Retry)
		}
	}
}

// meet connects to the nodes to begin with. Kademlia itself would try those that are not
// there yet again after minutes.
func (d *Directory) meet(ctx context.Context) {
	for _, p := range d.cfg.Peers {
		within, cancel := context.WithTimeout(ctx, dialTimeout)
		err := d.cfg.Host.Connect(within, p)
		cancel()
		if err != nil && ctx.Err() == nil {
			d.cfg.Log.Debug("cannot connect to a node of the directory", "peer", p.ID, "err", err)
		}
	}
}

// Close leaves the directory, if it is one. It is Run that calls it, where Run is called.
func (d *Directory) Close() error {
	if d == nil {
		return nil
	}
	err := d.close()
	if err != nil {
		err = fmt.Errorf("routing: %w", err)
	}
	return err
}

// close closes what is open. The store, which the others use, comes last.
func (d *Directory) close() (err error) {
	ctx := context.Background()
	if d.sweeper != nil {
		if s, failed := d.sweeper.Stats(ctx); failed != nil || s.Operations.Ongoing != (stats.OngoingOperations{}) {
			d.all = true // what is on its way may be lost
		}
		err = d.sweeper.Close()
	}
	if d.keys != nil {
		err = errors.Join(err, d.keys.Close())
	}
	if d.kad != nil {
		err = errors.Join(err, d.kad.Close())
	}
	if d.nat != nil {
		err = errors.Join(err, d.nat.Close())
	}
	if d.db != nil {
		d.fence.close()
		if err == nil && d.sweeper != nil && !d.all {
			err = errors.Join(d.db.Put(ctx, clean, []byte{1}), d.db.Sync(ctx, clean))
		}
		err = errors.Join(err, d.db.Close())
	}
	return err
}

// Announce says which files the node has: these, and no others.
func (d *Directory) Announce(roots []dag.CID) {
	wanted := make(map[string]struct{}, len(roots))
	for _, root := range roots {
		if c, err := cid.Cast(root.Bytes()); err == nil { // a dag.CID is one
			wanted[string(c.Hash())] = struct{}{}
		}
	}
	d.mu.Lock()
	d.wanted = wanted
	d.mu.Unlock()
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// tell gives the sweeper what has changed, and reports whether nothing is left to do.
// While nobody can be told it is given nothing, for it would wait with that until the
// next round, in 22 hours.
func (d *Directory) tell(ctx context.Context) (done bool, err error) {
	d.mu.Lock()
	wanted := d.wanted
	d.mu.Unlock()
	if wanted == nil {
		return true, nil
	}
	if online, err := d.online(ctx); err != nil || !online {
		return false, err
	}
	if d.announced == nil {
		known, err := d.keys.Get(ctx, "")
		if err != nil {
			return false, err
		}
		d.announced = make(map[string]struct{}, len(known))
		for _, key := range known {
			d.announced[string(key)] = struct{}{}
		}
	}
	var begin, end []mh.Multihash
	for key := range wanted {
		if _, ok := d.announced[key]; !ok || d.all {
			begin = append(begin, mh.Multihash(key))
		}
	}
	for key := range d.announced {
		if _, ok := wanted[key]; !ok {
			end = append(end, mh.Multihash(key))
		}
	}
	if err := errors.Join(d.sweeper.StopProviding(end...), d.sweeper.StartProviding(d.all, begin...)); err != nil {
		return false, err
	}
	d.announced, d.all = wanted, false
	d.told.Store(int64(len(wanted)))
	if len(begin)+len(end) > 0 {
		d.cfg.Log.Info("announced in the directory of the IPFS network", "new", len(begin), "gone", len(end), "all", len(wanted))
	}
	return true, nil
}

// online reports whether the sweeper would tell what it is given. It is online before it
// knows how large the network is, and passes over what it is given in between; it forgets
// what it has not told when it is offline for long; and it tells nothing of a node that
// has no address.
func (d *Directory) online(ctx context.Context) (bool, error) {
	s, err := d.sweeper.Stats(ctx)
	if err != nil {
		return false, err
	}
	switch {
	case s.Connectivity.Status == "offline":
		d.all = d.all || d.met
		return false, nil
	case s.Connectivity.Status != "online" || s.Schedule.AvgPrefixLength < 0:
		return false, nil
	case len(d.kad.FilteredAddrs()) == 0:
		if !d.warned {
			d.cfg.Log.Warn("no file is announced in the directory of the IPFS network: this node knows no address by which others reach it; name one with --public-addr")
		}
		d.warned = true
		return false, nil
	}
	d.met = true
	return true, nil
}

// Find looks for nodes that say they have a file, until it has found so many or ctx ends.
func (d *Directory) Find(ctx context.Context, root dag.CID, most int) iter.Seq[peer.AddrInfo] {
	return func(yield func(peer.AddrInfo) bool) {
		c, err := cid.Cast(root.Bytes())
		if err != nil {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		found := 0
		for info := range d.kad.FindProvidersAsync(ctx, c, 0) { // who has no address does not count
			if info.ID == d.cfg.Host.ID() || len(info.Addrs) == 0 {
				continue
			}
			if found++; !yield(info) || found == most {
				return
			}
		}
	}
}

// Peers is how many nodes of the directory are known.
func (d *Directory) Peers() int { return d.kad.RoutingTable().Size() }

// serves reports whether others are told that they can ask this node.
func (d *Directory) serves() bool {
	id := dht.DefaultPrefix
	if d.cfg.Local {
		id += dual.LanExtension
	}
	return slices.Contains(d.cfg.Host.Mux().Protocols(), id+"/kad/1.0.0")
}

// Figures are crust_ipfs_directory_peers, crust_ipfs_directory_server and
// crust_ipfs_announced_files, for a registry.
func (d *Directory) Figures() []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "crust_ipfs_directory_peers", Help: "Nodes of the IPFS directory that are known"},
			func() float64 { return float64(d.Peers()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "crust_ipfs_directory_server", Help: "Whether a part of the IPFS directory is kept for others"},
			func() float64 {
				if d.serves() {
					return 1
				}
				return 0
			}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "crust_ipfs_announced_files", Help: "Files that are announced in the IPFS directory"},
			func() float64 { return float64(d.told.Load()) }),
	}
}

// quiet discards what the database reports of itself.
type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, a ...any) { panic(fmt.Sprintf("routing: "+format, a...)) }
