package dag

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/hash"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// field appends a length-delimited protobuf field.
func field(dst []byte, number byte, value []byte) []byte {
	return append(binary.AppendUvarint(append(dst, number<<3|2), uint64(len(value))), value...)
}

// node makes a PBNode as go-ipfs writes it: links with name and size, then data.
func node(data []byte, links ...CID) []byte {
	var b []byte
	for i, c := range links {
		l := field(field(nil, 1, c.Bytes()), 2, fmt.Appendf(nil, "%d", i))
		b = field(b, 2, append(l, 3<<3, byte(i)))
	}
	return field(b, 1, data)
}

// The block of an empty UnixFS file and its well-known CID, in both versions: QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH.
func TestKnownCID(t *testing.T) {
	block := unhex(t, "0a0408021800")
	v0 := unhex(t, "1220bfccda787baba32b59c78450ac3d20b633360b43992c77289f9ed46d843561e6")
	c, err := ParseCID(v0)
	if err != nil || !c.Matches(block) || c.Codec() != DagPB {
		t.Fatalf("%v, %v: the block does not match", c, err)
	}
	if want := append([]byte{1, 0x70}, v0...); !bytes.Equal(c.Bytes(), want) {
		t.Errorf("canonical form %x, want %x", c.Bytes(), want)
	}
	if Canonical(v0) || !Canonical(c.Bytes()) {
		t.Error("only version 1 is canonical")
	}
	if Sum(DagPB, block) != c {
		t.Error("Sum differs")
	}
}

func TestParseCID(t *testing.T) {
	block := []byte("crust")
	s512, b256 := sha512.Sum512(block), hash.Blake2b256(block)
	for name, b := range map[string][]byte{
		"sha2-512":    append([]byte{1, 0x55, 0x13, 64}, s512[:]...),
		"blake2b-256": append([]byte{1, 0x71, 0xa0, 0xe4, 0x02, 32}, b256[:]...),
		"identity":    append([]byte{1, 0x55, 0, 5}, block...),
	} {
		c, err := ParseCID(b)
		if err != nil || !c.Matches(block) || c.Matches(block[1:]) || !bytes.Equal(c.Bytes(), b) || len(b) > MaxCID {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	good := Sum(Raw, block).Bytes()
	for name, b := range map[string][]byte{
		"nothing":       {},
		"short digest":  good[:35],
		"trailing":      append(bytes.Clone(good), 0),
		"version 2":     append([]byte{2}, good[1:]...),
		"codec":         append([]byte{1, 0x51}, good[2:]...),
		"sha1":          append([]byte{1, 0x55, 0x11, 20}, make([]byte, 20)...),
		"truncated sha": append([]byte{1, 0x55, 0x12, 20}, make([]byte, 20)...),
		"long varint":   append([]byte{1, 0xd5, 0x00, 0x12, 32}, make([]byte, 32)...),
		"long identity": append([]byte{1, 0x55, 0, 0x81, 1}, make([]byte, 129)...),
	} {
		if c, err := ParseCID(b); !errors.Is(err, ErrCID) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
}

func TestPBForms(t *testing.T) {
	a, b := Sum(Raw, []byte("a")), Sum(DagPB, []byte{})
	link := field(nil, 1, a.Bytes())
	for name, c := range map[string]struct {
		block []byte
		links int // -1: refused
	}{
		"empty":              {nil, 0},
		"as written by ipfs": {node([]byte("x"), a, b), 2},
		"data first":         {append(field(nil, 1, []byte("x")), field(nil, 2, link)...), 1},
		"links around data":  {append(node([]byte("x"), a), field(nil, 2, link)...), -1},
		"data twice":         {append(node([]byte("x")), field(nil, 1, nil)...), -1},
		"link without hash":  {field(nil, 2, field(nil, 2, []byte("n"))), -1},
		"name before hash":   {field(nil, 2, append(field(nil, 2, []byte("n")), link...)), -1},
		"hash twice":         {field(nil, 2, append(bytes.Clone(link), link...)), -1},
		"field 3":            {field(nil, 3, link), -1},
		"ends early":         {[]byte{2<<3 | 2, 9, 1}, -1},
		"fixed64":            {[]byte{1<<3 | 1, 0, 0, 0, 0, 0, 0, 0, 0}, -1},
		"foreign hash":       {field(nil, 2, field(nil, 1, append([]byte{1, 0x55, 0x11, 20}, make([]byte, 20)...))), -1},
	} {
		links, err := Links(DagPB, c.block)
		if (err != nil) != (c.links < 0) || err == nil && len(links) != c.links {
			t.Errorf("%s: %d links, %v", name, len(links), err)
		}
	}
}

func TestCBORForms(t *testing.T) {
	l := append([]byte{0xd8, 42, 0x58, 37, 0}, Sum(Raw, []byte("a")).Bytes()...)
	cat := func(p ...[]byte) []byte { return bytes.Join(p, nil) }
	deep := func(n int) []byte { return append(bytes.Repeat([]byte{0x81}, n), 0) }
	for name, c := range map[string]struct {
		block []byte
		links int
	}{
		"integer":           {[]byte{0x18, 24}, 0},
		"link":              {l, 1},
		"list of links":     {cat([]byte{0x82}, l, l), 2},
		"map":               {cat([]byte{0xa2, 0x61, 'b'}, l, []byte{0x62, 'a', 'a', 0xf6}), 1},
		"float":             {[]byte{0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0}, 0},
		"true, false, null": {[]byte{0x83, 0xf5, 0xf4, 0xf6}, 0},
		"deep enough":       {deep(128), 0},
		"too deep":          {deep(129), -1},
		"nothing":           {nil, -1},
		"long integer":      {[]byte{0x18, 23}, -1},
		"long length":       {[]byte{0x59, 0, 1, 9}, -1},
		"indefinite":        {[]byte{0x9f, 0xff}, -1},
		"undefined":         {[]byte{0xf7}, -1},
		"short float":       {[]byte{0xf9, 0x3c, 0}, -1},
		"infinity":          {[]byte{0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0}, -1},
		"keys out of order": {[]byte{0xa2, 0x62, 'a', 'a', 0, 0x61, 'b', 0}, -1},
		"key twice":         {[]byte{0xa2, 0x61, 'b', 0, 0x61, 'b', 0}, -1},
		"integer key":       {[]byte{0xa1, 0, 0}, -1},
		"not UTF-8":         {[]byte{0x61, 0xff}, -1},
		"two items":         {[]byte{0, 0}, -1},
		"other tag":         {[]byte{0xc1, 0}, -1},
		"link without 0":    {cat([]byte{0xd8, 42, 0x58, 36}, Sum(Raw, nil).Bytes()), -1},
		"huge list":         {[]byte{0x9b, 255, 255, 255, 255, 255, 255, 255, 255}, -1},
		"huge bytes":        {[]byte{0x5b, 255, 255, 255, 255, 255, 255, 255, 255}, -1},
		"link of two":       {[]byte{0xd8, 42, 0x82, 0, 0}, -1},
	} {
		links, err := Links(DagCBOR, c.block)
		if (err != nil) != (c.links < 0) || err == nil && len(links) != c.links {
			t.Errorf("%s: %d links, %v", name, len(links), err)
		}
	}
}

// graph is a random DAG: blocks by CID, root last. Blocks are shared, and some
// appear both as raw and as dag-pb.
func graph(t *rapid.T) (root CID, blocks map[string][]byte, size uint64) {
	blocks = map[string][]byte{}
	var all []CID
	n := rapid.IntRange(1, 25).Draw(t, "blocks")
	for i := range n {
		var b []byte
		codec := Raw
		if len(all) > 0 && (i == n-1 || rapid.Bool().Draw(t, "inner")) {
			codec = DagPB
			b = node([]byte{byte(i)}, rapid.SliceOfN(rapid.SampledFrom(all), 1, 6).Draw(t, "links")...)
			if rapid.Bool().Draw(t, "inline") {
				if in, err := newCID(DagPB, identity, field(nil, 2, field(nil, 1, all[0].Bytes()))); err == nil {
					b = node([]byte{byte(i)}, in)
				}
			}
		} else {
			b = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "raw")
		}
		c := Sum(codec, b)
		blocks[c.Key()] = b
		all = append(all, c)
	}
	root = all[n-1]
	var visit func(c CID)
	visited := map[string]bool{}
	visit = func(c CID) {
		b, inline := c.Inline()
		if !inline {
			if visited[c.Key()] {
				return
			}
			visited[c.Key()] = true
			b = blocks[c.Key()]
			size += uint64(len(b))
		}
		links, err := Links(c.Codec(), b)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			visit(l)
		}
	}
	visit(root)
	return root, blocks, size
}

// Matches says of each block what CID.Matches says.
func TestMatches(t *testing.T) {
	var cids []CID
	var blocks [][]byte
	for i := range 40 {
		block := bytes.Repeat([]byte{byte(i)}, i*37)
		c := Sum(Raw, block)
		switch i % 5 {
		case 1:
			h := hash.Blake2b256(block)
			c = mustCID(t, Raw, blake2b256, h[:])
		case 2:
			block = append(block, 1)
		case 3:
			c = CID{}
		}
		cids, blocks = append(cids, c), append(blocks, block)
	}
	for i, got := range Matches(cids, blocks) {
		if want := i%5 != 2 && i%5 != 3; got != want || got != cids[i].Matches(blocks[i]) {
			t.Errorf("block %d: %v", i, got)
		}
	}
	if len(Matches(nil, nil)) != 0 {
		t.Error("of no blocks")
	}
}

func mustCID(t *testing.T, codec Codec, code uint64, digest []byte) CID {
	t.Helper()
	c, err := newCID(codec, code, digest)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Whatever order blocks come in, a walk accepts each distinct block once and
// measures what a recursive reading of the graph measures.
func TestWalkMeasures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root, blocks, size := graph(t)
		w, err := NewWalk(root, size)
		if err != nil {
			t.Fatal(err)
		}
		open := []CID{root}
		for len(open) > 0 {
			i := rapid.IntRange(0, len(open)-1).Draw(t, "next")
			c := open[i]
			open = slices.Delete(open, i, i+1)
			if _, err := w.Accept(c, append([]byte("x"), blocks[c.Key()]...)); !errors.Is(err, ErrMismatch) {
				t.Fatalf("another block: %v", err)
			}
			var links []CID
			if block := blocks[c.Key()]; Leaf(c.Codec(), block) && rapid.Bool().Draw(t, "by its length") {
				err = w.AcceptLeaf(c, len(block))
			} else {
				links, err = w.Accept(c, block)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Accept(c, blocks[c.Key()]); !errors.Is(err, ErrNotWanted) {
				t.Fatalf("a block twice: %v", err)
			}
			if err := w.AcceptLeaf(c, 1); !errors.Is(err, ErrNotWanted) {
				t.Fatalf("a leaf twice: %v", err)
			}
			open = append(open, links...)
		}
		if !w.Done() || w.Size() != size {
			t.Fatalf("done %v with %d bytes, want %d", w.Done(), w.Size(), size)
		}
		if size == 0 {
			return
		}
		w, _ = NewWalk(root, size-1)
		open = []CID{root}
		for err = nil; err == nil && len(open) > 0; open = open[1:] {
			var links []CID
			if block := blocks[open[0].Key()]; Leaf(open[0].Codec(), block) {
				err = w.AcceptLeaf(open[0], len(block))
			} else {
				links, err = w.Accept(open[0], block)
			}
			open = append(open, links...)
		}
		if !errors.Is(err, ErrLimit) || w.Done() {
			t.Fatalf("one byte above the limit: %v", err)
		}
	})
}

func TestWalkRefuses(t *testing.T) {
	if _, err := NewWalk(CID{}, 1); !errors.Is(err, ErrCID) {
		t.Errorf("no root: %v", err)
	}
	in, err := newCID(Raw, identity, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewWalk(in, 1); !errors.Is(err, ErrCID) {
		t.Errorf("identity root: %v", err)
	}
	big := make([]byte, MaxBlock+1)
	w, _ := NewWalk(Sum(Raw, big), 1<<40)
	if _, err := w.Accept(Sum(Raw, big), big); !errors.Is(err, ErrLimit) {
		t.Errorf("big block: %v", err)
	}
	if _, err := w.Accept(Sum(Raw, nil), nil); !errors.Is(err, ErrNotWanted) {
		t.Errorf("foreign block: %v", err)
	}
	bad := []byte{0xff}
	w, _ = NewWalk(Sum(DagCBOR, bad), 1<<40)
	for range 2 {
		if _, err := w.Accept(Sum(DagCBOR, bad), bad); !errors.Is(err, ErrBlock) {
			t.Errorf("malformed block: %v", err)
		}
	}
}

func FuzzLinks(f *testing.F) {
	f.Add(uint64(DagPB), node([]byte("x"), Sum(Raw, nil)))
	f.Add(uint64(DagCBOR), append([]byte{0xd8, 42, 0x58, 37, 0}, Sum(Raw, nil).Bytes()...))
	f.Fuzz(func(t *testing.T, codec uint64, b []byte) {
		links, err := Links(Codec(codec), b)
		if err == nil && len(links)*4 > len(b) {
			t.Fatalf("%d links in %d bytes", len(links), len(b))
		}
		for _, c := range links {
			if again, err := ParseCID(c.Bytes()); err != nil || again != c {
				t.Fatalf("%v does not parse again: %v", c, err)
			}
		}
	})
}

func FuzzCID(f *testing.F) {
	f.Add(Sum(Raw, nil).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCID(b)
		if err != nil {
			return
		}
		if again, err := ParseCID(c.Bytes()); err != nil || again != c {
			t.Fatalf("%x: %v, %v", b, again, err)
		}
	})
}

func BenchmarkAcceptNode(b *testing.B) {
	links := make([]CID, 174) // a full node of kubo's
	for i := range links {
		links[i] = Sum(Raw, []byte{byte(i)})
	}
	block := node([]byte("x"), links...)
	c := Sum(DagPB, block)
	b.ReportAllocs()
	b.SetBytes(int64(len(block)))
	for b.Loop() {
		w, _ := NewWalk(c, 1<<40)
		if _, err := w.Accept(c, block); err != nil {
			b.Fatal(err)
		}
	}
}
