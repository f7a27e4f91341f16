package trie

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"golang.org/x/crypto/blake2b"
)

// naive is a second implementation of the specification, from its text and
// sharing nothing with the package: nibble slices, recursion, everything hashed.
type naive struct{ v1 bool }

type naiveKV struct {
	nib []byte
	val []byte
}

func toNibbles(k []byte) (out []byte) {
	for _, b := range k {
		out = append(out, b>>4, b&15)
	}
	return out
}

func naiveCompact(n int) []byte {
	switch {
	case n < 64:
		return []byte{byte(n << 2)}
	case n < 1<<14:
		return binary.LittleEndian.AppendUint16(nil, uint16(n<<2|1))
	}
	return binary.LittleEndian.AppendUint32(nil, uint32(n<<2|2))
}

func (m naive) encode(es []naiveKV) []byte {
	part := es[0].nib
	for _, e := range es {
		i := 0
		for i < len(part) && i < len(e.nib) && part[i] == e.nib[i] {
			i++
		}
		part = part[:i]
	}
	var val []byte
	hasVal := false
	groups := make([][]naiveKV, 16)
	bitmap := uint16(0)
	for _, e := range es {
		if len(e.nib) == len(part) {
			val, hasVal = e.val, true
			continue
		}
		i := e.nib[len(part)]
		groups[i] = append(groups[i], naiveKV{e.nib[len(part)+1:], e.val})
		bitmap |= 1 << i
	}
	hashed := hasVal && m.v1 && len(val) > 32
	var prefix, prefixBits byte
	switch {
	case bitmap == 0 && hashed:
		prefix, prefixBits = 0b001, 3
	case bitmap == 0:
		prefix, prefixBits = 0b01, 2
	case hashed:
		prefix, prefixBits = 0b0001, 4
	case hasVal:
		prefix, prefixBits = 0b11, 2
	default:
		prefix, prefixBits = 0b10, 2
	}
	limit := 1<<(8-prefixBits) - 1
	n := len(part)
	var out []byte
	if n < limit {
		out = append(out, prefix<<(8-prefixBits)|byte(n))
	} else {
		out = append(out, prefix<<(8-prefixBits)|byte(limit))
		for n -= limit; ; n -= 255 {
			if n < 255 {
				out = append(out, byte(n))
				break
			}
			out = append(out, 255)
		}
	}
	p := slices.Clone(part)
	if len(p)%2 == 1 {
		p = append([]byte{0}, p...)
	}
	for i := 0; i < len(p); i += 2 {
		out = append(out, p[i]<<4|p[i+1])
	}
	if bitmap != 0 {
		out = append(out, byte(bitmap), byte(bitmap>>8))
	}
	if hashed {
		h := blake2b.Sum256(val)
		out = append(out, h[:]...)
	} else if hasVal {
		out = append(append(out, naiveCompact(len(val))...), val...)
	}
	for _, g := range groups {
		if len(g) > 0 {
			c := m.encode(g)
			if len(c) >= 32 {
				h := blake2b.Sum256(c)
				c = h[:]
			}
			out = append(append(out, naiveCompact(len(c))...), c...)
		}
	}
	return out
}

func (m naive) root(state map[string]string) [32]byte {
	if len(state) == 0 {
		return blake2b.Sum256([]byte{0})
	}
	var es []naiveKV
	for _, k := range sortedKeys(state) {
		es = append(es, naiveKV{toNibbles([]byte(k)), []byte(state[k])})
	}
	return blake2b.Sum256(m.encode(es))
}

func sortedKeys(state map[string]string) []string {
	keys := make([]string, 0, len(state))
	for k := range state {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// flat is a Loader over maps, with the two states a store has: what was flushed,
// and what the trie in hand holds.
type flat struct {
	flushed map[string]string
	now     map[string]string
	records map[string]string
	lastErr error
}

func newFlat() *flat {
	return &flat{map[string]string{}, map[string]string{}, map[string]string{}, nil}
}

func (f *flat) Record(path []byte) ([]byte, error) {
	if r, ok := f.records[string(path)]; ok {
		return []byte(r), nil
	}
	return nil, nil
}

func under(state map[string]string, p Path) (out []KV) {
	for k, v := range state {
		if p.Covers([]byte(k)) {
			out = append(out, KV{[]byte(k), []byte(v)})
		}
	}
	sort.Slice(out, func(i, j int) bool { return bytes.Compare(out[i].Key, out[j].Key) < 0 })
	return out
}

func (f *flat) Range(p Path, limit int) ([]KV, error) {
	out := under(f.flushed, p)
	if len(out) > limit {
		return nil, fmt.Errorf("more than %d entries", limit)
	}
	return out, nil
}

func (f *flat) Leaf(p Path) (KV, error) {
	out := under(f.now, p)
	if len(out) != 1 {
		return KV{}, fmt.Errorf("%d entries at a leaf", len(out))
	}
	return out[0], nil
}

func (f *flat) get(k []byte) ([]byte, bool, error) {
	v, ok := f.now[string(k)]
	return []byte(v), ok, nil
}

// flush stores t, and checks that exactly the big branches have records.
func (f *flat) flush(t *Trie, removed [][]byte) error {
	for _, p := range removed {
		delete(f.records, string(p))
	}
	var last []byte
	first := true
	err := t.Flush(func(path, rec []byte) error {
		if !first && bytes.Compare(last, path) >= 0 {
			return fmt.Errorf("record %x after %x", path, last)
		}
		first, last = false, bytes.Clone(path)
		f.records[string(path)] = string(rec)
		return nil
	})
	if err != nil {
		return err
	}
	t.MarkFlushed()
	f.flushed = map[string]string{}
	for k, v := range f.now {
		f.flushed[k] = v
	}
	fresh := map[string]string{}
	anchor, err := Build(t.version, under(f.now, Path{}), func(p Path, rec []byte) error {
		fresh[string(p.Append(nil))] = string(rec)
		return nil
	})
	if err != nil {
		return err
	}
	if anchor != t.Anchor() {
		return fmt.Errorf("anchor %v, rebuilt %v", t.Anchor(), anchor)
	}
	if len(fresh) != len(f.records) {
		return fmt.Errorf("%d records, rebuilt %d", len(f.records), len(fresh))
	}
	for p, r := range fresh {
		if f.records[p] != r {
			return fmt.Errorf("record %x differs from the rebuilt one", p)
		}
	}
	return nil
}

// apply applies changes to the map state.
func (f *flat) apply(ch []Change) {
	next := map[string]string{}
	for k, v := range f.now {
		next[k] = v
	}
	for _, c := range ch {
		if c.Deleted {
			delete(next, string(c.Key))
		} else {
			next[string(c.Key)] = string(c.Value)
		}
	}
	f.now = next
}
