package babe

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the BABE pallet.
type Pallet struct {
	frame.Base

	EpochDuration     frame.Const[uint64]       // length of an epoch in slots
	ExpectedBlockTime frame.Const[types.Moment] // length of a slot in milliseconds
	MaxAuthorities    frame.Const[uint32]       // how many authorities an epoch may have

	EpochIndex               frame.Value[types.EpochIndex]                                   // index of the current epoch
	Authorities              frame.Value[[]Authority]                                        // who may author in the current epoch
	GenesisSlot              frame.Value[types.Slot]                                         // slot of block 1, at which epoch 0 begins
	CurrentSlot              frame.Value[types.Slot]                                         // slot of the latest block
	Randomness               frame.Value[[32]byte]                                           // randomness of the current epoch
	PendingEpochConfigChange frame.Value[NextConfigDescriptor]                               `frame:"optional"` // configuration to announce when the next epoch begins
	NextRandomness           frame.Value[[32]byte]                                           // randomness of the next epoch
	NextAuthorities          frame.Value[[]Authority]                                        // who may author in the next epoch
	SegmentIndex             frame.Value[uint32]                                             // segment of UnderConstruction that is being filled
	UnderConstruction        frame.Map[uint32, [][32]byte]                                   `frame:"twox_64_concat"` // VRF outputs of the current epoch, in segments
	Initialized              frame.Value[scale.Option[Claim]]                                `frame:"optional"`       // claim of the block on its slot; set while it is executed
	AuthorVrfRandomness      frame.Value[scale.Option[[32]byte]]                             // VRF output of the latest block
	EpochStart               frame.Value[scale.Pair[types.BlockNumber, types.BlockNumber]]   // first blocks of the previous and the current epoch
	Lateness                 frame.Value[types.BlockNumber]                                  // slots without a block before this one; set while it is executed
	EpochConfig              frame.Value[EpochConfiguration]                                 `frame:"optional"` // configuration of the current epoch
	NextEpochConfig          frame.Value[EpochConfiguration]                                 `frame:"optional"` // configuration of the next epoch, if it was ever changed
	SkippedEpochs            frame.Value[[]scale.Pair[types.EpochIndex, types.SessionIndex]] // epochs before which others were skipped, with their sessions

	Session       Session                 // knows who is disabled
	Provers       Provers                 // proves to whom keys belonged
	Equivocations *offences.Equivocations // takes reports
}

// Provers is what the pallet needs of package historical.
type Provers interface {
	// ProveEncoded makes the proof of a key's owner in a session; ok is false if it cannot.
	ProveEncoded(e *frame.Env, key session.OwnedKey, index types.SessionIndex) (proof []byte, ok bool)
}

// Session is what the pallet needs of package session.
type Session interface {
	// IsDisabled reports whether the validator at a position must not author.
	IsDisabled(e *frame.Env, position uint32) bool
}

// Errors.
var (
	// ErrInvalidEquivocationProof says that the headers of a report are no equivocation.
	ErrInvalidEquivocationProof = frame.NewError("InvalidEquivocationProof")
	// ErrInvalidKeyOwnershipProof says that a report does not show whose the key was in the session of the slot.
	ErrInvalidKeyOwnershipProof = frame.NewError("InvalidKeyOwnershipProof")
	// ErrDuplicateOffenceReport says that the offence is known.
	ErrDuplicateOffenceReport = frame.NewError("DuplicateOffenceReport")
	// ErrInvalidConfiguration says that no chain could run with the planned configuration.
	ErrInvalidConfiguration = frame.NewError("InvalidConfiguration")
)

// errNoClaim is why a block is refused.
var errNoClaim = errors.New("babe: the block's digest has no claim on a slot")

// Spec lists the wire surface.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			0: frame.NewCall("report_equivocation", p.reportEquivocation, weights.report.At(0)).Info(reportInfo),
			1: frame.NewCall("report_equivocation_unsigned", p.reportEquivocationUnsigned, weights.report.At(0)).Info(reportInfo),
			2: frame.NewCall("plan_config_change", p.planConfigChange, weights.planConfigChange).Class(frame.Operational),
		},
		Errors: []*frame.Error{ErrInvalidEquivocationProof, ErrInvalidKeyOwnershipProof, ErrDuplicateOffenceReport, ErrInvalidConfiguration},
	}
}

// PlanConfigChangeArgs are the arguments of plan_config_change.
type PlanConfigChangeArgs struct{ Config NextConfigDescriptor }

// planConfigChange plans a configuration: the next epoch announces it, the one after uses it; Root only.
func (p *Pallet) planConfigChange(e *frame.Env, o frame.Origin, a PlanConfigChangeArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	if a.Config.V1.engine().Validate() != nil {
		return p.Fail(ErrInvalidConfiguration)
	}
	p.PendingEpochConfigChange.Put(e, a.Config)
	return nil
}

// OnTimestampSet refuses a block whose slot is not that of its time, or whose
// author may not author. An error makes the timestamp's inherent, and so the
// block, invalid.
func (p *Pallet) OnTimestampSet(e *frame.Env, now types.Moment) error {
	claim, ok := p.Claim(e)
	if !ok {
		return errNoClaim
	}
	if slot := babe.SlotAt(now, uint64(p.ExpectedBlockTime.Get())); slot != claim.Slot {
		return fmt.Errorf("babe: time %d is in slot %d, the block is of slot %d", now, slot, claim.Slot)
	}
	if n := len(p.Authorities.Get(e)); int64(claim.Authority) >= int64(n) {
		return fmt.Errorf("babe: authority %d of %d", claim.Authority, n)
	}
	if p.Session.IsDisabled(e, claim.Authority) {
		return fmt.Errorf("%w: authority %d", babe.ErrDisabled, claim.Authority)
	}
	return nil
}

// Claim is the author's claim of the block that is executed.
func (p *Pallet) Claim(e *frame.Env) (babe.PreDigest, bool) {
	o, ok := p.Initialized.Lookup(e)
	if !ok {
		o = claimOf(e)
	}
	c, ok := o.Get()
	return c.PreDigest, ok
}

// FindAuthor is the position, among the validators of the session, of the
// author of the block that is executed.
func (p *Pallet) FindAuthor(e *frame.Env) (position uint32, ok bool) {
	c, ok := p.Claim(e)
	return c.Authority, ok
}

// Genesis is the pallet's genesis configuration.
type Genesis struct {
	// C is how likely a slot has a primary claim: numerator and denominator.
	C [2]uint64 `json:"c"`
	// AllowedSlots says which claims beside primary ones are admitted.
	AllowedSlots AllowedSlots `json:"allowedSlots"`
}

// NewGenesis returns the default configuration: c = 1/4, secondary claims with VRF.
func (p *Pallet) NewGenesis() any {
	return &Genesis{C: [2]uint64{1, 4}, AllowedSlots: AllowedSlots(babe.PrimaryAndSecondaryVRF)}
}

// BuildGenesis files the configuration; the authorities come from the session pallet.
func (p *Pallet) BuildGenesis(e *frame.Env, config any) error {
	g := config.(*Genesis)
	c := EpochConfiguration{C: Ratio{A: g.C[0], B: g.C[1]}, AllowedSlots: g.AllowedSlots}
	if err := c.engine().Validate(); err != nil {
		return err
	}
	if p.EpochDuration.Get() == 0 || p.ExpectedBlockTime.Get() == 0 {
		return errors.New("babe: slots and epochs cannot be empty")
	}
	p.EpochConfig.Put(e, c)
	return nil
}

// Check verifies that the epoch is the one of the latest slot and that nothing
// of a block is left behind.
func (p *Pallet) Check(e *frame.Env) error {
	if p.Initialized.Exists(e) || p.Lateness.Exists(e) {
		return errors.New("babe: a block's temporary values are left")
	}
	if n, limit := len(p.Authorities.Get(e)), p.MaxAuthorities.Get(); n > int(limit) {
		return fmt.Errorf("babe: %d authorities, at most %d are allowed", n, limit)
	}
	if !p.GenesisSlot.Exists(e) || len(p.Authorities.Get(e)) == 0 {
		return nil
	}
	if at := p.epochAt(e, p.CurrentSlot.Get(e)); at != p.EpochIndex.Get(e) {
		return fmt.Errorf("babe: slot %d is of epoch %d, the epoch is %d", p.CurrentSlot.Get(e), at, p.EpochIndex.Get(e))
	}
	return nil
}
