package txpool

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/types"
)

func TestErrors(t *testing.T) {
	err := error(tooLow(5, 3))
	if !errors.Is(err, ErrPriority) || errors.Is(err, ErrImported) {
		t.Errorf("%v is not recognised by its code", err)
	}
	if want := "Priority is too low: (5 vs 3)"; tooLow(5, 3).Message != want {
		t.Errorf("message %q, want %q", tooLow(5, 3).Message, want)
	}
	if ErrBanned.Error() != "Transaction is temporarily banned" {
		t.Errorf("text %q", ErrBanned.Error())
	}
}

func TestNextNonce(t *testing.T) {
	p := New(DefaultConfig())
	for _, n := range []types.Nonce{3, 4, 5, 7} {
		tx := signed('a', n, 3, 1)
		tx.Hash = types.Hash{byte(n)}
		if _, err := p.Submit(tx, 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ chain, want types.Nonce }{{3, 6}, {5, 6}, {6, 6}, {0, 0}} {
		if got := p.NextNonce(types.AccountID{'a'}, tc.chain); got != tc.want {
			t.Errorf("after %d on the chain: %d, want %d", tc.chain, got, tc.want)
		}
	}
	if got := p.NextNonce(types.AccountID{'b'}, 9); got != 9 {
		t.Errorf("of a stranger: %d, want 9", got)
	}
}

func TestWatch(t *testing.T) {
	p := New(DefaultConfig())
	tx := signed('a', 0, 0, 1)
	tx.Hash = types.Hash{1}
	if p.Watch(tx.Hash) {
		t.Error("watches what is not in the pool")
	}
	if _, err := p.Submit(tx, 1); err != nil {
		t.Fatal(err)
	}
	if got, at := p.Get(tx.Hash); got == nil || at != InReady || !p.Watch(tx.Hash) {
		t.Fatal("does not know its transaction")
	}
	p.Events()
	p.OnBlock(Change{Enacted: []Block{{Hash: types.Hash{9}, Number: 2, Txs: []Included{{Hash: tx.Hash}}}}})
	p.Unwatch(tx.Hash)
	p.Finalised([]types.Hash{{9}})
	want := []Event{{Tx: tx.Hash, Kind: InBlock, Block: types.Hash{9}}}
	if d := cmp.Diff(want, p.Events()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestCycles has transactions that need each other, directly and by replacement.
func TestCycles(t *testing.T) {
	tx := func(name byte, prio uint64, requires, provides string) Tx {
		out := Tx{Hash: types.Hash{name}, Priority: prio, Longevity: 10}
		for i := range requires {
			out.Requires = append(out.Requires, []byte{requires[i]})
		}
		for i := range provides {
			out.Provides = append(out.Provides, []byte{provides[i]})
		}
		return out
	}
	p := New(DefaultConfig())
	for _, s := range []Tx{tx('A', 1, "", "xy"), tx('B', 1, "x", "z")} {
		if where, err := p.Submit(s, 1); where != InReady || err != nil {
			t.Fatal(where, err)
		}
	}
	for name, s := range map[string]Tx{
		"needs itself":                     tx('C', 9, "q", "q"),
		"needs what follows the replaced":  tx('D', 9, "z", "y"),
		"needs what will need it":          tx('E', 9, "z", "x"),
		"needs what it replaces, directly": tx('F', 9, "x", "y"),
	} {
		if where, err := p.Submit(s, 1); !errors.Is(err, ErrCycle) {
			t.Errorf("%s: %d, %v", name, where, err)
		}
		if err := p.check(); err != nil {
			t.Fatal(err)
		}
	}
	if got := readyHashes(p); !slices.Equal(got, []types.Hash{{'A'}, {'B'}}) {
		t.Errorf("ready: %v", got)
	}
}

func TestRevalidationIsBounded(t *testing.T) {
	p := New(Config{Ready: Limit{100, 1 << 20}, Future: Limit{10, 1 << 20}, RevalidateAfter: 3, RevalidateMax: 4, FinalityBlocks: 9, RememberBlocks: 2})
	for i := range 10 {
		tx := signed(byte(i), 0, 0, 1)
		tx.Hash = types.Hash{byte(i)}
		if _, err := p.Submit(tx, 0); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for n := types.BlockNumber(1); n <= 8; n++ {
		w := p.OnBlock(Change{Enacted: []Block{{Hash: types.Hash{255, byte(n)}, Number: n}}})
		got = append(got, len(w.Revalidate))
	}
	// From block 3 on four at a time, until all ten had their turn; the first four again at 6.
	if d := cmp.Diff([]int{0, 0, 4, 4, 2, 4, 4, 2}, got); d != "" {
		t.Errorf("asked for (-want +got):\n%s", d)
	}
}

// TestOrderIsBounded has a pool that stays just below its limit: the order for
// eviction, which was made once, keeps what is in the pool and forgets the rest.
func TestOrderIsBounded(t *testing.T) {
	p := New(Config{Ready: Limit{10, 1 << 20}, RememberBlocks: 2})
	for n := range types.Nonce(1000) {
		tx := signed('a', n, n, 1)
		tx.Hash = types.Hash{byte(n), byte(n >> 8), 1}
		if n < 10 {
			tx = signed(byte(n), 0, 0, 1)
			tx.Hash = types.Hash{byte(n)}
		}
		if _, err := p.Submit(tx, 1); (err != nil) != (n == 10) {
			t.Fatal(n, err)
		}
		if n >= 10 {
			for out := range p.Ready() {
				p.OnBlock(Change{Enacted: []Block{{Number: 1, Txs: []Included{{Hash: out.Hash}}}}})
				break
			}
		}
	}
	if n := len(p.last[InReady].items); n == 0 || n > 84 {
		t.Errorf("%d in the order of a pool of 10", n)
	}
}

// Walks over dependencies are numbered, and the numbers come round.
func TestWalksComeRound(t *testing.T) {
	p := New(Config{Ready: Limit{10, 1 << 20}, RememberBlocks: 2})
	for n := range types.Nonce(3) {
		tx := signed('a', n, 0, 1)
		tx.Hash = types.Hash{byte(n)}
		if at, err := p.Submit(tx, 1); at != InReady || err != nil {
			t.Fatal(at, err)
		}
	}
	first, last := p.byHash[types.Hash{0}], p.byHash[types.Hash{2}]
	p.walk = ^uint32(0) - 1
	for range 4 {
		if !p.dependsOn(last, InReady, func(e *entry) bool { return e == first }) {
			t.Errorf("walk %d does not find what comes first", p.walk)
		}
	}
}
