package frame

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// Env is what a block's execution works on: the state before the block, what
// has been written since, the events, and the meters. It belongs to one
// goroutine. Reads fall through caches of decoded values to the view; writes
// stay in the caches until Changes encodes each once.
//
// A storage failure or an undecodable value is corruption: it panics with a
// *Corruption, which the runtime's entry points turn into an error.
type Env struct {
	rt     *Runtime
	view   state.View
	caches []cache
	raw    rawCache
	keys   []byte // arena of the keys of cells
	hasher hash.Hasher
	cur    scale.Cursor // of the key or value that is being decoded

	journal []undoer // one entry for each saved copy, oldest first
	layer   int      // length of journal when the innermost transaction began
	depth   int      // open transactions

	known      func(key any) (any, bool) // Checking.Known
	number     types.BlockNumber
	parentHash types.Hash
	digest     types.Digest
	phase      phase
	events     []byte // encoded event records
	eventCount uint32
	index      uint32 // of the extrinsic being applied
	weight     BlockWeight
	length     uint32 // bytes of all extrinsics so far
	post       postInfo
	held       Deposited
	callDepth  int
}

// Scratch is memory for blocks that are executed one after the other: to begin, an
// empty one would else allocate more than for its changes. It belongs to one
// goroutine; the zero value is empty.
type Scratch struct{ env *Env }

// newEnv makes an environment without a block, in memory of scratch, which may be nil.
func (rt *Runtime) newEnv(view state.View, scratch *Scratch) *Env {
	var e *Env
	if scratch != nil && scratch.env != nil && scratch.env.rt == rt {
		e, scratch.env = scratch.env, nil
	} else {
		e = &Env{rt: rt, caches: make([]cache, len(rt.storage))}
		e.cur.WithEnv(rt)
	}
	e.view = view
	return e
}

// release gives the memory of an environment that nobody uses any more to scratch.
func (e *Env) release(scratch *Scratch) {
	if scratch == nil {
		return
	}
	clear(e.caches)
	*e = Env{rt: e.rt, caches: e.caches, cur: *e.cursor(nil)}
	scratch.env = e
}

// cursor decodes one key or value; none is decoded while another one is.
func (e *Env) cursor(b []byte) *scale.Cursor { return e.cur.Restart(b) }

// Corruption reports state that cannot be what the chain wrote: a failed read,
// or bytes that are not a value of the item's type.
type Corruption struct {
	Item string // "System.Account"
	Key  []byte
	Err  error
}

// Error describes what could not be read.
func (c *Corruption) Error() string {
	return fmt.Sprintf("state of %s at %#x: %v", c.Item, c.Key, c.Err)
}

// Unwrap returns the underlying failure.
func (c *Corruption) Unwrap() error { return c.Err }

// Known returns the result of a pure function if the node has it at hand, by what the result depends on. Whoever asks
// computes what is not known: the outcome is the same.
func (e *Env) Known(key any) (result any, ok bool) {
	if e.known == nil {
		return nil, false
	}
	return e.known(key)
}

// Number is the block being executed; outside a block, the block of the view.
func (e *Env) Number() types.BlockNumber { return e.number }

// ParentHash is the hash of the parent of the block being executed.
func (e *Env) ParentHash() types.Hash { return e.parentHash }

// Digest is the block's digest so far: the author's items, then the runtime's.
func (e *Env) Digest() types.Digest { return e.digest }

// Deposit appends an item to the block's digest.
func (e *Env) Deposit(item types.DigestItem) { e.digest = append(e.digest, item) }

// ExtrinsicIndex is the position of the extrinsic being applied.
func (e *Env) ExtrinsicIndex() uint32 { return e.index }

// Runtime is the runtime that executes.
func (e *Env) Runtime() *Runtime { return e.rt }

// Deposited is what an extrinsic may come to cost, paid in advance.
type Deposited struct {
	BySender Balance
	ByOthers Balance // what is not used of it, nobody gets
}

// Hold notes what was paid in advance for the extrinsic being applied, so that it
// can be settled when the call is done.
func (e *Env) Hold(paid Deposited) { e.held = paid }

// Held is what the latest Hold noted.
func (e *Env) Held() Deposited { return e.held }

// Transactional runs f so that an error from it leaves no write, event or
// digest item behind. Transactions nest.
func (e *Env) Transactional(f func() error) error {
	mark := e.begin()
	err := f()
	if err != nil {
		e.rollback(mark)
	}
	e.end(mark)
	return err
}

// layerMark is where a transaction began: what rollback returns to.
type layerMark struct {
	journal, outer int
	events, digest int // lengths
	eventCount     uint32
}

func (e *Env) begin() layerMark {
	m := layerMark{len(e.journal), e.layer, len(e.events), len(e.digest), e.eventCount}
	e.layer = m.journal
	e.depth++
	return m
}

// end closes the innermost transaction. Its saved copies stay for the
// transaction around it; after the outermost there is nothing to return to.
func (e *Env) end(m layerMark) {
	e.layer = m.outer
	if e.depth--; e.depth == 0 {
		for _, u := range e.journal {
			u.forget()
		}
		clear(e.journal)
		e.journal = e.journal[:0]
	}
}

// rollback undoes every write, event and digest item since m.
func (e *Env) rollback(m layerMark) {
	for i := len(e.journal) - 1; i >= m.journal; i-- {
		e.journal[i].undo()
	}
	clear(e.journal[m.journal:])
	e.journal = e.journal[:m.journal]
	e.events, e.eventCount, e.digest = e.events[:m.events], m.eventCount, e.digest[:m.digest]
}

// undoer is a cell with saved copies of earlier values.
type undoer interface {
	undo()   // return to the latest saved copy and drop it
	forget() // drop all saved copies
}

// cache is the part of a storage item that lives in one Env.
type cache interface {
	// cells calls f with every cell that was written.
	dirty(f func(anyCell))
	// setRaw writes encoded bytes under a full key; an error if they do not decode.
	setRaw(e *Env, key, value []byte, deleted bool) error
}

type anyCell interface {
	fullKey() []byte // not to be modified
	present() bool
	before() bool
	appendValue(dst []byte) []byte
}

// Keys and values of a block's changes are written one after the other into
// arenas: the collector has a few pieces to follow instead of thousands, and a
// piece is not copied when the next one is begun.
const (
	arenaBytes = 16 << 10
	maxInArena = 256 // least room for another piece
)

// nextArena is how large the arena after this one is: an empty block needs little.
func nextArena(last []byte) int { return min(max(2*cap(last), 4*maxInArena), arenaBytes) }

// keep copies a key into the environment's arena.
func (e *Env) keep(key []byte) []byte {
	if cap(e.keys)-len(e.keys) < len(key) {
		e.keys = make([]byte, 0, max(nextArena(e.keys), len(key)))
	}
	from := len(e.keys)
	e.keys = append(e.keys, key...)
	return e.keys[from:len(e.keys):len(e.keys)]
}

// Changes encodes everything that was written, sorted by key.
func (e *Env) Changes() []state.Change {
	var out []state.Change
	var arena []byte
	collect := func(c anyCell) {
		ch := state.Change{Key: c.fullKey(), HadOld: c.before()}
		if c.present() {
			if cap(arena)-len(arena) < maxInArena {
				arena = make([]byte, 0, nextArena(arena)) // kept with the block's layer, as long as it is
			}
			from := len(arena)
			arena = c.appendValue(arena)
			ch.Value = arena[from:len(arena):len(arena)]
		} else {
			ch.Deleted = true
		}
		if ch.HadOld || !ch.Deleted {
			out = append(out, ch)
		}
	}
	for _, c := range e.caches {
		if c != nil {
			c.dirty(collect)
		}
	}
	e.raw.dirty(collect)
	slices.SortFunc(out, func(a, b state.Change) int { return bytes.Compare(a.Key, b.Key) })
	return out
}

// item is the storage item whose keys start with the first 32 bytes of key, if any.
func (e *Env) item(key []byte) *item {
	if len(key) < 32 {
		return nil
	}
	return e.rt.items[[32]byte(key)]
}

// RawGet reads any key, in its encoded form.
func (e *Env) RawGet(key []byte) ([]byte, bool) {
	if it := e.item(key); it != nil {
		return it.owner.getRaw(e, key)
	}
	c := e.raw.cell(key)
	c.load(e)
	return c.value, c.exists
}

// RawPut writes any key in encoded form. Keys of a pallet's item must hold what
// the item can decode; anything else is refused, for it would halt the chain.
func (e *Env) RawPut(key, value []byte) error { return e.rawWrite(key, value, false) }

// RawDelete deletes any key.
func (e *Env) RawDelete(key []byte) error { return e.rawWrite(key, nil, true) }

func (e *Env) rawWrite(key, value []byte, deleted bool) error {
	if it := e.item(key); it != nil {
		return it.owner.setRaw(e, key, value, deleted)
	}
	c := e.raw.cell(key)
	c.load(e)
	c.save(e)
	c.value, c.exists, c.wrote = bytesClone(value), !deleted, true
	return nil
}

// RawKeys returns the keys that start with prefix, in order, at most limit.
func (e *Env) RawKeys(prefix []byte, limit int) [][]byte {
	over := map[string]bool{}
	collect := func(c anyCell) {
		if k := c.fullKey(); bytes.HasPrefix(k, prefix) {
			over[string(k)] = c.present()
		}
	}
	for _, c := range e.caches {
		if c != nil {
			c.dirty(collect)
		}
	}
	e.raw.dirty(collect)
	var out [][]byte
	it := e.view.Iterate(prefix, prefix)
	defer it.Close()
	for len(out) < limit && it.Next() {
		if present, ok := over[string(it.Key())]; !ok || present {
			out = append(out, bytesClone(it.Key()))
		}
		delete(over, string(it.Key()))
	}
	if err := it.Err(); err != nil {
		panic(&Corruption{"iteration", prefix, err})
	}
	for k, present := range over { //arch:allow maprange sorted below
		if present {
			out = append(out, []byte(k))
		}
	}
	slices.SortFunc(out, slices.Compare[[]byte])
	return out[:min(limit, len(out))]
}

func bytesClone(b []byte) []byte { return append([]byte{}, b...) }

// Emit records an event of a pallet; ev is a pointer to, or value of, a type
// that the pallet's Spec lists.
func (e *Env) emit(pallet uint8, ev any) {
	if e.phase == phaseNone {
		return // outside a block there is nobody to tell
	}
	p := e.rt.events[reflect.TypeOf(ev)]
	if p == nil {
		panic(fmt.Sprintf("frame: event %T is not listed in its pallet's Spec", ev))
	}
	e.events = e.phase.append(e.events, e.index)
	e.events = append(e.events, pallet, p.index)
	e.events = p.codec.AppendValue(e.events, ev)
	e.events = append(e.events, 0) // no topics
	e.eventCount++
}

// Events returns the encoded System.Events value so far, and the number of events.
func (e *Env) Events() (encoded []byte, n uint32) {
	return append(scale.AppendCompact(nil, uint64(e.eventCount)), e.events...), e.eventCount
}

// phase is where in a block an event happens.
type phase uint8

const (
	phaseNone phase = iota
	phaseInitialization
	phaseApply
	phaseFinalization
)

func (p phase) append(dst []byte, index uint32) []byte {
	switch p {
	case phaseApply:
		return scale.AppendU32(append(dst, 0), index)
	case phaseFinalization:
		return append(dst, 1)
	default:
		return append(dst, 2)
	}
}

// Blake2b256 hashes b; here so that pallets need no import for it.
func Blake2b256(b []byte) types.Hash { return hash.Blake2b256(b) }
