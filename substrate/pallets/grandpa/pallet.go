package grandpa

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the GRANDPA pallet.
type Pallet struct {
	frame.Base

	MaxAuthorities         frame.Const[uint32] // how many authorities a set may have
	MaxSetIdSessionEntries frame.Const[uint64] // for how many sets SetIdSession is kept

	State         frame.Value[StoredState]                                      // whether the authorities are at work
	PendingChange frame.Value[StoredPendingChange]                              `frame:"optional"` // change of authorities that was announced and does not hold yet
	NextForced    frame.Value[types.BlockNumber]                                `frame:"optional"` // block from which another change may be forced
	Stalled       frame.Value[scale.Pair[types.BlockNumber, types.BlockNumber]] `frame:"optional"` // delay and last final block of the change to force
	CurrentSetId  frame.Value[types.SetID]                                      // number of the current set of authorities
	SetIdSession  frame.Map[types.SetID, types.SessionIndex]                    `frame:"twox_64_concat,optional"` // last session of each set
	Authorities   frame.Value[[]Authority]                                      // current set of authorities

	Provers       Provers                 // proves to whom keys belonged
	Equivocations *offences.Equivocations // takes reports
	// ForcedChanges says that the chain's nodes and clients follow forced changes.
	ForcedChanges bool `frame:"-"`
}

// Provers is what the pallet needs of package historical.
type Provers interface {
	// ProveEncoded makes the proof of a key's owner in a session; ok is false if it cannot.
	ProveEncoded(e *frame.Env, key session.OwnedKey, index types.SessionIndex) (proof []byte, ok bool)
}

// Authority is a voter: on the wire (Public, u64).
type Authority struct {
	Key    session.GrandpaID
	Weight uint64 // always 1: light clients count keys
}

// SCALEType describes the authority to metadata, as a pair.
func (Authority) SCALEType() scale.TypeDef {
	return scale.TypeDef{Kind: scale.KindTuple, Fields: []scale.Field{
		{Type: reflect.TypeFor[session.GrandpaID]()}, {Type: reflect.TypeFor[uint64]()},
	}}
}

// StoredState says whether the authorities are at work. They always are.
type StoredState uint8

// Variants names the states for metadata.
func (StoredState) Variants() []string { return []string{"Live"} }

// SCALEPath names the type for clients.
func (StoredState) SCALEPath() string { return "pallet_grandpa::StoredState" }

// StoredPendingChange is a change of authorities that was announced.
type StoredPendingChange struct {
	ScheduledAt     types.BlockNumber
	Delay           types.BlockNumber // blocks from the announcement to the last block of the old set
	NextAuthorities []Authority
	Forced          scale.Option[types.BlockNumber] // last final block, if the change is forced
}

// SCALEPath names the type for clients.
func (StoredPendingChange) SCALEPath() string { return "pallet_grandpa::StoredPendingChange" }

// NewAuthorities says that a new set of authorities holds from the next block on.
type NewAuthorities struct{ AuthoritySet []Authority }

// Errors.
var (
	// ErrInvalidKeyOwnershipProof says that a report does not show whose the key was.
	ErrInvalidKeyOwnershipProof = frame.NewError("InvalidKeyOwnershipProof")
	// ErrInvalidEquivocationProof says that the votes of a report are no equivocation, or that its set did not rule in the session of its proof.
	ErrInvalidEquivocationProof = frame.NewError("InvalidEquivocationProof")
	// ErrDuplicateOffenceReport says that the offence is known.
	ErrDuplicateOffenceReport = frame.NewError("DuplicateOffenceReport")
	// ErrForcedChangeUnsupported says that the chain's nodes do not follow forced changes.
	ErrForcedChangeUnsupported = frame.NewError("ForcedChangeUnsupported")
)

// Spec lists the wire surface. Errors 0 to 3 are those of FRAME that this pallet never returns.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			0: frame.NewCall("report_equivocation", p.reportEquivocation, weights.report.At(0)).Info(reportInfo),
			1: frame.NewCall("report_equivocation_unsigned", p.reportEquivocationUnsigned, weights.report.At(0)).Info(reportInfo),
			2: frame.NewCall("note_stalled", p.noteStalled, weights.noteStalled).Class(frame.Operational),
		},
		Events: []any{NewAuthorities{}},
		Errors: []*frame.Error{4: ErrInvalidKeyOwnershipProof, ErrInvalidEquivocationProof, ErrDuplicateOffenceReport, ErrForcedChangeUnsupported},
	}
}

// NoteStalledArgs are the arguments of note_stalled: the delay in blocks of the
// change to force, which must be long enough for it to reach every node, and
// the highest block that is final.
type NoteStalledArgs struct {
	Delay                    types.BlockNumber
	BestFinalizedBlockNumber types.BlockNumber
}

// noteStalled makes the next session force a change of authorities, because finality is lost; Root only.
func (p *Pallet) noteStalled(e *frame.Env, o frame.Origin, a NoteStalledArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	if !p.ForcedChanges {
		return p.Fail(ErrForcedChangeUnsupported)
	}
	p.Stalled.Put(e, scale.Pair[types.BlockNumber, types.BlockNumber]{A: a.Delay, B: a.BestFinalizedBlockNumber})
	return nil
}

// authorities turns entries of a session into at most limit authorities, each of weight 1.
func authorities(entries []session.Entry, limit uint32) []Authority {
	out := make([]Authority, min(len(entries), int(limit)))
	for i := range out {
		out[i] = Authority{entries[i].Keys.Grandpa, 1}
	}
	return out
}

// OnGenesisSession sets the first authorities.
func (p *Pallet) OnGenesisSession(e *frame.Env, validators []session.Entry) {
	p.Authorities.Put(e, authorities(validators, p.MaxAuthorities.Get()))
	p.SetIdSession.Put(e, 0, 0)
}

// OnNewSession announces a change if the authorities really differ.
func (p *Pallet) OnNewSession(e *frame.Env, index types.SessionIndex, _ bool, validators, _ []session.Entry) {
	next := authorities(validators, p.MaxAuthorities.Get())
	set := p.CurrentSetId.Get(e)
	if p.schedule(e, next) {
		set++
		p.CurrentSetId.Put(e, set)
		if keep := types.SetID(max(1, p.MaxSetIdSessionEntries.Get())); set >= keep {
			p.SetIdSession.Kill(e, set-keep)
		}
	}
	p.SetIdSession.Put(e, set, index)
}

// schedule records the change to next, and reports whether there is one.
func (p *Pallet) schedule(e *frame.Env, next []Authority) bool {
	if len(next) == 0 || p.PendingChange.Exists(e) {
		return false // after a change that waits, the next session compares again
	}
	change := StoredPendingChange{ScheduledAt: e.Number(), NextAuthorities: next}
	if stalled, ok := p.Stalled.Lookup(e); ok {
		if e.Number() < p.NextForced.Get(e) {
			return false // the earlier forced change has not had its time
		}
		change.Delay, change.Forced = stalled.A, scale.Some(stalled.B)
		p.Stalled.Kill(e)
		p.NextForced.Put(e, e.Number()+2*min(stalled.A, ^types.BlockNumber(0)/4))
	} else if sameAuthorities(next, p.Authorities.Get(e)) {
		return false
	}
	p.PendingChange.Put(e, change)
	return true
}

// sameAuthorities compares two sets, in whatever order.
func sameAuthorities(a, b []Authority) bool {
	if len(a) != len(b) {
		return false
	}
	if slices.Equal(a, b) {
		return true
	}
	return slices.Equal(sorted(a), sorted(b))
}

func sorted(as []Authority) []Authority {
	return slices.SortedFunc(slices.Values(as), func(a, b Authority) int {
		return cmp.Or(slices.Compare(a.Key[:], b.Key[:]), cmp.Compare(a.Weight, b.Weight))
	})
}

// OnBeforeSessionEnding does nothing.
func (p *Pallet) OnBeforeSessionEnding(*frame.Env) {}

// OnDisabled does nothing: a disabled validator may vote.
func (p *Pallet) OnDisabled(*frame.Env, uint32) {}

// OnFinalize announces a change that was made in this block, and enacts one whose time has come.
func (p *Pallet) OnFinalize(e *frame.Env) {
	change, ok := p.PendingChange.Lookup(e)
	if !ok {
		return
	}
	if e.Number() == change.ScheduledAt {
		e.Deposit(announcement(&change).Item())
	}
	if e.Number() >= change.ScheduledAt+min(change.Delay, ^change.ScheduledAt) {
		p.Authorities.Put(e, change.NextAuthorities)
		p.PendingChange.Kill(e)
		p.Emit(e, NewAuthorities{change.NextAuthorities})
	}
}

func announcement(c *StoredPendingChange) grandpa.Log {
	next := make([]grandpa.Authority, len(c.NextAuthorities))
	for i, a := range c.NextAuthorities {
		next[i] = grandpa.Authority{Key: a.Key, Weight: a.Weight}
	}
	log := grandpa.ScheduledChange(next, uint32(c.Delay))
	if median, ok := c.Forced.Get(); ok {
		log.Kind, log.MedianFinalized = grandpa.LogForcedChange, median
	}
	return log
}

// SessionsOfSet is the sessions, first to last, in which a set ruled; ok is
// false if it never did or is forgotten.
func (p *Pallet) SessionsOfSet(e *frame.Env, set types.SetID) (first, last types.SessionIndex, ok bool) {
	if last, ok = p.SetIdSession.Lookup(e, set); !ok || set == 0 {
		return 0, last, ok
	}
	before, ok := p.SetIdSession.Lookup(e, set-1)
	return before + 1, last, ok
}

// APIs lists the runtime API GrandpaApi.
func (p *Pallet) APIs() []frame.API {
	return []frame.API{{Name: "GrandpaApi", Version: 3, Doc: "Tells engines and light clients who finalises blocks.", Methods: []frame.Method{
		frame.Method0("grandpa_authorities", "Returns the authorities that finalise the next block.", func(e *frame.Env) ([]Authority, error) {
			return p.Authorities.Get(e), nil
		}),
		frame.Method0("current_set_id", "Returns the number of the current set of authorities.", func(e *frame.Env) (types.SetID, error) {
			return p.CurrentSetId.Get(e), nil
		}),
		frame.Method2("generate_key_ownership_proof", "Proves to whom a key belonged in the last session of a set.", "set_id", "authority_id", p.keyOwnershipProof),
		frame.Method2("submit_report_equivocation_unsigned_extrinsic", "Returns none: nodes make their reports themselves.", "equivocation_proof", "key_owner_proof", submitReport),
	}}}
}

var errTwice = errors.New("grandpa: an authority is listed twice")

// Check verifies the set of authorities and that its session is known.
func (p *Pallet) Check(e *frame.Env) error {
	as := p.Authorities.Get(e)
	if limit := p.MaxAuthorities.Get(); len(as) > int(limit) {
		return fmt.Errorf("grandpa: %d authorities, at most %d are allowed", len(as), limit)
	}
	for i, ordered := 1, sorted(as); i < len(ordered); i++ {
		if ordered[i].Key == ordered[i-1].Key {
			return fmt.Errorf("%w: %x", errTwice, ordered[i].Key)
		}
	}
	if set := p.CurrentSetId.Get(e); len(as) > 0 && !p.SetIdSession.Exists(e, set) {
		return fmt.Errorf("grandpa: the session of set %d is not known", set)
	}
	if c, ok := p.PendingChange.Lookup(e); ok && c.ScheduledAt+min(c.Delay, ^c.ScheduledAt) <= e.Number() {
		return fmt.Errorf("grandpa: the change of block %d is overdue", c.ScheduledAt)
	}
	return nil
}
