// Package timestamp gives the chain a clock: every block carries the time at
// which its author made it, as an inherent. Times rise by at least MinimumPeriod
// from block to block, and nodes refuse blocks whose time is more than 30 seconds
// ahead of their own clock. Who needs the time of a block is told by a hook; BABE
// is, and checks that the time lies in the block's slot.
//
// Rules: FRAME's pallet_timestamp.
package timestamp
