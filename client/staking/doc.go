// Package staking reads, in Go's types, what people who stake on a Crust chain want
// to know: bonds, guarantees, who is elected next, stake limits and where they come
// from, rewards that are not paid yet, and how long an era is.
//
//	s, err := staking.Open(ctx, c)          // at the best block
//	b, ok, err := s.BondOf(ctx, account)    // of a stash or its controller
//	x, err := s.Limit(ctx, b.Stash)         // explains the stake limit
//	r, err := s.Pending(ctx, b.Stash)       // rewards that can still be paid
//	tx := staking.Payout(r.Rewards)         // a call that pays them
//	fmt.Println(s.Until(12))                // time until era 12 begins, about
//
// A State is of one block: all that is asked of it belongs together. Values are
// found by their names in metadata, so that a runtime that adds fields is still
// understood; one without pallet Staking is an error.
//
// What it does not do: it signs and sends nothing (package client does), and it
// computes no rewards or limits itself: the runtime's StakingApi is asked.
package staking
