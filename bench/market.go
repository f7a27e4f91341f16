package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/gpos/benefits"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// MarketCase is a market with many live orders, and what is done with it.
type MarketCase struct {
	Orders  int // live at first
	Workers int // that hold them
	Waiting int // changes of replicas that wait
	Blocks  int // of each kind of order
	Calls   int // in such a block

	Weight uint64 // of a block, in picoseconds; that of real networks if 0
}

// MarketCost is what one call or change cost, in CPU time: alone, and in a block with
// everything that belongs to it.
type MarketCost struct {
	What    string
	Calls   int
	Alone   time.Duration // executed on the state, without signature and fee, root and commit, and without the collector
	Execute time.Duration // of a block: transactions without signatures, hooks
	Root    time.Duration
	Commit  time.Duration // final and in the base, compactions included
	Wall    time.Duration // of the three
}

// Block is all of it.
func (c *MarketCost) Block() time.Duration { return c.Execute + c.Root + c.Commit }

// MarketResult is what a market of some size costs.
type MarketResult struct {
	MarketCase
	Generate    time.Duration // by the clock
	GenerateCPU time.Duration
	StateBytes  uint64 // of keys and values
	Entries     uint64
	DiskBytes   uint64
	GenerateRSS int64 // the most while the state was made
	RSS         int64 // at the end
	Metrics     store.Metrics
	Costs       []MarketCost
}

// marketBench is a chain whose genesis has a crowd of orders.
type marketBench struct {
	MarketCase
	world   *World
	chain   *Chain
	dir     string
	random  *rand.Rand
	known   []market.PlaceStorageOrderArgs // of orders of the crowd, at random over all, in the order in which they are used
	fresh   int                            // new names that were used
	ordered []market.AddedFile             // what ordersOf had ordered in blocks when it last did
	owners  []market.Lineage               // of workers whose reports wait
	next    []market.CrowdReport           // of theirs, without files
}

// marketNetwork is the development network with one validator and what concerns
// files and the size of blocks as on real networks.
func marketNetwork(weight uint64) runtime.Network {
	n, p := runtime.Networks()["dev"], runtime.Production()
	n.Preset.NormalWeight, n.Preset.EpochLength, n.Preset.Market, n.Preset.Storage.ReportSlot = cmp.Or(weight, p.NormalWeight), p.EpochLength, p.Market, p.Storage.ReportSlot
	return n
}

// Market generates the state of c on disk and measures on it.
func Market(ctx context.Context, c MarketCase, progress func(string, ...any)) (r MarketResult, err error) {
	r.MarketCase = c
	m := &marketBench{MarketCase: c, random: rand.New(rand.NewPCG(1, uint64(c.Orders)))}
	if m.dir, err = os.MkdirTemp("", "crust-bench-"); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(m.dir)) }()
	if err := m.generate(&r); err != nil {
		return r, err
	}
	progress("%d orders: %.0f s, %d MiB", c.Orders, r.Generate.Seconds(), r.DiskBytes>>20)
	if m.chain, err = m.world.Open(m.dir); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, m.chain.DB.Close()) }()
	for _, f := range []func() (MarketCost, error){
		m.changes, m.ordersOf("an order of a known file", m.knownOrder), m.ordersOf("an order of a new file", m.newOrder), m.replicas,
	} {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		cost, err := f()
		if err != nil {
			return r, fmt.Errorf("%d orders: %w", c.Orders, err)
		}
		r.Costs = append(r.Costs, cost)
		progress("%s: %v alone, %v in a block", cost.What, cost.Alone, cost.Block())
	}
	r.Metrics = m.chain.DB.Metrics()
	r.RSS, _, err = rssOf(os.Getpid())
	return r, err
}

// generate writes genesis with the crowd into the store, and keeps what is needed of
// the crowd, which is large.
func (m *marketBench) generate(r *MarketResult) error {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(7 << 30)) // names and their order need more than a node has
	cpu, start := CPU(), time.Now()
	network := marketNetwork(m.Weight)
	pallets := runtime.PalletsOf(runtime.New(network.Preset))
	crowd := pallets.Market.NewCrowd(market.CrowdConfig{Orders: m.Orders, Workers: m.Workers, Waiting: m.Waiting, Par: lifecycle.Parallel})
	pot := balances.Endowment{Account: market.StoragePot, Amount: crowd.Held().AddSat(pallets.Balances.MinimumBalance())}
	var err error
	if m.world, err = newWorld(network, m.Calls, pot); err != nil {
		return err
	}
	entries, err := m.world.Spec.Entries()
	if err != nil {
		return err
	}
	for owner, merchant := range crowd.Merchants() {
		b := benefits.MarketBenefit{FileReward: merchant.Unpaid}
		codec := scale.CodecOf[benefits.MarketBenefit]()
		entries = append(entries, trie.KV{Key: pallets.Benefits.MarketBenefits.Key(owner), Value: codec.Append(nil, &b)})
	}
	db, err := store.Open(m.dir, store.Options{Par: lifecycle.Parallel})
	if err != nil {
		return err
	}
	all := func(yield func(key, value []byte) bool) {
		for k, v := range merged(trie.SortEntries(entries), crowd.Entries()) {
			r.Entries++
			if r.StateBytes += uint64(len(k) + len(v)); !yield(k, v) {
				return
			}
		}
	}
	err = db.StreamGenesis(all, func(root types.Hash) (store.Block, error) {
		h := &m.world.header
		h.StateRoot = root
		return store.Block{BlockInfo: store.BlockInfo{Hash: h.Hash(), StateRoot: root}, Header: scale.Encode(h), Body: types.AppendBody(nil, nil)}, nil
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	for range 3 * m.Blocks * m.Calls {
		i := m.random.IntN(m.Orders)
		m.known = append(m.known, market.PlaceStorageOrderArgs{Cid: []byte(crowd.Name(i)), ReportedFileSize: crowd.Size(i)})
	}
	m.owners, m.next = crowd.Reporters(), crowd.Next()
	r.Generate, r.GenerateCPU = time.Since(start), CPU()-cpu
	if r.DiskBytes, err = dirBytes(m.dir); err != nil {
		return err
	}
	_, r.GenerateRSS, err = rssOf(os.Getpid())
	crowd = nil
	debug.FreeOSMemory()
	return err
}

// merged is two states as one, both in key order; of a key in both, the second one's value counts.
func merged(few []trie.KV, many iter.Seq2[[]byte, []byte]) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		rest := few
		for k, v := range many {
			for len(rest) > 0 && bytes.Compare(rest[0].Key, k) < 0 {
				if !yield(rest[0].Key, rest[0].Value) {
					return
				}
				rest = rest[1:]
			}
			if len(rest) > 0 && bytes.Equal(rest[0].Key, k) {
				rest = rest[1:]
			}
			if !yield(k, v) {
				return
			}
		}
		for _, e := range rest {
			if !yield(e.Key, e.Value) {
				return
			}
		}
	}
}

// block makes the next block with transactions, makes it final, and adds what it took.
func (m *marketBench) block(c *MarketCost, txs []types.Extrinsic) error {
	var b *types.Block
	var out frame.Outcome
	steps := []struct {
		took *time.Duration
		do   func() error
	}{
		{&c.Execute, func() (err error) { b, out, err = m.world.execute(m.chain, txs); return err }},
		{&c.Root, func() error { return m.world.seal(m.chain, b, out) }},
		{&c.Commit, func() error {
			_, err := m.chain.ImportOwn(b, out)
			return errors.Join(err, m.world.Finalise(m.chain))
		}},
	}
	start := time.Now()
	for _, s := range steps {
		took, err := cpuOf(s.do)
		if err != nil {
			return err
		}
		*s.took += took
	}
	c.Wall += time.Since(start)
	return nil
}

// compactionRest is for how long compactions have to stand still to be over.
const compactionRest = time.Second

// settle moves the base up to the last block and waits for the compactions that follow.
func (m *marketBench) settle(c *MarketCost) error {
	start := time.Now()
	took, err := cpuOf(m.chain.DB.Checkpoint)
	c.Wall += time.Since(start)
	c.Commit += took
	rest(c)
	return err
}

// rest waits for compactions to be over, and counts them as part of the commits that
// caused them.
func rest(c *MarketCost) {
	start := CPU()
	for busy := compactionRest; busy > compactionRest/10; {
		before := CPU()
		time.Sleep(compactionRest)
		busy = CPU() - before
	}
	c.Commit += CPU() - start
}

// per divides by the number of calls.
func (c *MarketCost) per(alone int) {
	c.Alone /= time.Duration(max(1, alone))
	for _, d := range []*time.Duration{&c.Execute, &c.Root, &c.Commit, &c.Wall} {
		*d /= time.Duration(max(1, c.Calls))
	}
}

// begin is the next block, with its hooks executed, which are not to be counted.
func (m *marketBench) begin() (*frame.Env, error) {
	best := m.chain.Heads().Best
	view, err := m.chain.ViewAt(best.Hash)
	if err != nil {
		return nil, err
	}
	return m.world.Runtime.Frame.Begin(view, &types.Header{ParentHash: best.Hash, Number: best.Number + 1}), nil
}

// waiting is how many changes of replicas wait.
func (m *marketBench) waiting() (n int, err error) {
	view, err := m.chain.ViewAt(m.chain.Heads().Best.Hash)
	if err != nil {
		return 0, err
	}
	e, p := m.world.Runtime.Frame.NewEnv(view), runtime.PalletsOf(m.world.Runtime).Market
	for _, l := range m.owners {
		n += int(p.Queues.Get(e, l).Changes)
	}
	return n, nil
}

// changes works off the reports of the crowd.
func (m *marketBench) changes() (MarketCost, error) { return m.workOff("a change of a replica") }

// replicas has workers report the files that were just ordered, and works that off.
func (m *marketBench) replicas() (MarketCost, error) {
	if err := m.sealed(); err != nil {
		return MarketCost{}, err
	}
	return m.workOff("a replica of a file just ordered")
}

// workOff works off what waits, in blocks without transactions: one is measured as a
// block, the next one's hooks alone, and so on. The first are not counted: they load
// what every block needs.
func (m *marketBench) workOff(what string) (MarketCost, error) {
	c := MarketCost{What: what}
	before, err := m.waiting()
	if err != nil {
		return c, err
	}
	alone, into := 0, new(MarketCost)
	for n := 0; before > 0; n++ {
		hooks := time.Duration(0)
		if n%2 == 1 {
			rest(into) // not to be taken for part of the hooks
			if hooks, err = cpuUncollected(func() error { _, err := m.begin(); return err }); err != nil {
				return c, err
			}
		}
		into = new(MarketCost)
		if n > 1 && n%2 == 0 {
			into = &c
		}
		if err := m.block(into, nil); err != nil {
			return c, err
		}
		now, err := m.waiting()
		if err != nil {
			return c, err
		}
		switch {
		case now == before:
			return c, fmt.Errorf("%d changes wait for ever", now)
		case into == &c:
			c.Calls += before - now
		case n > 1:
			c.Alone, alone = c.Alone+hooks, alone+before-now
		}
		before = now
	}
	err = m.settle(&c)
	c.per(alone)
	return c, err
}

// sealed has workers report the files that were just ordered, which waits from then on.
func (m *marketBench) sealed() error {
	view, err := m.chain.ViewAt(m.chain.Heads().Best.Hash)
	if err != nil {
		return err
	}
	e, p := m.world.Runtime.Frame.NewEnv(view), runtime.PalletsOf(m.world.Runtime).Market
	each := (len(m.ordered) + len(m.next) - 1) / len(m.next)
	for i, files := range slices.Collect(slices.Chunk(m.ordered, each)) {
		r := m.next[i]
		r.Report.Added = files
		if err := p.QueueReport(e, r.Worker, r.Report); err != nil {
			return err
		}
	}
	var set system.SetStorageArgs
	for _, c := range e.Changes() {
		set.Items = append(set.Items, system.KeyValue{A: c.Key, B: c.Value})
	}
	tx, err := m.world.setStorage(&set)
	if err != nil {
		return err
	}
	return m.block(new(MarketCost), []types.Extrinsic{tx})
}

// ordersOf measures orders that next gives: blocks full of them, and as many calls
// alone. The first block is not counted.
func (m *marketBench) ordersOf(what string, next func() market.PlaceStorageOrderArgs) func() (MarketCost, error) {
	return func() (MarketCost, error) {
		c := MarketCost{What: what, Calls: m.Blocks * m.Calls}
		m.ordered = nil
		for n := -1; n < m.Blocks; n++ {
			from, args := make([]int, m.Calls), make([]market.PlaceStorageOrderArgs, m.Calls)
			for i := range from {
				from[i], args[i] = i, next()
				m.ordered = append(m.ordered, market.AddedFile{File: market.Key(args[i].Cid), Size: args[i].ReportedFileSize})
			}
			txs, err := m.world.sign(from, func(i int) (frame.RuntimeCall, error) { return m.call(&args[i]) })
			if err != nil {
				return c, err
			}
			into := &c
			if n < 0 {
				into = new(MarketCost)
			}
			if err := m.block(into, txs); err != nil {
				return c, err
			}
		}
		for range 2 { // in which what the last ones ask for is done
			if err := m.block(&c, nil); err != nil {
				return c, err
			}
		}
		if err := m.settle(&c); err != nil {
			return c, err
		}
		e, err := m.begin()
		if err != nil {
			return c, err
		}
		calls := make([]frame.RuntimeCall, m.Blocks*m.Calls/2)
		for i := range calls {
			args := next()
			if calls[i], err = m.call(&args); err != nil {
				return c, err
			}
		}
		c.Alone, err = cpuUncollected(func() error {
			for i, call := range calls {
				who := m.world.Keys[i%len(m.world.Keys)].Public()
				if err := e.Transactional(func() error { return call.Dispatch(e, frame.Signed(who)) }); err != nil {
					return err
				}
			}
			return nil
		})
		c.per(len(calls))
		return c, err
	}
}

func (m *marketBench) call(args *market.PlaceStorageOrderArgs) (frame.RuntimeCall, error) {
	return m.world.Runtime.Frame.NewRuntimeCall("Market", "place_storage_order", args)
}

func (m *marketBench) knownOrder() (args market.PlaceStorageOrderArgs) {
	args, m.known = m.known[0], m.known[1:]
	return args
}

func (m *marketBench) newOrder() market.PlaceStorageOrderArgs {
	digest := hash.Blake2b256(binary.LittleEndian.AppendUint64([]byte("new"), uint64(m.fresh)))
	m.fresh++
	name := dag.FromSum(dag.DagPB, digest)
	return market.PlaceStorageOrderArgs{Cid: []byte(name.String()), ReportedFileSize: 1 << 20}
}

// marketSection compares markets of some sizes with the smallest.
func marketSection(sizes ...int) func(context.Context, *Run) (string, error) {
	return func(ctx context.Context, r *Run) (string, error) {
		var results []MarketResult
		for _, n := range of(r, sizes, []int{500, 5000}) {
			c := MarketCase{Orders: n, Workers: 1000, Waiting: 40_000, Blocks: 20, Calls: 1000}
			if r.Quick {
				c = MarketCase{Orders: n, Workers: 40, Waiting: 1600, Blocks: 12, Calls: 50, Weight: 40_000_000_000}
			}
			r.progress("%d orders", n)
			one, err := Market(ctx, c, r.progress)
			if err != nil {
				return "", err
			}
			results = append(results, one)
		}
		return marketTables(results), nil
	}
}

func marketTables(results []MarketResult) string {
	var b strings.Builder
	b.WriteString("A market of so many live orders, each with four paid replicas, is generated in the store of a node, with the constants of\n" +
		"a real network. Then reports of replicas, half of them new and half deleted, are worked off, and files are ordered that are\n" +
		"there or not, all at random over all files; at last the new ones get a replica each, as files do soon after their order. CPU\n" +
		"time in µs: of the call alone on the state, without Go's collector; and of blocks, which are executed (without signatures), get a\n" +
		"root, and are final and in the base, collector and compactions included. Ratios are to the first row of the same kind; the limit is 1.3.\n\n" +
		"| what | live orders | alone | ratio | executed | root | commit | in a block | ratio | by the clock | ratio |\n|---|---|---|---|---|---|---|---|---|---|---|\n")
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	for k := range results[0].Costs {
		first := &results[0].Costs[k]
		for i := range results {
			c := &results[i].Costs[k]
			fmt.Fprintf(&b, "| %s | %d | %.0f | %.2f | %.0f | %.0f | %.0f | %.0f | %.2f | %.0f | %.2f |\n", c.What, results[i].Orders, us(c.Alone), ratio(c.Alone, first.Alone),
				us(c.Execute), us(c.Root), us(c.Commit), us(c.Block()), ratio(c.Block(), first.Block()), us(c.Wall), ratio(c.Wall, first.Wall))
		}
	}
	b.WriteString("\n| live orders | entries | state B/order | disk B/order | generated s | CPU s | MiB meanwhile | MiB at the end | values, trie nodes in memory MiB |\n|---|---|---|---|---|---|---|---|---|\n")
	for i := range results {
		r := &results[i]
		n := uint64(r.Orders)
		fmt.Fprintf(&b, "| %d | %d | %d | %d | %.0f | %.0f | %d | %d | %d, %d |\n", r.Orders, r.Entries, r.StateBytes/n, r.DiskBytes/n, r.Generate.Seconds(), r.GenerateCPU.Seconds(),
			r.GenerateRSS>>20, r.RSS>>20, r.Metrics.ValueCacheBytes>>20, r.Metrics.TrieBytes>>20)
	}
	return b.String()
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(max(1, b)) }
