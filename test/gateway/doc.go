// Package gateway runs the real gateway beside a real chain: what a user uploads is
// ordered on chain, comes back over HTTP and over Bitswap, and survives kill -9.
//
// CRUST_BIN is the program, which is built if it is not set.
package gateway
