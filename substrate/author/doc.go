// Package author produces blocks: at the start of every slot it asks whether one
// of the node's BABE keys may claim it, builds a block on the best one from the
// transaction pool, seals it, and gives it to the chain.
//
//	a := author.New(manager, pool, keys, author.Config{Now: clock})
//	err := a.Run(ctx)
//
// A block is filled until it is full by weight or length, or until two thirds of
// the slot have passed, whichever comes first. What does not fit stays in the
// pool. The rules of claims are package babe's, those of blocks the runtime's.
package author
