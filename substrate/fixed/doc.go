// Package fixed is the arithmetic of the runtime: 128-bit balances, parts of a
// whole, and 18-digit fixed-point numbers, all in integers.
//
// Every validator must get the same digit, so nothing here uses floating point
// and every rounding is part of the contract:
//
//   - [U128] is an unsigned 128-bit integer. Operations that can leave the range
//     report it ([U128.Add] returns false) or stop at the edge ([U128.AddSat]);
//     none wraps. [U128.MulDiv] multiplies into 256 bits before it divides.
//   - [Percent], [Permill], [Perbill] and [Perquintill] are shares of one in
//     hundredths, millionths, billionths and 10^-18. A share never exceeds one.
//     From a ratio they round down, and they drop the low digits of both sides
//     when the denominator has more digits than the share can hold; a share of
//     an amount rounds to the nearest integer and an exact half rounds down.
//     Every payout depends on both rules.
//   - [FixedU128] counts in steps of 10^-18 and may exceed one; the fee
//     multiplier is one. It saturates and rounds down.
//
// The rules are those of the arithmetic crate that the first Crust chain was
// built with. Values are plain comparable structs or integers, so ==, map keys
// and struct copies work, and no operation allocates except String and JSON.
//
//	reward, ok := total.MulDiv(stake, allStakes) // false: overflow or division by zero
//	fee := fixed.Perbill(2_500_000).Mul(price)   // 0.25 %
//
// What it does not do: signed numbers, integers above 128 bits, and anything
// about currency units.
package fixed
