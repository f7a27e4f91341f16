package frame

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Par runs f(0) … f(n-1), possibly at the same time, and returns when all are
// done. The shell passes one in; Serial is the one for a single thread.
type Par func(n int, f func(i int))

// Serial is the Par that uses one thread.
func Serial(n int, f func(i int)) {
	for i := range n {
		f(i)
	}
}

// Checking is what the shell lends to execution and to the checking of signatures.
// Results do not depend on it.
type Checking struct {
	Par Par
	// Verified reports extrinsics whose signature this node has checked before on
	// the same fork; it may be nil.
	Verified func(types.Hash) bool
	// Points remembers decompressed public keys; it may be nil.
	Points sr25519.PointCache
	// Known returns the result of a pure function that this node has computed before, by what it depends on;
	// it may be nil. Pallets agree with their engines on keys and results.
	Known func(key any) (result any, ok bool)
	// Scratch is memory to execute in; it may be nil.
	Scratch *Scratch
}

// Outcome is what the execution of a block comes to.
type Outcome struct {
	Changes []state.Change
	Digest  types.Digest // the author's and the runtime's items, without seal
	Used    BlockWeight
}

// Begin begins a block on top of a view, with the header's number, parent and
// author's digest items: the hooks of the first phase have run. ExecuteBlock and
// NewBlock use it; so do tests that look at a pallet from inside a block.
func (rt *Runtime) Begin(view state.View, h *types.Header) *Env { return rt.begin(view, h, Checking{}) }

func (rt *Runtime) begin(view state.View, h *types.Header, with Checking) *Env {
	e := rt.newEnv(view, with.Scratch)
	e.number, e.parentHash, e.known = h.Number, h.ParentHash, with.Known
	for _, d := range h.Digest {
		if d.Kind == types.DigestPreRuntime {
			e.digest = append(e.digest, d)
		}
	}
	e.phase = phaseInitialization
	e.ChargeHook(rt.weights.BaseBlock)
	rt.system.Initialize(e, h)
	for _, m := range rt.order {
		if p, ok := m.Pallet.(Initializer); ok {
			e.ChargeHook(p.OnInitialize(e))
		}
	}
	e.phase = phaseApply
	return e
}

// End runs the hooks of the last phase and ends the block.
func (rt *Runtime) End(e *Env) Outcome {
	e.phase = phaseFinalization
	remaining := rt.weights.MaxBlock.Sub(totalWeight(e.weight))
	for _, m := range rt.order {
		if p, ok := m.Pallet.(Idler); ok && remaining != (types.Weight{}) {
			used := p.OnIdle(e, remaining)
			e.ChargeHook(used)
			remaining = remaining.Sub(used)
		}
	}
	for _, m := range rt.order {
		if p, ok := m.Pallet.(Finalizer); ok {
			p.OnFinalize(e)
		}
	}
	rt.system.Finalize(e)
	return Outcome{Changes: e.Changes(), Digest: e.digest, Used: e.weight}
}

// inherentOf is the pallet whose inherent the call is, or nil.
func (rt *Runtime) inherentOf(call RuntimeCall) InherentProvider {
	if call.def == nil {
		return nil
	}
	p, ok := rt.modules[call.def.module].Pallet.(InherentProvider)
	if ok && p.IsInherent(call) {
		return p
	}
	return nil
}

// apply runs one extrinsic whose signature has been checked. An error means
// that the extrinsic cannot be in this block; the state is as before. That a
// call fails is no error: it is recorded as an event.
func (rt *Runtime) apply(e *Env, t *Tx) error {
	mark, weight, length := e.begin(), e.weight, e.length
	refuse := func(err error) error {
		e.rollback(mark)
		e.end(mark)
		e.weight, e.length = weight, length // what is refused takes no room
		return err
	}
	if err := rt.prepare(e, t); err != nil {
		return refuse(err)
	}
	origin := None()
	if t.Signed {
		origin = Signed(t.Signer)
	}
	e.post = postInfo{}
	result := t.Call.Dispatch(e, origin)
	if result != nil && t.Info.Class == Mandatory {
		return refuse(fmt.Errorf("%w %w", ErrBadMandatory, result)) // whoever made the block wants to know why
	}
	used := t.Info.Weight
	if w, ok := e.post.weight.Get(); ok {
		used = w.Min(used)
	}
	e.Refund(t.Info.Class, t.Info.Weight, used)
	pays := t.Info.Pays
	if e.post.pays == PaysNo {
		pays = PaysNo
	}
	if t.Signed {
		for _, x := range rt.extensions {
			if err := x.Settle(e, t, used, pays, result); err != nil {
				panic(fmt.Sprintf("frame: %s failed after dispatch: %v", x.Identifier(), err)) // it took the fee before; it cannot fail to return some
			}
		}
	}
	rt.system.NoteApplied(e, DispatchInfo{used, t.Info.Class, pays}, result)
	e.end(mark)
	e.index++
	return nil
}

// prepare runs all checks that come before dispatch.
func (rt *Runtime) prepare(e *Env, t *Tx) error {
	if t.Signed {
		for _, x := range rt.extensions {
			if err := x.Prepare(e, t); err != nil {
				return err
			}
		}
		return nil
	}
	for _, x := range rt.extensions {
		if b, ok := x.(BareExtension); ok {
			if err := b.PrepareBare(e, t); err != nil {
				return err
			}
		}
	}
	if rt.inherentOf(t.Call) != nil {
		return nil
	}
	_, err := rt.validateUnsigned(e, SourceInBlock, t)
	return err
}

func (rt *Runtime) validateUnsigned(e *Env, source Source, t *Tx) (ValidTransaction, error) {
	u, ok := rt.modules[t.Call.def.module].Pallet.(UnsignedValidator)
	if !ok {
		return ValidTransaction{}, ErrNoUnsignedValidator
	}
	return u.ValidateUnsigned(e, source, t.Call)
}

// Decoded is a block's body once it is decoded and its signatures are checked.
type Decoded struct{ txs []*Tx }

// DecodeBody decodes a block's extrinsics on all cores.
func (rt *Runtime) DecodeBody(body []types.Extrinsic, par Par) (*Decoded, error) {
	d := &Decoded{txs: make([]*Tx, len(body))}
	errs := make([]error, len(body))
	const chunk = 256
	par((len(body)+chunk-1)/chunk, func(i int) {
		for j := i * chunk; j < min(len(body), (i+1)*chunk); j++ {
			d.txs[j], errs[j] = rt.DecodeTx(body[j])
		}
	})
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("extrinsic %d: %w", i, err)
		}
	}
	return d, nil
}

// ErrBody says that a body is not the one that its header names: the header may
// be right, and have another body.
var ErrBody = errors.New("the extrinsics are not the header's")

// ExecuteBlock executes a block on the state of its parent and checks all that
// the runtime can check: extrinsics root, signatures, inherents, each
// extrinsic, the digest. The caller compares the state root of the changes with
// the header's.
func (rt *Runtime) ExecuteBlock(view state.View, b *types.Block, with Checking) (out Outcome, err error) {
	defer catch(&err)
	if root := trie.OrderedRoot(trie.V0, rawBodies(b.Body)); root != [32]byte(b.Header.ExtrinsicsRoot) {
		return out, fmt.Errorf("%w: they have the root %v, the header says %v", ErrBody, types.Hash(root), b.Header.ExtrinsicsRoot)
	}
	d, err := rt.DecodeBody(b.Body, with.Par)
	if err != nil {
		return out, err
	}
	e := rt.begin(view, &b.Header, with)
	if err := rt.checkSignatures(e, d, with); err != nil {
		return out, err
	}
	if err := rt.checkInherentOrder(d); err != nil {
		return out, err
	}
	for i, t := range d.txs {
		if err := rt.apply(e, t); err != nil {
			return out, fmt.Errorf("extrinsic %d: %w", i, err)
		}
	}
	out = rt.End(e)
	e.release(with.Scratch)
	return out, sameDigest(b.Header.Digest, out.Digest)
}

func rawBodies(body []types.Extrinsic) [][]byte {
	out := make([][]byte, len(body))
	for i, x := range body {
		out[i] = x
	}
	return out
}

// checkSignatures checks the signatures of all signed extrinsics in batches.
func (rt *Runtime) checkSignatures(e *Env, d *Decoded, with Checking) error {
	items := make([]crypto.Item, 0, len(d.txs))
	at := make([]int, 0, len(d.txs))
	for i, t := range d.txs {
		if !t.Signed || with.Verified != nil && with.Verified(t.Hash()) {
			continue
		}
		p, err := rt.Payload(e, t)
		if err != nil {
			return fmt.Errorf("extrinsic %d: %w", i, err)
		}
		items = append(items, crypto.Item{Signature: t.Signature, Account: t.Signer, Message: p})
		at = append(at, i)
	}
	if bad := crypto.VerifyBatch(items, with.Par, with.Points); bad >= 0 {
		return fmt.Errorf("extrinsic %d: %w", at[bad], ErrBadProof)
	}
	return nil
}

// checkInherentOrder demands that inherents come first, each of its kind once, none missing.
func (rt *Runtime) checkInherentOrder(d *Decoded) error {
	next := 0
	for i, t := range d.txs {
		if t.Signed || rt.inherentOf(t.Call) == nil {
			continue
		}
		if i != next || i >= len(rt.inherents) || rt.inherents[i].index != t.Call.def.module {
			return fmt.Errorf("extrinsic %d: inherent %s.%s is out of place", i, t.Call.Pallet(), t.Call.Name())
		}
		next++
	}
	if next != len(rt.inherents) {
		return fmt.Errorf("the block has %d inherents; it needs %d", next, len(rt.inherents))
	}
	return nil
}

// CheckInherents judges a foreign block's inherents by this node's own data, in memory of scratch, which may be nil.
func (rt *Runtime) CheckInherents(view state.View, b *types.Block, data InherentData, scratch *Scratch) (err error) {
	defer catch(&err)
	e := rt.newEnv(view, scratch)
	defer e.release(scratch)
	e.number = rt.system.Height(e)
	for i := range min(len(rt.inherents), len(b.Body)) {
		t, err := rt.DecodeTx(b.Body[i])
		if err != nil {
			return fmt.Errorf("extrinsic %d: %w", i, err)
		}
		if p := rt.inherentOf(t.Call); p != nil {
			if err := p.CheckInherent(e, t.Call, data); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameDigest compares a header's digest, without seal, with what execution made.
func sameDigest(header, made types.Digest) error {
	if n := len(header); n > 0 && header[n-1].Kind == types.DigestSeal {
		header = header[:n-1]
	}
	if len(header) != len(made) {
		return fmt.Errorf("the header has %d digest items, execution made %d", len(header), len(made))
	}
	for i := range header {
		if header[i].Kind != made[i].Kind || header[i].Engine != made[i].Engine || string(header[i].Data) != string(made[i].Data) {
			return fmt.Errorf("digest item %d differs from what execution made", i)
		}
	}
	return nil
}

// BlockBuilder makes a block: inherents, then extrinsics as long as they fit.
type BlockBuilder struct {
	rt   *Runtime
	e    *Env
	body []types.Extrinsic
}

// NewBlock begins a block on the state of its parent. The header needs its
// number, parent hash and the author's digest items.
func (rt *Runtime) NewBlock(view state.View, h *types.Header) (b *BlockBuilder, err error) {
	defer catch(&err)
	return &BlockBuilder{rt: rt, e: rt.Begin(view, h)}, nil
}

// Inherents makes and applies the block's inherents.
func (b *BlockBuilder) Inherents(data InherentData) (err error) {
	defer catch(&err)
	for _, m := range b.rt.inherents {
		args, name, err := m.Pallet.(InherentProvider).CreateInherent(b.e, data)
		if err != nil {
			return fmt.Errorf("inherent of %s: %w", m.Name, err)
		}
		call, err := b.rt.NewRuntimeCall(m.Name, name, args)
		if err != nil {
			return err
		}
		t, err := b.rt.DecodeTx(EncodeBare(call))
		if err != nil {
			return err
		}
		if err := b.Push(t); err != nil {
			return fmt.Errorf("inherent of %s: %w", m.Name, err)
		}
	}
	return nil
}

// Push applies an extrinsic whose signature has been checked. On an error it
// is not in the block: ErrExhaustsResources if it does not fit any more,
// another if it is not valid now.
func (b *BlockBuilder) Push(t *Tx) (err error) {
	defer catch(&err)
	if err := b.rt.apply(b.e, t); err != nil {
		return err
	}
	b.body = append(b.body, t.Raw)
	return nil
}

// Len is the number of extrinsics in the block.
func (b *BlockBuilder) Len() int { return len(b.body) }

// Finish ends the block. The header still needs the state root and the seal.
func (b *BlockBuilder) Finish() (body []types.Extrinsic, root types.Hash, out Outcome, err error) {
	defer catch(&err)
	out = b.rt.End(b.e)
	return b.body, trie.OrderedRoot(trie.V0, rawBodies(b.body)), out, nil
}

// DryRun applies one extrinsic on a state and returns the call's outcome: the
// outer error if it cannot be in a block, the inner if its call fails.
func (rt *Runtime) DryRun(view state.View, best types.Hash, raw types.Extrinsic) (inner *DispatchError, err error) {
	defer catch(&err)
	v := rt.NewValidator(view, best).Check([]types.Extrinsic{raw}, SourceExternal, Checking{Par: Serial})[0]
	if v.Err != nil {
		return nil, v.Err
	}
	e, t := rt.poolEnv(view, best), v.Tx
	if err := rt.prepare(e, t); err != nil {
		return nil, err
	}
	if err := t.Call.Dispatch(e, Signed(t.Signer)); err != nil {
		return DispatchErrorOf(err), nil
	}
	return nil, nil
}
