package runtime

import (
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/authorship"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/pallets/timestamp"
)

// wire plugs the pallets into each other.
func (r *Runtime) wire() {
	r.Balances.Accounts, r.Balances.Dust = r.System, r.Treasury
	r.Treasury.Currency = r.Balances
	r.Timestamp.OnSet = []timestamp.OnTimestampSet{r.Babe}
	r.Babe.Session = r.Session
	r.Authorship.Claims, r.Authorship.Session = r.Babe, r.Session
	r.Authorship.Handlers = []authorship.Handler{r.ImOnline}
	r.Session.Trigger, r.Session.Manager, r.Session.Identity, r.Session.Accounts = r.Babe, r.ValidatorSet, r.ValidatorSet, r.System
	r.Session.Handlers = []session.Handler{r.Babe, r.Grandpa, r.AuthorityDiscovery, r.Historical, r.ImOnline, r.Offences}
	r.ValidatorSet.Session = r.Session
	r.ImOnline.Session, r.ImOnline.Historical, r.ImOnline.Offences = r.Session, r.Historical, r.Offences
	r.Offences.Handler = offences.Disabler{Session: r.Session} // until there are stakes
	equivocations := &offences.Equivocations{Owners: r.Historical, Authors: r.Authorship, Book: r.Offences, Longevity: reportSessions * r.Preset.EpochLength}
	r.Babe.Provers, r.Babe.Equivocations = r.Historical, equivocations
	r.Grandpa.Provers, r.Grandpa.Equivocations = r.Historical, equivocations
	r.TransactionPayment.Currency, r.TransactionPayment.Treasury, r.TransactionPayment.Authors = r.Balances, r.Treasury, r.Authorship
}

// apis are the runtime APIs beside those of every runtime.
func (r *Runtime) apis() []frame.API {
	var out []frame.API
	for _, p := range []interface{ APIs() []frame.API }{r.Babe, r.Grandpa, r.Session, r.ImOnline, r.AuthorityDiscovery, r.TransactionPayment} {
		out = append(out, p.APIs()...)
	}
	return out
}

// reportSessions is for how many sessions the pool keeps a report of an
// equivocation: for the 112 eras of 6 sessions for which stakes stay bonded.
const reportSessions = 112 * 6

// baseFee is what every transaction pays, in plancks: the original chain's fee
// for its base weight of 125 µs, of which 30 % are charged.
var baseFee = fixed.FromUint64(37_500_000)
