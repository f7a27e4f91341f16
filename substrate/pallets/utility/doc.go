// Package utility puts several calls into one, and lets an account act as one of
// the many that are derived from it.
//
// batch stops at the first call that fails and keeps what was done before it;
// batch_all undoes everything; force_batch goes on. A batch weighs what its calls
// weigh, and what they did not use is returned.
//
// Rules: FRAME's pallet_utility.
package utility
