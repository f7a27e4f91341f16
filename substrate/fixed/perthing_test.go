package fixed

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/scale"
)

// Numbers from the first chain's market and staking code.
func TestPerbillVectors(t *testing.T) {
	for _, c := range []struct{ parts, x, want uint64 }{
		{720000000, 129000, 92880}, {180000000, 129000, 23220}, {161290320, 19995, 3225},
		{192307690, 16770, 3225}, {138888888, 180, 25}, {138888888, 46440, 6450},
		{3000000, 10000, 30}, {500000000, 1, 0}, {50000000, 950, 47}, {10000000, 980, 10},
	} {
		if got := Perbill(c.parts).Mul(FromUint64(c.x)); got != FromUint64(c.want) {
			t.Errorf("%d parts of %d = %v, want %d", c.parts, c.x, got, c.want)
		}
		if got := Perbill(c.parts).Mul64(c.x); got != c.want {
			t.Errorf("Mul64: %d parts of %d = %v, want %d", c.parts, c.x, got, c.want)
		}
	}
	for _, c := range []struct {
		p, q uint64
		want Perbill
	}{
		{1, 18, 55555555}, {8, 18, 444444444}, {1, 60, 16666666}, {0, 0, 0},
		{1000000000000000000, 3000000000000000000, 333333333},
		{1234567890123, 9876543210987, 124999997}, // an exact quotient would be 124999998
		{5, 0, 1000000000}, {7, 3, 1000000000},
	} {
		if got := PerbillFromRational(FromUint64(c.p), FromUint64(c.q)); got != c.want {
			t.Errorf("%d/%d = %d, want %d", c.p, c.q, got, c.want)
		}
	}
}

// perthing is what the shares have in common, so that one property covers all.
type perthing interface {
	Mul(U128) U128
	MulFloor(U128) U128
	MulCeil(U128) U128
	IsZero() bool
	AppendSCALE([]byte) []byte
	AppendCompact([]byte) []byte
}

func TestSharesAgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.Uint64Range(0, 1_000_000_000_000_000_000).Draw(t, "parts")
		x, q := genU128().Draw(t, "x"), genU128().Draw(t, "q")
		for _, c := range []struct {
			whole uint64
			p     perthing
			ratio uint64
		}{
			{100, Percent(parts % 101), uint64(PercentFromRational(x, q))},
			{1_000_000, Permill(parts % 1_000_001), uint64(PermillFromRational(x, q))},
			{1_000_000_000, Perbill(parts % 1_000_000_001), uint64(PerbillFromRational(x, q))},
			{1_000_000_000_000_000_000, Perquintill(parts), uint64(PerquintillFromRational(x, q))},
		} {
			parts := new(big.Int).SetUint64(parts)
			if c.whole != 1_000_000_000_000_000_000 {
				parts.Mod(parts, new(big.Int).SetUint64(c.whole+1))
			}
			whole := new(big.Int).SetUint64(c.whole)
			floor, rest := new(big.Int).DivMod(new(big.Int).Mul(x.big(), parts), whole, new(big.Int))
			ceil, near := new(big.Int).Set(floor), new(big.Int).Set(floor)
			if rest.Sign() > 0 {
				ceil.Add(ceil, big.NewInt(1))
			}
			if rest.Lsh(rest, 1).Cmp(whole) > 0 {
				near.Add(near, big.NewInt(1))
			}
			if c.p.MulFloor(x).big().Cmp(floor) != 0 || c.p.MulCeil(x).big().Cmp(ceil) != 0 || c.p.Mul(x).big().Cmp(near) != 0 {
				t.Fatalf("%T(%v) of %v: %v %v %v, want %v %v %v", c.p, c.p, x, c.p.MulFloor(x), c.p.Mul(x), c.p.MulCeil(x), floor, near, ceil)
			}
			if want := bigRatio(whole, x.big(), q.big()); want != c.ratio {
				t.Fatalf("%T of %v/%v = %d, want %d", c.p, x, q, c.ratio, want)
			}
		}
	})
}

// bigRatio is the rule of facts §0.1 written down in big integers.
func bigRatio(whole, p, q *big.Int) uint64 {
	if q.Sign() == 0 {
		q = big.NewInt(1)
	}
	if p.Cmp(q) > 0 {
		p = q
	}
	f := new(big.Int).Add(q, whole)
	f.Sub(f, big.NewInt(1)).Div(f, whole)
	if f.Sign() == 0 {
		f.SetInt64(1)
	}
	n := new(big.Int).Div(p, f)
	n.Mul(n, whole)
	return n.Div(n, new(big.Int).Div(q, f)).Uint64()
}

func TestShareAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := PerbillFromParts(rapid.Uint32().Draw(t, "a"))
		b := PerbillFromParts(rapid.Uint32().Draw(t, "b"))
		if a > PerbillOne() || a.Rest()+a != PerbillOne() {
			t.Fatalf("%d and the rest", a)
		}
		if got, want := uint64(a.Times(b)), uint64(a)*uint64(b)/maxPerbill; got != want {
			t.Fatalf("%d * %d = %d, want %d", a, b, got, want)
		}
		if a.Square() != a.Times(a) {
			t.Fatalf("square of %d", a)
		}
		if got, want := uint64(a.AddSat(b)), min(uint64(a)+uint64(b), maxPerbill); got != want {
			t.Fatalf("%d + %d = %d", a, b, got)
		}
		if got, want := int64(a.SubSat(b)), max(int64(a)-int64(b), 0); got != want {
			t.Fatalf("%d - %d = %d", a, b, got)
		}
		want := uint64(maxPerbill)
		if b > a {
			want = uint64(a) * maxPerbill / uint64(b)
		}
		if got := uint64(a.Over(b)); got != want {
			t.Fatalf("%d / %d = %d, want %d", a, b, got, want)
		}
		var back Perbill
		if err := scale.Decode(a.AppendSCALE(nil), &back); err != nil || back != a {
			t.Fatalf("%d decoded as %d, %v", a, back, err)
		}
		back = 0
		c := scale.NewCursor(a.AppendCompact(nil))
		if back.DecodeCompact(c); c.Finish() != nil || back != a {
			t.Fatalf("compact %d decoded as %d", a, back)
		}
	})
}

func TestWireWidths(t *testing.T) {
	for _, c := range []struct {
		p    perthing
		size int
	}{{PercentOne(), 1}, {PermillOne(), 4}, {PerbillOne(), 4}, {PerquintillOne(), 8}} {
		if n := len(c.p.AppendSCALE(nil)); n != c.size {
			t.Errorf("%T takes %d bytes, want %d", c.p, n, c.size)
		}
		if got := c.p.Mul(Max128()); got != Max128() {
			t.Errorf("one %T of the maximum is %v", c.p, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{100})
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(u interface {
			scale.Marshaler
			scale.Unmarshaler
		}) {
			if scale.Decode(b, u) == nil && string(u.AppendSCALE(nil)) != string(b) {
				t.Fatalf("%T %x encodes as %x", u, b, u.AppendSCALE(nil))
			}
		}
		check(new(U128))
		check(new(FixedU128))
		check(new(Percent))
		check(new(Permill))
		check(new(Perbill))
		check(new(Perquintill))
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"0", "0xff", "340282366920938463463374607431768211455", "x", `"1"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := FromString(s)
		if err != nil {
			return
		}
		if back, err := FromString(u.String()); err != nil || back != u {
			t.Fatalf("%q is %v, which reads back as %v, %v", s, u, back, err)
		}
	})
}
