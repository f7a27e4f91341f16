package reporter

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// The pallet writes what is read here.
func TestDecodeAudit(t *testing.T) {
	a := swork.Audit{Slot: 40, Seed: types.Hash{1}, Plan: swork.Plan{Totals: proof.Totals{Root: proof.Hash{2}, Filler: 5, Data: 4, New: 3}}, Bad: []proof.UnitID{{6}, {7}}}
	b := scale.CodecOf[swork.Audit]().Append(nil, &a)
	got, err := decodeAudit(b)
	if err != nil {
		t.Fatal(err)
	}
	want := &worker.Audit{Slot: a.Slot, Seed: proof.Seed(a.Seed), Plan: a.Plan.Totals, Bad: a.Bad}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	for n := range b {
		if _, err := decodeAudit(b[:n]); err == nil {
			t.Fatalf("%d of %d bytes were taken", n, len(b))
		}
	}
}

// The same of whom a member counts for.
func TestDecodeMember(t *testing.T) {
	a, b := types.AccountID{1}, types.AccountID{2}
	for _, m := range []swork.Member{{Since: 7}, {Owner: scale.Some(a), Since: 8}, {Before: scale.Some(b), Since: 9}, {Owner: scale.Some(a), Before: scale.Some(b), Since: 10}} {
		raw := scale.CodecOf[swork.Member]().Append(nil, &m)
		owner, _ := m.Owner.Get()
		if g, err := decodeMember(raw); err != nil || types.AccountID(g.Owner) != owner || g.Since != m.Since {
			t.Errorf("%+v is read as %+v, %v", m, g, err)
		}
		for n := range raw {
			if g, err := decodeMember(raw[:n]); err == nil {
				t.Errorf("%d of %d bytes were taken: %+v", n, len(raw), g)
			}
		}
	}
}

// FuzzDecodeAudit reads what a node that lies may answer.
func FuzzDecodeAudit(f *testing.F) {
	f.Add(make([]byte, 4+32+32+24+1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := decodeAudit(b); err == nil && len(a.Bad) > proof.MaxBad {
			t.Fatalf("%d bad units", len(a.Bad))
		}
	})
}
