package rpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
)

// nextNumber is the number of the next header.
func (s *stream) nextNumber() string {
	s.t.Helper()
	var h struct{ Number string }
	if err := json.Unmarshal([]byte(s.next()), &h); err != nil {
		s.t.Fatal(err)
	}
	return h.Number
}

func (s *stream) wantNumbers(want ...string) {
	s.t.Helper()
	for i, n := range want {
		if got := s.nextNumber(); got != n {
			s.t.Fatalf("header %d has number %s, want %s", i, got, n)
		}
	}
}

func TestHeads(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{CachedHeaders: 2}).dial(t)
	w.grow(1)
	best := c.subscribe("chain_subscribeNewHeads")
	all := c.subscribe("chain_subscribeAllHeads")
	final := c.subscribe("chain_subscribeFinalizedHeads")
	alias := c.subscribe("subscribe_newHead")
	best.wantNumbers("0x1") // the first value comes without a new block
	all.wantNumbers("0x1")
	final.wantNumbers("0x0")
	alias.wantNumbers("0x1")
	one := w.chain.Heads().Best
	two := w.block(one.Hash, plan{})
	w.block(one.Hash, plan{skip: 1}) // a fork, not the best
	three := w.block(two.Hash, plan{})
	w.finalise(three)
	w.block(three.Hash, plan{})
	best.wantNumbers("0x2", "0x3", "0x4")
	alias.wantNumbers("0x2", "0x3", "0x4")
	final.wantNumbers("0x1", "0x2", "0x3") // none skipped
	all.wantNumbers("0x2")
	if next := all.nextNumber(); next == "0x2" { // unless finality was faster than the follower
		all.wantNumbers("0x3")
	}
	all.wantNumbers("0x4")
	if got := c.must("chain_unsubscribeNewHeads", best.id); got != "true" {
		t.Errorf("unsubscribe: %s", got)
	}
	if got := c.must("chain_unsubscribeNewHeads", best.id); got != "false" {
		t.Errorf("unsubscribe twice: %s", got)
	}
}

// TestFinalizedAfterRestart holds a follower that fell too far behind to the
// promise that no finalised block is left out.
func TestFinalizedAfterRestart(t *testing.T) {
	w := newWorld(t)
	f := serve(t, w, Config{}).dial(t).subscribe("chain_subscribeFinalizedHeads")
	f.wantNumbers("0x0")
	w.finalise(w.grow(20))
	for i := 1; i <= 20; i++ {
		f.wantNumbers(fmt.Sprintf("%#x", i))
	}
	back, err := w.chain.Revert(5) // forgets all updates
	if err != nil {
		t.Fatal(err)
	}
	f.wantNumbers(fmt.Sprintf("%#x", uint32(back.Number)))
	w.finalise(w.block(w.grow(1).Hash, plan{skip: 7}))
	f.wantNumbers(fmt.Sprintf("%#x", uint32(back.Number)+1), fmt.Sprintf("%#x", uint32(back.Number)+2))
}

func TestStorageSubscription(t *testing.T) {
	w := newWorld(t, entry("test:a", 1))
	c := serve(t, w, Config{MaxKeys: 3}).dial(t)
	a, b := hexText("test:a"), hexText("test:b")
	s := c.subscribe("state_subscribeStorage", []string{a, b})
	genesis := w.chain.Genesis()
	s.want(fmt.Sprintf(`{"block":"%v","changes":[["%s","0x01"],["%s",null]]}`, genesis, a, b))
	one := w.block(genesis, plan{puts: []trie.KV{entry("test:b", 5)}})
	s.want(fmt.Sprintf(`{"block":"%v","changes":[["%s","0x05"]]}`, one.Hash, b))
	two := w.block(one.Hash, plan{}) // nothing changes, nothing is said
	three := w.block(two.Hash, plan{puts: []trie.KV{{Key: []byte("test:a")}, entry("test:b", []byte{}...)}})
	s.want(fmt.Sprintf(`{"block":"%v","changes":[["%s",null],["%s","0x"]]}`, three.Hash, a, b))
	// A longer fork takes over: the difference to what was told last counts.
	fork := w.block(one.Hash, plan{skip: 50})
	fork = w.block(fork.Hash, plan{})
	fork = w.block(fork.Hash, plan{})
	s.want(fmt.Sprintf(`{"block":"%v","changes":[["%s","0x01"],["%s","0x05"]]}`, fork.Hash, a, b))
	c.refused(-32602, "state_subscribeStorage")
	c.refused(codeStateCount, "state_subscribeStorage", []string{a, a, a, a})
}

func TestRuntimeVersionSubscription(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{}).dial(t)
	s := c.subscribe("state_subscribeRuntimeVersion")
	first := s.next()
	if !strings.Contains(first, `"specName":"test"`) || first != c.must("state_getRuntimeVersion") {
		t.Errorf("version %s", first)
	}
	w.block(w.grow(2).Hash, plan{upgraded: true})
	s.want(first)
}

func TestJustifications(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{}).dial(t)
	s := c.subscribe("grandpa_subscribeJustifications")
	r := w.grow(2)
	w.finalise(r)
	_, j, err := w.chain.Block(r.Hash)
	if err != nil || j == nil {
		t.Fatal(err)
	}
	s.want(quoted(jsonrpc.Hex(j)))
}

// A client that looks into the block when it hears inBlock is answered before it
// hears of finality.
func TestFinalisedAfterInBlock(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{FinalisedAfter: time.Hour}).dial(t)
	h := types.Hash{1}
	s := c.subscribe("author_submitAndWatchExtrinsic", "0x0c040001")
	w.pool.watch.feed <- []txpool.Event{{Kind: txpool.InBlock, Block: h}, {Kind: txpool.Finalized, Block: h}}
	s.want(`{"inBlock":"` + h.String() + `"}`)
	c.must("chain_getBlock", h)
	if got := c.must("author_unwatchExtrinsic", s.id); got != "true" {
		t.Errorf("unwatch: %s", got)
	}
	<-w.pool.watch.closed
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.log[s.from:] {
		if m.Params.Subscription == s.id {
			t.Errorf("finality was told at once: %s", m.Params.Result)
		}
	}
}

func TestWatch(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{}).dial(t)
	h, o := types.Hash{1}, types.Hash{2}
	events := []txpool.Event{{Kind: txpool.Future}, {Kind: txpool.Ready}, {Kind: txpool.InBlock, Block: h, Index: 3}, {Kind: txpool.Retracted, Block: h},
		{Kind: txpool.FinalityTimeout, Block: h}, {Kind: txpool.Usurped, Other: o}, {Kind: txpool.Dropped}, {Kind: txpool.Invalid}, {Kind: txpool.Finalized, Block: h, Index: 3}}
	s := c.subscribe("author_submitAndWatchExtrinsic", "0x0c040001")
	w.pool.watch.feed <- events[:4]
	w.pool.watch.feed <- events[4:]
	close(w.pool.watch.feed)
	for _, want := range []string{`"future"`, `"ready"`, `{"inBlock":"` + h.String() + `"}`, `{"retracted":"` + h.String() + `"}`, `{"finalityTimeout":"` + h.String() + `"}`,
		`{"usurped":"` + o.String() + `"}`, `"dropped"`, `"invalid"`, `{"finalized":"` + h.String() + `"}`} {
		s.want(want)
	}
	<-w.pool.watch.closed

	w.pool.watch = newFakeWatch()
	s = c.subscribe("transactionWatch_v1_submitAndWatch", "0x0c040001")
	w.pool.watch.feed <- events
	block := `{"hash":"` + h.String() + `","index":3}}`
	for _, want := range []string{`{"event":"validated"}`, `{"event":"bestChainBlockIncluded","block":` + block, `{"event":"bestChainBlockIncluded","block":null}`,
		`{"event":"dropped","error":"the block is long in the chain and not final; nobody waits for it any more"}`, `{"event":"invalid","error":"another transaction took its place"}`,
		`{"event":"dropped","error":"the pool is full"}`, `{"event":"invalid","error":"the transaction cannot go into a block any more"}`, `{"event":"finalized","block":` + block} {
		s.want(want)
	}
	if got := c.must("transactionWatch_v1_unwatch", s.id); got != "null" {
		t.Errorf("unwatch: %s", got)
	}
	<-w.pool.watch.closed

	w.pool.err = &txpool.Error{Code: 1010, Message: "Invalid Transaction", Data: "Transaction has a bad signature"}
	for _, method := range []string{"author_submitExtrinsic", "author_submitAndWatchExtrinsic"} {
		if err := c.refused(1010, method, "0x0c040001"); err.Message != "Invalid Transaction" || err.Data != "Transaction has a bad signature" {
			t.Errorf("%s: %v", method, err)
		}
	}
	c.subscribe("transactionWatch_v1_submitAndWatch", "0x0c040001").want(`{"event":"invalid","error":"Invalid Transaction: Transaction has a bad signature"}`)
	w.pool.err = errors.New("closed")
	c.refused(-32603, "author_submitExtrinsic", "0x0c040001")
}

func TestBroadcast(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w, Config{MaxBroadcasts: 2})
	c := s.dial(t)
	var first string
	if err := json.Unmarshal([]byte(c.must("transaction_v1_broadcast", "0x01")), &first); err != nil {
		t.Fatal(err)
	}
	c.must("transaction_v1_broadcast", "0x02")
	if got := c.must("transaction_v1_broadcast", "0x03"); got != "null" {
		t.Errorf("a third broadcast: %s", got)
	}
	s.dial(t).refused(-32602, "transaction_v1_stop", first) // not of that connection
	if got := c.must("transaction_v1_stop", first); got != "null" || w.pool.live() != 1 {
		t.Errorf("stop: %s, %d left", got, w.pool.live())
	}
	c.refused(-32602, "transaction_v1_stop", first)
	_ = c.conn.CloseNow()
	eventually(t, "the end of the broadcast", func() bool { return w.pool.live() == 0 })
}

func TestSafeTable(t *testing.T) {
	w := newWorld(t)
	table, err := New(Deps{Chain: w.chain, Pool: PoolOf(w.pool), Spec: Spec{Name: "Test"}}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{world: w, addr: listen(t, table, jsonrpc.Config{})}
	c := s.dial(t)
	for _, method := range []string{"author_rotateKeys", "author_insertKey", "author_hasKey", "author_hasSessionKeys", "author_removeExtrinsic", "state_getPairs",
		"state_queryStorage", "system_dryRun", "system_peers", "offchain_localStorageSet", "offchain_localStorageGet", "babe_epochAuthorship"} {
		if err := c.refused(-32601, method); !strings.Contains(err.Message, "unsafe") {
			t.Errorf("%s: %v", method, err)
		}
	}
	for method, want := range map[string]string{"system_health": `{"peers":0,"isSyncing":false,"shouldHavePeers":false}`, "system_chainType": `"Live"`,
		"system_properties": `{}`, "system_localListenAddresses": `[]`, "system_reservedPeers": `[]`, "system_syncState": `{"startingBlock":0,"currentBlock":0,"highestBlock":0}`} {
		if got := c.must(method); got != want {
			t.Errorf("%s: %s", method, got)
		}
	}
	c.refused(-32603, "system_localPeerId")
	c.refused(codeGrandpaNotReady, "grandpa_roundState")
	c.refused(-32603, "sync_state_genSyncSpec", true)
	if _, err := New(Deps{Chain: w.chain}, Config{}); err == nil {
		t.Error("a table without a pool")
	}
	if _, err := New(Deps{Chain: w.chain, Pool: PoolOf(w.pool), Spec: Spec{Name: "Test", Properties: json.RawMessage("{")}}, Config{}); err == nil {
		t.Error("a table with properties that are not JSON")
	}
}

func TestMetadata(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{}).dial(t)
	var got jsonrpc.Hex
	if err := json.Unmarshal([]byte(c.must("state_getMetadata")), &got); err != nil {
		t.Fatal(err)
	}
	if string(got[:5]) != "meta\x0e" {
		t.Errorf("metadata begins with %x", got[:5])
	}
	c.refused(codeStateClient, "state_getMetadata", types.Hash{1})
}

// TestEpochAuthorship counts the slots of an epoch with one authority, who is
// the secondary author of all.
func TestEpochAuthorship(t *testing.T) {
	old := config.EpochLength
	config.EpochLength = 12
	defer func() { config.EpochLength = old }()
	w := newWorld(t)
	c := serve(t, w, Config{}).dial(t)
	if got := c.must("babe_epochAuthorship"); got != "{}" {
		t.Errorf("before the first epoch: %s", got)
	}
	w.grow(1)
	var got map[string]authorship
	if err := json.Unmarshal([]byte(c.must("babe_epochAuthorship")), &got); err != nil {
		t.Fatal(err)
	}
	for _, a := range got {
		if len(a.Secondary) != 12 || a.Secondary[0] != 1001 || len(a.Primary) != 0 || len(a.SecondaryVRF) != 0 {
			t.Errorf("slots %+v", a)
		}
	}
	if len(got) != 1 {
		t.Errorf("%d keys", len(got))
	}
}
