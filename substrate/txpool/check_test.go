package txpool

import (
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/types"
)

// check compares everything the pool keeps twice.
func (p *Pool) check() error {
	var ready, future Limit
	refs := map[*tag]int{}
	for _, r := range p.records {
		for _, t := range r.tags {
			refs[t]++
		}
	}
	n := 0
	for e := p.queue.head.newer; e != &p.queue.head; e = e.newer {
		n++
		if p.byHash[e.tx.Hash] != e || e.going {
			return fmt.Errorf("%v: wrong entry under the hash, or going %v", e.tx.Hash, e.going)
		}
		for _, t := range slices.Concat(e.requires, e.provides) {
			refs[t]++
		}
		load := &ready
		if e.place == InFuture {
			load = &future
		}
		load.Count++
		load.Bytes += len(e.tx.Bytes)
		if err := p.checkEntry(e); err != nil {
			return fmt.Errorf("%v: %w", e.tx.Hash, err)
		}
	}
	for key, t := range p.tags {
		if t.key != key || refs[t] != t.refs || t.refs == 0 {
			return fmt.Errorf("tag %q: %d refs, counted %d", key, t.refs, refs[t])
		}
	}
	listed, senders := 0, 0
	for e, prev := p.roots.first(), (*entry)(nil); e != nil; prev, e = e, e.links[0].next {
		listed++
		if e.place != InReady || e.inPool != 0 || prev != nil && !before(prev, e) {
			return fmt.Errorf("%v is no root, or out of order", e.tx.Hash)
		}
	}
	for e := range p.all(InReady) {
		if e.inPool == 0 {
			listed--
		}
	}
	for _, a := range p.senders {
		senders += len(a.entries)
		futures := 0
		for _, e := range a.entries {
			if e.place == InFuture {
				futures++
			}
		}
		if futures != a.futures {
			return fmt.Errorf("%d futures of an account, counted %d", a.futures, futures)
		}
	}
	switch {
	case listed != 0:
		return fmt.Errorf("%d roots too many", listed)
	case n != len(p.byHash) || len(refs) != len(p.tags):
		return fmt.Errorf("%d entries of %d; %d tags of %d", n, len(p.byHash), len(refs), len(p.tags))
	case ready != p.load[InReady] || future != p.load[InFuture]:
		return fmt.Errorf("load %v, counted %v %v", p.load, ready, future)
	case ready.plus(future).minus(p.cfg.whole()).positive():
		return fmt.Errorf("over the limits: %v %v", ready, future)
	case senders > n || len(p.promoting)+len(p.orphans) > 0:
		return fmt.Errorf("%d entries of senders; %d promoting, %d orphans", senders, len(p.promoting), len(p.orphans))
	}
	return nil
}

func (p *Pool) checkEntry(e *entry) error {
	unmet, inPool := int32(0), int32(0)
	for _, t := range e.requires {
		if !t.satisfied() {
			unmet++
		}
		if t.provider != nil {
			inPool++
		}
		if !slices.Contains(t.needers, e) {
			return fmt.Errorf("tag %q does not know that it is needed", t.key)
		}
	}
	for _, t := range e.provides {
		if holder := map[Place]*entry{InReady: t.provider, InFuture: t.future}[e.place]; holder != e {
			return fmt.Errorf("tag %q is provided by another", t.key)
		}
	}
	switch e.place {
	case InReady:
		if unmet != 0 || inPool != e.inPool || e.listed != (inPool == 0) {
			return fmt.Errorf("ready with %d unmet, %d in the pool (counted %d), listed %v", unmet, e.inPool, inPool, e.listed)
		}
	case InFuture:
		if unmet == 0 || unmet != e.unmet || e.listed {
			return fmt.Errorf("future with %d unmet, counted %d, listed %v", e.unmet, unmet, e.listed)
		}
	default:
		return fmt.Errorf("in place %d", e.place)
	}
	if e.validTill != never && p.expiry[e.validTill][e.bucket] != e {
		return fmt.Errorf("not in its bucket")
	}
	return nil
}

// naiveReady is the order of the pool by its definition: again and again the
// first entry whose dependencies have all been offered.
func (p *Pool) naiveReady() []types.Hash {
	var out []types.Hash
	done := map[*entry]bool{}
	for {
		var best *entry
		for e := range p.all(InReady) {
			blocked := done[e] || slices.ContainsFunc(e.requires, func(t *tag) bool { return t.provider != nil && !done[t.provider] })
			if !blocked && (best == nil || before(e, best)) {
				best = e
			}
		}
		if best == nil {
			return out
		}
		done[best] = true
		out = append(out, best.tx.Hash)
	}
}

func readyHashes(p *Pool) []types.Hash {
	var out []types.Hash
	for tx := range p.Ready() {
		out = append(out, tx.Hash)
	}
	return out
}
