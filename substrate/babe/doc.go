// Package babe is the pure half of BABE, the engine that decides who may author
// a block and when.
//
// Time is cut into slots, and slots into epochs. In every slot each authority
// evaluates a verifiable random function; a result below the authority's
// [Epoch.Threshold] is a primary claim, and there may be none or several. Where
// the configuration allows it, one authority of every slot, the secondary
// author, may fill a slot nobody else won. The header carries the claim in a
// pre-runtime digest and the author's signature in a seal. The first block of an
// epoch announces the authorities, randomness and, if it changes, the
// configuration of the epoch after it.
//
// What a block's children inherit is a [Head]: the block's slot and its
// [EpochState]. Verification is a function from the parent's Head and a header
// to the block's own Head, so forks need no bookkeeping: every block has its own.
//
//	head := babe.GenesisHead(config)
//	v, err := babe.Verify(&header, head, babe.SlotAt(nowMillis, config.SlotDuration)+1)
//	head = v.Head       // for the block's children
//	weight := v.Weight  // for the fork choice of package blocktree
//
// [Inspect] is the cheap half of [Verify] and [Candidate.VerifySignatures] the
// dear half, about 110 µs; a header that has been inspected can wait for its
// signatures on any core while its children are inspected.
//
// Authors ask [Claim] for a slot they may fill and put [PreDigest.Item] first in
// the header's digest; the runtime appends its own items; [Seal] finishes.
//
// Rules: Polkadot specification "BABE"; facts substrate-compat §3.1 to §3.3 and
// §4. Unlike smoldot and Substrate, a header that skips slots is not trusted
// about it: the effective epoch follows from the slot alone, and the presence of
// the announcement must agree with it.
//
// [Equivocations] finds authors that fill one slot with two blocks; the proof that
// it returns can be verified by anybody.
//
// The package does not read clocks (slots are arguments), hold keys, follow
// forks, or accumulate randomness (the runtime does, with [MixRandomness]).
//
// The threshold is the one place in the pure tree that uses floating point: see
// [Epoch.Threshold] for why it gives every machine the same bits.
package babe
