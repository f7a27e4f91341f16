// Package txpayment charges signed extrinsics for what they use of a block.
//
//	fee = base + length·FeePerByte + multiplier·FeePerWeight·weight + tip
//
// The multiplier follows demand. At the end of each block it grows a little if
// the block was fuller than TargetBlockFullness and shrinks if it was emptier,
// but never below MinimumMultiplier. It touches the price of weight only.
//
// The extension ChargeTransactionPayment takes the whole fee before dispatch and
// returns what the call did not use afterwards. Of the fee and of the tip each,
// 80 % (rounded down) go to the treasury and the rest to the block's author. A
// call that says it pays no fee pays its tip all the same.
//
//	cfg.Extensions = append(sys.Extensions(), payment.Extension())
//
// Priority in the pool is the tip (plus one planck) times the number of such
// extrinsics that a block could hold, as in FRAME.
//
// Rules: FRAME's pallet_transaction_payment with Crust's coefficients. Somebody
// else may pay the fee of special calls: see Waiver.
package txpayment
