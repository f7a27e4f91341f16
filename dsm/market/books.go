package market

import "github.com/crustgo/crust/dsm/price"

// money is what payers of a file have shares in: its amount, with what is booked
// and not vested yet, and its prepaid fund.
type money struct {
	amount, prepaid *Balance
	unvested        Balance // returns to the amount if it is forfeited
	books           *Books
}

// pool is the amount as its shareholders see it.
func (m money) pool() price.Pool {
	return price.Pool{Value: m.amount.AddSat(m.unvested), Shares: m.books.Shares}
}

// fund is the prepaid money, with what the fund holds of the amount.
func (m money) fund() price.Pool {
	return price.Pool{Value: m.prepaid.AddSat(m.pool().Worth(m.books.FundShares)), Shares: m.books.Units}
}

// addAmount adds to the amount and returns the shares for it; ok is false if they
// are no number of 128 bits.
func (m money) addAmount(n Balance) (shares Balance, ok bool) {
	if m.pool().Value.IsZero() {
		m.nextPeriod()
	}
	if shares, ok = m.pool().Buy(n); ok {
		m.books.Shares = m.books.Shares.AddSat(shares)
		*m.amount = m.amount.AddSat(n)
	}
	return shares, ok
}

// addPrepaid adds to the fund and returns the units for it.
func (m money) addPrepaid(n Balance) (units Balance, ok bool) {
	if m.fund().Value.IsZero() {
		b := m.books
		b.Shares, b.FundShares = b.Shares.SubSat(b.FundShares), Balance{}
		b.Fund, b.Units = b.Fund+1, Balance{}
	}
	if units, ok = m.fund().Buy(n); ok {
		m.books.Units = m.books.Units.AddSat(units)
		*m.prepaid = m.prepaid.AddSat(n)
	}
	return units, ok
}

// renew turns part of the fund's prepaid money into amount: cost is taken, which
// must be there, and share of it is the amount's. Should earlier shares be worth
// so little that new ones are no number of 128 bits, they are worth nothing.
func (m money) renew(cost, share Balance) {
	*m.prepaid = m.prepaid.SubSat(cost)
	shares, ok := m.addAmount(share)
	if !ok {
		m.nextPeriod()
		shares, _ = m.addAmount(share)
	}
	m.books.FundShares = m.books.FundShares.AddSat(shares)
}

// nextPeriod forgets all shares of the amount, of which nothing is left.
func (m money) nextPeriod() {
	m.books.Period++
	m.books.Shares, m.books.FundShares = Balance{}, Balance{}
}

// take takes a contribution out and returns what it is worth.
func (m money) take(c Contribution) (worth Balance) {
	b := m.books
	var shares Balance
	if c.Period == b.Period {
		shares = c.Shares
	}
	if c.Fund == b.Fund && !c.Units.IsZero() && !b.Units.IsZero() {
		held := price.Pool{Value: b.FundShares, Shares: b.Units}.Worth(c.Units)
		b.FundShares = b.FundShares.SubSat(held)
		shares = shares.AddSat(held)
		rest, cash := price.Pool{Value: *m.prepaid, Shares: b.Units}.Take(c.Units)
		*m.prepaid, b.Units, worth = rest.Value, rest.Shares, cash
	}
	rest, part := m.pool().Take(shares)
	part = part.Min(*m.amount)
	*m.amount, b.Shares = m.amount.SubSat(part), rest.Shares
	b.Payers--
	return worth.AddSat(part)
}

// add notes shares and units of a payer; those of another period or fund are gone.
func (c *Contribution) add(b *Books, shares, units Balance) {
	if c.Period != b.Period {
		c.Period, c.Shares = b.Period, Balance{}
	}
	if c.Fund != b.Fund {
		c.Fund, c.Units = b.Fund, Balance{}
	}
	c.Shares, c.Units = c.Shares.AddSat(shares), c.Units.AddSat(units)
}
