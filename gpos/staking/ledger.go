package staking

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// writeLedger stores a bond and the lock that goes with it. A lock of nothing is
// none, and leaves the one that was there.
func (p *Pallet) writeLedger(e *frame.Env, controller types.AccountID, l StakingLedger) error {
	if err := p.Currency.SetLock(e, lockID, l.Stash, l.Total); err != nil {
		return err
	}
	p.Ledger.Put(e, controller, l)
	return nil
}

// ledgerOf is the bond that an account controls, or ErrNotController.
func (p *Pallet) ledgerOf(e *frame.Env, controller types.AccountID) (StakingLedger, error) {
	l, ok := p.Ledger.Lookup(e, controller)
	if !ok {
		return l, p.Fail(ErrNotController)
	}
	return l, nil
}

// controlled is ledgerOf of who signed a call, with nothing left to be taken of it.
func (p *Pallet) controlled(e *frame.Env, o frame.Origin) (controller types.AccountID, l StakingLedger, err error) {
	if controller, err = o.Signed(); err != nil {
		return controller, l, err
	}
	if l, err = p.ledgerOf(e, controller); err == nil {
		p.settle(e, l.Stash)
		l, err = p.ledgerOf(e, controller)
	}
	return controller, l, err
}

// bondOf is a stash's controller and bond; ok is false if it has bonded nothing.
func (p *Pallet) bondOf(e *frame.Env, stash types.AccountID) (controller types.AccountID, l StakingLedger, ok bool) {
	if controller, ok = p.Bonded.Lookup(e, stash); ok {
		l, ok = p.Ledger.Lookup(e, controller)
	}
	return controller, l, ok
}

// ValidatorIDOf is the stash that an account controls.
func (p *Pallet) ValidatorIDOf(e *frame.Env, controller types.AccountID) (stash types.AccountID, ok bool) {
	l, ok := p.Ledger.Lookup(e, controller)
	return l.Stash, ok
}

// currentEra is the latest era that was planned, or 0.
func (p *Pallet) currentEra(e *frame.Env) types.EraIndex { return p.CurrentEra.Get(e) }

// killStash forgets everything about a stash but its lock; ErrNotStash if it has
// bonded nothing.
func (p *Pallet) killStash(e *frame.Env, stash types.AccountID) error {
	p.settle(e, stash)
	controller, ok := p.Bonded.Lookup(e, stash)
	if !ok {
		return p.Fail(ErrNotStash)
	}
	p.Bonded.Kill(e, stash)
	p.Ledger.Kill(e, controller)
	p.Payee.Kill(e, stash)
	p.chill(e, stash)
	p.clearSpans(e, stash)
	return nil
}

// IsValidator reports whether an account has declared to validate.
func (p *Pallet) IsValidator(e *frame.Env, stash types.AccountID) bool {
	return p.Validators.Exists(e, stash)
}

// chill makes a stash neither candidate nor guarantor. What others guarantee for it
// stays, and counts again when it is a candidate again.
func (p *Pallet) chill(e *frame.Env, stash types.AccountID) {
	p.dropLimit(e, stash)
	p.dropCandidate(e, stash)
	p.dropGuarantees(e, stash)
}

// dropGuarantees forgets all that a stash guarantees.
func (p *Pallet) dropGuarantees(e *frame.Env, stash types.AccountID) {
	g, ok := p.Guarantors.Lookup(e, stash)
	if !ok {
		return
	}
	for _, t := range g.Targets {
		p.dropBacker(e, t.Who, stash)
	}
	p.Guarantors.Kill(e, stash)
}

// sub returns a less b, of which a is known to be at least.
func sub(a, b Balance) Balance { return a.SubSat(b) }

// withdrawable splits the parts of a bond that are on their way out into those that
// stay and those that are due in an era. The bond does not fall below frozen, what
// other locks hold: a chunk that would let it is cut, or stays.
func (l *StakingLedger) withdrawable(era types.EraIndex, frozen Balance) StakingLedger {
	out := *l
	out.Unlocking = nil
	for _, c := range l.Unlocking {
		switch {
		case c.Era > era || !frozen.Less(out.Total):
			out.Unlocking = append(out.Unlocking, c)
		case out.Total.SubSat(c.Value).Less(frozen):
			left := sub(frozen, out.Total.SubSat(c.Value))
			out.Unlocking = append(out.Unlocking, UnlockChunk{Value: left, Era: c.Era})
			out.Total = frozen
		default:
			out.Total = out.Total.SubSat(c.Value)
		}
	}
	return out
}

// rebonded moves up to value from the newest parts that are on their way out back
// to what is active.
func (l *StakingLedger) rebonded(value Balance) StakingLedger {
	out := *l
	out.Unlocking = append([]UnlockChunk(nil), l.Unlocking...)
	for n := len(out.Unlocking); n > 0 && !value.IsZero(); n-- {
		last := &out.Unlocking[n-1]
		moved := last.Value.Min(value)
		value, last.Value = sub(value, moved), sub(last.Value, moved)
		out.Active = out.Active.AddSat(moved)
		if last.Value.IsZero() {
			out.Unlocking = out.Unlocking[:n-1]
		}
	}
	return out
}

// slashed takes up to value out of a bond, first of what is active and then of the
// oldest part on its way out. Whatever would be left with at most least is taken
// as well.
func (l *StakingLedger) slashed(value, least Balance) StakingLedger {
	out := *l
	take := func(from *Balance) {
		if value.IsZero() {
			return
		}
		taken := from.Min(value)
		if rest := sub(*from, taken); !least.Less(rest) {
			taken = *from
		}
		*from, out.Total, value = sub(*from, taken), out.Total.SubSat(taken), value.SubSat(taken)
	}
	take(&out.Active)
	out.Unlocking = append([]UnlockChunk(nil), l.Unlocking...)
	drained := 0
	for i := range out.Unlocking {
		c := &out.Unlocking[i]
		if take(&c.Value); !c.Value.IsZero() {
			break
		}
		drained++
	}
	out.Unlocking = out.Unlocking[drained:]
	return out
}
