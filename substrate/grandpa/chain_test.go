package grandpa

import (
	"github.com/crustgo/crust/substrate/blocktree"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/types"
)

// treeChain is a Chain over a block tree: what a node knows.
type treeChain struct {
	tree    *blocktree.Tree
	headers map[types.Hash]*types.Header
	final   []types.Hash // canonical, by number
}

func newTreeChain(genesis types.Header) *treeChain {
	h := genesis.Hash()
	return &treeChain{blocktree.New(h, 0, 1<<16), map[types.Hash]*types.Header{h: &genesis}, []types.Hash{h}}
}

func (c *treeChain) Finalised() Target { r := c.tree.Root(); return Target{r.Hash, r.Number} }

func (c *treeChain) canonical(h types.Hash) (types.BlockNumber, bool) {
	hd := c.headers[h]
	if hd != nil && int(hd.Number) < len(c.final) && c.final[hd.Number] == h {
		return hd.Number, true
	}
	return 0, false
}

func (c *treeChain) BestContaining(h types.Hash) (Target, bool) {
	if _, ok := c.canonical(h); ok {
		h = c.tree.Root().Hash
	}
	b, err := c.tree.Agreeable(h)
	return Target{b.Hash, b.Number}, err == nil
}

func (c *treeChain) Number(h types.Hash) (types.BlockNumber, bool) {
	if b, ok := c.tree.Get(h); ok {
		return b.Number, true
	}
	return c.canonical(h)
}

func (c *treeChain) AncestorAt(h types.Hash, n types.BlockNumber) (types.Hash, bool) {
	num, ok := c.Number(h)
	if !ok || n > num {
		return types.Hash{}, false
	}
	if int(n) < len(c.final) {
		return c.final[n], true
	}
	b, err := c.tree.AncestorAt(h, n)
	return b.Hash, err == nil
}

func (c *treeChain) Header(h types.Hash) (*types.Header, bool) {
	if _, ok := c.Number(h); !ok {
		return nil, false
	}
	return c.headers[h], true
}

func (c *treeChain) Change(h types.Hash) (first Target, ok bool) {
	for at := h; ; {
		b, known := c.tree.Get(at)
		if !known || at == c.tree.Root().Hash {
			return first, ok
		}
		if change, err := ReadLogs(c.headers[at].Digest); err == nil && change != nil {
			first, ok = Target{at, b.Number}, true
		}
		at = b.Parent
	}
}

func (c *treeChain) Contested(h types.Hash) bool { return c.tree.Contested(h) }

func (c *treeChain) insert(h *types.Header) bool {
	id := h.Hash()
	if c.tree.Insert(blocktree.Block{Hash: id, Parent: h.ParentHash, Number: h.Number, Weight: 1}) != nil {
		return false
	}
	c.headers[id] = h
	return true
}

func (c *treeChain) finalise(h types.Hash) error {
	f, err := c.tree.Finalise(h)
	for _, b := range f.Finalised {
		c.final = append(c.final, b.Hash)
	}
	return err
}

// stamp is a key whose signatures cost nothing, and anybody can make: these
// networks are about votes.
type stamp [32]byte

func (k stamp) Public() [32]byte { return k }

func (k stamp) Sign(msg []byte) (sig [64]byte) {
	h := hash.Blake2b256(append(k[:], msg...))
	copy(sig[:], h[:])
	return sig
}
