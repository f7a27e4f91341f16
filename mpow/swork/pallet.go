package swork

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"fmt"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Numbers that no network changes.
const (
	beaconBlocks  = 3         // blocks after a slot's first in which its beacon is known
	retireAfter   = 24        // missed slots after which a worker is retired
	liveAge       = 2         // slots that a worker's latest report may be old
	maxVoid       = 8         // void slots among voidSpan
	voidSpan      = 144       // slots
	barSlots      = 4         // slots, times the odds of an audit, for which a failed audit bars a platform
	leastBatch    = 500       // workers that a step of a recount visits at least
	ownersAtOnce  = 4         // owners that are handed over in a block, for each worker that was visited
	expireAtOnce  = 128       // unanswered audits that are closed in a block
	powerCap      = 4         // times a platform's cap that its files' power may reach
	newLeaves     = 8 << 24   // filler leaves that may begin to count in a slot: 8 TiB
	firstWeekCap  = 64 << 40  // bytes that a platform may count in its first week
	firstWeek     = 604800000 // milliseconds
	maxAddresses  = 4         // of an endpoint
	maxAddressLen = 256       // bytes of an endpoint's addresses together
)

// Pallet is the pallet of the work reports.
type Pallet struct {
	frame.Base

	ReportSlot      frame.Const[types.BlockNumber] // blocks of a slot
	UpdateOffset    frame.Const[types.BlockNumber] // blocks before a slot's end at which its recount begins
	Deadline        frame.Const[types.BlockNumber] // blocks after a slot's first in which heartbeats are taken
	AuditWindow     frame.Const[types.BlockNumber] // blocks after a slot's first in which audits may be answered, and plans only change by heartbeats
	PunishmentSlots frame.Const[uint32]            // heartbeats in a row that free space must have stood
	MaxGroupSize    frame.Const[uint32]            // members, and accounts in the allowlist, of a group
	Samples         frame.Const[uint32]            // leaves of a challenge
	AuditOdds       frame.Const[uint32]            // a worker is audited once in this many slots
	UnitLeaves      frame.Const[uint32]            // leaves of 64 KiB in a filler unit
	PublicAddresses frame.Const[bool]              // whether endpoints must be reachable from everywhere

	Codes       frame.Map[types.Hash, Code]          `frame:"identity,optional"`          // enclave programs that are allowed
	Records     frame.Map[types.AccountID, Record]   `frame:"blake2_128_concat,optional"` // what the enclave of each member reads
	Workers     frame.Map[Lineage, Worker]           `frame:"identity,optional"`          // where each living worker stands
	Lineages    frame.Map[Lineage, types.AccountID]  `frame:"identity,optional"`          // lineages that were ever registered, and by whom
	WorkerCount frame.Value[uint32]                  // living workers
	Groups      frame.Map[types.AccountID, Group]    `frame:"blake2_128_concat"`          // groups, by owner
	Members     frame.Map[types.AccountID, Member]   `frame:"blake2_128_concat,optional"` // in whose group an account is
	Endpoints   frame.Map[types.AccountID, Endpoint] `frame:"blake2_128_concat,optional"` // where members can be reached
	Slot        frame.Value[Slot]                    // the current slot
	Chance      frame.Value[Chance]                  `frame:"optional"` // what the slot's beacon is made of, until it is known
	Turnout     frame.Value[Turnout]                 // what the heartbeats of slots carried
	VoidSlots   frame.Value[[]uint32]                // void slots among the latest, oldest first
	Audits      frame.Map[Lineage, Audit]            `frame:"identity,optional"` // audits that wait for an answer
	OpenAudits  frame.Value[uint32]                  // how many those are
	Recount     frame.Value[Recount]                 `frame:"optional"`          // the recount that is under way
	Counts      frame.Map[types.AccountID, Count]    `frame:"blake2_128_concat"` // what the workers of each owner come to
	Totals      frame.Value[Totals]                  // what all workers came to at the latest recount that was published

	Attest   Attest   // knows genuine enclaves
	Market   Market   // keeps the replicas
	Limits   Limits   // makes stake limits of workloads
	Benefits Benefits // grants free file reports
	Random   Random   // is where chance comes from
	Blocks   Blocks   // knows the hashes of blocks
	Time     Time     // tells the time of the block
	// VerifyWeight is what Attest's Verify uses at most.
	VerifyWeight types.Weight `frame:"-"`
}

// Attest is what the pallet asks of package attest.
type Attest interface {
	// Anchor is the hash of a recent block that evidence was made after.
	Anchor(e *frame.Env, n types.BlockNumber) (types.Hash, error)
	// Verify verifies a quote against what the chain trusts.
	Verify(e *frame.Env, quote []byte) (Evidence, error)
	// Admit lets a key count on the platform of its evidence. It refuses keys that were
	// ever admitted, barred platforms, and more keys than a platform may have.
	Admit(e *frame.Env, key types.Hash, ev Evidence) error
	// VerifyFor verifies a quote as fresh evidence of a living key.
	VerifyFor(e *frame.Env, key types.Hash, quote []byte) (Evidence, error)
	// Renew replaces what a living key's evidence said; it refuses evidence of another
	// platform or code. It says whether the call that brought it is free.
	Renew(e *frame.Env, key types.Hash, ev Evidence) (free bool, err error)
	// Retire takes a key away, for ever.
	Retire(e *frame.Env, key types.Hash)
	// Suspend makes a key count no more, for good.
	Suspend(e *frame.Env, key types.Hash)
	// Bar keeps a platform from having enclaves that count before a block.
	Bar(e *frame.Env, platform types.Hash, before types.BlockNumber)
	// Standing is where a key stands now.
	Standing(e *frame.Env, key types.Hash) Standing
}

// Evidence is what a verified quote says.
type Evidence struct {
	Code       types.Hash // measurement of the program
	Platform   types.Hash
	ReportData [64]byte
	Of         any // the verifier's own, for Admit and Renew
}

// Standing is where an enclave key stands.
type Standing struct {
	Live  bool         // it counts now
	Since types.Moment // block time of its platform's first evidence, ms
	Cap   uint64       // bytes that its platform may count
	Keys  uint32       // living keys of the platform, each of which has an equal share of the cap
}

// Market is what the pallet asks of the storage market.
type Market interface {
	// QueueRoom is how many more changes of files a worker may report now.
	QueueRoom(e *frame.Env, worker Lineage) int
	// QueueReport takes an accepted report of files.
	QueueReport(e *frame.Env, worker Lineage, r FileChanges) error
	// RemoveWorker removes all of a worker's replicas, in as many blocks as it needs.
	// They count for nothing from now on.
	RemoveWorker(e *frame.Env, worker Lineage)
	// FilesOf is what a worker's replicas come to, of those that plans before that of
	// counter commit.
	FilesOf(e *frame.Env, worker Lineage, counter uint64) Files
}

// FileChanges are the changes of an accepted file report.
type FileChanges struct {
	Member  types.AccountID
	Owner   types.AccountID // of the group; the member if it is in none
	Code    types.Hash      // of the enclave that signed
	Counter uint64          // of the plan that holds what is added
	Added   []proof.Added
	Deleted [][]byte // canonical CIDs
}

// Files is what replicas come to, in bytes.
type Files struct{ Size, Power uint64 }

// Limits is what the pallet tells package staking at a recount.
type Limits interface {
	// BeginRecount begins a recount of workloads, of which total bytes is the sum; one
	// that was not published is dropped.
	BeginRecount(e *frame.Env, total Balance)
	// AddWorkloads adds the workloads of owners, each once.
	AddWorkloads(e *frame.Env, works []Workload)
	// PublishRecount makes the recount count.
	PublishRecount(e *frame.Env)
}

// Workload is what an owner's workers have proved that they store.
type Workload struct {
	Owner types.AccountID
	Bytes Balance
}

// Benefits is what the pallet asks of package benefits.
type Benefits interface {
	// FreeReport reports whether an owner has a free report left in this era, and uses it.
	FreeReport(e *frame.Env, owner types.AccountID) bool
}

// Random is what the pallet asks of package babe.
type Random interface {
	// Randomness is that of the epoch.
	Randomness(e *frame.Env) [32]byte
	// Output is the VRF output of the block that is executed, if it has one.
	Output(e *frame.Env) ([32]byte, bool)
}

// Blocks is what the pallet asks of package system.
type Blocks interface {
	// HashOf is the hash of a recent block, or of genesis.
	HashOf(e *frame.Env, n types.BlockNumber) (types.Hash, bool)
}

// Time is what the pallet asks of package timestamp.
type Time interface {
	// Get is the time of the block, in milliseconds since 1970.
	Get(e *frame.Env) types.Moment
}

// Spec lists the wire surface. Events and errors that the original has as well
// keep their indices, hence the gaps.
func (p *Pallet) Spec() frame.Spec {
	register := weights.register.Add(p.VerifyWeight)
	return frame.Spec{
		Calls: []frame.Call{
			0:  frame.NewCall("register", p.register, register),
			1:  frame.NewCall("report_works", p.reportWorks, weights.report).Class(frame.Operational).Free(),
			2:  frame.NewCall("report_files", p.reportFiles, weights.files.Base).Info(filesInfo),
			3:  frame.NewCall("declare_loss", p.declareLoss, weights.loss),
			4:  frame.NewCall("respond_audit", p.respondAudit, weights.audit).Class(frame.Operational).Free(),
			5:  frame.NewCall("set_code", p.setCode, weights.set).Class(frame.Operational),
			6:  frame.NewCall("clear_expired_code", p.clearExpiredCode, weights.set),
			7:  frame.NewCall("create_group", p.createGroup, weights.set),
			8:  frame.NewCall("add_member_into_allowlist", p.addMemberIntoAllowlist, weights.group),
			9:  frame.NewCall("remove_member_from_allowlist", p.removeMemberFromAllowlist, weights.group),
			10: frame.NewCall("join_group", p.joinGroup, weights.group),
			11: frame.NewCall("quit_group", p.quitGroup, weights.group),
			12: frame.NewCall("kick_out", p.kickOut, weights.group),
			13: frame.NewCall("set_endpoint", p.setEndpoint, weights.endpoint),
			14: frame.NewCall("re_attest", p.reAttest, register),
		},
		Events: []any{
			0: RegisterSuccess{}, 1: WorksReportSuccess{}, 3: SetCodeSuccess{}, 4: JoinGroupSuccess{}, 5: QuitGroupSuccess{}, 6: CreateGroupSuccess{},
			7: KickOutSuccess{}, 9: AddIntoAllowlistSuccess{}, 10: RemoveFromAllowlistSuccess{}, 12: RemoveCodeSuccess{}, 13: QueueWorkReportSuccess{},
			16: LossDeclared{}, 17: BeaconKnown{}, 18: SlotVoid{}, 19: AuditOpened{}, 20: AuditPassed{}, 21: AuditFailed{}, 22: WorkerRetired{},
			23: RecountPublished{}, 24: RecountDropped{}, 25: EndpointSet{}, 26: Reattested{}, 27: CodeSuspended{},
		},
		Errors: []*frame.Error{
			1: ErrIllegalIdentity, 2: ErrIllegalReporter, 3: ErrOutdatedReporter, 4: ErrInvalidReportTime, 5: ErrIllegalWorkReportSig,
			7: ErrIllegalFilesTransition, 8: ErrIdentityNotExist, 9: ErrAlreadyJoint, 10: ErrNotOwner, 12: ErrGroupAlreadyExist, 13: ErrGroupOwnerForbidden,
			14: ErrNotJoint, 15: ErrExceedGroupLimit, 17: ErrNotInAllowlist, 18: ErrExceedAllowlistLimit, 19: ErrIllegalWorkReport, 20: ErrCodeNotExpired,
			24: ErrLineageUsed, 25: ErrBadBinding, 26: ErrSuspended, 27: ErrAlreadyReported, 28: ErrAuditOpen, 29: ErrNoAudit, 30: ErrBadAnswer,
			31: ErrQueueFull, 32: ErrBadEndpoint, 33: ErrPrivateAddress,
		},
	}
}

// Params are the parameters that enclaves sign.
func (p *Pallet) Params() proof.Params {
	return proof.Params{UnitLeaves: p.UnitLeaves.Get(), Samples: p.Samples.Get(), Deadline: uint32(p.Deadline.Get()), AuditWindow: uint32(p.AuditWindow.Get())}
}

// Validate reports constants that no chain could run with; the runtime calls it
// before it is built.
func (p *Pallet) Validate() error {
	slot, offset, deadline, window := p.ReportSlot.Get(), p.UpdateOffset.Get(), p.Deadline.Get(), p.AuditWindow.Get()
	params := p.Params()
	switch {
	case offset < 3 || slot < offset || deadline <= beaconBlocks || window <= deadline || slot-offset <= window:
		return fmt.Errorf("swork: a slot of %d blocks, its recount %d before the end, heartbeats until block %d, audits until %d: each has to come after the one before", slot, offset, deadline, window)
	case p.PunishmentSlots.Get() == 0 || p.PunishmentSlots.Get() > 100 || p.AuditOdds.Get() == 0 || p.MaxGroupSize.Get() == 0:
		return fmt.Errorf("swork: %d punishment slots, audits once in %d slots, groups of %d", p.PunishmentSlots.Get(), p.AuditOdds.Get(), p.MaxGroupSize.Get())
	}
	return params.Validate()
}

// genesis is the hash of block 0, which everything that is signed names.
func (p *Pallet) genesis(e *frame.Env) types.Hash {
	h, _ := p.Blocks.HashOf(e, 0)
	return h
}

// slotOf is the first block of the slot that a block is in, and the block's offset in it.
func (p *Pallet) slotOf(n types.BlockNumber) (slot uint32, offset types.BlockNumber) {
	offset = n % p.ReportSlot.Get()
	return uint32(n - offset), offset
}
