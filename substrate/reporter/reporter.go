package reporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
)

// Limits.
const (
	maxQueue     = 64  // proofs that wait to be taken
	maxPending   = 256 // reports that the chain does not know of yet
	maxTries     = 100 // times that a report is put into the pool
	retryBlocks  = 10  // blocks between two tries
	maxBehind    = 20  // slots that the best block may be behind the clock for heartbeats
	maxProofSize = 2 << 20
)

// Pool is the node's transaction pool.
type Pool interface {
	// SubmitLocal takes a transaction that this node made.
	SubmitLocal(ctx context.Context, raw types.Extrinsic) (types.Hash, error)
}

// Key is an im-online key; *sr25519.KeyPair is one.
type Key interface {
	Public() [32]byte
	// Sign signs in Substrate's context; rand may be nil.
	Sign(msg []byte, rand *[32]byte) [64]byte
}

// Keys are the node's im-online keys; they may change at any time.
type Keys interface {
	ImOnline() []Key
}

// Memory keeps values over a restart; *store.DB is one.
type Memory interface {
	Aux(name string) ([]byte, error)
	PutAux(sync bool, ws ...store.AuxWrite) error
}

// Config is what a Reporter is given.
type Config struct {
	Now    func() types.Moment // the node's clock
	Memory Memory
	Log    *slog.Logger
}

// Core is a Reporter without a goroutine, for one owner.
type Core struct {
	chain   *chain.Manager
	pool    Pool
	keys    Keys
	cfg     Config
	sent    []sent
	pending []Report
}

// Reporter sends heartbeats and reports.
type Reporter struct {
	core  *Core // belongs to the goroutine in Run
	queue chan Report
}

// Report is an equivocation on its way to the chain.
type Report struct {
	what  string            // for the log
	call  string            // of the runtime, such as "Babe.report_equivocation_unsigned"
	prove string            // runtime API that proves whose the key was
	proof []byte            // encoded
	args  []byte            // of prove
	raw   types.Extrinsic   // once it is made
	tried types.BlockNumber // best block of the latest try
	tries int
}

// NewCore makes a core, which remembers the heartbeats that were sent.
func NewCore(m *chain.Manager, pool Pool, keys Keys, cfg Config) (*Core, error) {
	c := newCore(m, pool, keys, cfg)
	return c, c.load()
}

func newCore(m *chain.Manager, pool Pool, keys Keys, cfg Config) *Core {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Core{chain: m, pool: pool, keys: keys, cfg: cfg}
}

// New makes a reporter. It does nothing until Run, but takes reports.
func New(m *chain.Manager, pool Pool, keys Keys, cfg Config) *Reporter {
	return &Reporter{core: newCore(m, pool, keys, cfg), queue: make(chan Report, maxQueue)}
}

// OfBABE is the report that an author made two blocks in one slot.
func OfBABE(p babe.EquivocationProof) Report {
	return Report{
		what: fmt.Sprintf("two blocks in slot %d by %x", p.Slot, p.Offender), call: "Babe.report_equivocation_unsigned", prove: "BabeApi_generate_key_ownership_proof",
		proof: scale.Encode(p), args: append(scale.AppendU64(nil, uint64(p.Slot)), p.Offender[:]...),
	}
}

// OfGRANDPA is the report that a voter voted for two blocks in one round.
func OfGRANDPA(p grandpa.EquivocationProof) Report {
	return Report{
		what: fmt.Sprintf("two votes in round %d of set %d by %x", p.Round.Number, p.Round.Set, p.First.ID), call: "Grandpa.report_equivocation_unsigned", prove: "GrandpaApi_generate_key_ownership_proof",
		proof: scale.Encode(p), args: append(scale.AppendU64(nil, uint64(p.Round.Set)), p.First.ID[:]...),
	}
}

// ReportBABE takes a proof that an author made two blocks in one slot. It never
// blocks: if too many wait, the proof is dropped.
func (r *Reporter) ReportBABE(p babe.EquivocationProof) { r.enqueue(OfBABE(p)) }

// ReportGRANDPA takes a proof that a voter voted for two blocks in one round. It
// never blocks: if too many wait, the proof is dropped.
func (r *Reporter) ReportGRANDPA(p grandpa.EquivocationProof) { r.enqueue(OfGRANDPA(p)) }

func (r *Reporter) enqueue(x Report) {
	select {
	case r.queue <- x:
	default:
		r.core.cfg.Log.Warn("an equivocation is not reported, since too many wait", "what", x.what)
	}
}

// Run sends heartbeats and reports until ctx ends.
func (r *Reporter) Run(ctx context.Context) error {
	if err := r.core.load(); err != nil {
		return err
	}
	wake, cancel := r.core.chain.Wake()
	defer cancel()
	for {
		r.core.Step(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case x := <-r.queue:
			r.core.Add(x)
		}
	}
}

// Add adds a report to those that wait for the chain.
func (r *Core) Add(x Report) {
	r.cfg.Log.Warn("equivocation", "what", x.what)
	if len(r.pending) == maxPending {
		r.pending = slices.Delete(r.pending, 0, 1)
	}
	r.pending = append(r.pending, x)
}

// Step does what is due at the best block.
func (r *Core) Step(ctx context.Context) {
	best := r.chain.Heads().Best
	view, err := r.chain.ViewAt(best.Hash)
	if err != nil {
		return // finality moved meanwhile: the next wake-up is on its way
	}
	if err := r.heartbeats(ctx, best, view); err != nil {
		r.cfg.Log.Error("no heartbeat was sent", "block", uint32(best.Number), "err", err)
	}
	keep := r.pending[:0]
	for i := range r.pending {
		x := r.pending[i]
		if done, err := r.submit(ctx, best, view, &x); err != nil {
			r.cfg.Log.Warn("an equivocation cannot be reported", "what", x.what, "err", err)
		} else if !done {
			keep = append(keep, x)
		}
	}
	clear(r.pending[len(keep):])
	r.pending = keep
}

// submit puts a report into the pool when that is due. done says that the chain
// knows of the offence.
func (r *Core) submit(ctx context.Context, best chain.Ref, view state.View, x *Report) (done bool, err error) {
	if x.tries > 0 && best.Number < x.tried+retryBlocks {
		return false, nil
	}
	if x.raw == nil {
		if x.raw, err = r.complete(view, x); err != nil {
			return false, err
		}
	}
	if x.tries++; x.tries > maxTries {
		return false, errors.New("the chain does not take it up")
	}
	x.tried = best.Number
	v := r.chain.Runtime().NewValidator(view, best.Hash).Check([]types.Extrinsic{x.raw}, frame.SourceLocal, frame.Checking{Par: frame.Serial})[0]
	switch {
	case errors.Is(v.Err, frame.ErrStale):
		r.cfg.Log.Info("equivocation is on the chain", "what", x.what)
		return true, nil
	case v.Err != nil:
		return false, v.Err
	}
	if _, err := r.pool.SubmitLocal(ctx, x.raw); err != nil {
		r.cfg.Log.Debug("the pool does not take a report now", "what", x.what, "err", err) // it has it already, or is full
	}
	return false, nil
}

// complete makes the transaction of a report.
func (r *Core) complete(view state.View, x *Report) (types.Extrinsic, error) {
	out, err := r.chain.Runtime().Call(view, x.prove, x.args)
	if err != nil {
		return nil, err
	}
	c := scale.NewCursor(out)
	if c.U8() == 0 {
		return nil, errors.New("whose the key was cannot be proved any more")
	}
	owner := c.Bytes(maxProofSize)
	if err := c.Finish(); err != nil {
		return nil, err
	}
	return bare(r.chain.Runtime(), x.call, append(slices.Clone(x.proof), owner...))
}

// bare makes an unsigned extrinsic of a call, which the runtime knows by name,
// and its encoded arguments.
func bare(rt *frame.Runtime, name string, args []byte) (types.Extrinsic, error) {
	calls := rt.Calls()
	i := slices.IndexFunc(calls, func(c frame.CallInfo) bool { return c.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("the runtime has no call %s", name)
	}
	c := scale.NewCursor(append([]byte{calls[i].Pallet, calls[i].Index}, args...)).WithEnv(rt)
	var call frame.RuntimeCall
	call.DecodeSCALE(c)
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("arguments of %s: %w", name, err)
	}
	return frame.EncodeBare(call), nil
}
