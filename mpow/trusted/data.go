package trusted

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
)

// Layout of a record: docs/protocol/mpow.md §2.
const (
	magic      = "cRE1"
	headerSize = 4 + 4 + 4 + 16 + 1 // before the CID
	tagSize    = 16
	// MaxRecord is the length of the longest record.
	MaxRecord = headerSize + dag.MaxCID + dag.MaxBlock + tagSize
)

// Errors that callers tell apart.
var (
	// ErrFull reports a record that does not fit into what is left of a unit: it has
	// to be closed, and the record goes to the next.
	ErrFull = errors.New("trusted: the record does not fit into the unit")
	// ErrRecord reports bytes that are no record of the unit.
	ErrRecord = errors.New("trusted: not a record of the unit")
)

// Emitted is what a call adds to a unit on disk. It is valid until the next call.
type Emitted struct {
	Offset uint64 // in the unit, in bytes
	Bytes  []byte
	Hashes []Hash // of the leaves that are complete now
}

// DataUnit is a data unit that is being written. It belongs to one goroutine.
type DataUnit struct {
	id     proof.UnitID
	aead   cipher.AEAD
	hasher proof.Hasher
	unit   proof.UnitHasher
	limit  uint64 // of the unit, in bytes
	// buf[start:end] is the leaf that is not complete: it lies in the unit from
	// leaves·LeafSize on.
	buf        []byte
	start, end int
	next       uint32 // index of the next record
	hashes     []Hash
}

// OpenData begins a data unit of at most some number of leaves.
func (c *Core) OpenData(leaves uint32) (*DataUnit, error) {
	if leaves == 0 || leaves > proof.MaxUnitLeaves {
		return nil, fmt.Errorf("%w: %d", ErrUnitSize, leaves)
	}
	u := &DataUnit{limit: uint64(leaves) * proof.LeafSize}
	if err := draw(c.env.Rand, u.id[:]); err != nil {
		return nil, err
	}
	u.aead = c.secret.unitAEAD(&u.id)
	return u, nil
}

// ID names the unit.
func (u *DataUnit) ID() proof.UnitID { return u.id }

// size is how many bytes were emitted.
func (u *DataUnit) size() uint64 {
	return uint64(u.unit.Leaves())*proof.LeafSize + uint64(u.end-u.start)
}

// recordSize is the length of a block's record.
func recordSize(cid dag.CID, block []byte) uint64 {
	return uint64(headerSize + len(cid.Key()) + len(block) + tagSize)
}

// fits reports whether a record of some block still fits.
func (u *DataUnit) fits(cid dag.CID, block []byte) bool {
	return u.size()+recordSize(cid, block) <= u.limit
}

// appendHeader appends a record's header.
func appendHeader(dst []byte, index uint32, file proof.FileID, cid dag.CID, size int) []byte {
	dst = binary.LittleEndian.AppendUint32(append(dst, magic...), index)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
	dst = append(append(dst, file[:]...), byte(len(cid.Key())))
	return append(dst, cid.Key()...)
}

// nonce is that of a record.
func nonce(index uint32) (n [12]byte) {
	binary.BigEndian.PutUint32(n[8:], index)
	return n
}

// put appends a record; the caller has seen that it fits.
func (u *DataUnit) put(file proof.FileID, cid dag.CID, block []byte) Emitted {
	e := Emitted{Offset: u.size()}
	u.grow(int(recordSize(cid, block)))
	from := u.end
	header := appendHeader(u.buf[:from], u.next, file, cid, len(block))[from:]
	var ad [32 + headerSize + dag.MaxCID]byte
	n := nonce(u.next)
	sealed := u.aead.Seal(u.buf[:from+len(header)], n[:], block, append(append(ad[:0], u.id[:]...), header...))
	u.next++
	u.end = len(sealed)
	e.Bytes, e.Hashes = sealed[from:], u.flush()
	return e
}

// grow moves the leaf that is not complete to the front and makes room for n bytes
// behind it.
func (u *DataUnit) grow(n int) {
	rest := u.buf[u.start:u.end]
	if need := len(rest) + n; len(u.buf) < need {
		u.buf = make([]byte, need+proof.LeafSize)
	}
	u.start, u.end = 0, copy(u.buf, rest)
}

// flush hashes the leaves that are complete and steps over them.
func (u *DataUnit) flush() []Hash {
	u.hashes = u.hashes[:0]
	for ; u.end-u.start >= proof.LeafSize; u.start += proof.LeafSize {
		h := u.hasher.Leaf(u.buf[u.start : u.start+proof.LeafSize])
		u.unit.Add(h)
		u.hashes = append(u.hashes, h)
	}
	return u.hashes
}

// close pads the last leaf with zeros.
func (u *DataUnit) close() (Emitted, proof.Descriptor) {
	e := Emitted{Offset: u.size()}
	if used := u.end - u.start; used > 0 {
		u.grow(proof.LeafSize - used)
		e.Bytes = u.buf[used:proof.LeafSize]
		clear(e.Bytes)
		u.end = proof.LeafSize
		e.Hashes = u.flush()
	}
	return e, proof.Descriptor{ID: u.id, Leaves: u.unit.Leaves(), Root: u.unit.Root()}
}

// CloseData pads and closes a unit, tells its descriptor and keeps it for the next
// report. A unit without records is forgotten: ok = false.
func (c *Core) CloseData(u *DataUnit) (e Emitted, d proof.Descriptor, t Ticket, ok bool, err error) {
	if u.size() == 0 {
		return e, d, t, false, nil
	}
	e, d = u.close()
	if err := c.addUnit(proof.Data, d); err != nil {
		return Emitted{}, proof.Descriptor{}, t, false, err
	}
	return e, d, c.secret.unitTicket(proof.Data, &d), true, nil
}

// Header is what a record says in clear.
type Header struct {
	Index  uint32 // of the record in its unit
	Size   uint32 // of the block
	File   proof.FileID
	CID    dag.CID
	Length uint32 // of the whole record
}

// MaxHeader is the length of the longest header.
const MaxHeader = headerSize + dag.MaxCID

// ReadHeader reads the header at the beginning of b. It is what a host goes by to find the
// records of a unit; whether one is genuine only opening it tells.
func ReadHeader(b []byte) (h Header, err error) {
	if len(b) < headerSize || string(b[:4]) != magic {
		return h, fmt.Errorf("%w: no header", ErrRecord)
	}
	h.Index, h.Size = binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	copy(h.File[:], b[12:])
	end := headerSize + int(b[headerSize-1])
	if h.Size > dag.MaxBlock || len(b) < end {
		return Header{}, fmt.Errorf("%w: %d bytes for a block of %d", ErrRecord, len(b), h.Size)
	}
	if h.CID, err = dag.ParseCID(b[headerSize:end]); err != nil || !bytes.Equal(h.CID.Bytes(), b[headerSize:end]) {
		return Header{}, fmt.Errorf("%w: a CID that is not canonical", ErrRecord)
	}
	h.Length = uint32(end+tagSize) + h.Size
	return h, nil
}

// open reads a record of a unit and appends its block: nothing of it is told unless all of it is
// right.
func (s *secret) open(dst []byte, unit *proof.UnitID, b []byte) (h Header, block []byte, err error) {
	if h, err = ReadHeader(b); err != nil {
		return Header{}, nil, err
	}
	if len(b) != int(h.Length) {
		return Header{}, nil, fmt.Errorf("%w: %d bytes for a block of %d", ErrRecord, len(b), h.Size)
	}
	header := b[:len(b)-tagSize-int(h.Size)]
	iv := nonce(h.Index)
	if block, err = s.unitAEAD(unit).Open(dst, iv[:], b[len(header):], append(unit[:len(unit):len(unit)], header...)); err != nil {
		return Header{}, nil, fmt.Errorf("%w: it does not authenticate", ErrRecord)
	}
	return h, block, nil
}

// OpenRecord returns the block that a record of some unit holds.
func (c *Core) OpenRecord(unit proof.UnitID, b []byte) (dag.CID, []byte, error) {
	r, block, err := c.secret.open(nil, &unit, b)
	return r.CID, block, err
}
