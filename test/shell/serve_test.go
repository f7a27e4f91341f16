package shell

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/queryview/queryviewtest"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

const allFields = protocol.FieldHeader | protocol.FieldBody | protocol.FieldJustification

// numbers are the numbers of the blocks of an answer, whose links are checked.
func numbers(t *testing.T, n *chaintest.Node, req protocol.BlockRequest) (out []types.BlockNumber) {
	t.Helper()
	req.Fields |= protocol.FieldHeader
	resp, err := serverOf(n).Blocks(&req)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range resp.Blocks {
		if b.Header.Hash() != b.Hash {
			t.Fatalf("block %d has the wrong hash", b.Header.Number)
		}
		if i > 0 {
			a := resp.Blocks[i-1]
			if req.Direction == protocol.Descending {
				a, b = b, a
			}
			if b.Header.ParentHash != a.Hash {
				t.Fatalf("block %d does not follow", b.Header.Number)
			}
		}
		out = append(out, resp.Blocks[i].Header.Number)
	}
	return out
}

// upTo counts from a number to another, whichever is higher.
func upTo(from, to types.BlockNumber) (out []types.BlockNumber) {
	for n := min(from, to); n <= max(from, to); n++ {
		out = append(out, n)
	}
	if from > to {
		slices.Reverse(out)
	}
	return out
}

func TestServeBlocks(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	n.GrowBy(140)
	n.FinaliseBest()
	last := n.GrowBy(10)
	fork := n.Add(chaintest.Plan{Parent: n.Heads().Finalised.Hash, Skip: 50})
	at := func(b types.BlockNumber) types.Hash { h, _, _ := n.HashAt(b); return h }
	for name, tc := range map[string]struct {
		req  protocol.BlockRequest
		want []types.BlockNumber
	}{
		"from a number":         {protocol.BlockRequest{FromNumber: 3, Max: 4}, upTo(3, 6)},
		"from a hash":           {protocol.BlockRequest{FromHash: at(3), Max: 4}, upTo(3, 6)},
		"down from a hash":      {protocol.BlockRequest{FromHash: at(9), Direction: protocol.Descending, Max: 3}, upTo(9, 7)},
		"down to genesis":       {protocol.BlockRequest{FromNumber: 2, Direction: protocol.Descending}, upTo(2, 0)},
		"as many as there are":  {protocol.BlockRequest{FromNumber: 145}, upTo(145, 150)},
		"as many as allowed":    {protocol.BlockRequest{}, upTo(0, 127)},
		"more than allowed":     {protocol.BlockRequest{FromNumber: 1, Max: 1000}, upTo(1, 128)},
		"beyond the best":       {protocol.BlockRequest{FromNumber: 151}, nil},
		"an unknown hash":       {protocol.BlockRequest{FromHash: types.Hash{1}}, nil},
		"up from a fork's head": {protocol.BlockRequest{FromHash: fork.Hash}, upTo(141, 141)},
		"down from a fork":      {protocol.BlockRequest{FromHash: fork.Hash, Direction: protocol.Descending, Max: 3}, upTo(141, 139)},
		"up over finality":      {protocol.BlockRequest{FromHash: at(130)}, upTo(130, 150)},
		"down over finality":    {protocol.BlockRequest{FromHash: last.Hash, Direction: protocol.Descending, Max: 30}, upTo(150, 121)},
		"the best":              {protocol.BlockRequest{FromHash: last.Hash}, upTo(150, 150)},
	} {
		if diff := cmp.Diff(tc.want, numbers(t, n, tc.req)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestServeFields(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(4)).Start(t)
	v := chaintest.NewVoters(n)
	v.Grow(3)
	v.Step()
	v.FinaliseBest()
	v.Step()
	final := n.Heads().Finalised.Number
	resp, err := serverOf(n).Blocks(&protocol.BlockRequest{Fields: allFields})
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range resp.Blocks {
		want, j := n.BlockAt(types.BlockNumber(i))
		if diff := cmp.Diff(*want, types.Block{Header: *b.Header, Body: b.Body}); diff != "" || !b.HasBody {
			t.Errorf("block %d: %s", i, diff)
		}
		got, ok := b.Justifications.Get(types.EngineGRANDPA)
		change, err := grandpa.ReadLogs(b.Header.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if kept := change != nil || b.Header.Number == final; ok != kept || !bytes.Equal(got, j) {
			t.Errorf("block %d: justification %v, kept %v", i, ok, kept)
		}
	}
	for _, f := range []protocol.BlockFields{0, protocol.FieldHeader, protocol.FieldBody, protocol.FieldJustification} {
		resp, err := serverOf(n).Blocks(&protocol.BlockRequest{Fields: f, FromNumber: final, Max: 1})
		if err != nil {
			t.Fatal(err)
		}
		b := resp.Blocks[0]
		if (b.Header != nil) != (f == protocol.FieldHeader) || b.HasBody != (f == protocol.FieldBody) || (len(b.Justifications) > 0) != (f == protocol.FieldJustification) {
			t.Errorf("asked for %x: %+v", f, b)
		}
	}
}

// An answer stops before it is too large, and always has the first block.
func TestServeBlocksLimit(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(2)).StartWith(t, store.NewMem(), store.Options{})
	chaintest.NewVoters(n).Grow(12)
	changes := pad(t, n, 5<<18)
	resp, err := serverOf(n).Blocks(&protocol.BlockRequest{Fields: allFields})
	if err != nil {
		t.Fatal(err)
	}
	if last := resp.Blocks[len(resp.Blocks)-1]; last.Header.Number+1 != changes[2] {
		t.Errorf("the answer ends with block %d, changes are %v", last.Header.Number, changes)
	}
	pad(t, n, 9<<20)
	resp, err = serverOf(n).Blocks(&protocol.BlockRequest{Fields: allFields, FromNumber: changes[0]})
	if err != nil || len(resp.Blocks) != 1 {
		t.Errorf("%d blocks, %v", len(resp.Blocks), err)
	}
}

// pad replaces the justifications of changes by long strings.
func pad(t *testing.T, n *chaintest.Node, size int) (changes []types.BlockNumber) {
	t.Helper()
	for i := types.BlockNumber(1); i <= n.Heads().Finalised.Number; i++ {
		b, j := n.BlockAt(i)
		if change, err := grandpa.ReadLogs(b.Header.Digest); err != nil || change == nil {
			continue
		}
		if j == nil {
			t.Fatalf("block %d changes the set and has no justification", i)
		}
		if err := n.DB.SetJustification(b.Header.Hash(), make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		changes = append(changes, i)
	}
	return changes
}

// A warp proof ends before it is too large, and says so; the next one goes on.
func TestWarpProofCut(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(2)).StartWith(t, store.NewMem(), store.Options{})
	chaintest.NewVoters(n).Grow(12)
	changes := pad(t, n, 3<<20)
	if len(changes) != 12 {
		t.Fatalf("changes are %v", changes)
	}
	from, rounds := n.Genesis(), 0
	for at := 0; ; rounds++ {
		proof, err := n.WarpProof(from, grandpa.MaxWarpBytes)
		if err != nil {
			t.Fatal(err)
		}
		count, done := int(proof[0]>>2), proof[len(proof)-1] == 1
		if at += count; count != 2 || len(proof) > grandpa.MaxWarpBytes || done != (at == 12) {
			t.Fatalf("a proof of %d bytes with %d fragments, %d so far, finished %v", len(proof), count, at, done)
		}
		if done {
			break
		}
		from, _, _ = n.HashAt(changes[at-1])
	}
	if rounds != 5 {
		t.Errorf("%d more proofs", rounds)
	}
}

// What a call reads by its WebAssembly, the proof of the call shows.
func TestServeCall(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(4)).Start(t)
	v, c := chaintest.NewVoters(n), lightGenesis(t, n)
	for range 6 {
		r := v.Step()
		b, _ := n.BlockAt(r.Number)
		give(t, c, &b.Header, nil)
	}
	best := n.Heads().Best.Hash
	machine := queryviewtest.NewMachine(t, n.Net.Runtime.View.Code())
	who := chaintest.Account("//Alice")
	for f, args := range map[string][]byte{
		"Core_version": nil, "Metadata_metadata": nil, "BabeApi_current_epoch": nil, "BabeApi_next_epoch": nil, "BabeApi_configuration": nil,
		"GrandpaApi_grandpa_authorities": nil, "GrandpaApi_current_set_id": nil, "AccountNonceApi_account_nonce": who[:],
		"AccountNonceApi_account_nonce_of_nobody": nil, "Core_execute_block": {1, 2, 3},
	} {
		raw, err := serverOf(n).Call(best, f, args)
		if err != nil {
			t.Fatal(err)
		}
		nodes, err := protocol.DecodeProof(raw)
		if err != nil {
			t.Fatal(err)
		}
		header, _ := c.Known(best)
		p, err := trie.NewProof(header.StateRoot, nodes)
		if err != nil {
			t.Fatal(err)
		}
		if extra, err := p.Unreferenced(); err != nil || extra != 0 {
			t.Errorf("%s: %d entries that nothing refers to, %v", f, extra, err)
		}
		if code, ok, err := p.Get([]byte(":code")); err != nil || !ok || !bytes.Equal(code, n.Net.Runtime.View.Code()) {
			t.Errorf("%s: no code: %v, %v", f, ok, err)
		}
		view, err := c.View(best, nodes)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := native(t, n, best, f, args); err == nil {
			if got, _, err := machine.Call(view, f, args); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: on the proof %x, %v; the runtime says %x", f, got, err, want)
			}
		}
		keys, _ := n.Net.Runtime.View.Keys(f, args)
		for _, k := range append(keys, []byte(":heappages")) {
			got, ok, err := p.Get(k)
			state, _ := n.ViewAt(best)
			want, there, _ := state.Get(k)
			if err != nil || ok != there || !bytes.Equal(got, want) {
				t.Errorf("%s: %x reads %x, %v, %v", f, k, got, ok, err)
			}
		}
	}
	if raw, err := serverOf(n).ReadChild(best, []byte("x")); err != nil {
		t.Error(err)
	} else if nodes, _ := protocol.DecodeProof(raw); nodes == nil {
		t.Error("no proof of a child's absence")
	} else if _, ok, err := c.Read(best, nodes, []byte(":child_storage:default:x")); err != nil || ok {
		t.Errorf("child: %v, %v", ok, err)
	}
	if raw, err := serverOf(n).Read(types.Hash{1}, [][]byte{{1}}); err != nil || raw != nil {
		t.Errorf("a block that is not there: %x, %v", raw, err)
	}
	for _, keys := range [][][]byte{nil, make([][]byte, 5000)} {
		if _, err := serverOf(n).Read(best, keys); err == nil {
			t.Errorf("a read of %d keys was answered", len(keys))
		}
	}
}

// native is what the runtime answers.
func native(t *testing.T, n *chaintest.Node, at types.Hash, function string, args []byte) ([]byte, error) {
	t.Helper()
	view, err := n.ViewAt(at)
	if err != nil {
		t.Fatal(err)
	}
	return n.Runtime().Call(view, function, args)
}

// Whoever takes the state piece by piece gets all of it, proven.
func TestServeState(t *testing.T) {
	n := chaintest.New(t, nil).StartWith(t, store.NewMem(), store.Options{KeepBlocks: 2, CheckpointBlocks: 2})
	var items []system.KeyValue
	for i := range 36 {
		items = append(items, system.KeyValue{A: []byte{0xEE, byte(i)}, B: bytes.Repeat([]byte{byte(i)}, 100_000)})
	}
	n.Grow(n.Sign("//Alice", frame.Tx{Call: n.SudoCall(n.Call("System", "set_storage", &system.SetStorageArgs{Items: items}))}))
	n.GrowBy(2)
	at := n.Heads().Best
	header, err := n.Header(at.Hash)
	if err != nil {
		t.Fatal(err)
	}
	for _, proof := range []bool{false, true} {
		var all []trie.KV
		for pieces := 0; ; pieces++ {
			var start []byte
			if len(all) > 0 {
				start = all[len(all)-1].Key
			}
			e, err := serverOf(n).State(at.Hash, start, proof)
			if err != nil {
				t.Fatal(err)
			}
			if e.StateRoot != header.StateRoot || (e.Proof != nil) != proof {
				t.Fatalf("root %v, proof of %d bytes", e.StateRoot, len(e.Proof))
			}
			if proof {
				checkEntries(t, e.StateRoot, e.Proof, e.Entries)
			}
			for _, kv := range e.Entries {
				all = append(all, trie.KV(kv))
			}
			if e.Complete {
				if pieces == 0 {
					t.Error("the state came in one piece")
				}
				break
			}
			if len(e.Entries) == 0 {
				t.Fatal("nothing, and not complete")
			}
		}
		same := func(a, b trie.KV) bool { return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) }
		if !slices.EqualFunc(n.Entries(at.Hash), all, same) {
			t.Errorf("%d entries are not those of the state", len(all))
		}
		if got := types.Hash(trie.Root(trie.V1, all)); got != header.StateRoot {
			t.Errorf("root %v", got)
		}
	}
	n.FinaliseBest()
	for range 6 {
		n.Grow()
		n.FinaliseBest()
	}
	if e, err := serverOf(n).State(at.Hash, nil, true); e != nil || err != nil {
		t.Errorf("state that is pruned: %v, %v", e, err)
	}
	if raw, err := serverOf(n).Read(at.Hash, [][]byte{{1}}); raw != nil || err != nil {
		t.Errorf("read of pruned state: %x, %v", raw, err)
	}
	if e, err := serverOf(n).State(types.Hash{9}, nil, false); e != nil || err != nil {
		t.Errorf("state of no block: %v, %v", e, err)
	}
}

// checkEntries checks entries against their proof.
func checkEntries(t *testing.T, root types.Hash, proof []byte, entries []protocol.StateEntry) {
	t.Helper()
	nodes, err := protocol.DecodeProof(proof)
	if err != nil {
		t.Fatal(err)
	}
	p, err := trie.NewProof(root, nodes)
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range entries {
		if v, ok, err := p.Get(kv.Key); err != nil || !ok || !bytes.Equal(v, kv.Value) {
			t.Fatalf("%x: %v, %v", kv.Key, ok, err)
		}
	}
}

func TestServeWarp(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(3)).Start(t)
	chaintest.NewVoters(n).Grow(2)
	a, err := serverOf(n).Warp(n.Genesis())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := n.WarpProof(n.Genesis(), grandpa.MaxWarpBytes); err != nil || !bytes.Equal(a, b) {
		t.Error("the server's proof is another")
	}
	if _, err := serverOf(n).Warp(types.Hash{1}); err == nil || errors.Is(err, chain.ErrNotFinal) {
		t.Error(err)
	}
}

// What finality has discarded is served as before, and can be neither built on nor
// imported again. Others are not told of it any more.
func TestServeDiscarded(t *testing.T) {
	n := chaintest.New(t, nil).Start(t)
	root := n.Grow()
	tx := n.Transfer("//Alice", 0, "//Bob", 1)
	lost := n.Add(chaintest.Plan{Parent: root.Hash, Txs: []types.Extrinsic{tx}})
	block, _, err := n.Block(lost.Hash)
	if err != nil {
		t.Fatal(err)
	}
	child := n.Add(chaintest.Plan{Parent: lost.Hash})
	s, number := serverOf(n), runtime.PalletsOf(n.Net.Runtime).System.Number.Key()
	blocks := protocol.BlockRequest{FromHash: child.Hash, Fields: allFields, Direction: protocol.Descending, Max: 3}
	served := func() (out []any) {
		t.Helper()
		resp, err := s.Blocks(&blocks)
		out = append(out, resp, err)
		for _, b := range []types.Hash{lost.Hash, child.Hash} {
			read, err := s.Read(b, [][]byte{number})
			call, err2 := s.Call(b, "BabeApi_current_epoch", nil)
			entries, err3 := s.State(b, nil, true)
			if err := errors.Join(err, err2, err3); err != nil || read == nil || call == nil || entries == nil {
				t.Fatalf("block %v: %v", b, err)
			}
			out = append(out, read, call, entries)
		}
		return out
	}
	before := served()
	core := network.NewCore(n.Manager, types.RoleFull)
	peer := protocol.Status{Role: types.RoleFull, Genesis: n.Genesis()}
	core.Connected(0, types.PeerID("peer"), peer)
	n.FinaliseRef(n.Add(chaintest.Plan{Parent: root.Hash, Skip: 5}))
	if n.Stands(lost.Hash, lost.Number) || n.Stands(child.Hash, child.Number) {
		t.Fatal("it was not discarded")
	}
	if diff := cmp.Diff(before, served()); diff != "" {
		t.Error(diff)
	}
	core.Announce(child.Hash)
	if out := core.Ready(); len(out.Notices) != 0 {
		t.Error("a discarded block was announced")
	}
	if _, err := n.Import(block); !errors.Is(err, chain.ErrKnown) {
		t.Errorf("import of a discarded block: %v", err)
	}
	if _, ok := n.Head(lost.Hash); ok {
		t.Error("a discarded block can have children")
	}
}

// BenchmarkServeBlocks answers what a synchronising node asks for: headers upwards,
// then bodies and justifications downwards, of blocks that are final.
func BenchmarkServeBlocks(b *testing.B) {
	n := chaintest.New(b, nil).Start(b)
	for range 5 {
		n.GrowBy(200)
		n.FinaliseBest()
	}
	if err := n.DB.Checkpoint(); err != nil {
		b.Fatal(err)
	}
	s, top := serverOf(n), types.BlockNumber(900)
	h, _, err := n.HashAt(top)
	if err != nil {
		b.Fatal(err)
	}
	for name, req := range map[string]protocol.BlockRequest{
		"headers": {Fields: protocol.FieldHeader, FromNumber: top - 127},
		"bodies":  {Fields: protocol.FieldBody | protocol.FieldJustification, FromHash: h, Direction: protocol.Descending},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if resp, err := s.ServeBlocks(req.Append(nil)); err != nil || len(resp) < 128*32 {
					b.Fatal(len(resp), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/128, "ns/block")
		})
	}
}
