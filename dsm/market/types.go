package market

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Balance is an amount in plancks.
type Balance = frame.Balance

// Block is a block number as the market's records have it.
type Block = uint32

// Lineage names one set of sealed bytes for ever: the worker's name to the market.
type Lineage [16]byte

// Key is a file's name: the canonical text of its CID; Vec<u8> on the wire.
type Key string

var typeBytes = reflect.TypeFor[[]byte]()

// AppendSCALE appends the text with its length.
func (k Key) AppendSCALE(dst []byte) []byte { return scale.AppendString(dst, string(k)) }

// DecodeSCALE reads text with its length.
func (k *Key) DecodeSCALE(c *scale.Cursor) { *k = Key(c.BytesRef(dag.MaxText)) }

// MinSizeSCALE is the size of the shortest encoding.
func (Key) MinSizeSCALE() int { return 1 }

// SCALEType describes the key to metadata, as bytes.
func (Key) SCALEType() scale.TypeDef { return scale.TypeDefOf(typeBytes) }

// FileInfo is what clients know of a file: what is stored, until when, and who
// holds it. Its fields are those of the original chain, in its order.
type FileInfo struct {
	FileSize             uint64  // bytes: as ordered, and as measured once there is a replica
	Spower               uint64  // bytes of power of each ready replica
	ExpiredAt            Block   // 0 while the file is pending; reached it must be settled
	CalculatedAt         Block   // of the latest settlement
	Amount               Balance `scale:"compact"` // of the storage share that is not booked to anybody
	Prepaid              Balance `scale:"compact"` // for renewal
	ReportedReplicaCount uint32
	RemainingPaidCount   uint32 // replicas that will still be paid
	Replicas             Replicas
}

// SCALEPath names the type for clients.
func (FileInfo) SCALEPath() string { return "market::FileInfoV2" }

// Replica is one group's copy of a file.
type Replica struct {
	Who        types.AccountID
	ValidAt    Block                // the report of it was accepted
	Anchor     []byte               // lineage of the worker that holds it
	IsReported bool                 // always true
	CreatedAt  scale.Option[uint32] // ValidAt until it is ready; none says that it has the file's Spower
}

// SCALEPath names the type for clients.
func (Replica) SCALEPath() string { return "market::Replica" }

// lineage is the worker that holds the replica.
func (r *Replica) lineage() (l Lineage) {
	copy(l[:], r.Anchor)
	return l
}

// ready reports whether the replica has the file's power instead of its size.
func (r *Replica) ready() bool { return !r.CreatedAt.Valid }

// Replicas are a file's replicas by the owners of their groups, ascending: a
// BTreeMap on the wire.
type Replicas []ReplicaOf

// ReplicaOf is a replica and the owner of its group.
type ReplicaOf = scale.Pair[types.AccountID, Replica]

var (
	typeAccount  = reflect.TypeFor[types.AccountID]()
	typeReplica  = reflect.TypeFor[Replica]()
	typeReplicas = reflect.TypeFor[[]ReplicaOf]()
	replicaCodec = scale.CodecOf[[]ReplicaOf]()
)

// AppendSCALE appends the pairs in order.
func (r Replicas) AppendSCALE(dst []byte) []byte {
	list := []ReplicaOf(r)
	return replicaCodec.Append(dst, &list)
}

// DecodeSCALE reads pairs.
func (r *Replicas) DecodeSCALE(c *scale.Cursor) {
	var list []ReplicaOf
	replicaCodec.Decode(c, &list)
	*r = list
}

// MinSizeSCALE is the size of no replicas.
func (Replicas) MinSizeSCALE() int { return 1 }

// SCALEType describes the replicas to metadata.
func (Replicas) SCALEType() scale.TypeDef {
	return scale.TypeDef{Path: "BTreeMap", Kind: scale.KindComposite,
		Params: []scale.TypeParam{{Name: "K", Type: typeAccount}, {Name: "V", Type: typeReplica}},
		Fields: []scale.Field{{Type: typeReplicas}}}
}

// find is where the owner's replica is or would be.
func (r Replicas) find(owner types.AccountID) (int, bool) {
	return slices.BinarySearchFunc(r, owner, func(p ReplicaOf, who types.AccountID) int { return slices.Compare(p.A[:], who[:]) })
}

// with is a copy with one more replica.
func (r Replicas) with(owner types.AccountID, n Replica) Replicas {
	i, _ := r.find(owner)
	out := make(Replicas, 0, len(r)+1)
	return append(append(append(out, r[:i]...), ReplicaOf{A: owner, B: n}), r[i:]...)
}

// without is a copy without the i-th replica.
func (r Replicas) without(i int) Replicas {
	out := make(Replicas, 0, len(r))
	return append(append(out, r[:i]...), r[i+1:]...)
}

// Order is what the market keeps of a file beside what clients of the original know.
type Order struct {
	PlacedAt     Block      // of the first order
	Seed         types.Hash // hash of the block after it: what ranks are drawn from; zero until it is known
	SeedAt       Block      // when the seed will be known; 0 once it is
	PendingUntil Block      // when the order ends unless a replica is reported; 0 if one was
	Wake         Block      // the next entry in the calendar; 0 if none
	PayDue       Block      // the next attempt to pay replicas; 0 if none
	PayTries     uint8      // attempts that are left
	FactorAt     Block      // the factor was evaluated
	FactorDue    Block      // it will be evaluated again; 0 if not
	PaidPrice    Balance    // paid for the current period, without tips
	Code         types.Hash // the enclave code that measured the file first
	Books        Books      // what belongs to whom
	Paid         []PaidSlot // replicas that were paid, at most four
}

// Books are the shares by which payers hold a file's money; see price.Pool.
type Books struct {
	Payers     uint32  // contributions
	Period     uint32  // shares of earlier periods are worth nothing
	Shares     Balance // of the amount, FundShares included
	Fund       uint32  // units of earlier funds are worth nothing
	Units      Balance // of the prepaid fund
	FundShares Balance // of the amount, that the fund bought by renewing
}

// Contribution is what one payer holds of one file.
type Contribution struct {
	OrderedAt Block // of the latest order; 0 if there was none
	Period    uint32
	Shares    Balance
	Fund      uint32
	Units     Balance
}

// PaidSlot is a paid replica: its owner's reward.
type PaidSlot struct {
	Owner    types.AccountID
	Platform types.Hash
	Vest     price.Vest // its End is 0 when all of it is vested
}

func (s *PaidSlot) vesting() bool { return s.Vest.End != 0 }

// Merchant is what a group owner has earned and not yet been paid.
type Merchant struct {
	Unpaid Balance    // booked: vested or not
	Vested price.Fine // at block At
	Rate   price.Fine // that vests in each block
	At     Block
}

// Holding is one replica of a worker.
type Holding struct {
	Owner   types.AccountID // of the group in whose name it was reported
	Counter uint64          // of the plan that commits it
}

// Files sums up replicas.
type Files struct {
	Replicas uint32
	Size     uint64 // bytes
	Power    uint64 // bytes
}

func (f Files) plus(o Files) Files {
	return Files{f.Replicas + o.Replicas, f.Size + o.Size, f.Power + o.Power}
}

// Holder sums up the replicas of a worker.
type Holder struct {
	Proven  Files  // committed by plans before Counter
	Latest  Files  // committed by the plan of Counter: they count when a later one is accepted
	Counter uint64 // of the latest file report
	Leaving bool   // all replicas are being removed and count for nothing
}

// Report is a worker's accepted report of files.
type Report struct {
	Member  types.AccountID // the worker's account
	Owner   types.AccountID // of its group; its own if it is in none
	Code    types.Hash      // of the enclave that signed
	Counter uint64          // of the plan that commits what is added
	Added   []AddedFile
	Deleted []Key
}

// Len is the number of changes.
func (r *Report) Len() int { return len(r.Added) + len(r.Deleted) }

// AddedFile is a file that a worker has sealed, with its measured size in bytes.
type AddedFile struct {
	File Key
	Size uint64
}

// QueuedReport is a report that waits to be worked off.
type QueuedReport struct {
	Report Report
	At     Block // it was accepted
}

// Queue is the reports of one worker that wait, as a range of sequence numbers.
type Queue struct {
	Head, Tail uint32
	Next       uint32 // change of the first report that is next
	Changes    uint32 // that wait
	InRing     bool
}

// Span is a first-in-first-out list in a map: entries Head to Tail, without Tail.
type Span struct{ Head, Tail uint64 }

func (s Span) len() uint64 { return s.Tail - s.Head }

// Agenda is where the calendar stands: the block being worked off, and how many
// of its entries are done.
type Agenda struct {
	Block Block
	Done  uint32
}

// Job is work that takes more than one step: the removal of all of a worker's
// replicas, or of all contributions to a file that is gone.
type Job struct {
	scale.Enum
	Release *Lineage
	Payers  *Key
}

// Leftover is the money of a file that is gone, on its way back to its payers.
type Leftover struct {
	Amount, Prepaid Balance
	Books           Books
}

// Stage is where in its life an order is. The chain answers Ordered, Reported,
// Live and Expired; nodes and gateways know the others.
type Stage struct {
	scale.Enum
	Ordered  *scale.Unit
	Fetching *scale.Unit
	Sealing  *scale.Unit
	Reported *ReportedStage `scale:"inline"`
	Live     *LiveStage     `scale:"inline"`
	Expired  *scale.Unit
	Closed   *scale.Unit
	Failed   *[]byte
}

// String is the stage in the words of the vocabulary.
func (s Stage) String() string {
	switch {
	case s.Ordered != nil:
		return "ordered"
	case s.Fetching != nil:
		return "fetching"
	case s.Sealing != nil:
		return "sealing"
	case s.Reported != nil:
		return fmt.Sprintf("reported %d/%d", s.Reported.Replicas, s.Reported.Wanted)
	case s.Live != nil:
		return fmt.Sprintf("live until %d", s.Live.Until)
	case s.Expired != nil:
		return "expired"
	case s.Closed != nil:
		return "closed"
	case s.Failed != nil:
		return fmt.Sprintf("failed(%s)", *s.Failed)
	}
	return "unknown"
}

// ReportedStage says how many of the wanted replicas are reported while none is live.
type ReportedStage struct{ Replicas, Wanted uint32 }

// LiveStage says until which block the file is paid.
type LiveStage struct{ Until Block }

// byRank orders candidates by the slot of their report and then by chance.
func byRank(a, b candidate) int {
	return cmp.Or(cmp.Compare(a.slot, b.slot), slices.Compare(a.rank[:], b.rank[:]))
}
