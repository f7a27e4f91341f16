// Package swork is the pallet of the work reports, the hub of meaningful proof of
// work: it takes what storage workers prove and tells staking and market what
// counts. The runtime has it as Swork, with index 25. The bytes are those of
// docs/protocol/mpow.md and the checks of proofs those of package proof; what is
// attested, sold and staked is for the pallets behind [Attest], [Market] and [Limits].
//
// # A slot
//
// Slots are ReportSlot blocks long; s is the first, and names it.
//
//	s … s+3            the beacon is gathered, and known in the state after s+3
//	s+4 … s+D          heartbeats: unsigned, free of charge, one for each worker
//	s+D+1              the window is closed: is the slot void?
//	… s+AuditWindow    answers to audits; after it, who did not answer counts no more
//	after it           declared losses may change plans
//	s+ReportSlot−U …   the recount, over slot s: workers in batches, then owners
//
// A heartbeat challenges the plan that the chain has and brings the next one. Its
// worker keeps, in Run, how many filler leaves stood each of the latest
// PunishmentSlots challenges without a miss between: free space is the least of
// them, and no more than is in the plan now. A missed slot empties Run. Units that
// a heartbeat names as bad have not stood it; that they are filler is presumed, for a
// report does not say. Files count while no slot of the window was missed, by what
// the market says of plans that stood a challenge. Misses are noted by the recount, which
// visits all workers anyhow, so nothing else has to walk over them; the suspended
// are passed over, and after 24 misses a worker is retired.
//
// A slot in which heartbeats carry less than two thirds of what the last one did
// is void, which is to say that it did not happen: no misses, no recount, audits are put
// off. Heartbeats of it stand, for what they challenged was there. At most 8 of 144
// slots are void.
//
// An audit that falls due in a slot that its worker misses is due in the next one
// that it reports in. Otherwise a worker that knows its draw, from block s+3 on,
// would pay with one missed slot for an audit that it cannot answer.
//
// # Who counts for whom
//
// A group's owner has its members' workloads. Changes are in force from the next
// slot on; Members keeps the owner before, so that the recount of a slot is of the
// groups that its first block found, in whatever order it visits. Replicas stay with
// the owner under whom they were reported: whoever moves has them removed, and may
// report the files again.
//
// # Speed
//
// For 100,000 workers and the constants of a real network, on one core of 2025 (the
// benchmarks of this package; a state in memory):
//
//   - A heartbeat takes 53 µs with its signature: 19,000 a second. It reads and writes two
//     values of its own, beside what attestation reads of its key. 100,000 in 47 blocks are
//     2,128 a block: 125 ms from bytes to changes, 640 KB, 299 ms of weight. The class Operational has 500 ms
//     and 1.25 MiB of each block to itself, so blocks full of transfers take no place.
//   - One worker in R = 100 is audited: 1,000 answers of 8 to 12 KB, 25 µs each, over up to
//     96 blocks.
//   - A recount visits max(500, n/98) workers a block, 1,021: 11 ms, 11 µs each. Then it
//     hands over up to 4,084 owners a block.
//   - 300 changes of files take 0.4 ms here; the market works them off later.
//
// No hook walks over workers but for the batches of the recount and, 128 a block,
// the audits that were not answered. What is kept for ever is a lineage's 48 bytes.
//
// # What it does not do
//
// It verifies no quotes, keeps no replicas and knows no money. It does not see
// whether bytes are served, or lie where their worker says.
package swork
