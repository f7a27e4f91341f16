// Package light follows a chain by its headers, without a node: what an enclave
// or a verifier of proofs needs to know which state is final, and what is in it.
//
// A [Client] starts from a [Checkpoint] that it trusts, genesis or a later block,
// and is told by its user, who need not be trusted, what happened since:
//
//	c, err := light.New(light.Genesis(header, babeConfig, authorities))
//	done, err := c.Warp(proof, nil)                  // jump over many sets of voters
//	err = c.Epochs(runtime, nodes)                   // after a jump, to check headers again
//	hash, err := c.Header(&header, latestSlot)       // BABE: a block above the final one
//	target, err := c.Justification(bytes, nil)       // GRANDPA: it is final
//	value, ok, err := c.Read(hash, nodes, key)       // what a key maps to after the block
//
// Who only reads final state needs no headers and no epochs: checkpoint, warp
// proof and read proof are a bundle that can be checked offline, in any order of
// time, and [Client.Warp] and [Client.Read] are all it takes.
//
// Every rule is applied by the package that owns it: babe checks headers, grandpa
// votes and sets, blocktree chooses the best fork, trie checks reads. Here is only
// what ties them: a block that changes the set of voters is the last one of its
// set and has to be finalised before those above it; epochs belong to headers; and
// after a warp, which skips headers, they are read from proven state, by whatever
// runtime the user has, on a [View] of nothing but the proof.
//
// Memory is bounded by MaxHeaders and MaxHeaderBytes, and by the size of a proof
// that is being checked; an author who fills it with forks delays headers, not
// finality, because a warp proof needs none of them. A call that fails changes
// nothing. [Client.AppendSCALE] writes the state down; [Decode] goes on from there.
//
// The package does not execute blocks: it takes the word of two thirds of the
// voters for the state. It opens no connections and reads no clock.
//
// Rules: facts substrate-compat §3 to §5 and §8.3.
package light
