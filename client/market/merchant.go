package market

import (
	"context"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/types"
)

// Merchant is what a group owner earns by files, and what allows it to.
type Merchant struct {
	Unpaid     Balance `json:"unpaid"`     // booked: vested or not
	Claimable  Balance `json:"claimable"`  // vested: what a claim pays now
	PerBlock   Balance `json:"per_block"`  // that vests now
	Collateral Balance `json:"collateral"` // active
	Room       Balance `json:"room"`       // how much more can be booked
}

// Merchant is what an account earns as a merchant.
func (s *State) Merchant(ctx context.Context, who types.AccountID) (m Merchant, err error) {
	_, err = s.call(ctx, &m, "merchant", who)
	return m, err
}

// Fund is the money that an account has in its MARKET fund: its collateral.
type Fund struct {
	Total     Balance `json:"total_funds"` // active and on its way out
	Active    Balance `json:"active_funds"`
	Unlocking []Chunk `json:"unlocking_funds"`
}

// Chunk is money on its way out of a fund.
type Chunk struct {
	Value Balance        `json:"value"`
	Era   types.EraIndex `json:"era"` // from when on it can be withdrawn
}

// Fund is the MARKET fund of an account.
func (s *State) Fund(ctx context.Context, who types.AccountID) (f Fund, err error) {
	return f, s.read(ctx, &f, "Benefits", "MarketBenefits", who)
}

// Order is a call that orders that a file be stored, or be stored for longer. The
// memo is for those who look for the file: hints where to fetch it.
func Order(cid string, size uint64, tips Balance, memo []byte) client.Tx {
	return client.Tx{Pallet: "Market", Call: "place_storage_order", Args: []any{metadata.Bytes(cid), size, tips.String(), metadata.Bytes(memo)}}
}

// Prepay is a call that pays for a file's renewal.
func Prepay(cid string, amount Balance) client.Tx {
	return client.Tx{Pallet: "Market", Call: "add_prepaid", Args: []any{metadata.Bytes(cid), amount.String()}}
}

// Cancel is a call that takes back what the signer paid for a file and is not spent.
func Cancel(cid string) client.Tx {
	return client.Tx{Pallet: "Market", Call: "cancel_order", Args: []any{metadata.Bytes(cid)}}
}

// Settle is a call that settles a file whose time is over.
func Settle(cid string) client.Tx {
	return client.Tx{Pallet: "Market", Call: "calculate_reward", Args: []any{metadata.Bytes(cid)}}
}

// Claim is a call that pays the signer what it has earned as a merchant.
func Claim() client.Tx { return client.Tx{Pallet: "Market", Call: "reward_merchant"} }

// Lock is a call that makes money of the signer collateral.
func Lock(amount Balance) client.Tx { return fund("add_benefit_funds", amount) }

// Unlock is a call that begins to take money out of the collateral.
func Unlock(amount Balance) client.Tx { return fund("cut_benefit_funds", amount) }

// Relock is a call that makes money on its way out collateral again.
func Relock(amount Balance) client.Tx { return fund("rebond_benefit_funds", amount) }

// Withdraw is a call that frees what was unlocked long enough ago, of both funds.
func Withdraw() client.Tx { return client.Tx{Pallet: "Benefits", Call: "withdraw_benefit_funds"} }

func fund(call string, amount Balance) client.Tx {
	return client.Tx{Pallet: "Benefits", Call: call, Args: []any{amount.String(), "MARKET"}}
}

// Together is a call that makes several, or none of them if one fails.
func Together(txs ...client.Tx) client.Tx {
	calls := make(metadata.List, len(txs))
	for i, tx := range txs {
		calls[i] = metadata.Variant{Name: tx.Pallet + "." + tx.Call, Value: tx.Args}
	}
	return client.Tx{Pallet: "Utility", Call: "batch_all", Args: []any{calls}}
}

// Due is what of the fund can be withdrawn in an era, and the first era from which
// on more can be.
func (f *Fund) Due(active types.EraIndex) (due Balance, next types.EraIndex) {
	for _, c := range f.Unlocking {
		switch {
		case c.Era <= active:
			due = due.AddSat(c.Value)
		case next == 0 || c.Era < next:
			next = c.Era
		}
	}
	return due, next
}
