package types

import (
	"fmt"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
)

// Limits of foreign headers. Substrate has none of its own; these are far above
// what any honest block holds.
const (
	MaxDigestItems     = 64
	MaxDigestItemBytes = 1 << 20
)

// Header is a block's header. Number is compact on the wire, here only.
type Header struct {
	ParentHash     Hash
	Number         BlockNumber
	StateRoot      Hash
	ExtrinsicsRoot Hash
	Digest         Digest
}

// AppendSCALE appends the header's encoding; it allocates nothing if dst has room.
func (h *Header) AppendSCALE(dst []byte) []byte {
	dst = append(dst, h.ParentHash[:]...)
	dst = scale.AppendCompact(dst, uint64(h.Number))
	dst = append(dst, h.StateRoot[:]...)
	dst = append(dst, h.ExtrinsicsRoot[:]...)
	return h.Digest.AppendSCALE(dst)
}

// DecodeSCALE reads a header.
func (h *Header) DecodeSCALE(c *scale.Cursor) {
	c.Fixed(h.ParentHash[:])
	h.Number = BlockNumber(c.CompactU32())
	c.Fixed(h.StateRoot[:])
	c.Fixed(h.ExtrinsicsRoot[:])
	h.Digest.DecodeSCALE(c)
}

// SCALEType describes the header to metadata.
func (Header) SCALEType() scale.TypeDef {
	return scale.TypeDef{Path: "sp_runtime::generic::header::Header", Kind: scale.KindComposite, Fields: []scale.Field{
		{Name: "parent_hash", Type: typeHash}, {Name: "number", Type: typeNumber, Compact: true},
		{Name: "state_root", Type: typeHash}, {Name: "extrinsics_root", Type: typeHash}, {Name: "digest", Type: typeDigest},
	}}
}

// Hash is the block's hash: BLAKE2b-256 over the whole header, seal included.
func (h *Header) Hash() Hash {
	var buf [512]byte
	return hash.Blake2b256(h.AppendSCALE(buf[:0]))
}

// PreSealHash is the hash of the header without its seal, which the seal signs.
// ok is false if the last digest item is not a seal.
func (h *Header) PreSealHash() (unsealed Hash, ok bool) {
	n := len(h.Digest)
	if n == 0 || h.Digest[n-1].Kind != DigestSeal {
		return Hash{}, false
	}
	c := *h
	c.Digest = h.Digest[:n-1]
	return c.Hash(), true
}

// EngineID names a consensus engine in four bytes.
type EngineID [4]byte

// The engines of this chain.
var (
	EngineBABE    = EngineID{'B', 'A', 'B', 'E'}
	EngineGRANDPA = EngineID{'F', 'R', 'N', 'K'}
)

// DigestKind says what a digest item is; the values are the wire tags.
type DigestKind uint8

// The digest kinds.
const (
	DigestOther                     DigestKind = 0
	DigestConsensus                 DigestKind = 4
	DigestSeal                      DigestKind = 5
	DigestPreRuntime                DigestKind = 6
	DigestRuntimeEnvironmentUpdated DigestKind = 8
)

// DigestItem is one log of a header. Engine is unused by DigestOther, and Data
// by DigestRuntimeEnvironmentUpdated.
type DigestItem struct {
	Kind   DigestKind
	Engine EngineID
	Data   []byte
}

// PreRuntime is a digest item made by a block's author before execution.
func PreRuntime(e EngineID, data []byte) DigestItem { return DigestItem{DigestPreRuntime, e, data} }

// Consensus is a digest item made by the runtime for an engine.
func Consensus(e EngineID, data []byte) DigestItem { return DigestItem{DigestConsensus, e, data} }

// Seal is the digest item that a block's author adds last.
func Seal(e EngineID, data []byte) DigestItem { return DigestItem{DigestSeal, e, data} }

// AppendSCALE appends the item.
func (d DigestItem) AppendSCALE(dst []byte) []byte {
	dst = append(dst, byte(d.Kind))
	switch d.Kind {
	case DigestRuntimeEnvironmentUpdated:
		return dst
	case DigestOther:
	default:
		dst = append(dst, d.Engine[:]...)
	}
	return scale.AppendBytes(dst, d.Data)
}

// DecodeSCALE reads an item.
func (d *DigestItem) DecodeSCALE(c *scale.Cursor) {
	*d = DigestItem{Kind: DigestKind(c.U8())}
	switch d.Kind {
	case DigestRuntimeEnvironmentUpdated:
		return
	case DigestOther:
	case DigestConsensus, DigestSeal, DigestPreRuntime:
		c.Fixed(d.Engine[:])
	default:
		c.Fail(fmt.Errorf("digest item has the unknown kind %d", d.Kind))
		return
	}
	d.Data = c.Bytes(MaxDigestItemBytes)
}

// SCALEType describes the item to metadata.
func (DigestItem) SCALEType() scale.TypeDef {
	bytes, engine := scale.Field{Type: typeBytes}, scale.Field{Type: typeEngine}
	item := func(k DigestKind, name string, fs ...scale.Field) scale.Variant {
		return scale.Variant{Name: name, Index: uint8(k), Fields: fs}
	}
	return scale.TypeDef{Path: "sp_runtime::generic::digest::DigestItem", Kind: scale.KindVariant, Variants: []scale.Variant{
		item(DigestPreRuntime, "PreRuntime", engine, bytes), item(DigestConsensus, "Consensus", engine, bytes),
		item(DigestSeal, "Seal", engine, bytes), item(DigestOther, "Other", bytes),
		item(DigestRuntimeEnvironmentUpdated, "RuntimeEnvironmentUpdated"),
	}}
}

// Digest is the list of a header's logs.
type Digest []DigestItem

// AppendSCALE appends the digest.
func (d Digest) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendCompact(dst, uint64(len(d)))
	for i := range d {
		dst = d[i].AppendSCALE(dst)
	}
	return dst
}

// DecodeSCALE reads a digest of at most MaxDigestItems.
func (d *Digest) DecodeSCALE(c *scale.Cursor) {
	n := c.Len(1)
	if n > MaxDigestItems {
		c.Fail(fmt.Errorf("a header with %d digest items; at most %d are allowed", n, MaxDigestItems))
		return
	}
	*d = nil
	if n > 0 {
		*d = make(Digest, n)
	}
	for i := range *d {
		(*d)[i].DecodeSCALE(c)
	}
}

// SCALEType describes the digest to metadata.
func (Digest) SCALEType() scale.TypeDef {
	return scale.TypeDef{Path: "sp_runtime::generic::digest::Digest", Kind: scale.KindComposite,
		Fields: []scale.Field{{Name: "logs", Type: typeDigestItems}}}
}

// Find returns the data of the first item of a kind and engine.
func (d Digest) Find(k DigestKind, e EngineID) (data []byte, ok bool) {
	for i := range d {
		if d[i].Kind == k && d[i].Engine == e {
			return d[i].Data, true
		}
	}
	return nil, false
}
