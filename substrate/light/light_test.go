package light

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// far is a latest slot that nothing in these tests reaches.
const far = types.Slot(1 << 40)

// author makes all blocks of the tests.
var author = sr25519.FromSeed([32]byte{1})

// voter is a voter by name; each set has one.
func voter(name types.SetID) *ed25519.KeyPair { return ed25519.FromSeed([32]byte{2, byte(name)}) }

func voters(name types.SetID) []grandpa.Authority {
	return []grandpa.Authority{{Key: voter(name).Public(), Weight: 1}}
}

// values is the state of every block of the tests.
var values = []trie.KV{{Key: []byte("a"), Value: []byte{1}}, {Key: []byte("ab"), Value: bytes.Repeat([]byte{2}, 40)}, {Key: []byte("b"), Value: []byte{}}}

func config() *babe.Config {
	return &babe.Config{SlotDuration: 1000, EpochLength: 10, EpochConfig: babe.EpochConfig{C: babe.Ratio{Num: 1, Den: 4}, Allowed: babe.AllowedSlots(1)},
		Authorities: []babe.Authority{{Key: author.Public(), Weight: 1}}}
}

func genesis(t testing.TB) *Client {
	t.Helper()
	at, err := Genesis(types.Header{StateRoot: trie.Root(trie.V1, values)}, config(), voters(0))
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// child makes a header on a block that c knows, some slots after it.
func child(t testing.TB, c *Client, parent types.Hash, skip types.Slot, more ...types.DigestItem) *types.Header {
	t.Helper()
	p, ok := c.blocks[parent]
	if !ok {
		t.Fatalf("no block %v", parent)
	}
	slot := p.head.Slot + 1 + skip
	e, first := p.head.Epochs.At(slot)
	claim, key, ok := babe.Claim(slot, e, []babe.Key{author})
	if !ok {
		t.Fatal("no claim")
	}
	h := &types.Header{ParentHash: parent, Number: p.header.Number + 1, StateRoot: trie.Root(trie.V1, values), Digest: append(types.Digest{claim.Item()}, more...)}
	if first {
		h.Digest = append(h.Digest, babe.NextEpoch(e.Authorities, [32]byte{byte(slot)}).Item())
	}
	if err := babe.Seal(h, key); err != nil {
		t.Fatal(err)
	}
	return h
}

// add gives c a new header.
func add(t testing.TB, c *Client, parent types.Hash, skip types.Slot, more ...types.DigestItem) types.Hash {
	t.Helper()
	h, err := c.Header(child(t, c, parent, skip, more...), far)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// change is the digest item that begins a set of a voter.
func change(name types.SetID) types.DigestItem {
	return grandpa.ScheduledChange(voters(name), 0).Item()
}

// proof justifies a block by the set of c, whose voter need not have its number
// for a name: blocks of a chain that were made before either was final can
// change to the same voter.
func proof(t testing.TB, c *Client, h types.Hash) []byte {
	t.Helper()
	header, err := c.Known(h)
	if err != nil {
		t.Fatal(err)
	}
	set, name := c.Voters().ID(), types.SetID(0)
	for voters(name)[0] != c.Voters().Authorities()[0] {
		if name++; name > set {
			t.Fatalf("set %d has a voter that nobody made", set)
		}
	}
	return scale.Encode(grandpa.Solo(voter(name), grandpa.Round{Set: set, Number: 1}, grandpa.Target{Hash: h, Number: header.Number}))
}

// unchanged fails unless f refuses and leaves c as it is.
func unchanged(t testing.TB, c *Client, what string, f func() error) error {
	t.Helper()
	before := c.AppendSCALE(nil)
	err := f()
	if err == nil {
		t.Errorf("%s was taken", what)
	}
	if !bytes.Equal(before, c.AppendSCALE(nil)) {
		t.Errorf("%s changed the client", what)
	}
	return err
}

func TestHeaderRefused(t *testing.T) {
	c := genesis(t)
	root, _ := c.Final()
	one := add(t, c, root, 5)
	good := child(t, c, one, 0)
	for name, spoil := range map[string]func(*types.Header){
		"parent":     func(h *types.Header) { h.ParentHash[3] ^= 1 },
		"number":     func(h *types.Header) { h.Number++ },
		"state root": func(h *types.Header) { h.StateRoot[0] ^= 1 },
		"extrinsics": func(h *types.Header) { h.ExtrinsicsRoot[0] ^= 1 },
		"claim":      func(h *types.Header) { h.Digest[0].Data = bytes.Clone(h.Digest[0].Data); h.Digest[0].Data[5] ^= 1 },
		"seal":       func(h *types.Header) { h.Digest[1].Data = bytes.Clone(h.Digest[1].Data); h.Digest[1].Data[9] ^= 1 },
		"no seal":    func(h *types.Header) { h.Digest = h.Digest[:1] },
		"no claim":   func(h *types.Header) { h.Digest = h.Digest[1:] },
		"delayed change": func(h *types.Header) {
			h.Digest = slices.Insert(h.Digest, 1, grandpa.ScheduledChange(voters(1), 3).Item())
		},
		"empty set": func(h *types.Header) { h.Digest = slices.Insert(h.Digest, 1, grandpa.ScheduledChange(nil, 0).Item()) },
	} {
		h := *good
		h.Digest = slices.Clone(good.Digest)
		spoil(&h)
		_ = unchanged(t, c, name, func() error { _, err := c.Header(&h, far); return err })
	}
	if err := unchanged(t, c, "a header of the future", func() error { _, err := c.Header(good, 1); return err }); !errors.Is(err, babe.ErrFuture) {
		t.Error(err)
	}
	if _, err := c.Header(good, far); err != nil {
		t.Fatal(err)
	}
	if err := unchanged(t, c, "a header twice", func() error { _, err := c.Header(good, far); return err }); !errors.Is(err, ErrKnown) {
		t.Error(err)
	}
}

func TestChangeComesFirst(t *testing.T) {
	c := genesis(t)
	root, _ := c.Final()
	one := add(t, c, root, 5)
	two := add(t, c, one, 0, change(1))
	three := add(t, c, two, 0)
	fork := add(t, c, one, 3)
	late := proof(t, c, three)
	if err := unchanged(t, c, "finality beyond a change", func() error { _, err := c.Justification(late, nil); return err }); !errors.Is(err, ErrChange) {
		t.Error(err)
	}
	if _, err := c.Justification(proof(t, c, two), nil); err != nil {
		t.Fatal(err)
	}
	if c.Voters().ID() != 1 || c.Voters().Authorities()[0] != voters(1)[0] {
		t.Errorf("set %d", c.Voters().ID())
	}
	if _, err := c.Known(fork); !errors.Is(err, ErrUnknown) {
		t.Errorf("a fork beside the final block: %v", err)
	}
	_ = unchanged(t, c, "finality by the old set", func() error { _, err := c.Justification(late, nil); return err })
	again := proof(t, c, two)
	if err := unchanged(t, c, "finality twice", func() error { _, err := c.Justification(again, nil); return err }); !errors.Is(err, ErrKnown) {
		t.Error(err)
	}
	if _, err := c.Justification(proof(t, c, three), nil); err != nil {
		t.Error(err)
	}
	if h, _ := c.Final(); h != three || len(c.blocks) != 1 || c.bytes != 0 {
		t.Errorf("%d blocks and %d bytes are kept", len(c.blocks), c.bytes)
	}
}

func TestLimits(t *testing.T) {
	c := genesis(t)
	root, _ := c.Final()
	at := add(t, c, root, 5)
	big := types.DigestItem{Kind: types.DigestOther, Data: make([]byte, types.MaxDigestItemBytes)}
	n := 0
	for {
		h := child(t, c, at, 0, big)
		id, err := c.Header(h, far)
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		at = id
		n++
	}
	if n != MaxHeaderBytes/types.MaxDigestItemBytes-1 || c.bytes > MaxHeaderBytes {
		t.Errorf("%d headers, %d bytes", n, c.bytes)
	}
	if _, err := c.Justification(proof(t, c, at), nil); err != nil || c.bytes != 0 {
		t.Errorf("finality leaves %d bytes, %v", c.bytes, err)
	}
	add(t, c, at, 0)
}

func TestReads(t *testing.T) {
	c := genesis(t)
	root, header := c.Final()
	if header.StateRoot != types.Hash(trie.Root(trie.V1, values)) {
		t.Fatal("root")
	}
	nodes := nodesOf(t)
	for _, kv := range values {
		if v, ok, err := c.Read(root, nodes, kv.Key); err != nil || !ok || !bytes.Equal(v, kv.Value) {
			t.Errorf("%q: %x, %v, %v", kv.Key, v, ok, err)
		}
	}
	for _, key := range []string{"", "c", "abc", "aa"} {
		if _, ok, err := c.Read(root, nodes, []byte(key)); err != nil || ok {
			t.Errorf("%q: %v, %v", key, ok, err)
		}
	}
	v, err := c.View(root, nodes)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := v.Closest([]byte("a")); err != nil || !ok {
		t.Errorf("closest to a: %v, %v", ok, err)
	}
	if _, ok, err := v.Closest([]byte("x")); err != nil || ok {
		t.Errorf("closest to x: %v, %v", ok, err)
	}
	it := state.View(v).Iterate(nil, nil)
	if it.Next() || !errors.Is(it.Err(), trie.ErrIncompleteProof) {
		t.Error("a proof was iterated")
	}
	if _, _, err := c.Read(types.Hash{1}, nodes, nil); !errors.Is(err, ErrUnknown) {
		t.Errorf("read of an unknown block: %v", err)
	}
	for i := range nodes {
		for at := range nodes[i] {
			bad := slices.Clone(nodes)
			bad[i] = bytes.Clone(bad[i])
			bad[i][at] ^= 4
			ok := 0
			for _, kv := range values {
				if v, present, err := c.Read(root, bad, kv.Key); err == nil {
					if ok++; !present || !bytes.Equal(v, kv.Value) {
						t.Fatalf("byte %d of node %d: %q reads %x", at, i, kv.Key, v)
					}
				}
			}
			if ok == len(values) {
				t.Fatalf("byte %d of node %d does not matter", at, i)
			}
		}
	}
}

// nodesOf is a proof of all values, as the wire has it.
func nodesOf(t testing.TB) [][]byte {
	t.Helper()
	tr, ld := trie.Empty(trie.V1), memory{values}
	var changes []trie.Change
	for _, kv := range values {
		changes = append(changes, trie.Change{Key: kv.Key, Value: kv.Value})
	}
	up, err := tr.Update(ld, changes, trie.Sequential, 1)
	if err != nil {
		t.Fatal(err)
	}
	var keys [][]byte
	for _, kv := range values {
		keys = append(keys, kv.Key)
	}
	nodes, err := up.Trie.Prove(ld, func(key []byte) ([]byte, bool, error) {
		for _, kv := range values {
			if bytes.Equal(kv.Key, key) {
				return kv.Value, true, nil
			}
		}
		return nil, false, nil
	}, keys, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	wire := scale.AppendCompact(nil, uint64(len(nodes)))
	for _, n := range nodes {
		wire = scale.AppendBytes(wire, n)
	}
	back, err := protocol.DecodeProof(wire)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// memory is a trie.Loader over a few sorted entries.
type memory struct{ kvs []trie.KV }

func (memory) Record([]byte) ([]byte, error) { return nil, nil }

func (m memory) Range(p trie.Path, _ int) (out []trie.KV, _ error) {
	for _, kv := range m.kvs {
		if under(kv.Key, p) {
			out = append(out, kv)
		}
	}
	return out, nil
}

func (m memory) Leaf(p trie.Path) (trie.KV, error) {
	out, _ := m.Range(p, 1)
	return out[0], nil
}

func under(key []byte, p trie.Path) bool {
	if 2*len(key) < p.Nibbles {
		return false
	}
	nibble := func(k []byte, i int) byte { return k[i/2] >> (4 * (1 - i%2)) & 15 }
	for i := range p.Nibbles {
		if nibble(key, i) != nibble(p.Key, i) {
			return false
		}
	}
	return true
}

// However a client comes to know the same headers, written down and read again
// at any time or not, it is in the same state, and that of a naive model.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := genesis(t)
		root, _ := c.Final()
		known := []types.Hash{add(t, c, root, 5)}
		next := types.SetID(1)
		for range rapid.IntRange(1, 20).Draw(r, "steps") {
			i := rapid.IntRange(0, len(known)-1).Draw(r, "block")
			switch rapid.IntRange(0, 4).Draw(r, "what") {
			case 0, 1:
				if h := child(t, c, known[i], types.Slot(rapid.SampledFrom([]int{0, 1, 2, 30}).Draw(r, "skip"))); !c.tree.Contains(h.Hash()) {
					id, err := c.Header(h, far)
					if err != nil {
						r.Fatal(err)
					}
					known = append(known, id)
				}
			case 2:
				h := child(t, c, known[i], 0, change(next))
				if _, err := c.Header(h, far); err != nil && !errors.Is(err, ErrKnown) {
					r.Fatal(err)
				} else if err == nil {
					known = append(known, h.Hash())
				}
			case 3:
				known, next = finaliseModel(t, r, c, known, known[i], next)
			default:
				back, err := Decode(c.AppendSCALE(nil))
				if err != nil {
					r.Fatal(err)
				}
				if !bytes.Equal(back.AppendSCALE(nil), c.AppendSCALE(nil)) || back.bytes != c.bytes {
					r.Fatal("written down and read, the client is another")
				}
				a, _ := back.Best()
				if b, _ := c.Best(); a != b {
					r.Fatal("the best fork is another")
				}
				c = back
			}
		}
	})
}

// finaliseModel makes a block final and compares with what a walk over all known
// headers says.
func finaliseModel(t *testing.T, r *rapid.T, c *Client, known []types.Hash, to types.Hash, next types.SetID) ([]types.Hash, types.SetID) {
	root, _ := c.Final()
	if to == root {
		return known, next
	}
	changeOf := func(h types.Hash) *grandpa.Change {
		header, err := c.Known(h)
		if err != nil {
			r.Fatal(err)
		}
		change, _ := grandpa.ReadLogs(header.Digest)
		return change
	}
	above := func(h, base types.Hash) bool { // h is base or above it
		for h != base {
			b, err := c.Known(h)
			if err != nil || h == root {
				return false
			}
			h = b.ParentHash
		}
		return true
	}
	want := true
	for h := to; ; {
		b, _ := c.Known(h)
		if h = b.ParentHash; h == root {
			break
		}
		want = want && changeOf(h) == nil
	}
	var stay []types.Hash
	for _, h := range known {
		if above(h, to) {
			stay = append(stay, h)
		}
	}
	voters := c.Voters().Authorities()
	change := changeOf(to)
	_, err := c.Justification(proof(t, c, to), nil)
	if (err == nil) != want {
		r.Fatalf("finality: %v, the model says %v", err, want)
	}
	if err != nil {
		return known, next
	}
	if change != nil {
		next++
		voters = change.Next
	}
	if c.Voters().ID() != next-1 || !slices.Equal(c.Voters().Authorities(), voters) {
		r.Fatalf("set %d of %v, the model says %d of %v", c.Voters().ID(), c.Voters().Authorities(), next-1, voters)
	}
	if len(c.blocks) != len(stay) {
		r.Fatalf("%d blocks are kept, the model says %d", len(c.blocks), len(stay))
	}
	for _, h := range stay {
		if _, err := c.Known(h); err != nil {
			r.Fatal(err)
		}
	}
	return stay, next
}

func FuzzDecode(f *testing.F) {
	c := genesis(f)
	f.Add(c.AppendSCALE(nil))
	root, _ := c.Final()
	one := add(f, c, root, 5)
	add(f, c, one, 0, change(1))
	f.Add(c.AppendSCALE(nil))
	f.Add([]byte{Format + 1})
	at := c.Checkpoint()
	at.Head.Epochs = nil
	f.Add(append(at.AppendSCALE([]byte{Format}), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.AppendSCALE(nil), b) {
			t.Fatal("two forms of one client")
		}
	})
}

func FuzzNodes(f *testing.F) {
	f.Add([]byte{4, 8, 1, 2})
	f.Add([]byte{0})
	f.Add([]byte{0xfe, 0xff, 0xff, 0xff, 0})
	c := genesis(f)
	root, _ := c.Final()
	f.Fuzz(func(t *testing.T, b []byte) {
		nodes, err := protocol.DecodeProof(b)
		if err != nil {
			return
		}
		if v, ok, err := c.Read(root, nodes, []byte("a")); err == nil && (!ok || !bytes.Equal(v, []byte{1})) {
			t.Fatalf("%x, %v", v, ok)
		}
	})
}

func FuzzFinality(f *testing.F) {
	c := genesis(f)
	root, _ := c.Final()
	one := add(f, c, root, 5)
	good := proof(f, c, one)
	header, _ := c.Known(one)
	state := c.AppendSCALE(nil)
	f.Add(good)
	f.Add(append(append(append([]byte{4}, scale.Encode(header)...), good...), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(state)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Justification(b, nil); err != nil {
			_, err = c.Warp(b, nil)
			if err != nil && !bytes.Equal(c.AppendSCALE(nil), state) {
				t.Fatal("a refused proof changed the client")
			}
		}
		if h, _ := c.Final(); h != root && h != one {
			t.Fatalf("%v is final", h)
		}
	})
}

func BenchmarkHeader(b *testing.B) {
	at := genesis(b).Checkpoint()
	c, _ := New(at)
	root, _ := c.Final()
	h := child(b, c, root, 5)
	b.ReportAllocs()
	for b.Loop() {
		c, _ := New(at)
		if _, err := c.Header(h, far); err != nil {
			b.Fatal(err)
		}
	}
}
