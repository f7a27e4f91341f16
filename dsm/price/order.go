package price

import "github.com/crustgo/crust/substrate/fixed"

// Balance is an amount in plancks.
type Balance = fixed.U128

// MiB is the unit in which bytes are priced: each started one counts.
const MiB = 1 << 20

// The parts of an order's value; what is left goes to the reserve.
var (
	StakingRatio = fixed.PerbillFromParts(720_000_000)
	StorageRatio = fixed.PerbillFromParts(180_000_000)
)

// Fees are the market's prices: of an order, of a started MiB, and of an entry.
type Fees struct{ Base, Byte, Keys Balance }

// Cost is what an order costs, in its parts.
type Cost struct {
	Base  Balance // all of it goes to the reserve
	Bytes Balance
	Keys  Balance
	Tips  Balance // all of it goes to the storage pot
}

// Order is the cost of an order of a file.
func (f Fees) Order(sizeBytes uint64, tips Balance) Cost {
	started := sizeBytes / MiB
	if sizeBytes%MiB != 0 {
		started++
	}
	return Cost{Base: f.Base, Bytes: f.Byte.MulSat(fixed.FromUint64(started)), Keys: f.Keys, Tips: tips}
}

// Value is what is shared between stakers and storage.
func (c Cost) Value() Balance { return c.Bytes.AddSat(c.Keys) }

// Price is the cost without tips.
func (c Cost) Price() Balance { return c.Value().AddSat(c.Base) }

// Total is all that is paid.
func (c Cost) Total() Balance { return c.Price().AddSat(c.Tips) }

// Parts is where the money of an order goes.
type Parts struct{ Staking, Storage, Reserved Balance }

// Split divides a cost; the parts add up to its total.
func (c Cost) Split() Parts {
	value := c.Value()
	p := Parts{Staking: StakingRatio.Mul(value), Storage: StorageRatio.Mul(value)}
	p.Reserved = c.Price().SubSat(p.Staking).SubSat(p.Storage)
	p.Storage = p.Storage.AddSat(c.Tips)
	return p
}
