package market

import (
	"bytes"
	"iter"
	"slices"

	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// crowdItem is what a storage item holds, in the order of its keys.
type crowdItem struct {
	key     []byte // begins all of its keys
	entries iter.Seq2[[]byte, []byte]
}

// Entries is the market's state, but for what genesis makes, in the order of its
// keys. What it yields is good until the next entry. Beside it the storage pot must
// have what Held says, and package benefits know of Merchants.
func (c *Crowd) Entries() iter.Seq2[[]byte, []byte] {
	p := c.p
	items := []crowdItem{
		crowdValue(&p.FileKeysCount, uint32(c.Orders)),
		crowdValue(&p.AgendaAt, Agenda{Block: 1}),
		crowdValue(&p.RingSpan, Span{Tail: uint64(len(c.reports))}),
		crowdMap(&p.FilesV2, func(yield func(Key, FileInfo) bool) {
			for _, i := range c.sorted(func(i int) []byte { return p.FilesV2.Key(c.Name(i)) }) {
				if !yield(c.Name(int(i)), c.file(int(i))) {
					return
				}
			}
		}),
		crowdMap(&p.Orders, func(yield func(Key, Order) bool) {
			for _, i := range c.order {
				if !yield(c.Name(int(i)), c.record(int(i))) {
					return
				}
			}
		}),
		crowdMap(&p.Contributions.Map, func(yield func(scale.Pair[Key, types.AccountID], Contribution) bool) {
			for _, i := range c.order {
				if !yield(pair(c.Name(int(i)), c.payer(int(i))), Contribution{OrderedAt: 1, Period: 1, Shares: c.price(int(i)).storage}) {
					return
				}
			}
		}),
		crowdMap(&p.OrdersOf.Map, c.ordersOf),
		crowdMap(&p.Holdings.Map, c.holdings),
		crowdMap(&p.Holders, c.holders),
		crowdMap(&p.Merchants, crowdSort(p.Merchants.Key, c.Merchants())),
		crowdMap(&p.AgendaCount, c.ends()),
		crowdMap(&p.AgendaEntries.Map, c.agenda),
	}
	items = append(items, c.waiting()...)
	slices.SortFunc(items, func(a, b crowdItem) int { return bytes.Compare(a.key, b.key) })
	return func(yield func(key, value []byte) bool) {
		for _, it := range items {
			for k, v := range it.entries {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

func crowdValue[V any](s *frame.Value[V], v V) crowdItem {
	codec := scale.CodecOf[V]()
	return crowdItem{s.Key(), func(yield func(key, value []byte) bool) { yield(s.Key(), codec.Append(nil, &v)) }}
}

// crowdMap is what a map holds; all comes in the order of the map's keys.
func crowdMap[K comparable, V any](s *frame.Map[K, V], all iter.Seq2[K, V]) crowdItem {
	codec := scale.CodecOf[V]()
	var zero K
	return crowdItem{s.Key(zero)[:32], func(yield func(key, value []byte) bool) {
		var buf []byte
		for k, v := range all {
			if buf = codec.Append(buf[:0], &v); !yield(s.Key(k), buf) {
				return
			}
		}
	}}
}

// crowdSort brings what is not much into the order of storage keys.
func crowdSort[K comparable, V any](key func(K) []byte, all iter.Seq2[K, V]) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		type entry struct {
			key []byte
			k   K
			v   V
		}
		var entries []entry
		for k, v := range all {
			entries = append(entries, entry{key(k), k, v})
		}
		slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key, b.key) })
		for _, e := range entries {
			if !yield(e.k, e.v) {
				return
			}
		}
	}
}

// inPlace visits orders as maps have them in which their names are hashed as in Orders.
func (c *Crowd) inPlace(orders iter.Seq[int]) iter.Seq[int] {
	return slices.Values(slices.SortedFunc(orders, func(a, b int) int { return int(c.place[a]) - int(c.place[b]) }))
}

// ordersOf is which orders payers have.
func (c *Crowd) ordersOf(yield func(scale.Pair[types.AccountID, Key], uint32) bool) {
	payers := func(yield func(types.AccountID, int) bool) {
		for i := 0; i < c.Orders && yield(c.payer(i), i); i += crowdBuys {
		}
	}
	for payer, first := range crowdSort(c.p.Merchants.Key, payers) { // accounts are hashed alike
		bought := func(yield func(int) bool) {
			for i := first; i < min(first+crowdBuys, c.Orders) && yield(i); i++ {
			}
		}
		for i := range c.inPlace(bought) {
			if !yield(pair(payer, c.Name(i)), 1) {
				return
			}
		}
	}
}

// byLineage is the workers that hold orders, as Holders has them.
func (c *Crowd) byLineage() iter.Seq2[Lineage, int] {
	return crowdSort(c.p.Holders.Key, func(yield func(Lineage, int) bool) {
		for w := 0; w < c.Workers && yield(c.workers[w].lineage, w); w++ {
		}
	})
}

func (c *Crowd) holdings(yield func(scale.Pair[Lineage, Key], Holding) bool) {
	for l, w := range c.byLineage() {
		for i := range c.inPlace(c.held(w)) {
			if !yield(pair(l, c.Name(i)), Holding{c.workers[w].owner, 1}) {
				return
			}
		}
	}
}

func (c *Crowd) holders(yield func(Lineage, Holder) bool) {
	for l, w := range c.byLineage() {
		h := Holder{Counter: 1}
		for i := range c.held(w) {
			h.Latest = h.Latest.plus(Files{1, c.Size(i), price.Power(c.Size(i), price.PaidReplicas)})
		}
		if h.Latest.Replicas > 0 && !yield(l, h) {
			return
		}
	}
}

// ends are the blocks in which orders end, as AgendaCount has them.
func (c *Crowd) ends() iter.Seq2[Block, uint32] {
	return crowdSort(c.p.AgendaCount.Key, func(yield func(Block, uint32) bool) {
		for n := range min(c.span, c.Orders) {
			if !yield(c.first+Block(n), uint32((c.Orders-n+c.span-1)/c.span)) {
				return
			}
		}
	})
}

// agenda is what ends in each block.
func (c *Crowd) agenda(yield func(scale.Pair[uint32, uint32], Key) bool) {
	for at, count := range c.ends() {
		entries := func(yield func(uint32, int) bool) {
			for n := range count {
				if !yield(n, int(at-c.first)+int(n)*c.span) {
					return
				}
			}
		}
		for n, i := range crowdSort(c.p.AgendaCount.Key, entries) { // numbers are hashed alike
			if !yield(pair(at, n), c.Name(i)) {
				return
			}
		}
	}
}

// waiting is the reports that wait.
func (c *Crowd) waiting() []crowdItem {
	p := c.p
	return []crowdItem{
		crowdMap(&p.Queues, crowdSort(p.Queues.Key, func(yield func(Lineage, Queue) bool) {
			for _, r := range c.reports {
				if !yield(r.worker.lineage, Queue{Tail: 1, Changes: uint32(r.Len()), InRing: true}) {
					return
				}
			}
		})),
		crowdMap(&p.QueuedReports.Map, crowdSort(p.QueuedReports.Key, func(yield func(scale.Pair[Lineage, uint32], QueuedReport) bool) {
			for _, r := range c.reports {
				if !yield(pair(r.worker.lineage, uint32(0)), QueuedReport{r.Report, 1}) {
					return
				}
			}
		})),
		crowdMap(&p.Ring, crowdSort(p.Ring.Key, func(yield func(uint64, Lineage) bool) {
			for n, r := range c.reports {
				if !yield(uint64(n), r.worker.lineage) {
					return
				}
			}
		})),
	}
}
