package market

import (
	"errors"
	"math"

	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/frame"
)

// file is a file while something is done with it; save writes it back.
type file struct {
	key   Key
	info  FileInfo
	order Order
	fresh bool // nothing is stored of it yet
}

// load reads a file; ok is false if there is none.
func (p *Pallet) load(e *frame.Env, key Key) (f *file, ok bool) {
	info, ok := p.FilesV2.Lookup(e, key)
	if !ok {
		return nil, false
	}
	return &file{key: key, info: info, order: p.Orders.Get(e, key)}, true
}

// save writes a file and sees to it that the calendar comes back to it in time.
func (p *Pallet) save(e *frame.Env, f *file) {
	if due := f.due(p.clock(e), p.grace()); due != 0 && (f.order.Wake == 0 || due < f.order.Wake) {
		f.order.Wake = due
		p.schedule(e, due, f.key)
	}
	p.FilesV2.Put(e, f.key, f.info)
	if f.fresh {
		p.Orders.Insert(e, f.key, f.order)
		f.fresh = false
	} else {
		p.Orders.Put(e, f.key, f.order)
	}
}

// drop removes the entry of a file that nobody holds. Rewards that still vest,
// which by our own rules there are none of, are vested at once.
func (p *Pallet) drop(e *frame.Env, f *file) {
	p.finish(e, f, math.MaxUint32)
	p.FilesV2.Kill(e, f.key)
	p.Orders.Kill(e, f.key)
	p.FileKeysCount.Put(e, p.FileKeysCount.Get(e)-1)
}

// grace is how long after its end a file waits for somebody to settle it before
// the chain does.
func (p *Pallet) grace() Block { return Block(p.PendingLife.Get()) }

// due is the next block of the calendar in which something must be done with the file. What is
// behind the calendar's clock is late, but not what this block is beyond and the calendar is not:
// a reward ends there, however much the calendar lags.
func (f *file) due(clock, grace Block) (next Block) {
	earliest := func(b Block) {
		if b != 0 && (next == 0 || b < next) {
			next = b
		}
	}
	o := &f.order
	for _, b := range []Block{o.SeedAt, o.PendingUntil, o.PayDue, o.FactorDue} {
		earliest(b)
	}
	for i := range o.Paid {
		earliest(o.Paid[i].Vest.End)
	}
	if end := f.info.ExpiredAt; end > clock {
		earliest(end)
	} else if end != 0 {
		earliest(end + grace)
	}
	if next != 0 {
		next = max(next, clock+1)
	}
	return next
}

// money is what payers have shares in.
func (p *Pallet) money(e *frame.Env, f *file) money {
	m := money{amount: &f.info.Amount, prepaid: &f.info.Prepaid, books: &f.order.Books}
	at := p.clock(e)
	for i := range f.order.Paid {
		if s := &f.order.Paid[i]; s.vesting() {
			m.unvested = m.unvested.AddSat(s.Vest.Unvested(at))
		}
	}
	return m
}

// parse reads the text of a CID as callers give it.
func (p *Pallet) parse(text []byte) (Key, error) {
	c, err := dag.Parse(string(text))
	switch {
	case errors.Is(err, dag.ErrUnsupported):
		return "", p.Fail(ErrUnsupportedCID)
	case err != nil:
		return "", p.Fail(ErrInvalidCID)
	}
	return Key(c.String()), nil
}

// fees are the current prices.
func (p *Pallet) fees(e *frame.Env) price.Fees {
	return price.Fees{Base: p.FileBaseFee.Get(e), Byte: p.FileByteFee.Get(e), Keys: p.FileKeysCountFee.Get(e)}
}
