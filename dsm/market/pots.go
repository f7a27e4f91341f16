package market

import (
	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/treasury"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// PotID is the name that the pots' accounts are made from.
var PotID = treasury.PalletID([]byte("crmarket"))

// The pots: accounts to which nobody has a key.
var (
	CollateralPot = potAccount("coll") // never used; it exists, as in the original
	StoragePot    = potAccount("stor") // amounts and prepaid money of files, and rewards that are not paid out
	StakingPot    = potAccount("stak") // what stakers will get at the end of the era
	ReservedPot   = potAccount("rese") // only grows
)

// potAccount is "modl", the name, and the SCALE text of the pot's own name.
func potAccount(name string) (who types.AccountID) {
	n := copy(who[:], "modl")
	n += copy(who[n:], PotID[:])
	copy(who[n:], scale.AppendString(nil, name))
	return who
}

// pay moves the money of an order: all of it into the storage pot first, so that
// a payer who spends the last planck is not taken for dead half-way, and from
// there to where it belongs. It returns the storage share.
func (p *Pallet) pay(e *frame.Env, who types.AccountID, cost price.Cost) (storage Balance, err error) {
	if err := p.Currency.Transfer(e, who, StoragePot, cost.Total(), false); err != nil {
		return Balance{}, err
	}
	return p.share(e, cost)
}

// share moves what is not the storage share of a cost out of the storage pot.
func (p *Pallet) share(e *frame.Env, cost price.Cost) (storage Balance, err error) {
	parts := cost.Split()
	if err := p.Currency.Transfer(e, StoragePot, ReservedPot, parts.Reserved, true); err != nil {
		return Balance{}, err
	}
	if err := p.Currency.Transfer(e, StoragePot, StakingPot, parts.Staking, true); err != nil {
		return Balance{}, err
	}
	return parts.Storage, nil
}

// reserve moves money of the storage pot that belongs to nobody any more.
func (p *Pallet) reserve(e *frame.Env, amount Balance) error {
	return p.Currency.Transfer(e, StoragePot, ReservedPot, amount, true)
}

// WithdrawStakingPot takes everything above the existential deposit out of the
// staking pot and out of the issuance, and returns how much that was: package
// staking calls it at the end of an era and pays it to stakers anew.
func (p *Pallet) WithdrawStakingPot(e *frame.Env) Balance {
	amount := p.Currency.FreeBalance(e, StakingPot).SubSat(p.Currency.MinimumBalance())
	if amount.IsZero() || p.Currency.Withdraw(e, StakingPot, amount, true) != nil {
		return Balance{}
	}
	return amount
}

// Genesis is the pallet's genesis configuration.
type Genesis struct {
	EnableMarket bool    `json:"enableMarket"`
	FileBaseFee  Balance `json:"fileBaseFee"` // above zero on a real network
}

// NewGenesis returns the default configuration: no orders are taken.
func (p *Pallet) NewGenesis() any { return &Genesis{} }

// BuildGenesis creates the pots.
func (p *Pallet) BuildGenesis(e *frame.Env, config any) error {
	g := config.(*Genesis)
	least := p.Currency.MinimumBalance()
	for _, pot := range []types.AccountID{CollateralPot, StoragePot, StakingPot, ReservedPot} {
		if missing := least.SubSat(p.Currency.FreeBalance(e, pot)); !missing.IsZero() {
			p.Currency.DepositCreating(e, pot, missing)
		}
	}
	if g.EnableMarket {
		p.EnableMarket.Put(e, true)
	}
	if !g.FileBaseFee.IsZero() {
		p.FileBaseFee.Put(e, g.FileBaseFee)
	}
	return nil
}
