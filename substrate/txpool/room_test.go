package txpool

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/types"
)

// honest is some clients of a pool and the chain below it. Each client sends the
// transactions of one account, mixed up, and sends again what is refused; what
// was accepted it sends again only if the pool has told that it dropped it.
type honest struct {
	p        *Pool
	txs      [][]Tx // by account and nonce
	accepted map[types.Hash]bool
	chain    []Block
	next     []types.Nonce // of the chain
	forked   bool
	serial   int               // of the last block
	highest  types.BlockNumber // so far
}

func newHonest(t *rapid.T) *honest {
	draw := func(least, most int, label string) int { return rapid.IntRange(least, most).Draw(t, label) }
	h := &honest{accepted: map[types.Hash]bool{}}
	h.p = New(Config{Ready: Limit{draw(1, 8, "ready"), draw(20, 100, "ready bytes")}, Future: Limit{draw(1, 6, "future"), draw(20, 60, "future bytes")},
		PerSender: draw(0, 6, "per sender"), RevalidateAfter: 1, RevalidateMax: 100, FinalityBlocks: 100, RememberBlocks: 4})
	dearest := rapid.SampledFrom([]int{0, 3}).Draw(t, "dearest")
	for a := range draw(1, 4, "accounts") {
		var txs []Tx
		for n := range draw(1, 10, "nonces") {
			txs = append(txs, Tx{Hash: hashOf(fmt.Sprintf("%d/%d", a, n)), Signed: true, Sender: types.AccountID{byte(a)}, Nonce: types.Nonce(n), Longevity: never,
				Bytes: make([]byte, draw(1, 20, "length")), Priority: uint64(draw(0, dearest, "priority")), Provides: [][]byte{nonceTag(byte(a), types.Nonce(n))}})
		}
		h.txs, h.next = append(h.txs, txs), append(h.next, 0)
	}
	return h
}

// valid is a transaction as validation describes it now.
func (h *honest) valid(tx Tx) Tx {
	if a := tx.Sender[0]; tx.Nonce > h.next[a] {
		tx.Requires = [][]byte{nonceTag(a, tx.Nonce-1)}
	}
	return tx
}

// missing lists what clients have to send: what is neither accepted nor in the chain.
func (h *honest) missing() (out []Tx) {
	for a, txs := range h.txs {
		for _, tx := range txs[h.next[a]:] {
			if !h.accepted[tx.Hash] {
				out = append(out, tx)
			}
		}
	}
	return out
}

func (h *honest) number() types.BlockNumber { return types.BlockNumber(len(h.chain)) }

// worth is the least priority among an entry and those that it waits for at its place.
func (h *honest) worth(e *entry) uint64 {
	w := e.tx.Priority
	h.p.dependsOn(e, e.place, func(up *entry) bool { w = min(w, up.tx.Priority); return false })
	return w
}

type held struct {
	place Place
	worth uint64
}

func (h *honest) held() map[types.Hash]held {
	out := map[types.Hash]held{}
	for hash, e := range h.p.byHash {
		out[hash] = held{e.place, h.worth(e)}
	}
	return out
}

// submit submits a transaction and checks what was given up for it.
func (h *honest) submit(t *rapid.T, tx Tx) {
	before, load := h.held(), h.p.load
	at, err := h.p.Submit(h.valid(tx), h.number())
	h.accepted[tx.Hash] = err == nil
	events := h.p.Events()
	if err != nil {
		if !errors.Is(err, ErrDropped) || len(events) > 0 || h.p.load != load {
			t.Fatalf("%v: %v, %v, %v after %v", tx.Hash, err, events, h.p.load, load)
		}
		return
	}
	promoted := -1
	mine := h.worth(h.p.byHash[tx.Hash])
	for _, ev := range events {
		old := before[ev.Tx]
		switch {
		case ev.Kind == Ready:
			promoted++
		case ev.Kind == Dropped && h.forked && old.place == InFuture && at == InReady && (tx.Back || load[InFuture].minus(h.p.cfg.Future).positive()):
			h.accepted[ev.Tx] = false // a fork has left more future than there may be
		case ev.Kind == Dropped:
			if h.accepted[ev.Tx] = false; old.worth >= mine || old.place != at {
				t.Fatalf("%v of worth %d at %d is dropped for %v of worth %d at %d", ev.Tx, old.worth, old.place, tx.Hash, mine, at)
			}
		}
	}
	// Only what waited, or came back, brings more into a place than newcomers may.
	limit := h.p.cfg.limit(at).max(load[at])
	if n := h.p.load[at].Count - max(promoted, 0); !tx.Back && n > limit.Count || !tx.Back && promoted <= 0 && h.p.load[at].Bytes > limit.Bytes {
		t.Fatalf("load %v after %v, %d promoted", h.p.load, load, promoted)
	}
}

// block makes a block of at most so many transactions.
func (h *honest) block(number types.BlockNumber, most int) Block {
	h.serial++
	h.highest = max(h.highest, number)
	b := Block{Hash: hashOf(fmt.Sprint("block", h.serial)), Number: number}
	it := h.p.Iterate()
	for tx := it.Next(); tx != nil && len(b.Txs) < most; tx = it.Next() {
		if a := tx.Sender[0]; tx.Nonce == h.next[a] {
			h.next[a]++
			b.Txs = append(b.Txs, Included{Hash: tx.Hash, Provides: tx.Provides})
		} else {
			it.Skip() // a fork has set the account back
		}
	}
	return b
}

// move enacts a block of at most so many transactions in place of the last ones.
func (h *honest) move(t *rapid.T, depth, most int) {
	var c Change
	for ; depth > 0; depth-- {
		last := h.chain[len(h.chain)-1]
		for _, tx := range last.Txs {
			h.next[tx.Provides[0][0]-'0']--
		}
		c.Retracted, h.chain, h.forked = append(c.Retracted, last), h.chain[:len(h.chain)-1], true
	}
	b := h.block(h.number()+1, most)
	c.Enacted, h.chain = []Block{b}, append(h.chain, b)
	work := h.p.OnBlock(c)
	for _, hash := range work.Revalidate {
		tx, _ := h.p.Get(hash)
		again := *tx
		again.Requires = nil
		h.p.Revalidated(h.valid(again), h.number())
	}
	if i := slices.IndexFunc(h.p.Events(), func(ev Event) bool { return ev.Kind >= Usurped }); i >= 0 {
		t.Fatal("a block made the pool give something up")
	}
	for _, hash := range work.Resubmit {
		var a, n int
		_, _ = fmt.Sscanf(string(hash[:]), "%d/%d", &a, &n)
		tx := h.txs[a][n]
		tx.Back = true
		h.submit(t, tx)
	}
}

func (h *honest) check(t *rapid.T) {
	if err := h.p.check(); err != nil {
		t.Fatal(err)
	}
	for _, a := range h.p.senders {
		if most := h.p.cfg.PerSender; !h.forked && most > 0 && (len(a.entries) > most || a.futures > most/2) {
			t.Fatalf("%d of an account, %d of them future", len(a.entries), a.futures)
		}
	}
	if !h.forked && h.p.load[InFuture].minus(h.p.cfg.Future).positive() {
		t.Fatalf("load %v", h.p.load)
	}
}

// TestNothingAcceptedIsLost has clients that send again only what is refused, a
// pool that is much too small for them, and a chain with forks. What was accepted
// gets into a block unless it was given up for something that is worth more, and
// from every state everything gets into a block.
func TestNothingAcceptedIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHonest(t)
		forks := rapid.Bool().Draw(t, "forks")
		submit := func(t *rapid.T) {
			if txs := h.missing(); len(txs) > 0 {
				h.submit(t, txs[rapid.IntRange(0, len(txs)-1).Draw(t, "which")])
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"submit": submit, "submit2": submit, "submit3": submit, "submit4": submit,
			"block": func(t *rapid.T) { h.move(t, 0, rapid.IntRange(0, 4).Draw(t, "most")) },
			"fork": func(t *rapid.T) {
				if forks {
					h.move(t, rapid.IntRange(0, min(2, len(h.chain))).Draw(t, "depth"), rapid.IntRange(0, 4).Draw(t, "most"))
				}
			},
			"": h.check,
		})
		for empty, settled := 0, h.highest+2; ; {
			left := 0
			for a := range h.txs {
				left += len(h.txs[a]) - int(h.next[a])
			}
			if left == 0 {
				break
			}
			for _, tx := range rapid.Permutation(h.missing()).Draw(t, "order") {
				h.submit(t, tx)
				h.check(t)
			}
			h.move(t, 0, rapid.IntRange(1, 4).Draw(t, "most"))
			h.check(t)
			// What a fork has set back is validated again a block after it was validated last, and may keep room until then.
			if empty++; len(h.chain[len(h.chain)-1].Txs) > 0 || h.forked && h.number() < settled {
				empty = 0
			}
			if empty > 0 {
				t.Fatalf("%d transactions get into no block; load %v", left, h.p.load)
			}
		}
	})
}
