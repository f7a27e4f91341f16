// Package validatorset lets Root say who the validators are: what a chain
// needs before it has staking, and what chains of known operators keep.
//
// The list is ordered; add_validator appends, remove_validator takes out. It
// is the session pallet's manager, so a change acts from the session after the
// next one on, and only validators that have filed session keys take part. The
// last validator cannot be removed.
//
//	set := &validatorset.Pallet{Session: sess, MaxValidators: frame.ConstOf(uint32(100))}
//	sess.Manager, sess.Identity = set, set
//
// Every account acts for the validator of its own name, unless Controllers
// knows better.
//
// At genesis the list may be left out: then it is that of the session keys.
//
// The package does not pay, slash or disable anybody.
package validatorset
