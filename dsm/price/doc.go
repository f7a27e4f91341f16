// Package price is the arithmetic of the storage market: what an order costs and
// where the money goes, how fees follow the market, what a replica is paid and
// how that vests, what power a file gives, and how co-payers share what is unspent.
//
//	cost := fees.Order(size, tips) // 1 base fee, bytes by started MiB, keys, tips
//	parts := cost.Split()          // 72 % staking, 18 % and tips storage, the rest reserved
//
// Amounts are in plancks, sizes in bytes, times in blocks. Shares are rounded as
// fixed.Perbill rounds: to nearest, an exact half down; what rounding loses goes
// to the reserve. Rules and numbers: facts swork-market §2.7 to §2.13, and the
// design of the DSM for vesting, settlement, the limit of bonuses and co-payers.
//
// The package keeps no state and knows no accounts; package market does.
package price
