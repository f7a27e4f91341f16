// Package balances moves the chain's currency: transfers, fees, reserves, locks,
// slashes, and the sum of it all.
//
// An account's money is free or reserved. Reserved money is set aside for a
// pallet and nobody can spend it. Locks lie over free money: they forbid that it
// falls below the largest lock, and they overlap rather than add up. A lock may
// hold for fees only, for everything but fees, or for both. An account whose
// total falls below the existential deposit ceases to exist; what was left is
// dust and goes where the runtime says (the treasury).
//
// TotalIssuance is the sum of all balances at every moment. Taking money out of
// an account (Withdraw, WithdrawFee, Slash, SlashReserved) lowers it and putting
// money in (DepositExisting, DepositCreating) raises it. A payment that is split
// among others is thus a withdrawal and some deposits; what nobody deposits is
// burnt, and no care is needed for that.
//
//	taken := balances.Slash(e, offender, penalty)
//	treasury.Deposit(e, taken)
//
// The amounts live in the accounts of package system. Rules: FRAME's
// pallet_balances with its Currency semantics, and Crust's two additional
// queries, UsableBalance and FrozenBalance.
//
// What it does not do: named reserves, holds and freezes. Their storage is empty.
package balances
