package sha256x

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"
)

func random(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// checkEach compares with crypto/sha256, and looks for what should not be touched.
func checkEach(t *testing.T, tag byte, data []byte, size, n int) {
	t.Helper()
	before := bytes.Clone(data)
	var want []byte
	for i := range n {
		h := sha256.Sum256(append([]byte{tag}, data[i*size:(i+1)*size]...))
		want = append(want, h[:]...)
	}
	dst := make([]byte, n*Size+1)
	Each(dst[:n*Size], tag, data, size)
	if !bytes.Equal(dst[:n*Size], want) {
		t.Fatalf("%d pieces of %d bytes: %x, want %x", n, size, dst, want)
	}
	if dst[n*Size] != 0 || !bytes.Equal(before, data) {
		t.Fatal("wrote where it should not")
	}
}

func checkAll(t *testing.T, messages [][]byte) {
	t.Helper()
	var want []byte
	for _, m := range messages {
		h := sha256.Sum256(m)
		want = append(want, h[:]...)
	}
	dst := make([]byte, len(messages)*Size+1)
	All(dst, messages)
	if !bytes.Equal(dst, append(want, 0)) {
		t.Fatalf("%d messages: %x, want %x", len(messages), dst, want)
	}
}

func TestEach(t *testing.T) {
	data := random(1, 8<<10)
	for size := range 400 {
		for n := range 6 {
			checkEach(t, byte(size), data[size%17:], size, n)
		}
	}
	checkEach(t, 0, data, 1<<10, 8)
}

// Messages of all lengths up to four blocks meet each other in the lanes, at all
// places in a word.
func TestAll(t *testing.T) {
	data := random(2, 1<<10)
	for m := range 4 * blockSize {
		for n := range 4 * blockSize {
			checkAll(t, [][]byte{data[m%16 : m%16+m], data[n%13 : n%13+n], data[:(m+n)%200]})
		}
	}
	checkAll(t, nil)
	checkAll(t, [][]byte{nil, {}, data})
}

// Without the instructions the answers are the same.
func TestAlone(t *testing.T) {
	data := random(3, 4<<10)
	var with, without [4 * Size]byte
	Each(with[:], 7, data, 1<<10)
	eachAlone(without[:], 7, data, 1<<10)
	if with != without {
		t.Fatal("lanes give another hash")
	}
}

func TestAllocs(t *testing.T) {
	data, dst := random(4, 4<<10), make([]byte, 4*Size)
	messages := [][]byte{data, data[:1000], data[:64]}
	if n := testing.AllocsPerRun(100, func() {
		Each(dst, 1, data, 1<<10)
		All(dst, messages)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzHashes(f *testing.F) {
	f.Add([]byte("two messages"), byte(3), uint16(4), uint16(9))
	f.Add(random(5, 3000), byte(0), uint16(1024), uint16(64))
	f.Fuzz(func(t *testing.T, data []byte, tag byte, size, cut uint16) {
		n := 5
		if size > 0 {
			n = min(n, len(data)/int(size))
		}
		checkEach(t, tag, data, int(size), n)
		var messages [][]byte
		for rest := data; len(rest) > 0 && len(messages) < 50; {
			k := min(int(cut)*(1+len(messages)%3)+1, len(rest))
			messages, rest = append(messages, rest[:k]), rest[k:]
		}
		checkAll(t, messages)
	})
}

// BenchmarkEach hashes a leaf's 64 pieces with their tag; BenchmarkEachAlone is
// crypto/sha256 at the same work. They are compared by the clock, on one core.
func BenchmarkEach(b *testing.B)      { benchmarkEach(b, Each) }
func BenchmarkEachAlone(b *testing.B) { benchmarkEach(b, eachAlone) }

func benchmarkEach(b *testing.B, each func([]byte, byte, []byte, int)) {
	data, dst := random(6, 64<<10), make([]byte, 64*Size)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		each(dst, 0, data, 1<<10)
	}
}

// BenchmarkAll hashes blocks of 256 KiB, of which as many are hashed at a time as
// there are; one is crypto/sha256.
func BenchmarkAll(b *testing.B) {
	for _, n := range []int{1, 2, 3, 4} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			messages, dst := make([][]byte, n), make([]byte, n*Size)
			for i := range messages {
				messages[i] = random(byte(i), 256<<10)
			}
			b.SetBytes(int64(n) * 256 << 10)
			b.ReportAllocs()
			for b.Loop() {
				All(dst, messages)
			}
		})
	}
}
