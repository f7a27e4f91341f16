package market

import (
	"slices"

	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// maxListed is how many orders of an account are listed at once.
const maxListed = 1000

// Quote is what an order would cost now.
type Quote struct {
	BaseFee  Balance
	BytesFee Balance
	KeysFee  Balance
	Tips     Balance
	Total    Balance
	Staking  Balance // what of it stakers get
	Storage  Balance // what of it storage gets, tips included
	Reserved Balance // the rest
}

// OrderInfo is how an order stands.
type OrderInfo struct {
	Cid            Key
	Stage          Stage
	FileSize       uint64
	Replicas       uint32 // reported
	LiveReplicas   uint32 // proven now
	WantedReplicas uint32
	PlacedAt       Block
	PendingUntil   scale.Option[uint32] // the order ends then unless a replica is reported
	ExpiresAt      scale.Option[uint32]
	Amount         Balance // left for replicas
	Unvested       Balance // booked to replicas and not theirs yet
	Prepaid        Balance
	RemainingPaid  uint32
	Spower         uint64
	Payers         uint32
	RenewalCost    Balance // at current prices
}

// AccountOrder is an order and what an account holds of it.
type AccountOrder struct {
	Order       OrderInfo
	Since       Block                // the account's first payment
	LastOrder   scale.Option[uint32] // its latest order
	Refundable  Balance              // what cancel_order would give back now; see Cancellable
	Cancellable bool
}

// ReplicaInfo is how one replica of a file stands.
type ReplicaInfo struct {
	Owner      types.AccountID // of the group that holds it
	Member     types.AccountID // whose worker has it, and whose endpoint serves it
	Lineage    Lineage         // of the worker
	Platform   types.Hash      // machine of the worker
	ReportedAt Block
	Live       bool // proven now
	Paid       bool // a reward was booked for it
}

// MerchantInfo is what a group owner has earned and not been paid.
type MerchantInfo struct {
	Unpaid     Balance // booked: vested or not
	Claimable  Balance // vested: what reward_merchant would pay now
	PerBlock   Balance // that vests in each block now
	Collateral Balance // active in the MARKET fund
	Room       Balance // how much more can be booked before the collateral is used up
}

// APIs lists the runtime API MarketApi.
func (p *Pallet) APIs() []frame.API {
	return []frame.API{{Name: "MarketApi", Version: 1, Doc: "Answers prices and how orders stand.", Methods: []frame.Method{
		frame.Method2("quote", "What an order of a file of that many bytes costs now; none if the market takes no such file.", "size", "tips", p.Quote),
		frame.Method1("order", "How the order of a file stands; none if there is none.", "cid", p.OrderOf),
		frame.Method1("orders_by_account", "The orders that an account has paid for, at most a thousand.", "account", p.OrdersByAccount),
		frame.Method1("replicas", "Who holds a file, by the accounts of group owners; nothing if there is no order.", "cid", p.ReplicasOf),
		frame.Method1("merchant", "What a group owner has earned and not been paid.", "account", p.MerchantOf),
	}}}
}

// Quote is what an order costs now.
func (p *Pallet) Quote(e *frame.Env, size uint64, tips Balance) (scale.Option[Quote], error) {
	if size >= p.MaximumFileSize.Get() {
		return scale.Option[Quote]{}, nil
	}
	c := p.fees(e).Order(size, tips)
	s := c.Split()
	return scale.Some(Quote{c.Base, c.Bytes, c.Keys, c.Tips, c.Total(), s.Staking, s.Storage, s.Reserved}), nil
}

// OrderOf is how the order of a file stands. Text that is no CID is an error.
func (p *Pallet) OrderOf(e *frame.Env, text []byte) (scale.Option[OrderInfo], error) {
	key, err := p.parse(text)
	if err != nil {
		return scale.Option[OrderInfo]{}, err
	}
	f, ok := p.load(e, key)
	if !ok {
		return scale.Option[OrderInfo]{}, nil
	}
	return scale.Some(p.describe(e, f)), nil
}

// OrdersByAccount lists the orders that an account has paid for.
func (p *Pallet) OrdersByAccount(e *frame.Env, who types.AccountID) (out []AccountOrder, _ error) {
	for key, since := range p.OrdersOf.Prefix(e, who) {
		f, ok := p.load(e, key)
		if !ok {
			continue // the file is gone and its payers are being paid back
		}
		c := p.Contributions.Get(e, pair(key, who))
		a := AccountOrder{Order: p.describe(e, f), Since: since}
		if c.OrderedAt != 0 {
			a.LastOrder = scale.Some(c.OrderedAt)
		}
		a.Cancellable = len(f.info.Replicas) == 0 && (c.OrderedAt == 0 || now(e) >= c.OrderedAt+p.day())
		a.Refundable = p.money(e, f).take(c) // of a copy
		if out = append(out, a); len(out) == maxListed {
			break
		}
	}
	return out, nil
}

// ReplicasOf is how the replicas of a file stand. Text that is no CID is an error.
func (p *Pallet) ReplicasOf(e *frame.Env, text []byte) (out []ReplicaInfo, _ error) {
	key, err := p.parse(text)
	if err != nil {
		return nil, err
	}
	f, ok := p.load(e, key)
	if !ok {
		return nil, nil
	}
	for _, r := range f.info.Replicas {
		l := r.B.lineage()
		out = append(out, ReplicaInfo{r.A, r.B.Who, l, p.Workers.Platform(e, l), r.B.ValidAt, p.live(e, key, l),
			slices.ContainsFunc(f.order.Paid, func(s PaidSlot) bool { return s.Owner == r.A })})
	}
	return out, nil
}

// MerchantOf is what a group owner has earned and not been paid.
func (p *Pallet) MerchantOf(e *frame.Env, owner types.AccountID) (MerchantInfo, error) {
	m := p.merchant(e, owner)
	collateral, _ := p.Benefits.Collateral(e, owner)
	bound, _ := collateral.DivMod64(uint64(max(p.CollateralRatio.Get(), 1)))
	return MerchantInfo{m.Unpaid, price.Whole(m.Vested).Min(m.Unpaid), price.Whole(m.Rate), collateral, bound.SubSat(m.Unpaid)}, nil
}

func (p *Pallet) describe(e *frame.Env, f *file) OrderInfo {
	i, o := &f.info, &f.order
	m := p.money(e, f)
	d := OrderInfo{
		Cid: f.key, FileSize: i.FileSize, Replicas: i.ReportedReplicaCount, WantedReplicas: WantedReplicas, PlacedAt: o.PlacedAt,
		Amount: i.Amount, Unvested: m.unvested, Prepaid: i.Prepaid, RemainingPaid: i.RemainingPaidCount, Spower: i.Spower,
		Payers: o.Books.Payers, RenewalCost: p.fees(e).Order(i.FileSize, Balance{}).Total(),
	}
	for n := range i.Replicas {
		if p.live(e, f.key, i.Replicas[n].B.lineage()) {
			d.LiveReplicas++
		}
	}
	if o.PendingUntil != 0 {
		d.PendingUntil = scale.Some(o.PendingUntil)
	}
	if i.ExpiredAt != 0 {
		d.ExpiresAt = scale.Some(i.ExpiredAt)
	}
	switch {
	case i.ExpiredAt == 0 || d.Replicas == 0 && now(e) < i.ExpiredAt:
		d.Stage.Ordered = &scale.Unit{}
	case now(e) >= i.ExpiredAt:
		d.Stage.Expired = &scale.Unit{}
	case d.LiveReplicas == 0:
		d.Stage.Reported = &ReportedStage{d.Replicas, WantedReplicas}
	default:
		d.Stage.Live = &LiveStage{i.ExpiredAt}
	}
	return d
}
