package chaintest

import (
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// FourValidators tweaks a network: four validators, and epochs of some slots.
func FourValidators(epochLength uint64) func(*runtime.Network) {
	return func(n *runtime.Network) {
		n.Preset.EpochLength = epochLength
		n.Validators = []string{"Alice", "Bob", "Charlie", "Dave"}
		n.Endowed = append(n.Endowed, "//Dave", "//Dave//stash")
	}
}

// Voters holds the voting keys of a chain of FourValidators, who change them one
// after the other: every session but the first two has a set of its own.
type Voters struct {
	n       *Node
	names   []string
	keys    map[[32]byte]*ed25519.KeyPair
	changes int
	epoch   types.EpochIndex
}

// NewVoters begins at genesis.
func NewVoters(n *Node) *Voters {
	v := &Voters{n: n, names: []string{"Alice", "Bob", "Charlie", "Dave"}, keys: map[[32]byte]*ed25519.KeyPair{}}
	for _, name := range v.names {
		k := GrandpaKey("//" + name)
		v.keys[k.Public()] = k
	}
	return v
}

// Step adds a block to the best one; the first of an epoch has a transaction by
// which a validator changes its voting key.
func (v *Voters) Step(txs ...types.Extrinsic) chain.Ref {
	v.n.t.Helper()
	p := Plan{Txs: txs}
	for _, name := range v.names {
		p.Keys = append(p.Keys, "//"+name)
	}
	head, _ := v.n.Head(v.n.Heads().Best.Hash)
	if e := head.Epochs.Current; e != nil && (v.changes == 0 || e.Index != v.epoch) {
		v.epoch = e.Index
		p.Txs = append(p.Txs, v.change())
	}
	return v.n.Add(p)
}

// change is the transaction of the next validator.
func (v *Voters) change() types.Extrinsic {
	name := v.names[v.changes%len(v.names)]
	keys, err := runtime.SessionKeysOf("//" + name)
	if err != nil {
		v.n.t.Fatal(err)
	}
	pair := ed25519.FromSeed([32]byte{0xC4, byte(v.changes), byte(v.changes >> 8)})
	keys.Grandpa = pair.Public()
	v.keys[pair.Public()] = pair
	v.changes++
	controller := "//" + name
	return v.n.Sign(controller, frame.Tx{Nonce: v.n.Nonce(controller), Call: v.n.Call("Session", "set_keys", &session.SetKeysArgs{Keys: keys})})
}

// Justify makes the justification of a block by the first voters of the set in
// force whose weight is enough.
func (v *Voters) Justify(r chain.Ref) []byte {
	v.n.t.Helper()
	j := v.JustifyIn(v.n.Voters(), r)
	return scale.Encode(j)
}

// JustifyIn makes the justification of a block by a set.
func (v *Voters) JustifyIn(set *grandpa.VoterSet, r chain.Ref) grandpa.Justification {
	v.n.t.Helper()
	t := grandpa.Target{Hash: r.Hash, Number: r.Number}
	j := grandpa.Justification{Round: uint64(r.Number), Target: t}
	for _, a := range set.Authorities()[:set.Threshold()] {
		k := v.keys[a.Key]
		if k == nil {
			v.n.t.Fatalf("no key of voter %x", a.Key)
		}
		j.Precommits = append(j.Precommits, grandpa.Sign(k, grandpa.Precommit, t, grandpa.Round{Set: set.ID(), Number: j.Round}))
	}
	return j
}

// FinaliseBest makes the best block final, and before it every block on the way
// that changes the set.
func (v *Voters) FinaliseBest() {
	v.n.t.Helper()
	for {
		next, ok := v.n.NextToFinalise()
		if !ok {
			return
		}
		if _, err := v.n.Finalise(v.Justify(next)); err != nil {
			v.n.t.Fatalf("finalise block %d: %v", next.Number, err)
		}
	}
}

// Grow adds blocks, and makes each final, until so many sets have been.
func (v *Voters) Grow(sets types.SetID) {
	v.n.t.Helper()
	for v.n.Voters().ID() < sets {
		v.Step()
		v.FinaliseBest()
	}
}
