package light

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/blocktree"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Limits of what a client keeps above the final block.
const (
	// MaxHeaders is how many headers.
	MaxHeaders = 4096
	// MaxHeaderBytes is how many bytes of headers, encoded. A decoded header, with
	// the epoch and the set that it announces, takes a few times as much.
	MaxHeaderBytes = 16 << 20
)

// Errors that callers tell apart.
var (
	// ErrUnknown reports a block that is neither the final one nor above it, as far
	// as the client was told.
	ErrUnknown = errors.New("light: block is not known")
	// ErrKnown reports a header that was given before.
	ErrKnown = errors.New("light: block is known")
	// ErrNoEpochs reports that headers cannot be checked before Epochs was called:
	// the client has jumped.
	ErrNoEpochs = errors.New("light: the epochs at the final block are not known")
	// ErrFull reports that a header exceeds MaxHeaders or MaxHeaderBytes.
	ErrFull = errors.New("light: too much waits for finality")
	// ErrChange reports finality beyond a block that changes the set of voters and
	// is not final yet.
	ErrChange = errors.New("light: a block that changes the voters has to be finalised first")
)

// Checkpoint is a block that a client trusts, and what it has to know to go on
// from there.
type Checkpoint struct {
	Header types.Header
	// Head is what the block's children inherit for BABE; without Epochs, the client
	// cannot check headers until it learns them.
	Head   babe.Head
	Voters *grandpa.VoterSet // of the blocks above
}

// Genesis is the checkpoint that is block 0.
func Genesis(h types.Header, c *babe.Config, voters []grandpa.Authority) (Checkpoint, error) {
	if err := c.Validate(); err != nil {
		return Checkpoint{}, err
	}
	set, err := grandpa.NewVoterSet(0, voters)
	return Checkpoint{Header: h, Head: babe.GenesisHead(c), Voters: set}, err
}

// block is what is kept of a block: of the final one and those above it.
type block struct {
	header *types.Header
	head   babe.Head
	size   int    // of the header, encoded; 0 for the final block
	change bool   // whether the header changes the set of voters
	seq    uint64 // order of insertion
}

// Client is a light client. It belongs to one goroutine; create it with New or
// Decode.
type Client struct {
	voters *grandpa.VoterSet // of the blocks above the final one
	tree   *blocktree.Tree   // the final block and the headers above it
	// blocks has the blocks of the tree. Invariant: bytes = Σ size.
	blocks map[types.Hash]block
	bytes  int
	seq    uint64 // of the latest header
}

// New returns a client that trusts a checkpoint.
func New(at Checkpoint) (*Client, error) {
	if at.Voters == nil {
		return nil, errors.New("light: a checkpoint without voters")
	}
	c := &Client{voters: at.Voters}
	c.restart(&at.Header, at.Header.Hash(), at.Head)
	return c, nil
}

// restart forgets everything but a block.
func (c *Client) restart(h *types.Header, id types.Hash, head babe.Head) {
	c.tree = blocktree.New(id, h.Number, MaxHeaders)
	c.blocks = map[types.Hash]block{id: {header: h, head: head}}
	c.bytes, c.seq = 0, 0
}

// Header checks a header by the rules of BABE and keeps it. Latest is the
// highest slot that is not in the future; a header of a later slot fails with
// babe.ErrFuture and may be given again. That the state root is right is known
// once the block is final.
func (c *Client) Header(h *types.Header, latest types.Slot) (types.Hash, error) {
	enc := scale.Encode(h)
	id := types.Hash(hash.Blake2b256(enc))
	if c.tree.Contains(id) {
		return id, ErrKnown
	}
	b, v, err := c.inspect(h, len(enc), latest)
	if err != nil {
		return id, err
	}
	if err := v.VerifySignatures(); err != nil {
		return id, fmt.Errorf("header %d: %w", h.Number, err)
	}
	b.header = new(types.Header) // of its own: the caller may change theirs
	if err := scale.Decode(enc, b.header); err != nil {
		return id, err
	}
	return id, c.insert(id, b, v.Weight)
}

// inspect makes all checks of a header of some size but those of signatures.
func (c *Client) inspect(h *types.Header, size int, latest types.Slot) (block, *babe.Candidate, error) {
	parent, ok := c.blocks[h.ParentHash]
	switch {
	case !ok:
		return block{}, nil, fmt.Errorf("header %d: parent %v: %w", h.Number, h.ParentHash, ErrUnknown)
	case parent.head.Epochs == nil:
		return block{}, nil, ErrNoEpochs
	case c.tree.Len() >= MaxHeaders || c.bytes+size > MaxHeaderBytes:
		return block{}, nil, ErrFull
	case h.Number == 0 || h.Number-1 != parent.header.Number:
		return block{}, nil, fmt.Errorf("light: header %d on block %d", h.Number, parent.header.Number)
	}
	next, err := c.voters.After(h) // whatever the set will be: a change has to be well formed
	if err != nil {
		return block{}, nil, err
	}
	v, err := babe.Inspect(h, parent.head, latest)
	if err != nil {
		return block{}, nil, fmt.Errorf("header %d: %w", h.Number, err)
	}
	return block{header: h, head: v.Head, size: size, change: next != c.voters}, v, nil
}

// insert adds a checked block.
func (c *Client) insert(id types.Hash, b block, weight uint32) error {
	if err := c.tree.Insert(blocktree.Block{Hash: id, Parent: b.header.ParentHash, Number: b.header.Number, Weight: weight}); err != nil {
		return err
	}
	c.seq++
	b.seq = c.seq
	c.blocks[id] = b
	c.bytes += b.size
	return nil
}

// Final is the header of the last block that is known to be final.
func (c *Client) Final() (types.Hash, *types.Header) {
	h := c.tree.Root().Hash
	return h, c.blocks[h].header
}

// Best is the header of the head of the best fork.
func (c *Client) Best() (types.Hash, *types.Header) {
	h := c.tree.Best().Hash
	return h, c.blocks[h].header
}

// Known returns the header of the final block or of one above it.
func (c *Client) Known(h types.Hash) (*types.Header, error) {
	b, ok := c.blocks[h]
	if !ok {
		return nil, fmt.Errorf("%v: %w", h, ErrUnknown)
	}
	return b.header, nil
}

// Voters is the set that finalises the blocks above the final one.
func (c *Client) Voters() *grandpa.VoterSet { return c.voters }

// Checkpoint is the final block, for another client to start from.
func (c *Client) Checkpoint() Checkpoint {
	b := c.blocks[c.tree.Root().Hash]
	return Checkpoint{Header: *b.header, Head: b.head, Voters: c.voters}
}
