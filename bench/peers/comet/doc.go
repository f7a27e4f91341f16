// Command comet measures how fast blocks of a CometBFT network become final:
//
//	comet -validators 4 -rate 500 -seconds 20   # a turn runs a new network for that time
//
// The validators are in one process, connected over loopback, and wait for nothing
// after a block is committed. See package turns for how it is spoken to.
package main
