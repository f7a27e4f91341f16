package trusted

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
)

// BenchmarkFiller is how fast free space is made on one core, without the disk;
// BenchmarkFillerBound what it cannot be faster than.
func BenchmarkFiller(b *testing.B) {
	core := newHost(b, newChain()).core
	f, err := core.OpenFiller(proof.MaxUnitLeaves)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 16*proof.LeafSize)
	var hashes []Hash
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		if f.Left() < 16 {
			if f, err = core.OpenFiller(proof.MaxUnitLeaves); err != nil {
				b.Fatal(err)
			}
		}
		if hashes, err = f.Next(dst, hashes[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

// bound encrypts and hashes: AES-256-CTR and SHA-256 over the same bytes, no more.
func bound(stream cipher.Stream, dst []byte) {
	for leaf := dst; len(leaf) > 0; leaf = leaf[proof.LeafSize:] {
		stream.XORKeyStream(leaf[:proof.LeafSize], leaf[:proof.LeafSize])
		sha256.Sum256(leaf[:proof.LeafSize])
	}
}

func BenchmarkFillerBound(b *testing.B) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	stream := cipher.NewCTR(block, make([]byte, 16))
	dst := make([]byte, 16*proof.LeafSize)
	b.SetBytes(int64(len(dst)))
	for b.Loop() {
		bound(stream, dst)
	}
}

// BenchmarkSeal seals blocks of 256 KiB: hash against the CID, encrypt, hash leaves.
func BenchmarkSeal(b *testing.B) {
	core := newHost(b, newChain()).core
	block := make([]byte, 256<<10)
	rand.NewChaCha8([32]byte{}).Read(block)
	cid := dag.Sum(dag.Raw, block)
	var u *DataUnit
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		f, err := core.Begin(cid, 1<<20)
		if err != nil {
			b.Fatal(err)
		}
		if u == nil || !u.fits(cid, block) {
			if u, err = core.OpenData(proof.MaxUnitLeaves); err != nil {
				b.Fatal(err)
			}
		}
		if _, _, err := f.Put(u, cid, block); err != nil {
			b.Fatal(err)
		}
		core.Abandon(f)
	}
}

// simulated makes a core whose plan has as many fillers, and the leaves that a
// challenge asks for.
func simulated(tb testing.TB, units int) *Core {
	tb.Helper()
	core := newHost(tb, newChain()).core
	ds := make([]proof.Descriptor, units)
	for i := range ds {
		binary.LittleEndian.PutUint64(ds[i].ID[:], uint64(i)+1)
		ds[i].Leaves = proof.MaxUnitLeaves
	}
	if err := core.ledger.Plan.Load(proof.Filler, ds); err != nil {
		tb.Fatal(err)
	}
	core.record.Plan = core.ledger.Plan.Totals()
	return core
}

// leafOf makes the leaf that is asked for, as if it had been on disk.
func (c *Core) leafOf(a *Asked, dst []byte) {
	clear(dst)
	iv := leafIV(a.Leaf)
	cipher.NewCTR(c.secret.unitCipher(proof.Filler, &a.Unit.ID), iv[:]).XORKeyStream(dst, dst)
}

// slotOf draws and checks a challenge of 1,024 leaves that are in memory.
func slotOf(tb testing.TB, core *Core, leaf []byte, s *Scratch, beacon Hash) {
	p := proof.Params{UnitLeaves: proof.MaxUnitLeaves, Samples: 1024, Deadline: 50, AuditWindow: 100}
	ch, err := core.Challenge(p, 600, Hash{}, beacon)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range ch.Asked() {
		core.leafOf(&ch.asked[i], leaf)
		if !ch.Proves(s, i, leaf, nil) {
			tb.Fatal("a leaf is wrong")
		}
		ch.proven[i] = true
	}
	if _, err := core.Report(nil, nil); err != nil {
		tb.Fatal(err)
	}
	core.lapse()
}

// A challenge of a worker of 500 TiB stays below 300 MB, its plan included.
func Test500TiBFits(t *testing.T) {
	if testing.Short() {
		t.Skip("allocates 100 MB")
	}
	core := simulated(t, 512_000)
	slotOf(t, core, make([]byte, proof.LeafSize), new(Scratch), Hash{1})
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 150<<20 {
		t.Errorf("%d MB live", m.HeapAlloc>>20)
	}
	if m.Sys > 300<<20 {
		t.Errorf("%d MB from the system", m.Sys>>20)
	}
	runtime.KeepAlive(core)
}

func benchmarkSlot(b *testing.B, units int) {
	core := simulated(b, units)
	leaf, s := make([]byte, proof.LeafSize), new(Scratch)
	b.ReportAllocs()
	for n := byte(0); b.Loop(); n++ {
		slotOf(b, core, leaf, s, Hash{n})
	}
}

// Challenges of 1,024 leaves, with the making of the leaves in place of the disk.
func BenchmarkSlot1GiB(b *testing.B)   { benchmarkSlot(b, 1) }
func BenchmarkSlot500TiB(b *testing.B) { benchmarkSlot(b, 512_000) }

func BenchmarkProvesFiller(b *testing.B) {
	core := simulated(b, 4)
	ch := &Challenge{asked: []Asked{{Leaf: 5}}, proven: make([]bool, 1), secret: &core.secret}
	leaf, s := make([]byte, proof.LeafSize), new(Scratch)
	core.leafOf(&ch.asked[0], leaf)
	b.SetBytes(proof.LeafSize)
	b.ReportAllocs()
	for b.Loop() {
		if !ch.Proves(s, 0, leaf, nil) {
			b.Fatal("wrong")
		}
	}
}

func BenchmarkProvesData(b *testing.B) {
	leaf, s := make([]byte, proof.LeafSize), new(Scratch)
	hashes := make([]Hash, proof.MaxUnitLeaves)
	for i := range hashes {
		hashes[i] = s.hasher.Leaf(leaf)
	}
	rows := proof.UnitRows(hashes)
	path := proof.PathIn(rows, 77, proof.MaxUnitLeaves)
	a := Asked{proof.Data, proof.Descriptor{Leaves: proof.MaxUnitLeaves, Root: rows[len(rows)-1]}, 77}
	ch := &Challenge{asked: []Asked{a}, proven: make([]bool, 1)}
	b.SetBytes(proof.LeafSize)
	b.ReportAllocs()
	for b.Loop() {
		if !ch.Proves(s, 0, leaf, path) {
			b.Fatal("wrong")
		}
	}
}
