package txpool

// Limit bounds a part of the pool.
type Limit struct {
	Count int // transactions
	Bytes int // sum of their lengths
}

func (l Limit) plus(o Limit) Limit  { return Limit{l.Count + o.Count, l.Bytes + o.Bytes} }
func (l Limit) minus(o Limit) Limit { return Limit{l.Count - o.Count, l.Bytes - o.Bytes} }
func (l Limit) min(o Limit) Limit   { return Limit{min(l.Count, o.Count), min(l.Bytes, o.Bytes)} }
func (l Limit) max(o Limit) Limit   { return Limit{max(l.Count, o.Count), max(l.Bytes, o.Bytes)} }

// positive reports whether there is more than nothing of either.
func (l Limit) positive() bool { return l.Count > 0 || l.Bytes > 0 }

// whole bounds ready and future transactions together. They may move from one
// place to the other beyond the limit of either, which does not change the sum.
func (c *Config) whole() Limit { return c.Ready.plus(c.Future) }

func (c *Config) limit(at Place) Limit {
	if at == InReady {
		return c.Ready
	}
	return c.Future
}

var errSender = &Error{Code: ErrDropped.Code, Message: ErrDropped.Message, Data: "The account has as many transactions in the pool as it may have"}

// full reports whether e's account may have no further entry at a place. Futures
// leave half of the limit to what they wait for. After a fork they may be more,
// so half of it is for what is ready, whatever else there is.
func (p *Pool) full(e *entry, at Place) bool {
	most := p.cfg.PerSender
	if !e.tx.Signed || most <= 0 {
		return false
	}
	entries, futures := 0, 0
	if a := e.account; a != nil {
		entries, futures = len(a.entries), a.futures
	}
	if at == InFuture {
		return entries >= most || futures >= most/2
	}
	return entries >= most && entries-futures >= max(1, most/2)
}

// room finds room for e, which is not in the pool yet, once those that it usurps
// are gone. It returns what has to be given up, marked as going, or the reason to
// refuse e, and then has changed nothing.
func (p *Pool) room(e *entry, at Place, usurped []*entry) ([]*entry, error) {
	limit, whole := p.cfg.limit(at), p.cfg.whole()
	switch {
	case e.tx.Back:
		limit = whole
	case len(usurped) == 0 && p.full(e, at):
		return nil, errSender
	}
	more := e.size()
	for _, u := range usurped {
		more = more.minus(u.size())
	}
	all := p.load[InReady].plus(p.load[InFuture]).plus(more).minus(whole)
	over := p.load[at].plus(more).minus(limit)
	if at == InFuture {
		over = over.max(all)
	}
	// A place may be over its limit already. That is not for e to make good.
	out, ok := p.victims(at, over.min(more), func(last *entry) bool { return p.worthMore(e, last, at) })
	for _, v := range out {
		all = all.minus(v.size())
	}
	if ok && all.positive() {
		// More are future than may be, so they have come from a fork, or e has. What
		// can go into a block comes first, or else nothing might ever move again.
		var futures []*entry
		futures, ok = p.victims(InFuture, all, func(*entry) bool { return true })
		out = append(out, futures...)
	}
	if !ok {
		stay(out)
		return nil, ErrDropped
	}
	return out, nil
}

// victims marks entries at a place as going, from the last in the order of the
// pool on, until they make up for over. It fails if some may not go.
func (p *Pool) victims(at Place, over Limit, may func(last *entry) bool) (out []*entry, ok bool) {
	if !over.positive() {
		return nil, true
	}
	w := &p.last[at]
	w.build(p.all(at))
	defer w.restore()
	for over.positive() {
		last := w.peek()
		if last == nil || !may(last) {
			return out, false
		}
		v := p.lastDependent(last)
		v.going = true
		out = append(out, v)
		over = over.minus(v.size())
	}
	return out, true
}

// worthMore reports whether e is worth more than the last entry at its place: a
// transaction is worth no more than any that it has to wait for. So nothing that
// depends on last is ever worth more.
func (p *Pool) worthMore(e, last *entry, at Place) bool {
	least := last.tx.Priority
	return e.tx.Priority > least && !p.dependsOn(e, at, func(up *entry) bool { return up.tx.Priority <= least })
}

// lastDependent is an entry that depends on e, directly or not, and on which none
// does at the same place: its loss is the smallest, and leaves no gap.
func (p *Pool) lastDependent(e *entry) *entry {
	for range p.load[e.place].Count { // futures may depend on each other in a circle
		var next *entry
		for _, t := range e.provides {
			if t.chain > 0 || e.place == InFuture && t.provider != nil {
				continue
			}
			for _, n := range t.needers {
				if n.place == e.place && !n.going && (next == nil || before(next, n)) {
					next = n
				}
			}
		}
		if next == nil {
			return e
		}
		e = next
	}
	return e
}

// relax gives up the orders for eviction once there is room.
func (p *Pool) relax() {
	for _, at := range [2]Place{InFuture, InReady} {
		limit := p.cfg.limit(at)
		if p.load[at].Count < limit.Count/4*3 && p.load[at].Bytes < limit.Bytes/4*3 {
			p.last[at].drop()
		}
	}
}
