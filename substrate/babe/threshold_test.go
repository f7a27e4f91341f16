package babe

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/types"
)

func (t Threshold) big() *big.Int {
	v := new(big.Int).Lsh(new(big.Int).SetUint64(t.Hi), 64)
	return v.Or(v, new(big.Int).SetUint64(t.Lo))
}

// The first two numbers are smoldot's (facts substrate-compat §4.2).
func TestThresholdVectors(t *testing.T) {
	equal := make([]uint64, 8)
	for i := range equal {
		equal[i] = 1
	}
	var rising []uint64
	for w := uint64(2); w <= 901; w++ {
		rising = append(rising, w)
	}
	for _, tc := range []struct {
		name    string
		c       Ratio
		weights []uint64
		mine    uint64
		want    string
	}{
		{"eight equal", Ratio{2, 9}, equal, 1, "10523572781773471998586657386560225280"},
		{"900 unequal", Ratio{103, 971}, rising, 11, "1032931305829506557190946382938112"},
		{"alone", Ratio{1, 4}, []uint64{1}, 1, "85070591730234615865843651857942052864"}, // 2^126
		{"no weight", Ratio{1, 4}, []uint64{1, 0}, 0, "0"},
		{"no chance", Ratio{0, 4}, []uint64{1}, 1, "0"},
		{"certainty saturates", Ratio{1, 1}, []uint64{1}, 1, "340282366920938463463374607431768211455"},
		{"almost certainty saturates", Ratio{math.MaxUint64 - 1, math.MaxUint64}, []uint64{1}, 1, "340282366920938463463374607431768211455"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := Epoch{Config: EpochConfig{C: tc.c}}
			mine := uint32(0)
			for i, w := range tc.weights {
				e.Authorities = append(e.Authorities, Authority{Weight: w})
				if w == tc.mine {
					mine = uint32(i)
				}
			}
			if got := e.Threshold(mine).big().String(); got != tc.want {
				t.Errorf("threshold = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestAdmits(t *testing.T) {
	th := Threshold{Hi: 1, Lo: 5}
	for _, tc := range []struct {
		lottery [16]byte
		want    bool
	}{
		{[16]byte{}, true},
		{[16]byte{0: 4, 8: 1}, true},
		{[16]byte{0: 5, 8: 1}, false},
		{[16]byte{0: 6, 8: 1}, false},
		{[16]byte{0: 255, 7: 255}, true},
		{[16]byte{8: 2}, false},
		{[16]byte{15: 1}, false},
	} {
		if got := th.Admits(tc.lottery); got != tc.want {
			t.Errorf("Admits(%v) = %v, want %v", tc.lottery, got, tc.want)
		}
	}
}

const prec = 400

func bf(x float64) *big.Float { return new(big.Float).SetPrec(prec).SetFloat64(x) }

// bigPow is x^y for 0 < x < 1 by series in 400-bit floats: the slow truth.
func bigPow(x, y float64) float64 {
	// ln x = e·ln 2 + 2·atanh((f-1)/(f+1))
	f, e := math.Frexp(x)
	t := new(big.Float).Mul(bigAtanh(f), bf(2))
	ln2 := new(big.Float).Neg(new(big.Float).Mul(bigAtanh(0.5), bf(2)))
	t.Add(t, new(big.Float).Mul(bf(float64(e)), ln2))
	t.Mul(t, bf(y))
	sum, term := bf(1), bf(1)
	for n := 1; n < 400; n++ {
		term.Mul(term, t)
		term.Quo(term, bf(float64(n)))
		sum.Add(sum, term)
	}
	r, _ := sum.Float64()
	return r
}

// bigAtanh is atanh((f-1)/(f+1)).
func bigAtanh(f float64) *big.Float {
	z := new(big.Float).Quo(new(big.Float).Sub(bf(f), bf(1)), new(big.Float).Add(bf(f), bf(1)))
	sq := new(big.Float).Mul(z, z)
	sum := bf(0)
	for n := 1; n < 600; n += 2 {
		sum.Add(sum, new(big.Float).Quo(z, bf(float64(n))))
		z = new(big.Float).Mul(z, sq)
	}
	return sum
}

func TestPowIsRoundedRight(t *testing.T) {
	for _, xy := range [][2]float64{
		{0.75, 1}, {0.75, 0.25}, {0.75, 1e-300}, {1 - 0x1p-53, 0.5}, {0x1p-53, 1}, {0x1p-53, 1. / 3}, {0.5, 1}, {0.5, 0.5},
		{math.Sqrt2 / 2, 1}, {math.Nextafter(math.Sqrt2/2, 0), 0.9}, {0.25, 0.5}, {0.0625, 0.25}, {0.5, 0x1p-60}, {0.9, math.Nextafter(1, 0)},
	} {
		if got, want := pow01(xy[0], xy[1]), bigPow(xy[0], xy[1]); got != want {
			t.Errorf("pow01(%g, %g) = %b, want %b", xy[0], xy[1], got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		c := Ratio{Num: rapid.Uint64Range(1, 1000).Draw(t, "num")}
		c.Den = c.Num + rapid.Uint64Range(1, 1000).Draw(t, "more")
		sum := rapid.Uint64Range(1, 1<<62).Draw(t, "sum")
		w := rapid.Uint64Range(1, sum).Draw(t, "weight")
		x, y := 1-ratio(c), float64(w)/float64(sum)
		if got, want := pow01(x, y), bigPow(x, y); got != want {
			t.Fatalf("pow01(%b, %b) = %b, want %b", x, y, got, want)
		}
	})
}

func TestPowEnds(t *testing.T) {
	for _, tc := range []struct{ x, y, want float64 }{{0, 0.5, 0}, {1, 0.5, 1}, {0.3, 0, 1}, {0, 0, 1}} {
		if got := pow01(tc.x, tc.y); got != tc.want {
			t.Errorf("pow01(%g, %g) = %g, want %g", tc.x, tc.y, got, tc.want)
		}
	}
	// Beyond what a threshold can meet: still no crash, and zero to 200 bits.
	if got := pow01(math.SmallestNonzeroFloat64, 1); got > 0x1p-199 {
		t.Errorf("the smallest float counts as %g", got)
	}
}

func TestSecondaryAuthor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var randomness [32]byte
		copy(randomness[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "randomness"))
		slot := rapid.Uint64().Draw(t, "slot")
		n := rapid.IntRange(1, MaxAuthorities).Draw(t, "n")
		seed := append([]byte{}, randomness[:]...)
		for i := range 8 {
			seed = append(seed, byte(slot>>(8*i)))
		}
		h := hash.Blake2b256(seed)
		want := new(big.Int).Mod(new(big.Int).SetBytes(h[:]), big.NewInt(int64(n))).Uint64()
		if got, ok := SecondaryAuthor(randomness, types.Slot(slot), n); !ok || uint64(got) != want {
			t.Fatalf("author %d, want %d", got, want)
		}
	})
	if _, ok := SecondaryAuthor([32]byte{}, 1, 0); ok {
		t.Error("an author among nobody")
	}
}

func BenchmarkThreshold(b *testing.B) {
	e := Epoch{Config: EpochConfig{C: Ratio{1, 4}}, Authorities: make([]Authority, 1000)}
	for i := range e.Authorities {
		e.Authorities[i].Weight = 1
	}
	b.ReportAllocs()
	for b.Loop() {
		e.Threshold(7)
	}
}
