package grandpa

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// setKeys are the keys of the n-th set of a test chain.
func setKeys(n int) []*ed25519.KeyPair {
	out := make([]*ed25519.KeyPair, 4)
	for i := range out {
		out[i] = ed25519.FromSeed([32]byte{9, byte(n), byte(n >> 8), byte(i)})
	}
	return out
}

// warpChain is a proof over n changes, ten blocks apart, and a last block
// without one. Changes happen in blocks 10, 20, …
func warpChain(n int) *WarpProof {
	p := &WarpProof{Finished: true}
	for i := range n + 1 {
		h := types.Header{Number: types.BlockNumber(10 * (i + 1)), StateRoot: types.Hash{byte(i)}}
		if i < n {
			h.Digest = types.Digest{ScheduledChange(authorities(setKeys(i+1)), 0).Item()}
		}
		p.Fragments = append(p.Fragments, fragment(h, types.SetID(i), setKeys(i)))
	}
	return p
}

// fragment is a header that three of four voters have signed.
func fragment(h types.Header, set types.SetID, ks []*ed25519.KeyPair) WarpFragment {
	t := target(h)
	return WarpFragment{h, justify(ks, Round{set, 1}, t, []Target{t, t, t})}
}

func TestWarpProof(t *testing.T) {
	p := warpChain(5)
	data := p.AppendSCALE(nil)
	back, err := DecodeWarpProof(data)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.AppendSCALE(nil), data) {
		t.Error("decoded and encoded again, the proof is another")
	}
	b := WarpBuilder{Max: len(data) + warpFrame}
	for i := range p.Fragments {
		if !b.Add(scale.Encode(&p.Fragments[i].Header), scale.Encode(p.Fragments[i].Justification)) {
			t.Fatal("a small proof does not fit")
		}
	}
	if b.Len() != 6 || !bytes.Equal(b.Proof(true), data) {
		t.Error("built from its parts, the proof is another")
	}
	first := voters(t, 0, setKeys(0))
	last, err := first.VerifyWarp(back, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(authorities(setKeys(5)), last.Authorities()); d != "" || last.ID() != 5 {
		t.Errorf("set %d: %s", last.ID(), d)
	}
	// From every change on, the rest of the proof is one as well.
	for i := range 6 {
		rest := &WarpProof{Fragments: back.Fragments[i:]}
		if _, err := voters(t, types.SetID(i), setKeys(i)).VerifyWarp(rest, types.BlockNumber(10*i), nil); err != nil {
			t.Errorf("from set %d: %v", i, err)
		}
	}
}

func TestWarpProofRefused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(*WarpProof)
		want  string
	}{
		{"nothing", func(p *WarpProof) { p.Fragments = nil }, "of nothing"},
		{"a change left out", func(p *WarpProof) { p.Fragments = slices.Delete(p.Fragments, 1, 2) }, "not in set 1"},
		{"the first left out", func(p *WarpProof) { p.Fragments = p.Fragments[1:] }, "not in set 0"},
		{"twice the same", func(p *WarpProof) { p.Fragments = slices.Insert(p.Fragments, 1, p.Fragments[0]) }, "after block 10"},
		{"another order", func(p *WarpProof) { slices.Reverse(p.Fragments) }, "not in set 0"},
		{"a signature", func(p *WarpProof) { p.Fragments[2].Justification.Precommits[1].Signature[3] ^= 1 }, "signature"},
		{"a vote too few", func(p *WarpProof) {
			j := &p.Fragments[2].Justification
			j.Precommits = j.Precommits[:2]
		}, "weight 2"},
		{"a header", func(p *WarpProof) { p.Fragments[1].Header.StateRoot[0] ^= 1 }, "is for block 20"},
		{"round 0", func(p *WarpProof) { p.Fragments[1].Justification.Round = 0 }, "from 1"},
		{"another round", func(p *WarpProof) { p.Fragments[1].Justification.Round++ }, "signature"},
		{"a header without change in the middle", func(p *WarpProof) {
			p.Fragments[1] = fragment(types.Header{Number: 20}, 1, setKeys(1))
		}, "changes no set"},
		{"a header that nobody needs", func(p *WarpProof) {
			p.Fragments[1].Justification.Ancestry = []types.Header{{Number: 21}}
		}, "not needed"},
		{"a delayed change", func(p *WarpProof) {
			h := types.Header{Number: 20, Digest: types.Digest{ScheduledChange(authorities(setKeys(2)), 1).Item()}}
			p.Fragments[1] = fragment(h, 1, setKeys(1))
		}, "1 blocks later"},
		{"a forced change", func(p *WarpProof) {
			l := Log{Kind: LogForcedChange, Change: Change{Next: authorities(setKeys(2))}}
			p.Fragments[1] = fragment(types.Header{Number: 20, Digest: types.Digest{l.Item()}}, 1, setKeys(1))
		}, "forced"},
		{"an empty set", func(p *WarpProof) {
			h := types.Header{Number: 20, Digest: types.Digest{ScheduledChange(nil, 0).Item()}}
			p.Fragments[1] = fragment(h, 1, setKeys(1))
		}, "nobody"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := warpChain(3)
			tc.spoil(p)
			_, err := voters(t, 0, setKeys(0)).VerifyWarp(p, 0, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
	if _, err := voters(t, 0, setKeys(0)).VerifyWarp(warpChain(1), 10, nil); err == nil {
		t.Error("a proof that begins at the client's own block was taken")
	}
}

// Whatever single bit of a proof is flipped, it does not decode or is refused.
// Only the flag is not protected: it proves nothing.
func TestWarpProofEveryBit(t *testing.T) {
	data := warpChain(1).AppendSCALE(nil)
	v := voters(t, 0, setKeys(0))
	for i := range data[:len(data)-1] {
		for bit := range 8 {
			b := bytes.Clone(data)
			b[i] ^= 1 << bit
			p, err := DecodeWarpProof(b)
			if err != nil {
				continue
			}
			if _, err := v.VerifyWarp(p, 0, nil); err == nil {
				t.Fatalf("bit %d of byte %d does not matter", bit, i)
			}
		}
	}
}

func TestWarpBuilderLimit(t *testing.T) {
	w := WarpBuilder{Max: MaxWarpBytes}
	header, justification := make([]byte, 1000), make([]byte, 10_000)
	for w.Add(header, justification) {
	}
	n := len(w.Proof(false))
	if n > MaxWarpBytes || n < MaxWarpBytes-12_000 {
		t.Errorf("the full proof has %d bytes", n)
	}
	if !w.Add(nil, nil) || w.Len() != MaxWarpBytes/11_000+1 {
		t.Errorf("%d fragments", w.Len())
	}
	if _, err := DecodeWarpProof(make([]byte, MaxForeignWarpBytes+1)); err == nil {
		t.Error("a proof over the limit was decoded")
	}
}

func FuzzWarpProof(f *testing.F) {
	f.Add(warpChain(0).AppendSCALE(nil))
	f.Add(warpChain(2).AppendSCALE(nil))
	f.Add([]byte{0, 1})
	f.Add([]byte{4})
	v, err := NewVoterSet(0, authorities(setKeys(0)))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodeWarpProof(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.AppendSCALE(nil), b) {
			t.Fatal("two encodings of one proof")
		}
		_, _ = v.VerifyWarp(p, 0, nil)
	})
}

func BenchmarkVerifyWarp(b *testing.B) {
	const changes = 1000
	data := warpChain(changes).AppendSCALE(nil)
	v := voters(b, 0, setKeys(0))
	b.ReportAllocs()
	for b.Loop() {
		p, err := DecodeWarpProof(data)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := v.VerifyWarp(p, 0, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/1000changes")
	b.ReportMetric(float64(len(data)), "proof-bytes")
}
