package market

import (
	"encoding/json"
	"testing"

	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/types"
)

// The commands' scripts read a chain of Crust's runtime with this package; here is
// what needs no chain.

func TestStage(t *testing.T) {
	variant := func(name string, members ...metadata.Member) metadata.Value {
		if members == nil {
			return metadata.Variant{Name: name, Bare: true}
		}
		return metadata.Variant{Name: name, Value: metadata.Record(members)}
	}
	for want, v := range map[string]metadata.Value{
		"ordered": variant("Ordered"), "fetching": variant("Fetching"), "sealing": variant("Sealing"), "expired": variant("Expired"), "closed": variant("Closed"),
		"reported 3/20":      variant("Reported", metadata.Member{Name: "replicas", Value: uint64(3)}, metadata.Member{Name: "wanted", Value: uint64(20)}),
		"live until 77":      variant("Live", metadata.Member{Name: "until", Value: uint64(77)}),
		"failed(no blocks!)": metadata.Variant{Name: "Failed", Value: metadata.Bytes("no blocks!")},
	} {
		var s Stage
		if err := metadata.Unmarshal(v, &s); err != nil || s.String() != want {
			t.Errorf("%q, want %q: %v", s, want, err)
		}
	}
	for _, bad := range []string{`"Gone"`, `7`, `{}`, `{"Live":{"until":1},"Closed":null}`, `{"Live":{"until":-1}}`, `{"Live":3}`, `{"Failed":"text"}`} {
		var s Stage
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s is %q", bad, s)
		}
	}
}

func TestDue(t *testing.T) {
	chunk := func(n uint64, era types.EraIndex) Chunk { return Chunk{fixed.FromUint64(n), era} }
	f := Fund{Unlocking: []Chunk{chunk(1, 3), chunk(20, 9), chunk(300, 8)}}
	for _, row := range []struct {
		active, next types.EraIndex
		due          uint64
	}{{2, 3, 0}, {3, 8, 1}, {8, 9, 301}, {9, 0, 321}} {
		if due, next := f.Due(row.active); due != fixed.FromUint64(row.due) || next != row.next {
			t.Errorf("era %d: %v, then from %d; want %d and %d", row.active, due, next, row.due, row.next)
		}
	}
}

func TestRenewals(t *testing.T) {
	f := File{Renewal: fixed.FromUint64(10)}
	for n, want := range map[uint64]uint64{0: 0, 9: 0, 10: 1, 39: 3} {
		if got := f.Renewals(fixed.FromUint64(n)); got != want {
			t.Errorf("%d pays for %d renewals, want %d", n, got, want)
		}
	}
	if n := new(File).Renewals(fixed.FromUint64(5)); n != 0 {
		t.Errorf("%d renewals of a file without a price", n)
	}
}

func TestHex(t *testing.T) {
	var got struct{ A, B Hex }
	if err := json.Unmarshal([]byte(`{"A":"0x00ff","B":"0x"}`), &got); err != nil || string(got.A) != "\x00\xff" || len(got.B) != 0 {
		t.Errorf("%x, %v", got, err)
	}
	for _, bad := range []string{`"00ff"`, `"0x0"`, `"0xzz"`} {
		if err := json.Unmarshal([]byte(bad), &got.A); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
