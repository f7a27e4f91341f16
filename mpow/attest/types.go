package attest

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
)

// EnclaveKey is the public key of an enclave, its name on the chain.
type EnclaveKey [32]byte

// PlatformID names a platform: the BLAKE2b-256 of the id in its certificate.
type PlatformID [32]byte

// Grade is how much a platform may count. Grades are wire values.
type Grade uint8

// The grades.
const (
	Refused Grade = iota // nothing
	Lesser               // LesserCap
	Full                 // FullCap
)

// Variants names the grades for metadata.
func (Grade) Variants() []string { return []string{"Refused", "Lesser", "Full"} }

// TCBPolicy is the grade of each status of a platform, by number of the status.
type TCBPolicy struct{ Grades [8]Grade }

// DefaultPolicy is the policy of a new network, design/mpow.md.
func DefaultPolicy() (p TCBPolicy) {
	p.Grades[dcap.UpToDate], p.Grades[dcap.SWHardeningNeeded] = Full, Full
	p.Grades[dcap.ConfigurationNeeded], p.Grades[dcap.ConfigurationAndSWHardeningNeeded], p.Grades[dcap.OutOfDate] = Lesser, Lesser, Lesser
	return p
}

// sound reports whether the policy refuses what is always to be refused.
func (p *TCBPolicy) sound() bool {
	return p.Grades[dcap.Unrecognised] == Refused && p.Grades[dcap.Revoked] == Refused
}

// of is the grade of a status.
func (p *TCBPolicy) of(s dcap.Status) Grade { return p.Grades[s] }

// accepted are the statuses that are not refused.
func (p *TCBPolicy) accepted() (set dcap.Statuses) {
	for s := range dcap.Status(len(p.Grades)) {
		if p.Grades[s] != Refused {
			set |= dcap.StatusesOf(s)
		}
	}
	return set
}

// InfoKey names a TCB info.
type InfoKey struct {
	Root  dcap.KeyID
	Kind  tee.Kind
	FMSPC dcap.FMSPC
}

// InfoRecord is a TCB info and those before it that may still apply to somebody.
type InfoRecord struct {
	Signer   dcap.Serial   // certificate of the newest one's signer
	Versions []InfoVersion // oldest first
}

// InfoVersion is a TCB info that says something new.
type InfoVersion struct {
	Since types.Moment // block time from which it applies to new evidence, ms
	Info  dcap.TCBInfo
}

// IdentityKey names a QE identity.
type IdentityKey struct {
	Root dcap.KeyID
	Kind tee.Kind
}

// IdentityRecord is a QE identity and those before it that may still apply.
type IdentityRecord struct {
	Signer   dcap.Serial
	Versions []IdentityVersion
}

// IdentityVersion is a QE identity that says something new.
type IdentityVersion struct {
	Since    types.Moment
	Identity dcap.QEIdentity
}

// Attestation is what an enclave key's evidence said last.
type Attestation struct {
	Platform  PlatformID
	Code      tee.Code
	TCB       dcap.TCB
	Since     types.Moment // block time at which it was admitted, ms
	At        types.Moment // block time of its last evidence, ms
	Suspended bool         // for good
}

// Platform is what is known of a platform that has or had enclaves.
type Platform struct {
	Keys   []EnclaveKey      // those that live, oldest first
	Since  types.Moment      // block time of its first evidence, ms; 0 before it
	Barred types.BlockNumber // before this block it may not have enclaves
}

// Evidence is what Verify found in a quote.
type Evidence struct {
	Kind       tee.Kind
	Code       tee.Code
	Platform   PlatformID
	ReportData [64]byte
	Grade      Grade // never Refused
	tcb        dcap.TCB
}

// State says whether an enclave key counts, or why it does not.
type State uint8

// The states. Of several reasons the first in this order is told.
const (
	Live      State = iota // it counts
	Unknown                // it was never admitted, or is retired
	Suspended              // for good; only a fresh key helps
	Barred                 // its platform may not have enclaves now
	Revoked                // the vendor has revoked its platform, or a certificate above it
	Stale                  // nobody has submitted newer collateral for too long
	Due                    // it must attest again
	Outdated               // its platform is below what is accepted: update it and attest again
)

// Variants names the states for metadata.
func (State) Variants() []string {
	return []string{"Live", "Unknown", "Suspended", "Barred", "Revoked", "Stale", "Due", "Outdated"}
}

// String is the state's name.
func (s State) String() string { return s.Variants()[s] }

// Standing is where an enclave key stands at the block that is being executed.
type Standing struct {
	State    State
	Platform PlatformID
	Since    types.Moment // block time of the platform's first evidence, ms
	Grade    Grade        // Refused unless Live
	Cap      uint64       // bytes that the platform may count by this grade
}

// Time is what the pallet needs of package timestamp.
type Time interface {
	// Get is the time of the block, in milliseconds since 1970.
	Get(e *frame.Env) types.Moment
}

// Blocks is what the pallet needs of package system.
type Blocks interface {
	// HashOf is the hash of a recent block, or of genesis.
	HashOf(e *frame.Env, n types.BlockNumber) (types.Hash, bool)
}

// Events.
type (
	// RootListUpdated says that a root's revocation list was replaced.
	RootListUpdated struct {
		Root    dcap.KeyID
		Issued  uint64
		Revoked uint32
	}
	// ProcessorListUpdated says that an authority's list of revoked processors was replaced.
	ProcessorListUpdated struct {
		Authority dcap.KeyID
		Issued    uint64
		Revoked   uint32
	}
	// TCBInfoUpdated says that the table of a family of processors was replaced.
	TCBInfoUpdated struct {
		Key        InfoKey
		Issued     uint64
		Evaluation uint32
		New        bool // it says something new, rather than the same for longer
	}
	// QEIdentityUpdated says that the description of the quoting enclave was replaced.
	QEIdentityUpdated struct {
		Key        IdentityKey
		Issued     uint64
		Evaluation uint32
		New        bool
	}
	// Admitted says that an enclave key counts from now on.
	Admitted struct {
		Key      EnclaveKey
		Platform PlatformID
		Grade    Grade
	}
	// Retired says that an enclave key is gone for good.
	Retired struct{ Key EnclaveKey }
	// Reattested says that an enclave has proved itself again.
	Reattested struct {
		Key   EnclaveKey
		Grade Grade
	}
	// KeySuspended says that an enclave key counts no more.
	KeySuspended struct{ Key EnclaveKey }
	// PlatformBarred says that a platform may not have enclaves before a block.
	PlatformBarred struct {
		Platform PlatformID
		Before   types.BlockNumber
	}
	// EvaluationLimitSet says up to which evaluation collateral is taken.
	EvaluationLimitSet struct{ Limit uint32 }
	// TCBPolicySet says that statuses are graded in another way from now on.
	TCBPolicySet struct{ Policy TCBPolicy }
)
