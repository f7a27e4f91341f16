package hash

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/sha3"
)

// Blake2b256 is BLAKE2b with a 32-byte digest: block, extrinsic and trie node hashes.
func Blake2b256(b []byte) [32]byte {
	if sum, ok := sumFast(32, b); ok {
		return [32]byte(sum[:32])
	}
	return blake2b.Sum256(b)
}

// Blake2b512 is BLAKE2b with a 64-byte digest: the checksum of SS58 addresses.
func Blake2b512(b []byte) [64]byte {
	if sum, ok := sumFast(64, b); ok {
		return sum
	}
	return blake2b.Sum512(b)
}

// Blake2b128 is BLAKE2b with a 16-byte digest: the hasher of Blake2_128 and Blake2_128Concat maps.
func Blake2b128(b []byte) (out [16]byte) {
	sumSized(out[:], b)
	return out
}

// Blake2b64 is BLAKE2b with an 8-byte digest: the identifier of a runtime API.
func Blake2b64(b []byte) (out [8]byte) {
	sumSized(out[:], b)
	return out
}

// Hasher computes digests of sizes that would cost an allocation each, and
// reuses what it allocates. It belongs to one goroutine. The zero value is ready
// for use, and so is nil, which reuses nothing.
type Hasher struct {
	blake128 hash.Hash
	sum      [16]byte
}

// Blake2b128 is the function of that name.
func (r *Hasher) Blake2b128(b []byte) (out [16]byte) {
	if sum, ok := sumFast(len(out), b); ok {
		return [16]byte(sum[:16])
	}
	if r == nil {
		return Blake2b128(b)
	}
	if r.blake128 == nil {
		r.blake128 = newSized(len(out))
	} else {
		r.blake128.Reset()
	}
	r.blake128.Write(b)
	copy(out[:], r.blake128.Sum(r.sum[:0]))
	return out
}

// sumSized hashes b to len(out) bytes. The digest length is a parameter of
// BLAKE2b, not a truncation.
func sumSized(out, b []byte) {
	if sum, ok := sumFast(len(out), b); ok {
		copy(out, sum[:])
		return
	}
	h := newSized(len(out))
	h.Write(b)
	h.Sum(out[:0])
}

func newSized(size int) hash.Hash {
	h, err := blake2b.New(size, nil)
	if err != nil {
		panic(err) // unreachable: the sizes above are valid
	}
	return h
}

// Twox64 is xxHash64 with seed 0, little endian: the hasher of Twox64Concat maps.
func Twox64(b []byte) (out [8]byte) {
	binary.LittleEndian.PutUint64(out[:], xxhash.Sum64(b))
	return out
}

// Twox128 is xxHash64 with seeds 0 and 1: the hasher of pallet and item names.
func Twox128(b []byte) (out [16]byte) {
	twox(out[:], b)
	return out
}

// Twox256 is xxHash64 with seeds 0 to 3.
func Twox256(b []byte) (out [32]byte) {
	twox(out[:], b)
	return out
}

func twox(out, b []byte) {
	for i := 0; i < len(out)/8; i++ {
		d := xxhash.NewWithSeed(uint64(i))
		d.Write(b) // never fails
		binary.LittleEndian.PutUint64(out[8*i:], d.Sum64())
	}
}

// Keccak256 is the pre-standard Keccak that Ethereum uses.
func Keccak256(b []byte) (out [32]byte) {
	h := sha3.NewLegacyKeccak256()
	h.Write(b)
	h.Sum(out[:0])
	return out
}

// Sha2_256 is SHA-256.
func Sha2_256(b []byte) [32]byte { return sha256.Sum256(b) }
