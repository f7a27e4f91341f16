package sr25519

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/sr25519"
	"pgregory.net/rapid"
)

// items returns n valid items by keys signers.
func items(n, keys int) []Item {
	pairs := make([]*KeyPair, keys)
	for i := range pairs {
		var seed [32]byte
		binary.LittleEndian.PutUint64(seed[:], uint64(i))
		pairs[i] = FromSeed(seed)
	}
	out := make([]Item, n)
	for i := range out {
		msg := make([]byte, 110) // about what a transfer signs
		binary.LittleEndian.PutUint64(msg, uint64(i))
		p := pairs[i%keys]
		out[i] = Item{Public: p.Public(), Message: msg, Signature: p.Sign(msg, nil)}
	}
	return out
}

// mapCache is a PointCache for tests.
type mapCache struct {
	mu     sync.Mutex
	points map[[32]byte]*Point
	hits   int
}

func (c *mapCache) Get(pub [32]byte) (*Point, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.points[pub]
	if ok {
		c.hits++
	}
	return p, ok
}

func (c *mapCache) Put(pub [32]byte, p *Point) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.points[pub] = p
}

// Whatever is broken, a batch says what single verification says.
func TestBatchEqualsSingle(t *testing.T) {
	good := items(48, 31)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, len(good)).Draw(t, "n")
		its := slices.Clone(good[:n])
		for range rapid.IntRange(0, 3).Draw(t, "broken") {
			if n == 0 {
				break
			}
			it := &its[rapid.IntRange(0, n-1).Draw(t, "i")]
			bit := rapid.IntRange(0, 64*8-1).Draw(t, "bit")
			switch rapid.IntRange(0, 2).Draw(t, "where") {
			case 0:
				it.Signature[bit/8] ^= 1 << (bit % 8)
			case 1:
				it.Public[bit/16] ^= 1 << (bit % 8)
			default:
				it.Message = []byte("another")
			}
		}
		b := NewBatch(n)
		want, first := make([]bool, n), -1
		for i, it := range its {
			b.Add(it.Public, it.Message, it.Signature)
			want[i] = Verify(it.Public, it.Message, it.Signature)
			if !want[i] && first < 0 {
				first = i
			}
		}
		if got := b.Verify(); got != (first < 0) || b.Len() != n {
			t.Fatalf("batch of %d is %v, first invalid is %d", n, got, first)
		}
		if got := b.VerifyEach(); !slices.Equal(got, want) {
			t.Fatalf("each %v, want %v", got, want)
		}
		if got := VerifyAll(its, nil, nil); got != first {
			t.Fatalf("VerifyAll says %d, want %d", got, first)
		}
	})
}

// Errors that cancel out when the coefficients are equal must not pass.
func TestBatchCoefficientsDiffer(t *testing.T) {
	its := items(2, 2)
	// Exchange the scalars: the sum of s stays, neither signature holds.
	a, b := its[0].Signature, its[1].Signature
	copy(its[0].Signature[32:], b[32:])
	copy(its[1].Signature[32:], a[32:])
	if VerifyAll(its, nil, nil) != 0 {
		t.Error("exchanged scalars accepted")
	}
	batch := NewBatch(2)
	for _, it := range its {
		batch.Add(it.Public, it.Message, it.Signature)
	}
	z := batch.equation.Coefficients()
	if z[0].Equal(&z[1]) == 1 {
		t.Error("two coefficients are equal")
	}
	// One more bit of message anywhere changes every coefficient.
	batch.Reset()
	batch.Add(its[0].Public, its[0].Message, its[0].Signature)
	batch.Add(its[1].Public, append([]byte{1}, its[1].Message...), its[1].Signature)
	if again := batch.equation.Coefficients(); z[0].Equal(&again[0]) == 1 {
		t.Error("the coefficients ignore a message")
	}
}

func TestManyInvalid(t *testing.T) {
	its := items(300, 300)
	for i := range its {
		if i%3 != 0 {
			its[i].Message = nil
		}
	}
	b := new(Batch) // the zero value works
	for _, it := range its {
		b.Add(it.Public, it.Message, it.Signature)
	}
	for i, ok := range b.VerifyEach() {
		if ok != (i%3 == 0) {
			t.Fatalf("item %d: %v", i, ok)
		}
	}
	b.Reset()
	if !b.Verify() || len(b.VerifyEach()) != 0 {
		t.Error("an empty batch is invalid")
	}
	b.Add(its[0].Public, its[0].Message, its[0].Signature)
	if !b.Verify() {
		t.Error("a reset batch refuses a valid signature")
	}
}

func TestVerifyAllInPieces(t *testing.T) {
	its := items(1100, 40)
	cache := &mapCache{points: map[[32]byte]*Point{}}
	var pieces int
	par := func(n int, f func(int)) {
		pieces = n
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { f(i) })
		}
		wg.Wait()
	}
	if got := VerifyAll(its, par, cache); got != -1 || pieces != 2 {
		t.Fatalf("got %d in %d pieces", got, pieces)
	}
	// Pieces that run at the same time may both miss a key; afterwards none does.
	before := cache.hits
	if got := VerifyAll(its, par, cache); got != -1 {
		t.Fatalf("again: %d", got)
	}
	if len(cache.points) != 40 || cache.hits-before < 2*40 {
		t.Errorf("%d points cached, %d hits in the second round", len(cache.points), cache.hits-before)
	}
	its[900].Message, its[1099].Message = nil, nil
	if got := VerifyAll(its, par, cache); got != 900 {
		t.Errorf("first invalid is %d, want 900", got)
	}
	its[3].Message = nil
	if got := VerifyAll(its, par, nil); got != 3 {
		t.Errorf("first invalid is %d, want 3", got)
	}
	if got := VerifyAll(nil, par, nil); got != -1 {
		t.Errorf("nothing: %d", got)
	}
}

var benchSizes = []int{8, 64, 256, 512, 1024, 2048}

func perSignature(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/sig")
}

func BenchmarkBatch(b *testing.B) {
	for _, n := range benchSizes {
		its := items(n, n)
		run := func(name string, its []Item, cache PointCache) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				batch := NewBatch(n).WithCache(cache)
				for b.Loop() {
					batch.Reset()
					for i := range its {
						batch.Add(its[i].Public, its[i].Message, its[i].Signature)
					}
					if !batch.Verify() {
						b.Fatal("invalid")
					}
				}
				perSignature(b, n)
			})
		}
		run("distinct", its, nil)
		run("cached", its, &mapCache{points: map[[32]byte]*Point{}})
		run("8-keys", items(n, min(n, 8)), nil)
		b.Run(fmt.Sprintf("voi/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v := voi.NewBatchVerifierWithCapacity(n)
				for i := range its {
					pub, err1 := voi.NewPublicKeyFromBytes(its[i].Public[:])
					sig, err2 := voi.NewSignatureFromBytes(its[i].Signature[:])
					if err1 != nil || err2 != nil {
						b.Fatal(err1, err2)
					}
					v.Add(pub, voiContext.NewTranscriptBytes(its[i].Message), sig)
				}
				if !v.VerifyBatchOnly(nil) {
					b.Fatal("invalid")
				}
			}
			perSignature(b, n)
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	b.ReportAllocs()
	it := items(1, 1)[0]
	for b.Loop() {
		if !Verify(it.Public, it.Message, it.Signature) {
			b.Fatal("invalid")
		}
	}
}

func BenchmarkSign(b *testing.B) {
	b.ReportAllocs()
	p, msg := FromSeed([32]byte{1}), make([]byte, 110)
	for b.Loop() {
		p.Sign(msg, nil)
	}
}
