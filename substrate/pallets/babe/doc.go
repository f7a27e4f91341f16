// Package babe is the on-chain half of BABE: it keeps the epochs, announces
// each next one in the headers, and gathers randomness from the blocks.
//
// At the start of a block it reads the author's claim in the digest. Block 1
// fixes the slot at which epoch 0 begins; it and the first block of every later
// epoch announce the authorities and the randomness of the epoch after
// (NextEpochData), and a change of configuration if Root has planned one
// (NextConfigData). An epoch is a session: the session pallet asks
// ShouldEndSession and tells the new authorities with OnNewSession.
//
// When the chain slept through whole epochs, the next block belongs to the
// epoch that its slot says, with the authorities and randomness that were last
// announced, so epochs outrun sessions; SkippedEpochs says where.
//
// Randomness: each primary block adds its VRF output. When an epoch ends, the
// hash of all outputs of it becomes the randomness of the epoch after the next:
// late enough that nobody could choose keys for it.
//
// A block whose author is disabled, or whose slot is not that of its timestamp,
// is refused where the timestamp is set (OnTimestampSet): a hook cannot refuse
// a block, a mandatory call can.
//
//	b := &babe.Pallet{EpochDuration: frame.ConstOf(uint64(600)), ExpectedBlockTime: frame.ConstOf(types.Moment(6000)),
//		MaxAuthorities: frame.ConstOf(uint32(1000)), Session: sess}
//	sess.Trigger, sess.Handlers = b, append(sess.Handlers, b)
//
// Rules: FRAME's pallet_babe; facts substrate-compat §3.1, §3.2, §4.4 to §4.7.
// It differs in hashing every output, also those of the last segment, and in
// leaving out the OnDisabled log, which no engine heeds.
//
// That claims and seals are right is checked by substrate/babe on the header,
// before execution.
package babe
