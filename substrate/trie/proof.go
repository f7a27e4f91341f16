package trie

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/hash"
)

// ErrProofTooLarge says that a proof would take more bytes than allowed.
var ErrProofTooLarge = errors.New("read proof is too large")

// Values reads the value of a key in a trie's state.
type Values func(key []byte) (value []byte, ok bool, err error)

// Prove returns the nodes (and, of hashed values, the values) that prove what
// keys map to, absent ones included, each once: what state_getReadProof and the
// light protocol answer. ld and values must answer for t's state. maxBytes
// bounds the sum of the nodes' lengths.
func (t *Trie) Prove(ld Loader, values Values, keys [][]byte, maxBytes int) ([][]byte, error) {
	p := prover{version: t.version, ld: ld, values: values, room: maxBytes, seen: map[[32]byte]struct{}{}}
	if t.root.size == sizeNone {
		if err := p.add(EmptyRoot, []byte{emptyNode}); err != nil {
			return nil, err
		}
		return p.out, nil
	}
	for _, k := range keys {
		if err := p.prove(t.root, k); err != nil {
			return nil, err
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("read proof of no keys")
	}
	return p.out, nil
}

// ClosestDescendant returns the Merkle value of the node nearest below key, or
// at it, and whether there is one.
func (t *Trie) ClosestDescendant(ld Loader, key []byte) (merkleValue []byte, ok bool, err error) {
	s := t.root
	for depth := 0; ; {
		if s.size == sizeNone {
			return nil, false, nil
		}
		if depth == 2*len(key) {
			break
		}
		at := Path{key, depth}
		if s.size == sizeLeaf {
			e, err := ld.Leaf(at)
			if err != nil {
				return nil, false, err
			}
			if !bytes.HasPrefix(e.Key, key) {
				return nil, false, nil
			}
			break
		}
		br, err := load(ld, t.version, &s, at, 0, nil)
		if err != nil {
			return nil, false, err
		}
		n := br.match(key, depth)
		if depth += n; depth == 2*len(key) {
			break
		}
		if n < int(br.nibbles) {
			return nil, false, nil
		}
		nib := int(nibble(key, depth))
		depth++
		if s, err = loadChild(ld, t.version, br, nib, Path{key, depth}, br.used.Load()); err != nil {
			return nil, false, err
		}
	}
	return bytes.Clone(s.ref.bytes()), true, nil
}

type prover struct {
	version Version
	ld      Loader
	values  Values
	room    int
	seen    map[[32]byte]struct{}
	out     [][]byte
}

// add adds a node or value once.
func (p *prover) add(h [32]byte, item []byte) error {
	if _, ok := p.seen[h]; ok {
		return nil
	}
	if p.room -= len(item); p.room < 0 {
		return ErrProofTooLarge
	}
	p.seen[h] = struct{}{}
	p.out = append(p.out, item)
	return nil
}

func (p *prover) prove(s slot, key []byte) error {
	for depth := 0; ; {
		if s.ref.n < 32 || s.size == sizeNone {
			return nil // nothing here, or it is inside the parent, with all below it
		}
		at := Path{key, depth}
		if s.size == sizeLeaf {
			return p.leaf(s, at, key)
		}
		br, err := load(p.ld, p.version, &s, at, 0, nil)
		if err != nil {
			return err
		}
		if err := p.add(s.ref.b, br.enc()); err != nil {
			return err
		}
		if n := br.match(key, depth); n < int(br.nibbles) {
			return nil
		}
		depth += int(br.nibbles)
		if depth == 2*len(key) {
			if br.value != valueHashed {
				return nil
			}
			return p.value(key, br.val())
		}
		nib := int(nibble(key, depth))
		depth++
		if s, err = loadChild(p.ld, p.version, br, nib, Path{key, depth}, br.used.Load()); err != nil {
			return err
		}
	}
}

// leaf adds a leaf and, if it is key's own, its hashed value.
func (p *prover) leaf(s slot, at Path, key []byte) error {
	e, err := p.ld.Leaf(at)
	if err != nil {
		return err
	}
	if 2*len(e.Key) < at.Nibbles {
		return fmt.Errorf("%w: entry %x", ErrCorrupt, e.Key)
	}
	enc := appendLeaf(nil, p.version, e.Key, at.Nibbles, e.Value, valueNone)
	if merkle(enc, at.Nibbles) != s.ref {
		return fmt.Errorf("%w: entry %x", ErrCorrupt, e.Key)
	}
	if err := p.add(s.ref.b, enc); err != nil {
		return err
	}
	if bytes.Equal(e.Key, key) && kindOf(p.version, e.Value) == valueHashed {
		return p.add(hash.Blake2b256(e.Value), bytes.Clone(e.Value))
	}
	return nil
}

// value adds the value of key, which must hash to want.
func (p *prover) value(key, want []byte) error {
	v, ok, err := p.values(key)
	if err != nil {
		return err
	}
	h := hash.Blake2b256(v)
	if !ok || !bytes.Equal(h[:], want) {
		return fmt.Errorf("%w: value of %x", ErrCorrupt, key)
	}
	return p.add(h, bytes.Clone(v))
}
