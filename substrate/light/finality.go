package light

import (
	"fmt"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Par runs f(0) … f(n-1), at the same time if it likes; nil runs them in turn.
type Par = func(n int, f func(i int))

// Justification makes a known block, and its ancestors, final: SCALE of a
// justification by the set that Voters returns. The target is returned with an
// error as well, if it could be read: after ErrUnknown or ErrChange, headers or
// the justification of an earlier block are missing.
func (c *Client) Justification(data []byte, par Par) (grandpa.Target, error) {
	var j grandpa.Justification
	if err := scale.Decode(data, &j); err != nil {
		return grandpa.Target{}, fmt.Errorf("justification: %w", err)
	}
	return j.Target, c.finalise(&j, par)
}

// Commit makes the target of a commit, and its ancestors, final. Headers that
// votes above the target need come from the client, not from the message; a vote
// for a block that it does not know fails with ErrUnknown.
func (c *Client) Commit(m *grandpa.CommitMessage, par Par) error {
	if m.Round.Set != c.voters.ID() {
		return fmt.Errorf("light: a commit of set %d, the set is %d", m.Round.Set, c.voters.ID())
	}
	if _, err := c.finalisable(m.Target); err != nil {
		return err
	}
	var ancestry []types.Header
	seen := map[types.Hash]bool{m.Target.Hash: true}
	for i := range m.Precommits {
		t := m.Precommits[i].Target
		if !c.tree.Contains(t.Hash) {
			return fmt.Errorf("commit for block %d: a vote for block %d, %v: %w", m.Target.Number, t.Number, t.Hash, ErrUnknown)
		}
		if !c.tree.IsDescendant(m.Target.Hash, t.Hash) {
			return fmt.Errorf("light: a commit for block %d with a vote for %v, which is not above", m.Target.Number, t.Hash)
		}
		for at := t.Hash; !seen[at]; {
			seen[at] = true
			h := c.blocks[at].header
			ancestry = append(ancestry, *h)
			at = h.ParentHash
		}
	}
	j := m.Justification(ancestry)
	return c.finalise(&j, par)
}

// finalisable returns the target's block, which has to be above the final one,
// with no change of the set in between.
func (c *Client) finalisable(t grandpa.Target) (block, error) {
	b, ok := c.blocks[t.Hash]
	root := c.tree.Root()
	switch {
	case !ok:
		return b, fmt.Errorf("finality of block %d, %v: %w", t.Number, t.Hash, ErrUnknown)
	case b.header.Number != t.Number:
		return b, fmt.Errorf("light: finality of %v as block %d, it is block %d", t.Hash, t.Number, b.header.Number)
	case t.Hash == root.Hash:
		return b, fmt.Errorf("finality of block %d: %w, and final", t.Number, ErrKnown)
	}
	for at := b.header.ParentHash; at != root.Hash; at = c.blocks[at].header.ParentHash {
		if c.blocks[at].change {
			return b, fmt.Errorf("finality of block %d: block %d: %w", t.Number, c.blocks[at].header.Number, ErrChange)
		}
	}
	return b, nil
}

func (c *Client) finalise(j *grandpa.Justification, par Par) error {
	b, err := c.finalisable(j.Target)
	if err != nil {
		return err
	}
	if err := c.voters.Verify(j, par); err != nil {
		return fmt.Errorf("justification for block %d: %w", j.Target.Number, err)
	}
	next, err := c.voters.After(b.header)
	if err != nil {
		return err
	}
	return c.moveRoot(j.Target.Hash, next)
}

// moveRoot makes a block of the tree the root.
func (c *Client) moveRoot(to types.Hash, voters *grandpa.VoterSet) error {
	old := c.tree.Root().Hash
	done, err := c.tree.Finalise(to)
	if err != nil {
		return err
	}
	c.forget(old)
	for _, b := range done.Pruned {
		c.forget(b.Hash)
	}
	for _, b := range done.Finalised[:len(done.Finalised)-1] {
		c.forget(b.Hash)
	}
	root := c.blocks[to]
	c.bytes -= root.size
	root.size = 0
	c.blocks[to] = root
	c.voters = voters
	return nil
}

func (c *Client) forget(h types.Hash) {
	c.bytes -= c.blocks[h].size
	delete(c.blocks, h)
}

// Warp moves the final block forward by a warp proof, the answer of a node to a
// request of sync/warp with the hash of the final block. Finished says whether
// the node has no more to tell; else it has to be asked again.
//
// Unless the new final block was known, the client knows no epochs after it: it
// reads final state, takes further warp proofs, and waits for Epochs.
func (c *Client) Warp(proof []byte, par Par) (finished bool, err error) {
	p, err := grandpa.DecodeWarpProof(proof)
	if err != nil {
		return false, err
	}
	next, err := c.voters.VerifyWarp(p, c.tree.Root().Number, par)
	if err != nil {
		return false, err
	}
	h := p.Fragments[len(p.Fragments)-1].Header
	hash := h.Hash()
	if c.tree.Contains(hash) {
		return p.Finished, c.moveRoot(hash, next)
	}
	c.voters = next
	c.restart(&h, hash, babe.Head{})
	return p.Finished, nil
}
