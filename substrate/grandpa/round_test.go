package grandpa

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/types"
)

// model is a round by its definition: every block of the tree is asked.
type model struct {
	set    *VoterSet
	base   Target
	blocks []types.Header // in order of number on every chain
	votes  [2]map[int][]Target
}

func (m *model) header(h types.Hash) *types.Header {
	for i := range m.blocks {
		if m.blocks[i].Hash() == h {
			return &m.blocks[i]
		}
	}
	return nil
}

// above reports whether a block is at or above another.
func (m *model) above(of, h types.Hash) bool {
	for h != of {
		hd := m.header(h)
		if hd == nil {
			return false
		}
		h = hd.ParentHash
	}
	return true
}

// weigh returns the weight of all votes, of equivocators, and of a block's support.
func (m *model) weigh(s Stage, block types.Hash) (all, equivocated, support uint64) {
	for voter, targets := range m.votes[s] {
		w := m.set.authorities[voter].Weight
		all += w
		if len(targets) > 1 {
			equivocated += w
		}
		if len(targets) > 1 || m.above(block, targets[0].Hash) {
			support += w
		}
	}
	return all, equivocated, support
}

// highest is the highest block at or below a block that something holds for.
func (m *model) highest(from *Target, holds func(types.Hash) bool) *Target {
	if from == nil {
		return nil
	}
	for at := *from; ; {
		if holds(at.Hash) {
			return &at
		}
		if at == m.base {
			return nil
		}
		hd := m.header(at.Hash)
		at = Target{hd.ParentHash, at.Number - 1}
	}
}

func (m *model) outcome() (ghost, final, estimate *Target, completable bool) {
	threshold, total := m.set.Threshold(), m.set.Total()
	if all, _, _ := m.weigh(Prevote, m.base.Hash); all < threshold {
		return nil, nil, nil, false
	}
	for i := range m.blocks {
		t := target(m.blocks[i])
		if _, _, w := m.weigh(Prevote, t.Hash); w >= threshold && m.above(m.base.Hash, t.Hash) && (ghost == nil || t.Number > ghost.Number) {
			ghost = &t
		}
	}
	all, equivocated, _ := m.weigh(Precommit, m.base.Hash)
	if ghost == nil || all < threshold {
		return ghost, nil, ghost, false
	}
	possible := func(h types.Hash) bool {
		_, _, w := m.weigh(Precommit, h)
		return w+(total-all)+min(all-w, total-threshold-equivocated) >= threshold
	}
	final = m.highest(ghost, func(h types.Hash) bool { _, _, w := m.weigh(Precommit, h); return w >= threshold })
	estimate = m.highest(ghost, possible)
	// An estimate below the ghost is enough: honest precommits are not beside it.
	if completable = estimate != nil; completable && *estimate == *ghost {
		for i := range m.blocks {
			if h := m.blocks[i].Hash(); h != estimate.Hash && m.above(estimate.Hash, h) && possible(h) {
				completable = false
			}
		}
	}
	return ghost, final, estimate, completable
}

// TestRoundAgainstModel gives a round random votes, some before their blocks,
// and compares what follows from them with the definition.
func TestRoundAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "voters")
		as := make([]Authority, n)
		for i := range as {
			as[i] = Authority{stamp{byte(i)}, rapid.Uint64Range(1, 4).Draw(t, "weight")}
		}
		set, err := NewVoterSet(1, as)
		if err != nil {
			t.Fatal(err)
		}
		chain := newTreeChain(types.Header{})
		blocks := []types.Header{{}}
		for i := range rapid.IntRange(1, 10).Draw(t, "blocks") {
			p := blocks[rapid.IntRange(max(0, i-3), i).Draw(t, "parent")]
			blocks = append(blocks, types.Header{ParentHash: p.Hash(), Number: p.Number + 1, StateRoot: types.Hash{byte(i)}})
		}
		known := rapid.IntRange(0, len(blocks)).Draw(t, "known")
		for i := 1; i < known; i++ {
			chain.insert(&blocks[i])
		}
		base := target(blocks[rapid.IntRange(0, max(0, min(known-1, 2))).Draw(t, "base")])
		r := newRound(set, 1, base)
		m := &model{set: set, base: base, blocks: blocks, votes: [2]map[int][]Target{{}, {}}}
		faulty := [2]uint64{}
		for range rapid.IntRange(0, 25).Draw(t, "votes") {
			s, voter := Stage(rapid.IntRange(0, 1).Draw(t, "stage")), rapid.IntRange(0, n-1).Draw(t, "voter")
			vote := target(blocks[rapid.IntRange(0, len(blocks)-1).Draw(t, "target")])
			have := m.votes[s][voter]
			if len(have) == 1 && have[0] != vote {
				if faulty[s]+as[voter].Weight > set.Total()-set.Threshold() {
					continue // more than f
				}
				faulty[s] += as[voter].Weight
			}
			want := voteNew
			switch {
			case len(have) > 0 && have[0] == vote, len(have) > 1 && have[1] == vote:
				want = voteKnown
			case len(have) == 1:
				want = voteEquivocates
			case len(have) == 2:
				want = voteExcess
			}
			if want == voteNew || want == voteEquivocates {
				m.votes[s][voter] = append(have, vote)
			}
			if got := r.vote(chain, s, voter, &SignedVote{Target: vote, ID: as[voter].Key}); got != want {
				t.Fatalf("the vote is %d, want %d", got, want)
			}
			r.update() // whenever it is asked, it must not change the end
		}
		for i := 1; i < len(blocks); i++ {
			chain.insert(&blocks[i])
		}
		r.imported(chain)
		r.update()
		compare(t, r, m)
	})
}

func compare(t *rapid.T, r *round, m *model) {
	ghost, final, estimate, completable := m.outcome()
	for _, c := range []struct {
		what string
		node int32
		want *Target
	}{{"ghost", r.ghost, ghost}, {"final", r.final, final}, {"estimate", r.estimate, estimate}} {
		got, ok := r.at(c.node)
		if ok != (c.want != nil) || ok && got != *c.want {
			t.Errorf("%s is %v (%v), want %v", c.what, got, ok, c.want)
		}
	}
	if r.completable != completable {
		t.Errorf("completable %v, want %v", r.completable, completable)
	}
	if f, ok := r.at(r.final); ok {
		chain := newTreeChain(types.Header{})
		for i := 1; i < len(m.blocks); i++ {
			chain.insert(&m.blocks[i])
		}
		if j, ok := r.justify(chain, f); ok {
			if err := errorsOf(m.set, &j); err != nil {
				t.Errorf("the justification is wrong: %v", err)
			}
		}
	}
}

// errorsOf is VoterSet.Verify without signatures.
func errorsOf(v *VoterSet, j *Justification) error {
	if err := v.checkVoters(j); err != nil {
		return err
	}
	return checkAncestry(j)
}
