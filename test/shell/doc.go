// Package shell tests what owns the state of a node (chain, transaction pool,
// author, voter) with the real runtime, in memory and by a clock that only the
// tests move.
package shell
