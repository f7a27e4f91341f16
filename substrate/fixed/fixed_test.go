package fixed

import (
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/scale"
)

var two128 = new(big.Int).Lsh(big.NewInt(1), 128)

func (u U128) big() *big.Int {
	b := new(big.Int).SetUint64(u.Hi)
	return b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(u.Lo))
}

// genU128 draws numbers of every bit length, and those near powers of two.
func genU128() *rapid.Generator[U128] {
	return rapid.Custom(func(t *rapid.T) U128 {
		u := U128{Lo: rapid.Uint64().Draw(t, "lo"), Hi: rapid.Uint64().Draw(t, "hi")}
		switch rapid.IntRange(0, 3).Draw(t, "shape") {
		case 0: // 2^n − 1 and neighbours
			n := U128{Lo: 1}.Lsh(uint(rapid.IntRange(0, 127).Draw(t, "n")))
			n.Lo += uint64(rapid.IntRange(-1, 1).Draw(t, "d"))
			return n
		default:
			return u.Rsh(uint(rapid.IntRange(0, 127).Draw(t, "n")))
		}
	})
}

func TestArithmeticAgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, d := genU128().Draw(t, "a"), genU128().Draw(t, "b"), genU128().Draw(t, "d")
		check := func(op string, want *big.Int, got U128, ok bool, sat U128) {
			t.Helper()
			fits := want.Sign() >= 0 && want.Cmp(two128) < 0
			if ok != fits || ok && got.big().Cmp(want) != 0 {
				t.Fatalf("%v %s %v = %v, %v; want %v", a, op, b, got, ok, want)
			}
			wantSat := want
			switch {
			case want.Sign() < 0:
				wantSat = new(big.Int)
			case !fits:
				wantSat = Max128().big()
			}
			if sat.big().Cmp(wantSat) != 0 {
				t.Fatalf("saturating %v %s %v = %v; want %v", a, op, b, sat, wantSat)
			}
		}
		got, ok := a.Add(b)
		check("+", new(big.Int).Add(a.big(), b.big()), got, ok, a.AddSat(b))
		got, ok = a.Sub(b)
		check("-", new(big.Int).Sub(a.big(), b.big()), got, ok, a.SubSat(b))
		got, ok = a.Mul(b)
		check("*", new(big.Int).Mul(a.big(), b.big()), got, ok, a.MulSat(b))
		if a.Cmp(b) != a.big().Cmp(b.big()) || a.Less(b) != (a.big().Cmp(b.big()) < 0) {
			t.Fatalf("compare %v %v", a, b)
		}
		if a.BitLen() != a.big().BitLen() {
			t.Fatalf("bit length of %v", a)
		}
		if d.IsZero() {
			if _, ok := a.MulDiv(b, d); ok || a.MulDivSat(b, d) != Max128() {
				t.Fatal("division by zero accepted")
			}
			return
		}
		q, r := a.DivMod(d)
		wq, wr := new(big.Int).DivMod(a.big(), d.big(), new(big.Int))
		if q.big().Cmp(wq) != 0 || r.big().Cmp(wr) != 0 || a.Div(d) != q || a.Mod(d) != r {
			t.Fatalf("%v divmod %v = %v, %v; want %v, %v", a, d, q, r, wq, wr)
		}
		w := new(big.Int).Mul(a.big(), b.big())
		w.Div(w, d.big())
		got, ok = a.MulDiv(b, d)
		check("*b/d", w, got, ok, a.MulDivSat(b, d))
	})
}

// The quotient estimate of long division is wrong by two only for rare divisors.
func TestDivisionCorners(t *testing.T) {
	m := ^uint64(0)
	words := []uint64{0, 1, 2, 1 << 63, 1<<63 - 1, 1<<63 + 1, m - 1, m, 1 << 32}
	var all []U128
	for _, hi := range words {
		for _, lo := range words {
			all = append(all, U128{lo, hi})
		}
	}
	for _, a := range all {
		for _, b := range all {
			for _, d := range all {
				got, ok := a.MulDiv(b, d)
				if d.IsZero() {
					if ok {
						t.Fatalf("%v*%v/0 accepted", a, b)
					}
					continue
				}
				want := new(big.Int).Mul(a.big(), b.big())
				want.Div(want, d.big())
				if fits := want.Cmp(two128) < 0; ok != fits || ok && got.big().Cmp(want) != 0 {
					t.Fatalf("%v*%v/%v = %v, %v; want %v", a, b, d, got, ok, want)
				}
			}
		}
	}
}

func TestShifts(t *testing.T) {
	u := U128{Lo: 0x0123456789abcdef, Hi: 0xfedcba9876543210}
	for n := uint(0); n <= 130; n++ {
		l := new(big.Int).Lsh(u.big(), n)
		l.Mod(l, two128)
		if u.Lsh(n).big().Cmp(l) != 0 || u.Rsh(n).big().Cmp(new(big.Int).Rsh(u.big(), n)) != 0 {
			t.Fatalf("shift by %d: %x %x", n, u.Lsh(n), u.Rsh(n))
		}
	}
}

func TestText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := genU128().Draw(t, "u")
		if u.String() != u.big().String() {
			t.Fatalf("String %s, want %s", u, u.big())
		}
		for _, s := range []string{u.String(), fmt.Sprintf("%#x", u.big())} {
			got, err := FromString(s)
			if err != nil || got != u {
				t.Fatalf("FromString(%q) = %v, %v", s, got, err)
			}
			var j U128
			if err := json.Unmarshal([]byte(`"`+s+`"`), &j); err != nil || j != u {
				t.Fatalf("json %q = %v, %v", s, j, err)
			}
		}
		var j U128
		if err := json.Unmarshal([]byte(u.String()), &j); err != nil || j != u {
			t.Fatalf("json number %v = %v, %v", u, j, err)
		}
		if b, err := json.Marshal(u); err != nil || string(b) != `"`+u.String()+`"` {
			t.Fatalf("marshal %s, %v", b, err)
		}
	})
	for _, s := range []string{"", "0x", "-1", "+1", "1 ", "1_000", "0xg", "a", "1e3", "340282366920938463463374607431768211456", "0x100000000000000000000000000000000"} {
		if v, err := FromString(s); err == nil {
			t.Errorf("FromString(%q) = %v, want an error", s, v)
		}
	}
	for _, s := range []string{`null`, `true`, `1.5`, `1e3`, `-1`, `""`, `{}`, `"`} {
		var u U128
		if err := json.Unmarshal([]byte(s), &u); err == nil {
			t.Errorf("json %s accepted as %v", s, u)
		}
	}
}

func TestSCALE(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := genU128().Draw(t, "u")
		b := u.AppendSCALE(nil)
		var got U128
		if err := scale.Decode(b, &got); err != nil || got != u || len(b) != 16 {
			t.Fatalf("%x -> %v, %v", b, got, err)
		}
		c := scale.NewCursor(u.AppendCompact(nil))
		got.DecodeCompact(c)
		if err := c.Finish(); err != nil || got != u {
			t.Fatalf("compact %v -> %v, %v", u, got, err)
		}
	})
	if b := (U128{Lo: 0x0102, Hi: 3}).AppendSCALE(nil); fmt.Sprintf("%x", b) != "02010000000000000300000000000000" {
		t.Errorf("bytes %x", b)
	}
	var p Perbill
	if err := scale.Decode(scale.AppendU32(nil, 1_000_000_001), &p); err == nil || p != 0 {
		t.Errorf("oversized share decoded as %v, %v", p, err)
	}
	c := scale.NewCursor(scale.AppendCompact(nil, 1<<40))
	if p.DecodeCompact(c); c.Finish() != nil || p != PerbillOne() {
		t.Errorf("compact share %v, %v", p, c.Err())
	}
}

func TestFixedU128(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genU128().Draw(t, "a"), genU128().Draw(t, "b")
		f, g := FixedFromInner(a), FixedFromInner(b)
		unit := big.NewInt(FixedScale)
		cut := func(w *big.Int) *big.Int {
			if w.Cmp(two128) >= 0 {
				return Max128().big()
			}
			return w
		}
		prod := new(big.Int).Mul(a.big(), b.big())
		prod.Div(prod, unit)
		if f.Mul(g).Inner().big().Cmp(cut(prod)) != 0 || f.MulInt(b) != f.Mul(g).Inner() {
			t.Fatalf("%v * %v = %v", f, g, f.Mul(g))
		}
		quo, ok := f.Div(g)
		if ok == b.IsZero() {
			t.Fatalf("Div by %v: %v", g, ok)
		}
		if ok {
			w := new(big.Int).Mul(a.big(), unit)
			w.Div(w, b.big())
			if quo.Inner().big().Cmp(cut(w)) != 0 {
				t.Fatalf("%v / %v = %v", f, g, quo)
			}
			rat, fits := FixedFromRational(a, b)
			if fits != (w.Cmp(two128) < 0) || fits && rat != quo {
				t.Fatalf("rational %v/%v = %v, %v", a, b, rat, fits)
			}
		}
		whole, frac := FixedFromInt(f.Floor()), f.Frac()
		if whole.Add(frac) != f || frac.Cmp(FixedOne()) >= 0 {
			t.Fatalf("%v = %v + %v", f, whole, frac)
		}
		js, err := json.Marshal(f)
		var back FixedU128
		if err != nil || json.Unmarshal(js, &back) != nil || back != f {
			t.Fatalf("json %s -> %v", js, back)
		}
	})
	half, _ := FixedFromRational(FromUint64(1), FromUint64(2))
	for _, c := range []struct {
		got  FixedU128
		want string
	}{
		{half, "0.5"}, {FixedOne(), "1"}, {FixedU128{}, "0"}, {half.Mul(half), "0.25"},
		{FixedFromPerbill(1), "0.000000001"}, {FixedOne().Sub(FixedFromInner(FromUint64(1))), "0.999999999999999999"},
		{FixedOne().Sub(FixedOne().Add(half)), "0"},
		{FixedFromInner(Max128()), "340282366920938463463.374607431768211455"},
	} {
		if c.got.String() != c.want {
			t.Errorf("got %v, want %s", c.got, c.want)
		}
	}
}

func BenchmarkMulDiv(b *testing.B) {
	b.ReportAllocs()
	x, y, d := U128{12345, 678}, U128{91011, 1213}, U128{1415, 16170}
	for b.Loop() {
		x2, _ := x.MulDiv(y, d)
		x.Lo ^= x2.Lo & 1
	}
}

func BenchmarkPerbillMul(b *testing.B) {
	b.ReportAllocs()
	x := U128{1 << 60, 5}
	for b.Loop() {
		x.Lo ^= Perbill(123_456_789).Mul(x).Lo & 1
	}
}
