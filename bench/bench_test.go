package bench

import "testing"

// The same blocks in both ways of finalising: all transactions arrive, and the
// peer agrees to all signatures.
func TestImport(t *testing.T) {
	for _, row := range []bool{false, true} {
		m, err := NewImport(ImportCase{Accounts: 30, Blocks: 7, Txs: 20, Row: row})
		if err != nil {
			t.Fatal(err)
		}
		r, err := m.Run()
		if err != nil {
			t.Fatal(err)
		}
		if r.Txs != 7*20 || r.Own <= 0 || r.Peer <= 0 || r.DiskBytes == 0 {
			t.Errorf("finalised at the end %v: %+v", row, r)
		}
	}
}

func TestPeerRefuses(t *testing.T) {
	w, err := NewWorld(4)
	if err != nil {
		t.Fatal(err)
	}
	txs, err := w.Transfers(4, 1)
	if err != nil {
		t.Fatal(err)
	}
	items, err := w.Items(txs)
	if err != nil {
		t.Fatal(err)
	}
	if err := NewPeer(3).Verify(items); err != nil {
		t.Error(err)
	}
	items[3].Message[0] ^= 1
	if NewPeer(3).Verify(items) == nil {
		t.Error("the peer takes a signature of another message")
	}
}
