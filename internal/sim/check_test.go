package sim

import (
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/store"
	"github.com/crustgo/crust/substrate/types"
)

// Every checker fails a run in which its rule is broken. The nodes that break it
// pass for honest.
func TestCheckersFail(t *testing.T) {
	for name, tc := range map[string]struct {
		after types.Moment // when the rule is broken
		do    func(w *world)
		want  string
	}{
		"two nodes with one voting key": {1, func(w *world) {
			w.nodes[1].keys.grandpa = append(w.nodes[1].keys.grandpa, w.nodes[0].keys.grandpa...)
		}, "signed two votes"},
		"two nodes with one authoring key": {1, func(w *world) {
			w.nodes[1].keys.babe = append(w.nodes[1].keys.babe, w.nodes[0].keys.babe...)
		}, "sealed two blocks in slot"},
		"half of the voters are gone": {10_000, func(w *world) {
			w.nodes[1].stop(false)
			w.nodes[2].stop(false)
		}, "blocks are final"},
		"a node forgets what was final": {20_000, func(w *world) {
			n := w.nodes[1]
			n.stop(true)
			n.mem = store.NewMem()
			if err := n.start(); err != nil {
				t.Error(err)
			}
		}, "and after a restart only 0"},
		"a peer talks nonsense": {10_000, func(w *world) {
			w.send(w.nodes[0], w.nodes[1].id, network.ProtocolBlocks, []byte{1})
		}, "node 1 would ban node 0, which is honest"},
		"two blocks of one number are final": {20_000, func(w *world) {
			n := w.nodes[1]
			w.check.finalised(n, chain.Ref{Hash: types.Hash{1}, Number: w.check.reached[1] + 1})
			w.check.reached[1]-- // its own block follows
		}, "two blocks"},
		"finality leaves out a block": {20_000, func(w *world) {
			w.check.finalised(w.nodes[1], chain.Ref{Hash: types.Hash{1}, Number: w.check.reached[1] + 2})
		}, ", and then block"},
		"what is final cannot be executed": {20_000, func(w *world) { w.check.final[5] = w.check.final[6] }, "replay: "},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := newWorld(Options{Seed: 1, Nodes: 4, Blocks: 40})
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			done := false
			w.after(tc.after, func() { tc.do(w); done = true })
			err = w.run()
			if !done || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the run ended with %v, want %q", err, tc.want)
			}
		})
	}
}

// A state that is not the one that its block's header names is found.
func TestWrongRootIsFound(t *testing.T) {
	w, err := newWorld(Options{Seed: 1, Nodes: 1, Blocks: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	n := w.nodes[0]
	header, err := n.chain.Header(w.check.final[3])
	if err != nil {
		t.Fatal(err)
	}
	other, err := n.chain.ViewAt(w.check.final[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := rootOf(other, header); err == nil || !strings.Contains(err.Error(), "its header says") {
		t.Errorf("the state of another block: %v", err)
	}
}
