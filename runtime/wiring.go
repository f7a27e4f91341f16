package runtime

import (
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/authorship"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/pallets/timestamp"
	"github.com/crustgo/crust/substrate/types"
)

// wire plugs the pallets into each other.
func (r *Runtime) wire() {
	r.Balances.Accounts, r.Balances.Dust = r.System, r.Treasury
	r.Treasury.Currency = r.Balances
	r.Timestamp.OnSet = []timestamp.OnTimestampSet{r.Babe}
	r.Babe.Session = r.Session
	r.Authorship.Claims, r.Authorship.Session = r.Babe, r.Session
	r.Authorship.Handlers = []authorship.Handler{r.Staking, r.ImOnline}
	r.Session.Trigger, r.Session.Manager, r.Session.Identity, r.Session.Accounts = r.Babe, r.Staking, r.Staking, r.System
	r.Session.Handlers = []session.Handler{r.Babe, r.Grandpa, r.AuthorityDiscovery, r.Historical, r.ImOnline, r.Offences}
	r.Staking.Currency, r.Staking.Treasury, r.Staking.Clock = r.Balances, r.Treasury, r.Timestamp
	r.Staking.Session, r.Staking.History = r.Session, r.Historical
	r.Staking.Benefits, r.Staking.MarketPot, r.Staking.Workloads = r.Benefits, nothing{}, nothing{} // until there are such pallets
	r.Benefits.Currency = r.Balances
	r.ImOnline.Session, r.ImOnline.Historical, r.ImOnline.Offences = r.Session, r.Historical, r.Offences
	r.Offences.Handler = r.Staking
	equivocations := &offences.Equivocations{Owners: r.Historical, Authors: r.Authorship, Book: r.Offences, Longevity: uint64(r.Preset.Staking.BondingDuration) * r.Preset.eraSlots()}
	r.Babe.Provers, r.Babe.Equivocations = r.Historical, equivocations
	r.Grandpa.Provers, r.Grandpa.Equivocations = r.Historical, equivocations
	r.TransactionPayment.Currency, r.TransactionPayment.Treasury, r.TransactionPayment.Authors, r.TransactionPayment.Waiver = r.Balances, r.Treasury, r.Authorship, r.Benefits
}

// apis are the runtime APIs beside those of every runtime.
func (r *Runtime) apis() []frame.API {
	var out []frame.API
	for _, p := range []interface{ APIs() []frame.API }{r.Babe, r.Grandpa, r.Session, r.Staking, r.ImOnline, r.AuthorityDiscovery, r.TransactionPayment} {
		out = append(out, p.APIs()...)
	}
	return out
}

// nothing is the storage market and the work reports of a chain that has none.
type nothing struct{}

// WithdrawStakingPot finds an empty pot.
func (nothing) WithdrawStakingPot(*frame.Env) fixed.U128 { return fixed.U128{} }

// Workload knows of no storage.
func (nothing) Workload(*frame.Env, types.AccountID) fixed.U128 { return fixed.U128{} }

// baseFee is what every transaction pays, in plancks: the original chain's fee
// for its base weight of 125 µs, of which 30 % are charged.
var baseFee = fixed.FromUint64(37_500_000)
