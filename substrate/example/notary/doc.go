// Package notary keeps one short note for each account, against a deposit.
//
// An account writes its note with note, which reserves Deposit of its money and
// says in which block that was; writing again replaces the note and keeps the
// deposit. erase takes the note away and gives the deposit back. The deposit
// bounds what the chain has to keep: state is paid for as long as it is there.
//
//	bal := &balances.Pallet{…}
//	n := &notary.Pallet{MaxLen: frame.ConstOf(uint32(64)), Deposit: frame.ConstOf(deposit), Currency: bal}
//
// The pallet is the tutorial's (package example): it has everything that most
// pallets have, and not more. It does not look at what a note says.
package notary
