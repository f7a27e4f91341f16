package balances

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Arguments of the calls, in wire order.
type (
	// TransferArgs are the arguments of transfer_allow_death and transfer_keep_alive.
	TransferArgs struct {
		Dest  types.MultiAddress
		Value Balance `scale:"compact"`
	}
	// ForceTransferArgs are the arguments of force_transfer.
	ForceTransferArgs struct {
		Source, Dest types.MultiAddress
		Value        Balance `scale:"compact"`
	}
	// TransferAllArgs are the arguments of transfer_all.
	TransferAllArgs struct {
		Dest      types.MultiAddress
		KeepAlive bool
	}
	// ForceUnreserveArgs are the arguments of force_unreserve.
	ForceUnreserveArgs struct {
		Who    types.MultiAddress
		Amount Balance
	}
	// ForceSetBalanceArgs are the arguments of force_set_balance.
	ForceSetBalanceArgs struct {
		Who     types.MultiAddress
		NewFree Balance `scale:"compact"`
	}
)

// lookup resolves an address of a call's arguments.
func lookup(a *types.MultiAddress) (types.AccountID, error) {
	who, ok := a.Account()
	if !ok {
		return who, frame.ErrCannotLookup
	}
	return who, nil
}

// transferAllowDeath sends free money; the sender may cease to exist.
func (p *Pallet) transferAllowDeath(e *frame.Env, o frame.Origin, a TransferArgs) error {
	return p.signedTransfer(e, o, &a, false)
}

// transferKeepAlive sends free money; it fails if the sender would cease to exist.
func (p *Pallet) transferKeepAlive(e *frame.Env, o frame.Origin, a TransferArgs) error {
	return p.signedTransfer(e, o, &a, true)
}

func (p *Pallet) signedTransfer(e *frame.Env, o frame.Origin, a *TransferArgs, keepAlive bool) error {
	from, err := o.Signed()
	if err != nil {
		return err
	}
	to, err := lookup(&a.Dest)
	if err != nil {
		return err
	}
	return p.Transfer(e, from, to, a.Value, keepAlive)
}

// forceTransfer sends anybody's free money, by order of Root.
func (p *Pallet) forceTransfer(e *frame.Env, o frame.Origin, a ForceTransferArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	from, err := lookup(&a.Source)
	if err != nil {
		return err
	}
	to, err := lookup(&a.Dest)
	if err != nil {
		return err
	}
	return p.Transfer(e, from, to, a.Value, false)
}

// transferAll sends all the free money that can be sent.
func (p *Pallet) transferAll(e *frame.Env, o frame.Origin, a TransferAllArgs) error {
	from, err := o.Signed()
	if err != nil {
		return err
	}
	to, err := lookup(&a.Dest)
	if err != nil {
		return err
	}
	return p.Transfer(e, from, to, p.transferable(e, from, a.KeepAlive), a.KeepAlive)
}

// transferable is the largest amount that Transfer would send.
func (p *Pallet) transferable(e *frame.Env, who types.AccountID, keepAlive bool) Balance {
	d := p.Accounts.Get(e, who).Data
	keep := d.Frozen
	if keepAlive || !p.mayDie(e, who, &d) {
		keep = keep.Max(p.ExistentialDeposit.Get())
	}
	return d.Free.SubSat(keep)
}

// forceUnreserve makes reserved money free, by order of Root.
func (p *Pallet) forceUnreserve(e *frame.Env, o frame.Origin, a ForceUnreserveArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	who, err := lookup(&a.Who)
	if err != nil {
		return err
	}
	p.Unreserve(e, who, a.Amount)
	return nil
}

// forceSetBalance sets an account's free money, by order of Root; less than the
// existential deposit counts as nothing.
func (p *Pallet) forceSetBalance(e *frame.Env, o frame.Origin, a ForceSetBalanceArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	who, err := lookup(&a.Who)
	if err != nil {
		return err
	}
	if a.NewFree.Less(p.ExistentialDeposit.Get()) {
		a.NewFree = Balance{}
	}
	info := p.Accounts.Get(e, who)
	d := info.Data
	issuance, ok := p.TotalIssuance.Get(e).SubSat(d.Free).Add(a.NewFree)
	if !ok {
		return frame.ErrOverflow
	}
	d.Free = a.NewFree
	dust, err := p.write(e, who, info, d)
	if err != nil {
		return err
	}
	p.TotalIssuance.Put(e, issuance)
	p.sweep(e, who, dust)
	p.Emit(e, BalanceSet{who, a.NewFree})
	return nil
}
