// Package proof is what chain and worker have in common about proven storage:
// how leaves, units and plans hash, which leaves a slot asks for, what workers say
// and how an audit is answered. The bytes are those of docs/protocol/mpow.md.
//
// A unit is a file of leaves of 64 KiB with a Merkle root; a [Plan] lists a
// worker's units, fillers and data, and has a root that commits to them and to how
// many leaves there are of which kind. An [Index] lists the files that data units
// hold. Both, with the log of changes that the chain was or will be told, are a
// [Ledger], which moves by a [Transition]:
//
//	next := ledger.Clone()              // cheap: shares what does not change
//	err := next.Apply(&transition, ...) // O(what changes · log of what there is)
//	next.Plan.Totals()                  // what a report says
//
// What a slot asks for follows from the beacon:
//
//	seed := proof.ChallengeSeed(beacon, lineage, totals.Root, counter)
//	for _, i := range proof.Challenge(seed, totals, params.Samples) { … }
//
// and the chain checks an answer to an audit without a plan, with [VerifyAudit].
//
// The package draws nothing at random, knows no keys but public ones, and reads no
// disks: paths are made from leaf hashes that the caller keeps. Everything it
// decodes may come from a stranger and has a limit.
package proof
