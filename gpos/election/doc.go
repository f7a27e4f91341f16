// Package election is the arithmetic of guaranteed proof of stake: how much
// stake a workload guarantees, what of a candidate's stake is effective, who is
// elected, and what an era pays. It holds no state: values in, values out.
//
// A candidate may be backed by at most its stake limit, which grows with the
// storage that it proves. In stage one a byte is worth a fixed number of plancks.
// In stage two, when all workloads together would allow more than the chain
// wants staked, each takes its share of the total limit; NewLimits says which
// stage it is. The total limit follows from how much of the issuance is staked
// effectively, by the table of LimitRatio: it steers that share to a third.
//
// What is staked beyond the limit is not refused but scaled: Scale cuts every
// stake, the candidate's own and its guarantors', by one ratio. The sum of what
// is left, the total of the Exposure, is the candidate's effective stake, and
// those with the most of it are elected.
//
//	limits := election.NewLimits(effective, issuance, workload, perByte)
//	x := election.Scale(limits.Of(own), stake, guarantees)
//	validators := election.Elect(candidates, seats)
//
// EraReward, AuthoringShare, Instalment and Divide are what an era pays, to whom.
//
// Every rounding is part of the contract (facts gpos-runtime §0.1, §1.8 to 1.12),
// and all figures are those of the original chain to the last planck. Where its
// sums could wrap, these saturate.
package election
