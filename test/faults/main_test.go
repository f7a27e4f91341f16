package faults

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/program"
	"github.com/crustgo/crust/test/testnet"
)

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

// patience is when a test that waits for a condition gives up.
const patience = 2 * time.Minute

// world is a network that a test hurts.
type world struct {
	*testnet.Net
	t *testing.T
}

// newWorld makes a network with two blocks a second, of which nothing runs.
func newWorld(t *testing.T, validators, others int) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("runs processes")
	}
	net, err := testnet.New(testnet.Config{Program: program.Path(), Dir: t.TempDir(), Validators: validators, Others: others, Slot: 500 * time.Millisecond, Linked: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{net, t}
	t.Cleanup(func() {
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) try(f func(context.Context) error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeoutCause(w.t.Context(), patience, fmt.Errorf("not within %v", patience))
	defer cancel()
	if err := f(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// start starts nodes, all if none is named.
func (w *world) start(which ...int) {
	w.t.Helper()
	w.try(func(ctx context.Context) error { return w.Start(ctx, which...) })
}

// await waits until ok accepts the states of the nodes.
func (w *world) await(what string, ok func([]testnet.State) bool) {
	w.t.Helper()
	w.t.Log("waiting for", what)
	w.try(func(ctx context.Context) error { return w.Await(ctx, what, ok) })
}

// final is the highest final block of any node.
func (w *world) final() types.BlockNumber {
	return w.highest(func(s testnet.State) types.BlockNumber { return s.Final })
}

// best is the highest best block of any node.
func (w *world) best() types.BlockNumber {
	return w.highest(func(s testnet.State) types.BlockNumber { return s.Best })
}

func (w *world) highest(of func(testnet.State) types.BlockNumber) (n types.BlockNumber) {
	for _, s := range w.States() {
		n = max(n, of(s))
	}
	return n
}

// goOn waits until these nodes have n blocks more final than any has now.
func (w *world) goOn(n types.BlockNumber, which ...int) {
	w.t.Helper()
	goal := w.final() + n
	w.await(fmt.Sprintf("finality at %d of nodes %v", goal, which), func(s []testnet.State) bool {
		for _, i := range which {
			if !s[i].Running || s[i].Final < goal {
				return false
			}
		}
		return true
	})
}

// settle waits until all nodes that run have made blocks final that are new, and
// none is more than a few blocks behind; then it compares all final blocks, and
// sees that nobody has refused another for what faults made it do.
func (w *world) settle(which ...int) {
	w.t.Helper()
	w.goOn(3, which...)
	w.await("all nodes close together", func(s []testnet.State) bool {
		low, high := s[which[0]].Final, types.BlockNumber(0)
		for _, i := range which {
			if !s[i].Running {
				return false
			}
			low, high = min(low, s[i].Final), max(high, s[i].Best)
		}
		return high-low <= 5
	})
	w.try(w.Check)
	for _, n := range w.Nodes {
		text, err := os.ReadFile(n.Log)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "banned=true") {
				w.t.Errorf("%s refuses an honest node: %s", n.Name, line)
			}
		}
	}
}

// upTo is 0, 1 … n-1.
func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}
