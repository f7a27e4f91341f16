package treasury

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Balance is an amount in plancks.
type Balance = frame.Balance

// PalletID names a pallet's account.
type PalletID [8]byte

// SCALEPath names the type for clients.
func (PalletID) SCALEPath() string { return "frame_support::PalletId" }

// Account is the account of the name: "modl", the name, and zeros.
func (p PalletID) Account() (who types.AccountID) {
	copy(who[copy(who[:], "modl"):], p[:])
	return who
}

// ID names the treasury's account.
var ID = PalletID{'p', 'y', '/', 't', 'r', 's', 'r', 'y'}

// Account is the treasury's account.
func Account() types.AccountID { return ID.Account() }

// Pallet is the treasury pallet.
type Pallet struct {
	frame.Base

	PalletID frame.Const[PalletID] `frame:"name=PalletId"` // name of the treasury's account

	ProposalCount frame.Value[uint32] // number of payments so far

	// Currency moves the money.
	Currency Currency
}

// Currency moves money; DepositCreating puts money into an account that has left
// another, and into the issuance.
type Currency interface {
	Transfer(e *frame.Env, from, to types.AccountID, amount Balance, keepAlive bool) error
	DepositCreating(e *frame.Env, who types.AccountID, amount Balance) (deposited Balance)
	TotalBalance(e *frame.Env, who types.AccountID) Balance
	MinimumBalance() Balance
}

// Events.
type (
	// Awarded says that money was paid out.
	Awarded struct {
		ProposalIndex uint32
		Award         Balance
		Account       types.AccountID
	}
	// Deposit says that money came in.
	Deposit struct{ Value Balance }
)

// SpendLocalArgs are the arguments of spend_local.
type SpendLocalArgs struct {
	Amount      Balance `scale:"compact"`
	Beneficiary types.MultiAddress
}

// Spec lists the wire surface. Indices are those of FRAME; the calls and events in
// the gaps do not exist here.
func (p *Pallet) Spec() frame.Spec {
	p.PalletID = frame.ConstOf(ID) // Spec runs once, before constants are bound
	return frame.Spec{
		Calls:  []frame.Call{3: frame.NewCall("spend_local", p.spendLocal, weights.spend)},
		Events: []any{1: Awarded{}, 4: Deposit{}},
	}
}

// spendLocal pays money out, by order of Root.
func (p *Pallet) spendLocal(e *frame.Env, o frame.Origin, a SpendLocalArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	who, ok := a.Beneficiary.Account()
	if !ok {
		return frame.ErrCannotLookup
	}
	if err := p.Currency.Transfer(e, Account(), who, a.Amount, true); err != nil {
		return err
	}
	n := p.ProposalCount.Get(e)
	p.ProposalCount.Put(e, n+1)
	p.Emit(e, Awarded{n, a.Amount, who})
	return nil
}

// Deposit receives money that has left all accounts.
func (p *Pallet) Deposit(e *frame.Env, amount Balance) {
	if got := p.Currency.DepositCreating(e, Account(), amount); !got.IsZero() {
		p.Emit(e, Deposit{got})
	}
}

// Balance is what the treasury has.
func (p *Pallet) Balance(e *frame.Env) Balance { return p.Currency.TotalBalance(e, Account()) }

// Genesis is the pallet's genesis configuration; it has no fields.
type Genesis struct{}

// NewGenesis returns the default configuration.
func (p *Pallet) NewGenesis() any { return &Genesis{} }

// BuildGenesis creates the treasury's account, unless it has money already.
func (p *Pallet) BuildGenesis(e *frame.Env, _ any) error {
	if p.Balance(e).IsZero() {
		p.Currency.DepositCreating(e, Account(), p.Currency.MinimumBalance())
	}
	return nil
}
