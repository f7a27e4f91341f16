// Package benefits keeps the money that members lock in exchange for lower costs.
//
// There are two funds. What an account puts into the SWORK fund lets its workers
// report files for nothing: each BenefitReportWorkCost of it pays for one report
// per era. What it puts into the MARKET fund is its collateral as a storage
// merchant, which bounds what it may earn; it also gives the account a share of
// the era's fee reduction quota, out of which the fees of settling orders are paid.
// The quota is BenefitsLimitRatio of what the ended era paid out, and what is used
// of it is taken off the next payout: nobody pays for it twice.
//
//	active  --cut-->  unlocking  --BondingDuration eras, withdraw-->  free
//	active <--rebond-- unlocking
//	total = active + the sum of what is unlocking
//
// Locked money is reserved in the account. If some of a reserve was slashed, the
// funds are found to be short of it when the account withdraws: they lose it then,
// SWORK before MARKET, what is active before what is unlocking, the oldest chunk
// first.
//
//	used := b.UpdateEraBenefit(e, next, payout)   // staking, when an era ends
//	collateral, reward := b.Collateral(e, who)    // market
//	if b.FreeReport(e, owner) { e.WaiveFee() }    // swork
//	payment.Waiver = b                            // transaction payment
//
// Rules: facts/swork-market.md §4. Different from the original: events carry what
// was moved and not what was asked for; an addition that leaves less than the
// existential deposit is refused; a shortage is taken from both funds together, and
// from chunks as well, so that total stays the sum of its parts; tips are not paid
// from the quota.
//
// The package does not decide which calls the quota pays for (Covers), nor what a
// merchant earns: it keeps the reward that the market books.
package benefits
