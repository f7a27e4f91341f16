package sim

import "github.com/crustgo/crust/substrate/types"

// Of the plan, in milliseconds.
const (
	maxSkew     = 300   // how wrong clocks are
	minLag      = 2_000 // how wrong the clock of one node is
	maxLag      = 5_000
	maxRecovery = 60_000 // how long it may take after the last heal until all agree
)

// plan draws faults, and ends them.
type plan struct {
	w        *world
	groups   []int // of a split network, by node; nil: it is whole
	lossy    int   // messages of a thousand that are lost
	faulty   int   // validators that do not follow the rules, or do nothing
	watching int   // nodes that should finalise every block
	order    []int // of all nodes, those first that may be faulty
	twins    map[int]bool

	healed    bool
	healedAt  types.Moment
	target    types.BlockNumber // what all have to finalise after that
	recovered bool
}

// has reports whether a kind of fault may happen now.
func (p *plan) has(f Faults) bool { return !p.healed && p.w.opt.Faults&f != 0 }

func (p *plan) split(a, b int) bool { return p.groups != nil && p.groups[a] != p.groups[b] }
func (p *plan) loses() bool         { return p.has(Loss) && p.w.chance(p.lossy) }
func (p *plan) reorders() bool      { return p.has(Reorder) }
func (p *plan) calm() bool          { return p.healed }

func (p *plan) duplicates() bool {
	if !p.has(Duplicate) || !p.w.chance(30) {
		return false
	}
	p.w.inject("duplicate")
	return true
}

// inject counts a fault.
func (w *world) inject(kind string) { w.result.Injected[kind]++ }

// choose chooses who may be faulty from the beginning, together so few that the
// others decide, and who of them signs twice.
func (p *plan) choose(w *world) {
	p.w, p.order, p.twins = w, w.rng.Perm(w.opt.Nodes), map[int]bool{}
	for _, i := range p.suspects() {
		p.twins[i] = p.has(Equivocate) && (!p.has(Silent) || w.chance(500))
	}
}

func (p *plan) suspects() []int { return p.order[:(p.w.opt.seats()-1)/3] }

// init makes them faulty.
func (p *plan) init(w *world) {
	p.lossy, p.watching = 10, len(w.nodes)
	for _, i := range p.suspects() {
		n := w.nodes[i]
		switch {
		case p.twins[i]:
			n.twins = true
			p.watching--
			w.inject("equivocate")
		case p.has(Silent) && w.chance(500):
			n.quiet = true
			p.watching--
			w.inject("silent")
		case p.has(Silent):
			n.keys.babe, n.keys.grandpa = nil, nil
			w.inject("silent")
		default:
			continue
		}
		p.faulty++
	}
	if p.has(Skew) {
		for _, n := range w.nodes {
			n.skew = w.rng.Int64N(2*maxSkew+1) - maxSkew
		}
		w.nodes[p.order[len(p.order)-1]].skew = -int64(w.between(minLag, maxLag))
		w.inject("skew")
	}
	if p.has(Reorder) {
		w.inject("reorder")
	}
	if p.has(Loss) {
		w.inject("loss")
	}
}

// begin has faults happen.
func (p *plan) begin() { p.w.after(p.w.between(3_000, 10_000), p.next) }

// next makes one thing go wrong for a while.
func (p *plan) next() {
	if p.healed {
		return
	}
	kinds := []struct {
		fault Faults
		do    func()
	}{{Partition, p.partition}, {Crash, p.crash}, {Loss, p.burst}, {SlowDisk, p.slow}, {Crash, p.outage}}
	if k := kinds[p.w.rng.IntN(len(kinds))]; p.has(k.fault) {
		k.do()
	}
	p.w.after(p.w.between(4_000, 20_000), p.next)
}

// partition splits the network into two or three, or cuts one node off.
func (p *plan) partition() {
	if p.groups != nil {
		return
	}
	p.w.inject("partition")
	p.groups = make([]int, len(p.w.nodes))
	parts := 2 + p.w.rng.IntN(2)
	for i := range p.groups {
		p.groups[i] = p.w.rng.IntN(parts)
	}
	if p.w.chance(300) {
		clear(p.groups)
		p.groups[p.w.rng.IntN(len(p.groups))] = 1
	}
	groups := make([]byte, len(p.groups))
	for i, g := range p.groups {
		groups[i] = byte(g)
	}
	p.w.note("partition", len(groups), groups...)
	p.w.after(p.w.between(2_000, 25_000), func() {
		p.groups = nil
		p.w.note("heal", 0)
	})
}

// crash takes one node down, now or when it next speaks.
func (p *plan) crash() {
	n := p.w.nodes[p.w.rng.IntN(len(p.w.nodes))]
	if n.quiet || !n.up {
		return
	}
	p.w.inject("crash")
	if p.w.chance(500) {
		n.dying = true
	} else {
		n.stop(p.w.chance(700))
	}
	p.w.after(p.w.between(500, 20_000), func() { p.restart(n) })
}

// outage takes many nodes down at once.
func (p *plan) outage() {
	if !p.w.chance(250) {
		return
	}
	p.w.inject("crash")
	for _, n := range p.w.nodes {
		if !n.quiet && p.w.chance(800) {
			n.stop(true)
			p.w.after(p.w.between(500, 8_000), func() { p.restart(n) })
		}
	}
}

func (p *plan) restart(n *node) {
	n.dying = false
	if !n.up && !n.quiet {
		if err := n.start(); err != nil {
			p.w.fail("%w", err)
		}
	}
}

// burst loses many messages for a while.
func (p *plan) burst() {
	p.w.inject("loss")
	p.lossy = int(p.w.between(30, 300))
	p.w.after(p.w.between(2_000, 15_000), func() { p.lossy = 10 })
}

// slow has a node take long for imports.
func (p *plan) slow() {
	p.w.inject("slowdisk")
	n := p.w.nodes[p.w.rng.IntN(len(p.w.nodes))]
	n.slow = p.w.between(100, 1_500)
	p.w.after(p.w.between(5_000, 20_000), func() { n.slow = 0 })
}

// heal ends all faults but those of validators that break the rules.
func (p *plan) heal() {
	p.healed, p.healedAt, p.groups, p.lossy = true, p.w.now, nil, 0
	p.w.note("all healed", 0)
	for _, n := range p.w.nodes {
		n.slow = 0
		n.skew = max(n.skew, -maxSkew)
		p.restart(n)
	}
	for _, n := range p.w.nodes {
		if n.up && n.honest() {
			p.target = max(p.target, n.chain.Heads().Best.Number)
		}
	}
}

// quietBlocks is how many blocks at the end are without faults.
const quietBlocks = 30

// over heals the network when it is time, and reports whether the run has ended.
func (p *plan) over() bool {
	c := &p.w.check
	if !p.healed {
		if c.highest+quietBlocks >= p.w.opt.Blocks {
			p.heal()
		}
		return false
	}
	if !p.recovered {
		if p.recovered = c.agreed(p.target); p.recovered {
			p.w.result.Recovery = milliseconds(p.w.now - p.healedAt)
		} else if p.w.now > p.healedAt+maxRecovery {
			p.w.fail("%v after the last fault not all nodes have finalised block %d:\n%s", milliseconds(maxRecovery), p.target, p.w.describe())
		}
		return false
	}
	return c.highest >= p.w.opt.Blocks && c.agreed(p.w.opt.Blocks)
}
