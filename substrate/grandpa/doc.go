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
// The package does not run rounds, choose what to vote for or gossip.
package grandpa
