package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// FileID names one sealing of a file: 128 random bits.
type FileID = [16]byte

// MaxParts is in how many units a file may lie.
const MaxParts = 8192

// Part says how many records of a file a unit holds.
type Part struct {
	Unit    UnitID
	Records uint32
}

// File is an entry of the index. Its slices are never changed once it is there.
type File struct {
	CID   []byte // canonical
	ID    FileID
	Size  uint64 // measured: the sum of the lengths of its distinct blocks
	Parts []Part // by ascending unit
}

// AppendSCALE appends the fields in order.
func (f *File) AppendSCALE(dst []byte) []byte {
	dst = append(scale.AppendBytes(dst, f.CID), f.ID[:]...)
	dst = scale.AppendCompact(scale.AppendU64(dst, f.Size), uint64(len(f.Parts)))
	for i := range f.Parts {
		dst = scale.AppendU32(append(dst, f.Parts[i].Unit[:]...), f.Parts[i].Records)
	}
	return dst
}

// DecodeSCALE reads an entry and checks its form.
func (f *File) DecodeSCALE(c *scale.Cursor) {
	*f = File{CID: c.Bytes(dag.MaxCID)}
	c.Fixed(f.ID[:])
	f.Size = c.U64()
	f.Parts = make([]Part, count(c, MaxParts, 36))
	for i := range f.Parts {
		c.Fixed(f.Parts[i].Unit[:])
		f.Parts[i].Records = c.U32()
	}
	if c.Err() == nil {
		if err := f.validate(); err != nil {
			c.Fail(err)
		}
	}
}

func (f *File) validate() error {
	if !dag.Canonical(f.CID) || f.Size > maxSum || len(f.Parts) == 0 || len(f.Parts) > MaxParts {
		return fmt.Errorf("proof: a file entry of %d bytes in %d parts, CID %x", f.Size, len(f.Parts), f.CID)
	}
	for i := range f.Parts {
		if f.Parts[i].Records == 0 || i > 0 && compare(f.Parts[i-1].Unit, f.Parts[i].Unit) >= 0 {
			return fmt.Errorf("proof: file %x: parts are empty or out of order", f.CID)
		}
	}
	return nil
}

// same reports whether an entry is the one that it replaces: then it is told of again.
func (f *File) same(old *File) bool {
	return old != nil && f.Size == old.Size && bytes.Equal(f.CID, old.CID) && slices.Equal(f.Parts, old.Parts)
}

// ToldAgain are the files of which a transition of this ledger tells the chain once more.
func (g *Ledger) ToldAgain(t *Transition) map[FileID]bool {
	kept := map[FileID]*File{}
	for i := range t.Keep {
		kept[t.Keep[i].ID] = &t.Keep[i]
	}
	again := map[FileID]bool{}
	for _, f := range g.Files() {
		if k := kept[f.ID]; k != nil && k.same(f) {
			again[f.ID] = true
		}
	}
	return again
}

func compare(a, b [32]byte) int { return slices.Compare(a[:], b[:]) }

// node is the entry's node in the index.
func (f *File) node() Node {
	return Node{sha256.Sum256(f.AppendSCALE([]byte{tagFile})), f.Size}
}

// Change is one entry of what the chain is told about files.
type Change struct {
	Added bool
	CID   []byte
	Size  uint64 // 0 for a deletion
}

// AppendSCALE appends the fields in order.
func (g *Change) AppendSCALE(dst []byte) []byte {
	return scale.AppendU64(scale.AppendBytes(scale.AppendBool(dst, g.Added), g.CID), g.Size)
}

// DecodeSCALE reads the fields in order.
func (g *Change) DecodeSCALE(c *scale.Cursor) {
	g.Added = c.Bool()
	g.CID = c.Bytes(dag.MaxCID)
	g.Size = c.U64()
	if c.Err() == nil && (!dag.Canonical(g.CID) || !g.Added && g.Size != 0) {
		c.Fail(fmt.Errorf("proof: a change of %x by %d bytes", g.CID, g.Size))
	}
}

// after is the head of a log that goes on with g.
func (g *Change) after(head Hash) Hash {
	return hash.Blake2b256(g.AppendSCALE(append([]byte("crust/mpow/change/v1"), head[:]...)))
}

// Log is the row of changes that the chain has not accepted yet. The zero Log is
// that of a new worker.
type Log struct {
	base     uint64 // changes that the chain accepted
	baseHead Hash
	changes  []Change
	head     Hash // after all changes
}

// NewLog returns a log of which the chain has accepted base changes.
func NewLog(base uint64, head Hash) Log { return Log{base: base, baseHead: head, head: head} }

// Len is how many changes there were since the worker's birth.
func (l *Log) Len() uint64 { return l.base + uint64(len(l.changes)) }

// Base is how many of them the chain has accepted, as far as the log was told.
func (l *Log) Base() uint64 { return l.base }

// Add appends changes.
func (l *Log) Add(changes ...Change) {
	l.changes = slices.Clip(l.changes) // a clone may hold the same array
	for i := range changes {
		l.head = changes[i].after(l.head)
	}
	l.changes = append(l.changes, changes...)
}

// Changes are those that the chain has not accepted, not to be changed.
func (l *Log) Changes() []Change { return l.changes }

// Accepted forgets the changes before n.
func (l *Log) Accepted(n uint64) error {
	if n < l.base || n > l.Len() {
		return fmt.Errorf("proof: %d changes accepted, the log has %d to %d", n, l.base, l.Len())
	}
	for ; l.base < n; l.base++ {
		l.baseHead = l.changes[0].after(l.baseHead)
		l.changes = l.changes[1:]
	}
	return nil
}

// Report makes the file report of the changes from number from on: at most limit of
// them, and none of a CID that it has already.
func (l *Log) Report(from uint64, limit int, lineage Lineage, counter uint64) (*FileReport, error) {
	if from < l.base || from >= l.Len() {
		return nil, fmt.Errorf("proof: nothing to report from change %d on, the log has %d to %d", from, l.base, l.Len())
	}
	r := &FileReport{Lineage: lineage, Sequence: from, Counter: counter, Head: l.baseHead}
	seen := map[string]bool{}
	for i := range l.changes {
		g := &l.changes[i]
		if at := l.base + uint64(i); at >= from {
			if len(seen) == min(limit, MaxFileChanges) || seen[string(g.CID)] {
				break
			}
			seen[string(g.CID)] = true
			if g.Added {
				r.Added = append(r.Added, Added{g.CID, g.Size})
			} else {
				r.Deleted = append(r.Deleted, g.CID)
			}
		}
		r.Head = g.after(r.Head)
	}
	slices.SortFunc(r.Added, func(a, b Added) int { return slices.Compare(a.CID, b.CID) })
	slices.SortFunc(r.Deleted, slices.Compare)
	return r, nil
}

// Ledger is all that a worker holds and has to tell: its plan, the index of files,
// and the log of changes. The zero Ledger is that of a new worker.
type Ledger struct {
	Plan  Plan
	files list[File]
	Log   Log
}

// Clone returns a ledger that changes on its own.
func (g *Ledger) Clone() Ledger { return Ledger{g.Plan.Clone(), g.files.clone(), g.Log} }

// Files goes through the entries of the index, not to be changed.
func (g *Ledger) Files() iter.Seq2[int, *File] { return g.files.all() }

// LenFiles is how many files there are.
func (g *Ledger) LenFiles() int { return g.files.items.n }

// LoadFiles appends entries that were checked before.
func (g *Ledger) LoadFiles(files []File) { g.files.append(files, (*File).node) }

// Index is what a report says of the files: a commitment to index and log, and the
// sum of the sizes.
func (g *Ledger) Index() (commitment Hash, size uint64) {
	root := g.files.tree.root()
	b := append([]byte("crust/mpow/index/v1"), root.Hash[:]...)
	b = binary.LittleEndian.AppendUint64(b, g.Log.Len())
	return hash.Blake2b256(append(b, g.Log.head[:]...)), root.Sum
}

// EmptyIndex is the commitment of a new worker.
func EmptyIndex() Hash {
	h, _ := new(Ledger).Index()
	return h
}
