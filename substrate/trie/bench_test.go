package trie

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"syscall"
	"testing"
	"time"
)

// benchEntries are n sorted entries shaped like a chain's: 80-byte keys in 16
// maps with 32-byte prefixes, 80-byte values.
func benchEntries(n int) []KV {
	r := rand.New(rand.NewPCG(1, 1))
	fill := func(b []byte) []byte {
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	prefixes := make([][]byte, 16)
	for i := range prefixes {
		prefixes[i] = fill(make([]byte, 32))
	}
	out := make([]KV, n)
	for i := range out {
		out[i] = KV{append(slices.Clone(prefixes[r.IntN(16)]), fill(make([]byte, 48))...), fill(make([]byte, 80))}
	}
	return SortEntries(out)
}

// sortedLoader is a Loader over sorted entries, for benchmarks.
type sortedLoader struct {
	entries []KV
	records map[string][]byte
}

func (l *sortedLoader) Record(p []byte) ([]byte, error) { return l.records[string(p)], nil }

func (l *sortedLoader) Range(p Path, limit int) ([]KV, error) {
	_, lower := p.Bytes()
	i := sort.Search(len(l.entries), func(i int) bool { return bytes.Compare(l.entries[i].Key, lower) >= 0 })
	j := i
	for j < len(l.entries) && p.Covers(l.entries[j].Key) {
		j++
	}
	return l.entries[i:j], nil
}

func (l *sortedLoader) Leaf(p Path) (KV, error) {
	e, err := l.Range(p, 1)
	return e[0], err
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func cpuMetric(b *testing.B) func() {
	start := cpuTime()
	return func() { b.ReportMetric(float64(cpuTime()-start)/float64(b.N), "cpu-ns/op") }
}

// BenchmarkUpdate applies 1,000 random updates and computes the root, all nodes in memory.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := &sortedLoader{benchEntries(n), map[string][]byte{}}
			a, err := Build(V1, l.entries, func(p Path, rec []byte) error {
				l.records[string(p.Append(nil))] = bytes.Clone(rec)
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			t, err := Open(l, V1, a)
			if err != nil {
				b.Fatal(err)
			}
			all := make([]Change, n)
			for i, e := range l.entries {
				all[i] = Change{Key: e.Key, Value: e.Value[:79], HadOld: true}
			}
			up, err := t.Update(l, all, nil, 1)
			if err != nil {
				b.Fatal(err)
			}
			t = up.Trie
			b.Logf("%d records, %d MB in memory", len(l.records), up.Added>>20)
			r := rand.New(rand.NewPCG(2, 2))
			blocks := make([][]Change, 200)
			for k := range blocks {
				ch := make([]Change, 1000)
				for i := range ch {
					v := slices.Clone(l.entries[0].Value)
					v[0], v[1], v[2] = byte(r.Uint32()), byte(r.Uint32()), byte(i)
					ch[i] = Change{Key: l.entries[r.IntN(n)].Key, Value: v, HadOld: true}
				}
				slices.SortFunc(ch, func(a, b Change) int { return bytes.Compare(a.Key, b.Key) })
				blocks[k] = slices.CompactFunc(ch, func(a, b Change) bool { return bytes.Equal(a.Key, b.Key) })
			}
			runtime.GC()
			defer cpuMetric(b)()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				block := blocks[i%len(blocks)]
				for k := range block { // a second pass must change something too
					binary.LittleEndian.PutUint32(block[k].Value[8:], uint32(i))
				}
				up, err := t.Update(l, block, Sequential, 2)
				if err != nil {
					b.Fatal(err)
				}
				t = up.Trie
			}
		})
	}
}

func BenchmarkRoot(b *testing.B) {
	entries := benchEntries(100_000)
	defer cpuMetric(b)()
	b.ReportAllocs()
	for b.Loop() {
		Root(V1, entries)
	}
}

func BenchmarkOrderedRoot(b *testing.B) {
	items := make([][]byte, 1000)
	for i := range items {
		items[i] = bytes.Repeat([]byte{byte(i)}, 145)
	}
	b.ReportAllocs()
	for b.Loop() {
		OrderedRoot(V0, items)
	}
}
