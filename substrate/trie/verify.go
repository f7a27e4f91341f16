package trie

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"

	"github.com/crustgo/crust/substrate/hash"
)

// Limits of proofs from others: the light protocol's answers are at most 16 MiB.
const (
	MaxProofBytes = 16 << 20
	MaxProofNodes = 1 << 18
)

// ErrIncompleteProof says that a proof lacks a node that the question needs.
var ErrIncompleteProof = errors.New("read proof is incomplete")

// Proof is a set of nodes under one root. It answers for the keys whose paths it
// holds and is safe for concurrent use.
type Proof struct {
	root  [32]byte
	items map[[32]byte][]byte
}

// NewProof checks the limits and hashes the nodes; a node that is not reachable
// from root does no harm (see Unreferenced). Repeated nodes collapse. The nodes
// are kept, not copied.
func NewProof(root [32]byte, nodes [][]byte) (*Proof, error) {
	if len(nodes) > MaxProofNodes {
		return nil, fmt.Errorf("read proof of %d nodes is over the limit of %d", len(nodes), MaxProofNodes)
	}
	total := 0
	for _, n := range nodes {
		total += len(n)
	}
	if total > MaxProofBytes {
		return nil, fmt.Errorf("read proof of %d bytes is over the limit of %d", total, MaxProofBytes)
	}
	p := &Proof{root, make(map[[32]byte][]byte, len(nodes))}
	for _, n := range nodes {
		p.items[hash.Blake2b256(n)] = n
	}
	if root == EmptyRoot {
		p.items[root] = []byte{emptyNode}
	}
	if _, ok := p.items[root]; !ok {
		return nil, fmt.Errorf("%w: no root node %x", ErrIncompleteProof, root)
	}
	return p, nil
}

// VerifyProof returns what key maps to in the state with that root. An error
// means that the proof does not say; present = false is proven absence. Both
// state versions are understood.
func VerifyProof(root [32]byte, proof [][]byte, key []byte) (value []byte, present bool, err error) {
	p, err := NewProof(root, proof)
	if err != nil {
		return nil, false, err
	}
	return p.Get(key)
}

// step is the node at which a walk towards a key ended.
type step struct {
	enc   []byte
	node  nodeView
	ref   []byte // the node's Merkle value
	found bool   // false: proven that nothing is there
	whole bool   // the walk reached the end of the node's partial key
}

// walk goes down towards key until the key ends or leaves the trie.
func (p *Proof) walk(key []byte) (st step, err error) {
	st.enc, st.ref = p.items[p.root], p.root[:]
	for depth := 0; ; {
		if st.node, err = decodeNode(st.enc); err != nil {
			return st, err
		}
		n := &st.node
		if n.empty {
			if depth > 0 {
				return st, errNode
			}
			return st, nil
		}
		shared := partialMatch(st.enc, n, key, depth)
		rest := 2*len(key) - depth
		if shared == rest {
			st.found, st.whole = true, shared == n.nibbles
			return st, nil
		}
		if shared < n.nibbles || n.leaf {
			return st, nil
		}
		depth += shared
		child, err := childOf(st.enc, n, int(nibble(key, depth)))
		if err != nil {
			return st, err
		}
		if child == nil {
			return st, nil
		}
		depth++
		st.ref = child
		if st.enc, err = p.resolve(child); err != nil {
			return st, err
		}
	}
}

// resolve is the node that a Merkle value stands for.
func (p *Proof) resolve(ref []byte) ([]byte, error) {
	if len(ref) < 32 {
		return ref, nil
	}
	enc, ok := p.items[[32]byte(ref)]
	if !ok {
		return nil, fmt.Errorf("%w: no node %x", ErrIncompleteProof, ref)
	}
	if len(enc) < 32 {
		return nil, fmt.Errorf("%w: %d bytes behind a hash", errNode, len(enc))
	}
	return enc, nil
}

// partialMatch is how many nibbles of n's partial key agree with key from depth on.
func partialMatch(enc []byte, n *nodeView, key []byte, depth int) int {
	pad := n.nibbles & 1
	shared := min(n.nibbles, 2*len(key)-depth)
	for i := range shared {
		b := enc[n.partOff+(i+pad)/2]
		if (i+pad)&1 == 0 {
			b >>= 4
		}
		if b&15 != nibble(key, depth+i) {
			return i
		}
	}
	return shared
}

// childOf is the Merkle value of child nib, or nil if there is none. It checks
// the whole list, so that a malformed node is never half believed.
func childOf(enc []byte, n *nodeView, nib int) (child []byte, err error) {
	off := n.refsOff
	for rest := n.bitmap; rest != 0; rest &= rest - 1 {
		l, ok := refLen(enc, off)
		if !ok {
			return nil, errNode
		}
		if bits.TrailingZeros16(rest) == nib {
			child = enc[off+1 : off+1+l]
		}
		off += 1 + l
	}
	if off != len(enc) {
		return nil, errNode
	}
	return child, nil
}

// Get returns what key maps to; present = false is proven absence.
func (p *Proof) Get(key []byte) (value []byte, present bool, err error) {
	st, err := p.walk(key)
	if err != nil || !st.found || !st.whole {
		return nil, false, err
	}
	switch st.node.value {
	case valueNone:
		return nil, false, nil
	case valueInline:
		return st.node.val, true, nil
	}
	v, ok := p.items[[32]byte(st.node.val)]
	if !ok {
		return nil, false, fmt.Errorf("%w: no value of %x", ErrIncompleteProof, key)
	}
	return v, true, nil
}

// ClosestDescendant returns the Merkle value of the node nearest below key, or
// at it; present = false is proven absence of any key that begins with key.
func (p *Proof) ClosestDescendant(key []byte) (merkleValue []byte, present bool, err error) {
	st, err := p.walk(key)
	if err != nil || !st.found {
		return nil, false, err
	}
	return bytes.Clone(st.ref), true, nil
}

// Unreferenced is the number of entries that nothing below the root refers to.
// Strict verifiers refuse proofs that have any.
func (p *Proof) Unreferenced() (int, error) {
	seen := make(map[[32]byte]struct{}, len(p.items))
	todo := [][]byte{p.items[p.root]}
	seen[p.root] = struct{}{}
	visit := func(h [32]byte) ([]byte, bool) {
		item, ok := p.items[h]
		if _, again := seen[h]; !ok || again {
			return nil, false
		}
		seen[h] = struct{}{}
		return item, true
	}
	for len(todo) > 0 {
		enc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n, err := decodeNode(enc)
		if err != nil {
			return 0, err
		}
		if n.value == valueHashed {
			visit([32]byte(n.val))
		}
		for nib := range 16 {
			child, err := childOf(enc, &n, nib)
			switch {
			case n.leaf || n.empty:
			case err != nil:
				return 0, err
			case child == nil:
			case len(child) < 32:
				todo = append(todo, child)
			default:
				if item, ok := visit([32]byte(child)); ok {
					todo = append(todo, item)
				}
			}
		}
	}
	return len(p.items) - len(seen), nil
}
