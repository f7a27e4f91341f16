package shell

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// latest is a slot that no block of these tests is in.
const latest = types.Slot(1 << 40)

// lightGenesis is a light client that knows the first block of a chain.
func lightGenesis(t testing.TB, n *chaintest.Node) *light.Client {
	t.Helper()
	e := n.Runtime().NewEnv(state.NewMem(n.Net.Genesis.Entries))
	raw, err := n.Runtime().Call(e.View(), "GrandpaApi_grandpa_authorities", nil)
	if err != nil {
		t.Fatal(err)
	}
	at, err := light.Genesis(n.Net.Genesis.Header, n.BABE(), grandpa.DecodeAuthorities(scale.NewCursor(raw)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := light.New(at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serverOf answers for a node.
func serverOf(n *chaintest.Node) *network.Server {
	return &network.Server{Chain: n.Manager, Keys: n.Net.Runtime.View.Keys}
}

// give tells a light client of the block and how it became final.
func give(t testing.TB, c *light.Client, h *types.Header, justification []byte) {
	t.Helper()
	if _, err := c.Header(h, latest); err != nil {
		t.Fatal(err)
	}
	if justification == nil {
		return
	}
	if _, err := c.Justification(justification, nil); err != nil {
		t.Fatal(err)
	}
}

// agree checks that a light client knows what the node knows, and reads it.
func agree(t testing.TB, c *light.Client, n *chaintest.Node) {
	t.Helper()
	fin, best, v := n.Heads().Finalised, n.Heads().Best, n.Voters()
	if h, header := c.Final(); h != fin.Hash || header.Number != fin.Number {
		t.Fatalf("final is %d, %v; %s", header.Number, h, n.Describe())
	}
	if h, _ := c.Best(); h != best.Hash {
		t.Fatalf("best is %v; %s", h, n.Describe())
	}
	if diff := cmp.Diff(v.Authorities(), c.Voters().Authorities()); diff != "" || v.ID() != c.Voters().ID() {
		t.Fatalf("set %d, node's %d: %s", c.Voters().ID(), v.ID(), diff)
	}
	readNumber(t, c, n, fin)
}

// readNumber reads System.Number, and a key that is not there, from a block.
func readNumber(t testing.TB, c *light.Client, n *chaintest.Node, at chain.Ref) {
	t.Helper()
	number := runtime.PalletsOf(n.Net.Runtime).System.Number.Key()
	absent := []byte("nothing has this key")
	raw, err := serverOf(n).Read(at.Hash, [][]byte{number, absent})
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := protocol.DecodeProof(raw)
	if err != nil {
		t.Fatal(err)
	}
	got, ok, err := c.Read(at.Hash, nodes, number)
	if err != nil || ok != (at.Number > 0) || ok && !bytes.Equal(got, scale.AppendU32(nil, uint32(at.Number))) {
		t.Fatalf("the number of block %d reads %x, %v, %v", at.Number, got, ok, err)
	}
	if _, ok, err := c.Read(at.Hash, nodes, absent); err != nil || ok {
		t.Fatalf("an absent key: %v, %v", ok, err)
	}
}

// learnEpochs tells a light client the epochs at its final block. It begins with
// the proof of a call, and asks for what the native runtime reads beside.
func learnEpochs(t testing.TB, c *light.Client, n *chaintest.Node) {
	t.Helper()
	h, _ := c.Final()
	add := func(nodes [][]byte, raw []byte, err error) [][]byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		more, err := protocol.DecodeProof(raw)
		if err != nil {
			t.Fatal(err)
		}
		return append(nodes, more...)
	}
	raw, err := serverOf(n).Call(h, "BabeApi_next_epoch", nil)
	nodes := add(nil, raw, err)
	for asked := 0; ; asked++ {
		err := c.Epochs(n.Runtime(), nodes)
		if err == nil {
			return
		}
		var missing *light.MissingError
		if !errors.As(err, &missing) || asked > 3 {
			t.Fatal(err)
		}
		raw, err := serverOf(n).Read(h, [][]byte{missing.Key})
		nodes = add(nodes, raw, err)
	}
}

// A light client follows a chain over changes of the set, by justifications and by
// commits, and goes on from what it wrote down.
func TestLightFollows(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(4)).Start(t)
	v, c := chaintest.NewVoters(n), lightGenesis(t, n)
	agree(t, c, n)
	for i := 0; n.Voters().ID() < 8; i++ {
		r := v.Step()
		b, _ := n.BlockAt(r.Number)
		give(t, c, &b.Header, nil)
		for i%3 == 2 {
			next, ok := n.NextToFinalise()
			if !ok {
				break
			}
			var err error
			j := v.JustifyIn(n.Voters(), next)
			if i%2 == 0 {
				err = c.Commit(j.Commit(n.Voters().ID()), nil)
			} else {
				_, err = c.Justification(scale.Encode(j), nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := n.Finalise(scale.Encode(j)); err != nil {
				t.Fatal(err)
			}
		}
		agree(t, c, n)
		back, err := light.Decode(c.AppendSCALE(nil))
		if err != nil {
			t.Fatal(err)
		}
		if c = back; i%7 == 0 {
			agree(t, c, n)
		}
	}
}

// Votes for blocks above the target need the headers in between, which a commit
// does not bring.
func TestLightCommitAbove(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(30)).Start(t)
	v, c := chaintest.NewVoters(n), lightGenesis(t, n)
	var refs []chain.Ref
	for range 5 {
		refs = append(refs, v.Step())
	}
	for _, r := range refs[:3] {
		b, _ := n.BlockAt(r.Number)
		give(t, c, &b.Header, nil)
	}
	j := v.JustifyIn(n.Voters(), refs[1])
	vote := func(i, block int) {
		one := v.JustifyIn(n.Voters(), refs[block])
		j.Precommits[i] = one.Precommits[i]
	}
	j.Round = uint64(refs[4].Number)
	for i := range j.Precommits {
		vote(i, 4) // sign for the round of block 5
	}
	m := j.Commit(0)
	if err := c.Commit(m, nil); !errors.Is(err, light.ErrUnknown) {
		t.Fatalf("a commit with votes for unknown blocks: %v", err)
	}
	for _, r := range refs[3:] {
		b, _ := n.BlockAt(r.Number)
		give(t, c, &b.Header, nil)
	}
	wrong := *m
	wrong.Round.Set++
	if err := c.Commit(&wrong, nil); err == nil {
		t.Error("a commit of another set was taken")
	}
	wrong = *m
	wrong.Target = grandpa.Target{Hash: refs[4].Hash, Number: 4}
	if err := c.Commit(&wrong, nil); err == nil {
		t.Error("a commit with another number was taken")
	}
	if err := c.Commit(m, nil); err != nil {
		t.Fatal(err)
	}
	if h, _ := c.Final(); h != refs[1].Hash {
		t.Errorf("final is %v", h)
	}
	if h, _ := c.Best(); h != refs[4].Hash {
		t.Errorf("best is %v", h)
	}
}

// A warp proof leads a client from every final block to the last, whatever became
// of the node in between.
func TestWarp(t *testing.T) {
	for name, opt := range map[string]store.Options{"pruned": {KeepBlocks: 3, CheckpointBlocks: 4}, "archive": {Archive: true, CheckpointBlocks: 5}, "large": {}} {
		t.Run(name, func(t *testing.T) {
			n := chaintest.New(t, chaintest.FourValidators(3)).StartWith(t, store.NewMem(), opt)
			v := chaintest.NewVoters(n)
			start := lightGenesis(t, n).Checkpoint()
			starts := []light.Checkpoint{start}
			c := lightGenesis(t, n)
			if proof, err := n.WarpProof(n.Genesis(), grandpa.MaxWarpBytes); err != nil || !bytes.Equal(proof, []byte{0, 1}) {
				t.Errorf("a proof of nothing is %x, %v", proof, err)
			}
			for n.Voters().ID() < 9 {
				r := v.Step()
				if _, err := n.WarpProof(r.Hash, grandpa.MaxWarpBytes); !errors.Is(err, chain.ErrNotFinal) {
					t.Fatalf("from a block that is not final: %v", err)
				}
				v.FinaliseBest()
				b, j := n.BlockAt(r.Number)
				give(t, c, &b.Header, j)
				starts = append(starts, c.Checkpoint())
			}
			for range 2 { // after changes, and some blocks later
				warpAll(t, n, starts)
				n.Restart()
				warpAll(t, n, starts)
				for range 2 {
					v.Step()
				}
				v.FinaliseBest()
			}
			if _, err := n.WarpProof(types.Hash{1}, grandpa.MaxWarpBytes); !errors.Is(err, state.ErrUnknownBlock) {
				t.Errorf("from nowhere: %v", err)
			}
			if name == "pruned" {
				return
			}
			before := n.Voters().ID()
			to, err := n.Revert(5)
			if err != nil {
				t.Fatal(err)
			}
			if n.Voters().ID() == before {
				t.Fatal("the revert took back no change")
			}
			last := starts[:0]
			for _, s := range starts {
				if s.Header.Number < to.Number {
					last = append(last, s)
				}
			}
			c, _ = light.New(start)
			warp(t, c, n, grandpa.MaxWarpBytes)
			if _, h := c.Final(); h.Number > to.Number || c.Voters().ID() != n.Voters().ID() {
				t.Errorf("after a revert to block %d a proof leads to block %d, set %d", to.Number, h.Number, c.Voters().ID())
			}
			v.Grow(before + 1)
			warpAll(t, n, last)
		})
	}
}

// warp gives a client the proof, of at most some bytes, that leads on from its final
// block, and reports whether it led to the end.
func warp(t *testing.T, c *light.Client, n *chaintest.Node, limit int) bool {
	t.Helper()
	from, _ := c.Final()
	proof, err := n.WarpProof(from, limit)
	if err != nil {
		t.Fatal(err)
	}
	done, err := c.Warp(proof, nil)
	if err != nil || len(proof) > limit {
		t.Fatalf("%d bytes, %v", len(proof), err)
	}
	return done
}

// warpAll warps from every checkpoint below the final block, and follows the node
// from there.
func warpAll(t *testing.T, n *chaintest.Node, starts []light.Checkpoint) {
	t.Helper()
	for _, s := range starts {
		if s.Header.Number >= n.Heads().Finalised.Number {
			continue
		}
		c, err := light.New(s)
		if err != nil {
			t.Fatal(err)
		}
		if !warp(t, c, n, grandpa.MaxWarpBytes) {
			t.Fatalf("from block %d the proof is not finished", s.Header.Number)
		}
		agree(t, c, n)
	}
}

// A client that is given little at a time asks again from where it is.
func TestLightWarpInSteps(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(3)).Start(t)
	v, c := chaintest.NewVoters(n), lightGenesis(t, n)
	v.Grow(9)
	v.Step()
	v.FinaliseBest()
	const limit = 3000 // two or three fragments
	steps := 1
	for ; !warp(t, c, n, limit); steps++ {
	}
	if steps < 3 {
		t.Errorf("done after %d steps", steps)
	}
	agree(t, c, n)
}

// After a warp a client learns the epochs from state and checks headers again.
func TestLightAfterWarp(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(4)).Start(t)
	v, c := chaintest.NewVoters(n), lightGenesis(t, n)
	v.Grow(12)
	v.Step()
	v.FinaliseBest()
	warp(t, c, n, grandpa.MaxWarpBytes)
	agree(t, c, n)
	r := v.Step()
	b, _ := n.BlockAt(r.Number)
	if _, err := c.Header(&b.Header, latest); !errors.Is(err, light.ErrNoEpochs) {
		t.Fatalf("a header without epochs: %v", err)
	}
	var err error
	if c, err = light.Decode(c.AppendSCALE(nil)); err != nil {
		t.Fatal(err)
	}
	learnEpochs(t, c, n)
	h, _ := n.Head(n.Heads().Finalised.Hash)
	got := c.Checkpoint().Head
	if diff := cmp.Diff([]any{h.Slot, h.Epochs.Current, h.Epochs.Next}, []any{got.Slot, got.Epochs.Current, got.Epochs.Next}); diff != "" {
		t.Fatalf("epochs: %s", diff)
	}
	give(t, c, &b.Header, nil)
	for range 30 {
		r := v.Step()
		b, _ := n.BlockAt(r.Number)
		give(t, c, &b.Header, nil)
		for {
			next, ok := n.NextToFinalise()
			if !ok {
				break
			}
			j := v.Justify(next)
			if _, err := n.Finalise(j); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Justification(j, nil); err != nil {
				t.Fatal(err)
			}
		}
		agree(t, c, n)
	}
}

// A client that has headers keeps those that a warp proof finalises.
func TestLightWarpKnown(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(4)).Start(t)
	v, c := chaintest.NewVoters(n), lightGenesis(t, n)
	for n.Voters().ID() < 4 {
		r := v.Step()
		v.FinaliseBest()
		b, _ := n.BlockAt(r.Number)
		give(t, c, &b.Header, nil)
	}
	warp(t, c, n, grandpa.MaxWarpBytes)
	agree(t, c, n)
	r := v.Step()
	b, _ := n.BlockAt(r.Number)
	give(t, c, &b.Header, nil) // the epochs are known
	proof, err := n.WarpProof(n.Heads().Finalised.Parent, grandpa.MaxWarpBytes)
	if err != nil {
		t.Fatal(err)
	}
	before := c.AppendSCALE(nil)
	if _, err := c.Warp(proof, nil); err == nil || !bytes.Equal(before, c.AppendSCALE(nil)) {
		t.Error("a warp to where the client is already was taken")
	}
}

// Whatever byte of a real proof is changed, the client refuses it and stays.
func TestWarpRefusesEverything(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(2)).Start(t)
	v, c := chaintest.NewVoters(n), lightGenesis(t, n)
	v.Grow(2)
	v.Step()
	v.FinaliseBest()
	proof, err := n.WarpProof(n.Genesis(), grandpa.MaxWarpBytes)
	if err != nil {
		t.Fatal(err)
	}
	before := c.AppendSCALE(nil)
	for i := range proof[:len(proof)-1] {
		bad := slices.Clone(proof)
		bad[i] ^= 1 << (i % 8)
		if _, err := c.Warp(bad, nil); err == nil {
			t.Fatalf("byte %d of %d does not matter", i, len(proof))
		}
		if _, err := c.Warp(proof[:i], nil); err == nil {
			t.Fatalf("%d bytes of %d are enough", i, len(proof))
		}
	}
	if !bytes.Equal(before, c.AppendSCALE(nil)) {
		t.Error("refused proofs changed the client")
	}
	if _, err := c.Warp(proof, nil); err != nil {
		t.Error(err)
	}
}

// TestFinalityProof proves every final block to whoever knows its set.
func TestFinalityProof(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(4)).Start(t)
	v := chaintest.NewVoters(n)
	sets := []*grandpa.VoterSet{n.Voters()} // by block
	for n.Voters().ID() < 5 {
		set := n.Voters()
		v.Step()
		v.FinaliseBest()
		sets = append(sets, set)
	}
	for i := range 3 {
		v.Step()
		if sets = append(sets, n.Voters()); i == 1 {
			v.FinaliseBest()
		}
	}
	top := n.Heads().Finalised.Number
	for b := types.BlockNumber(1); b <= top+1; b++ {
		proof, err := n.FinalityProof(b, 10)
		if err != nil {
			t.Fatal(err)
		}
		if b > top {
			if proof != nil {
				t.Error("a block was proven that is not final")
			}
			break
		}
		cur := scale.NewCursor(proof)
		var hash types.Hash
		cur.Fixed(hash[:])
		var j grandpa.Justification
		if err := scale.Decode(cur.Bytes(1<<20), &j); err != nil {
			t.Fatal(err)
		}
		at, _, err := n.HashAt(b)
		if err != nil {
			t.Fatal(err)
		}
		for range cur.Len(1) {
			var h types.Header
			if h.DecodeSCALE(cur); h.ParentHash != at {
				t.Fatalf("block %d: header %d does not follow", b, h.Number)
			}
			at = h.Hash()
		}
		if err := cur.Finish(); err != nil || at != hash || j.Target.Hash != hash {
			t.Fatalf("block %d: the headers lead to %v, the proof is for %v; %v", b, at, hash, err)
		}
		if err := sets[b].Verify(&j, nil); err != nil {
			t.Errorf("block %d: %v", b, err)
		}
		if short, err := n.FinalityProof(b, int(j.Target.Number-b)); err != nil || short != nil {
			t.Errorf("block %d: over the limit: %x, %v", b, short, err)
		}
	}
}

// The last answer about a state that is gone is that it is gone; a proof of the
// wrong state is refused.
func TestLightWrongState(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(4)).Start(t)
	v, c := chaintest.NewVoters(n), lightGenesis(t, n)
	for range 3 {
		r := v.Step()
		b, _ := n.BlockAt(r.Number)
		give(t, c, &b.Header, nil)
	}
	number := runtime.PalletsOf(n.Net.Runtime).System.Number.Key()
	nodes, err := n.Proof(n.Heads().Best.Hash, [][]byte{number})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(n.Heads().Best.Parent, nodes, number); !errors.Is(err, trie.ErrIncompleteProof) {
		t.Errorf("a proof of another block: %v", err)
	}
	for i := range nodes {
		short := slices.Delete(slices.Clone(nodes), i, i+1)
		if _, _, err := c.Read(n.Heads().Best.Hash, short, number); !errors.Is(err, trie.ErrIncompleteProof) {
			t.Errorf("without node %d: %v", i, err)
		}
	}
}

// BenchmarkWarp makes and checks a proof over 1,000 changes of a set of four.
func BenchmarkWarp(b *testing.B) {
	n := chaintest.New(b, chaintest.FourValidators(2)).Start(b)
	chaintest.NewVoters(n).Grow(1000)
	at := lightGenesis(b, n).Checkpoint()
	var proof []byte
	b.Run("make", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if proof, err = n.WarpProof(n.Genesis(), grandpa.MaxWarpBytes); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/change")
		b.ReportMetric(float64(len(proof)), "proof-bytes")
	})
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c, err := light.New(at)
			if err != nil {
				b.Fatal(err)
			}
			if done, err := c.Warp(proof, nil); err != nil || !done || c.Voters().ID() != 1000 {
				b.Fatal(done, err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/change")
	})
}
