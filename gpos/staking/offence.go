package staking

import (
	"slices"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// misdeed is one validator's offence, as it is punished.
type misdeed struct {
	stash    types.AccountID
	fraction fixed.Perbill
	exposure Exposure
	era      types.EraIndex // of the offence
	window   types.EraIndex // first era for which anything is still punished
	now      types.EraIndex // the active era
	disable  bool
}

// OnOffence computes what offenders lose, as package offences tells it, and files
// it to be taken when SlashDeferDuration is over. That they are chilled, and
// disabled if so told, is at once.
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
		m := misdeed{stash: stash, fraction: fraction, exposure: p.ErasStakers.Get(e, eraStash{A: era, B: stash}), era: era,
			window: now - min(now, p.BondingDuration.Get()), now: now, disable: disable}
		s, ok := p.compute(e, &m)
		if !ok {
			continue
		}
		s.Reporters = offenders[i].Reporters
		if p.SlashDeferDuration.Get() == 0 {
			p.apply(e, &s)
			continue
		}
		p.putUnapplied(e, now, append(slices.Clone(p.UnappliedSlashes.Get(e, now)), s))
	}
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

// compute books an offence and returns what is to be taken for it; ok is false if
// that is nothing new.
func (p *Pallet) compute(e *frame.Env, m *misdeed) (s UnappliedSlash, ok bool) {
	own := m.fraction.Mul(m.exposure.Own)
	if m.fraction.Mul(m.exposure.Total).IsZero() {
		spans := p.editSpans(e, m.stash, m.window)
		if at, found := spans.spans.at(m.era); found && at.open {
			p.expel(e, m, spans)
		}
		spans.save()
		return s, false
	}
	key := eraStash{A: m.era, B: m.stash}
	prior, _ := p.ValidatorSlashInEra.Lookup(e, key)
	if m.fraction <= prior.A {
		return s, false
	}
	p.ValidatorSlashInEra.Put(e, key, validatorSlash{A: m.fraction, B: own})
	spans := p.editSpans(e, m.stash, m.window)
	if spans.update(m.era, own) {
		p.expel(e, m, spans)
	}
	spans.save()
	s = UnappliedSlash{Validator: m.stash, Own: spans.slashed, Payout: spans.payout, Others: make([]scale.Pair[types.AccountID, Balance], 0, len(m.exposure.Others))}
	for _, g := range m.exposure.Others {
		taken, payout := p.computeGuarantor(e, m, prior.A, g)
		s.Others = append(s.Others, scale.Pair[types.AccountID, Balance]{A: g.Who, B: taken})
		s.Payout = s.Payout.AddSat(payout)
	}
	return s, true
}

// computeGuarantor books what an offence costs a guarantor, of which it has been
// charged with the prior fraction before.
func (p *Pallet) computeGuarantor(e *frame.Env, m *misdeed, prior fixed.Perbill, g IndividualExposure) (taken, payout Balance) {
	key := eraStash{A: m.era, B: g.Who}
	sum, _ := p.GuarantorSlashInEra.Lookup(e, key)
	sum = sum.AddSat(m.fraction.Mul(g.Value).SubSat(prior.Mul(g.Value)))
	p.GuarantorSlashInEra.Put(e, key, sum)
	spans := p.editSpans(e, g.Who, m.window)
	if spans.update(m.era, sum) {
		spans.end(m.now)
	}
	spans.save()
	return spans.slashed, spans.payout
}

// expel ends the open span of an offender, takes it out of the next election and,
// if so told, out of the rest of this session.
func (p *Pallet) expel(e *frame.Env, m *misdeed, spans *spanEditor) {
	spans.end(m.now)
	p.chill(e, m.stash)
	if !m.disable {
		return
	}
	validators, before := p.Session.ActiveValidators(e), p.Session.Disabled(e)
	at := slices.Index(validators, m.stash)
	if _, known := slices.BinarySearch(before, uint32(at)); at < 0 || known {
		return
	}
	p.Session.Disable(e, m.stash) // unless too many are, when forcing an era is all that is left
	if limit := p.DisabledThreshold.Mul64(uint64(len(validators))); uint64(len(before)+1) <= limit {
		return
	}
	if f := p.ForceEra.Get(e); f != ForceAlways && f != ForceNew {
		p.ForceEra.Put(e, ForceNew)
	}
}

// putUnapplied stores the slashes that wait of those reported in an era.
func (p *Pallet) putUnapplied(e *frame.Env, era types.EraIndex, slashes []UnappliedSlash) {
	if len(slashes) == 0 {
		p.UnappliedSlashes.Kill(e, era)
		return
	}
	p.UnappliedSlashes.Put(e, era, slashes)
}

// applyDue applies the slashes that have waited long enough when an era begins.
func (p *Pallet) applyDue(e *frame.Env, active types.EraIndex) {
	earliest, ok := p.EarliestUnappliedSlash.Lookup(e)
	if !ok {
		return
	}
	keep := active - min(active, p.SlashDeferDuration.Get())
	for era := earliest; era < keep; era++ {
		slashes := p.UnappliedSlashes.Take(e, era)
		for i := range slashes {
			p.apply(e, &slashes[i])
		}
	}
	p.EarliestUnappliedSlash.Put(e, max(earliest, keep))
}

// apply takes what an offender and its guarantors lose, pays the reporters their
// part, and gives the rest to the treasury.
func (p *Pallet) apply(e *frame.Env, s *UnappliedSlash) {
	payout := s.Payout
	taken := p.take(e, s.Validator, s.Own, &payout)
	for _, o := range s.Others {
		taken = taken.AddSat(p.take(e, o.A, o.B, &payout))
	}
	if n := uint64(len(s.Reporters)); n > 0 && !payout.IsZero() {
		each := payout.Min(taken).Div(fixed.FromUint64(n))
		for _, r := range s.Reporters {
			taken = taken.SubSat(p.Currency.DepositCreating(e, r, each))
		}
	}
	p.Treasury.Deposit(e, taken)
}

// take slashes a bond and the money in it, and returns what was taken out of the
// issuance. What could not be taken is not paid to reporters either.
func (p *Pallet) take(e *frame.Env, stash types.AccountID, amount Balance, payout *Balance) Balance {
	controller, old, ok := p.bondOf(e, stash)
	if !ok || amount.IsZero() {
		return Balance{}
	}
	l := old.slashed(amount, p.Currency.MinimumBalance())
	value := sub(old.Total, l.Total)
	if value.IsZero() {
		return value
	}
	taken := p.Currency.Slash(e, stash, value)
	*payout = payout.SubSat(sub(value, taken))
	if err := p.writeLedger(e, controller, l); err != nil {
		panic("staking: a slashed stash does not exist: " + err.Error()) // it had a lock, which keeps it
	}
	p.Emit(e, Slash{stash, value})
	return taken
}
