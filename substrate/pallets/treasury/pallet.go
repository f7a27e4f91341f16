package treasury

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the treasury pallet.
type Pallet struct {
	frame.Base

	PalletID frame.Const[PalletID] // identifier from which the account follows

	// Currency holds the money.
	Currency Currency
}

// PalletID is an identifier from which a pallet's account follows.
type PalletID [8]byte

// SCALEPath names the type for clients.
func (PalletID) SCALEPath() string { return "frame_support::PalletId" }

// Account is "modl", the identifier and zeros. Nobody has its key.
func (id PalletID) Account() (a types.AccountID) {
	copy(a[:], "modl")
	copy(a[4:], id[:])
	return a
}

// Currency is what the treasury needs of the balances pallet.
type Currency interface {
	FreeBalance(e *frame.Env, who types.AccountID) frame.Balance
	MinimumBalance() frame.Balance
	Transfer(e *frame.Env, from, to types.AccountID, amount frame.Balance, keepAlive bool) error
	DepositCreating(e *frame.Env, who types.AccountID, amount frame.Balance) (deposited frame.Balance)
}

// Events.
type (
	// Deposit says that money came into the treasury.
	Deposit struct{ Value frame.Balance }
	// SpendApproved says that Root spent money.
	SpendApproved struct {
		Amount      frame.Balance
		Beneficiary types.AccountID
	}
)

// ErrInsufficientFunds says that the treasury does not hold the amount.
var ErrInsufficientFunds = frame.NewError("InsufficientFunds")

// SpendArgs are the arguments of spend_local.
type SpendArgs struct {
	Amount      frame.Balance `scale:"compact"`
	Beneficiary types.MultiAddress
}

// Spec lists the wire surface. The calls below 3 belong to proposals, as do the
// events and errors that are left out.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls:  []frame.Call{3: frame.NewCall("spend_local", p.spendLocal, weights.spendLocal)},
		Events: []any{4: Deposit{}, 5: SpendApproved{}},
		Errors: []*frame.Error{3: ErrInsufficientFunds},
	}
}

// Account is the treasury's account.
func (p *Pallet) Account() types.AccountID { return p.PalletID.Get().Account() }

// Deposit puts money that has left all accounts into the treasury.
func (p *Pallet) Deposit(e *frame.Env, amount frame.Balance) {
	if got := p.Currency.DepositCreating(e, p.Account(), amount); !got.IsZero() {
		p.Emit(e, Deposit{got})
	}
}

// spendLocal pays an amount to an account; only Root can.
func (p *Pallet) spendLocal(e *frame.Env, o frame.Origin, a SpendArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	to, ok := a.Beneficiary.Account()
	if !ok {
		return frame.ErrCannotLookup
	}
	left, ok := p.Currency.FreeBalance(e, p.Account()).Sub(a.Amount)
	if !ok || left.Less(p.Currency.MinimumBalance()) {
		return p.Fail(ErrInsufficientFunds)
	}
	if err := p.Currency.Transfer(e, p.Account(), to, a.Amount, true); err != nil {
		return err
	}
	p.Emit(e, SpendApproved{a.Amount, to})
	return nil
}

// Genesis is the pallet's genesis configuration; it has no fields.
type Genesis struct{}

// NewGenesis returns the default configuration.
func (p *Pallet) NewGenesis() any { return &Genesis{} }

// BuildGenesis gives the account what it needs to exist.
func (p *Pallet) BuildGenesis(e *frame.Env, _ any) error {
	if p.Currency.FreeBalance(e, p.Account()).Less(p.Currency.MinimumBalance()) {
		p.Currency.DepositCreating(e, p.Account(), p.Currency.MinimumBalance())
	}
	return nil
}
