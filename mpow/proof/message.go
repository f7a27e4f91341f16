package proof

import (
	"fmt"
	"slices"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// Limits of messages.
const (
	// MaxBad is how many units a heartbeat may name as lost.
	MaxBad = 4
	// MaxFileChanges is how many entries a file report may have.
	MaxFileChanges = 300
	// MaxReport is the length of the longest encoded heartbeat.
	MaxReport = minReport + 32*MaxBad
	minReport = 16 + 4 + 32 + 32 + 8 + 32 + 56 + 1 + 32 + 8 + 8
)

// Params are the chain's parameters that an enclave goes by. They are part of what
// it signs, so that it need not know which are right.
type Params struct {
	UnitLeaves  uint32 // leaves of a filler unit, and at most of a data unit
	Samples     uint32 // leaves of a challenge
	Deadline    uint32 // D, blocks after a slot's first in which its reports are taken
	AuditWindow uint32 // blocks after a slot's first in which plans only change by reports
}

// Validate checks what arithmetic needs.
func (p *Params) Validate() error {
	if p.UnitLeaves == 0 || p.UnitLeaves > MaxUnitLeaves || p.Samples == 0 || p.Samples > 1<<16 || p.Deadline == 0 || p.AuditWindow > 1<<20 || p.Deadline >= p.AuditWindow {
		return fmt.Errorf("proof: parameters %+v", *p)
	}
	return nil
}

// AppendSCALE appends the fields in order.
func (p *Params) AppendSCALE(dst []byte) []byte {
	for _, v := range [4]uint32{p.UnitLeaves, p.Samples, p.Deadline, p.AuditWindow} {
		dst = scale.AppendU32(dst, v)
	}
	return dst
}

// DecodeSCALE reads the fields in order.
func (p *Params) DecodeSCALE(c *scale.Cursor) {
	p.UnitLeaves, p.Samples, p.Deadline, p.AuditWindow = c.U32(), c.U32(), c.U32(), c.U32()
}

// RegisterTag begins what the quote of a registration binds.
const RegisterTag = "crust/mpow/register/v1"

// ReportData is what the quote of a registration binds: network, account, key and
// lineage, and a recent block, so that no quote is older than that.
func ReportData(genesis, account, key Hash, l Lineage, anchor Hash) (data [64]byte) {
	b := append([]byte(RegisterTag), genesis[:]...)
	b = append(append(append(b, account[:]...), key[:]...), l[:]...)
	h := hash.Sha2_256(append(b, anchor[:]...))
	copy(data[:], h[:])
	return data
}

// Report is a heartbeat: the enclave's word that a plan stood a slot's challenge,
// and what the plan is from now on.
type Report struct {
	Lineage    Lineage
	Slot       uint32 // its first block
	Hash       Hash   // of that block
	Beacon     Hash   // of the slot
	Counter    uint64 // of the new plan: that of the challenged one, plus 1
	Challenged Hash   // root of the plan that was challenged
	Plan       Totals // the new plan
	Bad        []UnitID
	Files      Hash   // commitment to the index of files
	FilesSize  uint64 // Σ measured sizes, in bytes
	Due        uint64 // changes that have to be accepted before replicas count
}

// AppendSCALE appends the fields in order.
func (r *Report) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU32(append(dst, r.Lineage[:]...), r.Slot)
	dst = append(append(dst, r.Hash[:]...), r.Beacon[:]...)
	dst = append(scale.AppendU64(dst, r.Counter), r.Challenged[:]...)
	dst = appendIDs(r.Plan.AppendSCALE(dst), r.Bad)
	dst = scale.AppendU64(append(dst, r.Files[:]...), r.FilesSize)
	return scale.AppendU64(dst, r.Due)
}

// DecodeSCALE reads a report and checks its form: totals, and that bad units are
// few and in order.
func (r *Report) DecodeSCALE(c *scale.Cursor) {
	c.Fixed(r.Lineage[:])
	r.Slot = c.U32()
	c.Fixed(r.Hash[:])
	c.Fixed(r.Beacon[:])
	r.Counter = c.U64()
	c.Fixed(r.Challenged[:])
	r.Plan.DecodeSCALE(c)
	r.Bad = decodeIDs(c, MaxBad)
	c.Fixed(r.Files[:])
	r.FilesSize, r.Due = c.U64(), c.U64()
	checkTotals(c, &r.Plan, r.FilesSize)
}

// Message is what the enclave key signs.
func (r *Report) Message(genesis Hash, p *Params) []byte {
	return r.AppendSCALE(p.AppendSCALE(append([]byte("crust/mpow/report/v1"), genesis[:]...)))
}

// Loss is a declared loss: a plan without the units that went, outside the slots'
// windows.
type Loss struct {
	Lineage   Lineage
	Until     uint32 // the last block in which it may be accepted
	Counter   uint64 // of the new plan
	From      Hash   // root of the plan before
	Plan      Totals
	Files     Hash
	FilesSize uint64
	Due       uint64
}

// AppendSCALE appends the fields in order.
func (l *Loss) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU32(append(dst, l.Lineage[:]...), l.Until)
	dst = append(scale.AppendU64(dst, l.Counter), l.From[:]...)
	dst = append(l.Plan.AppendSCALE(dst), l.Files[:]...)
	return scale.AppendU64(scale.AppendU64(dst, l.FilesSize), l.Due)
}

// DecodeSCALE reads a loss and checks its totals.
func (l *Loss) DecodeSCALE(c *scale.Cursor) {
	c.Fixed(l.Lineage[:])
	l.Until, l.Counter = c.U32(), c.U64()
	c.Fixed(l.From[:])
	l.Plan.DecodeSCALE(c)
	c.Fixed(l.Files[:])
	l.FilesSize, l.Due = c.U64(), c.U64()
	checkTotals(c, &l.Plan, l.FilesSize)
}

// Message is what the enclave key signs.
func (l *Loss) Message(genesis Hash, p *Params) []byte {
	return l.AppendSCALE(p.AppendSCALE(append([]byte("crust/mpow/loss/v1"), genesis[:]...)))
}

// Added is a file that a file report adds.
type Added struct {
	CID  []byte // canonical
	Size uint64 // measured
}

// FileReport tells the chain the next changes of a worker's files.
type FileReport struct {
	Lineage  Lineage
	Sequence uint64 // changes in all earlier file reports together
	Counter  uint64 // of a plan that holds what is added; final
	Added    []Added
	Deleted  [][]byte // canonical CIDs
	Head     Hash     // of the log, after these changes
}

// Len is how many changes there are.
func (r *FileReport) Len() int { return len(r.Added) + len(r.Deleted) }

// AppendSCALE appends the fields in order.
func (r *FileReport) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU64(append(dst, r.Lineage[:]...), r.Sequence)
	dst = scale.AppendCompact(scale.AppendU64(dst, r.Counter), uint64(len(r.Added)))
	for i := range r.Added {
		dst = scale.AppendU64(scale.AppendBytes(dst, r.Added[i].CID), r.Added[i].Size)
	}
	dst = scale.AppendCompact(dst, uint64(len(r.Deleted)))
	for _, cid := range r.Deleted {
		dst = scale.AppendBytes(dst, cid)
	}
	return append(dst, r.Head[:]...)
}

// DecodeSCALE reads a file report and checks its form: 1 to 300 changes, canonical
// CIDs in strictly ascending order, none both added and deleted.
func (r *FileReport) DecodeSCALE(c *scale.Cursor) {
	c.Fixed(r.Lineage[:])
	r.Sequence, r.Counter = c.U64(), c.U64()
	r.Added = make([]Added, count(c, MaxFileChanges, 45))
	for i := range r.Added {
		r.Added[i] = Added{c.Bytes(dag.MaxCID), c.U64()}
	}
	r.Deleted = make([][]byte, count(c, MaxFileChanges-len(r.Added), 37))
	for i := range r.Deleted {
		r.Deleted[i] = c.Bytes(dag.MaxCID)
	}
	c.Fixed(r.Head[:])
	if c.Err() == nil {
		if err := r.validate(); err != nil {
			c.Fail(err)
		}
	}
}

func (r *FileReport) validate() error {
	if r.Len() == 0 || r.Len() > MaxFileChanges {
		return fmt.Errorf("proof: a file report of %d changes", r.Len())
	}
	for i := range r.Added {
		a := &r.Added[i]
		if !dag.Canonical(a.CID) || a.Size > maxSum || i > 0 && slices.Compare(r.Added[i-1].CID, a.CID) >= 0 {
			return fmt.Errorf("proof: added file %x of %d bytes: not canonical, too large or out of order", a.CID, a.Size)
		}
	}
	for i, cid := range r.Deleted {
		if !dag.Canonical(cid) || i > 0 && slices.Compare(r.Deleted[i-1], cid) >= 0 {
			return fmt.Errorf("proof: deleted file %x: not canonical or out of order", cid)
		}
		if _, both := slices.BinarySearchFunc(r.Added, cid, func(a Added, cid []byte) int { return slices.Compare(a.CID, cid) }); both {
			return fmt.Errorf("proof: file %x is added and deleted", cid)
		}
	}
	return nil
}

// Message is what the enclave key signs.
func (r *FileReport) Message(genesis Hash) []byte {
	return r.AppendSCALE(append([]byte("crust/mpow/files/v1"), genesis[:]...))
}

// Verify checks the signature of a message by an enclave key.
func Verify(key Hash, message []byte, signature [64]byte) bool {
	return ed25519.Verify(key, message, signature)
}

// Record is what the chain keeps of a worker for its enclave to read.
type Record struct {
	Key       Hash
	Lineage   Lineage
	Counter   uint64
	Plan      Totals
	Files     Hash
	FilesSize uint64
	Due       uint64
	Changes   uint64 // that file reports brought
	Head      Hash   // of the log after them
}

// NewRecord is the record of a worker that has just registered.
func NewRecord(key Hash, l Lineage) Record {
	return Record{Key: key, Lineage: l, Plan: EmptyTotals(), Files: EmptyIndex()}
}

// AppendSCALE appends the fields in order.
func (r *Record) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU64(append(append(dst, r.Key[:]...), r.Lineage[:]...), r.Counter)
	dst = append(r.Plan.AppendSCALE(dst), r.Files[:]...)
	dst = scale.AppendU64(scale.AppendU64(scale.AppendU64(dst, r.FilesSize), r.Due), r.Changes)
	return append(dst, r.Head[:]...)
}

// DecodeSCALE reads the fields in order.
func (r *Record) DecodeSCALE(c *scale.Cursor) {
	c.Fixed(r.Key[:])
	c.Fixed(r.Lineage[:])
	r.Counter = c.U64()
	r.Plan.DecodeSCALE(c)
	c.Fixed(r.Files[:])
	r.FilesSize, r.Due, r.Changes = c.U64(), c.U64(), c.U64()
	c.Fixed(r.Head[:])
	checkTotals(c, &r.Plan, r.FilesSize)
}

// RecordKey is the storage key of an account's record: Records of Swork, hashed by
// blake2_128_concat.
func RecordKey(account Hash) []byte {
	pallet, item, h := hash.Twox128([]byte("Swork")), hash.Twox128([]byte("Records")), hash.Blake2b128(account[:])
	return append(append(append(pallet[:], item[:]...), h[:]...), account[:]...)
}

// Step changes the record as the chain does when it accepts a new plan.
func (r *Record) Step(counter uint64, plan Totals, files Hash, size, due uint64) {
	r.Counter, r.Plan, r.Files, r.FilesSize, r.Due = counter, plan, files, size, due
}

func checkTotals(c *scale.Cursor, t *Totals, size uint64) {
	if c.Err() != nil {
		return
	}
	if err := t.Validate(); err != nil {
		c.Fail(err)
	} else if size > maxSum {
		c.Fail(fmt.Errorf("proof: files of %d bytes", size))
	}
}

func appendIDs(dst []byte, ids []UnitID) []byte {
	dst = scale.AppendCompact(dst, uint64(len(ids)))
	for i := range ids {
		dst = append(dst, ids[i][:]...)
	}
	return dst
}

// decodeIDs reads ids in strictly ascending order.
func decodeIDs(c *scale.Cursor, limit int) []UnitID {
	ids := make([]UnitID, count(c, limit, 32))
	for i := range ids {
		c.Fixed(ids[i][:])
		if i > 0 && compare(ids[i-1], ids[i]) >= 0 {
			c.Fail(fmt.Errorf("proof: unit %x is out of order", ids[i]))
		}
	}
	return ids
}
