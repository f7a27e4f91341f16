package shell

import (
	"bytes"
	"testing"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/test/chaintest"
)

// The bytes of an answer say what the answer says.
func TestServeWire(t *testing.T) {
	n := chaintest.New(t, chaintest.FourValidators(3)).Start(t)
	chaintest.NewVoters(n).Grow(2)
	s, best := serverOf(n), n.Heads().Best.Hash
	req := protocol.BlockRequest{Fields: allFields, FromNumber: 1, Max: 4}
	raw, err := s.ServeBlocks(req.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := protocol.DecodeBlockResponse(raw, &req)
	if err != nil || len(blocks.Blocks) != 4 || blocks.Blocks[3].Header.Number != 4 {
		t.Errorf("%d blocks, %v", len(blocks.Blocks), err)
	}
	key := runtime.PalletsOf(n.Net.Runtime).System.Number.Key()
	for _, r := range []protocol.LightRequest{
		{Block: best, Read: &protocol.RemoteRead{Keys: [][]byte{key}}},
		{Block: best, Read: &protocol.RemoteRead{Child: []byte("x"), Keys: [][]byte{key}}},
		{Block: best, Call: &protocol.RemoteCall{Method: "Core_version"}},
		{Block: [32]byte{1}, Call: &protocol.RemoteCall{Method: "Core_version"}},
	} {
		raw, err := s.ServeLight(r.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := protocol.DecodeLightResponse(raw)
		if err != nil || resp.HasProof != (r.Block == best) || resp.Call != (r.Call != nil) {
			t.Errorf("%+v: %v, %v", r, resp.HasProof, err)
		}
	}
	for _, r := range []protocol.StateRequest{{Block: best, NoProof: true}, {Block: best, Start: [][]byte{key}}} {
		raw, err := s.ServeState(r.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := protocol.DecodeStateResponse(raw)
		if err != nil || len(resp.Tries) != 1 || len(resp.Tries[0].Entries) == 0 || (resp.Proof == nil) != r.NoProof {
			t.Errorf("%+v: %d tries, %v", r, len(resp.Tries), err)
		} else if len(r.Start) > 0 && bytes.Compare(resp.Tries[0].Entries[0].Key, r.Start[0]) <= 0 {
			t.Error("the entries begin too early")
		}
	}
	genesis := n.Genesis()
	if raw, err := s.ServeWarp(genesis[:]); err != nil || len(raw) < 100 {
		t.Errorf("warp: %d bytes, %v", len(raw), err)
	}
	for name, f := range map[string]func([]byte) ([]byte, error){"blocks": s.ServeBlocks, "light": s.ServeLight, "state": s.ServeState, "warp": s.ServeWarp} {
		if _, err := f([]byte{1}); err == nil {
			t.Errorf("%s: one byte was answered", name)
		}
	}
}
