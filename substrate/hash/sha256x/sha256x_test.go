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

// ways are those that this processor has.
func ways() (w []way) {
	for by := alone; by <= best; by++ {
		w = append(w, by)
	}
	return w
}

// Which ways the other tests have seen.
func TestWays(t *testing.T) { t.Logf("hashed in ways %d", ways()) }

// checkEach compares with crypto/sha256, and looks for what should not be touched.
func checkEach(t *testing.T, tag byte, data []byte, size, n int) {
	t.Helper()
	before := bytes.Clone(data)
	var want []byte
	for i := range n {
		h := sha256.Sum256(append([]byte{tag}, data[i*size:(i+1)*size]...))
		want = append(want, h[:]...)
	}
	for _, by := range ways() {
		dst := make([]byte, n*Size+1)
		each(by, dst[:n*Size], tag, data, size)
		if !bytes.Equal(dst[:n*Size], want) {
			t.Fatalf("way %d, %d pieces of %d bytes: %x, want %x", by, n, size, dst, want)
		}
		if dst[n*Size] != 0 || !bytes.Equal(before, data) {
			t.Fatalf("way %d wrote where it should not", by)
		}
	}
}

func checkAll(t *testing.T, messages [][]byte) {
	t.Helper()
	var want []byte
	for _, m := range messages {
		h := sha256.Sum256(m)
		want = append(want, h[:]...)
	}
	for _, by := range ways() {
		dst := make([]byte, len(messages)*Size+1)
		all(by, dst[:len(messages)*Size], messages)
		if !bytes.Equal(dst, append(want, 0)) {
			t.Fatalf("way %d, %d messages: %x, want %x", by, len(messages), dst, want)
		}
	}
}

// counts are below, at and above what is hashed side by side.
var counts = []int{0, 1, 2, 3, 4, 5, enough - 1, enough, enough + 1, lanes - 1, lanes, lanes + 1, lanes + enough, 3*lanes + 3}

// Pieces of all lengths up to some blocks, at all places in a word.
func TestEach(t *testing.T) {
	data := random(1, 64<<10)
	for size := range 400 {
		for _, n := range counts {
			checkEach(t, byte(size), data[size%67:], size, n)
		}
	}
	checkEach(t, 0, data, 1<<10, 64)
}

// The lengths of the package's functions are those of what they are given.
func TestLengths(t *testing.T) {
	data := random(1, 1<<10)
	var dst, want [4 * Size]byte
	eachAlone(want[:2*Size], 1, data, 100)
	Each(dst[:3*Size-1], 1, data, 100)
	if dst != want {
		t.Error("part of a hash was written, or too few")
	}
	clear(dst[:])
	clear(want[:])
	h := sha256.Sum256(data)
	copy(want[:], h[:])
	All(dst[:], [][]byte{data})
	if dst != want {
		t.Error("more hashes than messages")
	}
}

// Messages of all lengths up to four blocks meet each other in two lanes, at all
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

// Rows of messages of one length, of all lengths up to four blocks, are between others.
func TestAllAlike(t *testing.T) {
	data := random(3, 64<<10)
	for size := range 4*blockSize + 2 {
		for _, n := range counts {
			var messages [][]byte
			for i := range n % 3 {
				messages = append(messages, data[i:size+i+i+1])
			}
			for i := range n {
				messages = append(messages, data[size%67+i*size:][:size])
			}
			for i := range size % 4 {
				messages = append(messages, data[:i*i])
			}
			checkAll(t, messages)
		}
	}
}

func TestAllocs(t *testing.T) {
	data, dst := random(4, 64<<10), make([]byte, 64*Size)
	messages := [][]byte{data, data[:1000], data[:64]}
	for i := range lanes + 1 {
		messages = append(messages, data[i:i+1000])
	}
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
	f.Add(random(6, 5000), byte(1), uint16(130), uint16(200))
	f.Fuzz(func(t *testing.T, data []byte, tag byte, size, cut uint16) {
		n := 40
		if size > 0 {
			n = min(n, len(data)/int(size))
		}
		checkEach(t, tag, data, int(size), n)
		var messages [][]byte
		for rest := data; len(rest) > 0 && len(messages) < 100; {
			k := min(int(cut)*(1+len(messages)/20%3)+1, len(rest))
			messages, rest = append(messages, rest[:k]), rest[k:]
		}
		checkAll(t, messages)
	})
}

// BenchmarkEach hashes a leaf's 64 pieces with their tag, and its 8 groups, in each way. They are
// compared by the clock, on one core.
func BenchmarkEach(b *testing.B) {
	data, dst := random(6, 64<<10), make([]byte, 64*Size)
	for _, c := range []struct{ n, size int }{{64, 1 << 10}, {8, 256}} {
		for _, by := range ways() {
			b.Run(fmt.Sprintf("n=%d/size=%d/way=%d", c.n, c.size, by), func(b *testing.B) {
				b.SetBytes(int64(c.n * c.size))
				b.ReportAllocs()
				for b.Loop() {
					each(by, dst[:c.n*Size], 0, data, c.size)
				}
			})
		}
	}
}

// BenchmarkAll hashes blocks of 256 KiB, of which as many are hashed at a time as
// there are; one is crypto/sha256.
func BenchmarkAll(b *testing.B) {
	for _, n := range []int{1, 2, 3, 4, 8, 16} {
		messages, dst := make([][]byte, n), make([]byte, n*Size)
		for i := range messages {
			messages[i] = random(byte(i), 256<<10)
		}
		for _, by := range ways() {
			b.Run(fmt.Sprintf("n=%d/way=%d", n, by), func(b *testing.B) {
				b.SetBytes(int64(n) * 256 << 10)
				b.ReportAllocs()
				for b.Loop() {
					all(by, dst, messages)
				}
			})
		}
	}
}
