package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/program"
)

// voids are the void slots.
func (w *world) voids() []uint32 {
	w.t.Helper()
	v, _, err := client.QueryAs[[]uint32](w.ctx, w.client, client.Best, "Swork", "VoidSlots")
	w.ok(err)
	return v
}

// TestLongFleet runs storage nodes in groups of one and of two members beside three validators, and
// does to them what happens to storage nodes: blocks full of transfers, and a stop of finality.
func TestLongFleet(t *testing.T) {
	program.Long(t)
	w := start(t, 3, func(p *runtime.Preset) {
		p.EpochLength = 1000            // nobody is elected while a validator is stopped
		p.NormalWeight = 40_000_000_000 // 40 ms: blocks that some hundred transfers fill
	})
	const alone, pair = "//Alice//stash", "//Bob//stash"
	w.group(alone, "//Dave")
	w.group(pair, "//Eve", "//Ferdie")
	before := map[string]*big.Int{alone: w.limit(alone), pair: w.limit(pair)}
	const many = 2 * fillers
	nodes := []*node{w.add("//Dave", alone, many), w.add("//Eve", pair, fillers), w.add("//Ferdie", pair, fillers)}
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range nodes {
				t.Logf("%s:\n%s", n.Name, n.Tail())
			}
		}
	})
	w.counted(alone, 1, many)
	w.counted(pair, 2, 2*fillers)
	w.beats(1, nodes...) // the recount is handed over
	for owner, limit := range before {
		if w.limit(owner).Cmp(limit) <= 0 {
			t.Fatalf("the stake limit of %s was %v and is %v", owner, limit, w.limit(owner))
		}
	}
	full := map[string]*big.Int{alone: w.limit(alone), pair: w.limit(pair)}
	kept := func(what string) {
		t.Helper()
		for owner, limit := range full {
			if got := w.limit(owner); got.Cmp(limit) != 0 {
				t.Fatalf("%s: the stake limit of %s was %v and is %v", what, owner, limit, got)
			}
		}
		for _, n := range nodes {
			n.well()
		}
	}

	w.flooded(func() {
		from := w.slot()
		w.await("two slots to be reported in full blocks", func() bool {
			return !slices.ContainsFunc(nodes, func(n *node) bool { return n.standing().Slot < from+40 })
		})
	})
	kept("full blocks")

	w.ok(w.Nodes[2].Freeze())
	t.Cleanup(func() { _ = w.Nodes[2].Thaw() })
	voids := len(w.voids())
	w.await("three void slots", func() bool {
		kept("finality stands still")
		return len(w.voids()) >= voids+3
	})
	w.ok(w.Nodes[2].Thaw())
	w.beats(2, nodes...)
	kept("finality goes on")
	w.ok(w.Check(w.ctx))
}

// counted waits until the members of a group report, and all of their fillers count.
func (w *world) counted(owner string, members, units int) {
	w.t.Helper()
	w.await("the free space of the group of "+owner, func() bool {
		var group struct {
			Members []struct {
				State       string
				FillerBytes uint64
			}
		}
		w.ok(json.Unmarshal(w.crust("group", "members", owner, "--json"), &group))
		sum := uint64(0)
		for _, m := range group.Members {
			if m.State == "reports" {
				sum += m.FillerBytes
			}
		}
		return len(group.Members) == members && sum == uint64(units*unitLeaves*proof.LeafSize)
	})
	w.await("it to count", func() bool {
		for _, t := range []string{"last", "next"} {
			free := w.field("Swork", "Counts", account(w.t, owner), t, "free")
			if free.Cmp(big.NewInt(int64(units*unitLeaves*proof.LeafSize))) == 0 {
				return true
			}
		}
		return false
	})
}

// flooded fills the blocks with transfers while during runs: some of them wait all the time.
func (w *world) flooded(during func()) {
	w.t.Helper()
	done := make(chan struct{})
	var sending sync.WaitGroup
	var mu sync.Mutex // guards failed
	var failed error
	for _, uri := range []string{user, "//Faucet"} {
		sending.Go(func() {
			if err := w.flood(uri, done); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = errors.Join(failed, err)
			}
		})
	}
	waiting := func() int {
		var all []string
		w.ok(w.client.RPC().Call(w.ctx, "author_pendingExtrinsics", nil, &all))
		return len(all)
	}
	w.await("transfers to wait", func() bool { return waiting() > 500 })
	head, err := w.client.Header(w.ctx, client.Best)
	w.ok(err)
	first := head.Number
	during()
	if n := waiting(); n == 0 {
		w.t.Error("no transfer waits: blocks were not full")
	}
	head, err = w.client.Header(w.ctx, client.Best)
	w.ok(err)
	close(done)
	sending.Wait()
	w.ok(failed)
	fewest := 1 << 30
	for number := first + 1; number <= head.Number; number++ {
		at, err := w.client.BlockHash(w.ctx, number)
		w.ok(err)
		b, err := w.client.Block(w.ctx, at)
		w.ok(err)
		fewest = min(fewest, len(b.Body))
	}
	w.t.Logf("%d blocks, the emptiest with %d transactions", head.Number-first, fewest)
	w.await("the pool to be empty", func() bool { return waiting() == 0 })
}

// flood sends transfers of one account, as many as the node takes, until done closes.
func (w *world) flood(uri string, done <-chan struct{}) error {
	pair, err := crypto.ParseURI(uri, crypto.Sr25519)
	if err != nil {
		return err
	}
	nonce, err := w.client.Nonce(w.ctx, pair.Account())
	if err != nil {
		return err
	}
	for {
		select {
		case <-done:
			return nil
		default:
		}
		tx := client.Tx{Pallet: "Balances", Call: "transfer_keep_alive", Args: []any{metadata.Variant{Name: "Id", Value: types.AccountID{1}}, big.NewInt(runtime.CRU)}}
		xt, err := w.client.Sign(w.ctx, tx, pair, client.SignOptions{Nonce: &nonce, Immortal: true})
		if err != nil {
			return err
		}
		for {
			_, err := w.client.Submit(w.ctx, xt)
			if err == nil {
				break
			}
			if !strings.Contains(err.Error(), "as many transactions in the pool as it may have") {
				return fmt.Errorf("transfer %d of %s: %w", nonce, uri, err)
			}
			select { // others have to be in a block first
			case <-done:
				return nil
			case <-time.After(100 * time.Millisecond):
			}
		}
		nonce++
	}
}
