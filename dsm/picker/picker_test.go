package picker

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/substrate/types"
)

func acc(i int) (a types.AccountID) {
	binary.BigEndian.PutUint32(a[:], uint32(i))
	return a
}

func seedOf(i int) (h types.Hash) {
	binary.BigEndian.PutUint32(h[28:], uint32(i)+1)
	return h
}

// machine is the picker of the only member of group us among n groups.
func machine(us, n int, change func(*Config)) *Machine {
	cfg := Config{Owner: acc(us), Member: acc(us), Target: 2, Patience: 10, Retry: 3, Attempts: 3, Parallel: 2}
	if change != nil {
		change(&cfg)
	}
	m := New(cfg)
	var groups []Group
	for i := range n {
		groups = append(groups, Group{Owner: acc(i), Weight: 100})
	}
	m.Groups(groups)
	return m
}

// fetches are the CIDs that Next says to fetch.
func fetches(m *Machine, block uint32) (cids []string) {
	for _, a := range m.Next(block, 1<<40) {
		if a.Kind == Fetch {
			cids = append(cids, a.CID)
		}
	}
	return cids
}

// With equal weights groups take an order in the order in which the chain pays them,
// Target at a time, and exactly Target of them at once.
func TestTurns(t *testing.T) {
	const n = 9
	ranks := make([]int, n)
	for i := range ranks {
		ranks[i] = i
	}
	rank := func(i int) types.Hash { return market.Rank(seedOf(1), "cid", acc(i)) }
	slices.SortFunc(ranks, func(a, b int) int {
		x, y := rank(a), rank(b)
		return slices.Compare(x[:], y[:])
	})
	for place, us := range ranks {
		m := machine(us, n, nil)
		m.Order(Order{CID: "cid", Seed: seedOf(1), Size: 5, Block: 100})
		due := uint32(100 + place/2*10)
		if early := fetches(m, due-1); len(early) > 0 {
			t.Errorf("place %d: before block %d", place, due)
		}
		if got := fetches(m, due); len(got) != 1 {
			t.Errorf("place %d: not at block %d", place, due)
		}
	}
}

// Replicas that are enough keep later groups away, until one is lost.
func TestLagging(t *testing.T) {
	m := machine(0, 1, nil)
	m.Groups([]Group{{Owner: acc(0), Members: []Member{{acc(0), 0}}}})
	m.Order(Order{CID: "cid", Seed: seedOf(1), Replicas: 2, Block: 1})
	if got := fetches(m, 1000); len(got) > 0 {
		t.Errorf("others have it: %v", got)
	}
	m.Order(Order{CID: "cid", Seed: seedOf(1), Replicas: 1, Block: 1001})
	if got := fetches(m, 1001); len(got) != 1 {
		t.Error("a replica was lost")
	}
}

// One member of a group takes an order; the next one is there after Patience.
func TestMembers(t *testing.T) {
	members := []Member{{acc(10), 5}, {acc(11), 5}, {acc(12), 5}}
	var turns []uint32
	for _, us := range members {
		m := New(Config{Owner: acc(1), Member: us.Account, Target: 20, Patience: 10, Retry: 1, Attempts: 1, Parallel: 1})
		m.Groups([]Group{{Owner: acc(1), Weight: 15, Members: members}})
		m.Order(Order{CID: "cid", Seed: seedOf(3), Block: 0})
		for b := uint32(0); ; b++ {
			if len(fetches(m, b)) > 0 {
				turns = append(turns, b)
				break
			}
		}
	}
	slices.Sort(turns)
	if !slices.Equal(turns, []uint32{0, 10, 20}) {
		t.Errorf("turns at %v", turns)
	}
}

func TestFilters(t *testing.T) {
	set := func(cid string) map[string]struct{} { return map[string]struct{}{cid: {}} }
	m := machine(0, 50, func(c *Config) { c.MaxSize, c.Refuse, c.Take, c.Parallel = 10, set("refused"), set("taken"), 9 })
	for _, o := range []Order{
		{CID: "large", Size: 11}, {CID: "refused", Size: 1}, {CID: "taken", Size: 50, Replicas: 9}, {CID: "unknown rank", Size: 1},
	} {
		if o.CID != "unknown rank" {
			o.Seed = seedOf(1)
		}
		m.Order(o)
	}
	if got := fetches(m, 0); !slices.Equal(got, []string{"taken"}) {
		t.Errorf("at once: %v", got)
	}
	if got := fetches(m, 1_000_000); len(got) > 0 {
		t.Errorf("ever: %v", got)
	}
	m.Order(Order{CID: "unknown rank", Size: 1, Seed: seedOf(1), Block: 7})
	if got := fetches(m, 1_000_000); !slices.Equal(got, []string{"unknown rank"}) {
		t.Errorf("once its rank is known: %v", got)
	}
}

func TestRetries(t *testing.T) {
	m := machine(0, 1, nil)
	m.Order(Order{CID: "cid", Seed: seedOf(1), Size: 5})
	var at []uint32
	for b := range uint32(100) {
		for range fetches(m, b) {
			at = append(at, b)
			m.Ended("cid", Later, b)
		}
	}
	if !slices.Equal(at, []uint32{0, 3, 9}) {
		t.Errorf("attempts at %v", at)
	}
	m.Order(Order{CID: "cid", Seed: seedOf(1), Size: 5, Block: 100})
	if got := fetches(m, 100); len(got) != 1 {
		t.Error("the order has changed, and is not tried again")
	}
	m.Ended("cid", Never, 100)
	m.Order(Order{CID: "cid", Seed: seedOf(1), Size: 5, Block: 101})
	if got := fetches(m, 200); len(got) > 0 {
		t.Error("what cannot be stored is tried again")
	}
	m.Order(Order{CID: "cid", Seed: seedOf(1), Size: 6, Block: 201})
	if got := fetches(m, 201); len(got) != 1 {
		t.Error("the order allows more now, and is not tried again")
	}
}

// What was lost is fetched again, and nothing else is.
func TestLost(t *testing.T) {
	m := machine(0, 1, nil)
	m.Held("kept")
	m.Held("lost")
	m.Lost("lost")
	m.Lost("unknown")
	for _, cid := range []string{"kept", "lost"} {
		m.Order(Order{CID: cid, Seed: seedOf(1), Size: 5})
	}
	if got := fetches(m, 0); !slices.Equal(got, []string{"lost"}) {
		t.Errorf("fetched: %v", got)
	}
}

// A file that does not fit waits and does not keep a smaller one from its turn.
func TestRoom(t *testing.T) {
	m := machine(0, 1, nil)
	m.Order(Order{CID: "a", Seed: seedOf(1), Size: 60})
	m.Order(Order{CID: "b", Seed: seedOf(1), Size: 50})
	got := m.Next(0, 100)
	if len(got) != 1 || got[0].CID != "a" {
		t.Fatalf("with 100 bytes: %v", got)
	}
	m.Order(Order{CID: "c", Seed: seedOf(1), Size: 40})
	if got := fetches(m, 0); len(got) != 1 || got[0] != "c" {
		t.Errorf("the rest: %v", got)
	}
	m.Ended("a", Fetched, 1)
	if got := m.Next(3, 50); len(got) > 0 {
		t.Errorf("c may take 40 of the 50 bytes that are left: %v", got)
	}
	m.Ended("c", Fetched, 1)
	if got := m.Next(6, 50); len(got) != 1 || got[0].CID != "b" {
		t.Errorf("with 50 bytes: %v", got)
	}
}

func TestGone(t *testing.T) {
	m := machine(0, 1, nil)
	m.Held("old")
	m.Order(Order{CID: "new", Seed: seedOf(1)})
	m.Order(Order{CID: "waits", Seed: seedOf(1), Block: 50})
	fetches(m, 0)
	for _, cid := range []string{"old", "new", "new", "waits", "unknown"} {
		m.Gone(cid)
	}
	got := m.Next(100, 1<<40)
	if want := []Action{{Kind: Delete, CID: "old"}, {Kind: Cancel, CID: "new"}}; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	m.Ended("new", Fetched, 100) // it was faster
	if got := m.Next(101, 1<<40); !slices.Equal(got, []Action{{Kind: Delete, CID: "new"}}) {
		t.Errorf("%+v", got)
	}
	if m.Active() != 0 {
		t.Errorf("%d active", m.Active())
	}
}

// The cost is the logarithm that it says it is.
func TestCost(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		x := rapid.Uint64().Draw(r, "rank")
		var h types.Hash
		binary.BigEndian.PutUint64(h[:], x)
		if ^x == 0 {
			return
		}
		want := 64 - math.Log2(float64(^x))
		if got := float64(costOf(h)) / (1 << 32); math.Abs(got-want) > 1e-6 {
			r.Fatalf("rank %x costs %v, not %v", x, got, want)
		}
	})
	if costOf(types.Hash{0: 0}) > 2 {
		t.Error("the lowest rank costs something")
	}
}

// A group with three times the space is first three times as often.
func TestWeights(t *testing.T) {
	const orders = 4000
	first := 0
	for i := range orders {
		cid := fmt.Sprint(i)
		groups := func(yield func(types.AccountID, uint64) bool) { _ = yield(acc(0), 100) && yield(acc(1), 300) }
		if place(seedOf(i), cid, acc(1), 300, groups) == 0 {
			first++
		}
	}
	if share := float64(first) / orders; math.Abs(share-0.75) > 0.03 { // four standard deviations
		t.Errorf("first in %.3f of all orders", share)
	}
}

// Whatever happens, the machine never does more at a time than it may, names nothing
// twice, and forgets nothing that it holds.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := machine(0, 3, func(c *Config) { c.Attempts = 100 })
		running, holding := map[string]bool{}, map[string]bool{}
		block := uint32(0)
		for range rapid.IntRange(1, 80).Draw(r, "steps") {
			cid := rapid.StringMatching("[a-e]").Draw(r, "cid")
			switch rapid.IntRange(0, 3).Draw(r, "what") {
			case 0:
				m.Order(Order{CID: cid, Seed: seedOf(int(block)), Size: rapid.Uint64Range(0, 100).Draw(r, "size"), Replicas: rapid.Uint32Range(0, 3).Draw(r, "replicas"), Block: block})
			case 1:
				m.Gone(cid)
			case 2:
				if running[cid] {
					result := Result(rapid.IntRange(0, 2).Draw(r, "result"))
					m.Ended(cid, result, block)
					delete(running, cid)
					if result == Fetched {
						holding[cid] = true
					}
				}
			default:
				block += rapid.Uint32Range(0, 20).Draw(r, "blocks")
				var allowed uint64 = 150
				for _, a := range m.Next(block, allowed) {
					switch a.Kind {
					case Fetch:
						if running[a.CID] || holding[a.CID] {
							r.Fatalf("%s is fetched twice", a.CID)
						}
						running[a.CID] = true
					case Cancel:
						if !running[a.CID] {
							r.Fatalf("%s is not being fetched", a.CID)
						}
					case Delete:
						if !holding[a.CID] {
							r.Fatalf("%s is not held", a.CID)
						}
						delete(holding, a.CID)
					}
				}
			}
			if len(running) > 2 || m.Active() != len(running) {
				r.Fatalf("%d fetches run, the machine knows of %d", len(running), m.Active())
			}
		}
	})
}

// BenchmarkOrder is an order on a network of a thousand groups.
func BenchmarkOrder(b *testing.B) {
	m := machine(0, 1000, nil)
	b.ReportAllocs()
	for i := range b.N {
		m.Order(Order{CID: fmt.Sprint(i), Seed: seedOf(i), Size: 1 << 20, Block: uint32(i)})
		m.Next(uint32(i), 1<<40)
		m.Gone(fmt.Sprint(i))
	}
}
