// Package staking is guaranteed proof of stake on the chain: who stakes what behind
// whom, who validates, what they earn, and what they lose for an offence.
//
// A stash bonds money and names a controller, which acts for it from then on. It is
// a candidate (validate), or guarantees for up to 16 candidates (guarantee), or
// neither. Behind a candidate no more stake counts than its stake limit, which
// follows from the storage that it proves; package election has the arithmetic.
//
// An era is some sessions. One session before it begins, its validators are elected:
// those with the most effective stake. When it ends its payout is computed, and
// anybody may pay out a candidate's part of it with reward_stakers, for as long as
// HistoryDepth. Candidates that were not elected share what is paid for stake as
// well; what is paid for making blocks is for those who made them.
//
// An offence chills its validator at once. What it loses is taken when
// SlashDeferDuration is over, unless Root cancels it; within one slashing span only
// the highest slash counts.
//
//	stake := &staking.Pallet{Currency: balances, Session: sess, …}
//	sess.Manager, sess.Identity = stake, stake
//	offences.Handler = stake
//
// Work that grows with the number of candidates or of guarantors is spread over
// blocks, see work.go: exposures are planned in the block of the election and
// written in those after it, before the era begins if there are enough of them;
// what a slash costs each guarantor is worked out, and later taken, some accounts in
// each block, with the outcome that it would have at once (slash.go); what is old is
// cleared a little in each block. The election itself is not spread: it reads
// all that is guaranteed in the block in which the session asks for it. Stake limits come from the pallet of the work reports, by BeginRecount, AddWorkloads and
// PublishRecount.
//
// Rules: facts gpos-runtime §1, to the last planck. It differs where that loses
// money or the chain. An election with no effective stake, or less than half of the
// active era's, is not applied: the validators go on, with the stakes of before, and
// so they do if there are too few candidates. Named stashes have a BootstrapLimit.
// Sums saturate. Slashes are cancelled by what the call names. Exposures are kept for as long as offences
// can be punished.
package staking
