// Package crash kills the real program at random instants and looks at what is
// left: the chain opens again, is what it was before, goes on, and has every
// block that a client was told of.
//
// SEED chooses the instants. CRUST_LONG=1 turns the long runs on; CRUST_BIN is
// the program, which is built if it is not set.
package crash
