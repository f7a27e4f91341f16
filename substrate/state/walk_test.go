package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/hash"
)

// Walk is what sorting everything by key and layer gives.
func TestWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SampledFrom([]string{"", "a", "b", "\x00", "\xff", "eight...", "eight..!", "nine bytes", "nine bytez"})
		key := rapid.Map(rapid.SliceOfN(part, 0, 4), func(parts []string) string { return strings.Join(parts, "") })
		var layers []*Layer
		var want, got []string
		for i := range rapid.IntRange(0, 9).Draw(t, "layers") {
			keys := rapid.SliceOfNDistinct(key, 0, 12, rapid.ID).Draw(t, "keys")
			slices.Sort(keys)
			var changes []Change
			for _, k := range keys {
				changes = append(changes, Change{Key: []byte(k)})
				want = append(want, fmt.Sprintf("%q in %d", k, i))
			}
			l, err := NewLayer(changes)
			if err != nil {
				t.Fatal(err)
			}
			layers = append(layers, l)
		}
		seen := map[string]int{}
		var last []byte
		err := Walk(layers, func(versions []Version) error {
			k := versions[0].Key
			if len(seen) > 0 && bytes.Compare(last, k) >= 0 {
				t.Errorf("%q after %q", k, last)
			}
			last = k
			seen[string(k)]++
			for i, v := range versions {
				if !bytes.Equal(v.Key, k) || i > 0 && v.Layer <= versions[i-1].Layer {
					t.Errorf("%q in layer %d with %q", v.Key, v.Layer, k)
				}
				got = append(got, fmt.Sprintf("%q in %d", v.Key, v.Layer))
			}
			return nil
		})
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v\nwant %v", got, err, want)
		}
		stop := errors.New("stop")
		if err := Walk(layers, func([]Version) error { return stop }); (err != nil) != (len(want) > 0) {
			t.Errorf("an error of f: %v", err)
		}
	})
}

// BenchmarkWalk goes over 57 layers of 1,000 changes, as a checkpoint of full blocks does.
func BenchmarkWalk(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	layers := make([]*Layer, 57)
	for i := range layers {
		changes := make([]Change, 1000)
		for j := range changes {
			n := r.Uint32N(100_000)
			id := hash.Blake2b512(binary.LittleEndian.AppendUint32(nil, n))
			prefix := hash.Blake2b256([]byte{byte(n % 16)})
			changes[j].Key = append(prefix[:], id[:48]...)
		}
		slices.SortFunc(changes, func(a, b Change) int { return bytes.Compare(a.Key, b.Key) })
		changes = slices.CompactFunc(changes, func(a, b Change) bool { return bytes.Equal(a.Key, b.Key) })
		layers[i], _ = NewLayer(changes)
	}
	b.ReportAllocs()
	for b.Loop() {
		keys := 0
		_ = Walk(layers, func([]Version) error { keys++; return nil })
		if keys < 30_000 {
			b.Fatal(keys)
		}
	}
}
