package market

import (
	"slices"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// calculateReward settles a file whose time is over: anybody may call it, and gets
// a part of what is left. The file is then renewed from what is prepaid, or
// closed. Before that time it only takes rewards from replicas that are dead.
func (p *Pallet) calculateReward(e *frame.Env, o frame.Origin, a CidArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	key, err := p.parse(a.Cid)
	if err != nil {
		return err
	}
	f, ok := p.load(e, key)
	if !ok {
		e.UseWeight(weights.settle.At(0))
		return nil
	}
	if f.info.ExpiredAt == 0 {
		return p.Fail(ErrNotInRewardPeriod)
	}
	e.UseWeight(weights.settle.At(len(f.info.Replicas)))
	if err := p.settle(e, f, &who, now(e)); err != nil {
		return err
	}
	p.Emit(e, CalculateSuccess{key})
	return nil
}

// settle does what calculateReward says; settler is nil if the chain does it.
func (p *Pallet) settle(e *frame.Env, f *file, settler *types.AccountID, at Block) error {
	i := &f.info
	if at < i.ExpiredAt {
		i.CalculatedAt = at
		p.dropDead(e, f)
		p.save(e, f)
		return nil
	}
	p.finish(e, f, at)
	if err := p.shareOut(e, f, settler); err != nil {
		return err
	}
	i.CalculatedAt = min(at, i.ExpiredAt)
	cost := p.fees(e).Order(i.FileSize, Balance{})
	if i.Prepaid.Less(cost.Total()) {
		return p.close(e, f)
	}
	storage, err := p.share(e, cost)
	if err != nil {
		return err
	}
	p.money(e, f).renew(cost.Total(), storage)
	i.CalculatedAt, i.ExpiredAt = at, at+Block(p.FileDuration.Get())
	f.order.PaidPrice = cost.Price()
	if len(i.Replicas) == 0 {
		i.RemainingPaidCount, f.order.Paid = p.FileReplica.Get(), nil
		p.await(e, f)
	} else {
		p.tryLater(e, f)
	}
	p.requestFactor(f, at)
	p.save(e, f)
	p.HasNewOrder.Put(e, true)
	ev := RenewFileSuccess{Cid: f.key}
	if settler != nil {
		ev.Who = *settler
	}
	p.Emit(e, ev)
	return nil
}

// shareOut shares what is left of a file's amount: a part to whoever settles, the
// rest to the holders that are live, each as much. What rounding leaves goes to the
// reserve; without holders the rest stays with the file.
func (p *Pallet) shareOut(e *frame.Env, f *file, settler *types.AccountID) error {
	i := &f.info
	ev := FileSettled{Cid: f.key}
	if settler != nil {
		ev.Settler = p.RenewRewardRatio.Get().Mul(i.Amount)
		if err := p.Currency.Transfer(e, StoragePot, *settler, ev.Settler, true); err != nil {
			return err
		}
		i.Amount = i.Amount.SubSat(ev.Settler)
	}
	if holders := p.holdersToPay(e, f); len(holders) > 0 && !i.Amount.IsZero() {
		ev.Holders = uint32(len(holders))
		each, dust := i.Amount.DivMod64(uint64(len(holders)))
		ev.Each = each
		if !each.IsZero() {
			for _, owner := range holders {
				p.credit(e, owner, each)
			}
		}
		i.Amount = Balance{}
		if err := p.reserve(e, fixed.FromUint64(dust)); err != nil {
			return err
		}
	}
	p.Emit(e, ev)
	return nil
}

// holdersToPay are the owners of live replicas, of one on each platform.
func (p *Pallet) holdersToPay(e *frame.Env, f *file) (owners []types.AccountID) {
	var platforms []types.Hash
	for i := range f.info.Replicas {
		l := f.info.Replicas[i].B.lineage()
		if !p.live(e, f.key, l) {
			continue
		}
		if platform := p.Workers.Platform(e, l); !slices.Contains(platforms, platform) {
			platforms = append(platforms, platform)
			owners = append(owners, f.info.Replicas[i].A)
		}
	}
	return owners
}

// close ends a file: what is left of its money goes to the reserve, its replicas
// count no more.
func (p *Pallet) close(e *frame.Env, f *file) error {
	if err := p.reserve(e, f.info.Amount.AddSat(f.info.Prepaid)); err != nil {
		return err
	}
	f.info.Amount, f.info.Prepaid = Balance{}, Balance{}
	for i := range f.info.Replicas {
		p.release(e, f, i)
	}
	f.info.Replicas = nil
	p.drop(e, f)
	p.dismiss(e, f)
	p.Emit(e, FileClosed{f.key})
	return nil
}

// endPending ends an order that nobody has taken up in time: what payers have not
// spent goes back to them.
func (p *Pallet) endPending(e *frame.Env, f *file) {
	p.drop(e, f)
	p.dismiss(e, f)
	p.Emit(e, PendingFileEnded{f.key})
}

// payersAtOnce is how many payers are paid back at once when a file ends; the
// rest come in the blocks that follow.
const payersAtOnce = 8

// dismiss pays the payers of a file that is gone back, or only forgets them if
// nothing is left.
func (p *Pallet) dismiss(e *frame.Env, f *file) {
	p.Leftovers.Put(e, f.key, Leftover{f.info.Amount, f.info.Prepaid, f.order.Books})
	if _, done := p.payBack(e, f.key, payersAtOnce); !done {
		p.addJob(e, Job{Payers: &f.key})
	}
}

// payBack pays up to limit payers of a file that is gone, and reports how many it
// paid and whether it is done.
func (p *Pallet) payBack(e *frame.Env, key Key, limit int) (n int, done bool) {
	l, ok := p.Leftovers.Lookup(e, key)
	if !ok {
		return 0, true
	}
	type payer struct {
		who types.AccountID
		c   Contribution
	}
	var payers []payer
	for who, c := range p.Contributions.Prefix(e, key) {
		if payers = append(payers, payer{who, c}); len(payers) == limit {
			break
		}
	}
	for _, x := range payers {
		worth := money{amount: &l.Amount, prepaid: &l.Prepaid, books: &l.Books}.take(x.c)
		p.forget(e, key, x.who)
		switch {
		case worth.IsZero():
		case p.Currency.Transfer(e, StoragePot, x.who, worth, true) == nil:
			p.Emit(e, Refunded{x.who, key, worth})
		default: // the account is gone, and too little to make a new one
			l.Prepaid = l.Prepaid.AddSat(worth)
		}
	}
	if l.Books.Payers > 0 && len(payers) > 0 {
		p.Leftovers.Put(e, key, l)
		return len(payers), false
	}
	if p.reserve(e, l.Amount.AddSat(l.Prepaid)) != nil { // somebody took money out of the pot: try again
		p.Leftovers.Put(e, key, l)
		return len(payers), false
	}
	p.Leftovers.Kill(e, key)
	return len(payers), true
}
