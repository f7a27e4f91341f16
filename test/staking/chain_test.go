package staking

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/testnet"
)

// block is a final block and what happened in it.
type block struct {
	Number types.BlockNumber
	Hash   types.Hash
	Events []metadata.Event
}

// of are the events of a block with a name, such as Staking.Slash.
func (b *block) of(name string) (out []metadata.Event) {
	pallet, event, _ := strings.Cut(name, ".")
	for _, e := range b.Events {
		if e.Is(pallet, event) {
			out = append(out, e)
		}
	}
	return out
}

// own are the events with a name that are the block's itself: of no transaction, which pays fees.
func (b *block) own(name string) []metadata.Event {
	return slices.DeleteFunc(b.of(name), func(e metadata.Event) bool { return e.Extrinsic != nil })
}

// chainReader reads final blocks of a node, one after the other, each once.
type chainReader struct {
	w    *world
	c    *client.Client
	node int
	next types.BlockNumber
	last *block // that was read
}

// read begins with the first block.
func (w *world) read(node int) *chainReader {
	w.t.Helper()
	c, err := client.Dial(w.ctx, w.Nodes[node].URL("ws"), client.Config{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return &chainReader{w: w, c: c, node: node, next: 1}
}

// until reads blocks until ok takes one, and returns that one. If none comes in time it
// shows the nodes, and the events of the last blocks.
func (r *chainReader) until(what string, ok func(b *block) bool) *block {
	r.w.t.Helper()
	r.w.t.Logf("waiting for %s from block %d on", what, r.next)
	var last []string
	for {
		err := r.w.Await(r.w.ctx, what, func(s []testnet.State) bool { return s[r.node].Final >= r.next })
		if err != nil {
			r.w.t.Fatalf("%v\nthe last blocks:\n%s", err, strings.Join(last, "\n"))
		}
		b, err := r.block(r.next)
		if err != nil {
			r.w.t.Fatal(err)
		}
		r.next++
		r.last = b
		if ok(b) {
			return b
		}
		text, _ := json.Marshal(b.Events)
		last = append(last, fmt.Sprintf("%d %s", b.Number, text))
		last = last[max(0, len(last)-40):]
	}
}

func (r *chainReader) block(n types.BlockNumber) (*block, error) {
	h, err := r.c.BlockHash(r.w.ctx, n)
	if err != nil {
		return nil, err
	}
	events, err := r.c.Events(r.w.ctx, h)
	return &block{n, h, events}, err
}

// skip goes on with the blocks that are not final yet.
func (r *chainReader) skip() { r.next = max(r.next, r.w.States()[r.node].Final+1) }

// value reads an item of the state after a block; nil if there is none.
func (r *chainReader) value(at types.Hash, pallet, item string, keys ...any) metadata.Value {
	r.w.t.Helper()
	v, err := r.c.Query(r.w.ctx, at, pallet, item, keys...)
	if err != nil {
		r.w.t.Fatal(err)
	}
	return v
}

// era is the active era after a block.
func (r *chainReader) era(at types.Hash) uint64 {
	r.w.t.Helper()
	v, _ := metadata.Get(r.value(at, "Staking", "ActiveEra"), "index")
	n, ok := v.(uint64)
	if !ok {
		r.w.t.Fatalf("no active era at %v", at)
	}
	return n
}

// text is a value as JSON, in which accounts are addresses.
func text(v metadata.Value) string {
	b, err := metadata.JSON(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// sum adds up the amounts of events by the account that they name, all of them under the
// zero account if they name none.
func sum(events []metadata.Event, who, amount string) map[types.AccountID]*big.Int {
	out := map[types.AccountID]*big.Int{}
	for i := range events {
		a, _ := events[i].Member(who)
		account, _ := a.(metadata.Account)
		v, _ := events[i].Member(amount)
		n, _ := metadata.BigInt(v)
		if n == nil {
			continue
		}
		if out[account.ID] == nil {
			out[account.ID] = new(big.Int)
		}
		out[account.ID].Add(out[account.ID], n)
	}
	return out
}
