package swork

import (
	"reflect"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Balance is an amount, here of bytes.
type Balance = frame.Balance

// Lineage names one set of sealed bytes for ever: a worker.
type Lineage = proof.Lineage

// Code is an enclave program.
type Code struct {
	Version   uint32            // a later program has a higher one
	Until     types.BlockNumber // it is allowed in blocks before this one
	Since     types.BlockNumber // it was listed first
	Suspended bool              // it measured a file differently than an older one
}

// Record is what the chain keeps of a worker for its enclave to read.
type Record struct{ proof.Record }

// Worker is where a living worker stands. Slots are named by their first block.
type Worker struct {
	Account  types.AccountID
	Code     types.Hash
	Platform types.Hash
	Since    types.BlockNumber // registered
	Slot     uint32            // in which it reported last; 0 before it did
	Proven   uint64            // counter of the latest plan that stood a challenge
	Ramp     uint64            // filler leaves that may count: grows by at most 8 TiB a slot
	Run      []uint64          // filler leaves that stood the latest challenges, without a miss between; at most PunishmentSlots, oldest first
	Missed   uint32            // slots since the last report
	Fault    uint32            // missed slot because of which its window is not clean; 0 if it is
	Excused  uint32            // slot in the course of which it attested again
	Owed     bool              // an audit that was due in a slot without a report, or in a void one
	Failed   bool              // an audit was not answered: it counts no more
}

// Group is the workers that count for one owner. Lists are in ascending order.
type Group struct {
	Members   []types.AccountID
	Allowlist []types.AccountID // who may join
	Since     types.BlockNumber // it was created; 0 if there is none
}

// Member says for whom an account's worker counts.
type Member struct {
	Owner  scale.Option[types.AccountID] // none: for itself
	Before scale.Option[types.AccountID] // the owner in slots before Since
	Since  uint32                        // slot from which Owner is in force
}

// Endpoint is where a member can be reached.
type Endpoint struct {
	Peer      []byte   // libp2p's peer id
	Addresses [][]byte // multiaddresses, binary
}

// Slot is a slot of reports.
type Slot struct {
	Start  uint32     // its first block; 0 before the first slot
	Hash   types.Hash // of that block; zeros until the beacon is known
	Beacon types.Hash
}

// Chance is what a beacon is made of.
type Chance struct {
	Randomness types.Hash
	Outputs    []types.Hash // of the slot's first blocks, zeros for one that has none
}

// Turnout compares what heartbeats carry, in leaves.
type Turnout struct {
	Carried   uint64 // in the current slot
	Reference uint64 // in the last slot that was not void
}

// Audit is an audit that waits for an answer.
type Audit struct {
	Slot uint32
	Seed types.Hash
	Plan Plan           // that was challenged
	Bad  []proof.UnitID // that the slot's heartbeat named
}

// Plan is the totals of a plan.
type Plan struct{ proof.Totals }

// Recount is how far a recount is.
type Recount struct {
	Slot    uint32                        // that is counted
	Batch   uint32                        // workers that are visited in a block
	Worker  scale.Option[Lineage]         // last one that was visited
	Handing bool                          // all workers were visited: owners are handed over
	Owner   scale.Option[types.AccountID] // last one that was handed over
	Owners  uint32                        // that were
	Workers uint32                        // that counted for something
	Free    Balance
	Files   Balance // sizes
	Power   Balance
}

// Count is what an owner's workers came to in two recounts, of which one may be
// under way.
type Count struct{ Last, Next Tally }

// Tally is a sum over workers.
type Tally struct {
	Slot  uint32
	Free  Balance
	Power Balance
}

// Totals is a sum over all workers.
type Totals struct {
	Slot  uint32
	Free  Balance
	Files Balance // sizes of files
	Power Balance
}

// Report, FileReport, Loss and AuditAnswer are what enclaves and hosts say.
type (
	// Report is a heartbeat.
	Report struct{ proof.Report }
	// FileReport tells changes of files.
	FileReport struct{ proof.FileReport }
	// Loss is a declared loss.
	Loss struct{ proof.Loss }
	// AuditAnswer answers an audit.
	AuditAnswer struct{ proof.AuditAnswer }
)

// Signature is an ed25519 signature.
type Signature [64]byte

func fieldOf[T any](name string) scale.Field {
	return scale.Field{Name: name, Type: reflect.TypeFor[T]()}
}

func composite(path string, fields ...scale.Field) scale.TypeDef {
	return scale.TypeDef{Path: "swork::" + path, Kind: scale.KindComposite, Fields: fields}
}

type (
	hash32 = [32]byte
	hash16 = [16]byte
)

// SCALEType describes the record to metadata.
func (Record) SCALEType() scale.TypeDef {
	return composite("Record", fieldOf[hash32]("key"), fieldOf[hash16]("lineage"), fieldOf[uint64]("counter"), fieldOf[Plan]("plan"), fieldOf[hash32]("files"),
		fieldOf[uint64]("files_size"), fieldOf[uint64]("due"), fieldOf[uint64]("changes"), fieldOf[hash32]("head"))
}

// SCALEType describes the totals to metadata.
func (Plan) SCALEType() scale.TypeDef {
	return composite("Totals", fieldOf[hash32]("root"), fieldOf[uint64]("filler"), fieldOf[uint64]("data"), fieldOf[uint64]("new"))
}

// SCALEType describes the report to metadata.
func (Report) SCALEType() scale.TypeDef {
	return composite("Report", fieldOf[hash16]("lineage"), fieldOf[uint32]("slot"), fieldOf[hash32]("hash"), fieldOf[hash32]("beacon"), fieldOf[uint64]("counter"),
		fieldOf[hash32]("challenged"), fieldOf[Plan]("plan"), fieldOf[[]hash32]("bad"), fieldOf[hash32]("files"), fieldOf[uint64]("files_size"), fieldOf[uint64]("due"))
}

// SCALEType describes the loss to metadata.
func (Loss) SCALEType() scale.TypeDef {
	return composite("Loss", fieldOf[hash16]("lineage"), fieldOf[uint32]("until"), fieldOf[uint64]("counter"), fieldOf[hash32]("from"), fieldOf[Plan]("plan"),
		fieldOf[hash32]("files"), fieldOf[uint64]("files_size"), fieldOf[uint64]("due"))
}

type addedFile struct {
	Cid  []byte
	Size uint64
}

// SCALEType describes the report to metadata.
func (FileReport) SCALEType() scale.TypeDef {
	return composite("FileReport", fieldOf[hash16]("lineage"), fieldOf[uint64]("sequence"), fieldOf[uint64]("counter"), fieldOf[[]addedFile]("added"),
		fieldOf[[][]byte]("deleted"), fieldOf[hash32]("head"))
}

type (
	step struct {
		Left bool
		Hash hash32
		Sum  uint64
	}
	held struct {
		SubLeaf  [proof.SubLeafSize]byte
		LeafPath [14]hash32
		ID       hash32
		Leaves   uint32
		UnitPath []hash32
		PlanPath []step
		Other    hash32
	}
	descriptor struct {
		ID     hash32
		Leaves uint32
		Root   hash32
	}
	lost struct {
		Unit     descriptor
		PlanPath []step
		Other    hash32
	}
	answer struct {
		scale.Enum
		Held *held `scale:"inline"`
		Bad  *lost `scale:"inline"`
	}
)

// SCALEType describes the answer to metadata.
func (AuditAnswer) SCALEType() scale.TypeDef {
	return composite("AuditAnswer", fieldOf[hash16]("lineage"), fieldOf[uint32]("slot"), fieldOf[[]answer]("leaves"))
}
