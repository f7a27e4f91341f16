package importer

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/hash/sha256x"
)

// layout makes the graph of one file: all leaves equally deep, nodes filled from the left, as
// boxo's balanced layout does. Content is read to where it stays until the vault has it.
type layout struct {
	p      Profile
	blocks *service
	leaves []leaf   // to be hashed together
	levels [][]link // links that wait for a node above them; those to leaves first
}

// leaf is a block with a part of the content.
type leaf struct {
	block   []byte
	content uint64 // bytes
	lent    []byte // the buffer that block lies in, if it has to be given back
}

// link leads from a node to what is below it.
type link struct {
	cid     cid.Cid
	graph   uint64 // bytes of blocks
	content uint64 // bytes of the file
}

// leavesAtOnce is how many leaves are hashed together: as many as are fastest.
const leavesAtOnce = 16

// leafRoom is the room before a chunk, and behind it, for what makes a node of it.
const leafRoom = 32

// file reads content until its end and returns the link to all of it.
func (l *layout) file(ctx context.Context, content io.Reader) (link, error) {
	for first, end := true, false; !end; first = false {
		buf := l.blocks.buffer(leafRoom + int(l.p.chunk) + leafRoom)
		n, err := io.ReadFull(content, buf[leafRoom:leafRoom+l.p.chunk])
		if end = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !end {
			return link{}, err
		}
		f := leaf{l.leaf(buf, n), uint64(n), buf}
		if end { // shorter than others
			f.block, f.lent = slices.Clone(f.block), nil
			l.blocks.free = append(l.blocks.free, buf)
		}
		if n > 0 || first {
			l.leaves = append(l.leaves, f)
		}
		if end || len(l.leaves) == leavesAtOnce {
			if err := l.hash(ctx); err != nil {
				return link{}, err
			}
		}
	}
	for level := 0; ; level++ {
		links := l.levels[level]
		if level == len(l.levels)-1 && len(links) == 1 {
			return links[0], nil
		}
		if len(links) > 0 {
			if err := l.node(ctx, level); err != nil {
				return link{}, err
			}
		}
	}
}

// leaf makes a block of the n bytes that lie behind the room in a buffer.
func (l *layout) leaf(buf []byte, n int) []byte {
	if l.p.rawLeaves {
		return buf[leafRoom : leafRoom+n]
	}
	inner := []byte{0x08, 2} // a file
	if n > 0 {
		inner = binary.AppendUvarint(append(inner, 0x12), uint64(n))
	}
	block := binary.AppendUvarint(append(buf[:leafRoom+n], 0x18), uint64(n))
	outer := binary.AppendUvarint([]byte{0x0a}, uint64(len(inner)+len(block)-leafRoom))
	at := leafRoom - len(outer) - len(inner)
	copy(block[at:], outer)
	copy(block[at+len(outer):], inner)
	return block[at:]
}

// hash gives the leaves that were read to the vault.
func (l *layout) hash(ctx context.Context) error {
	var blocks [leavesAtOnce][]byte
	var sums [leavesAtOnce * sha256x.Size]byte
	for i := range l.leaves {
		blocks[i] = l.leaves[i].block
	}
	sha256x.All(sums[:len(l.leaves)*sha256x.Size], blocks[:len(l.leaves)])
	for i, f := range l.leaves {
		if f.lent != nil { // from now on, and not before: put may give back all that were lent
			l.blocks.lent = append(l.blocks.lent, f.lent)
		}
		if err := l.put(ctx, 0, f.block, sums[i*sha256x.Size:][:sha256x.Size], link{content: f.content}); err != nil {
			return err
		}
	}
	l.leaves = l.leaves[:0]
	return nil
}

// node makes a node of the links of a level.
func (l *layout) node(ctx context.Context, level int) error {
	var sum [sha256x.Size]byte
	var all link
	inner, block := []byte{}, []byte{}
	for _, k := range l.levels[level] {
		all.graph += k.graph
		all.content += k.content
		inner = binary.AppendUvarint(append(inner, 0x20), k.content)
		c := k.cid.Bytes()
		one := append(binary.AppendUvarint([]byte{0x0a}, uint64(len(c))), c...)
		one = binary.AppendUvarint(append(one, 0x12, 0, 0x18), k.graph) // without a name
		block = append(binary.AppendUvarint(append(block, 0x12), uint64(len(one))), one...)
	}
	inner = append(binary.AppendUvarint([]byte{0x08, 2, 0x18}, all.content), inner...)
	block = append(binary.AppendUvarint(append(block, 0x0a), uint64(len(inner))), inner...)
	l.levels[level] = l.levels[level][:0]
	sha256x.All(sum[:], [][]byte{block})
	return l.put(ctx, level+1, block, sum[:], all)
}

// put gives a block to the vault, and links to it.
func (l *layout) put(ctx context.Context, level int, block, sum []byte, k link) error {
	hash, err := multihash.Encode(sum, multihash.SHA2_256)
	if err != nil {
		return err
	}
	switch {
	case l.p.rawLeaves && level == 0:
		k.cid = cid.NewCidV1(cid.Raw, hash)
	case l.p.version == 0:
		k.cid = cid.NewCidV0(hash)
	default:
		k.cid = cid.NewCidV1(cid.DagProtobuf, hash)
	}
	k.graph += uint64(len(block))
	key, err := dag.ParseCID(k.cid.Bytes())
	if err == nil {
		err = l.blocks.put(ctx, vault.Block{CID: key, Data: block})
	}
	if err != nil {
		return err
	}
	if level == len(l.levels) {
		l.levels = append(l.levels, nil)
	}
	if l.levels[level] = append(l.levels[level], k); len(l.levels[level]) < l.p.links {
		return nil
	}
	return l.node(ctx, level)
}
