package historical_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

func acc(n int) types.AccountID { return types.AccountID{byte(n), byte(n >> 8), 1} }

func keys(n int) session.Keys {
	b := [32]byte{byte(n), byte(n >> 8)}
	return session.Keys{Grandpa: b, Babe: b, ImOnline: b, AuthorityDiscovery: b} // one key of every kind
}

func babeKey(n int) session.OwnedKey {
	return session.OwnedKey{Type: session.KeyBabe, Key: keys(n).Babe}
}

func members(n int) []historical.Member {
	out := make([]historical.Member, n)
	for i := range out {
		out[i] = historical.Member{Entry: session.Entry{Validator: acc(i), Keys: keys(i)}, Identification: bytes.Repeat([]byte{byte(i)}, i%70)}
	}
	return out
}

func TestTree(t *testing.T) {
	for _, n := range []int{0, 1, 2, 4, 33, 300} {
		ms := members(n)
		tree, err := historical.NewTree(ms)
		if err != nil {
			t.Fatal(err)
		}
		var entries []trie.KV // the definition, once more
		for i, m := range ms {
			pos := []byte{byte(i), byte(i >> 8), 0, 0}
			for _, k := range m.Keys.Raw() {
				entries = append(entries, trie.KV{Key: append(append(k.Type[:], 0x80), k.Key[:]...), Value: pos})
			}
			entries = append(entries, trie.KV{Key: pos, Value: append(m.Validator[:], m.Identification...)})
		}
		if want := types.Hash(trie.Root(trie.V0, entries)); tree.Root() != want {
			t.Errorf("%d members: root %v, want %v", n, tree.Root(), want)
		}
		for i := 0; i < n; i += max(1, n/10) {
			for _, k := range ms[i].Keys.Raw() {
				nodes, err := tree.Prove(k)
				if err != nil {
					t.Fatal(err)
				}
				who, err := historical.Open(tree.Root(), nodes, k)
				if err != nil || who.Validator != ms[i].Validator || !bytes.Equal(who.Identification, ms[i].Identification) {
					t.Errorf("%d members: key of %d belongs to %v, %v", n, i, who, err)
				}
				if _, err := historical.Open(tree.Root(), nodes[1:], k); err == nil {
					t.Error("a proof without its root was accepted")
				}
				if _, err := historical.Open(types.Hash{1}, nodes, k); err == nil {
					t.Error("a proof of another root was accepted")
				}
			}
		}
		if _, err := tree.Prove(babeKey(n)); !errors.Is(err, historical.ErrNotMember) {
			t.Errorf("%d members: proof for a stranger: %v", n, err)
		}
	}
	twice := members(2)
	twice[1].Keys.Babe = twice[0].Keys.Babe
	if _, err := historical.NewTree(twice); err == nil {
		t.Error("two members share a key")
	}
}

// stakes is an identification that differs from session to session.
type stakes struct{ salt byte }

func (s *stakes) FullIdentification(_ *frame.Env, i types.SessionIndex, v types.AccountID) []byte {
	return []byte{byte(i), v[0], s.salt}
}

type world struct {
	*frametest.Chain
	p *historical.Pallet
	s *stakes
}

func entries(ids ...int) []session.Entry {
	var out []session.Entry
	for _, n := range ids {
		out = append(out, session.Entry{Validator: acc(n), Keys: keys(n)})
	}
	return out
}

func newWorld(t testing.TB, genesis ...int) *world {
	w := &world{p: &historical.Pallet{KeepSessions: frame.ConstOf(uint32(5))}, s: &stakes{}}
	w.p.Identification = w.s
	w.Chain = frametest.New(t, frametest.Module(9, "Historical", w.p), func(c *frame.Config) { c.Modules[9].Prefix = "Session" }).Genesis(nil)
	e := w.Env()
	w.p.OnGenesisSession(e, entries(genesis...))
	w.State.Apply(e.Changes())
	return w
}

func (w *world) rotate(index types.SessionIndex, queued ...int) {
	w.Block(func(e *frame.Env) { w.p.OnNewSession(e, index, true, nil, entries(queued...)) })
}

func TestConformance(t *testing.T) { frametest.Conformance(t, newWorld(t, 1, 2).Chain) }

func TestProofsOutliveTheirSession(t *testing.T) {
	w := newWorld(t, 1, 2, 3)
	proof, err := w.p.Prove(w.Env(), babeKey(2), 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := types.SessionIndex(1); i <= 6; i++ {
		w.rotate(i, 4, 5)
		e := w.Env()
		who, err := w.p.Verify(e, babeKey(2), &proof)
		if err != nil || who.Validator != acc(2) || !slices.Equal(who.Identification, []byte{1, 2, 0}) {
			t.Fatalf("in session %d: %v, %v", i, who, err)
		}
		if _, err := w.p.Prove(e, babeKey(2), 1); (err == nil) != (i <= 2) {
			t.Errorf("proof of session 1 made in session %d: %v", i, err)
		}
		if _, err := w.p.Prove(e, babeKey(4), i+1); err != nil {
			t.Errorf("proof of the next session made in session %d: %v", i, err)
		}
	}
	w.rotate(7, 4, 5)
	if _, err := w.p.Verify(w.Env(), babeKey(2), &proof); !errors.Is(err, historical.ErrUnknownSession) {
		t.Errorf("after KeepSessions: %v", err)
	}
	if r := w.p.StoredRange.Get(w.Env()); r.A != 2 || r.B != 9 {
		t.Errorf("stored range %v", r)
	}
}

func TestVerifyRefuses(t *testing.T) {
	w := newWorld(t, 1, 2, 3)
	w.rotate(1, 1, 2)
	e := w.Env()
	good, err := w.p.Prove(e, babeKey(1), 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		key    session.OwnedKey
		change func(p *historical.MembershipProof)
	}{
		"another session": {babeKey(1), func(p *historical.MembershipProof) { p.Session = 0 }},
		"unknown session": {babeKey(1), func(p *historical.MembershipProof) { p.Session = 9 }},
		"another count":   {babeKey(1), func(p *historical.MembershipProof) { p.ValidatorCount = 2 }},
		"no nodes":        {babeKey(1), func(p *historical.MembershipProof) { p.TrieNodes = nil }},
		"another key":     {babeKey(2), func(*historical.MembershipProof) {}},
		"another kind":    {session.OwnedKey{Type: session.KeyGrandpa, Key: [32]byte{1}}, func(*historical.MembershipProof) {}},
		"nobody's key":    {babeKey(9), func(*historical.MembershipProof) {}},
		"a changed node":  {babeKey(1), func(p *historical.MembershipProof) { p.TrieNodes[1][0] ^= 1 }},
		"too large":       {babeKey(1), func(p *historical.MembershipProof) { p.TrieNodes = append(p.TrieNodes, make([]byte, 2<<20)) }},
		"too many":        {babeKey(1), func(p *historical.MembershipProof) { p.TrieNodes = append(p.TrieNodes, make([][]byte, 1<<19)...) }},
	} {
		p := good
		p.TrieNodes = nil
		for _, n := range good.TrieNodes {
			p.TrieNodes = append(p.TrieNodes, bytes.Clone(n))
		}
		tc.change(&p)
		if who, err := w.p.Verify(e, tc.key, &p); err == nil {
			t.Errorf("%s: accepted as %v", name, who)
		}
	}
	if _, err := w.p.Verify(e, babeKey(1), &good); err != nil {
		t.Error(err)
	}
	w.s.salt++
	if _, err := w.p.Prove(e, babeKey(1), 1); !errors.Is(err, historical.ErrChanged) {
		t.Errorf("proof with another identification: %v", err)
	}
}

func TestPrune(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, 1)
		stored := map[types.SessionIndex]bool{0: true, 1: true}
		for i := types.SessionIndex(1); i <= 8; i++ {
			w.rotate(i, 1)
			stored[i+1] = true
			upTo := types.SessionIndex(rapid.IntRange(0, 12).Draw(rt, "prune"))
			w.Block(func(e *frame.Env) { w.p.PruneUpTo(e, upTo) })
			for s := range stored {
				if s < upTo || i > 5 && s < i-5 {
					delete(stored, s)
				}
			}
			for s := range types.SessionIndex(12) {
				if got := w.p.HistoricalSessions.Exists(w.Env(), s); got != stored[s] {
					rt.Fatalf("in session %d, pruned to %d: session %d stored %v", i, upTo, s, got)
				}
			}
		}
	})
}

// FuzzOpen gives Open arbitrary proofs: only the member's own identity may come out.
func FuzzOpen(f *testing.F) {
	ms := members(5)
	tree, err := historical.NewTree(ms)
	if err != nil {
		f.Fatal(err)
	}
	nodes, err := tree.Prove(babeKey(3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(nodes[0], nodes[1], bytes.Join(nodes[2:], nil))
	f.Add([]byte{}, []byte{0}, []byte{0xff})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		proof := [][]byte{a, b, c}
		if who, err := historical.Open(tree.Root(), proof, babeKey(3)); err == nil && who.Validator != acc(3) {
			t.Fatalf("%x shows %v", proof, who)
		}
		if _, err := historical.Open(tree.Root(), append(proof, nodes...), babeKey(3)); err != nil && len(a)+len(b)+len(c) < 1000 {
			t.Fatalf("a good proof with more nodes: %v", err)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	ms := members(500)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := historical.NewTree(ms); err != nil {
			b.Fatal(err)
		}
	}
}
