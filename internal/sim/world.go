package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math/rand/v2"
	"time"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// start is when every run begins, in milliseconds: the first moment of a slot.
const start types.Moment = 1_700_000_000_000

// world is a run: all nodes, what lies between them, and the future.
type world struct {
	opt  Options
	rng  *rand.Rand
	now  types.Moment
	todo queue

	network runtime.Network
	runtime *runtime.Runtime
	genesis chain.Genesis
	state   state.View // of block 0
	slot    types.Moment

	nodes   []*node
	links   []*link // in order of their ends
	byEnds  map[[2]int]*link
	sigs    *signatures
	traffic traffic
	plan    plan
	check   checker

	trace  hash.Hash
	result Result
	failed error
}

// maxSlotsPerBlock bounds a run: so many slots for each block that is asked for.
const maxSlotsPerBlock = 4

// Run runs a network. An error is what a checker found, with the command that
// repeats it.
func Run(opt Options) (Result, error) {
	w, err := newWorld(opt)
	if err != nil {
		return Result{}, err
	}
	defer w.close()
	if err := w.run(); err != nil {
		return w.result, fmt.Errorf("at %v: %w\nrepeat: %s", w.elapsed(), err, opt.Replay())
	}
	return w.result, nil
}

func newWorld(opt Options) (*world, error) {
	if opt.Nodes < 1 || opt.Blocks < 1 {
		return nil, fmt.Errorf("a run of %d nodes and %d blocks", opt.Nodes, opt.Blocks)
	}
	w := &world{
		opt: opt, rng: rand.New(rand.NewPCG(opt.Seed, uint64(opt.Nodes))), now: start, byEnds: map[[2]int]*link{},
		network: runtime.Devnet(opt.Nodes), sigs: newSignatures(), trace: sha256.New(),
	}
	// An election for every session; what validators did counts for as long as before.
	stake := &w.network.Preset.Staking
	stake.SessionsPerEra, stake.BondingDuration, stake.SlashDeferDuration = 1, 12, 1
	w.plan.choose(w)
	w.result = Result{Seed: opt.Seed, Injected: map[string]int{}}
	if err := w.loadSpec(); err != nil {
		return nil, err
	}
	if err := w.check.init(w); err != nil {
		return nil, err
	}
	if err := w.traffic.init(w); err != nil {
		return nil, err
	}
	for i := range opt.Nodes {
		n, err := newNode(w, i)
		if err != nil {
			return nil, err
		}
		w.nodes = append(w.nodes, n)
	}
	w.plan.init(w)
	w.connectAll()
	for _, n := range w.nodes {
		if n.quiet {
			continue
		}
		if err := n.start(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// loadSpec makes the chain that all nodes share.
func (w *world) loadSpec() error {
	spec, err := w.network.Spec()
	if err != nil {
		return err
	}
	if err := w.justly(spec); err != nil {
		return err
	}
	var raw *chainspec.Spec
	if w.runtime, raw, err = runtime.Load(spec); err != nil {
		return err
	}
	if w.genesis.Header, err = raw.GenesisHeader(); err != nil {
		return err
	}
	if w.genesis.Entries, err = raw.Entries(); err != nil {
		return err
	}
	w.state = state.NewMem(w.genesis.Entries)
	w.slot = types.Moment(w.runtime.Preset.SlotDuration)
	return nil
}

// run makes things happen until the run is over.
func (w *world) run() error {
	w.traffic.begin()
	w.plan.begin()
	w.redial()
	limit := w.now + maxSlotsPerBlock*types.Moment(w.opt.Blocks)*w.slot + 240_000
	for !w.plan.over() {
		if w.todo.empty() || w.now > limit {
			return fmt.Errorf("only %d of %d blocks are final: %s", w.check.highest, w.opt.Blocks, w.describe())
		}
		var do func()
		w.now, do = w.todo.pop()
		w.result.Events++
		do()
		if w.failed != nil {
			return w.failed
		}
	}
	return w.check.end()
}

// after makes something happen later.
func (w *world) after(delay types.Moment, do func()) { w.todo.push(w.now+delay, do) }

// fail ends the run; the first failure counts.
func (w *world) fail(format string, args ...any) {
	if w.failed == nil {
		w.failed = fmt.Errorf(format, args...)
	}
}

// note adds an event to the trace.
func (w *world) note(what string, node int, detail ...byte) {
	var head [16]byte
	binary.LittleEndian.PutUint64(head[:], uint64(w.now))
	binary.LittleEndian.PutUint64(head[8:], uint64(node))
	w.trace.Write(head[:])
	w.trace.Write([]byte(what))
	w.trace.Write(detail)
	if w.opt.Trace != nil {
		if len(detail) > 48 {
			detail = detail[:48]
		}
		fmt.Fprintf(w.opt.Trace, "%v\t%d\t%s\t%x\n", w.elapsed(), node, what, detail)
	}
}

func (w *world) elapsed() time.Duration { return milliseconds(w.now - start) }

func milliseconds(m types.Moment) time.Duration { return time.Duration(m) * time.Millisecond }

// between draws a duration.
func (w *world) between(low, high types.Moment) types.Moment {
	return low + types.Moment(w.rng.Uint64N(uint64(high-low+1)))
}

// chance is true with a probability of some per mille.
func (w *world) chance(perMille int) bool { return w.rng.IntN(1000) < perMille }

func (w *world) fingerprint() string { return hex.EncodeToString(w.trace.Sum(nil)[:16]) }

// describe says where all nodes are, for failures.
func (w *world) describe() (s string) {
	for _, n := range w.nodes {
		s += n.describe() + "\n"
	}
	return s
}

func (w *world) close() {
	for _, n := range w.nodes {
		if n.up {
			n.up = false
			_ = n.db.Close()
		}
	}
}
