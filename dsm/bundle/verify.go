package bundle

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Runtime is the rules of a chain: *frame.Runtime is one.
type Runtime interface {
	light.Runtime
	Version() types.RuntimeVersion
}

// Rules finds the runtime of the chain that a state is of, by the constants that the
// state holds.
type Rules func(view state.View) (Runtime, error)

// Statement is what a bundle proves.
type Statement struct {
	Genesis  types.Hash        // of the chain
	Number   types.BlockNumber // of the block
	Hash     types.Hash
	Time     types.Moment // of the block, ms since 1970
	Order    market.OrderInfo
	Replicas []market.ReplicaInfo // live or not
}

// Errors that callers tell apart.
var (
	// ErrNoOrder says that there is no order of the file.
	ErrNoOrder = errors.New("there is no order of the file: it was never placed, or is closed")
	// ErrCheckpoint says that a bundle begins at another block than the checkpoint.
	ErrCheckpoint = errors.New("the proof begins at another block")
)

// Verify checks a bundle from a checkpoint on, and returns what it proves, with the
// client that has followed the trail: its checkpoint is the block. par may run its
// functions at the same time; nil runs them in turn.
func Verify(b *Bundle, from light.Checkpoint, rules Rules, par light.Par) (*Statement, *light.Client, error) {
	c, err := Follow(b, from, par)
	if err != nil {
		return nil, nil, err
	}
	id, h := c.Final()
	view, err := c.View(id, b.Nodes)
	if err != nil {
		return nil, nil, err
	}
	proof, err := trie.NewProof(h.StateRoot, b.Nodes)
	if err != nil {
		return nil, nil, err
	}
	switch n, err := proof.Unreferenced(); {
	case err != nil:
		return nil, nil, fmt.Errorf("state of block %d: %w", h.Number, err)
	case n > 0:
		return nil, nil, fmt.Errorf("state of block %d: %d nodes belong to another one", h.Number, n)
	}
	s, err := Judge(view, rules, b.CID)
	if err != nil {
		return nil, nil, fmt.Errorf("block %d: %w", h.Number, err)
	}
	s.Number, s.Hash = h.Number, id
	return s, c, nil
}

// Follow follows a bundle's trail from a checkpoint on. All warp proofs but the last
// have to say that there is more.
func Follow(b *Bundle, from light.Checkpoint, par light.Par) (*light.Client, error) {
	if h := from.Header.Hash(); h != b.From {
		return nil, fmt.Errorf("%w: %v, the checkpoint is block %d, %v", ErrCheckpoint, b.From, from.Header.Number, h)
	}
	c, err := light.New(from)
	if err != nil {
		return nil, err
	}
	for i, proof := range b.Trail {
		finished, err := c.Warp(proof, par)
		if err != nil {
			return nil, fmt.Errorf("warp proof %d: %w", i, err)
		}
		if last := i == len(b.Trail)-1; finished != last {
			return nil, fmt.Errorf("warp proof %d of %d: whether it is the last one and whether it says so differ", i, len(b.Trail))
		}
	}
	return c, nil
}

// Keys of the state that are read beside what the runtime reads.
var (
	keyTime    = item("Timestamp", "Now")
	keyVersion = item("System", "LastRuntimeUpgrade")
	keyGenesis = append(item("System", "BlockHash"), twox64Concat(scale.AppendU32(nil, 0))...)
)

func item(pallet, name string) []byte {
	a, b := hash.Twox128([]byte(pallet)), hash.Twox128([]byte(name))
	return append(a[:], b[:]...)
}

func twox64Concat(key []byte) []byte {
	h := hash.Twox64(key)
	return append(h[:], key...)
}

// Judge answers the question of a bundle from the state of a block: how the order of
// a file stands. The block's number and hash are left to the caller.
func Judge(view state.View, rules Rules, cid string) (*Statement, error) {
	rt, err := rules(view)
	if err != nil {
		return nil, err
	}
	var made system.LastRuntimeUpgrade
	s := &Statement{}
	for _, q := range []struct {
		key  []byte
		what string
		read func(c *scale.Cursor)
	}{
		{keyVersion, "the version that made it", func(c *scale.Cursor) { codecVersion.Decode(c, &made) }},
		{keyTime, "its time", func(c *scale.Cursor) { s.Time = types.Moment(c.U64()) }},
		{keyGenesis, "the hash of genesis", func(c *scale.Cursor) { c.Fixed(s.Genesis[:]) }},
	} {
		if err := read(view, q.key, q.read); err != nil {
			return nil, fmt.Errorf("%s: %w", q.what, err)
		}
	}
	if v := rt.Version(); made.SpecVersion != v.SpecVersion || made.SpecName != v.SpecName {
		return nil, fmt.Errorf("it was made by %s %d, and this program judges by the rules of %s %d; take the release of that version", made.SpecName, made.SpecVersion, v.SpecName, v.SpecVersion)
	}
	name := scale.AppendString(nil, cid)
	var order scale.Option[market.OrderInfo]
	if err := ask(rt, view, "MarketApi_order", name, codecOrder, &order); err != nil {
		return nil, err
	}
	if !order.Valid {
		return nil, ErrNoOrder
	}
	s.Order = order.Value
	return s, ask(rt, view, "MarketApi_replicas", name, codecReplicas, &s.Replicas)
}

var (
	codecVersion  = scale.CodecOf[system.LastRuntimeUpgrade]()
	codecOrder    = scale.CodecOf[scale.Option[market.OrderInfo]]()
	codecReplicas = scale.CodecOf[[]market.ReplicaInfo]()
)

func read(view state.View, key []byte, decode func(c *scale.Cursor)) error {
	raw, ok, err := view.Get(key)
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("the state does not say")
	}
	c := scale.NewCursor(raw)
	decode(c)
	return c.Finish()
}

func ask[T any](rt Runtime, view state.View, function string, args []byte, codec scale.Codec[T], into *T) error {
	raw, err := rt.Call(view, function, args)
	if err != nil {
		return fmt.Errorf("%s: %w", function, err)
	}
	c := scale.NewCursor(raw)
	codec.Decode(c, into)
	return c.Finish()
}

// Recorder is a view of a state that is elsewhere, which notes the keys that are read.
type Recorder struct {
	Fetch func(key []byte) (value []byte, present bool, err error)
	keys  [][]byte
	seen  map[string]bool
}

var _ state.View = (*Recorder)(nil)

// Get fetches what a key maps to.
func (r *Recorder) Get(key []byte) (value []byte, present bool, err error) {
	if !r.seen[string(key)] {
		if r.seen == nil {
			r.seen = map[string]bool{}
		}
		r.seen[string(key)] = true
		r.keys = append(r.keys, bytes.Clone(key))
	}
	return r.Fetch(key)
}

// Keys are the keys that were read, each once, in order.
func (r *Recorder) Keys() [][]byte { return r.keys }

// Iterate fails, as it does on a view of a proof.
func (r *Recorder) Iterate(prefix, from []byte) state.Iterator {
	return light.View{}.Iterate(prefix, from)
}
