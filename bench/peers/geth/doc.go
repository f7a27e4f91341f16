// Command geth measures go-ethereum as a library:
//
//	geth import -accounts 20000 -blocks 50 -txs 1000   # a turn inserts the blocks into a new chain
//	geth state -keys 1000000 -blocks 60                # a turn makes 60 blocks of 1,000 updates
//
// See package turns for how it is spoken to.
package main
