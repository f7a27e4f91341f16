// Package session keeps who the validators are, session by session, and by which keys they act.
//
// A session is a span of blocks with one set of validators. What ends it is a
// Trigger (BABE: the end of an epoch). Sets are planned one session ahead: at
// the first block of session i the set that was queued becomes active, and the
// Manager is asked for the set of session i+1, which is queued with the keys
// its members have filed at that moment. So a key or a validator that is new in
// session i acts from session i+2 on, and light clients hear of every set an
// epoch before it rules.
//
//	sess := &session.Pallet{Trigger: babe, Manager: validators, Identity: validators,
//		Accounts: sys, Handlers: []session.Handler{babe, grandpa, discovery}}
//
// Handlers are told of every session, in order, in the block that begins it.
//
// Validators act by four keys, Keys, that their controller files with set_keys;
// the key that signs transactions is not among them, so that a validator's
// machine holds no key that moves funds. No two validators may file one key.
//
// Rules: FRAME's pallet_session; facts gpos-runtime §1.10 and §3.4. It differs
// where that loses a chain: a queue that would be empty keeps the set of before;
// a set that only got shorter counts as changed; at most a third of the
// validators may be disabled, and set_keys takes its reference on the validator,
// not on whichever controller filed the keys first.
//
// The package does not choose validators, nor remember those of past sessions
// (package historical does).
package session
