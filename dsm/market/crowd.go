package market

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Crowd is a market with many live orders, to measure how its cost grows: what calls
// leave when all orders are placed, reported, paid and evaluated in block 1, with
// ends that are spread over the time that orders last. It is written instead of
// called for; see [Crowd.Entries]. Nothing in a running chain uses it.
//
// Each order has one payer and as many replicas as are paid, all of them ready, each
// by a worker in a group of its own.
type Crowd struct {
	CrowdConfig
	p       *Pallet
	names   []byte                 // CIDs, all of crowdName bytes
	prices  [crowdSizes]crowdPrice // by size
	order   []uint32               // orders as Orders has them
	place   []uint32               // the inverse
	workers []crowdWorker          // those that hold orders, then those that report new replicas
	reports []crowdWaiting         // as their turns come
	first   Block                  // in which an order ends
	span    int                    // blocks from the first end to the last
}

// CrowdConfig says how large a [Crowd] is.
type CrowdConfig struct {
	Orders  int
	Workers int                        // that hold the orders: a multiple of price.PaidReplicas
	Waiting int                        // changes that are reported and wait, to the nearest two reports: as many new replicas, by other workers, as deleted ones
	Par     func(n int, f func(i int)) // runs parts of the work at the same time
}

// What is alike in every Crowd.
const (
	crowdName   = 46  // bytes of a CID of version 0
	crowdSizes  = 13  // sizes of files: 1 MiB, 2 MiB and so on
	crowdBuys   = 100 // orders of a payer
	crowdReport = 40  // changes of a report
	crowdPiece  = 1 << 14
)

// crowdPrice is the money of an order.
type crowdPrice struct {
	paid, storage, rest Balance // price, what of it is for storage, and what of that nobody has earned
	rewards             [price.PaidReplicas]Balance
}

// NewCrowd works out names and their order, the greater part of the work.
func (p *Pallet) NewCrowd(config CrowdConfig) *Crowd {
	duration := Block(p.FileDuration.Get())
	c := &Crowd{CrowdConfig: config, p: p, first: 1 + duration/8, names: make([]byte, config.Orders*crowdName), place: make([]uint32, config.Orders)}
	c.span = int(duration - duration/8)
	fees := price.Fees{Base: p.FileBaseFee.Default, Byte: p.FileByteFee.Default, Keys: p.FileKeysCountFee.Default}
	for i := range c.prices {
		x, cost := &c.prices[i], fees.Order(c.Size(i), Balance{})
		x.paid, x.storage = cost.Price(), cost.Split().Storage
		x.rest = x.storage
		for n := range x.rewards {
			x.rewards[n] = price.Reward(uint32(len(x.rewards)-n), x.rest)
			x.rest = x.rest.SubSat(x.rewards[n])
		}
	}
	c.each(func(i int) {
		digest := crowdHash("file", i)
		copy(c.names[i*crowdName:], dag.FromSum(dag.DagPB, digest).String())
	})
	c.order = c.sorted(func(i int) []byte { return p.Orders.Key(c.Name(i)) })
	for at, i := range c.order {
		c.place[i] = uint32(at)
	}
	c.makeReports()
	return c
}

// crowdWorker is a worker in a group of its own.
type crowdWorker struct {
	lineage  Lineage
	owner    types.AccountID
	platform types.Hash
}

// crowdWaiting is a report that waits, the only one of its worker.
type crowdWaiting struct {
	worker *crowdWorker
	Report
}

// makeReports makes reports of new replicas and of deleted ones in turns, all of
// orders at random.
func (c *Crowd) makeReports() {
	pairs := (c.Waiting + crowdReport) / (2 * crowdReport)
	for w := range c.Workers + pairs {
		x := crowdWorker{owner: types.AccountID(crowdHash("owner", w)), platform: crowdHash("platform", w)}
		copy(x.lineage[:], x.platform[:])
		c.workers = append(c.workers, x)
	}
	for n := range pairs {
		w := &c.workers[c.Workers+n]
		added := Report{Member: w.owner, Owner: w.owner, Code: crowdHash("code", 0), Counter: 1}
		for _, i := range crowdDraw("added", n, c.Orders) {
			added.Added = append(added.Added, AddedFile{c.Name(i), c.Size(i)})
		}
		c.reports = append(c.reports, crowdWaiting{w, added})
		if n >= c.Workers {
			continue // one report for each
		}
		w = &c.workers[n]
		deleted := Report{Member: w.owner, Owner: w.owner, Code: added.Code, Counter: 2}
		held := slices.Collect(c.held(n))
		for _, at := range crowdDraw("deleted", n, len(held)) {
			deleted.Deleted = append(deleted.Deleted, c.Name(held[at]))
		}
		if deleted.Len() > 0 {
			c.reports = append(c.reports, crowdWaiting{w, deleted})
		}
	}
}

// crowdDraw is so many different numbers below n, at random, as a report has changes.
func crowdDraw(what string, seed, n int) (out []int) {
	drawn := map[int]bool{}
	for try := 0; len(out) < min(n, crowdReport); try++ {
		h := crowdHash(what, seed<<32|try)
		if i := int(binary.LittleEndian.Uint64(h[:]) % uint64(n)); !drawn[i] {
			drawn[i] = true
			out = append(out, i)
		}
	}
	return out
}

// each calls f for every order.
func (c *Crowd) each(f func(i int)) {
	c.Par((c.Orders+crowdPiece-1)/crowdPiece, func(n int) {
		for i := n * crowdPiece; i < min(c.Orders, (n+1)*crowdPiece); i++ {
			f(i)
		}
	})
}

// sorted is all orders by storage keys of one map.
func (c *Crowd) sorted(key func(i int) []byte) []uint32 {
	type hashed struct {
		hash uint64
		i    uint32
	}
	all := make([]hashed, c.Orders)
	c.each(func(i int) { all[i] = hashed{binary.BigEndian.Uint64(key(i)[32:]), uint32(i)} })
	slices.SortFunc(all, func(a, b hashed) int {
		if order := cmp.Compare(a.hash, b.hash); order != 0 {
			return order
		}
		return bytes.Compare(key(int(a.i)), key(int(b.i)))
	})
	out := make([]uint32, len(all))
	for at := range all {
		out[at] = all[at].i
	}
	return out
}

func crowdHash(what string, i int) types.Hash {
	return frame.Blake2b256(binary.LittleEndian.AppendUint64([]byte("crowd "+what), uint64(i)))
}

// Name is the file of order i.
func (c *Crowd) Name(i int) Key { return Key(c.names[i*crowdName : (i+1)*crowdName]) }

// Size is its size in bytes.
func (c *Crowd) Size(i int) uint64 { return uint64(1+i%crowdSizes) << 20 }

func (c *Crowd) price(i int) *crowdPrice { return &c.prices[i%crowdSizes] }

// end is the block in which its time is over.
func (c *Crowd) end(i int) Block { return c.first + Block(i%c.span) }

func (c *Crowd) payer(i int) types.AccountID { return types.AccountID(crowdHash("payer", i/crowdBuys)) }

// family is how many sets of workers there are that hold the same orders.
func (c *Crowd) family() int { return c.Workers / price.PaidReplicas }

// holder is the worker that was the n-th to be paid for order i.
func (c *Crowd) holder(i, n int) *crowdWorker { return &c.workers[(i+n*c.family())%c.Workers] }

// held are the orders that a worker holds.
func (c *Crowd) held(worker int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := worker % c.family(); i < c.Orders && yield(i); i += c.family() {
		}
	}
}

// paid is which of the rewards for order i a worker has that holds it.
func (c *Crowd) paid(worker, i int) int {
	return (worker - i%c.Workers + c.Workers) % c.Workers / c.family()
}

// Held is what the storage pot owes for all orders.
func (c *Crowd) Held() (sum Balance) {
	for i := range c.Orders {
		sum = sum.AddSat(c.price(i).storage)
	}
	return sum
}

func (c *Crowd) file(i int) FileInfo {
	size := c.Size(i)
	f := FileInfo{FileSize: size, Spower: price.Power(size, price.PaidReplicas), ExpiredAt: c.end(i), CalculatedAt: 1, Amount: c.price(i).rest,
		ReportedReplicaCount: price.PaidReplicas, Replicas: make(Replicas, price.PaidReplicas)}
	for n := range f.Replicas {
		w := c.holder(i, n)
		f.Replicas[n] = ReplicaOf{A: w.owner, B: Replica{Who: w.owner, ValidAt: 1, Anchor: w.lineage[:], IsReported: true}}
	}
	slices.SortFunc(f.Replicas, func(a, b ReplicaOf) int { return bytes.Compare(a.A[:], b.A[:]) })
	return f
}

func (c *Crowd) record(i int) Order {
	x := c.price(i)
	o := Order{PlacedAt: 1, Seed: crowdHash("seed", i), Wake: c.end(i), FactorAt: 1, PaidPrice: x.paid, Code: crowdHash("code", 0),
		Books: Books{Payers: 1, Period: 1, Shares: x.storage}, Paid: make([]PaidSlot, price.PaidReplicas)}
	for n := range o.Paid {
		w := c.holder(i, n)
		o.Paid[n] = PaidSlot{w.owner, w.platform, price.Vest{Amount: x.rewards[n], Start: 1, End: c.end(i)}}
	}
	return o
}

// Merchants are the rewards of workers that hold orders, in no order that counts.
func (c *Crowd) Merchants() iter.Seq2[types.AccountID, Merchant] {
	return func(yield func(types.AccountID, Merchant) bool) {
		all := make([]Merchant, c.Workers)
		c.Par(c.Workers, func(w int) {
			m := &all[w]
			m.At = 1
			for i := range c.held(w) {
				v := price.Vest{Amount: c.price(i).rewards[c.paid(w, i)], Start: 1, End: c.end(i)}
				m.Unpaid, m.Rate = m.Unpaid.AddSat(v.Amount), m.Rate.AddSat(v.Rate())
			}
		})
		for w, m := range all {
			if !m.Unpaid.IsZero() && !yield(c.workers[w].owner, m) {
				return
			}
		}
	}
}

// CrowdReport is a report of a worker.
type CrowdReport struct {
	Worker Lineage
	Report Report
}

// Next are reports of the workers whose reports of new replicas wait, the ones after those, without files.
func (c *Crowd) Next() (out []CrowdReport) {
	for _, r := range c.reports {
		if len(r.Added) > 0 {
			out = append(out, CrowdReport{r.worker.lineage, Report{Member: r.Member, Owner: r.Owner, Code: r.Code, Counter: r.Counter + 1}})
		}
	}
	return out
}

// Reporters are the workers whose reports wait.
func (c *Crowd) Reporters() (out []Lineage) {
	for _, r := range c.reports {
		out = append(out, r.worker.lineage)
	}
	return out
}
