package store

import (
	"encoding/binary"
	"fmt"

	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// FormatVersion is the number of the layout below. A change of any key or record
// needs a new number and an entry in migrations.
const FormatVersion = 1

// The first byte of a key says what it is. Numbers in keys are big endian, so
// that they sort.
//
// The lower-case kinds are written only by checkpoints, which ingest sorted
// tables; no other kind may sort between them, or ingesting would have to flush.
const (
	// a ‖ escaped key ‖ number u32 → 0 (absent) or 1 ‖ value: in archive mode, the
	// value that key had before block number changed it.
	kindArchive = 'a'
	// b → number u32 ‖ hash 32 ‖ state root 32 ‖ trie size u8: the base block.
	kindBase = 'b'
	// s ‖ key → value: the state at the base block.
	kindState = 's'
	// t ‖ path, one byte per nibble → trie.Trie record at the base block.
	kindTrie = 't'
	// u ‖ number u32 → state root 32 ‖ form u8 ‖ changes as state.Pack writes them: what undoes
	// a finalised block. Form 0: keys with the values they had before. Form 1
	// (archive): keys alone, all marked deleted; the values are in a.
	kindUndo = 'u'

	// B ‖ number u32 ‖ hash 32 → parent 32 ‖ state root 32 ‖ header (compact
	// length) ‖ body.
	kindBlock = 'B'
	// C ‖ number u32 → hash 32: finalised blocks.
	kindCanonical = 'C'
	// D ‖ number u32 ‖ hash 32 → changes as state.Pack writes them: blocks above the base.
	kindJournal = 'D'
	// J ‖ number u32 ‖ hash 32 → justification.
	kindJustification = 'J'
	// M ‖ name → metadata, see below.
	kindMeta = 'M'
	// N ‖ hash 32 → number u32.
	kindNumber = 'N'
	// X ‖ name → a value of another part of the node.
	kindAux = 'X'
)

// Metadata names.
const (
	metaFormat    = "format"    // u32
	metaGenesis   = "genesis"   // hash 32 ‖ state version u8 ‖ archive u8
	metaBest      = "best"      // number u32 ‖ hash 32
	metaFinalised = "finalised" // number u32 ‖ hash 32
	metaFloor     = "floor"     // u32: the lowest number whose state can be read
)

// Forms of undo records.
const (
	undoValues = 0
	undoKeys   = 1
)

func metaKey(name string) []byte { return append([]byte{kindMeta}, name...) }
func auxKey(name string) []byte  { return append([]byte{kindAux}, name...) }
func numberKey(h types.Hash) []byte {
	return append([]byte{kindNumber}, h[:]...)
}

func byNumber(kind byte, n types.BlockNumber) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, uint32(n))
}

func byBlock(kind byte, n types.BlockNumber, h types.Hash) []byte {
	return append(byNumber(kind, n), h[:]...)
}

// archivePrefix is a ‖ key, escaped so that no key's form is the beginning of
// another's and the order of keys is kept: 00 becomes 00 FF, the end is 00 01.
func archivePrefix(dst, key []byte) []byte {
	dst = append(dst, kindArchive)
	for _, b := range key {
		dst = append(dst, b)
		if b == 0 {
			dst = append(dst, 0xFF)
		}
	}
	return append(dst, 0, 1)
}

func archiveKey(key []byte, n types.BlockNumber) []byte {
	return binary.BigEndian.AppendUint32(archivePrefix(make([]byte, 0, len(key)+8), key), uint32(n))
}

// splitArchiveKey is the inverse of archiveKey.
func splitArchiveKey(k []byte) (key []byte, n types.BlockNumber, err error) {
	bad := fmt.Errorf("%w: archive key %x", ErrCorrupt, k)
	if len(k) < 7 || k[0] != kindArchive {
		return nil, 0, bad
	}
	body, num := k[1:len(k)-4], k[len(k)-4:]
	for i := 0; i < len(body); i++ {
		if body[i] != 0 {
			key = append(key, body[i])
			continue
		}
		if i++; i == len(body) {
			return nil, 0, bad
		}
		switch {
		case body[i] == 0xFF:
			key = append(key, 0)
		case body[i] == 1 && i == len(body)-1:
			return key, types.BlockNumber(binary.BigEndian.Uint32(num)), nil
		default:
			return nil, 0, bad
		}
	}
	return nil, 0, bad
}

// successor is the least byte string above all that begin with prefix; nil if
// there is none.
func successor(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xFF {
			out := append([]byte(nil), prefix[:i+1]...)
			out[i]++
			return out
		}
	}
	return nil
}

// ref is a block's number and hash.
type ref struct {
	number types.BlockNumber
	hash   types.Hash
}

func (r ref) encode() []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(r.number)), r.hash[:]...)
}

func decodeRef(b []byte) (r ref, err error) {
	if len(b) != 36 {
		return r, fmt.Errorf("%w: block reference of %d bytes", ErrCorrupt, len(b))
	}
	r.number = types.BlockNumber(binary.BigEndian.Uint32(b))
	copy(r.hash[:], b[4:])
	return r, nil
}

// baseRecord is what kindBase holds.
type baseRecord struct {
	ref
	anchor trie.Anchor
}

func (b baseRecord) encode() []byte {
	return append(append(b.ref.encode(), b.anchor.Hash[:]...), b.anchor.Size)
}

func decodeBase(b []byte) (r baseRecord, err error) {
	if len(b) != 69 {
		return r, fmt.Errorf("%w: base record of %d bytes", ErrCorrupt, len(b))
	}
	r.ref, err = decodeRef(b[:36])
	copy(r.anchor.Hash[:], b[36:])
	r.anchor.Size = b[68]
	return r, err
}
