// Package grandpa is the on-chain half of GRANDPA: it keeps the authorities
// that finalise blocks and announces changes of them in the headers.
//
// At the first block of a session the session pallet tells the validators'
// keys. If they are not the authorities already, the block's digest carries a
// ScheduledChange without delay: the block is the last one that the old set
// finalises, and the number of the set grows by one. It is the same block that
// begins the BABE epoch.
//
// A change is made only if the keys really differ. FRAME makes one in every
// session whose validators were elected anew, even to the same set; but each
// change is a block that everybody must prove final before going on, and light
// clients pay for it. The order of the keys means nothing to finality, so
// another order is no difference.
//
// SetIdSession says in which session a set ended to rule, which is what proofs
// of key ownership refer to; see SessionsOfSet.
//
// If finality is lost for good, Root can tell with note_stalled, and the next
// session forces a change that needs no finality. Light clients and the engine
// in substrate/grandpa do not follow forced changes and refuse such a block, so
// note_stalled fails unless ForcedChanges says that the chain's nodes do.
//
// Rules: FRAME's pallet_grandpa; facts substrate-compat §3.4 and §5.4. The
// storage prefix is the runtime's choice. There are no pauses.
package grandpa
