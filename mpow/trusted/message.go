package trusted

import (
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
)

// Requests and their answers: docs/protocol/mpow.md §11, in the order of their kinds.
// Bytes in a decoded message alias the frame.

// Hello begins a connection and says how large units are.
type Hello struct {
	Version    uint32
	UnitLeaves uint32
}

func (*Hello) kind() uint8       { return 1 }
func (m *Hello) fields(k *coder) { k.u32(&m.Version); k.u32(&m.UnitLeaves) }

func (m *Identity) fields(k *coder) {
	phase := uint8(m.Phase)
	k.fixed(m.Key[:])
	k.fixed(m.Lineage[:])
	k.fixed(m.Account[:])
	k.fixed(m.Genesis[:])
	k.u8(&phase)
	k.value(&m.Record)
	k.u32(&m.Final)
	k.bool(&m.Pending)
	m.Phase = Phase(phase)
}

// QuoteRequest asks for a quote that binds the enclave's key and a recent block.
type QuoteRequest struct{ Anchor Hash }

func (*QuoteRequest) kind() uint8       { return 2 }
func (m *QuoteRequest) fields(k *coder) { k.fixed(m.Anchor[:]) }

// QuoteAnswer has the quote.
type QuoteAnswer struct{ Quote []byte }

func (m *QuoteAnswer) fields(k *coder) { k.bytes(&m.Quote, 1<<16) }

// LoadRequest is Core.Load.
type LoadRequest struct {
	Section Section
	Bytes   []byte
}

func (*LoadRequest) kind() uint8 { return 3 }
func (m *LoadRequest) fields(k *coder) {
	section := uint8(m.Section)
	k.u8(&section)
	k.bytes(&m.Bytes, MaxFrame)
	m.Section = Section(section)
}

// LoadedRequest is Core.Loaded; the answer is an Identity.
type LoadedRequest struct{}

func (*LoadedRequest) kind() uint8       { return 4 }
func (m *LoadedRequest) fields(k *coder) {}

// FollowRequest is Core.Follow.
type FollowRequest struct {
	Warp  []byte
	Nodes [][]byte
}

func (*FollowRequest) kind() uint8 { return 5 }
func (m *FollowRequest) fields(k *coder) {
	k.bytes(&m.Warp, MaxFrame)
	row(k, &m.Nodes, maxNodes, 1, func(b *[]byte) { k.bytes(b, MaxFrame) })
}

// FollowAnswer has the outcome, and a state to be made durable.
type FollowAnswer struct {
	Outcome Outcome
	Final   uint32
	State   []byte
}

func (m *FollowAnswer) fields(k *coder) {
	outcome := uint8(m.Outcome)
	k.u8(&outcome)
	k.u32(&m.Final)
	k.bytes(&m.State, MaxFrame)
	m.Outcome = Outcome(outcome)
}

// FillRequest asks for the next leaves of the connection's filler.
type FillRequest struct{ Leaves uint32 }

func (*FillRequest) kind() uint8       { return 6 }
func (m *FillRequest) fields(k *coder) { k.u32(&m.Leaves) }

// FillAnswer has them, and the unit with its last ones.
type FillAnswer struct {
	Bytes  []byte
	Hashes []Hash
	Closed *Closed
}

func (m *FillAnswer) fields(k *coder) {
	k.bytes(&m.Bytes, MaxLeaves*proof.LeafSize)
	k.hashes(&m.Hashes, MaxLeaves)
	k.closed(&m.Closed)
}

// TicketRequest brings a unit or a file back: Core.RestoreUnit and RestoreFile.
type TicketRequest struct {
	File   *proof.File // or
	Kind   proof.Kind
	Unit   proof.Descriptor
	Ticket Ticket
}

func (*TicketRequest) kind() uint8 { return 7 }
func (m *TicketRequest) fields(k *coder) {
	file, kind := m.File != nil, uint8(m.Kind)
	if k.bool(&file); file {
		if k.c != nil {
			m.File = new(proof.File)
		}
		k.value(m.File)
	} else {
		k.u8(&kind)
		m.Kind = proof.Kind(kind)
		k.value(&m.Unit)
	}
	k.fixed(m.Ticket[:])
}

// Done is the answer that says no more than that it is done.
type Done struct{}

func (m *Done) fields(k *coder) {}

// BeginRequest is Core.Begin.
type BeginRequest struct {
	CID   dag.CID
	Limit uint64
}

func (*BeginRequest) kind() uint8       { return 8 }
func (m *BeginRequest) fields(k *coder) { k.cid(&m.CID); k.u64(&m.Limit) }

// BeginAnswer names the sealing.
type BeginAnswer struct{ File proof.FileID }

func (m *BeginAnswer) fields(k *coder) { k.fixed(m.File[:]) }

// Offered is a block of a file.
type Offered struct {
	CID   dag.CID
	Block []byte
}

// PutRequest is File.Put to the connection's data unit, for one block after the other:
// at most MaxOffered of them, with at most MaxOfferedBytes together.
type PutRequest struct {
	File   proof.FileID
	Blocks []Offered
}

func (*PutRequest) kind() uint8 { return 9 }
func (m *PutRequest) fields(k *coder) {
	k.fixed(m.File[:])
	row(k, &m.Blocks, MaxOffered, 6, func(b *Offered) {
		k.cid(&b.CID)
		k.bytes(&b.Block, dag.MaxBlock)
	})
}

// PutAnswer has what became of the blocks, in turn. If it is less than was offered, the
// next block was refused, and those after it were not looked at.
type PutAnswer struct {
	Put     []RecordAnswer
	Refused *RemoteError
}

func (m *PutAnswer) fields(k *coder) {
	row(k, &m.Put, MaxOffered, minRecordAnswer, func(a *RecordAnswer) { a.fields(k) })
	k.refusal(&m.Refused)
}

// minRecordAnswer is a lower bound of a RecordAnswer's length: two times an offset and two
// empty rows, a unit's id, and three single bytes.
const minRecordAnswer = 2*(8+1+1) + 32 + 3

// RecordAnswer has what is to be written: first the end of the unit before, if that
// is closed now, then the record, in unit Unit.
type RecordAnswer struct {
	End    Emitted
	Closed *Closed
	Unit   proof.UnitID
	Record Emitted
	Wanted []dag.CID // by the walk, because of the block
	// Moved is the entry that a move made, with its last record.
	Moved *EndAnswer
}

func (m *RecordAnswer) fields(k *coder) {
	k.emitted(&m.End)
	k.closed(&m.Closed)
	k.fixed(m.Unit[:])
	k.emitted(&m.Record)
	k.cids(&m.Wanted)
	moved := m.Moved != nil
	if k.bool(&moved); moved {
		if k.c != nil {
			m.Moved = new(EndAnswer)
		}
		m.Moved.fields(k)
	}
}

// CloseRequest is Core.CloseData for the connection's data unit.
type CloseRequest struct{}

func (*CloseRequest) kind() uint8       { return 10 }
func (m *CloseRequest) fields(k *coder) {}

// CloseAnswer has the end of the unit; Closed is nil if there was none.
type CloseAnswer struct {
	End    Emitted
	Closed *Closed
}

func (m *CloseAnswer) fields(k *coder) { k.emitted(&m.End); k.closed(&m.Closed) }

// EndRequest is Core.End.
type EndRequest struct{ File proof.FileID }

func (*EndRequest) kind() uint8       { return 11 }
func (m *EndRequest) fields(k *coder) { k.fixed(m.File[:]) }

// EndAnswer has the file's entry.
type EndAnswer struct {
	Entry  proof.File
	Ticket Ticket
}

func (m *EndAnswer) fields(k *coder) { k.value(&m.Entry); k.fixed(m.Ticket[:]) }

// AbandonRequest is Core.Abandon.
type AbandonRequest struct{ File proof.FileID }

func (*AbandonRequest) kind() uint8       { return 12 }
func (m *AbandonRequest) fields(k *coder) { k.fixed(m.File[:]) }

// OpenRequest is Core.OpenRecord.
type OpenRequest struct {
	Unit   proof.UnitID
	Record []byte
}

func (*OpenRequest) kind() uint8       { return 13 }
func (m *OpenRequest) fields(k *coder) { k.fixed(m.Unit[:]); k.bytes(&m.Record, MaxRecord) }

// OpenAnswer has the block.
type OpenAnswer struct {
	CID   dag.CID
	Block []byte
}

func (m *OpenAnswer) fields(k *coder) { k.cid(&m.CID); k.bytes(&m.Block, dag.MaxBlock) }

// DeleteRequest is Core.Delete.
type DeleteRequest struct{ CID dag.CID }

func (*DeleteRequest) kind() uint8       { return 14 }
func (m *DeleteRequest) fields(k *coder) { k.cid(&m.CID) }

// MoveRequest brings a record of a file out of a unit, to the connection's data
// unit; the answer is a RecordAnswer. The records of one file and unit come on one
// connection, without another move in between.
type MoveRequest struct {
	File   proof.FileID
	From   proof.UnitID
	Record []byte
}

func (*MoveRequest) kind() uint8 { return 15 }
func (m *MoveRequest) fields(k *coder) {
	k.fixed(m.File[:])
	k.fixed(m.From[:])
	k.bytes(&m.Record, MaxRecord)
}

// ChallengeRequest is Core.Challenge.
type ChallengeRequest struct {
	Params proof.Params
	Slot   uint32
	Hash   Hash
	Beacon Hash
}

func (*ChallengeRequest) kind() uint8 { return 16 }
func (m *ChallengeRequest) fields(k *coder) {
	k.value(&m.Params)
	k.u32(&m.Slot)
	k.fixed(m.Hash[:])
	k.fixed(m.Beacon[:])
}

// ChallengeAnswer says what is asked for.
type ChallengeAnswer struct{ Asked []Asked }

func (m *ChallengeAnswer) fields(k *coder) {
	row(k, &m.Asked, 1<<16, 1+proof.DescriptorSize+4, func(a *Asked) {
		kind := uint8(a.Kind)
		k.u8(&kind)
		a.Kind = proof.Kind(kind)
		k.value(&a.Unit)
		k.u32(&a.Leaf)
	})
}

// Shown is a leaf that was asked for, with its path if it is of a data unit; no
// bytes say that it cannot be read.
type Shown struct {
	Leaf []byte
	Path []Hash
}

// CheckRequest shows leaves, from number From of those that are asked for on.
type CheckRequest struct {
	From  uint32
	Shown []Shown
}

func (*CheckRequest) kind() uint8 { return 17 }
func (m *CheckRequest) fields(k *coder) {
	k.u32(&m.From)
	row(k, &m.Shown, MaxLeaves, 2, func(s *Shown) {
		k.bytes(&s.Leaf, proof.LeafSize)
		k.hashes(&s.Path, 14)
	})
}

// CheckAnswer says which leaves, counted from the first that was shown, are wrong.
type CheckAnswer struct{ Wrong []uint32 }

func (m *CheckAnswer) fields(k *coder) {
	row(k, &m.Wrong, MaxLeaves, 4, func(v *uint32) { k.u32(v) })
}

// ReportRequest is Core.Report.
type ReportRequest struct{ Drop, Lost []proof.UnitID }

func (*ReportRequest) kind() uint8 { return 18 }
func (m *ReportRequest) fields(k *coder) {
	k.hashes(&m.Drop, proof.MaxTransition)
	k.hashes(&m.Lost, proof.MaxBad)
}

func (m *Persist) fields(k *coder) {
	k.u64(&m.Seq)
	k.bytes(&m.State, MaxFrame)
	k.bytes(&m.Step, MaxFrame)
}

// LossRequest is Core.Loss.
type LossRequest struct {
	Params proof.Params
	Until  uint32
	Lost   []proof.UnitID
}

func (*LossRequest) kind() uint8 { return 19 }
func (m *LossRequest) fields(k *coder) {
	k.value(&m.Params)
	k.u32(&m.Until)
	k.hashes(&m.Lost, proof.MaxTransition)
}

// PersistedRequest is Core.Persisted.
type PersistedRequest struct{ Seq uint64 }

func (*PersistedRequest) kind() uint8       { return 20 }
func (m *PersistedRequest) fields(k *coder) { k.u64(&m.Seq) }

func (m *Signed) fields(k *coder) {
	k.bytes(&m.Message, MaxFrame)
	k.fixed(m.Signature[:])
}

// FilesRequest is Core.Files.
type FilesRequest struct {
	From  uint64
	Limit uint32
}

func (*FilesRequest) kind() uint8       { return 21 }
func (m *FilesRequest) fields(k *coder) { k.u64(&m.From); k.u32(&m.Limit) }

// StateRequest is Core.State; the answer is a StateAnswer.
type StateRequest struct{}

func (*StateRequest) kind() uint8       { return 22 }
func (m *StateRequest) fields(k *coder) {}

// StateAnswer has the sealed state.
type StateAnswer struct{ State []byte }

func (m *StateAnswer) fields(k *coder) { k.bytes(&m.State, MaxFrame) }

// AgainRequest is Core.TellAgain.
type AgainRequest struct{ CID dag.CID }

func (*AgainRequest) kind() uint8       { return 23 }
func (m *AgainRequest) fields(k *coder) { k.cid(&m.CID) }
