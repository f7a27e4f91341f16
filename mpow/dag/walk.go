package dag

import (
	"errors"
	"fmt"
)

// Limits of a walk.
const (
	// MaxBlock is the length of the largest block.
	MaxBlock = 2 << 20
	// MaxBlocks is how many distinct blocks a graph may have.
	MaxBlocks = 1 << 20
	// maxInline is how deep identity CIDs may carry each other.
	maxInline = 32
)

// Errors that callers tell apart.
var (
	// ErrNotWanted reports a block that the walk does not ask for, or not any more.
	ErrNotWanted = errors.New("dag: block is not wanted")
	// ErrMismatch reports a block whose hash is not that of its CID.
	ErrMismatch = errors.New("dag: block does not have the hash of its CID")
	// ErrLimit reports a graph that exceeds a limit.
	ErrLimit = errors.New("dag: graph exceeds a limit")
)

// Walk visits all blocks of one graph, in any order in which parents come before
// their children. It belongs to one goroutine.
type Walk struct {
	root   CID
	limit  uint64          // of size
	seen   map[string]bool // CID → whether its block was accepted; those that were not are wanted
	wanted int
	size   uint64
	failed error
}

// NewWalk begins at a root; limit bounds the sum of block lengths.
func NewWalk(root CID, limit uint64) (*Walk, error) {
	if _, inline := root.Inline(); inline || root.text == "" {
		return nil, fmt.Errorf("%w: an identity CID cannot be a root", ErrCID)
	}
	return &Walk{root: root, limit: limit, seen: map[string]bool{root.text: false}, wanted: 1}, nil
}

// Root is where the walk began.
func (w *Walk) Root() CID { return w.root }

// Done reports whether every block was accepted.
func (w *Walk) Done() bool { return w.wanted == 0 && w.failed == nil }

// Size is the sum of the lengths of the accepted blocks; once done, the measured
// size of the root.
func (w *Walk) Size() uint64 { return w.size }

// Len is how many distinct CIDs the walk knows: what it takes of memory.
func (w *Walk) Len() int { return len(w.seen) }

// Wants reports whether the walk asks for a block.
func (w *Walk) Wants(c CID) bool {
	accepted, known := w.seen[c.text]
	return known && !accepted && w.failed == nil
}

// Accept takes a block and returns the links that are wanted because of it. A
// block that is not wanted or does not match changes nothing; a graph that breaks a
// rule fails for good, since no other bytes have its root.
func (w *Walk) Accept(c CID, block []byte) (links []CID, err error) {
	return w.AcceptMatched(c, block, w.Wants(c) && len(block) <= MaxBlock && c.Matches(block))
}

// AcceptMatched is Accept for a block of which it is known whether its hash is that of its
// CID: see [Matches].
func (w *Walk) AcceptMatched(c CID, block []byte, matches bool) (links []CID, err error) {
	switch {
	case w.failed != nil:
		return nil, w.failed
	case !w.Wants(c):
		return nil, fmt.Errorf("%v: %w", c, ErrNotWanted)
	case len(block) > MaxBlock:
		return nil, fmt.Errorf("%w: a block of %d bytes, at most %d", ErrLimit, len(block), MaxBlock)
	case !matches:
		return nil, fmt.Errorf("%v: %w", c, ErrMismatch)
	}
	if links, err = w.follow(nil, c.codec, block, 0); err != nil {
		return nil, w.fail(fmt.Errorf("block %v: %w", c, err))
	}
	if err := w.count(c, len(block)); err != nil {
		return nil, err
	}
	return links, nil
}

// AcceptLeaf is Accept for a block of some length of which it is known that its hash is that
// of its CID, and that it has no links: see [Leaf].
func (w *Walk) AcceptLeaf(c CID, size int) error {
	switch {
	case w.failed != nil:
		return w.failed
	case !w.Wants(c):
		return fmt.Errorf("%v: %w", c, ErrNotWanted)
	}
	return w.count(c, size)
}

// count notes a block that is in order.
func (w *Walk) count(c CID, size int) error {
	if w.size += uint64(size); w.size > w.limit {
		return w.fail(fmt.Errorf("%w: more than %d bytes", ErrLimit, w.limit))
	}
	w.seen[c.text] = true
	w.wanted--
	return nil
}

// Leaf reports whether a block is in the form of its codec, and has no links.
func Leaf(codec Codec, block []byte) bool {
	links, err := Links(codec, block)
	return err == nil && len(links) == 0
}

func (w *Walk) fail(err error) error {
	w.failed, w.seen = err, nil
	return err
}

// follow adds the links of a block that were never seen, reading those that carry
// their block in place.
func (w *Walk) follow(dst []CID, codec Codec, block []byte, depth int) ([]CID, error) {
	links, err := Links(codec, block)
	if err != nil {
		return nil, err
	}
	for _, c := range links {
		inner, inline := c.Inline()
		if _, known := w.seen[c.text]; known && !inline {
			continue
		}
		if inline {
			if depth >= maxInline {
				return nil, fmt.Errorf("%w: identity CIDs more than %d deep", ErrLimit, maxInline)
			}
			if dst, err = w.follow(dst, c.codec, inner, depth+1); err != nil {
				return nil, err
			}
			continue
		}
		if len(w.seen) >= MaxBlocks {
			return nil, fmt.Errorf("%w: more than %d blocks", ErrLimit, MaxBlocks)
		}
		w.seen[c.text] = false
		w.wanted++
		dst = append(dst, c)
	}
	return dst, nil
}
