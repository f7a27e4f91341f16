// Package treasury keeps the chain's common money: its share of fees, and the
// dust of accounts that ceased to exist. Root spends it.
//
// The money is the plain balance of the account "modlpy/trsry", to which nobody
// has a key. It is created with the existential deposit at genesis and keeps it
// when money is spent, so that no share is too small to be received.
//
//	treasury.Deposit(e, share) // of money that was taken out of the issuance
//
// Rules: FRAME's pallet_treasury, of which only spend_local exists and pays at
// once. There are no proposals, spend periods or burns.
package treasury
