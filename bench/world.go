package bench

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/sudo"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
)

// World is a chain with many accounts that have money, and their keys.
type World struct {
	Spec    *chainspec.Spec // raw
	Runtime *runtime.Runtime
	Keys    []*sr25519.KeyPair
	Nonces  []types.Nonce // of the next transaction that Transfers signs

	header types.Header // of block 0
	author *sr25519.KeyPair
	voter  *ed25519.KeyPair
	now    atomic.Uint64 // the clock of the chains, in milliseconds
}

// Start is the time at which the clock of worlds begins.
const Start = types.Moment(1_700_000_000_000)

// NewWorld makes a chain with one author and n accounts.
func NewWorld(n int) (*World, error) { return newWorld(runtime.Networks()["dev"], n) }

// newWorld adds n accounts to a network, and gives others what more says.
func newWorld(network runtime.Network, n int, more ...balances.Endowment) (*World, error) {
	w := &World{Keys: make([]*sr25519.KeyPair, n), Nonces: make([]types.Nonce, n)}
	w.now.Store(uint64(Start))
	const piece = 1000
	lifecycle.Parallel((n+piece-1)/piece, func(p int) {
		for i := p * piece; i < min(n, (p+1)*piece); i++ {
			w.Keys[i] = sr25519.FromSeed(hash.Blake2b256(binary.LittleEndian.AppendUint64([]byte("account"), uint64(i))))
		}
	})
	spec, err := network.Spec()
	if err != nil {
		return nil, err
	}
	if err := w.endow(spec, more); err != nil {
		return nil, err
	}
	if w.Runtime, w.Spec, err = runtime.Load(spec); err != nil {
		return nil, err
	}
	if w.header, err = w.Spec.GenesisHeader(); err != nil {
		return nil, err
	}
	alice, err := crypto.ParseURI("//Alice", crypto.Sr25519)
	if err != nil {
		return nil, err
	}
	w.author = alice.(crypto.Sr25519Pair).KeyPair
	if alice, err = crypto.ParseURI("//Alice", crypto.Ed25519); err != nil {
		return nil, err
	}
	w.voter = alice.(crypto.Ed25519Pair).KeyPair
	return w, nil
}

// endow adds the accounts to the genesis balances.
func (w *World) endow(spec *chainspec.Spec, more []balances.Endowment) error {
	var g balances.Genesis
	if err := json.Unmarshal(spec.Genesis.Runtime["Balances"], &g); err != nil {
		return err
	}
	for _, k := range w.Keys {
		g.Balances = append(g.Balances, balances.Endowment{Account: k.Public(), Amount: fixed.FromUint64(1000 * runtime.CRU)})
	}
	g.Balances = append(g.Balances, more...)
	raw, err := json.Marshal(g)
	spec.Genesis.Runtime["Balances"] = raw
	return err
}

// Chain is an opened chain of a world.
type Chain struct {
	*chain.Manager
	DB *store.DB
}

// Open begins a chain in a new directory, or in memory if dir is empty.
func (w *World) Open(dir string) (*Chain, error) {
	entries, err := w.Spec.Entries()
	if err != nil {
		return nil, err
	}
	options := store.Options{CacheBytes: node.DefaultCache(), Par: lifecycle.Parallel}
	var db *store.DB
	if dir == "" {
		db, err = store.OpenMem(store.NewMem(), options)
	} else {
		db, err = store.Open(dir, options)
	}
	if err != nil {
		return nil, err
	}
	m, err := chain.Open(db, w.Runtime.Frame, chain.Genesis{Header: w.header, Entries: entries}, chain.Config{
		Now: func() types.Moment { return types.Moment(w.now.Load()) }, Par: lifecycle.Parallel, SlotTolerance: 1 << 40,
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Chain{m, db}, nil
}

// Transfers signs n transfers, each by another account as long as there are
// enough, to accounts that exist. The numbers come from seed.
func (w *World) Transfers(n int, seed uint64) ([]types.Extrinsic, error) {
	from := make([]int, n)
	for i := range from {
		from[i] = int((seed + uint64(i)*7919) % uint64(len(w.Keys)))
	}
	return w.Sign(from)
}

// Sign signs one transfer by each account in from, in order.
func (w *World) Sign(from []int) ([]types.Extrinsic, error) {
	return w.sign(from, func(i int) (frame.RuntimeCall, error) {
		to := w.Keys[(from[i]*31+i*17+1)%len(w.Keys)].Public()
		return w.Runtime.Frame.NewRuntimeCall("Balances", "transfer_keep_alive",
			&balances.TransferArgs{Dest: types.Address(to), Value: fixed.FromUint64(1_000_000 + uint64(i))})
	})
}

// sign signs one call by each account in from, in order.
func (w *World) sign(from []int, call func(i int) (frame.RuntimeCall, error)) ([]types.Extrinsic, error) {
	e := w.first()
	nonces := make([]types.Nonce, len(from))
	for i, k := range from {
		nonces[i] = w.Nonces[k]
		w.Nonces[k]++
	}
	out, errs := make([]types.Extrinsic, len(from)), make([]error, len(from))
	lifecycle.Parallel(len(from), func(i int) {
		key := w.Keys[from[i]]
		c, err := call(i)
		if err != nil {
			errs[i] = err
			return
		}
		out[i], errs[i] = w.signBy(e, key, frame.Tx{Call: c, Nonce: nonces[i]})
	})
	return out, errors.Join(errs...)
}

// first is the environment of block 1 on no state, which is enough to sign and to check signatures.
func (w *World) first() *frame.Env {
	return w.Runtime.Frame.Begin(noState{}, &types.Header{Number: 1, ParentHash: w.header.Hash()})
}

// signBy signs one transaction.
func (w *World) signBy(e *frame.Env, key *sr25519.KeyPair, tx frame.Tx) (types.Extrinsic, error) {
	return w.Runtime.Frame.Sign(e, tx, key.Public(), func(p []byte) (crypto.MultiSignature, error) {
		return crypto.Sr25519Pair{KeyPair: key}.Sign(p, nil), nil
	})
}

// setStorage signs that the state is to be so, as Root: once in a chain, by its author.
func (w *World) setStorage(args *system.SetStorageArgs) (types.Extrinsic, error) {
	f := w.Runtime.Frame
	set, err := f.NewRuntimeCall("System", "set_storage", args)
	if err != nil {
		return nil, err
	}
	root, err := f.NewRuntimeCall("Sudo", "sudo", &sudo.SudoArgs{Call: set})
	if err != nil {
		return nil, err
	}
	return w.signBy(w.first(), w.author, frame.Tx{Call: root})
}

// Items are the signatures of transactions, to be checked.
func (w *World) Items(txs []types.Extrinsic) ([]crypto.Item, error) {
	e := w.first()
	items := make([]crypto.Item, 0, len(txs))
	for _, raw := range txs {
		t, err := w.Runtime.Frame.DecodeTx(raw)
		if err != nil {
			return nil, err
		}
		p, err := w.Runtime.Frame.Payload(e, t)
		if err != nil {
			return nil, err
		}
		items = append(items, crypto.Item{Signature: t.Signature, Account: t.Signer, Message: p})
	}
	return items, nil
}

// Make makes the next block of c with the transactions, seals and imports it.
func (w *World) Make(c *Chain, txs []types.Extrinsic) (*types.Block, error) {
	b, out, err := w.execute(c, txs)
	if err != nil {
		return nil, err
	}
	if err := w.seal(c, b, out); err != nil {
		return nil, err
	}
	_, err = c.ImportOwn(b, out)
	return b, err
}

// execute makes the next block of c, without its state root and seal.
func (w *World) execute(c *Chain, txs []types.Extrinsic) (b *types.Block, out frame.Outcome, err error) {
	now := types.Moment(w.now.Add(w.Runtime.Preset.SlotDuration))
	parent := c.Heads().Best
	head, ok := c.Head(parent.Hash)
	if !ok {
		return nil, out, fmt.Errorf("block %d is not known", parent.Number)
	}
	slot := babe.SlotAt(now, w.Runtime.Preset.SlotDuration)
	epoch, _ := head.Epochs.At(slot)
	claim, _, ok := babe.Claim(slot, epoch, []babe.Key{w.author})
	if !ok {
		return nil, out, fmt.Errorf("slot %d is not the author's", slot)
	}
	view, err := c.ViewAt(parent.Hash)
	if err != nil {
		return nil, out, err
	}
	b = &types.Block{Header: types.Header{ParentHash: parent.Hash, Number: parent.Number + 1, Digest: types.Digest{claim.Item()}}}
	builder, err := w.Runtime.Frame.NewBlock(view, &b.Header)
	if err != nil {
		return nil, out, err
	}
	if err := builder.Inherents(c.InherentsAt(now)); err != nil {
		return nil, out, err
	}
	for i, raw := range txs {
		t, err := w.Runtime.Frame.DecodeTx(raw)
		if err != nil {
			return nil, out, err
		}
		if err := builder.Push(t); err != nil {
			return nil, out, fmt.Errorf("transaction %d of %d: %w", i, len(txs), err)
		}
	}
	body, root, out, err := builder.Finish()
	if err != nil {
		return nil, out, err
	}
	b.Body, b.Header.ExtrinsicsRoot, b.Header.Digest = body, root, out.Digest
	return b, out, nil
}

// seal gives a block that execute made its state root and its seal.
func (w *World) seal(c *Chain, b *types.Block, out frame.Outcome) (err error) {
	if b.Header.StateRoot, err = c.StateRoot(b.Header.ParentHash, out); err != nil {
		return err
	}
	return babe.Seal(&b.Header, w.author)
}

// Finalise makes all blocks of c final, as the only voter.
func (w *World) Finalise(c *Chain) error {
	for {
		next, ok := c.NextToFinalise()
		if !ok {
			return nil
		}
		j := grandpa.Solo(w.voter, grandpa.Round{Set: c.Voters().ID(), Number: uint64(next.Number)}, grandpa.Target{Hash: next.Hash, Number: next.Number})
		if _, err := c.Finalise(scale.Encode(j)); err != nil {
			return err
		}
	}
}
