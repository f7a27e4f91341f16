package reporter

import (
	"slices"
	"testing"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
)

// In the first tenth nobody sends, in the last fifth everybody, and between them
// a share that rises with the sixth power of what has passed. In a short session
// everybody sends while there are blocks left to hold it.
func TestDue(t *testing.T) {
	for _, tc := range []struct{ passed, length, winners uint64 }{ // of a million draws
		{0, 600, 0}, {59, 600, 0}, {60, 600, 1 + 1666}, {120, 600, 64 + 1666}, {300, 600, 15_625 + 1666}, {474, 600, 243_087 + 1666}, {480, 600, million}, {900, 600, million},
		{0, 8, 0}, {1, 8, 125_003}, {3, 8, 2_780 + 125_000}, {4, 8, million}, {0, 4, 0}, {1, 4, 244 + 250_000}, {2, 4, million}, {0, 1, million},
	} {
		won := uint64(0)
		for d := range uint64(million) {
			if due(tc.passed, tc.length, d) {
				won++
			}
		}
		if won > tc.winners+2 || won+2 < tc.winners {
			t.Errorf("after %d of %d slots %d of a million draws win, want %d", tc.passed, tc.length, won, tc.winners)
		}
	}
}

func TestDraw(t *testing.T) {
	sum := uint64(0)
	for n := range types.BlockNumber(10_000) {
		d := draw([32]byte{1}, n)
		if d >= million {
			t.Fatalf("a draw of %d", d)
		}
		sum += d
	}
	if mean := sum / 10_000; mean < 480_000 || mean > 520_000 {
		t.Errorf("the mean of the draws is %d", mean)
	}
	if draw([32]byte{1}, 1) == draw([32]byte{2}, 1) {
		t.Error("two keys draw the same")
	}
}

func openMemory(t *testing.T, mem *store.Mem) *store.DB {
	t.Helper()
	db, err := store.OpenMem(mem, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// What was sent is not sent again after a restart, until it seems lost.
func TestMemory(t *testing.T) {
	db := openMemory(t, store.NewMem())
	r := newCore(nil, nil, nil, Config{Memory: db})
	r.note(sent{[32]byte{1}, 4, 80})
	r.note(sent{[32]byte{2}, 5, 100})
	r.note(sent{[32]byte{1}, 5, 101})
	r.note(sent{[32]byte{3}, 6, 120})
	if err := r.save(); err != nil {
		t.Fatal(err)
	}
	again, err := NewCore(nil, nil, nil, Config{Memory: db})
	if err != nil || !slices.Equal(again.sent, r.sent) || len(r.sent) != 3 {
		t.Fatalf("remembered %v, %v", again.sent, err)
	}
	for _, tc := range []struct {
		key     byte
		session types.SessionIndex
		best    types.BlockNumber
		want    bool
	}{{1, 5, 101, true}, {1, 5, 110, true}, {1, 5, 111, false}, {1, 6, 102, false}, {4, 5, 101, false}} {
		if got := again.recent([32]byte{tc.key}, tc.session, tc.best); got != tc.want {
			t.Errorf("key %d, session %d, block %d: %v", tc.key, tc.session, tc.best, got)
		}
	}
	again.note(sent{[32]byte{9}, 8, 200})
	if len(again.sent) != 1 {
		t.Errorf("%d heartbeats of old sessions are remembered", len(again.sent)-1)
	}
	if err := db.PutAux(false, store.AuxWrite{Name: memoryName, Value: []byte{4, 1}}); err != nil {
		t.Fatal(err)
	}
	if newCore(nil, nil, nil, Config{Memory: db}).load() == nil {
		t.Error("damaged bytes were accepted")
	}
}

// However many proofs come while nobody takes them, nobody is blocked.
func TestQueueIsBounded(t *testing.T) {
	r := New(nil, nil, nil, Config{})
	for range 10 * maxQueue {
		r.ReportBABE(babe.EquivocationProof{})
		r.ReportGRANDPA(grandpa.EquivocationProof{})
	}
	if len(r.queue) != maxQueue {
		t.Errorf("%d proofs wait", len(r.queue))
	}
	for range 2 * maxPending {
		r.core.Add(Report{})
	}
	if len(r.core.pending) != maxPending {
		t.Errorf("%d reports are pending", len(r.core.pending))
	}
}
