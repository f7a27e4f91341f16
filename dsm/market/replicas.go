package market

import (
	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// live reports whether a worker's replica of a file is proven now.
func (p *Pallet) live(e *frame.Env, key Key, l Lineage) bool {
	h, ok := p.Holdings.Lookup(e, pair(l, key))
	return ok && !p.Holders.Get(e, l).Leaving && p.Workers.Live(e, l, h.Counter)
}

// addReplica notes that a worker holds a file. It returns how many replicas had
// to be looked at.
func (p *Pallet) addReplica(e *frame.Env, l Lineage, q *QueuedReport, a AddedFile) int {
	f, ok := p.load(e, a.File)
	if !ok {
		return 0
	}
	r := &q.Report
	looked := len(f.info.Replicas)
	if i, ok := f.info.Replicas.find(r.Owner); ok {
		old := f.info.Replicas[i].B.lineage()
		if old == l || !p.Holders.Get(e, old).Leaving {
			return looked // one replica for each group
		}
		p.removeReplica(e, f, i)
	}
	if len(f.info.Replicas) >= MaxReplicas || !p.measured(e, f, r, a.Size) {
		p.save(e, f)
		return looked
	}
	at, i := now(e), &f.info
	i.Replicas = i.Replicas.with(r.Owner, Replica{Who: r.Member, ValidAt: q.At, Anchor: append([]byte(nil), l[:]...), IsReported: true, CreatedAt: scale.Some(q.At)})
	i.ReportedReplicaCount++
	p.Holdings.Put(e, pair(l, a.File), Holding{r.Owner, r.Counter})
	h := p.Holders.Get(e, l)
	if r.Counter > h.Counter {
		h.Proven, h.Latest, h.Counter = h.Proven.plus(h.Latest), Files{}, r.Counter
	}
	sums := &h.Proven
	if r.Counter == h.Counter {
		sums = &h.Latest
	}
	*sums = sums.plus(Files{1, i.FileSize, i.FileSize})
	p.Holders.Put(e, l, h)
	if i.ExpiredAt == 0 {
		i.CalculatedAt, i.ExpiredAt = at, at+Block(p.FileDuration.Get())
		f.order.PendingUntil = 0
	}
	p.AddedFilesCount.Put(e, addSat(p.AddedFilesCount.Get(e), 1))
	p.Emit(e, ReplicaAdded{a.File, r.Owner, r.Member})
	if p.Rules.PayWhenReported {
		p.book(e, f, r.Owner, types.Hash{})
	}
	p.tryLater(e, f)
	p.requestFactor(f, q.At+p.SpowerReadyPeriod.Get(e))
	p.factorChanged(f, at)
	p.save(e, f)
	return looked
}

// measured judges the size that an enclave measured. A file has one size: the
// first replica sets it, which may be less than what was ordered.
func (p *Pallet) measured(e *frame.Env, f *file, r *Report, size uint64) bool {
	i := &f.info
	switch {
	case len(i.Replicas) == 0 && size > i.FileSize:
		p.Emit(e, SizeRefused{f.key, i.FileSize, size})
		return false
	case len(i.Replicas) == 0:
		i.FileSize, f.order.Code = size, r.Code
	case size != i.FileSize:
		p.Emit(e, SizesDisagree{f.key, i.FileSize, size, f.order.Code, r.Code})
		p.Workers.Disagree(e, f.order.Code, r.Code)
		return false
	}
	return true
}

// deleteReplica notes that a worker holds a file no more.
func (p *Pallet) deleteReplica(e *frame.Env, l Lineage, key Key) int {
	h, ok := p.Holdings.Lookup(e, pair(l, key))
	if !ok {
		return 0
	}
	f, _ := p.load(e, key)
	i, _ := f.info.Replicas.find(h.Owner)
	looked := len(f.info.Replicas)
	p.removeReplica(e, f, i)
	p.save(e, f)
	return looked
}

// removeReplica removes a file's i-th replica; its reward goes back to the file as
// far as it has not vested.
func (p *Pallet) removeReplica(e *frame.Env, f *file, i int) {
	owner := f.info.Replicas[i].A
	p.release(e, f, i)
	f.info.Replicas = f.info.Replicas.without(i)
	f.info.ReportedReplicaCount--
	p.forfeit(e, f, owner)
	p.factorChanged(f, now(e))
	p.Emit(e, ReplicaRemoved{f.key, owner})
}

// release takes a file's i-th replica out of its worker's sums.
func (p *Pallet) release(e *frame.Env, f *file, i int) {
	r := &f.info.Replicas[i].B
	l := r.lineage()
	power := f.info.FileSize
	if r.ready() {
		power = f.info.Spower
	}
	p.changeHolder(e, l, f.key, func(s *Files) {
		s.Replicas, s.Size, s.Power = s.Replicas-1, s.Size-f.info.FileSize, s.Power-power
	})
	p.Holdings.Kill(e, pair(l, f.key))
}

// changeHolder changes the sums in which a worker's replica of a file is.
func (p *Pallet) changeHolder(e *frame.Env, l Lineage, key Key, change func(*Files)) {
	h := p.Holders.Get(e, l)
	if h.Leaving {
		return // its sums are zero
	}
	sums := &h.Proven
	if h.Latest.Replicas > 0 && p.Holdings.Get(e, pair(l, key)).Counter == h.Counter {
		sums = &h.Latest
	}
	if change(sums); h.Proven.Replicas+h.Latest.Replicas == 0 {
		p.Holders.Kill(e, l)
	} else {
		p.Holders.Put(e, l, h)
	}
}

// FilesOf is what a worker's replicas come to, of those that plans before that of
// counter commit: all that count if it is the counter of the latest plan that was
// accepted. Package swork asks for it when it counts workers that missed no slot,
// and sums up by owner.
func (p *Pallet) FilesOf(e *frame.Env, worker Lineage, counter uint64) Files {
	h := p.Holders.Get(e, worker)
	if h.Counter < counter {
		return h.Proven.plus(h.Latest)
	}
	return h.Proven
}

// requestFactor asks for a new factor at a block, at most once a day.
func (p *Pallet) requestFactor(f *file, at Block) {
	o := &f.order
	if o.FactorAt != 0 {
		at = max(at, o.FactorAt+p.day())
	}
	if o.FactorDue == 0 || at < o.FactorDue {
		o.FactorDue = max(at, 1)
	}
}

// factorChanged asks for a new factor if there is a replica that it matters to.
func (p *Pallet) factorChanged(f *file, at Block) {
	for i := range f.info.Replicas {
		if f.info.Replicas[i].B.ready() {
			p.requestFactor(f, at)
			return
		}
	}
}

// evaluate sets the power of the file's ready replicas, and makes those ready
// whose time has come.
func (p *Pallet) evaluate(e *frame.Env, f *file, at Block) {
	i, o := &f.info, &f.order
	o.FactorAt, o.FactorDue = at, 0
	ready, period := uint32(0), p.SpowerReadyPeriod.Get(e)
	matured := make([]bool, len(i.Replicas))
	next := Block(0)
	for n := range i.Replicas {
		r := &i.Replicas[n].B
		created, young := r.CreatedAt.Get()
		switch {
		case !young:
			ready++
		case uint64(created)+uint64(period) <= uint64(at) && (p.Rules.CountAll || p.live(e, f.key, r.lineage())):
			matured[n] = true
			ready++
		case next == 0 || created+period < next:
			next = created + period
		}
	}
	power := price.Power(i.FileSize, p.counting(e, f))
	if per, limited := p.BonusPerFee.Get().Get(); limited {
		paid := o.PaidPrice
		if i.ExpiredAt <= at {
			paid = Balance{}
		}
		power = price.LimitBonus(power, i.FileSize, ready, paid, per)
	}
	replicas := append(Replicas(nil), i.Replicas...)
	for n := range replicas {
		r := &replicas[n].B
		was := i.Spower
		if matured[n] {
			was, r.CreatedAt = i.FileSize, scale.Option[uint32]{}
		}
		if r.ready() && was != power {
			p.changeHolder(e, r.lineage(), f.key, func(s *Files) { s.Power = s.Power - was + power })
		}
	}
	i.Replicas, i.Spower = replicas, power
	if next != 0 { // at the earliest tomorrow: a replica whose time has come may have not been live
		p.requestFactor(f, next)
	}
}

// counting is how many replicas count in the factor: live ones, on distinct
// platforms, of owners that validate or hold collateral.
func (p *Pallet) counting(e *frame.Env, f *file) (n uint32) {
	if p.Rules.CountAll {
		return f.info.ReportedReplicaCount
	}
	platforms := map[types.Hash]bool{}
	for i := range f.info.Replicas {
		owner, l := f.info.Replicas[i].A, f.info.Replicas[i].B.lineage()
		if !p.live(e, f.key, l) || !p.qualified(e, owner) {
			continue
		}
		if platform := p.Workers.Platform(e, l); !platforms[platform] {
			platforms[platform] = true
			n++
		}
	}
	return n
}

// qualified reports whether an owner validates or holds collateral.
func (p *Pallet) qualified(e *frame.Env, owner types.AccountID) bool {
	collateral, _ := p.Benefits.Collateral(e, owner)
	return !collateral.IsZero() || p.Staking.IsValidator(e, owner)
}
