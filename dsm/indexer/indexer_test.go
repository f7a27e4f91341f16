package indexer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/types"
)

func who(n byte) types.AccountID { return types.AccountID{n, 31: 1} }

// Each event of the market about files or rewards has its kind, and reads.
func TestRead(t *testing.T) {
	account := func(n byte) metadata.Value { return metadata.Account{ID: who(n), Prefix: 66} }
	m := func(name string, v metadata.Value) metadata.Member { return metadata.Member{Name: name, Value: v} }
	file := m("cid", metadata.Bytes("bafk"))
	one := uint64(1_000)
	rows := []struct {
		name   string
		fields metadata.Record
		want   Entry
	}{
		{"FileSuccess", metadata.Record{m("who", account(1)), file}, Entry{Kind: "ordered", CID: "bafk", Accounts: []types.AccountID{who(1)}}},
		{"AddPrepaidSuccess", metadata.Record{m("who", account(1)), file, m("amount", one)}, Entry{Kind: "prepaid", CID: "bafk", Accounts: []types.AccountID{who(1)}, Amount: fixed.FromUint64(one)}},
		{"ReplicaAdded", metadata.Record{file, m("owner", account(2)), m("who", account(3))}, Entry{Kind: "stored", CID: "bafk", Accounts: []types.AccountID{who(2), who(3)}}},
		{"ReplicaAdded", metadata.Record{file, m("owner", account(2)), m("who", account(2))}, Entry{Kind: "stored", CID: "bafk", Accounts: []types.AccountID{who(2)}}},
		{"RewardBooked", metadata.Record{file, m("owner", account(2)), m("amount", one), m("until", uint64(9))}, Entry{Kind: "booked", CID: "bafk", Accounts: []types.AccountID{who(2)}, Amount: fixed.FromUint64(one), Until: 9}},
		{"FileSettled", metadata.Record{file, m("settler", one), m("each", one+1), m("holders", uint64(3))}, Entry{Kind: "settled", CID: "bafk", Amount: fixed.FromUint64(one + 1), Count: 3}},
		{"RenewFileSuccess", metadata.Record{m("who", metadata.Account{Prefix: 66}), file}, Entry{Kind: "renewed", CID: "bafk"}},
		{"SizeRefused", metadata.Record{file, m("ordered", one), m("measured", one+2)}, Entry{Kind: "refused", CID: "bafk", Size: one + 2}},
		{"RewardMerchantSuccess", metadata.Record{m("who", account(4))}, Entry{Kind: "claimed", Accounts: []types.AccountID{who(4)}}},
	}
	events := []metadata.Event{{Pallet: "Balances", Name: "Transfer"}, {Pallet: "Market", Name: "SetBaseFeeSuccess"}}
	for _, r := range rows {
		events = append(events, metadata.Event{Pallet: "Market", Name: r.name, Fields: r.fields})
	}
	got, err := Read(7, events)
	if err != nil || len(got) != len(rows) {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	for i, r := range rows {
		r.want.Key = Key{7, uint32(i) + 3}
		if d := cmp.Diff(r.want, got[i]); d != "" {
			t.Errorf("%s: %s", r.name, d)
		}
	}
	for _, bad := range []metadata.Value{metadata.Record{m("cid", uint64(5))}, metadata.Record{m("cid", metadata.Bytes("a\x00b"))}, metadata.List{}} {
		if got, err := Read(7, []metadata.Event{{Pallet: "Market", Name: "FileClosed", Fields: bad}}); err == nil {
			t.Errorf("%v reads as %v", bad, got)
		}
	}
}

// The names are those of the pallet: an event that is renamed would be passed over.
func TestKinds(t *testing.T) {
	known := map[string]bool{}
	for _, e := range new(market.Pallet).Spec().Events {
		if e != nil {
			known[strings.TrimPrefix(fmt.Sprintf("%T", e), "market.")] = true
		}
	}
	for name := range kinds {
		if !known[name] {
			t.Errorf("the market has no event %s", name)
		}
	}
}

// block is block n of a chain: what its entries are follows from the number.
func block(n types.BlockNumber) Block {
	b := Block{Number: n, Hash: types.Hash{byte(n), byte(n >> 8), 1}}
	for i := range uint32(n) % 4 {
		b.Entries = append(b.Entries, Entry{Key: Key{n, i + 1}, Time: types.Moment(1000 * n), Kind: "ordered", CID: []string{"a", "ab"}[i%2],
			Accounts: []types.AccountID{who(byte(n % 3)), who(9)}, Amount: fixed.FromUint64(uint64(n))})
	}
	return b
}

// entries are those of blocks up to next that ok picks.
func entries(next types.BlockNumber, ok func(*Entry) bool) (out []Entry) {
	for n := types.BlockNumber(1); n < next; n++ {
		for _, e := range block(n).Entries {
			if ok(&e) {
				out = append(out, e)
			}
		}
	}
	return out
}

// check compares the index with what the blocks up to its cursor have.
func check(t *testing.T, x *Index) {
	t.Helper()
	next := x.Cursor().Next
	for _, cid := range []string{"a", "ab", "abc", ""} {
		got, err := x.File(cid, Key{}, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(entries(next, func(e *Entry) bool { return e.CID == cid }), got); d != "" {
			t.Fatalf("before block %d, file %q: %s", next, cid, d)
		}
	}
	for n := range byte(3) {
		var got []Entry
		for { // in pages
			after := Key{}
			if len(got) > 0 {
				after = got[len(got)-1].Key
			}
			page, err := x.Account(who(n), after, 7)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, page...); len(page) < 7 {
				break
			}
		}
		if d := cmp.Diff(entries(next, func(e *Entry) bool { return e.Accounts[0] == who(n) }), got); d != "" {
			t.Fatalf("before block %d, account %d: %s", next, n, d)
		}
	}
	if last := x.Cursor().Last; next > 1 && last != block(next-1).Hash {
		t.Fatalf("the block before %d is %v", next, last)
	}
}

var genesis = types.Hash{0xc4}

// Whatever instant the power is cut at, the index is that of some block, no earlier
// than what Add has returned for.
func TestCrash(t *testing.T) {
	seed := uint64(1)
	if s := os.Getenv("SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	fs := vfs.NewCrashableMem()
	for round := range 12 {
		x, err := open(fs, "index", genesis, 1)
		if err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
		check(t, x)
		done := x.Cursor().Next
		for range rng.IntN(6) {
			var blocks []Block
			for range 1 + rng.IntN(5) {
				blocks = append(blocks, block(done))
				done++
			}
			if err := x.Add(blocks...); err != nil {
				t.Fatal(err)
			}
		}
		cut := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		fs = cut
		again, err := open(fs, "index", genesis, 1)
		if err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
		if got := again.Cursor().Next; got != done {
			t.Fatalf("seed %d, round %d: %d blocks were added, and the index has those before %d", seed, round, done, got)
		}
		check(t, again)
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRefuses(t *testing.T) {
	dir := t.TempDir()
	x, err := Open(dir, genesis, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Add(block(5), block(7)); err == nil || x.Cursor().Next != 5 {
		t.Errorf("a block is left out: %v, %+v", err, x.Cursor())
	}
	if got, err := x.File("a", Key{}, 10); err != nil || len(got) > 0 {
		t.Errorf("of what was refused there is %v, %v", got, err)
	}
	if _, err := Open(dir, genesis, 5); err == nil || !strings.Contains(err.Error(), "is it in use by another program?") {
		t.Errorf("opened twice: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, types.Hash{7}, 5); err == nil || !strings.Contains(err.Error(), "give another directory") {
		t.Errorf("of another chain: %v", err)
	}
	if x, err = Open(dir, genesis, 99); err != nil || x.Cursor().First != 5 {
		t.Fatalf("opened again: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkAdd(b *testing.B) {
	x, err := open(vfs.NewMem(), "index", genesis, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	b.ReportAllocs()
	for b.Loop() {
		var blocks []Block
		for n := range types.BlockNumber(together) {
			blocks = append(blocks, block(x.Cursor().Next+n))
		}
		if err := x.Add(blocks...); err != nil {
			b.Fatal(err)
		}
	}
}
