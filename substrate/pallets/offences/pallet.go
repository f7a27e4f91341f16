package offences

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

var typeBytes = reflect.TypeFor[[]byte]()

// Pallet is the offences pallet.
type Pallet struct {
	frame.Base

	KeepSessions frame.Const[uint32] // for how many sessions reports are kept

	Reports                frame.Map[types.Hash, Details]                               `frame:"twox_64_concat,optional"`          // each report: who offended, and who told
	ConcurrentReportsIndex frame.DoubleMap[Kind, TimeSlot, []types.Hash]                `frame:"twox_64_concat,twox_64_concat"`    // reports of each kind and time slot
	SessionReports         frame.DoubleMap[types.SessionIndex, types.Hash, Place]       `frame:"twox_64_concat,identity,optional"` // reports to forget with each session
	ReportCounts           frame.DoubleMap[types.SessionIndex, types.AccountID, uint32] `frame:"twox_64_concat,twox_64_concat"`    // how often each validator was reported for a session

	Handler Handler // punishes
}

// Kind names an offence in 16 bytes.
type Kind [16]byte

// TimeSlot is when an offence was, encoded as its kind has it; Vec<u8> on the wire.
type TimeSlot string

// maxTimeSlot is how many bytes a time slot may have; kinds use at most 16.
const maxTimeSlot = 1 << 10

// AppendSCALE appends the bytes with their length.
func (s TimeSlot) AppendSCALE(dst []byte) []byte { return scale.AppendString(dst, string(s)) }

// DecodeSCALE reads bytes with their length.
func (s *TimeSlot) DecodeSCALE(c *scale.Cursor) { *s = TimeSlot(c.BytesRef(maxTimeSlot)) }

// MinSizeSCALE is the size of the shortest encoding.
func (TimeSlot) MinSizeSCALE() int { return 1 }

// SCALEType describes the time slot to metadata, as bytes.
func (TimeSlot) SCALEType() scale.TypeDef { return scale.TypeDefOf(typeBytes) }

// Place is where a report stands: its kind and time slot.
type Place = scale.Pair[Kind, TimeSlot]

// Details are a report: sp_staking::offence::OffenceDetails.
type Details struct {
	Offender  historical.Identity
	Reporters []types.AccountID // the first reporter is who is rewarded
}

// SCALEPath names the type for clients.
func (Details) SCALEPath() string { return "sp_staking::offence::OffenceDetails" }

// Handler punishes offenders. Staking will be one.
type Handler interface {
	// OnOffence tells all that are known to have offended in one way at one time,
	// the fraction of its stake that each shall lose, and the session of the
	// offence. It is called again with all of them when another is found.
	// disable says that offenders that are slashed must not act any more.
	OnOffence(e *frame.Env, offenders []Details, fraction fixed.Perbill, index types.SessionIndex, disable bool)
}

// Offence says that an offence was reported, or another one who committed it.
type Offence struct {
	Kind     Kind
	Timeslot TimeSlot
}

// Report is what somebody reports.
type Report struct {
	Kind       Kind
	TimeSlot   TimeSlot
	Session    types.SessionIndex
	Validators uint32 // of the session
	Offenders  []historical.Identity
	// Fraction is what offenders lose if so many of so many validators offended.
	Fraction func(offenders, validators uint32) fixed.Perbill
	// Disable says that offenders that are slashed must not act any more.
	Disable bool
	// Lasting says that the time slot may belong to several sessions.
	Lasting bool
}

// maxReports is how often a validator can be reported for one session.
const maxReports = 16

// Repeated is the offence of those who were reported as often as they can be for one
// session, which is its time slot. They offend together: later offences of theirs are not
// written down, so that it cannot be seen any more which of them happened at one time.
var Repeated = Kind([]byte("crust:repeatedly"))

// ErrKnown says that a report tells nothing that is not known already.
var ErrKnown = errors.New("offences: the offence is known")

// Spec lists the wire surface: there are no calls.
func (p *Pallet) Spec() frame.Spec { return frame.Spec{Events: []any{Offence{}}} }

// id identifies a report: the hash of kind, time slot and validator.
func id(kind Kind, slot TimeSlot, who types.AccountID) types.Hash {
	return frame.Blake2b256(append(slot.AppendSCALE(kind[:]), who[:]...))
}

// Known reports whether a report of a validator for a session would tell nothing new.
func (p *Pallet) Known(e *frame.Env, r *Report, who types.AccountID) bool {
	return p.Reports.Exists(e, id(r.Kind, r.TimeSlot, who)) || p.ReportCounts.Get(e, counter(r, who)) >= maxReports
}

type countKey = scale.Pair[types.SessionIndex, types.AccountID]

func counter(r *Report, who types.AccountID) countKey { return countKey{A: r.Session, B: who} }

// File takes a report that is true, and tells the handler. ErrKnown says that
// nothing of it is new; nothing has changed then.
func (p *Pallet) File(e *frame.Env, reporters []types.AccountID, r *Report) error {
	var fresh, spent []historical.Identity
	for _, o := range r.Offenders {
		if p.Known(e, r, o.Validator) || slices.ContainsFunc(fresh, func(f historical.Identity) bool { return f.Validator == o.Validator }) {
			continue
		}
		fresh = append(fresh, o)
		n := p.ReportCounts.Get(e, counter(r, o.Validator)) + 1
		p.ReportCounts.Put(e, counter(r, o.Validator), n)
		if n == maxReports {
			spent = append(spent, o)
		}
	}
	if len(fresh) == 0 {
		return ErrKnown
	}
	p.add(e, reporters, r, fresh)
	if len(spent) > 0 {
		p.add(e, reporters, &Report{
			Kind: Repeated, TimeSlot: TimeSlot(scale.AppendU32(nil, uint32(r.Session))), Session: r.Session, Validators: r.Validators,
			Fraction: EquivocationFraction, Disable: r.Disable,
		}, spent)
	}
	return nil
}

// add writes down that there are more offenders, and tells the handler of all.
func (p *Pallet) add(e *frame.Env, reporters []types.AccountID, r *Report, more []historical.Identity) {
	place := Place{A: r.Kind, B: r.TimeSlot}
	all := slices.Clone(p.ConcurrentReportsIndex.Get(e, place))
	for _, o := range more {
		report := id(r.Kind, r.TimeSlot, o.Validator)
		all = append(all, report)
		p.Reports.Put(e, report, Details{o, reporters})
		if !r.Lasting {
			p.SessionReports.Put(e, scale.Pair[types.SessionIndex, types.Hash]{A: r.Session, B: report}, place)
		}
	}
	p.ConcurrentReportsIndex.Put(e, place, all)
	offenders := make([]Details, len(all))
	for i, report := range all {
		offenders[i] = p.Reports.Get(e, report)
	}
	p.Handler.OnOffence(e, offenders, r.Fraction(uint32(len(all)), r.Validators), r.Session, r.Disable)
	p.Emit(e, Offence{r.Kind, r.TimeSlot})
}

// OnGenesisSession does nothing.
func (p *Pallet) OnGenesisSession(*frame.Env, []session.Entry) {}

// OnNewSession forgets the reports of the session of which nothing can be proved any more.
func (p *Pallet) OnNewSession(e *frame.Env, index types.SessionIndex, _ bool, _, _ []session.Entry) {
	keep := types.SessionIndex(p.KeepSessions.Get())
	if index <= keep {
		return
	}
	old := index - keep - 1
	for report, place := range p.SessionReports.Prefix(e, old) {
		p.Reports.Kill(e, report)
		p.ConcurrentReportsIndex.Kill(e, place)
	}
	p.SessionReports.KillPrefix(e, old)
	p.ReportCounts.KillPrefix(e, old)
}

// OnBeforeSessionEnding does nothing.
func (p *Pallet) OnBeforeSessionEnding(*frame.Env) {}

// OnDisabled does nothing.
func (p *Pallet) OnDisabled(*frame.Env, uint32) {}

// Disabler is the Handler of a chain without stakes: it only disables.
type Disabler struct {
	Session interface {
		Disable(e *frame.Env, validator types.AccountID) bool
	}
}

// OnOffence disables the offenders that would be slashed, until the validators or
// their keys change, if they are to be disabled.
func (d Disabler) OnOffence(e *frame.Env, offenders []Details, fraction fixed.Perbill, _ types.SessionIndex, disable bool) {
	if !disable || fraction.IsZero() {
		return
	}
	for i := range offenders {
		d.Session.Disable(e, offenders[i].Offender.Validator)
	}
}

// Check verifies that the indices name reports that exist, and name each once.
func (p *Pallet) Check(e *frame.Env) error {
	reports, listed := 0, 0
	for range p.Reports.All(e) {
		reports++
	}
	for place, all := range p.ConcurrentReportsIndex.All(e) {
		for _, report := range all {
			d, ok := p.Reports.Lookup(e, report)
			if !ok || id(place.A, place.B, d.Offender.Validator) != report {
				return fmt.Errorf("offences: %q at %x lists the report %v, which is not there", place.A[:], string(place.B), report)
			}
			listed++
		}
	}
	if reports != listed {
		return fmt.Errorf("offences: %d reports, %d are listed", reports, listed)
	}
	for k, place := range p.SessionReports.All(e) {
		if !slices.Contains(p.ConcurrentReportsIndex.Get(e, place), k.B) {
			return fmt.Errorf("offences: session %d lists the report %v, which is not there", k.A, k.B)
		}
	}
	return nil
}
