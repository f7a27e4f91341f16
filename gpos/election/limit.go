package election

import "github.com/crustgo/crust/substrate/fixed"

// Balance is an amount in plancks.
type Balance = fixed.U128

// limitBuckets is how many rows LimitRatio's table has, one for each tenth of a percent.
const limitBuckets = 330

// LimitRatio is the total stake limit as a multiple of the issuance, if effective
// is the share of the issuance that is staked effectively: a whole number and a rest.
//
// Row b of the table, for shares from b/1000 on, is 0.33/((b+1)/1000 − 0.0005) − 0.65,
// which is (13200 − 13d)/20d with d = 2b+1. From a share of 33 % on it is 35 %.
func LimitRatio(effective fixed.Permill) (whole uint64, rest fixed.Perbill) {
	const perRow = 1_000_000 / 1000
	b := uint64(effective) / perRow
	if b >= limitBuckets {
		return 0, 350_000_000
	}
	d := 2*b + 1
	num, den := 13_200-13*d, 20*d
	parts := num % den * 1_000_000_000 / den
	switch b {
	case 1, 2, 27, 62, 187: // the original computed in binary fractions and cut these a digit short
		parts--
	}
	return num / den, fixed.PerbillFromParts(uint32(parts))
}

// Limits are the terms by which workloads become stake limits at one moment.
type Limits struct {
	Effective fixed.Permill // share of the issuance that is staked effectively
	Issuance  Balance       // of the currency
	Total     Balance       // stake limit of all workloads together
	Workload  Balance       // all workloads together, in bytes
	PerByte   Balance       // what a byte is worth in stage one
}

// NewLimits returns the terms for all workloads together, in bytes, when effective
// of the issuance is staked effectively and a byte is worth perByte in stage one.
func NewLimits(effective, issuance, workload, perByte Balance) Limits {
	share := fixed.PermillFromRational(effective, issuance)
	whole, rest := LimitRatio(share)
	total := issuance.MulSat(fixed.FromUint64(whole)).AddSat(rest.Mul(issuance))
	return Limits{share, issuance, total, workload, perByte}
}

// Stage is 1 while all workloads together are worth less than the total limit, and else 2.
func (l *Limits) Stage() uint8 {
	if l.Workload.MulSat(l.PerByte).Less(l.Total) {
		return 1
	}
	return 2
}

// Of is the stake limit of a workload in bytes.
func (l *Limits) Of(workload Balance) Balance {
	if l.Stage() == 1 {
		return workload.MulSat(l.PerByte)
	}
	const kib = 10 // shares are taken of whole kibibytes
	all := l.Workload.Rsh(kib)
	if all.IsZero() {
		return Balance{}
	}
	return workload.Rsh(kib).MulDivSat(l.Total, all)
}
