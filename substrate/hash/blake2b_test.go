package hash

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/blake2b"
)

// Digests are those of golang.org/x/crypto, of every length around the ends of blocks.
func TestBlake2b(t *testing.T) {
	data := make([]byte, 1300)
	for i := range data {
		data[i] = byte(i*i + i>>3)
	}
	for n := range len(data) {
		for from := range 3 {
			checkBlake2b(t, data[min(from, n):n])
		}
	}
	checkBlake2b(t, nil)
}

// checkBlake2b compares the digests of b of all sizes that there are.
func checkBlake2b(t *testing.T, b []byte) {
	t.Helper()
	var hasher Hasher
	want := blake2b.Sum256(b)
	if got := Blake2b256(b); got != want {
		t.Fatalf("Blake2b256 of %d bytes is %x, want %x", len(b), got, want)
	}
	if got, want := Blake2b512(b), blake2b.Sum512(b); got != want {
		t.Fatalf("Blake2b512 of %d bytes is %x, want %x", len(b), got, want)
	}
	d8, d16, again := Blake2b64(b), Blake2b128(b), hasher.Blake2b128(b)
	for _, got := range [][]byte{d8[:], d16[:], again[:]} {
		h := newSized(len(got))
		h.Write(b)
		if want := h.Sum(nil); !bytes.Equal(got, want) {
			t.Fatalf("BLAKE2b to %d bytes of %d is %x, want %x", len(got), len(b), got, want)
		}
	}
}

func FuzzBlake2b(f *testing.F) {
	for _, n := range []int{0, 1, 64, 127, 128, 129, 256, 300} {
		f.Add(bytes.Repeat([]byte{0x5a}, n))
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkBlake2b(t, b) })
}

// BenchmarkBlake2b256 hashes what a trie does, a storage key, a leaf and a branch, and as much with the library that does it
// where the instructions are missing.
func BenchmarkBlake2b256(b *testing.B) {
	for _, n := range []int{32, 100, 540, 16 << 10} {
		data := make([]byte, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				Blake2b256(data)
			}
		})
		b.Run(fmt.Sprint(n, "/library"), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				blake2b.Sum256(data)
			}
		})
	}
}

// Many at a time are what each is alone, whatever lies beside it.
func TestBlake2b256All(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 4096)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	for round := range 300 {
		jobs := make([]Job, r.IntN(60))
		for i := range jobs {
			n := r.IntN([]int{40, 140, 600, 1300}[r.IntN(4)])
			from := r.IntN(len(data) - n)
			jobs[i] = Job{data[from : from+n : from+n], make([]byte, 32)}
		}
		Blake2b256All(jobs)
		for i, j := range jobs {
			if want := blake2b.Sum256(j.Message); !bytes.Equal(j.Sum, want[:]) {
				t.Fatalf("round %d: job %d of %d, %d bytes: %x, want %x", round, i, len(jobs), len(j.Message), j.Sum, want)
			}
		}
	}
}

// BenchmarkBlake2b256All hashes sixteen messages at a time; the figure is of one.
func BenchmarkBlake2b256All(b *testing.B) {
	for _, n := range []int{100, 540} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			jobs := make([]Job, 16)
			for i := range jobs {
				jobs[i] = Job{make([]byte, n), make([]byte, 32)}
			}
			for b.Loop() {
				Blake2b256All(jobs)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/16, "ns/message")
		})
	}
}
