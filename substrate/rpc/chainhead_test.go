package rpc

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// event is a follow event; absent fields are zero.
type event struct {
	Event      string
	Finalized  []types.Hash    `json:"finalizedBlockHashes"`
	Pruned     []types.Hash    `json:"prunedBlockHashes"`
	Runtime    json.RawMessage `json:"finalizedBlockRuntime"`
	NewRuntime json.RawMessage `json:"newRuntime"`
	Block      types.Hash      `json:"blockHash"`
	Parent     types.Hash      `json:"parentBlockHash"`
	Best       types.Hash      `json:"bestBlockHash"`
	Operation  string          `json:"operationId"`
	Value      []jsonrpc.Hex
	Output     jsonrpc.Hex
	Error      string
	Items      []item
}

type item struct {
	Key     jsonrpc.Hex  `json:"key"`
	Value   *jsonrpc.Hex `json:"value"`
	Hash    *types.Hash  `json:"hash"`
	Closest *jsonrpc.Hex `json:"closestDescendantMerkleValue"`
}

func (s *stream) event() (e event) {
	s.t.Helper()
	text := s.next()
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	return e
}

// wantEvent demands the next event.
func (s *stream) wantEvent(want event) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.event()); diff != "" {
		s.t.Fatal(diff)
	}
}

func (s *stream) wantBlock(r chain.Ref) {
	s.t.Helper()
	s.wantEvent(event{Event: "newBlock", Block: r.Hash, Parent: r.Parent})
}

func (s *stream) wantBest(r chain.Ref) {
	s.t.Helper()
	s.wantEvent(event{Event: "bestBlockChanged", Best: r.Hash})
}

// started is the id of the operation that a call started.
func (s *stream) started(method string, params ...any) string {
	s.t.Helper()
	var r struct {
		Result    string
		Operation string `json:"operationId"`
	}
	text := s.must(method, append([]any{s.id}, params...)...)
	if err := json.Unmarshal([]byte(text), &r); err != nil || r.Result != "started" || r.Operation == "" {
		s.t.Fatalf("%s: %s", method, text)
	}
	return r.Operation
}

// TestFollow holds the order of events: parents first, the best block at once,
// a change of the best block before the finality that forces it.
func TestFollow(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{FirstFinalised: 2}).dial(t)
	genesis := chain.Ref{Hash: w.chain.Genesis()}
	one := w.block(genesis.Hash, plan{})
	two := w.block(one.Hash, plan{})
	w.finalise(two)
	a3 := w.block(two.Hash, plan{})
	b3 := w.block(two.Hash, plan{skip: 5})
	b4 := w.block(b3.Hash, plan{})
	s := c.subscribe("chainHead_v1_follow", false)
	s.wantEvent(event{Event: "initialized", Finalized: []types.Hash{one.Hash, two.Hash}})
	if first := s.event(); first.Block != a3.Hash && first.Block != b3.Hash {
		t.Fatalf("%+v", first)
	}
	if second := s.event(); second.Parent != two.Hash {
		t.Fatalf("%+v", second)
	}
	s.wantBlock(b4)
	s.wantBest(b4)
	b5 := w.block(b4.Hash, plan{})
	s.wantBlock(b5)
	s.wantBest(b5)
	a4 := w.block(a3.Hash, plan{}) // a fork that is not the best
	s.wantBlock(a4)
	w.finalise(a4)
	s.wantBest(a4) // before the event that makes it necessary
	last := s.event()
	if diff := cmp.Diff([]types.Hash{a3.Hash, a4.Hash}, last.Finalized); diff != "" || last.Event != "finalized" {
		t.Errorf("%+v %s", last, diff)
	}
	if diff := cmp.Diff([]types.Hash{b3.Hash, b4.Hash, b5.Hash}, last.Pruned); diff != "" {
		t.Error(diff)
	}
	// A discarded block stays readable: the header while it is pinned, the rest for a while.
	var header jsonrpc.Hex
	if err := json.Unmarshal([]byte(c.must("chainHead_v1_header", s.id, b5.Hash)), &header); err != nil {
		t.Fatal(err)
	}
	var h types.Header
	if err := scale.Decode(header, &h); err != nil || h.Hash() != b5.Hash {
		t.Errorf("header %v, %v", h, err)
	}
	id := s.started("chainHead_v1_storage", b5.Hash, []map[string]string{{"key": "0x00", "type": "value"}}, nil)
	s.wantEvent(event{Event: "operationStorageDone", Operation: id})
	id = s.started("chainHead_v1_body", b5.Hash)
	s.wantEvent(event{Event: "operationBodyDone", Operation: id, Value: []jsonrpc.Hex{}})
	if got := c.must("chain_getBlock", b5.Hash); !strings.Contains(got, b4.Hash.String()) {
		t.Errorf("block: %s", got)
	}
	if got := c.must("chainHead_v1_unfollow", s.id); got != "null" {
		t.Errorf("unfollow: %s", got)
	}
	if got := c.must("chainHead_v1_header", s.id, b5.Hash); got != "null" {
		t.Errorf("header after unfollow: %s", got)
	}
}

func TestFollowRuntime(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{}).dial(t)
	s := c.subscribe("chainHead_v1_follow", true)
	first := s.event()
	var runtime struct {
		Type string
		Spec struct {
			SpecName string
			APIs     map[string]int
		}
	}
	if err := json.Unmarshal(first.Runtime, &runtime); err != nil || runtime.Type != "valid" || runtime.Spec.SpecName != "test" || runtime.Spec.APIs["0x37e397fc7c91f5e4"] != 2 {
		t.Errorf("%s: %v", first.Runtime, err)
	}
	s.event() // best
	w.block(w.grow(1).Hash, plan{upgraded: true})
	if e := s.event(); string(e.NewRuntime) != "null" {
		t.Errorf("a runtime changed without notice: %s", e.NewRuntime)
	}
	s.event() // best
	if e := s.event(); string(e.NewRuntime) != string(first.Runtime) {
		t.Errorf("new runtime %s", e.NewRuntime)
	}
}

func TestFollowLimit(t *testing.T) {
	w := newWorld(t)
	srv := serve(t, w, Config{})
	c := srv.dial(t)
	first := c.subscribe("chainHead_v1_follow", false)
	c.subscribe("chainHead_v1_follow", false)
	c.refused(codeFollowLimit, "chainHead_v1_follow", false)
	srv.dial(t).subscribe("chainHead_v1_follow", false) // the limit is a connection's
	c.must("chainHead_v1_unfollow", first.id)
	c.subscribe("chainHead_v1_follow", false)
	c.refused(codeFollowLimit, "chainHead_v1_follow", false)
	c.refused(-32602, "chainHead_v1_follow")
}

func TestPins(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{MaxPinned: 4, MaxPinnedAge: 2}).dial(t)
	s := c.subscribe("chainHead_v1_follow", false)
	genesis := w.chain.Genesis()
	s.event()
	s.event()
	one := w.block(genesis, plan{})
	s.wantBlock(one)
	s.wantBest(one)
	c.refused(codeDuplicateHashes, "chainHead_v1_unpin", s.id, []types.Hash{one.Hash, one.Hash})
	c.refused(codeInvalidBlock, "chainHead_v1_unpin", s.id, []types.Hash{one.Hash, {9}})
	c.must("chainHead_v1_header", s.id, one.Hash) // nothing was unpinned
	c.must("chainHead_v1_unpin", s.id, []types.Hash{one.Hash})
	c.refused(codeInvalidBlock, "chainHead_v1_header", s.id, one.Hash)
	c.refused(codeInvalidBlock, "chainHead_v1_unpin", s.id, one.Hash)
	c.refused(codeInvalidBlock, "chainHead_v1_body", s.id, one.Hash)
	for range 3 {
		r := w.grow(1)
		s.wantBlock(r)
		s.wantBest(r)
	}
	w.grow(1)
	s.wantEvent(event{Event: "stop"}) // a fifth block to pin
	if got := c.must("chainHead_v1_header", s.id, genesis); got != "null" {
		t.Errorf("header after stop: %s", got)
	}

	s = c.subscribe("chainHead_v1_follow", false) // stopped ones do not count
	for e := s.event(); e.Event != "stop"; e = s.event() {
	} // five unfinalised blocks are too many from the start
	w.finalise(w.chain.Heads().Best)
	old := serve(t, w, Config{MaxPinned: 100, MaxPinnedAge: 2, FirstFinalised: 1}).dial(t).subscribe("chainHead_v1_follow", false)
	old.event()
	old.event()
	for i := range 3 {
		r := w.grow(1)
		w.finalise(r)
		old.wantBlock(r)
		old.wantBest(r)
		old.wantEvent(event{Event: "finalized", Finalized: []types.Hash{r.Hash}, Pruned: []types.Hash{}})
		if i == 2 {
			old.wantEvent(event{Event: "stop"})
		}
	}
}

// TestStopOnLag makes the updates of a subscription disappear.
func TestStopOnLag(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{}).dial(t)
	s := c.subscribe("chainHead_v1_follow", false)
	s.event()
	s.event()
	r := w.grow(4)
	for range 8 {
		s.event()
	}
	w.finalise(r)
	s.event()
	if _, err := w.chain.Revert(1); err != nil {
		t.Fatal(err)
	}
	s.wantEvent(event{Event: "stop"})
}

func TestOperations(t *testing.T) {
	w := newWorld(t, entry(":code", 7), entry("test:a", 1), entry("test:b", 2), entry("test:c", 3))
	c := serve(t, w, Config{MaxOperationItems: 3}).dial(t)
	tx := types.Extrinsic{12, 4, 0, 1}
	one := w.block(w.chain.Genesis(), plan{body: []types.Extrinsic{tx}})
	s := c.subscribe("chainHead_v1_follow", true)
	for range 3 {
		s.event()
	}
	id := s.started("chainHead_v1_body", one.Hash)
	s.wantEvent(event{Event: "operationBodyDone", Operation: id, Value: []jsonrpc.Hex{jsonrpc.Hex(tx)}})

	id = s.started("chainHead_v1_call", one.Hash, "Test_echo", "0x0102")
	s.wantEvent(event{Event: "operationCallDone", Operation: id, Output: jsonrpc.Hex{1, 2}})
	id = s.started("chainHead_v1_call", one.Hash, "Test_fail", "0x")
	s.wantEvent(event{Event: "operationError", Operation: id, Error: "no luck"})
	id = s.started("chainHead_v1_call", one.Hash, "Test_panic", "0x")
	s.wantEvent(event{Event: "operationError", Operation: id, Error: "internal error"})
	id = s.started("chainHead_v1_call", one.Hash, "No_such", "0x")
	if e := s.event(); e.Event != "operationError" || e.Operation != id || !strings.Contains(e.Error, "No_such") {
		t.Errorf("%+v", e)
	}

	ask := func(kinds ...string) []map[string]string {
		var out []map[string]string
		for _, k := range kinds {
			key, kind, _ := strings.Cut(k, " ")
			out = append(out, map[string]string{"key": hexText(key), "type": kind})
		}
		return out
	}
	id = s.started("chainHead_v1_storage", one.Hash, ask("test:a value", "test:x value", "test:b hash"), nil)
	hash := types.Hash(types.Extrinsic{2}.Hash())
	s.wantEvent(event{Event: "operationStorageItems", Operation: id, Items: []item{{Key: jsonrpc.Hex("test:a"), Value: &jsonrpc.Hex{1}}, {Key: jsonrpc.Hex("test:b"), Hash: &hash}}})
	s.wantEvent(event{Event: "operationStorageDone", Operation: id})
	id = s.started("chainHead_v1_storage", one.Hash, ask("test: closestDescendantMerkleValue", "none closestDescendantMerkleValue"), nil)
	e := s.event()
	if len(e.Items) != 1 || e.Items[0].Closest == nil || len(*e.Items[0].Closest) == 0 || string(e.Items[0].Key) != "test:" {
		t.Errorf("%+v", e)
	}
	s.wantEvent(event{Event: "operationStorageDone", Operation: id})
	id = s.started("chainHead_v1_storage", one.Hash, ask("test:a value"), "0x3a6368696c64")
	s.wantEvent(event{Event: "operationStorageDone", Operation: id})
	if got := c.must("chainHead_v1_storage", s.id, one.Hash, ask("test:x value", "test:x value", "test:x value", "test:x value", "test:x value"), nil); !strings.Contains(got, `"discardedItems":2`) {
		t.Errorf("discarded: %s", got)
	}
	s.event()
	c.refused(-32602, "chainHead_v1_storage", s.id, one.Hash, ask("test:x other"), nil)

	plain := c.subscribe("chainHead_v1_follow", false)
	c.refused(codeNoRuntimeFollowed, "chainHead_v1_call", plain.id, one.Hash, "Test_echo", "0x")
}

func TestDescendants(t *testing.T) {
	var entries []trie.KV
	for i := range 7 {
		entries = append(entries, entry(fmt.Sprintf("test:%d", i), byte(i)))
	}
	w := newWorld(t, append(entries, entry("test;", 99))...)
	c := serve(t, w, Config{OperationPageItems: 3, MaxOperations: 2}).dial(t)
	s := c.subscribe("chainHead_v1_follow", false)
	s.event()
	s.event()
	genesis := w.chain.Genesis()
	values := []map[string]string{{"key": hexText("test:"), "type": "descendantsValues"}}
	hashes := []map[string]string{{"key": hexText("test:"), "type": "descendantsHashes"}}
	id := s.started("chainHead_v1_storage", genesis, values, nil)
	var got []string
	for page := range 3 {
		e := s.event()
		if e.Event != "operationStorageItems" || e.Operation != id {
			t.Fatalf("%+v", e)
		}
		for _, it := range e.Items {
			got = append(got, fmt.Sprintf("%s=%d", string(it.Key), (*it.Value)[0]))
		}
		if page == 2 {
			break
		}
		s.wantEvent(event{Event: "operationWaitingForContinue", Operation: id})
		if got := c.must("chainHead_v1_continue", s.id, id); got != "null" {
			t.Errorf("continue: %s", got)
		}
	}
	s.wantEvent(event{Event: "operationStorageDone", Operation: id})
	if diff := cmp.Diff([]string{"test:0=0", "test:1=1", "test:2=2", "test:3=3", "test:4=4", "test:5=5", "test:6=6"}, got); diff != "" {
		t.Error(diff)
	}
	c.must("chainHead_v1_continue", s.id, id) // over: ignored

	// Two that wait use up the limit; a stopped one gives its place back.
	first := s.started("chainHead_v1_storage", genesis, hashes, nil)
	s.event()
	s.wantEvent(event{Event: "operationWaitingForContinue", Operation: first})
	second := s.started("chainHead_v1_storage", genesis, hashes, nil)
	s.event()
	s.wantEvent(event{Event: "operationWaitingForContinue", Operation: second})
	if got := c.must("chainHead_v1_body", s.id, genesis); got != `{"result":"limitReached"}` {
		t.Errorf("a third operation: %s", got)
	}
	c.must("chainHead_v1_stopOperation", s.id, first)
	eventually(t, "a free place", func() bool {
		return strings.Contains(c.must("chainHead_v1_body", s.id, genesis), "started")
	})
	if e := s.event(); e.Event != "operationBodyDone" {
		t.Errorf("%+v", e)
	}
	c.must("chainHead_v1_continue", s.id, second)
	if e := s.event(); e.Operation != second || e.Items[0].Hash == nil {
		t.Errorf("%+v", e)
	}
	s.wantEvent(event{Event: "operationWaitingForContinue", Operation: second})
	c.must("chainHead_v1_unfollow", s.id) // ends the one that waits
}

// TestAnswerBeforeEvents floods a connection with operations: every event must
// follow the answer that names its operation.
func TestAnswerBeforeEvents(t *testing.T) {
	w := newWorld(t)
	c := serve(t, w, Config{}).dial(t)
	s := c.subscribe("chainHead_v1_follow", true)
	s.event()
	s.event()
	for range 200 {
		s.started("chainHead_v1_call", w.chain.Genesis(), "Test_echo", "0x01")
		s.event()
	}
	known := map[string]bool{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.log {
		var r struct {
			Operation string `json:"operationId"`
		}
		switch {
		case m.ID != nil && json.Unmarshal(m.Result, &r) == nil && r.Operation != "":
			known[r.Operation] = true
		case m.ID == nil && json.Unmarshal(m.Params.Result, &r) == nil && r.Operation != "" && !known[r.Operation]:
			t.Fatalf("an event of operation %s came before its answer", r.Operation)
		}
	}
	if len(known) != 200 {
		t.Errorf("%d operations", len(known))
	}
}
