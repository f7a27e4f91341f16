// Package grandpa is the pure half of GRANDPA, the engine that makes blocks
// final.
//
// A set of authorities votes in rounds. Whoever sees precommits of more than two
// thirds of the weight for a block, or for blocks above it, knows that it is
// final, and can prove it to anybody who knows the set: the precommits, with the
// headers that lead from their targets down to the block, are a [Justification].
//
//	voters, err := grandpa.NewVoterSet(setID, authorities)
//	var j grandpa.Justification
//	err = scale.Decode(data, &j)
//	err = voters.Verify(&j, nil)     // j.Target is final
//
// Sets change with headers: [ReadLogs] finds a [Change] in a digest, and the
// block that carries it is the last one its own set finalises. With delay 0,
// the only one this chain uses, the next block belongs to the next set, whose
// rounds start again at 1.
//
// [DecodeMessage] reads what peers gossip. [Solo] finalises alone, in a set of
// one authority: what a development chain needs.
//
// Rules: Polkadot specification "GRANDPA"; facts substrate-compat §3.4 and §5.
// Signatures are Ed25519 under ZIP 215, so that the batch, the single check and
// every peer agree. Like smoldot, and unlike Substrate, a justification with two
// votes of one authority is refused: honest nodes never need one.
//
// # Rounds
//
// A [Voter] is a whole voter as a machine: it is told of messages, blocks,
// finality and time, and [Voter.Ready] says what is to be made durable, given to
// the chain and sent. It has no clock, no disk and no connections.
//
//	v, err := grandpa.NewVoter(set, keys, state, chain, now, grandpa.VoterConfig{})
//	v.Connected(now, peer, types.RoleAuthority)
//	v.Receive(now, inbox)            // or Imported, Finalised, Tick
//	r := v.Ready()
//	db.Write(r.Persist)              // before anything is sent
//	...                              // r.Finalise, r.Send, r.Reports; Tick at r.Wake
//
// In a round everybody prevotes for the best chain and then precommits to the
// ghost, the highest block that two thirds of the prevotes support. Precommits of
// two thirds make a block final. What a round may have finalised, its estimate,
// binds the prevotes of the next one, which begins when nothing above the
// estimate can become final any more. Who signs two votes in one stage counts for
// every block.
//
// Waiting is a local choice, and mostly there is none: the prevote for a new
// block without a rival leaves at once, so does the precommit if the ghost is as
// high as our prevote, and a round with nothing to vote for waits for a block. So a
// block is final three messages after it was made. Only in a large set messages wait some
// milliseconds for others, so that votes are verified together. Any message may be lost: a
// round that stands still sends its votes again, and who is behind asks for the
// votes of a whole round, or learns of finality by a commit.
//
// Two things keep a voter honest over crashes: Persist, written before a vote
// leaves, and that rounds only rise. After a revert of the chain rounds go on at a
// multiple of 65,536 that no vote was signed in.
//
// Peers tell each other where they are with [Neighbor], and get only what is of
// use there: votes of their round and the ones beside it, commits of their set
// above what they know to be final. Light clients get commits only, and would
// leave us for anything else.
package grandpa
