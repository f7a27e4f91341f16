package swork

import (
	"errors"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Errors.
var (
	// ErrIllegalIdentity says that the enclave's program is not allowed, or not any more.
	ErrIllegalIdentity = frame.NewError("IllegalIdentity")
	// ErrIllegalReporter says that there is no such worker, or that it is another account's.
	ErrIllegalReporter = frame.NewError("IllegalReporter")
	// ErrOutdatedReporter says that the worker's program is not allowed any more: update it and register again.
	ErrOutdatedReporter = frame.NewError("OutdatedReporter")
	// ErrInvalidReportTime says that it is not of the current slot, its hash and beacon, or not in the blocks for it.
	ErrInvalidReportTime = frame.NewError("InvalidReportTime")
	// ErrIllegalWorkReportSig says that the enclave's signature is wrong, or made for other parameters.
	ErrIllegalWorkReportSig = frame.NewError("IllegalWorkReportSig")
	// ErrIllegalFilesTransition says that a file report is not the next one, or of a plan that the chain has not accepted.
	ErrIllegalFilesTransition = frame.NewError("IllegalFilesTransition")
	// ErrIdentityNotExist says that the account has no worker: register it first.
	ErrIdentityNotExist = frame.NewError("IdentityNotExist")
	// ErrAlreadyJoint says that the account is in a group.
	ErrAlreadyJoint = frame.NewError("AlreadyJoint")
	// ErrNotOwner says that the account has no group.
	ErrNotOwner = frame.NewError("NotOwner")
	// ErrGroupAlreadyExist says that the account has a group.
	ErrGroupAlreadyExist = frame.NewError("GroupAlreadyExist")
	// ErrGroupOwnerForbidden says that an account cannot have both a worker and a group.
	ErrGroupOwnerForbidden = frame.NewError("GroupOwnerForbidden")
	// ErrNotJoint says that the account is not in the group.
	ErrNotJoint = frame.NewError("NotJoint")
	// ErrExceedGroupLimit says that the group is full.
	ErrExceedGroupLimit = frame.NewError("ExceedGroupLimit")
	// ErrNotInAllowlist says that the group's owner has not allowed the account to join.
	ErrNotInAllowlist = frame.NewError("NotInAllowlist")
	// ErrExceedAllowlistLimit says that the allowlist is full.
	ErrExceedAllowlistLimit = frame.NewError("ExceedAllowlistLimit")
	// ErrIllegalWorkReport says that counter, root or due changes do not follow from the worker's record.
	ErrIllegalWorkReport = frame.NewError("IllegalWorkReport")
	// ErrCodeNotExpired says that the program is still allowed.
	ErrCodeNotExpired = frame.NewError("CodeNotExpired")
	// ErrLineageUsed says that the lineage was registered before.
	ErrLineageUsed = frame.NewError("LineageUsed")
	// ErrBadBinding says that the quote was made for another account, key, lineage or block.
	ErrBadBinding = frame.NewError("BadBinding")
	// ErrSuspended says that the worker is suspended.
	ErrSuspended = frame.NewError("Suspended")
	// ErrAlreadyReported says that the worker has reported in this slot.
	ErrAlreadyReported = frame.NewError("AlreadyReported")
	// ErrAuditOpen says that the account's worker has an audit to answer first.
	ErrAuditOpen = frame.NewError("AuditOpen")
	// ErrNoAudit says that there is no such audit, or not any more.
	ErrNoAudit = frame.NewError("NoAudit")
	// ErrBadAnswer says that an answer does not prove what the audit asks for.
	ErrBadAnswer = frame.NewError("BadAnswer")
	// ErrQueueFull says that too many of the worker's changes of files wait: try again in some blocks.
	ErrQueueFull = frame.NewError("QueueFull")
	// ErrBadEndpoint says that peer id, addresses or the peer's signature are malformed.
	ErrBadEndpoint = frame.NewError("BadEndpoint")
	// ErrPrivateAddress says that an address cannot be reached from everywhere.
	ErrPrivateAddress = frame.NewError("PrivateAddress")
)

// Events.
type (
	// RegisterSuccess says that a worker was registered.
	RegisterSuccess struct {
		Member  types.AccountID
		Key     types.Hash
		Lineage Lineage
	}
	// WorksReportSuccess says that a heartbeat was accepted.
	WorksReportSuccess struct {
		Member types.AccountID
		Slot   uint32
	}
	// SetCodeSuccess says that an enclave program is allowed in blocks before one.
	SetCodeSuccess struct {
		Code    types.Hash
		Version uint32
		Until   types.BlockNumber
	}
	// JoinGroupSuccess says that a member counts for an owner from the next slot on.
	JoinGroupSuccess struct{ Member, Owner types.AccountID }
	// QuitGroupSuccess says that a member counts for itself from the next slot on.
	QuitGroupSuccess struct{ Member, Owner types.AccountID }
	// CreateGroupSuccess says that there is a new group.
	CreateGroupSuccess struct{ Owner types.AccountID }
	// KickOutSuccess says that an owner has put a member out.
	KickOutSuccess struct{ Member types.AccountID }
	// AddIntoAllowlistSuccess says that an account may join a group.
	AddIntoAllowlistSuccess struct{ Owner, Who types.AccountID }
	// RemoveFromAllowlistSuccess says that an account may not join a group any more.
	RemoveFromAllowlistSuccess struct{ Owner, Who types.AccountID }
	// RemoveCodeSuccess says that a program that is not allowed any more was forgotten.
	RemoveCodeSuccess struct{ Code types.Hash }
	// QueueWorkReportSuccess says that changes of a worker's files wait to be worked off.
	QueueWorkReportSuccess struct {
		Lineage       Lineage
		Member, Owner types.AccountID
		Sequence      uint64 // changes that were accepted, these included
	}
	// LossDeclared says that a worker has declared a loss.
	LossDeclared struct {
		Member  types.AccountID
		Counter uint64
	}
	// BeaconKnown says that heartbeats of a slot can be made.
	BeaconKnown struct {
		Slot   uint32
		Beacon types.Hash
	}
	// SlotVoid says that too little was reported in a slot: it counts for nobody.
	SlotVoid struct {
		Slot               uint32
		Carried, Reference uint64 // leaves
	}
	// AuditOpened says that a worker has to show leaves.
	AuditOpened struct {
		Member  types.AccountID
		Lineage Lineage
		Slot    uint32
	}
	// AuditPassed says that it did.
	AuditPassed struct {
		Lineage Lineage
		Slot    uint32
	}
	// AuditFailed says that it did not: it counts no more, and its platform is barred.
	AuditFailed struct {
		Lineage  Lineage
		Slot     uint32
		Platform types.Hash
	}
	// WorkerRetired says that a worker is gone, for ever.
	WorkerRetired struct {
		Member  types.AccountID
		Lineage Lineage
	}
	// RecountPublished says that the workloads of a slot count.
	RecountPublished struct {
		Slot            uint32
		Workers, Owners uint32 // that count for something
		Free, Power     Balance
	}
	// RecountDropped says that a recount was not finished in time: the one before counts on.
	RecountDropped struct{ Slot uint32 }
	// EndpointSet says that a member has said where it can be reached.
	EndpointSet struct{ Member types.AccountID }
	// Reattested says that a worker's enclave has proved itself again.
	Reattested struct{ Member types.AccountID }
	// CodeSuspended says that a program measured a file differently than an older one.
	CodeSuspended struct{ Code types.Hash }
)

// validity is why the pool refuses an unsigned call about a slot that would fail
// with err. A node that is a block behind says that it is too early.
func (p *Pallet) validity(e *frame.Env, slot uint32, err error) error {
	start, offset := p.slotOf(e.Number())
	switch {
	case errors.Is(err, ErrInvalidReportTime) && (slot > start || slot == start && offset <= beaconBlocks):
		return frame.ErrFuture
	case errors.Is(err, ErrInvalidReportTime) && (slot < start || offset > p.Deadline.Get()), errors.Is(err, ErrAlreadyReported), errors.Is(err, ErrNoAudit):
		return frame.ErrStale
	case errors.Is(err, ErrIllegalWorkReportSig), errors.Is(err, ErrBadAnswer):
		return frame.ErrBadProof
	default:
		return frame.Custom(frame.DispatchErrorOf(err).Code[0])
	}
}
