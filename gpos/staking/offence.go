package staking

import (
	"slices"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/types"
)

// OnOffence computes what offenders lose, as package offences tells it, and files
// it to be taken when SlashDeferDuration is over. That they are chilled, and
// disabled if so told, is at once. What their guarantors lose is worked out from
// this block on, see slash.go.
//
// What stood behind an offender is read from the exposures of the offence's era,
// which are kept for as long as an offence can be reported. It need not be in
// the proof, where a crowd of tiny guarantors could make it too large to prove.
func (p *Pallet) OnOffence(e *frame.Env, offenders []offences.Details, fraction fixed.Perbill, session types.SessionIndex, disable bool) {
	active, ok := p.ActiveEra.Lookup(e)
	if !ok {
		return
	}
	now := active.Index
	era, ok := p.eraOfSession(e, now, session)
	if !ok {
		p.Emit(e, OldSlashingReportDiscarded{session})
		return
	}
	if !p.EarliestUnappliedSlash.Exists(e) {
		p.EarliestUnappliedSlash.Put(e, now)
	}
	invulnerable := p.Invulnerables.Get(e)
	for i := range offenders {
		stash := offenders[i].Offender.Validator
		if slices.Contains(invulnerable, stash) {
			continue
		}
		p.settle(e, stash) // what it did before comes before
		p.hasten(e, era, stash)
		c := Charge{Validator: stash, Fraction: fraction, Era: era, Window: now - min(now, p.BondingDuration.Get()), Reported: now}
		if s, ok := p.compute(e, &c, disable); ok {
			s.Reporters = offenders[i].Reporters
			p.file(e, &c, s)
		}
	}
	b := p.atOnce()
	p.charge(e, b)
	p.takeDue(e, b)
}

// eraOfSession is the era that a session was in, if its offences are still punished.
func (p *Pallet) eraOfSession(e *frame.Env, active types.EraIndex, session types.SessionIndex) (types.EraIndex, bool) {
	if start, ok := p.ErasStartSessionIndex.Lookup(e, active); ok && session >= start {
		return active, true
	}
	for _, b := range slices.Backward(p.BondedEras.Get(e)) {
		if b.B <= session {
			return b.A, true
		}
	}
	return 0, false
}

// compute books an offence at its offender, and returns the slash that it comes to;
// ok is false if that is nothing new.
func (p *Pallet) compute(e *frame.Env, c *Charge, disable bool) (s UnappliedSlash, ok bool) {
	key := eraStash{A: c.Era, B: c.Validator}
	exposure := p.ErasStakers.Get(e, key)
	own := c.Fraction.Mul(exposure.Own)
	if c.Fraction.Mul(exposure.Total).IsZero() {
		spans := p.editSpans(e, c.Validator, c.Window)
		if at, found := spans.spans.at(c.Era); found && at.open {
			p.expel(e, c, spans, disable)
		}
		spans.save()
		return s, false
	}
	prior, _ := p.ValidatorSlashInEra.Lookup(e, key)
	if c.Fraction <= prior.A {
		return s, false
	}
	c.Prior = prior.A
	p.ValidatorSlashInEra.Put(e, key, validatorSlash{A: c.Fraction, B: own})
	spans := p.editSpans(e, c.Validator, c.Window)
	if spans.update(c.Era, own) {
		p.expel(e, c, spans, disable)
	}
	spans.save()
	return UnappliedSlash{Validator: c.Validator, Own: spans.slashed, Payout: spans.payout}, true
}

// expel ends the open span of an offender, takes it out of the next election and,
// if so told, out of the rest of this session.
func (p *Pallet) expel(e *frame.Env, c *Charge, spans *spanEditor, disable bool) {
	spans.end(c.Reported)
	p.chill(e, c.Validator)
	if !disable {
		return
	}
	validators, before := p.Session.ActiveValidators(e), p.Session.Disabled(e)
	at := slices.Index(validators, c.Validator)
	if _, known := slices.BinarySearch(before, uint32(at)); at < 0 || known {
		return
	}
	p.Session.Disable(e, c.Validator) // unless too many are, when forcing an era is all that is left
	if limit := p.DisabledThreshold.Mul64(uint64(len(validators))); uint64(len(before)+1) <= limit {
		return
	}
	if f := p.ForceEra.Get(e); f != ForceAlways && f != ForceNew {
		p.ForceEra.Put(e, ForceNew)
	}
}
