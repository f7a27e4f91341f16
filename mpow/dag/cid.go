package dag

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/hash/sha256x"
)

// Codec says how the bytes of a block are read.
type Codec uint64

// The codecs of the multicodec table that a graph may have.
const (
	Raw     Codec = 0x55
	DagPB   Codec = 0x70
	DagCBOR Codec = 0x71
)

// Hash codes of the multicodec table that a CID may have.
const (
	identity   = 0x00
	sha2x256   = 0x12
	sha2x512   = 0x13
	blake2b256 = 0xb220
)

// Limits of CIDs.
const (
	// MaxCID is the length of the longest canonical CID of a block: that of SHA-512.
	MaxCID = 1 + 1 + 1 + 1 + 64
	// maxIdentity is how many bytes a CID may carry in place of a digest.
	maxIdentity = 128
	// maxVarint is the length of the longest number of multiformats.
	maxVarint = 9
)

// ErrCID reports bytes or text that is no CID, or one that a graph may not have.
var ErrCID = errors.New("not a CID")

// ErrUnsupported is the ErrCID of those that are one: of another codec or hash, or cut short.
var ErrUnsupported error = unsupported{}

type unsupported struct{}

func (unsupported) Error() string        { return "a CID that cannot be stored" }
func (unsupported) Is(target error) bool { return target == ErrCID }

// CID is a content identifier in its canonical form: binary version 1. The zero
// CID names nothing.
type CID struct {
	text   string // canonical bytes
	codec  Codec
	code   uint64 // of the hash
	digest int    // where it begins
}

// ParseCID reads the whole of b as a binary CID of version 1, or of version 0,
// which is a dag-pb block under SHA-256.
func ParseCID(b []byte) (CID, error) {
	if len(b) == 34 && b[0] == sha2x256 && b[1] == 32 {
		return newCID(DagPB, sha2x256, b[2:])
	}
	var f [4]uint64 // version, codec, hash, length
	rest := b
	for i := range f {
		v, n := binary.Uvarint(rest[:min(len(rest), maxVarint)])
		if n <= 0 || n > 1 && rest[n-1] == 0 {
			return CID{}, fmt.Errorf("%w: %d bytes with a bad varint", ErrCID, len(b))
		}
		f[i], rest = v, rest[n:]
	}
	if f[0] != 1 || f[3] != uint64(len(rest)) {
		return CID{}, fmt.Errorf("%w: version %d with a digest of %d bytes, %d follow", ErrCID, f[0], f[3], len(rest))
	}
	return newCID(Codec(f[1]), f[2], rest)
}

func newCID(codec Codec, code uint64, digest []byte) (CID, error) {
	n := len(digest)
	switch {
	case codec != Raw && codec != DagPB && codec != DagCBOR:
		return CID{}, fmt.Errorf("%w: codec %#x; raw, dag-pb and dag-cbor can be", ErrUnsupported, uint64(codec))
	case code == sha2x256 && n == 32, code == blake2b256 && n == 32, code == sha2x512 && n == 64, code == identity && n <= maxIdentity:
	default:
		return CID{}, fmt.Errorf("%w: hash %#x with a digest of %d bytes; sha2-256, sha2-512 and blake2b-256 in full can be", ErrUnsupported, code, n)
	}
	b := binary.AppendUvarint([]byte{1, byte(codec)}, code)
	b = binary.AppendUvarint(b, uint64(n))
	return CID{string(b) + string(digest), codec, code, len(b)}, nil
}

// Sum is the CID of a block under SHA-256.
func Sum(codec Codec, block []byte) CID { return FromSum(codec, sha256.Sum256(block)) }

// FromSum is the CID of a block whose SHA-256 is known.
func FromSum(codec Codec, sum [32]byte) CID {
	c, err := newCID(codec, sha2x256, sum[:])
	if err != nil {
		panic(err) // only for a codec that is not one of ours
	}
	return c
}

// Canonical reports whether b is the canonical form of a CID that names a block by
// its hash, which is how entries of reports look.
func Canonical(b []byte) bool {
	c, err := ParseCID(b)
	return err == nil && c.code != identity && c.text == string(b)
}

// Bytes is the canonical form, in a slice of its own.
func (c CID) Bytes() []byte { return []byte(c.text) }

// Key is the canonical form, as the key of a map.
func (c CID) Key() string { return c.text }

// Codec says how the block is read.
func (c CID) Codec() Codec { return c.codec }

// Inline returns the block that an identity CID carries, ok = false for others.
func (c CID) Inline() (block []byte, ok bool) {
	return []byte(c.text[c.digest:]), c.code == identity && c.text != ""
}

// Matches reports whether the hash of a block is that of the CID.
func (c CID) Matches(block []byte) bool {
	if c.text == "" {
		return false
	}
	want := []byte(c.text[c.digest:])
	switch c.code {
	case sha2x256:
		h := sha256.Sum256(block)
		return bytes.Equal(h[:], want)
	case sha2x512:
		h := sha512.Sum512(block)
		return bytes.Equal(h[:], want)
	case blake2b256:
		h := hash.Blake2b256(block)
		return bytes.Equal(h[:], want)
	}
	return bytes.Equal(block, want)
}

// Matches reports of each block whether its hash is that of its CID. It is faster than
// one after the other.
func Matches(cids []CID, blocks [][]byte) []bool {
	matches := make([]bool, len(cids))
	var at []int
	var usual [][]byte // under SHA-256
	for i, c := range cids {
		if c.text != "" && c.code == sha2x256 {
			at, usual = append(at, i), append(usual, blocks[i])
		} else {
			matches[i] = c.Matches(blocks[i])
		}
	}
	sums := make([]byte, len(usual)*sha256x.Size)
	sha256x.All(sums, usual)
	for k, i := range at {
		matches[i] = string(sums[k*sha256x.Size:(k+1)*sha256x.Size]) == cids[i].text[cids[i].digest:]
	}
	return matches
}
