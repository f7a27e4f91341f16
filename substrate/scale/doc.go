// Package scale is SCALE, the binary codec of Substrate: little-endian fixed
// integers, compact integers, length-prefixed sequences, concatenated structs,
// one-byte-tagged enums. Rules: Polkadot specification, "SCALE codec".
//
// There are two ways to use it, and both produce the same bytes.
//
// By hand, for the types on hot paths: encoding appends to a caller's slice and
// allocates nothing; decoding reads from a [Cursor] whose error is sticky, so a
// decoder is a straight list of reads and one check at the end.
//
//	func (p Point) AppendSCALE(dst []byte) []byte {
//		return scale.AppendCompact(scale.AppendU32(dst, p.X), p.Y)
//	}
//	func (p *Point) DecodeSCALE(c *scale.Cursor) { p.X, p.Y = c.U32(), c.Compact() }
//
// By plan, for everything else: [CodecOf] walks a Go type once with reflection
// and returns a [Codec] that walks memory afterwards. Structs, slices, arrays,
// strings, sized integers and bools mean what they look like; [Option] is an
// option; a struct that embeds [Enum] is an enum whose variants are its pointer
// fields; a named uint8 with a Variants method is an enum of bare names; the
// field tag `scale:"compact"` makes an integer compact. [TypeDefOf] describes
// the same type for metadata, so codec and metadata cannot disagree.
//
// Input is hostile: a length is checked against the bytes that are left before
// anything is allocated, compact integers must be minimal, option and bool tags
// must be known, and [Cursor.Finish] refuses trailing bytes.
package scale
