package cid

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Codec says how the block that a CID names is to be read.
type Codec uint64

// The codecs of files that the network stores.
const (
	Raw     Codec = 0x55
	DagPB   Codec = 0x70
	DagCBOR Codec = 0x71
)

// Hash says how the digest in a CID was made.
type Hash uint64

// The hashes of files that the network stores, always at full length.
const (
	SHA256     Hash = 0x12
	SHA512     Hash = 0x13
	Blake2b256 Hash = 0xb220
)

// Size is the length of a full digest, 0 for hashes that are not accepted.
func (h Hash) Size() int {
	switch h {
	case SHA256, Blake2b256:
		return 32
	case SHA512:
		return 64
	}
	return 0
}

// MaxText and MaxBytes bound what is looked at: the longest accepted forms in
// base16 and in binary are a little shorter.
const (
	MaxText  = 160
	MaxBytes = 80
)

// Why bytes or text are refused.
var (
	// ErrMalformed says that the input is no CID at all.
	ErrMalformed = errors.New("not a CID")
	// ErrUnsupported says that the input is a CID of data that the network cannot store.
	ErrUnsupported = errors.New("a CID that cannot be stored")
)

// CID is a content identifier that the network can store; CIDs of the same data
// are equal. The zero value is none.
type CID struct {
	codec  Codec
	hash   Hash
	digest [64]byte // zeros behind the hash's size
}

// New makes the CID of a digest; an error unless codec and hash are accepted and
// the digest has its full length.
func New(codec Codec, hash Hash, digest []byte) (CID, error) {
	c := CID{codec: codec, hash: hash}
	switch codec {
	case Raw, DagPB, DagCBOR:
	default:
		return CID{}, fmt.Errorf("%w: codec %#x; raw, dag-pb and dag-cbor can be", ErrUnsupported, uint64(codec))
	}
	switch n := hash.Size(); {
	case n == 0:
		return CID{}, fmt.Errorf("%w: hash %#x; sha2-256, sha2-512 and blake2b-256 can be", ErrUnsupported, uint64(hash))
	case len(digest) != n:
		return CID{}, fmt.Errorf("%w: a digest of %d bytes, hash %#x has %d", ErrUnsupported, len(digest), uint64(hash), n)
	}
	copy(c.digest[:], digest)
	return c, nil
}

// Codec says how the root block is to be read.
func (c CID) Codec() Codec { return c.codec }

// Hash says how the digest was made.
func (c CID) Hash() Hash { return c.hash }

// Digest is the hash of the root block.
func (c CID) Digest() []byte { return append([]byte(nil), c.digest[:c.hash.Size()]...) }

// IsV0 reports whether the canonical form is that of version 0.
func (c CID) IsV0() bool { return c.codec == DagPB && c.hash == SHA256 }

// Bytes is the canonical binary form.
func (c CID) Bytes() []byte {
	if c.hash == 0 {
		return nil
	}
	b := make([]byte, 0, MaxBytes)
	if !c.IsV0() {
		b = binary.AppendUvarint(append(b, 1), uint64(c.codec))
	}
	n := c.hash.Size()
	b = binary.AppendUvarint(b, uint64(c.hash))
	b = binary.AppendUvarint(b, uint64(n))
	return append(b, c.digest[:n]...)
}

// String is the canonical text.
func (c CID) String() string {
	switch {
	case c.hash == 0:
		return ""
	case c.IsV0():
		return encodeBase(base58, c.Bytes())
	default:
		return "b" + base32Lower.EncodeToString(c.Bytes())
	}
}

// Parse reads a CID from text of any of the multibases base16, base32, base36
// and base58btc, or of version 0.
func Parse(text string) (CID, error) {
	if len(text) > MaxText {
		return CID{}, fmt.Errorf("%w: %d characters, at most %d are", ErrMalformed, len(text), MaxText)
	}
	if len(text) == 46 && text[:2] == "Qm" {
		b, err := decodeBase(base58, text)
		if err != nil {
			return CID{}, err
		}
		return decodeV0(b)
	}
	b, err := decodeMultibase(text)
	if err != nil {
		return CID{}, err
	}
	if len(b) > 0 && b[0] == byte(SHA256) {
		return CID{}, fmt.Errorf("%w: version 0 has no multibase", ErrMalformed)
	}
	return decodeV1(b)
}

// Decode reads a CID from its binary form, of version 0 or 1.
func Decode(b []byte) (CID, error) {
	if len(b) > MaxBytes {
		return CID{}, fmt.Errorf("%w: %d bytes, at most %d are", ErrMalformed, len(b), MaxBytes)
	}
	if len(b) > 0 && b[0] == byte(SHA256) {
		return decodeV0(b)
	}
	return decodeV1(b)
}

// decodeV0 reads a bare multihash, which must be a full sha2-256.
func decodeV0(b []byte) (CID, error) {
	if len(b) != 34 || b[0] != byte(SHA256) || b[1] != 32 {
		return CID{}, fmt.Errorf("%w: version 0 is a sha2-256 multihash of 34 bytes", ErrMalformed)
	}
	return New(DagPB, SHA256, b[2:])
}

// decodeV1 reads version, codec, hash, length and digest.
func decodeV1(b []byte) (CID, error) {
	var n [4]uint64
	for i, what := range []string{"version", "codec", "hash", "length"} {
		var err error
		if n[i], b, err = uvarint(b); err != nil {
			return CID{}, fmt.Errorf("%w: %s: %w", ErrMalformed, what, err)
		}
	}
	switch {
	case n[0] != 1:
		return CID{}, fmt.Errorf("%w: version %d", ErrMalformed, n[0])
	case n[3] != uint64(len(b)):
		return CID{}, fmt.Errorf("%w: a digest of %d bytes is said to have %d", ErrMalformed, len(b), n[3])
	}
	return New(Codec(n[1]), Hash(n[2]), b)
}

var (
	errShort   = errors.New("it ends early")
	errMinimal = errors.New("a number is not in its shortest form, or too large")
)

// uvarint reads an unsigned varint of multiformats: at most nine bytes, shortest form.
func uvarint(b []byte) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(b[:min(len(b), 9)])
	switch {
	case n == 0 && len(b) < 9:
		return 0, nil, errShort
	case n <= 0 || n > 1 && b[n-1] == 0:
		return 0, nil, errMinimal
	}
	return v, b[n:], nil
}
