package queryview

import "github.com/crustgo/crust/substrate/queryview/wasm"

func (b constant) emit(c *call) (address, size wasm.I32) {
	return c.constant(b), wasm.Const32(uint32(len(b)))
}

func (v ValuePart) emit(c *call) (address, size wasm.I32) {
	p, n := c.Var32(), c.Var32()
	missing := n.Get().Eq(wasm.Const32(absent))
	c.Set32(n, wasm.Const32(absent))
	for _, k := range v.keys {
		c.If(missing, func() {
			c.Set32(p, c.values[k].address.Get())
			c.Set32(n, c.values[k].size.Get())
		})
	}
	c.IfElse(missing, func() {
		if !v.optional {
			c.Trap()
		}
		c.Set32(p, c.constant(v.fallback))
		c.Set32(n, wasm.Const32(uint32(len(v.fallback))))
	}, func() {
		if v.exact > 0 {
			c.TrapIf(n.Get().Ne(wasm.Const32(uint32(v.exact))))
		}
		if v.n > 0 {
			c.TrapIf(n.Get().Lt(wasm.Const32(uint32(v.from + v.n))))
			c.Set32(p, p.Get().Add(wasm.Const32(uint32(v.from))))
			c.Set32(n, wasm.Const32(uint32(v.n)))
		}
	})
	return p.Get(), n.Get()
}

func (i integer) emit(c *call) (address, size wasm.I32) {
	at := wasm.Const32(c.take(i.size))
	n := i.n.number(c)
	switch i.size {
	case 4:
		c.Store32(at, 0, n.Wrap())
	case 16:
		c.Store64(at, 8, wasm.Const64(0)) // scratch memory is shared, so it may not be zero
		fallthrough
	case 8:
		c.Store64(at, 0, n)
	}
	return at, wasm.Const32(uint32(i.size))
}

func (n N) number(*call) wasm.I64 { return wasm.Const64(uint64(n)) }

func (l loaded) number(c *call) wasm.I64 {
	p, _ := l.value.emit(c)
	return p.Load64(0)
}

func (lastArgument) number(c *call) wasm.I64 {
	c.TrapIf(c.n.Get().Lt(wasm.Const32(4)))
	return c.args.Get().Add(c.n.Get()).Sub(wasm.Const32(4)).Load32(0).Extend()
}

func (o operation) number(c *call) wasm.I64 {
	a, b := o.a.number(c), o.b.number(c)
	if o.times {
		return a.Mul(b)
	}
	return a.Add(b)
}

func (parts concat) emit(c *call) {
	type span struct{ address, size wasm.I32 }
	spans := make([]span, len(parts))
	for i, p := range parts {
		spans[i].address, spans[i].size = p.emit(c)
	}
	if len(spans) == 1 {
		c.Return(pack(spans[0].address, spans[0].size))
		return
	}
	total, out, to := c.Var32(), c.Var32(), c.Var32()
	for _, s := range spans {
		c.Set32(total, total.Get().Add(s.size))
	}
	c.Set32(out, c.e.hostMalloc.Call32(total.Get()))
	c.Set32(to, out.Get())
	for _, s := range spans {
		c.Do(c.e.copy, to.Get(), s.address, s.size)
		c.Set32(to, to.Get().Add(s.size))
	}
	c.Return(pack(out.Get(), total.Get()))
}

func (m match) emit(c *call) {
	for _, choice := range m.cases {
		c.If(c.args.Get().Load32(0).Eq(wasm.Const32(choice.Argument)), func() { c.give(choice.Result) })
	}
	c.give(m.otherwise)
}
