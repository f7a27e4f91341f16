// Package authorship knows the account that authored the block being executed:
// the one that fees and rewards for the block go to.
//
// The header names the author by a position among the validators of the
// session, in the claim of the consensus engine. The pallet looks the account
// up once a block, tells it to its Handlers, and forgets it at the block's end.
//
//	a := &authorship.Pallet{Claims: babe, Session: sess, Handlers: []authorship.Handler{staking, imonline}}
//	who, ok := a.BlockAuthor(e)
//
// Rules: FRAME's pallet_authorship without uncles. That the author holds the
// key of the claim is checked on the header, before execution.
package authorship
