// Package timestamp puts the time into every block: its author's clock, which
// the other nodes check against their own.
//
// The call set is an inherent. Each block has exactly one; its time must be at
// least MinimumPeriod after the block before, and nodes refuse a block whose time
// is more than 30 seconds ahead of their clock. Consensus checks by a hook that
// the time fits the block's slot.
//
//	now := ts.Get(e) // milliseconds since 1970, UTC
//
// Rules: FRAME's pallet_timestamp. It does not read a clock: the author passes
// the time in as inherent data "timstap0".
package timestamp
