package balances

import (
	"slices"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/types"
)

// SetLock places a lock for all reasons, or replaces the one of the same id. An
// amount of zero does nothing. An account that does not exist cannot be locked:
// frame.ErrNoProviders.
func (p *Pallet) SetLock(e *frame.Env, id LockID, who types.AccountID, amount Balance) error {
	return p.SetLockFor(e, id, who, amount, All)
}

// SetLockFor is SetLock for some reasons.
func (p *Pallet) SetLockFor(e *frame.Env, id LockID, who types.AccountID, amount Balance, reasons Reasons) error {
	if amount.IsZero() {
		return nil
	}
	return p.putLock(e, who, BalanceLock{id, amount, reasons})
}

// ExtendLock places a lock, or makes the one of the same id hold at least for
// this amount and these reasons.
func (p *Pallet) ExtendLock(e *frame.Env, id LockID, who types.AccountID, amount Balance, reasons Reasons) error {
	if amount.IsZero() {
		return nil
	}
	l := BalanceLock{id, amount, reasons}
	for _, old := range p.Locks.Get(e, who) {
		if old.ID == id {
			l.Amount = l.Amount.Max(old.Amount)
			if old.Reasons != reasons {
				l.Reasons = All
			}
		}
	}
	return p.putLock(e, who, l)
}

func (p *Pallet) putLock(e *frame.Env, who types.AccountID, l BalanceLock) error {
	old := p.Locks.Get(e, who)
	locks := slices.Clone(old)
	i := slices.IndexFunc(locks, func(x BalanceLock) bool { return x.ID == l.ID })
	if i >= 0 {
		locks[i] = l
	} else {
		locks = append(locks, l)
	}
	return p.updateLocks(e, who, len(old) > 0, locks)
}

// RemoveLock removes the lock of that id, if there is one.
func (p *Pallet) RemoveLock(e *frame.Env, id LockID, who types.AccountID) {
	old := p.Locks.Get(e, who)
	i := slices.IndexFunc(old, func(x BalanceLock) bool { return x.ID == id })
	if i < 0 {
		return
	}
	// It cannot fail: an account with a lock exists.
	_ = p.updateLocks(e, who, true, slices.Delete(slices.Clone(old), i, i+1))
}

// updateLocks stores an account's locks and what follows from them: the frozen
// amount, and the reference that keeps the account in existence.
func (p *Pallet) updateLocks(e *frame.Env, who types.AccountID, had bool, locks []BalanceLock) error {
	info := p.Accounts.Get(e, who)
	if info.Data == (system.AccountData{}) {
		return frame.ErrNoProviders
	}
	d := info.Data
	d.Frozen = largest(locks)
	if d.Frozen != info.Data.Frozen {
		if _, err := p.write(e, who, info, d); err != nil {
			return err
		}
	}
	switch {
	case len(locks) == 0:
		p.Locks.Kill(e, who)
		p.Accounts.DecConsumers(e, who)
	case had:
		p.Locks.Put(e, who, locks)
	default:
		if err := p.Accounts.IncConsumers(e, who); err != nil {
			return err
		}
		p.Locks.Put(e, who, locks)
	}
	switch before, after := info.Data.Frozen, d.Frozen; before.Cmp(after) {
	case -1:
		p.Emit(e, Locked{who, after.SubSat(before)})
	case 1:
		p.Emit(e, Unlocked{who, before.SubSat(after)})
	}
	return nil
}

// largest is the amount of the largest lock.
func largest(locks []BalanceLock) (amount Balance) {
	for _, l := range locks {
		amount = amount.Max(l.Amount)
	}
	return amount
}
