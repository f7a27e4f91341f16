package price

// Pool is money that several payers put together and that is spent together: each
// holds shares, which are worth the same part of what is left. Who pays in
// later buys shares at what they are worth then, so that nobody pays for what was
// spent before, and nobody takes out what others paid.
type Pool struct {
	Value  Balance // what is left
	Shares Balance // sum of all shares
}

// Buy is how many shares an amount buys; ok is false if that is no number of 128
// bits. If nothing is left of a pool, a new one must begin with other shares.
func (p Pool) Buy(amount Balance) (shares Balance, ok bool) {
	if p.Shares.IsZero() || p.Value.IsZero() {
		return amount, p.Shares.IsZero()
	}
	shares, ok = amount.MulDiv(p.Shares, p.Value)
	if _, fits := p.Shares.Add(shares); !ok || !fits {
		return Balance{}, false
	}
	return shares, true
}

// Worth is what shares are worth, rounded down.
func (p Pool) Worth(shares Balance) Balance {
	if p.Shares.IsZero() {
		return Balance{}
	}
	worth, ok := p.Value.MulDiv(shares, p.Shares)
	if !ok || p.Value.Less(worth) {
		return p.Value // shares beyond the sum
	}
	return worth
}

// Take takes shares out of the pool, with what they are worth.
func (p Pool) Take(shares Balance) (rest Pool, worth Balance) {
	worth = p.Worth(shares)
	return Pool{p.Value.SubSat(worth), p.Shares.SubSat(shares)}, worth
}
