package system

import (
	"iter"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Get returns an account; accounts that do not exist read as zero.
func (p *Pallet) Get(e *frame.Env, who types.AccountID) AccountInfo { return p.Account.Get(e, who) }

// NextNonce is the nonce of the account's next extrinsic.
func (p *Pallet) NextNonce(e *frame.Env, who types.AccountID) types.Nonce {
	return p.Account.Get(e, who).Nonce
}

// Accounts visits all accounts, in storage order.
func (p *Pallet) Accounts(e *frame.Env) iter.Seq2[types.AccountID, AccountInfo] {
	return p.Account.All(e)
}

// BumpNonce counts a signed extrinsic.
func (p *Pallet) BumpNonce(e *frame.Env, who types.AccountID) {
	a := p.Account.Get(e, who)
	a.Nonce++
	p.Account.Put(e, who, a)
}

// MutateData changes an account's balance with f. exists says whether the
// balance is a reason for the account to exist: becoming one adds a provider
// and creates the account, ceasing to be one removes the provider, which fails
// with ErrConsumerRemaining while others depend on the account.
// created and killed report what became of the account.
func (p *Pallet) MutateData(e *frame.Env, who types.AccountID, f func(*AccountData) (exists bool, err error)) (created, killed bool, err error) {
	a := p.Account.Get(e, who)
	d := a.Data
	exists, err := f(&d)
	if err != nil {
		return false, false, err
	}
	return p.SetData(e, who, a, d, exists)
}

// SetData is MutateData in two halves: a is the account as Get returned it, d its
// new balance. Nothing may touch the account in between.
func (p *Pallet) SetData(e *frame.Env, who types.AccountID, a AccountInfo, d AccountData, exists bool) (created, killed bool, err error) {
	had := a.Data != (AccountData{})
	a.Data = d
	if !exists {
		a.Data = AccountData{}
	}
	switch {
	case exists && !had:
		created = !a.Live()
		a.Providers++
	case !exists && had:
		if a.Providers > 0 {
			a.Providers--
		}
		if !a.Live() {
			if a.Consumers > 0 {
				return false, false, frame.ErrConsumerRemaining
			}
			killed = true
		}
	}
	if killed {
		p.Account.Kill(e, who)
		p.Emit(e, KilledAccount{who})
		return false, true, nil
	}
	p.Account.Put(e, who, a)
	if created {
		p.Emit(e, NewAccount{who})
	}
	return created, false, nil
}

// IncConsumers records that something depends on the account; it fails with
// ErrNoProviders if nothing keeps the account alive.
func (p *Pallet) IncConsumers(e *frame.Env, who types.AccountID) error {
	a := p.Account.Get(e, who)
	if a.Providers == 0 {
		return frame.ErrNoProviders
	}
	a.Consumers++
	p.Account.Put(e, who, a)
	return nil
}

// DecConsumers records that something no longer depends on the account.
func (p *Pallet) DecConsumers(e *frame.Env, who types.AccountID) {
	a := p.Account.Get(e, who)
	if a.Consumers > 0 {
		a.Consumers--
		p.Account.Put(e, who, a)
	}
}

// CanDecProvider reports whether the account could lose a provider now.
func (p *Pallet) CanDecProvider(e *frame.Env, who types.AccountID) bool {
	a := p.Account.Get(e, who)
	return a.Providers > 1 || a.Consumers == 0 || a.Sufficients > 0
}

// IncProviders records a further reason for the account to exist, and creates it if need be.
func (p *Pallet) IncProviders(e *frame.Env, who types.AccountID) {
	a := p.Account.Get(e, who)
	created := !a.Live()
	a.Providers++
	p.Account.Put(e, who, a)
	if created {
		p.Emit(e, NewAccount{who})
	}
}

// DecProviders takes back a reason for the account to exist; the account is
// removed with its last one, which fails with ErrConsumerRemaining while others
// depend on it.
func (p *Pallet) DecProviders(e *frame.Env, who types.AccountID) error {
	a := p.Account.Get(e, who)
	if a.Providers == 0 {
		return nil
	}
	a.Providers--
	if a.Live() {
		p.Account.Put(e, who, a)
		return nil
	}
	if a.Consumers > 0 {
		return frame.ErrConsumerRemaining
	}
	p.Account.Kill(e, who)
	p.Emit(e, KilledAccount{who})
	return nil
}
