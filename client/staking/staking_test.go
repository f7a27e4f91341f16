package staking

import (
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/types"
)

// The commands' scripts read a chain of Crust's runtime with this package; here is
// what needs no chain.

func TestUntil(t *testing.T) {
	s := State{Active: 7, Planned: 8, Era: time.Hour, Rest: 10 * time.Minute}
	for era, want := range map[types.EraIndex]time.Duration{0: 0, 7: 0, 8: 10 * time.Minute, 9: 70 * time.Minute, 12: 250 * time.Minute} {
		if got := s.Until(era); got != want {
			t.Errorf("era %d: %v, want %v", era, got, want)
		}
	}
	if got := s.EraTime(112); got != 112*time.Hour {
		t.Errorf("112 eras take %v", got)
	}
}

func TestDue(t *testing.T) {
	chunk := func(n uint64, era types.EraIndex) Chunk { return Chunk{fixed.FromUint64(n), era} }
	b := Bond{Unlocking: []Chunk{chunk(1, 3), chunk(20, 9), chunk(300, 8), chunk(4000, 4)}}
	for _, row := range []struct {
		planned, next types.EraIndex
		due           uint64
	}{{2, 3, 0}, {3, 4, 1}, {7, 8, 4001}, {8, 9, 4301}, {9, 0, 4321}} {
		if due, next := b.Due(row.planned); due != fixed.FromUint64(row.due) || next != row.next {
			t.Errorf("era %d: %v, then from %d; want %d and %d", row.planned, due, next, row.due, row.next)
		}
	}
}

// Values are found by their names, whatever else there is.
func TestConvert(t *testing.T) {
	who := metadata.Account{ID: types.AccountID{5}, Prefix: 66}
	v := metadata.Record{{Name: "unknown", Value: metadata.List{uint64(1)}}, {Name: "stash", Value: who}, {Name: "active", Value: big.NewInt(12)},
		{Name: "unlocking", Value: metadata.List{metadata.Record{{Name: "era", Value: uint64(4)}, {Name: "value", Value: big.NewInt(7)}}}}}
	var b Bond
	if err := convert(v, &b, "Staking.Ledger"); err != nil {
		t.Fatal(err)
	}
	want := Bond{Stash: who.ID, Active: fixed.FromUint64(12), Unlocking: []Chunk{{fixed.FromUint64(7), 4}}}
	if d := cmp.Diff(want, b); d != "" {
		t.Error(d)
	}
	if err := convert(metadata.Record{{Name: "active", Value: "much"}}, &b, "Staking.Ledger"); err == nil {
		t.Error("words are an amount")
	}
}
