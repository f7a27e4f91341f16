package ed25519

import (
	stded "crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"pgregory.net/rapid"
)

var zip215 = &voi.Options{Verify: voi.VerifyOptionsZIP_215}

func genSeed() *rapid.Generator[[32]byte] {
	return rapid.Custom(func(t *rapid.T) [32]byte {
		return [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
	})
}

// everyWay verifies in all ways there are and fails if they disagree.
func everyWay(t interface {
	Helper()
	Fatalf(string, ...any)
}, pub [32]byte, msg []byte, sig [64]byte) bool {
	t.Helper()
	want := voi.VerifyWithOptions(pub[:], msg, sig[:], zip215)
	if got := Verify(pub, msg, sig); got != want {
		t.Fatalf("single %v, voi %v: key %x signature %x", got, want, pub, sig)
	}
	b := NewBatch(2)
	b.Add(pub, msg, sig)
	other := FromSeed([32]byte{77})
	b.Add(other.Public(), msg, other.Sign(msg))
	if got := b.Verify(); got != want {
		t.Fatalf("batch %v, voi %v: key %x signature %x", got, want, pub, sig)
	}
	if got := b.VerifyEach(); got[0] != want || !got[1] {
		t.Fatalf("each %v, voi %v", got, want)
	}
	if k, err := Prepare(pub); err == nil {
		if got := k.Verify(msg, sig); got != want || k.Public() != pub {
			t.Fatalf("prepared %v, voi %v", got, want)
		}
		tabled, err := Tabulate(pub)
		if err != nil || tabled.Public() != pub {
			t.Fatalf("Tabulate: %v", err)
		}
		if got := tabled.Verify(msg, sig); got != want {
			t.Fatalf("with a table %v, voi %v", got, want)
		}
		b.Reset()
		b.AddPrepared(k, msg, sig)
		if got := b.Verify(); got != want {
			t.Fatalf("prepared batch %v, voi %v", got, want)
		}
	} else if want {
		t.Fatalf("Prepare: %v", err)
	}
	return want
}

func TestAgainstStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := genSeed().Draw(t, "seed")
		msg := rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(t, "msg")
		p, std := FromSeed(seed), stded.NewKeyFromSeed(seed[:])
		sig := p.Sign(msg)
		if string(sig[:]) != string(stded.Sign(std, msg)) || string(p.private[32:]) != string(std[32:]) {
			t.Fatal("the standard library signs otherwise")
		}
		if !everyWay(t, p.Public(), msg, sig) {
			t.Fatal("own signature refused")
		}
		bit := rapid.IntRange(0, 64*8-1).Draw(t, "bit")
		sig[bit/8] ^= 1 << (bit % 8)
		if everyWay(t, p.Public(), msg, sig) {
			t.Fatal("damaged signature accepted")
		}
	})
}

// smallOrder are encodings of small-order points, some not canonical. With
// s = 0 all 64 pairs of key and commitment are valid under ZIP 215; the standard
// library accepts 6.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func TestZIP215(t *testing.T) {
	std, all := 0, NewBatch(64)
	for _, a := range smallOrder {
		for _, r := range smallOrder {
			var pub [32]byte
			var sig [64]byte
			if _, err := hex.Decode(pub[:], []byte(a)); err != nil {
				t.Fatal(err)
			}
			if _, err := hex.Decode(sig[:32], []byte(r)); err != nil {
				t.Fatal(err)
			}
			msg := []byte("Zcash")
			if !everyWay(t, pub, msg, sig) {
				t.Errorf("key %s, commitment %s refused", a, r)
			}
			if stded.Verify(pub[:], msg, sig[:]) {
				std++
			}
			all.Add(pub, msg, sig)
		}
	}
	if !all.Verify() {
		t.Error("the batch of all is refused")
	}
	if std != 6 {
		t.Errorf("the standard library accepts %d; this test no longer tells the rules apart", std)
	}
}

// Keys and commitments that are a point of the prime-order group and one of small order.
func TestZIP215MixedOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := func(name string) *scalar.Scalar {
			wide := sha512.Sum512(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, name))
			s, err := scalar.NewFromBytesModOrderWide(wide[:])
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		point := func(name string, of *scalar.Scalar) (out [32]byte) {
			var p, small curve.EdwardsPoint
			enc, err := hex.DecodeString(rapid.SampledFrom(smallOrder).Draw(t, name))
			if err != nil || !decompress(&small, enc) {
				t.Fatal(err)
			}
			p.MulBasepoint(curve.ED25519_BASEPOINT_TABLE, of)
			c := curve.NewCompressedEdwardsY().SetEdwardsPoint(p.Add(&p, &small))
			copy(out[:], c[:])
			return out
		}
		a, r := number("a"), number("r")
		pub, commitment := point("A", a), point("R", r)
		var sig [64]byte
		copy(sig[:], commitment[:])
		var k, s scalar.Scalar
		challenge(&k, &pub, []byte("m"), &sig)
		if err := s.Add(r, s.Mul(&k, a)).ToBytes(sig[32:]); err != nil {
			t.Fatal(err)
		}
		if !everyWay(t, pub, []byte("m"), sig) || everyWay(t, pub, []byte("n"), sig) {
			t.Fatal("ZIP 215 multiplies the equation by the cofactor")
		}
	})
}

func TestRefusesUnreducedScalar(t *testing.T) {
	p := FromSeed([32]byte{1})
	sig := p.Sign([]byte("m"))
	order := [32]byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
	carry := 0
	for i := range order {
		carry += int(sig[32+i]) + int(order[i])
		sig[32+i] = byte(carry)
		carry >>= 8
	}
	if everyWay(t, p.Public(), []byte("m"), sig) {
		t.Error("accepted")
	}
	for _, prepare := range []func([32]byte) (*PreparedKey, error){Prepare, Tabulate} {
		if _, err := prepare([32]byte{2}); err == nil {
			t.Error("prepared a key that is no point")
		}
	}
}

func items(n, keys int) []Item {
	out := make([]Item, n)
	for i := range out {
		var seed [32]byte
		binary.LittleEndian.PutUint64(seed[:], uint64(i%keys))
		p := FromSeed(seed)
		msg := binary.LittleEndian.AppendUint64(make([]byte, 0, 53), uint64(i))[:53]
		out[i] = Item{p.Public(), msg, p.Sign(msg)}
	}
	return out
}

func TestBatchEqualsSingle(t *testing.T) {
	good := items(120, 23) // more than 190 terms are added up in another way
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, len(good)).Draw(t, "n")
		its := slices.Clone(good[:n])
		for range rapid.IntRange(0, 3).Draw(t, "broken") {
			it := &its[rapid.IntRange(0, n-1).Draw(t, "i")]
			bit := rapid.IntRange(0, 255).Draw(t, "bit")
			if rapid.Bool().Draw(t, "key") {
				it.Public[bit/8] ^= 1 << (bit % 8)
			} else {
				it.Signature[bit/8] ^= 1 << (bit % 8)
			}
		}
		b := new(Batch)
		var want []bool
		for _, it := range its {
			if k, err := Prepare(it.Public); err == nil && rapid.Bool().Draw(t, "prepared") {
				b.AddPrepared(k, it.Message, it.Signature)
			} else {
				b.Add(it.Public, it.Message, it.Signature)
			}
			want = append(want, Verify(it.Public, it.Message, it.Signature))
		}
		if got := b.FirstInvalid(); got != slices.Index(want, false) || b.Len() != n {
			t.Fatalf("first %d, want %v", got, want)
		}
		if got := b.VerifyEach(); !slices.Equal(got, want) {
			t.Fatalf("each %v, want %v", got, want)
		}
		if got := VerifyAll(its, nil); got != slices.Index(want, false) {
			t.Fatalf("VerifyAll %d, want %v", got, want)
		}
	})
}

// Exchanged scalars keep the plain sum; only distinct coefficients notice.
func TestBatchCoefficientsDiffer(t *testing.T) {
	its := items(2, 2)
	a, b := its[0].Signature, its[1].Signature
	copy(its[0].Signature[32:], b[32:])
	copy(its[1].Signature[32:], a[32:])
	if VerifyAll(its, nil) != 0 {
		t.Error("accepted")
	}
}

func TestVerifyAllInPieces(t *testing.T) {
	its := items(1100, 30)
	par := func(n int, f func(int)) {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { f(i) })
		}
		wg.Wait()
	}
	if got := VerifyAll(its, par); got != -1 {
		t.Errorf("item %d refused", got)
	}
	its[1000].Message = nil
	if got := VerifyAll(its, par); got != 1000 {
		t.Errorf("got %d, want 1000", got)
	}
}

func FuzzVerify(f *testing.F) {
	p := FromSeed([32]byte{3})
	pub, sig := p.Public(), p.Sign([]byte("seed"))
	f.Add(pub[:], []byte("seed"), sig[:])
	f.Add(make([]byte, 32), []byte{}, make([]byte, 64))
	f.Fuzz(func(t *testing.T, pub, msg, sig []byte) {
		if len(pub) == 32 && len(sig) == 64 {
			everyWay(t, [32]byte(pub), msg, [64]byte(sig))
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	it := items(1, 1)[0]
	b.Run("single", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !Verify(it.Public, it.Message, it.Signature) {
				b.Fatal("invalid")
			}
		}
	})
	b.Run("table", func(b *testing.B) {
		b.ReportAllocs()
		k, err := Tabulate(it.Public)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if !k.Verify(it.Message, it.Signature) {
				b.Fatal("invalid")
			}
		}
	})
	b.Run("voi", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !voi.VerifyWithOptions(it.Public[:], it.Message, it.Signature[:], zip215) {
				b.Fatal("invalid")
			}
		}
	})
}

func BenchmarkBatch(b *testing.B) {
	for _, n := range []int{64, 512, 1024} {
		its := items(n, n)
		keys := make([]*PreparedKey, n)
		for i := range its {
			keys[i], _ = Prepare(its[i].Public)
		}
		run := func(name string, verify func() bool) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !verify() {
						b.Fatal("invalid")
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/sig")
			})
		}
		batch := NewBatch(n)
		run("distinct", func() bool {
			batch.Reset()
			for i := range its {
				batch.Add(its[i].Public, its[i].Message, its[i].Signature)
			}
			return batch.Verify()
		})
		run("prepared", func() bool {
			batch.Reset()
			for i := range its {
				batch.AddPrepared(keys[i], its[i].Message, its[i].Signature)
			}
			return batch.Verify()
		})
		run("voi", func() bool {
			v := voi.NewBatchVerifierWithCapacity(n)
			for i := range its {
				v.AddWithOptions(its[i].Public[:], its[i].Message, its[i].Signature[:], zip215)
			}
			return v.VerifyBatchOnly(nil)
		})
	}
}
