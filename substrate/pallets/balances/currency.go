package balances

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/types"
)

// newLogic is the flag that clients expect on accounts of current rules: bit 127.
var newLogic = Balance{Hi: 1 << 63}

// FreeBalance is an account's free money, locked or not.
func (p *Pallet) FreeBalance(e *frame.Env, who types.AccountID) Balance {
	return p.Accounts.Get(e, who).Data.Free
}

// ReservedBalance is an account's reserved money.
func (p *Pallet) ReservedBalance(e *frame.Env, who types.AccountID) Balance {
	return p.Accounts.Get(e, who).Data.Reserved
}

// FrozenBalance is the amount of an account's largest lock; it may exceed what
// the account holds.
func (p *Pallet) FrozenBalance(e *frame.Env, who types.AccountID) Balance {
	return p.Accounts.Get(e, who).Data.Frozen
}

// TotalBalance is all of an account's money, free and reserved.
func (p *Pallet) TotalBalance(e *frame.Env, who types.AccountID) Balance {
	d := p.Accounts.Get(e, who).Data
	return total(&d)
}

// UsableBalance is the free money that no lock holds.
func (p *Pallet) UsableBalance(e *frame.Env, who types.AccountID) Balance {
	d := p.Accounts.Get(e, who).Data
	return d.Free.SubSat(d.Frozen)
}

// MinimumBalance is the existential deposit.
func (p *Pallet) MinimumBalance() Balance { return p.ExistentialDeposit.Get() }

// Issuance is the sum of all balances.
func (p *Pallet) Issuance(e *frame.Env) Balance { return p.TotalIssuance.Get(e) }

// total cannot overflow: it is part of the issuance.
func total(d *system.AccountData) Balance { return d.Free.AddSat(d.Reserved) }

// write stores a balance that was changed, and removes the account if it is below
// the existential deposit. What is left then is dust, which the caller must
// sweep once it holds no stale copy of any account. On an error nothing is written.
func (p *Pallet) write(e *frame.Env, who types.AccountID, info system.AccountInfo, d system.AccountData) (dust Balance, err error) {
	sum := total(&d)
	exists := !sum.Less(p.ExistentialDeposit.Get())
	had := info.Data != (system.AccountData{})
	switch {
	case exists:
		d.Flags = newLogic
	case !d.Frozen.IsZero():
		return Balance{}, frame.ErrConsumerRemaining // even if it had other providers
	default:
		dust = sum
	}
	if _, _, err := p.Accounts.SetData(e, who, info, d, exists); err != nil {
		return Balance{}, err
	}
	if exists && !had {
		p.Emit(e, Endowed{who, d.Free})
	}
	return dust, nil
}

// mayDie reports whether nothing forbids that the account ceases to exist.
func (p *Pallet) mayDie(e *frame.Env, who types.AccountID, d *system.AccountData) bool {
	return d.Frozen.IsZero() && p.Accounts.CanDecProvider(e, who)
}

// sweep gives the dust of an account that ceased to exist to the sink.
func (p *Pallet) sweep(e *frame.Env, who types.AccountID, dust Balance) {
	if dust.IsZero() {
		return
	}
	p.Emit(e, DustLost{who, dust})
	p.destroy(e, dust)
	if p.Dust != nil {
		p.Dust.Deposit(e, dust)
	}
}

// destroy takes money that has left all accounts out of the issuance.
func (p *Pallet) destroy(e *frame.Env, amount Balance) {
	p.TotalIssuance.Put(e, p.TotalIssuance.Get(e).SubSat(amount))
}

// allowed reports whether locks let free money fall to free by a withdrawal of the kind.
func (p *Pallet) allowed(e *frame.Env, who types.AccountID, d *system.AccountData, free Balance, kind Reasons) bool {
	if !free.Less(d.Frozen) {
		return true
	}
	for _, l := range p.Locks.Get(e, who) {
		if free.Less(l.Amount) && l.Reasons.forbids(kind) {
			return false
		}
	}
	return true
}

// Transfer sends free money. keepAlive demands that the sender stays in
// existence. To send nothing, or to oneself, succeeds and does nothing.
func (p *Pallet) Transfer(e *frame.Env, from, to types.AccountID, amount Balance, keepAlive bool) error {
	if amount.IsZero() || from == to {
		return nil
	}
	sender, receiver := p.Accounts.Get(e, from), p.Accounts.Get(e, to)
	s, r := sender.Data, receiver.Data
	ed := p.ExistentialDeposit.Get()
	var ok bool
	if s.Free, ok = s.Free.Sub(amount); !ok {
		return p.Fail(ErrInsufficientBalance)
	}
	if r.Free, ok = r.Free.Add(amount); !ok {
		return frame.ErrOverflow
	}
	if total(&r).Less(ed) {
		return p.Fail(ErrExistentialDeposit)
	}
	if !p.allowed(e, from, &s, s.Free, Misc) {
		return p.Fail(ErrLiquidityRestrictions)
	}
	if s.Free.Less(ed) && (keepAlive || !p.mayDie(e, from, &s)) {
		return p.Fail(ErrExpendability)
	}
	dust, err := p.write(e, from, sender, s)
	if err != nil {
		return err
	}
	if _, err := p.write(e, to, receiver, r); err != nil {
		return err // it cannot be: the receiver gained
	}
	p.sweep(e, from, dust)
	p.Emit(e, Transfer{from, to, amount})
	return nil
}

// Withdraw takes free money out of an account and out of the issuance; keepAlive
// demands that the account stays in existence.
func (p *Pallet) Withdraw(e *frame.Env, who types.AccountID, amount Balance, keepAlive bool) error {
	return p.withdraw(e, who, amount, Misc, keepAlive)
}

// WithdrawFee takes a fee out of an account and out of the issuance. The account
// stays in existence. Locks that hold for everything but fees do not matter,
// unless part of the fee is a tip.
func (p *Pallet) WithdrawFee(e *frame.Env, who types.AccountID, fee Balance, withTip bool) error {
	return p.withdraw(e, who, fee, feeKind(withTip), true)
}

// CanWithdrawFee returns the error that WithdrawFee would return, and changes nothing.
func (p *Pallet) CanWithdrawFee(e *frame.Env, who types.AccountID, fee Balance, withTip bool) error {
	if fee.IsZero() {
		return nil
	}
	d := p.Accounts.Get(e, who).Data
	return p.takeFree(e, who, &d, fee, feeKind(withTip), true)
}

func feeKind(withTip bool) Reasons {
	if withTip {
		return All
	}
	return Fee
}

func (p *Pallet) withdraw(e *frame.Env, who types.AccountID, amount Balance, kind Reasons, keepAlive bool) error {
	if amount.IsZero() {
		return nil
	}
	info := p.Accounts.Get(e, who)
	d := info.Data
	if err := p.takeFree(e, who, &d, amount, kind, keepAlive); err != nil {
		return err
	}
	dust, err := p.write(e, who, info, d)
	if err != nil {
		return err
	}
	p.destroy(e, amount)
	p.sweep(e, who, dust)
	p.Emit(e, Withdraw{who, amount})
	return nil
}

// takeFree lowers d.Free if the rules of withdrawals allow it.
func (p *Pallet) takeFree(e *frame.Env, who types.AccountID, d *system.AccountData, amount Balance, kind Reasons, keepAlive bool) error {
	free, ok := d.Free.Sub(amount)
	if !ok {
		return p.Fail(ErrInsufficientBalance)
	}
	if keepAlive {
		ed := p.ExistentialDeposit.Get()
		if free.AddSat(d.Reserved).Less(ed) && !total(d).Less(ed) {
			return p.Fail(ErrExpendability)
		}
	}
	if !p.allowed(e, who, d, free, kind) {
		return p.Fail(ErrLiquidityRestrictions)
	}
	d.Free = free
	return nil
}

// DepositExisting puts money into an account that exists, and into the issuance;
// ErrDeadAccount if there is no such account.
func (p *Pallet) DepositExisting(e *frame.Env, who types.AccountID, amount Balance) error {
	if amount.IsZero() {
		return nil
	}
	info := p.Accounts.Get(e, who)
	if info.Data == (system.AccountData{}) {
		return p.Fail(ErrDeadAccount)
	}
	return p.deposit(e, who, info, amount)
}

// DepositCreating puts money into an account, which it creates if need be, and
// into the issuance. It returns what was deposited: nothing if the account is
// new and the amount below the existential deposit, or if the issuance would overflow.
func (p *Pallet) DepositCreating(e *frame.Env, who types.AccountID, amount Balance) (deposited Balance) {
	if amount.IsZero() {
		return Balance{}
	}
	info := p.Accounts.Get(e, who)
	if info.Data == (system.AccountData{}) && amount.Less(p.ExistentialDeposit.Get()) {
		return Balance{}
	}
	if p.deposit(e, who, info, amount) != nil {
		return Balance{}
	}
	return amount
}

func (p *Pallet) deposit(e *frame.Env, who types.AccountID, info system.AccountInfo, amount Balance) error {
	issuance, ok := p.TotalIssuance.Get(e).Add(amount)
	if !ok {
		return frame.ErrOverflow
	}
	d := info.Data
	d.Free = d.Free.AddSat(amount) // at most the issuance
	if _, err := p.write(e, who, info, d); err != nil {
		return err
	}
	p.TotalIssuance.Put(e, issuance)
	p.Emit(e, Deposit{who, amount})
	return nil
}

// Slash takes up to amount out of an account, whatever its locks: free money
// first, then reserved. An account that others depend on keeps the existential
// deposit. It returns what was taken, which has left the issuance.
func (p *Pallet) Slash(e *frame.Env, who types.AccountID, amount Balance) (taken Balance) {
	return p.slash(e, who, amount, true)
}

// SlashReserved is Slash for reserved money only.
func (p *Pallet) SlashReserved(e *frame.Env, who types.AccountID, amount Balance) (taken Balance) {
	return p.slash(e, who, amount, false)
}

func (p *Pallet) slash(e *frame.Env, who types.AccountID, amount Balance, free bool) (taken Balance) {
	info := p.Accounts.Get(e, who)
	if amount.IsZero() || info.Data == (system.AccountData{}) {
		return Balance{}
	}
	var dust Balance
	for _, limit := range []Balance{amount, amount.Min(total(&info.Data).SubSat(p.ExistentialDeposit.Get()))} {
		d := info.Data
		taken = takeAny(&d, limit, free)
		var err error
		if dust, err = p.write(e, who, info, d); err == nil {
			break
		}
		taken = Balance{} // others depend on the account: leave the existential deposit
	}
	if taken.IsZero() {
		return taken
	}
	p.destroy(e, taken)
	p.sweep(e, who, dust)
	p.Emit(e, Slashed{who, taken})
	return taken
}

// takeAny takes up to amount out of reserved money, and before that out of free
// money if it may.
func takeAny(d *system.AccountData, amount Balance, free bool) (taken Balance) {
	if free {
		taken = d.Free.Min(amount)
		d.Free = d.Free.SubSat(taken)
	}
	reserved := d.Reserved.Min(amount.SubSat(taken))
	d.Reserved = d.Reserved.SubSat(reserved)
	return taken.AddSat(reserved)
}

// Reserve moves free money to reserved.
func (p *Pallet) Reserve(e *frame.Env, who types.AccountID, amount Balance) error {
	if amount.IsZero() {
		return nil
	}
	info := p.Accounts.Get(e, who)
	d := info.Data
	if err := p.takeFree(e, who, &d, amount, Misc, false); err != nil {
		return err
	}
	d.Reserved = d.Reserved.AddSat(amount)
	if _, err := p.write(e, who, info, d); err != nil {
		return err
	}
	p.Emit(e, Reserved{who, amount})
	return nil
}

// Unreserve moves up to amount of reserved money back to free and returns what
// was missing.
func (p *Pallet) Unreserve(e *frame.Env, who types.AccountID, amount Balance) (missing Balance) {
	info := p.Accounts.Get(e, who)
	d := info.Data
	moved := d.Reserved.Min(amount)
	if moved.IsZero() {
		return amount
	}
	d.Reserved = d.Reserved.SubSat(moved)
	d.Free = d.Free.AddSat(moved)
	if _, err := p.write(e, who, info, d); err != nil {
		return amount // it cannot be: the total is the same
	}
	p.Emit(e, Unreserved{who, moved})
	return amount.SubSat(moved)
}

// RepatriateReserved moves up to amount of one account's reserved money to the
// free money of another, or to its reserved money if reserved is set; it returns
// what was missing. The receiver must exist.
func (p *Pallet) RepatriateReserved(e *frame.Env, from, to types.AccountID, amount Balance, reserved bool) (missing Balance, err error) {
	switch {
	case amount.IsZero():
		return Balance{}, nil
	case from == to && !reserved:
		return p.Unreserve(e, from, amount), nil
	case from == to:
		return amount.SubSat(p.ReservedBalance(e, from)), nil
	}
	sender, receiver := p.Accounts.Get(e, from), p.Accounts.Get(e, to)
	if receiver.Data == (system.AccountData{}) {
		return amount, p.Fail(ErrDeadAccount)
	}
	s, r := sender.Data, receiver.Data
	moved := s.Reserved.Min(amount)
	if moved.IsZero() {
		return amount, nil
	}
	s.Reserved = s.Reserved.SubSat(moved)
	status := StatusFree
	if reserved {
		status, r.Reserved = StatusReserved, r.Reserved.AddSat(moved)
	} else {
		r.Free = r.Free.AddSat(moved)
	}
	dust, err := p.write(e, from, sender, s)
	if err != nil {
		return amount, err
	}
	if _, err := p.write(e, to, receiver, r); err != nil {
		return amount, err // it cannot be: the receiver gained
	}
	p.sweep(e, from, dust)
	p.Emit(e, ReserveRepatriated{from, to, moved, status})
	return amount.SubSat(moved), nil
}
