package market

import (
	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// placeStorageOrder orders that a file be stored, or be stored for longer. Once a
// replica is reported its measured size is what is paid; before that a larger
// order raises the size of the file, and a smaller one pays its own.
func (p *Pallet) placeStorageOrder(e *frame.Env, o frame.Origin, a PlaceStorageOrderArgs) error {
	if !p.EnableMarket.Get(e) {
		return p.Fail(ErrPlaceOrderNotAvailable)
	}
	who, err := o.Signed()
	if err != nil {
		return err
	}
	key, err := p.parse(a.Cid)
	if err != nil {
		return err
	}
	f, known := p.load(e, key)
	size := a.ReportedFileSize
	if known && len(f.info.Replicas) > 0 {
		if size < f.info.FileSize {
			return p.Fail(ErrFileSizeNotCorrect)
		}
		size = f.info.FileSize
	}
	cost := p.fees(e).Order(size, a.Tips)
	switch {
	case size >= p.MaximumFileSize.Get():
		return p.Fail(ErrFileTooLarge)
	case p.Currency.UsableBalance(e, who).Less(cost.Total()):
		return p.Fail(ErrInsufficientCurrency)
	case !known && p.Leftovers.Exists(e, key):
		return p.Fail(ErrFileClosing)
	}
	storage, err := p.pay(e, who, cost)
	if err != nil {
		return err
	}
	if !known {
		f = p.newFile(e, key, size)
	}
	p.extend(e, f, size, cost)
	shares, ok := p.money(e, f).addAmount(storage)
	if !ok {
		return frame.ErrOverflow
	}
	c := p.contribution(e, f, who)
	c.add(&f.order.Books, shares, Balance{})
	c.OrderedAt = now(e)
	p.Contributions.Put(e, pair(key, who), c)
	p.save(e, f)
	p.HasNewOrder.Put(e, true)
	p.OrdersCount.Put(e, addSat(p.OrdersCount.Get(e), 1))
	p.Emit(e, FileSuccess{who, key})
	return nil
}

// newFile is the entry of a file that nobody has ordered yet.
func (p *Pallet) newFile(e *frame.Env, key Key, size uint64) *file {
	p.FileKeysCount.Put(e, addSat(p.FileKeysCount.Get(e), 1))
	at := now(e)
	return &file{key: key, fresh: true, info: FileInfo{FileSize: size, CalculatedAt: at, RemainingPaidCount: price.PaidReplicas},
		order: Order{PlacedAt: at, SeedAt: at + 2}}
}

// extend begins the file's time again: from now on if it has replicas, else when
// the first one is reported.
func (p *Pallet) extend(e *frame.Env, f *file, size uint64, cost price.Cost) {
	at, i := now(e), &f.info
	i.FileSize = max(i.FileSize, size)
	if i.ExpiredAt == i.CalculatedAt {
		i.CalculatedAt = at
	}
	f.order.PaidPrice = carried(f.order.PaidPrice, i.ExpiredAt, at, Block(p.FileDuration.Get())).AddSat(cost.Price())
	if len(i.Replicas) == 0 {
		p.await(e, f)
		return
	}
	i.ExpiredAt = at + Block(p.FileDuration.Get())
	p.factorChanged(f, at)
}

// await makes a file wait for its first replica.
func (p *Pallet) await(e *frame.Env, f *file) {
	f.info.ExpiredAt = 0
	f.order.PendingUntil = now(e) + Block(p.PendingLife.Get())
}

// carried is what of the price of the current period is for the time to come. The
// price of an order that still waits is.
func carried(paid Balance, expiredAt, at, duration Block) Balance {
	switch {
	case expiredAt == 0:
		return paid
	case expiredAt <= at:
		return Balance{}
	}
	return paid.MulDivSat(fixed.FromUint64(uint64(min(expiredAt-at, duration))), fixed.FromUint64(uint64(duration)))
}

// contribution is what the payer holds of the file so far; a new payer is counted.
func (p *Pallet) contribution(e *frame.Env, f *file, who types.AccountID) Contribution {
	c, ok := Contribution{}, false
	if f.fresh {
		p.Contributions.Insert(e, pair(f.key, who), c) // it is about to be put, and is not to be looked for
	} else {
		c, ok = p.Contributions.Lookup(e, pair(f.key, who))
	}
	if !ok {
		f.order.Books.Payers++
		p.OrdersOf.Insert(e, pair(who, f.key), now(e))
	}
	return c
}

// forget removes what is noted of a payer.
func (p *Pallet) forget(e *frame.Env, key Key, who types.AccountID) {
	p.Contributions.Kill(e, pair(key, who))
	p.OrdersOf.Kill(e, pair(who, key))
}

// addPrepaid pays for the renewal of a file at the end of its time.
func (p *Pallet) addPrepaid(e *frame.Env, o frame.Origin, a AddPrepaidArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	key, err := p.parse(a.Cid)
	if err != nil {
		return err
	}
	if p.Currency.UsableBalance(e, who).Less(a.Amount) {
		return p.Fail(ErrInsufficientCurrency)
	}
	f, ok := p.load(e, key)
	if !ok {
		return p.Fail(ErrFileNotExist)
	}
	if err := p.Currency.Transfer(e, who, StoragePot, a.Amount, false); err != nil {
		return err
	}
	units, ok := p.money(e, f).addPrepaid(a.Amount)
	if !ok {
		return frame.ErrOverflow
	}
	c := p.contribution(e, f, who)
	c.add(&f.order.Books, Balance{}, units)
	p.Contributions.Put(e, pair(key, who), c)
	p.save(e, f)
	p.Emit(e, AddPrepaidSuccess{who, key, a.Amount})
	return nil
}

// cancelOrder gives the caller back what is unspent of what it paid for storage,
// tips and prepaid, while nobody holds the file. The shares of stakers and of the
// reserve are not given back.
func (p *Pallet) cancelOrder(e *frame.Env, o frame.Origin, a CidArgs) error {
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
		return p.Fail(ErrFileNotExist)
	}
	c, ok := p.Contributions.Lookup(e, pair(key, who))
	switch {
	case !ok:
		return p.Fail(ErrNoContribution)
	case len(f.info.Replicas) > 0:
		return p.Fail(ErrReplicaReported)
	case c.OrderedAt != 0 && now(e) < c.OrderedAt+p.day():
		return p.Fail(ErrCancelTooEarly)
	}
	worth := p.money(e, f).take(c)
	if err := p.Currency.Transfer(e, StoragePot, who, worth, true); err != nil {
		return err
	}
	p.forget(e, key, who)
	p.Emit(e, OrderCancelled{who, key, worth})
	if f.order.Books.Payers > 0 {
		p.save(e, f)
		return nil
	}
	rest := f.info.Amount.AddSat(f.info.Prepaid) // what rounding left
	p.drop(e, f)
	p.Emit(e, FileClosed{key})
	return p.reserve(e, rest)
}
