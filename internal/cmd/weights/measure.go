package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// effort is how long a measurement takes.
type effort struct{ rounds, each int } // each is executions in a round

var (
	thorough = effort{24, 50}
	brief    = effort{6, 20} // for a check, which measures again if in doubt
	keysOnly = effort{}      // no time at all; keys are always the same
)

// The database's cost of a key, as the System pallet says: of a read, and of a
// write with its share of the state root.
const (
	readCost  = 3_000_000
	writeCost = 6_000_000
)

// world is a state to execute on.
type world struct {
	rt      *runtime.Runtime
	pallets *runtime.Pallets
	view    *state.Mem
	author  babe.Key
	effort  effort
}

// newWorld is a development chain with that many validators.
func newWorld(validators int, how effort) (*world, error) {
	n := runtime.Networks()["dev"]
	n.Preset.Storage.PunishmentSlots = runtime.Production().Storage.PunishmentSlots // as long as a worker's record gets
	for i := 1; i < validators; i++ {
		name := fmt.Sprintf("V%d", i)
		n.Validators, n.Endowed = append(n.Validators, name), append(n.Endowed, "//"+name+"//stash")
	}
	spec, err := n.Spec()
	if err != nil {
		return nil, err
	}
	rt, raw, err := runtime.Load(spec)
	if err != nil {
		return nil, err
	}
	entries, err := raw.Entries()
	if err != nil {
		return nil, err
	}
	p := runtime.PalletsOf(rt)
	p.Grandpa.ForcedChanges = true                                                       // what is refused otherwise costs nothing
	p.Market.MaxWork = frame.ConstOf(types.Weight{RefTime: 1 << 60, ProofSize: 1 << 60}) // so that the hook does all there is, whatever it weighs now
	alice, err := crypto.ParseURI("//Alice", crypto.Sr25519)
	if err != nil {
		return nil, err
	}
	return &world{rt, p, state.NewMem(entries), alice.(crypto.Sr25519Pair).KeyPair, how}, nil
}

// firstSlot is the slot of block 1.
const firstSlot = types.Slot(1_700_000_000)

// header begins a block in that slot, with a claim of a real VRF.
func (w *world) header(n types.BlockNumber, slot types.Slot) (*types.Header, error) {
	e := w.rt.Frame.NewEnv(w.view)
	var as []babe.Authority // the author alone, wherever it stands among the elected: every slot is its own
	for _, a := range w.pallets.Babe.Authorities.Get(e) {
		if [32]byte(a.Key) == w.author.Public() {
			as = append(as, babe.Authority{Key: [32]byte(a.Key), Weight: a.Weight})
		}
	}
	epoch := &babe.Epoch{Authorities: as, Config: babe.EpochConfig{Allowed: babe.PrimaryAndSecondaryVRF}}
	claim, _, ok := babe.Claim(slot, epoch, []babe.Key{w.author})
	if !ok {
		return nil, fmt.Errorf("no claim on slot %d", slot)
	}
	return &types.Header{Number: n, ParentHash: types.Hash{1}, Digest: types.Digest{claim.Item()}}, nil
}

// begin begins a block with a view that counts reads.
func (w *world) begin(h *types.Header) (*frame.Env, *counter) {
	c := &counter{Mem: w.view, keys: map[string]int{}}
	return w.rt.Frame.Begin(c, h), c
}

// counter is a state that knows which keys were read.
type counter struct {
	*state.Mem
	keys map[string]int // length of key and value
}

// Get implements state.View.
func (c *counter) Get(key []byte) ([]byte, bool, error) {
	v, ok, err := c.Mem.Get(key)
	c.keys[string(key)] = len(key) + len(v)
	return v, ok, err
}

// Iterate implements state.View.
func (c *counter) Iterate(prefix, from []byte) state.Iterator {
	return &counting{c.Mem.Iterate(prefix, from), c}
}

// counting is an iterator whose keys count as read.
type counting struct {
	state.Iterator
	c *counter
}

// Next implements state.Iterator.
func (i *counting) Next() bool {
	ok := i.Iterator.Next()
	if ok {
		i.c.keys[string(i.Key())] = len(i.Key()) + len(i.Value())
	}
	return ok
}

// run is one thing to measure: setup is not counted, and returns what is.
type run func(w *world, h *types.Header) (e *frame.Env, c *counter, f func() error, err error)

// measure returns the weight of what setup prepares.
func measure(w *world, setup run) (types.Weight, error) {
	h, err := w.header(1, firstSlot)
	if err != nil {
		return types.Weight{}, err
	}
	ref, proof, err := dbCost(w, h, setup)
	if err != nil {
		return types.Weight{}, err
	}
	fs := make([]func() error, w.effort.each)
	time, err := w.effort.repeat(func() error {
		for i := range fs {
			if _, _, fs[i], err = setup(w, h); err != nil {
				return err
			}
		}
		return nil
	}, func(i int) error { return fs[i]() })
	return types.Weight{RefTime: ref + time, ProofSize: proof}, err
}

// repeat returns how many picoseconds f takes; prepare comes before each round.
func (t effort) repeat(prepare func() error, f func(i int) error) (uint64, error) {
	if t == keysOnly {
		return 0, nil
	}
	var took []time.Duration
	for range t.rounds {
		if err := prepare(); err != nil {
			return 0, err
		}
		start := time.Now()
		for i := range t.each {
			if err := f(i); err != nil {
				return 0, err
			}
		}
		took = append(took, time.Since(start)/time.Duration(t.each))
	}
	slices.Sort(took)
	return uint64(took[len(took)/4].Nanoseconds()) * 1000, nil
}

// beginCost is what the beginning of a block in that slot costs.
func (w *world) beginCost(n types.BlockNumber, slot types.Slot) (types.Weight, error) {
	h, err := w.header(n, slot)
	if err != nil {
		return types.Weight{}, err
	}
	time, err := w.effort.repeat(func() error { return nil }, func(int) error { w.begin(h); return nil })
	e, c := w.begin(h)
	out := types.Weight{RefTime: time + uint64(len(c.keys))*readCost + uint64(len(e.Changes()))*writeCost}
	for _, n := range c.keys {
		out.ProofSize += uint64(n)
	}
	return out, err
}

// dbCost is the cost of the keys that are touched for the first time.
func dbCost(w *world, h *types.Header, setup run) (ref, proof uint64, err error) {
	e, c, f, err := setup(w, h)
	if err != nil {
		return 0, 0, err
	}
	clear(c.keys)
	written := map[string]bool{}
	for _, ch := range e.Changes() {
		written[string(ch.Key)] = true
	}
	if err := f(); err != nil {
		return 0, 0, err
	}
	for _, n := range c.keys {
		ref += readCost
		proof += uint64(n)
	}
	for _, ch := range e.Changes() {
		if !written[string(ch.Key)] {
			ref += writeCost
		}
	}
	return ref, proof, nil
}

// roundUp rounds up to two digits.
func roundUp(n uint64) uint64 {
	unit := uint64(1)
	for n/unit >= 100 {
		unit *= 10
	}
	return (n + unit - 1) / unit * unit
}

func rounded(w types.Weight) types.Weight {
	return types.Weight{RefTime: roundUp(w.RefTime), ProofSize: roundUp(w.ProofSize)}
}
