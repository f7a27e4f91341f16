package index

import (
	"encoding/binary"
	"fmt"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/scale"
)

// format is the number of the layout below. A later version that changes it brings
// a migration.
const format = 1

// Keys. Numbers in them are big endian, so that they sort.
const (
	keyMeta     = 'm' // → format u32, lineage
	keyUnit     = 'u' // number → Unit
	keyBlock    = 'b' // CID, file id → Place: every file has records of its own
	keyRecord   = 'r' // unit's number, offset → CID, file id: the same, by unit
	keyFile     = 'f' // file id → File
	keyStep     = 't' // counter after it → Step
	keyRemnant  = 'p' // root's CID, unit's number → second of 1970: what was sealed of a file that is not complete
	keySnapshot = 's' // counter, section, piece → entries of the section
	keyGroup    = 'g' // → Group
)

func numbered(kind byte, n uint64, rest ...byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{kind}, n), rest...)
}

func blockKey(cid dag.CID, file proof.FileID) []byte {
	return append(append([]byte{keyBlock}, cid.Key()...), file[:]...)
}

func recordKey(unit, offset uint64) []byte {
	return binary.BigEndian.AppendUint64(numbered(keyRecord, unit), offset)
}

func fileKey(id proof.FileID) []byte { return append([]byte{keyFile}, id[:]...) }

// Unit is a complete unit.
type Unit struct {
	Number uint64   // names its file
	Disk   [16]byte // that it lies on
	Kind   proof.Kind
	Desc   proof.Descriptor
	Ticket [32]byte // the enclave's word that it made it
	Left   uint32   // final block that showed the plan without it; 0 while it may be in one
}

func (u *Unit) appendSCALE(dst []byte) []byte {
	dst = append(append(dst, u.Disk[:]...), byte(u.Kind))
	dst = append(u.Desc.AppendSCALE(dst), u.Ticket[:]...)
	return scale.AppendU32(dst, u.Left)
}

func (u *Unit) decode(key, value []byte) error {
	if len(key) != 9 {
		return fmt.Errorf("index: a unit's key of %d bytes", len(key))
	}
	u.Number = binary.BigEndian.Uint64(key[1:])
	c := scale.NewCursor(value)
	c.Fixed(u.Disk[:])
	u.Kind = proof.Kind(c.U8())
	u.Desc.DecodeSCALE(c)
	c.Fixed(u.Ticket[:])
	u.Left = c.U32()
	return c.Finish()
}

// Place is where a block's record lies.
type Place struct {
	Unit   uint64 // number
	Offset uint64 // in the unit, in bytes
	Length uint32 // of the record
	Size   uint32 // of the block
	File   proof.FileID
}

func (p *Place) appendSCALE(dst []byte) []byte {
	return scale.AppendU32(scale.AppendU32(scale.AppendU64(scale.AppendU64(dst, p.Unit), p.Offset), p.Length), p.Size)
}

func (p *Place) decode(key, value []byte) error {
	copy(p.File[:], key[len(key)-len(p.File):])
	c := scale.NewCursor(value)
	p.Unit, p.Offset, p.Length, p.Size = c.U64(), c.U64(), c.U32(), c.U32()
	return c.Finish()
}

// File is a file that was sealed to its end.
type File struct {
	Entry   proof.File
	Ticket  [32]byte
	Deleted bool // it leaves with the next report
	Again   bool // the next report tells of it once more
}

// Bits of a file's line.
const (
	fileDeleted = 1 << iota
	fileAgain
)

func (f *File) appendSCALE(dst []byte) []byte {
	bits := byte(0)
	if f.Deleted {
		bits |= fileDeleted
	}
	if f.Again {
		bits |= fileAgain
	}
	return append(append(f.Entry.AppendSCALE(dst), f.Ticket[:]...), bits)
}

func (f *File) decode(value []byte) error {
	c := scale.NewCursor(value)
	f.Entry.DecodeSCALE(c)
	c.Fixed(f.Ticket[:])
	bits := c.U8()
	f.Deleted, f.Again = bits&fileDeleted != 0, bits&fileAgain != 0
	return c.Finish()
}

// Group is for whom a worker counts, as far as it knows.
type Group struct {
	Owner proof.Hash // account; zeros for nobody but itself
	Since uint32     // first slot in which that is in force
}

func (g *Group) appendSCALE(dst []byte) []byte {
	return scale.AppendU32(append(dst, g.Owner[:]...), g.Since)
}

func (g *Group) decode(value []byte) error {
	c := scale.NewCursor(value)
	c.Fixed(g.Owner[:])
	g.Since = c.U32()
	return c.Finish()
}

// Remnant is a unit that has blocks of a file that was begun and is not complete.
type Remnant struct {
	Root dag.CID
	Unit uint64 // number
	At   uint64 // seconds since 1970 when the unit was complete
}

func remnantKey(root dag.CID, unit uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte{keyRemnant}, root.Key()...), unit)
}

func (r *Remnant) decode(key, value []byte) (err error) {
	if len(key) < 9 || len(value) != 8 {
		return fmt.Errorf("index: a remnant's line of %d and %d bytes", len(key), len(value))
	}
	at := len(key) - 8
	r.Unit, r.At = binary.BigEndian.Uint64(key[at:]), binary.BigEndian.Uint64(value)
	r.Root, err = dag.ParseCID(key[1:at])
	return err
}

// Step is the transition that leads to a counter.
type Step struct {
	Loss       bool   // a declared loss, not a heartbeat
	UnitLeaves uint32 // leaves of a filler unit when it was signed
	Transition []byte // SCALE, as the enclave gave it
}

func (s *Step) appendSCALE(dst []byte) []byte {
	return append(scale.AppendU32(scale.AppendBool(dst, s.Loss), s.UnitLeaves), s.Transition...)
}

func (s *Step) decode(value []byte) error {
	c := scale.NewCursor(value)
	s.Loss, s.UnitLeaves = c.Bool(), c.U32()
	if err := c.Err(); err != nil {
		return err
	}
	s.Transition = value[5:]
	return nil
}
