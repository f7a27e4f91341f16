package types

import (
	"fmt"
	"reflect"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// MaxBlockBytes bounds the encoding of a block that is decoded: the 5 MiB body
// limit of the chain, doubled for headers and framing.
const MaxBlockBytes = 10 << 20

// Extrinsic is an extrinsic's whole encoding, its compact length prefix
// included: what bodies and the transaction pool hold.
type Extrinsic []byte

// Hash identifies the extrinsic to clients: BLAKE2b-256 of the whole encoding.
func (x Extrinsic) Hash() Hash { return hash.Blake2b256(x) }

// Block is a header and its extrinsics.
type Block struct {
	Header Header
	Body   []Extrinsic
}

// AppendSCALE appends the block; extrinsics bring their own length prefixes.
func (b *Block) AppendSCALE(dst []byte) []byte {
	return AppendBody(b.Header.AppendSCALE(dst), b.Body)
}

// DecodeSCALE reads a block.
func (b *Block) DecodeSCALE(c *scale.Cursor) {
	b.Header.DecodeSCALE(c)
	b.Body = DecodeBody(c)
}

// AppendBody appends a sequence of extrinsics.
func AppendBody(dst []byte, body []Extrinsic) []byte {
	dst = scale.AppendCompact(dst, uint64(len(body)))
	for _, x := range body {
		dst = append(dst, x...)
	}
	return dst
}

// DecodeBody reads a sequence of extrinsics, which alias the input.
func DecodeBody(c *scale.Cursor) []Extrinsic {
	n := c.Len(1)
	var body []Extrinsic
	for range n {
		from := c.Offset()
		c.Ref(c.Len(1))
		if c.Err() != nil {
			return nil
		}
		body = append(body, c.Since(from))
	}
	return body
}

// Justification is a proof of finality that an engine made for a block.
type Justification struct {
	Engine EngineID
	Data   []byte
}

// Justifications are the proofs of one block, at most one an engine.
type Justifications []Justification

// AppendSCALE appends the list.
func (j Justifications) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendCompact(dst, uint64(len(j)))
	for i := range j {
		dst = scale.AppendBytes(append(dst, j[i].Engine[:]...), j[i].Data)
	}
	return dst
}

// DecodeSCALE reads a list of at most 8 proofs of at most 16 MiB.
func (j *Justifications) DecodeSCALE(c *scale.Cursor) {
	n := c.Len(5)
	if n > 8 {
		c.Fail(fmt.Errorf("%d justifications for one block", n))
		return
	}
	*j = make(Justifications, n)
	for i := range *j {
		c.Fixed((*j)[i].Engine[:])
		(*j)[i].Data = c.Bytes(16 << 20)
	}
}

// Get returns an engine's proof.
func (j Justifications) Get(e EngineID) ([]byte, bool) {
	for i := range j {
		if j[i].Engine == e {
			return j[i].Data, true
		}
	}
	return nil, false
}

// Types that metadata descriptions refer to.
var (
	typeU8          = reflect.TypeFor[uint8]()
	typeBytes       = reflect.TypeFor[[]byte]()
	typeEngine      = reflect.TypeFor[[4]byte]()
	typeDigestItems = reflect.TypeFor[[]DigestItem]()
	typeHash        = reflect.TypeFor[Hash]()
	typeDigest      = reflect.TypeFor[Digest]()
	typeNumber      = reflect.TypeFor[BlockNumber]()
	typeAccount     = reflect.TypeFor[AccountID]()
	typeU32         = reflect.TypeFor[uint32]()
	type32          = reflect.TypeFor[[32]byte]()
	type20          = reflect.TypeFor[[20]byte]()
)
