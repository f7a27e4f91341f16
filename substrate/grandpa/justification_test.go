package grandpa

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

func keys(n int) []*ed25519.KeyPair {
	out := make([]*ed25519.KeyPair, n)
	for i := range out {
		out[i] = ed25519.FromSeed([32]byte{3, byte(i), byte(i >> 8)})
	}
	return out
}

func authorities(ks []*ed25519.KeyPair) []Authority {
	var out []Authority
	for _, k := range ks {
		out = append(out, Authority{k.Public(), 1})
	}
	return out
}

func voters(t testing.TB, id types.SetID, ks []*ed25519.KeyPair) *VoterSet {
	t.Helper()
	v, err := NewVoterSet(id, authorities(ks))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// chain is n headers on top of a header with a number.
func chain(parent types.Header, n int, mark byte) []types.Header {
	var out []types.Header
	for range n {
		parent = types.Header{ParentHash: parent.Hash(), Number: parent.Number + 1, StateRoot: types.Hash{mark}}
		out = append(out, parent)
	}
	return out
}

func target(h types.Header) Target { return Target{h.Hash(), h.Number} }

func TestThreshold(t *testing.T) {
	for _, tc := range []struct{ n, want uint64 }{{1, 1}, {2, 2}, {3, 3}, {4, 3}, {5, 4}, {6, 5}, {7, 5}, {10, 7}, {100, 67}, {1000, 667}} {
		v, err := NewVoterSet(0, []Authority{{[32]byte{1}, tc.n}})
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Threshold(); got != tc.want || v.Total() != tc.n {
			t.Errorf("%d of weight %d decide, want %d", got, v.Total(), tc.want)
		}
	}
}

func TestNewVoterSetRefuses(t *testing.T) {
	for name, as := range map[string][]Authority{
		"nobody":    nil,
		"no weight": {{[32]byte{1}, 0}},
		"twice":     {{[32]byte{1}, 1}, {[32]byte{2}, 1}, {[32]byte{1}, 1}},
		"overflow":  {{[32]byte{1}, 1 << 63}, {[32]byte{2}, 1 << 63}},
		"too many":  make([]Authority, MaxAuthorities+1),
	} {
		if _, err := NewVoterSet(0, as); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// trunk is 0 (the target), 1, 2, 3; branch is 1', 2' on 0.
type tree struct {
	base          types.Header
	trunk, branch []types.Header
}

func newTree() tree {
	base := types.Header{Number: 100}
	return tree{base, chain(base, 3, 1), chain(base, 2, 2)}
}

// justify makes a justification of base by keys[i] voting for targets[i].
func justify(ks []*ed25519.KeyPair, r Round, base Target, targets []Target, ancestry ...types.Header) Justification {
	j := Justification{Round: r.Number, Target: base, Ancestry: ancestry}
	for i, t := range targets {
		j.Precommits = append(j.Precommits, Sign(ks[i], Precommit, t, r))
	}
	return j
}

func TestVerify(t *testing.T) {
	ks := keys(5)
	r := Round{Set: 7, Number: 3}
	tr := newTree()
	b := target(tr.base)
	t1, t2, t3, u1, u2 := target(tr.trunk[0]), target(tr.trunk[1]), target(tr.trunk[2]), target(tr.branch[0]), target(tr.branch[1])
	h1, h2, h3, i1, i2 := tr.trunk[0], tr.trunk[1], tr.trunk[2], tr.branch[0], tr.branch[1]
	wrongNumber := func(x Target) Target { x.Number++; return x }
	good := func() Justification { return justify(ks, r, b, []Target{b, b, b}) }
	change := func(f func(*Justification)) Justification { j := good(); f(&j); return j }
	for _, tc := range []struct {
		name string
		j    Justification
		want string // part of the error; empty for valid
	}{
		{"three of four for the target", good(), ""},
		{"all four", justify(ks, r, b, []Target{b, b, b, b}), ""},
		{"one for the child", justify(ks, r, b, []Target{b, b, t1}, h1), ""},
		{"ways that share headers", justify(ks, r, b, []Target{t3, t1, t2, b}, h1, h2, h3), ""},
		{"ways that fork", justify(ks, r, b, []Target{t2, b, u2}, i2, h1, i1, h2), ""},
		{"nobody votes for the target itself", justify(ks, r, b, []Target{t1, t2, u1}, h2, h1, i1), ""},

		{"two of four", justify(ks, r, b, []Target{b, b}), "weight 2"},
		{"nobody", justify(ks, r, b, nil), "weight 0"},
		{"a stranger", change(func(j *Justification) { j.Precommits[1] = Sign(ks[4], Precommit, b, r) }), "not in set 7"},
		{"one voter twice", change(func(j *Justification) { j.Precommits[1] = j.Precommits[0] }), "two precommits"},
		{"one voter for two blocks", justify(append(ks[:3:3], ks[0]), r, b, []Target{b, b, b, t1}, h1), "two precommits"},
		{"changed signature", change(func(j *Justification) { j.Precommits[2].Signature[5] ^= 1 }), "precommit 2"},
		{"signature of another", change(func(j *Justification) { j.Precommits[0].Signature = j.Precommits[1].Signature }), "precommit 0"},
		{"a prevote", change(func(j *Justification) { j.Precommits[1] = Sign(ks[1], Prevote, b, r) }), "precommit 1"},
		{"signed for another round", change(func(j *Justification) { j.Precommits[1] = Sign(ks[1], Precommit, b, Round{7, 4}) }), "precommit 1"},
		{"signed for another set", change(func(j *Justification) { j.Precommits[1] = Sign(ks[1], Precommit, b, Round{8, 3}) }), "precommit 1"},
		{"another round on top", change(func(j *Justification) { j.Round++ }), "is wrong in round 4"},
		{"round 0", change(func(j *Justification) { j.Round = 0 }), "from 1"},
		{"another target on top", change(func(j *Justification) { j.Target = t1 }), "not shown to be above"},
		{"target with another number", change(func(j *Justification) { j.Target.Number++ }), "counts the target as block 100, not 101"},
		{"no way down", justify(ks, r, b, []Target{b, b, t1}), "not shown to be above"},
		{"way with a hole", justify(ks, r, b, []Target{b, b, t3}, h1, h3), "not shown to be above"},
		{"way past the target", justify(ks, r, t1, []Target{t1, t1, u1}, i1), "not shown to be above"},
		{"vote below the target", justify(ks, r, t1, []Target{t1, t1, b}, h1), "not shown to be above"},
		{"vote with another number", justify(ks, r, b, []Target{b, b, wrongNumber(t1)}, h1), "where 102 is claimed"},
		{"shared way with another number", justify(ks, r, b, []Target{t2, b, wrongNumber(t1)}, h1, h2), "where 102 is claimed"},
		{"a header too many", justify(ks, r, b, []Target{b, b, t1}, h1, h2), "1 of 2 headers"},
		{"a header twice", justify(ks, r, b, []Target{b, b, t1}, h1, h1), "twice in the ancestry"},
		{"headers that nobody needs", justify(ks, r, b, []Target{b, b, b}, i1), "1 of 1 headers"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := voters(t, 7, ks[:4])
			err := v.Verify(&tc.j, nil)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("Verify = %v, want %q", err, tc.want)
			}
			if again := Verify(&tc.j, 7, authorities(ks[:4])); (again == nil) != (err == nil) {
				t.Errorf("Verify of the list = %v, of the set %v", again, err)
			}
			var back Justification
			if err := scale.Decode(scale.Encode(tc.j), &back); err != nil {
				t.Fatal(err)
			}
			if again := v.Verify(&back, nil); (again == nil) != (err == nil) {
				t.Errorf("after a round trip: %v, before: %v", again, err)
			}
		})
	}
}

func TestWeightsCount(t *testing.T) {
	ks := keys(3)
	as := authorities(ks)
	as[0].Weight = 98
	b := target(types.Header{Number: 1})
	r := Round{0, 1}
	heavy := justify(ks[:1], r, b, []Target{b})
	light := justify(ks[1:], r, b, []Target{b, b})
	if err := Verify(&heavy, 0, as); err != nil {
		t.Errorf("98 of 100: %v", err)
	}
	if err := Verify(&light, 0, as); err == nil {
		t.Error("2 of 100 finalise")
	}
}

func TestVerifyInParallel(t *testing.T) {
	ks := keys(300)
	v := voters(t, 1, ks)
	b := target(types.Header{Number: 9})
	targets := make([]Target, len(ks))
	for i := range targets {
		targets[i] = b
	}
	par := func(n int, f func(int)) {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { f(i) })
		}
		wg.Wait()
	}
	j := justify(ks, Round{1, 1}, b, targets)
	if err := v.Verify(&j, par); err != nil {
		t.Fatal(err)
	}
	j.Precommits[257].Signature[0] ^= 1
	if err := v.Verify(&j, par); err == nil || !strings.Contains(err.Error(), "precommit 257 ") {
		t.Errorf("wrong signature 257: %v", err)
	}
}

func TestSolo(t *testing.T) {
	k := keys(2)
	b := target(types.Header{Number: 12})
	j := Solo(k[0], Round{Set: 4, Number: 12}, b)
	if err := Verify(&j, 4, authorities(k[:1])); err != nil {
		t.Error(err)
	}
	if err := Verify(&j, 4, authorities(k[1:])); err == nil {
		t.Error("valid for another authority")
	}
	if err := Verify(&j, 5, authorities(k[:1])); err == nil {
		t.Error("valid for another set")
	}
	if e := j.Engine(); e.Engine != types.EngineGRANDPA {
		t.Errorf("engine %q", e.Engine[:])
	}
}

func TestCommitKeepsTheProof(t *testing.T) {
	ks := keys(4)
	tr := newTree()
	b, t1 := target(tr.base), target(tr.trunk[0])
	j := justify(ks, Round{2, 9}, b, []Target{b, t1, b}, tr.trunk[0])
	m := j.Commit(2)
	got, err := DecodeMessage(AppendMessage(nil, m))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(j, got.(*CommitMessage).Justification(j.Ancestry)); d != "" {
		t.Errorf("(-justification +by way of a commit):\n%s", d)
	}
	for i := range m.Precommits {
		if !m.Precommits[i].Verify(Precommit, m.Round) || m.Precommits[i].Verify(Prevote, m.Round) {
			t.Errorf("single check of precommit %d is wrong", i)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{4, 100, 1000} {
		b.Run(map[int]string{4: "4", 100: "100", 1000: "1000"}[n], func(b *testing.B) {
			ks := keys(n)
			v := voters(b, 1, ks)
			t := target(types.Header{Number: 9})
			targets := make([]Target, v.Threshold())
			for i := range targets {
				targets[i] = t
			}
			j := justify(ks, Round{1, 1}, t, targets)
			b.ReportAllocs()
			for b.Loop() {
				if err := v.Verify(&j, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(targets)), "µs/vote")
		})
	}
}
