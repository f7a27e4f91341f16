package txpool

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/types"
)

func hashOf(s string) (h types.Hash) {
	copy(h[:], s)
	return h
}

// TestInvariants throws random graphs of tags, reorganisations, expiry and tight
// limits at the pool, and checks everything that it keeps twice after each step.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Ready: Limit{12, 1000}, Future: Limit{8, 1000}, PerSender: 6, BanBlocks: 2, Bans: 4,
			RevalidateAfter: 2, RevalidateMax: 3, FinalityBlocks: 6, RememberBlocks: 3}
		p := New(cfg)
		var chain []Block
		number, serial := types.BlockNumber(10), 0
		p.best = uint64(number)
		drawTags := func(t *rapid.T, label string, least int) [][]byte {
			return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) []byte { return []byte{'a' + byte(rapid.IntRange(0, 9).Draw(t, "tag"))} }), least, 3).Draw(t, label)
		}
		draw := func(t *rapid.T) Tx {
			serial++
			return Tx{Hash: hashOf(fmt.Sprint("tx", serial)), Bytes: make([]byte, rapid.IntRange(1, 150).Draw(t, "len")),
				Signed: rapid.Bool().Draw(t, "signed"), Sender: types.AccountID{byte(rapid.IntRange(0, 2).Draw(t, "sender"))},
				Nonce:    types.Nonce(rapid.IntRange(0, 3).Draw(t, "nonce")),
				Requires: drawTags(t, "requires", 0), Provides: drawTags(t, "provides", 1),
				Priority: uint64(rapid.IntRange(0, 5).Draw(t, "priority")), Longevity: uint64(rapid.SampledFrom([]int{1, 3, 1000}).Draw(t, "longevity")),
				Watched: rapid.Bool().Draw(t, "watched"), Back: rapid.IntRange(0, 4).Draw(t, "back") == 0}
		}
		pick := func(t *rapid.T) *Tx {
			all := slices.Collect(p.Pending())
			if len(all) == 0 {
				t.Skip("empty")
			}
			return all[rapid.IntRange(0, len(all)-1).Draw(t, "index")]
		}
		block := func(t *rapid.T) Block {
			number++
			b := Block{Hash: hashOf(fmt.Sprint("block", serial, number)), Number: number}
			serial++
			for tx := range p.Ready() {
				if len(b.Txs) == 3 || rapid.IntRange(0, 3).Draw(t, "stop") == 0 {
					break
				}
				b.Txs = append(b.Txs, Included{Hash: tx.Hash, Provides: tx.Provides})
			}
			if rapid.IntRange(0, 2).Draw(t, "foreign") == 0 {
				b.Txs = append(b.Txs, Included{Hash: hashOf(fmt.Sprint("foreign", serial)), Provides: drawTags(t, "foreign tags", 1)})
			}
			return b
		}
		submit := func(t *rapid.T) {
			tx := draw(t)
			load := p.load
			where, err := p.Submit(tx, number)
			if err != nil && (p.load != load || len(p.Events()) > 0) {
				t.Fatalf("a refusal changed something: %v", err)
			}
			if _, at := p.Get(tx.Hash); at != where || (err == nil) != (where != Nowhere) {
				t.Fatalf("Submit says %d, %v; Get says %d", where, err, at)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"submit": submit, "submit2": submit, "submit3": submit,
			"block": func(t *rapid.T) {
				b := block(t)
				p.OnBlock(Change{Enacted: []Block{b}})
				chain = append(chain, b)
				for _, tx := range b.Txs {
					if got, _ := p.Get(tx.Hash); got != nil {
						t.Fatalf("%v is included and still in the pool", tx.Hash)
					}
				}
			},
			"reorg": func(t *rapid.T) {
				n := min(rapid.IntRange(1, 4).Draw(t, "depth"), len(chain))
				var c Change
				for _, b := range chain[len(chain)-n:] {
					c.Retracted = slices.Insert(c.Retracted, 0, b)
				}
				chain = chain[:len(chain)-n]
				number -= types.BlockNumber(n)
				c.Enacted = []Block{block(t)}
				if n > 0 {
					c.Enacted[0].Txs = append(c.Enacted[0].Txs, c.Retracted[0].Txs...)
				}
				w := p.OnBlock(c)
				chain = append(chain, c.Enacted...)
				for _, h := range w.Resubmit {
					if got, _ := p.Get(h); got != nil {
						t.Fatalf("asked to submit %v again, which is in the pool", h)
					}
				}
			},
			"reject": func(t *rapid.T) {
				h := pick(t).Hash
				p.Reject(h)
				if _, err := p.Submit(Tx{Hash: h, Provides: [][]byte{{1}}}, number); !errors.Is(err, ErrBanned) {
					t.Fatalf("after a rejection: %v", err)
				}
			},
			"revalidate": func(t *rapid.T) {
				tx := *pick(t)
				if rapid.Bool().Draw(t, "retag") {
					tx.Requires = drawTags(t, "requires", 0)
				}
				tx.Priority = uint64(rapid.IntRange(0, 5).Draw(t, "priority"))
				tx.Longevity = uint64(rapid.IntRange(1, 5).Draw(t, "longevity"))
				p.Revalidated(tx, number)
			},
			"finalise": func(t *rapid.T) {
				if len(chain) > 0 {
					p.Finalised([]types.Hash{chain[0].Hash})
				}
			},
			"": func(t *rapid.T) {
				if err := p.check(); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(p.naiveReady(), readyHashes(p)); d != "" {
					t.Fatalf("order of the pool (-by definition +got):\n%s", d)
				}
				p.Events()
			},
		})
	})
}

// account model: nonces, without limits and reorganisations, as one would write
// it on a napkin.
type napkin struct {
	next map[byte]types.Nonce         // of the chain
	txs  map[byte]map[types.Nonce]*Tx // at most one for each account and nonce
}

func (m *napkin) ready() map[types.Hash]bool {
	out := map[types.Hash]bool{}
	for a, txs := range m.txs {
		for n := m.next[a]; txs[n] != nil; n++ {
			out[txs[n].Hash] = true
		}
	}
	return out
}

// TestAgainstNapkin compares the pool with a model that knows only accounts and nonces.
func TestAgainstNapkin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := New(DefaultConfig())
		m := &napkin{map[byte]types.Nonce{}, map[byte]map[types.Nonce]*Tx{0: {}, 1: {}, 2: {}}}
		serial, number := 0, types.BlockNumber(0)
		t.Repeat(map[string]func(*rapid.T){
			"submit": func(t *rapid.T) {
				serial++
				a := byte(rapid.IntRange(0, 2).Draw(t, "account"))
				n := m.next[a] + types.Nonce(rapid.IntRange(0, 4).Draw(t, "ahead"))
				tx := signed(a, n, m.next[a], uint64(rapid.IntRange(0, 3).Draw(t, "priority")))
				tx.Hash = hashOf(fmt.Sprint(serial))
				_, err := p.Submit(tx, number)
				old := m.txs[a][n]
				if old == nil || tx.Priority > old.Priority {
					m.txs[a][n] = &tx
					if err != nil {
						t.Fatalf("%d of %d: %v", n, a, err)
					}
				} else if !errors.Is(err, ErrPriority) {
					t.Fatalf("%d of %d with priority %d in place of %d: %v", n, a, tx.Priority, old.Priority, err)
				}
			},
			"block": func(t *rapid.T) {
				number++
				b := Block{Hash: hashOf(fmt.Sprint("b", number)), Number: number}
				include := rapid.IntRange(0, 6).Draw(t, "include")
				for tx := range p.Ready() {
					if len(b.Txs) == include {
						break
					}
					b.Txs = append(b.Txs, Included{Hash: tx.Hash})
					delete(m.txs[tx.Sender[0]], tx.Nonce)
					m.next[tx.Sender[0]] = tx.Nonce + 1
				}
				if a := byte(rapid.IntRange(0, 5).Draw(t, "foreign")); a < 3 { // by an account of ours, not through the pool
					n := m.next[a]
					b.Txs = append(b.Txs, Included{hashOf(fmt.Sprint("f", number)), [][]byte{nonceTag(a, n)}})
					delete(m.txs[a], n)
					m.next[a]++
				}
				p.OnBlock(Change{Enacted: []Block{b}})
			},
			"": func(t *rapid.T) {
				want := m.ready()
				got := readyHashes(p)
				total := 0
				for a, txs := range m.txs {
					total += len(txs)
					if n := p.NextNonce(types.AccountID{a}, m.next[a]); txs[n] != nil || n < m.next[a] || n > m.next[a] && txs[n-1] == nil {
						t.Fatalf("next nonce of %d is %d", a, n)
					}
				}
				for _, h := range got {
					if !want[h] {
						t.Fatalf("%v is ready", h)
					}
				}
				if s := p.Status(); len(got) != len(want) || s.Ready.Count+s.Future.Count != total {
					t.Fatalf("%d ready, want %d; %+v, want %d", len(got), len(want), s, total)
				}
				if err := p.check(); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}

func nonceTag(a byte, n types.Nonce) []byte { return fmt.Appendf(nil, "%d/%d", a, n) }

// signed is a transaction as validation describes it when the chain is at a nonce.
func signed(a byte, n, chain types.Nonce, priority uint64) Tx {
	tx := Tx{Signed: true, Sender: types.AccountID{a}, Nonce: n, Bytes: make([]byte, 100),
		Provides: [][]byte{nonceTag(a, n)}, Priority: priority, Longevity: never, Propagate: true}
	if n > chain {
		tx.Requires = [][]byte{nonceTag(a, n-1)}
	}
	return tx
}
