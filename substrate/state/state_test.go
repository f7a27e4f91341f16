package state

import (
	"bytes"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/trie"
)

func drawKey(t *rapid.T, label string) []byte {
	return rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 255}), 0, 4).Draw(t, label)
}

func drawChanges(t *rapid.T, had map[string]string) []Change {
	picked := map[string]Change{}
	for range rapid.IntRange(0, 12).Draw(t, "changes") {
		k := drawKey(t, "key")
		_, old := had[string(k)]
		c := Change{Key: k, HadOld: old && rapid.Bool().Draw(t, "looked")}
		if c.Deleted = rapid.Bool().Draw(t, "deleted"); !c.Deleted {
			c.Value = []byte(rapid.StringN(0, 3, -1).Draw(t, "value"))
		}
		picked[string(k)] = c
	}
	out := []Change{}
	for _, c := range picked {
		out = append(out, c)
	}
	sort.Slice(out, func(i, j int) bool { return bytes.Compare(out[i].Key, out[j].Key) < 0 })
	return out
}

func apply(m map[string]string, ch []Change) map[string]string {
	next := map[string]string{}
	for k, v := range m {
		next[k] = v
	}
	for _, c := range ch {
		delete(next, string(c.Key))
		if !c.Deleted {
			next[string(c.Key)] = string(c.Value)
		}
	}
	return next
}

type pair struct{ K, V string }

func walk(t *rapid.T, it Iterator) (out []pair) {
	for it.Next() {
		out = append(out, pair{string(it.Key()), string(it.Value())})
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func expect(m map[string]string, prefix, from []byte) (out []pair) {
	for k, v := range m {
		if bytes.HasPrefix([]byte(k), prefix) && k >= string(from) {
			out = append(out, pair{k, v})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].K < out[j].K })
	return out
}

// TestLayersAgainstMaps stacks layers over a base and compares reads, iteration
// and merges with plain maps.
func TestLayersAgainstMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := map[string]string{}
		for range rapid.IntRange(0, 10).Draw(t, "base") {
			model[string(drawKey(t, "key"))] = "base"
		}
		start := model
		var base []trie.KV
		for k, v := range model {
			base = append(base, trie.KV{Key: []byte(k), Value: []byte(v)})
		}
		mem := NewMem(base)
		flat := mem
		var layers []*Layer // newest first
		for range rapid.IntRange(0, 6).Draw(t, "layers") {
			ch := drawChanges(t, model)
			l, err := NewLayer(ch)
			if err != nil {
				t.Fatal(err)
			}
			layers = append([]*Layer{l}, layers...)
			model = apply(model, ch)
			if flat, err = flat.With(ch); err != nil {
				t.Fatal(err)
			}
		}
		prefix, from := drawKey(t, "prefix"), drawKey(t, "from")
		want := expect(model, prefix, from)
		if d := cmp.Diff(want, walk(t, Overlay(layers, mem.Iterate(prefix, from), prefix, from))); d != "" {
			t.Fatalf("overlay (-want +got):\n%s", d)
		}
		if d := cmp.Diff(want, walk(t, flat.Iterate(prefix, from))); d != "" {
			t.Fatalf("mem (-want +got):\n%s", d)
		}
		if len(layers) > 0 {
			m := Merge(layers)
			if d := cmp.Diff(want, walk(t, Overlay([]*Layer{m}, mem.Iterate(prefix, from), prefix, from))); d != "" {
				t.Fatalf("merged (-want +got):\n%s", d)
			}
			for _, c := range m.Changes() {
				if _, had := start[string(c.Key)]; c.HadOld && !had {
					t.Fatalf("merge says that %x existed in the base", c.Key)
				}
			}
		}
		k := drawKey(t, "get")
		v, ok, err := flat.Get(k)
		if wv, wok := model[string(k)]; err != nil || ok != wok || string(v) != wv {
			t.Fatalf("get %x = %q, %v, %v; want %q, %v", k, v, ok, err, wv, wok)
		}
	})
}

func TestNewLayerRejectsDisorder(t *testing.T) {
	for _, ch := range [][]Change{
		{{Key: []byte("b")}, {Key: []byte("a")}},
		{{Key: []byte("a")}, {Key: []byte("a")}},
	} {
		if _, err := NewLayer(ch); err == nil {
			t.Errorf("%v was accepted", ch)
		}
	}
}

func TestMemRoot(t *testing.T) {
	entries := []trie.KV{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("b"), Value: []byte("2")}}
	m := NewMem(entries)
	if m.Root(trie.V1) != trie.Root(trie.V1, entries) {
		t.Error("roots differ")
	}
	n, err := m.With([]Change{{Key: []byte("b"), Deleted: true}})
	if err != nil {
		t.Fatal(err)
	}
	if n.Equal(m) || !n.Equal(NewMem(entries[:1])) || !m.Equal(NewMem(entries)) {
		t.Error("With changed the wrong state")
	}
}

func TestChangesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ch := drawChanges(t, map[string]string{"": "", "\x00": ""})
		got, err := DecodeChanges(AppendChanges(nil, ch))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(ch) {
			t.Fatalf("%d changes became %d", len(ch), len(got))
		}
		for i := range ch {
			if !bytes.Equal(got[i].Key, ch[i].Key) || !bytes.Equal(got[i].Value, ch[i].Value) ||
				got[i].Deleted != ch[i].Deleted || got[i].HadOld != ch[i].HadOld {
				t.Fatalf("change %d: %v became %v", i, ch[i], got[i])
			}
		}
	})
}

// AppendChanges is the journal form by itself.
func AppendChanges(dst []byte, changes []Change) []byte {
	dst = scale.AppendCompact(dst, uint64(len(changes)))
	for i := range changes {
		dst = AppendChange(dst, &changes[i])
	}
	return dst
}

func TestPack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ch := drawChanges(t, map[string]string{"\x00": "", "\x01\x02": "x"})
		if len(ch) > 0 {
			ch[0].Value = bytes.Repeat([]byte{7}, rapid.SampledFrom([]int{0, 63, 64, 1 << 14}).Draw(t, "length"))
			ch[0].Deleted = false
		}
		journal, packed := Pack(ch)
		if want := AppendChanges(nil, ch); !bytes.Equal(journal, want) {
			t.Fatalf("the journal is %x, want %x", journal, want)
		}
		again, err := DecodeChanges(journal)
		if d := cmp.Diff(again, packed); err != nil || d != "" {
			t.Fatal(err, d)
		}
	})
}

func FuzzDecodeChanges(f *testing.F) {
	f.Add(AppendChanges(nil, []Change{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("b"), Deleted: true, HadOld: true}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		ch, err := DecodeChanges(b)
		if err != nil {
			return
		}
		if again := AppendChanges(nil, ch); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes, but encodes as %x", b, again)
		}
		if _, err := NewLayer(ch); err != nil {
			t.Fatalf("decoded changes make no layer: %v", err)
		}
	})
}

func BenchmarkLayerGet(b *testing.B) {
	var ch []Change
	for i := range 1000 {
		ch = append(ch, Change{Key: append(make([]byte, 78), byte(i>>8), byte(i))})
	}
	l, err := NewLayer(ch)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.Get(ch[500].Key)
	}
}

// TestIndexFindsCollidingKeys gives the index hashes that collide, as keys made
// to would.
func TestIndexFindsCollidingKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "keys")
		var changes []Change
		var hashes []uint64
		for i := range n {
			changes = append(changes, Change{Key: []byte{byte(i >> 8), byte(i)}})
			hashes = append(hashes, rapid.SampledFrom([]uint64{0, 1, 1 << 40, 1 << 63, ^uint64(0)}).Draw(t, "hash"))
		}
		x := indexOf(hashes)
		for i := 1; i < n; i++ {
			if a, b := x.hashes[i-1], x.hashes[i]; a > b || a == b && x.at[i-1] >= x.at[i] {
				t.Fatalf("entry %d (%x, %d) comes after (%x, %d)", i, b, x.at[i], a, x.at[i-1])
			}
		}
		for i := range changes {
			if at, ok := x.find(hashes[i], changes[i].Key, changes); !ok || at != i {
				t.Fatalf("key %d is at %d, %v", i, at, ok)
			}
			if at, ok := x.find(hashes[i], []byte("absent"), changes); ok {
				t.Fatalf("an absent key is at %d", at)
			}
		}
	})
}

func TestLayerIndex(t *testing.T) {
	var ch []Change
	for i := range 3000 {
		ch = append(ch, Change{Key: []byte{byte(i >> 8), byte(i), 7}})
	}
	l, err := NewLayer(ch)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ch {
		if at, ok := l.Index(ch[i].Key); !ok || at != i {
			t.Fatalf("key %d is at %d, %v", i, at, ok)
		}
		if _, known, _ := l.Get(ch[i].Key[:2]); known {
			t.Fatalf("an absent key was found near %d", i)
		}
	}
}
