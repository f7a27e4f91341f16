package staking

import (
	"bytes"
	"slices"
	"sort"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/types"
)

// A slash may have any number of guarantors, so that it is worked out and taken some
// accounts at a time. It is a Charge until each has a row in SlashShares that
// says what it loses; then it waits in UnappliedSlashes, and when its time has come
// it is a DueSlash until all rows are gone.
//
// Nobody can tell how long that takes: before anything about an account is changed
// that a slash depends on, or that depends on a slash, settle does with it at once
// what would be done later. So nobody escapes in between, nothing is taken twice,
// and the outcome is the same as if all happened in one block.

// Charge is a slash of which it is not known yet what all guarantors lose.
type Charge struct {
	ID        SlashID
	Validator types.AccountID
	Fraction  fixed.Perbill  // of what is exposed
	Prior     fixed.Perbill  // of it, charged for the same era before
	Era       types.EraIndex // of the offence
	Window    types.EraIndex // first era for which anything is still punished
	Reported  types.EraIndex // the active era then
	Page, At  uint32         // the next guarantor: the row of the exposure, and where in it
	Payout    Balance        // to reporters, by what was charged so far
}

// DueSlash is a slash that is being taken.
type DueSlash struct {
	ID        SlashID
	Reporters []types.AccountID
	Payout    Balance // to reporters, if all can be taken
	Missing   Balance // what could not be taken
	Held      Balance // was taken, and has been given to nobody yet
}

// file files a slash: to wait or, without a deferral, to be taken.
func (p *Pallet) file(e *frame.Env, c *Charge, s UnappliedSlash) {
	c.ID = p.SlashCount.Get(e)
	p.SlashCount.Put(e, c.ID+1)
	s.ID = c.ID
	p.SlashShares.Put(e, slashShare{A: s.ID, B: s.Validator}, s.Own)
	p.Charges.Put(e, append(slices.Clone(p.Charges.Get(e)), *c))
	if p.SlashDeferDuration.Get() == 0 {
		p.DueSlashes.Put(e, append(slices.Clone(p.DueSlashes.Get(e)), s.due()))
		return
	}
	p.putUnapplied(e, c.Reported, append(slices.Clone(p.UnappliedSlashes.Get(e, c.Reported)), s))
}

func (s *UnappliedSlash) due() DueSlash {
	return DueSlash{ID: s.ID, Reporters: s.Reporters, Payout: s.Payout}
}

// putUnapplied stores the slashes that wait of those reported in an era.
func (p *Pallet) putUnapplied(e *frame.Env, era types.EraIndex, slashes []UnappliedSlash) {
	if len(slashes) == 0 {
		p.UnappliedSlashes.Kill(e, era)
		return
	}
	p.UnappliedSlashes.Put(e, era, slashes)
}

// applyDue begins to take the slashes that have waited long enough when an era begins.
func (p *Pallet) applyDue(e *frame.Env, active types.EraIndex) {
	earliest, ok := p.EarliestUnappliedSlash.Lookup(e)
	if !ok {
		return
	}
	keep := active - min(active, p.SlashDeferDuration.Get())
	due := slices.Clone(p.DueSlashes.Get(e))
	for era := earliest; era < keep; era++ {
		slashes := p.UnappliedSlashes.Take(e, era)
		for i := range slashes {
			due = append(due, slashes[i].due())
		}
	}
	p.EarliestUnappliedSlash.Put(e, max(earliest, keep))
	putQueue(e, &p.DueSlashes, due)
	p.takeDue(e, p.atOnce())
}

// charging reports whether shares of a slash are still being worked out.
func (p *Pallet) charging(e *frame.Env, id SlashID) bool {
	return slices.ContainsFunc(p.Charges.Get(e), func(c Charge) bool { return c.ID == id })
}

// chargingFor reports whether shares are still being worked out for offences of an era.
func (p *Pallet) chargingFor(e *frame.Env, era types.EraIndex) bool {
	return slices.ContainsFunc(p.Charges.Get(e), func(c Charge) bool { return c.Era == era })
}

// charge works out shares, as far as the budget goes.
func (p *Pallet) charge(e *frame.Env, b *budget) {
	left := slices.Clone(p.Charges.Get(e))
	if len(left) == 0 {
		return
	}
	for len(left) > 0 && p.chargeSome(e, &left[0], b) {
		p.charged(e, &left[0])
		left = left[1:]
	}
	putQueue(e, &p.Charges, left)
}

// putQueue writes what is left of a queue; an empty one leaves nothing in the state.
func putQueue[T any](e *frame.Env, queue *frame.Value[[]T], left []T) {
	if len(left) == 0 {
		queue.Kill(e)
		return
	}
	queue.Put(e, left)
}

// chargeSome goes on with one slash, and reports whether it came to the end.
func (p *Pallet) chargeSome(e *frame.Env, c *Charge, b *budget) bool {
	for {
		page := p.exposed(e, c.Era, c.Validator, c.Page)
		if len(page) == 0 {
			return true
		}
		for ; int(c.At) < len(page); c.At++ {
			if !b.take(chargeRows) {
				return false
			}
			p.chargeOne(e, c, page[c.At])
		}
		c.Page, c.At = c.Page+1, 0
	}
}

// chargeOne books what a slash costs a guarantor, unless that was done before its turn.
func (p *Pallet) chargeOne(e *frame.Env, c *Charge, g IndividualExposure) {
	share := slashShare{A: c.ID, B: g.Who}
	if p.SlashShares.Exists(e, share) {
		return
	}
	key := eraStash{A: c.Era, B: g.Who}
	sum, _ := p.GuarantorSlashInEra.Lookup(e, key)
	sum = sum.AddSat(c.Fraction.Mul(g.Value).SubSat(c.Prior.Mul(g.Value)))
	p.GuarantorSlashInEra.Put(e, key, sum)
	spans := p.editSpans(e, g.Who, c.Window)
	if spans.update(c.Era, sum) {
		spans.end(c.Reported)
	}
	spans.save()
	p.SlashShares.Put(e, share, spans.slashed)
	c.Payout = c.Payout.AddSat(spans.payout)
}

// charged ends a charge: the slash waits, or is being taken, or was cancelled.
func (p *Pallet) charged(e *frame.Env, c *Charge) {
	waiting := slices.Clone(p.UnappliedSlashes.Get(e, c.Reported))
	if i := slices.IndexFunc(waiting, func(s UnappliedSlash) bool { return s.ID == c.ID }); i >= 0 {
		waiting[i].Payout = waiting[i].Payout.AddSat(c.Payout)
		p.putUnapplied(e, c.Reported, waiting)
		return
	}
	due := slices.Clone(p.DueSlashes.Get(e))
	if i := slices.IndexFunc(due, func(d DueSlash) bool { return d.ID == c.ID }); i >= 0 {
		due[i].Payout = due[i].Payout.AddSat(c.Payout)
		putQueue(e, &p.DueSlashes, due)
		return
	}
	p.expire(e, ExpiredSlash, uint32(c.ID))
}

// takeDue takes shares of due slashes, as far as the budget goes.
func (p *Pallet) takeDue(e *frame.Env, b *budget) {
	left := slices.Clone(p.DueSlashes.Get(e))
	if len(left) == 0 {
		return
	}
	for len(left) > 0 && !p.charging(e, left[0].ID) && p.takeSome(e, &left[0], b) {
		p.taken(e, &left[0])
		left = left[1:]
	}
	putQueue(e, &p.DueSlashes, left)
}

// takeSome goes on with one slash, and reports whether it came to the end.
func (p *Pallet) takeSome(e *frame.Env, d *DueSlash, b *budget) bool {
	type loss struct {
		who    types.AccountID
		amount Balance
	}
	var some []loss
	for who, amount := range p.SlashShares.Prefix(e, d.ID) {
		if !b.take(takeRows) {
			break
		}
		some = append(some, loss{who, amount})
	}
	for _, x := range some {
		p.SlashShares.Kill(e, slashShare{A: d.ID, B: x.who})
		p.take(e, x.who, x.amount, d)
	}
	if keep := d.held(); keep.Less(d.Held) {
		p.Treasury.Deposit(e, sub(d.Held, keep))
		d.Held = keep
	}
	return !b.spent
}

// held is how much of what was taken may be needed for the reporters.
func (d *DueSlash) held() Balance {
	if len(d.Reporters) == 0 {
		return Balance{}
	}
	return d.Payout
}

// taken ends a slash: it pays the reporters their part, and gives the rest to the treasury.
func (p *Pallet) taken(e *frame.Env, d *DueSlash) {
	if n, payout := uint64(len(d.Reporters)), d.Payout.SubSat(d.Missing); n > 0 && !payout.IsZero() {
		each := payout.Min(d.Held).Div(fixed.FromUint64(n))
		for _, r := range d.Reporters {
			d.Held = d.Held.SubSat(p.Currency.DepositCreating(e, r, each))
		}
	}
	p.Treasury.Deposit(e, d.Held)
}

// settle does with an account what is still to be done with it of slashes that are
// being worked out or taken.
func (p *Pallet) settle(e *frame.Env, stash types.AccountID) {
	if charges := p.Charges.Get(e); len(charges) > 0 {
		charges = slices.Clone(charges)
		found := false
		for i := range charges {
			if g, ok := p.ahead(e, &charges[i], stash); ok {
				p.chargeOne(e, &charges[i], g)
				found = true
			}
		}
		if found {
			p.Charges.Put(e, charges)
		}
	}
	due := p.DueSlashes.Get(e)
	if len(due) == 0 {
		return
	}
	due = slices.Clone(due)
	found := false
	for i := range due {
		share := slashShare{A: due[i].ID, B: stash}
		amount, ok := p.SlashShares.Lookup(e, share)
		if !ok {
			continue
		}
		if p.charging(e, due[i].ID) {
			p.SlashShares.Put(e, share, Balance{}) // lest it be charged again
		} else {
			p.SlashShares.Kill(e, share)
		}
		p.take(e, stash, amount, &due[i])
		found = true
	}
	if found {
		p.DueSlashes.Put(e, due)
	}
}

// settleCandidates settles all who stand for election, so that it counts what they have.
func (p *Pallet) settleCandidates(e *frame.Env) {
	if !p.DueSlashes.Exists(e) {
		return
	}
	var all []types.AccountID
	for stash := range p.Validators.All(e) {
		all = append(all, stash)
	}
	for _, stash := range all {
		p.settle(e, stash)
	}
}

// ahead finds a guarantor among those that a charge has yet to come to. Rows are in
// the order of storage, so that few need to be read.
func (p *Pallet) ahead(e *frame.Env, c *Charge, who types.AccountID) (g IndividualExposure, ok bool) {
	begins := func(n int) bool { // whether row n begins with who or before it
		page := p.exposed(e, c.Era, c.Validator, c.Page+uint32(n))
		return len(page) > 0 && !before(who, page[0].Who)
	}
	end := 1
	for begins(end) {
		end *= 2
	}
	n := sort.Search(end, func(n int) bool { return n > 0 && !begins(n) }) - 1 // the last row that does, or the first
	page := p.exposed(e, c.Era, c.Validator, c.Page+uint32(n))
	if n == 0 {
		page = page[min(int(c.At), len(page)):]
	}
	if i := slices.IndexFunc(page, func(x IndividualExposure) bool { return x.Who == who }); i >= 0 {
		return page[i], true
	}
	return g, false
}

// before reports whether a guarantor stands before another in exposures: by the
// hashes of their accounts, as in Backers.
func before(a, b types.AccountID) bool {
	x, y := hash.Twox64(a[:]), hash.Twox64(b[:])
	if c := bytes.Compare(x[:], y[:]); c != 0 {
		return c < 0
	}
	return bytes.Compare(a[:], b[:]) < 0
}

// take slashes a bond and the money in it.
func (p *Pallet) take(e *frame.Env, stash types.AccountID, amount Balance, d *DueSlash) {
	controller, old, ok := p.bondOf(e, stash)
	if !ok || amount.IsZero() {
		return
	}
	l := old.slashed(amount, p.Currency.MinimumBalance())
	value := sub(old.Total, l.Total)
	if value.IsZero() {
		return
	}
	taken := p.Currency.Slash(e, stash, value)
	d.Held, d.Missing = d.Held.AddSat(taken), d.Missing.AddSat(sub(value, taken))
	if err := p.writeLedger(e, controller, l); err != nil {
		panic("staking: a slashed stash does not exist: " + err.Error()) // it had a lock, which keeps it
	}
	p.Emit(e, Slash{stash, value})
}
