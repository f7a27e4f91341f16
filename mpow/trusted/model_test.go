package trusted

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
)

// Whatever happens to a worker, kills, rollbacks, lost disks and slots that pass: no
// leaf is emitted twice, what the chain counts is what the mirror has, every unit that
// is asked for and there is proven, files of the index can be read, and it goes on.
func TestWorkerSurvives(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := newHost(t, newChain())
		emitted := map[Hash]bool{}
		states := [][]byte{h.state}
		seen := map[proof.UnitID]bool{}
		graphs := uint64(0)
		settle := func() { // until nothing is pending
			for range 3 {
				h.follow()
				if !h.core.Identity().Pending {
					return
				}
				h.chain.Block = h.chain.Slot + slotBlocks - 1
			}
			r.Fatal("a step stays pending")
		}
		restart := func(state []byte) {
			h.ok(h.restart(state))
			if o := h.follow(); o == Diverged || o == Unchanged || o == Lapsed {
				h.ok(h.reload())
			}
			h.tickets()
		}
		r.Repeat(map[string]func(*rapid.T){
			"fill": func(r *rapid.T) { h.fill(rapid.IntRange(1, 3).Draw(r, "n")) },
			"seal": func(r *rapid.T) {
				graphs++
				h.seal(newGraph(graphs, rapid.IntRange(1, 6).Draw(r, "leaves"), rapid.IntRange(1, 60_000).Draw(r, "size")))
			},
			"delete": func(r *rapid.T) {
				for _, f := range h.ledger.Files() {
					if rapid.Bool().Draw(r, "this") {
						cid, err := dag.ParseCID(f.CID)
						h.ok(err)
						if err := h.core.Delete(cid); err != nil && !errors.Is(err, ErrUnknown) { // twice
							r.Fatal(err)
						}
						delete(h.files, cid.Key())
						return
					}
				}
			},
			"tell again": func(r *rapid.T) {
				for _, f := range h.ledger.Files() {
					if rapid.Bool().Draw(r, "this") {
						cid, err := dag.ParseCID(f.CID)
						h.ok(err)
						h.ok(h.core.TellAgain(cid))
						return
					}
				}
			},
			"slot": func(r *rapid.T) {
				h.closeUnit()
				h.chain.Next()
				h.challenge()
				s, err := h.report()
				if errors.Is(err, ErrTooManyBad) {
					return
				}
				h.ok(err)
				if rapid.IntRange(0, 4).Draw(r, "landed") > 0 {
					h.ok(h.chain.report(s))
				}
				settle()
				h.tell()
			},
			"kill": func(r *rapid.T) {
				h.closeUnit()
				restart(h.state)
			},
			"rollback": func(r *rapid.T) {
				h.closeUnit()
				restart(rapid.SampledFrom(states).Draw(r, "state"))
			},
			"lose": func(r *rapid.T) {
				for _, d := range h.ledger.Plan.Units(proof.Filler) {
					if rapid.Bool().Draw(r, "this") {
						delete(h.units, d.ID)
						return
					}
				}
			},
			"prove": h.allProven,
			"": func(r *rapid.T) {
				states = append(states, h.state)
				for id, u := range h.units {
					if seen[id] {
						continue
					}
					seen[id] = true
					for _, l := range u.hashes {
						if emitted[l] {
							r.Fatal("a leaf was emitted twice")
						}
						emitted[l] = true
					}
				}
				if h.ledger.Plan.Totals() != h.chain.Record.Plan {
					r.Fatal("the mirror differs from the chain")
				}
			},
		})
		h.allProven(r)
	})
}

// allProven has every leaf of the plan checked: those that are there pass, others do
// not.
func (h *host) allProven(r *rapid.T) {
	p := testParams
	p.Samples = 1 << 10
	ch, err := h.core.Challenge(p, 1, Hash{}, Hash{1})
	h.ok(err)
	total := h.chain.Record.Plan.Filler + h.chain.Record.Plan.Data
	if uint64(len(ch.Asked())) != min(total, 1<<10) && total < 250 {
		r.Fatalf("%d leaves asked for of %d", len(ch.Asked()), total)
	}
	h.check(ch)
	for i, a := range ch.Asked() {
		if there := h.units[a.Unit.ID] != nil; ch.proven[i] != there {
			r.Fatalf("leaf %d of unit %x: there %v, proven %v", a.Leaf, a.Unit.ID, there, ch.proven[i])
		}
	}
	for _, f := range h.ledger.Files() {
		d := h.files[string(f.CID)]
		if d == nil || d.entry.ID != f.ID {
			continue // deleted, and perhaps sealed again
		}
		for _, part := range f.Parts {
			if len(d.records[part.Unit]) != int(part.Records) {
				r.Fatalf("file %x: %d records in a unit, the index has %d", f.CID, len(d.records[part.Unit]), part.Records)
			}
		}
	}
}
