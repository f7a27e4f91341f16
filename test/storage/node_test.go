package storage

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"path/filepath"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/test/testnet"
)

// node is a storage node of the real program, and what the chain has of it.
type node struct {
	*testnet.Node
	w             *world
	member, owner string
	base          string
}

// add starts a storage node that proves some units of free space, with more arguments.
func (w *world) add(member, owner string, units int, args ...string) *node {
	w.t.Helper()
	n := &node{w: w, member: member, owner: owner, base: shortDir(w.t)}
	n.Node = w.AddStorage(testnet.Storage{
		Name: filepath.Base(n.base), SURI: member, Owner: owner, SRD: fmt.Sprint(units * unitLeaves * proof.LeafSize), Base: n.base, Args: args,
	}, 0)
	w.ok(n.Start(w.ctx))
	return n
}

// ask reads what the node tells of itself.
func (n *node) ask(path string, into any) {
	n.w.t.Helper()
	r, err := http.Get(n.API() + path)
	n.w.ok(err)
	defer r.Body.Close()
	n.w.ok(json.NewDecoder(r.Body).Decode(into))
}

// told is how the node stands with the chain, by its own word.
func (n *node) told() (chain struct{ Slot, Reported, Heartbeats, Answers, Losses uint64 }) {
	n.w.t.Helper()
	var load struct{ Chain any }
	load.Chain = &chain
	n.ask("/workload", &load)
	return chain
}

// standing is what the chain keeps of the node's worker.
type standing struct {
	Slot, Missed uint64
	Failed       bool
}

func (n *node) standing() (s standing) {
	n.w.t.Helper()
	lineage := n.w.recordOf(n.member).Lineage
	v, err := n.w.client.Query(n.w.ctx, client.Best, "Swork", "Workers", metadata.Bytes(lineage[:]))
	n.w.ok(err)
	for name, into := range map[string]*uint64{"slot": &s.Slot, "missed": &s.Missed} {
		f, _ := metadata.Get(v, name)
		b, ok := metadata.BigInt(f)
		if !ok {
			n.w.t.Fatalf("the worker's %s: %v", name, v)
		}
		*into = b.Uint64()
	}
	f, _ := metadata.Get(v, "failed")
	s.Failed, _ = f.(bool)
	return s
}

// well fails unless the node's worker has missed nothing, and is not suspended.
func (n *node) well() {
	n.w.t.Helper()
	if s := n.standing(); s.Missed != 0 || s.Failed {
		n.w.t.Fatalf("%s: %+v\n%s", n.Name, s, n.Tail())
	}
}

// limit is the stake limit of an owner.
func (w *world) limit(owner string) *big.Int {
	w.t.Helper()
	return w.field("Staking", "StakeLimit", account(w.t, owner))
}

// beats waits until each node has some more plans in the chain.
func (w *world) beats(n uint64, nodes ...*node) {
	w.t.Helper()
	for _, node := range nodes {
		until := w.recordOf(node.member).Counter + n
		w.await(fmt.Sprintf("%d heartbeats of %s", n, node.Name), func() bool { return w.recordOf(node.member).Counter >= until })
	}
}

// slot is the first block of the current slot of reports.
func (w *world) slot() uint64 { return w.field("Swork", "Slot", nil, "start").Uint64() }
