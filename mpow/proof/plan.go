package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/crustgo/crust/substrate/scale"
)

// Kind says what a unit is for.
type Kind uint8

// The kinds of units.
const (
	Filler Kind = iota // proves free space: keystream that the enclave can make again
	Data               // holds sealed blocks of files
)

// UnitID names a unit: 256 random bits.
type UnitID = [32]byte

// DescriptorSize is the length of an encoded descriptor.
const DescriptorSize = 68

// Descriptor is what a plan says of a unit.
type Descriptor struct {
	ID     UnitID
	Leaves uint32
	Root   Hash // over its leaves
}

// AppendSCALE appends id, leaf count and root.
func (d *Descriptor) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU32(append(dst, d.ID[:]...), d.Leaves)
	return append(dst, d.Root[:]...)
}

// DecodeSCALE reads id, leaf count and root.
func (d *Descriptor) DecodeSCALE(c *scale.Cursor) {
	c.Fixed(d.ID[:])
	d.Leaves = c.U32()
	c.Fixed(d.Root[:])
}

// node is the descriptor's node in the sum tree of its kind.
func (d *Descriptor) node() Node {
	var b [1 + DescriptorSize]byte
	b[0] = tagUnit
	copy(b[1:], d.ID[:])
	binary.LittleEndian.PutUint32(b[33:], d.Leaves)
	copy(b[37:], d.Root[:])
	return Node{sha256.Sum256(b[:]), uint64(d.Leaves)}
}

// Totals is what the chain keeps of a plan. Invariant, where a plan made it:
// New ≤ Data, and Filler + Data < 2^63.
type Totals struct {
	Root   Hash   // of both trees
	Filler uint64 // leaves of filler units
	Data   uint64 // leaves of data units
	New    uint64 // of Data, those at the end that are new in the latest report
}

// EmptyTotals is what a plan without units says.
func EmptyTotals() Totals { return Totals{Root: planRoot(&Node{}, &Node{})} }

// Validate checks the invariant.
func (t *Totals) Validate() error {
	if t.New > t.Data || t.Data > maxSum || t.Filler > maxSum || t.Filler+t.Data > maxSum {
		return fmt.Errorf("proof: totals of %d filler and %d data leaves, %d of them new", t.Filler, t.Data, t.New)
	}
	return nil
}

// AppendSCALE appends the fields in order.
func (t *Totals) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU64(append(dst, t.Root[:]...), t.Filler)
	return scale.AppendU64(scale.AppendU64(dst, t.Data), t.New)
}

// DecodeSCALE reads the fields in order.
func (t *Totals) DecodeSCALE(c *scale.Cursor) {
	c.Fixed(t.Root[:])
	t.Filler, t.Data, t.New = c.U64(), c.U64(), c.U64()
}

// list is a row of entries and the sum tree over them.
type list[T any] struct {
	items vec[T]
	tree  sumTree
}

func (l *list[T]) clone() list[T] { return list[T]{l.items.clone(), l.tree.clone()} }

func (l *list[T]) append(items []T, node func(*T) Node) {
	nodes := make([]Node, len(items))
	for i := range items {
		l.items.push(items[i])
		nodes[i] = node(&items[i])
	}
	l.tree.grow(nodes)
}

// remove takes entry i out; the first *old stay before the others.
func (l *list[T]) remove(i int, old *int) {
	move := func(from, to int) {
		if from != to {
			l.items.set(to, *l.items.at(from))
			l.tree.set(to, *l.tree.rows[0].at(from))
		}
	}
	if i < *old {
		*old--
		move(*old, i)
		i = *old
	}
	move(l.items.n-1, i)
	l.items.trim(l.items.n - 1)
	l.tree.pop()
}

// all goes through the entries in order.
func (l *list[T]) all() iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		for i := range l.items.n {
			if !yield(i, l.items.at(i)) {
				return
			}
		}
	}
}

// Plan lists a worker's units: fillers, then data. The zero Plan is empty.
// Operations cost in proportion to what they change.
type Plan struct {
	filler, data list[Descriptor]
	old          int // data units that were there before the latest report
}

// Totals is what the chain is told of the plan.
func (p *Plan) Totals() Totals {
	f, d := p.filler.tree.root(), p.data.tree.root()
	return Totals{planRoot(&f, &d), f.Sum, d.Sum, d.Sum - p.data.tree.before(p.old)}
}

// Clone returns a plan that changes on its own; it shares what does not change.
func (p *Plan) Clone() Plan { return Plan{p.filler.clone(), p.data.clone(), p.old} }

// list is the list of a kind.
func (p *Plan) list(k Kind) *list[Descriptor] {
	if k == Filler {
		return &p.filler
	}
	return &p.data
}

// Units goes through the units of a kind in order.
func (p *Plan) Units(k Kind) iter.Seq2[int, *Descriptor] { return p.list(k).all() }

// Len is how many units of a kind there are.
func (p *Plan) Len(k Kind) int { return p.list(k).items.n }

// Place is where a leaf of a plan lies.
type Place struct {
	Kind Kind
	Unit *Descriptor // not to be changed
	At   int         // of the unit among those of its kind
	Leaf uint32      // in the unit
}

// Find returns the place of a leaf by its index in the plan.
func (p *Plan) Find(leaf uint64) (Place, error) {
	kind, l := Filler, &p.filler
	if n := l.tree.root().Sum; leaf >= n {
		kind, l, leaf = Data, &p.data, leaf-n
	}
	if leaf >= l.tree.root().Sum {
		return Place{}, fmt.Errorf("proof: leaf %d is beyond the plan", leaf)
	}
	at, offset := l.tree.find(leaf)
	return Place{kind, l.items.at(at), at, uint32(offset)}, nil
}

// Path is the way from a unit to the root of its tree, and the root hash of the
// other kind's tree.
func (p *Plan) Path(k Kind, at int) (path Path, other Hash) {
	o := p.list(1 - k).tree.root()
	return p.list(k).tree.path(at), o.Hash
}

// Load appends units that were checked before, when a plan is read back; the units
// from old on are new. Whether the plan is the right one, its root tells.
func (p *Plan) Load(k Kind, units []Descriptor) error {
	for i := range units {
		if u := &units[i]; u.Leaves == 0 || u.Leaves > MaxUnitLeaves {
			return fmt.Errorf("proof: a unit of %d leaves", u.Leaves)
		}
	}
	p.list(k).append(units, (*Descriptor).node)
	return nil
}

// SetNew says how many leaves at the end of data are new, after Load. It fails
// where that is not a whole number of units.
func (p *Plan) SetNew(leaves uint64) error {
	total := p.data.tree.root().Sum
	if leaves > total {
		return fmt.Errorf("proof: %d new leaves of %d", leaves, total)
	}
	p.old = p.Len(Data)
	if leaves == 0 {
		return nil
	}
	at, offset := p.data.tree.find(total - leaves)
	if offset != 0 {
		return errors.New("proof: the border of new data lies in a unit")
	}
	p.old = at
	return nil
}

// drop removes the units of a set, which has to be in the plan, and returns the
// data units among them.
func (p *Plan) drop(ids map[UnitID]bool) (data map[UnitID]bool, err error) {
	data = map[UnitID]bool{}
	found := 0
	for _, k := range [2]Kind{Filler, Data} {
		var at []int
		for i, d := range p.Units(k) {
			if ids[d.ID] {
				at = append(at, i)
				if k == Data {
					data[d.ID] = true
				}
			}
		}
		found += len(at)
		old := new(int)
		if k == Data {
			old = &p.old
		}
		for _, i := range slices.Backward(at) {
			p.list(k).remove(i, old)
		}
	}
	if found != len(ids) {
		return nil, fmt.Errorf("%w: %d units to drop, %d of them in the plan", ErrTransition, len(ids), found)
	}
	return data, nil
}
