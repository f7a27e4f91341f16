// Package treasury is an account without a key that the chain fills and Root
// spends: fees, dust and slashes go into it.
//
// Rules: FRAME's pallet_treasury, of which only the account and local spending
// by Root exist here; proposals come with governance.
package treasury
