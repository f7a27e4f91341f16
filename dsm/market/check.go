package market

import (
	"errors"
	"fmt"
	"maps"

	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// sums is what Check adds up from single entries, to compare with what is kept
// as sums.
type sums struct {
	held    Balance // that the storage pot must have
	files   uint32
	holders map[Lineage]Holder
	vesting map[types.AccountID]vesting
}

// vesting sums up an owner's rewards that are not vested in full.
type vesting struct{ rate, unvested price.Fine }

// Check verifies what must hold between blocks: the storage pot has what files,
// payers and merchants are owed; what is kept as sums is the sum of its parts;
// whatever is due is in the calendar.
func (p *Pallet) Check(e *frame.Env) error {
	s := &sums{holders: map[Lineage]Holder{}, vesting: map[types.AccountID]vesting{}}
	return errors.Join(p.checkFiles(e, s), p.checkPayers(e), p.checkHolders(e, s), p.checkMerchants(e, s), p.checkQueues(e), p.checkPots(e, s))
}

func (p *Pallet) checkFiles(e *frame.Env, s *sums) error {
	var errs []error
	for key, info := range p.FilesV2.All(e) {
		f := &file{key: key, info: info, order: p.Orders.Get(e, key)}
		s.files++
		s.held = s.held.AddSat(info.Amount).AddSat(info.Prepaid)
		if err := p.checkFile(e, f, s); err != nil {
			errs = append(errs, fmt.Errorf("file %s: %w", key, err))
		}
	}
	for key, l := range p.Leftovers.All(e) {
		s.held = s.held.AddSat(l.Amount).AddSat(l.Prepaid)
		if p.FilesV2.Exists(e, key) {
			errs = append(errs, fmt.Errorf("file %s is there and gone", key))
		}
	}
	if n := p.FileKeysCount.Get(e); n != s.files {
		errs = append(errs, fmt.Errorf("%d files, counted as %d", s.files, n))
	}
	return errors.Join(errs...)
}

func (p *Pallet) checkFile(e *frame.Env, f *file, s *sums) error {
	i, o := &f.info, &f.order
	if n := len(i.Replicas); int(i.ReportedReplicaCount) != n || n > MaxReplicas {
		return fmt.Errorf("%d replicas, counted as %d", n, i.ReportedReplicaCount)
	}
	if due := f.due(p.clock(e), p.grace()); due == 0 || o.Wake == 0 || o.Wake > due {
		return fmt.Errorf("due at %d, woken at %d", due, o.Wake)
	}
	if pending := o.PendingUntil != 0; pending != (i.ExpiredAt == 0) || pending && len(i.Replicas) > 0 {
		return fmt.Errorf("pending until %d, expires at %d, %d replicas", o.PendingUntil, i.ExpiredAt, len(i.Replicas))
	}
	if !p.Rules.KeepOnRemoval && int(i.RemainingPaidCount)+len(o.Paid) != price.PaidReplicas {
		return fmt.Errorf("%d replicas are paid and %d will be", len(o.Paid), i.RemainingPaidCount)
	}
	for _, v := range o.Paid {
		if v.vesting() {
			sum := s.vesting[v.Owner]
			rest := price.FineOf(v.Vest.Amount).SubSat(v.Vest.Accrued(p.clock(e)))
			s.vesting[v.Owner] = vesting{sum.rate.AddSat(v.Vest.Rate()), sum.unvested.AddSat(rest)}
		}
	}
	for n := range i.Replicas {
		owner, r := i.Replicas[n].A, &i.Replicas[n].B
		if at, ok := i.Replicas.find(owner); !ok || at != n {
			return fmt.Errorf("replicas are not in order at %v", owner)
		}
		h, ok := p.Holdings.Lookup(e, pair(r.lineage(), f.key))
		if !ok || h.Owner != owner {
			return fmt.Errorf("the worker of %v does not hold it", owner)
		}
		part := Files{1, i.FileSize, i.FileSize}
		if r.ready() {
			part.Power = i.Spower
		}
		sum := s.holders[r.lineage()]
		if h.Counter == p.Holders.Get(e, r.lineage()).Counter {
			sum.Latest = sum.Latest.plus(part)
		} else {
			sum.Proven = sum.Proven.plus(part)
		}
		s.holders[r.lineage()] = sum
	}
	return nil
}

// checkPayers compares each file's books with its contributions.
func (p *Pallet) checkPayers(e *frame.Env) error {
	found := map[Key]Books{}
	books := map[Key]Books{}
	for key, o := range p.Orders.All(e) {
		books[key] = o.Books
	}
	for key, l := range p.Leftovers.All(e) {
		books[key] = l.Books
	}
	for k, c := range p.Contributions.All(e) {
		b := found[k.A]
		b.Payers++
		if c.Period == books[k.A].Period {
			b.Shares = b.Shares.AddSat(c.Shares)
		}
		if c.Fund == books[k.A].Fund {
			b.Units = b.Units.AddSat(c.Units)
		}
		found[k.A] = b
		if !p.OrdersOf.Exists(e, pair(k.B, k.A)) {
			return fmt.Errorf("file %s: it is not among the orders of %v", k.A, k.B)
		}
	}
	if len(found) > len(books) {
		return fmt.Errorf("contributions to %d files, of which there are %d", len(found), len(books))
	}
	for key, b := range p.Orders.All(e) {
		if f, b := found[key], b.Books; f.Payers != b.Payers || f.Shares.AddSat(b.FundShares) != b.Shares || f.Units != b.Units {
			return fmt.Errorf("file %s: books say %+v, contributions come to %+v", key, b, f)
		}
	}
	return nil
}

func (p *Pallet) checkHolders(e *frame.Env, s *sums) error {
	n := 0
	for l, h := range p.Holders.All(e) {
		sum := s.holders[l]
		sum.Counter = h.Counter
		if h.Leaving {
			sum = Holder{Leaving: true}
		}
		if n++; h != sum {
			return fmt.Errorf("worker %x: kept as %+v, comes to %+v", l, h, sum)
		}
	}
	if n < len(s.holders) {
		return fmt.Errorf("%d of %d workers are known", n, len(s.holders))
	}
	return nil
}

func (p *Pallet) checkMerchants(e *frame.Env, s *sums) error {
	left := maps.Clone(s.vesting)
	for owner := range p.Merchants.All(e) {
		m, v := p.merchant(e, owner), s.vesting[owner]
		s.held = s.held.AddSat(m.Unpaid)
		delete(left, owner)
		if m.Rate != v.rate || price.FineOf(m.Unpaid) != m.Vested.AddSat(v.unvested) {
			return fmt.Errorf("merchant %v: kept as %+v, comes to %+v", owner, m, v)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("rewards of %d owners vest to nobody", len(left))
	}
	return nil
}

func (p *Pallet) checkQueues(e *frame.Env) error {
	inRing := uint64(0)
	for l, q := range p.Queues.All(e) {
		n := -int(q.Next)
		for i := q.Head; i != q.Tail; i++ {
			r := p.QueuedReports.Get(e, pair(l, i))
			n += r.Report.Len()
		}
		if n != int(q.Changes) || n > MaxQueued {
			return fmt.Errorf("worker %x: %d changes wait, counted as %d", l, n, q.Changes)
		}
		if q.InRing {
			inRing++
		}
		if n > 0 && !q.InRing {
			return fmt.Errorf("worker %x: its turn never comes", l)
		}
	}
	if n := p.RingSpan.Get(e).len(); n != inRing {
		return fmt.Errorf("%d turns for %d workers", n, inRing)
	}
	return nil
}

// checkPots verifies that the pots have what they must. They may have more: anybody
// can send money to them.
func (p *Pallet) checkPots(e *frame.Env, s *sums) error {
	least := p.Currency.MinimumBalance()
	if has, want := p.Currency.FreeBalance(e, StoragePot), least.AddSat(s.held); has.Less(want) && !s.held.IsZero() {
		return fmt.Errorf("the storage pot has %v and owes %v", has, want)
	}
	return nil
}

// Owed is what the storage pot must have beside the existential deposit: the
// amounts and prepaid money of files, and all rewards that are not paid out.
func (p *Pallet) Owed(e *frame.Env) (sum Balance) {
	for _, f := range p.FilesV2.All(e) {
		sum = sum.AddSat(f.Amount).AddSat(f.Prepaid)
	}
	for _, l := range p.Leftovers.All(e) {
		sum = sum.AddSat(l.Amount).AddSat(l.Prepaid)
	}
	for _, m := range p.Merchants.All(e) {
		sum = sum.AddSat(m.Unpaid)
	}
	return sum
}
