package runtime

import (
	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/authorship"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/pallets/timestamp"
)

// wire plugs the pallets into each other.
func (r *Pallets) wire(p *Preset) {
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
	r.Staking.Benefits, r.Staking.MarketPot, r.Staking.Workloads = r.Benefits, r.Market, r.Swork
	r.Benefits.Currency, r.Benefits.Covers = r.Balances, settles
	r.Attest.Time, r.Attest.Blocks = r.Timestamp, r.System
	r.Swork.Attest, r.Swork.VerifyWeight, r.Swork.Market, r.Swork.Limits = attestation{r.Attest}, attest.VerifyWeight(), replicas{r.Market}, stakeLimits{r.Staking}
	r.Swork.Benefits, r.Swork.Random, r.Swork.Blocks, r.Swork.Time = r.Benefits, chance{r.Babe}, r.System, r.Timestamp
	r.Market.Currency, r.Market.Workers, r.Market.Benefits, r.Market.Staking, r.Market.Blocks = r.Balances, workers{r.Swork}, r.Benefits, r.Staking, r.System
	r.ImOnline.Session, r.ImOnline.Historical, r.ImOnline.Offences = r.Session, r.Historical, r.Offences
	r.Offences.Handler = r.Staking
	equivocations := &offences.Equivocations{Owners: r.Historical, Authors: r.Authorship, Book: r.Offences, Longevity: uint64(p.Staking.BondingDuration) * p.eraSlots()}
	r.Babe.Provers, r.Babe.Equivocations = r.Historical, equivocations
	r.Grandpa.Provers, r.Grandpa.Equivocations = r.Historical, equivocations
	r.TransactionPayment.Currency, r.TransactionPayment.Treasury, r.TransactionPayment.Authors, r.TransactionPayment.Waiver = r.Balances, r.Treasury, r.Authorship, r.Benefits
}

// apis are the runtime APIs beside those of every runtime.
func (r *Pallets) apis() []frame.API {
	var out []frame.API
	for _, p := range []interface{ APIs() []frame.API }{r.Babe, r.Grandpa, r.Session, r.Staking, r.Market, r.ImOnline, r.AuthorityDiscovery, r.TransactionPayment} {
		out = append(out, p.APIs()...)
	}
	return out
}

// settles reports whether the quota of merchants pays a call's fee: settling a file.
func settles(call frame.RuntimeCall) bool {
	return call.Pallet() == "Market" && call.Name() == "calculate_reward"
}

// baseFee is what every transaction pays, in plancks: the original chain's fee
// for its base weight of 125 µs, of which 30 % are charged.
var baseFee = fixed.FromUint64(37_500_000)
