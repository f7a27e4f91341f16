// Package market is the storage market: anybody orders that a file be stored,
// storage nodes take it, and the chain pays them from what was ordered.
//
//	place_storage_order(cid, size, tips, memo)   -> money into three pots, the file waits
//	QueueReport(worker, report)                  -> replicas, from accepted file reports
//	(calendar)                                   -> rewards, readiness, factors, the end
//	calculate_reward(cid)                        -> settled, and renewed or closed
//
// A file is known by the canonical text of its CID (package cid). What clients of
// the original chain read is in FilesV2, unchanged in form; Orders has the rest.
// Prices, splits and amounts are those of package price.
//
// # Life of a file
//
// A file is pending until a replica of it is reported; if none is, it ends after
// PendingLife and its payers get back what was not spent. From the first replica
// on it is paid for FileDuration, and each further order begins that time anew.
// When the time is over anybody may settle it for a share of what is left; the
// other holders share the rest. The chain does it itself after another
// PendingLife. It is then renewed from what is prepaid, or closed, and counts no
// more.
//
// # Size
//
// What counts is the size that enclaves measure, which is a function of the CID.
// As long as no replica is reported, a larger order raises the size and a smaller
// one pays its own; the first replica sets it, unless it is larger than ordered,
// which is refused. Two sizes for one CID mean that an enclave code is broken:
// the second is refused and swork is told.
//
// # Rewards
//
// Four replicas are paid, in the amounts of the original: live ones, on distinct
// platforms, in groups at least six report slots old, those reported in the
// earliest slot first and by rank within a slot, as far as the owner's collateral
// allows. A reward vests linearly until the file's time is over. A replica that is
// removed, or not proven for 24 slots, forfeits the rest, and its slot is open
// again. What vests is kept as one rate for each owner, so that a claim costs the
// same however many files the owner holds; the clock of it is the calendar, so
// that nothing accrues beyond its end even when the calendar lags.
//
// # Payers
//
// Each payer holds shares of the file's amount (booked and unvested rewards
// included) and units of its prepaid fund, bought at what they are worth at the
// time: see price.Pool. So nobody pays for what was spent before, and nobody
// can take out what others paid. Shares of the amount that renewal makes of
// prepaid money belong to the fund. cancel_order gives a payer's part back while
// nobody holds the file.
//
// # Power
//
// A worker's power is the sum over its replicas: their size, and once they are
// SpowerReadyPeriod old the file's Spower, which is its size times a factor of the
// replicas that count. A file's power above its size is bounded by what was paid
// for the period (BonusPerFee). Package swork asks for FilesOf each worker when it
// counts, and sums up by owner. A replica counts when a plan later than that of
// its report was accepted; a worker that is retired, or leaves its group, is
// removed at once by RemoveWorker, whatever it holds.
//
// # Bounded work
//
// Nothing scans the market. Whatever is due for a file stands as one entry in the
// calendar; a worker has at most 300 changes waiting, and workers take turns; a
// bulk removal is one job. All of it together uses at most MaxWork of a block,
// and one step more.
//
// # What is needed of others
//
// Swork tells what is proven (Workers), benefits keep collateral (Benefits) and
// staking knows validators (Staking); staking in turn takes what is in the
// staking pot by WithdrawStakingPot. The rules of the original that were left
// behind can be switched on (Rules) to reproduce its recorded numbers.
package market
