package faults

import (
	"testing"
	"time"

	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/program"
	"github.com/crustgo/crust/test/testnet"
)

// kill ends a node without a warning.
func (w *world) kill(which ...int) {
	w.t.Helper()
	for _, i := range which {
		if err := w.Nodes[i].Kill(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// stop asks a node to end.
func (w *world) stop(i int) {
	w.t.Helper()
	if err := w.Nodes[i].Stop(); err != nil {
		w.t.Fatal(err)
	}
}

// Three of four validators go on without the one that is killed, and it catches up.
func TestKilledValidator(t *testing.T) {
	w := newWorld(t, 4, 0)
	w.start()
	w.goOn(3, 0, 1, 2, 3)
	w.kill(3)
	w.goOn(5, 0, 1, 2)
	w.start(3)
	w.settle(0, 1, 2, 3)
}

// Five of seven are enough, and those that were killed catch up.
func TestLongTwoKilled(t *testing.T) {
	program.Long(t)
	w := newWorld(t, 7, 0)
	w.start()
	w.goOn(3, upTo(7)...)
	w.kill(2, 5)
	w.goOn(20, 0, 1, 3, 4, 6)
	w.start(2, 5)
	w.settle(upTo(7)...)
}

// With three and four of seven neither side can make anything final, but both go
// on making blocks; healed, they agree on one of the chains.
func TestLongSplit(t *testing.T) {
	program.Long(t)
	w := newWorld(t, 7, 0)
	w.start()
	w.goOn(3, upTo(7)...)
	few, many := []int{0, 1, 2}, []int{3, 4, 5, 6}
	w.Split(few, many)
	// What was made before may still become final, nothing that was made since.
	w.await("nodes without the other side", func(s []testnet.State) bool {
		for _, i := range few {
			if s[i].Peers >= len(few) {
				return false
			}
		}
		for _, i := range many {
			if s[i].Peers >= len(many) {
				return false
			}
		}
		return true
	})
	bound := w.best() + 1
	w.await("blocks on both sides", func(s []testnet.State) bool { return s[0].Best >= bound+40 && s[3].Best >= bound+40 })
	if f := w.final(); f > bound {
		t.Fatalf("block %d is final; when the network was split the best was %d", f, bound)
	}
	w.Heal()
	w.goOn(12, upTo(7)...)
	w.settle(upTo(7)...)
}

// A new node without keys catches up, and a validator that was away for long.
func TestLongLate(t *testing.T) {
	program.Long(t)
	w := newWorld(t, 7, 1)
	w.start(upTo(7)...)
	w.goOn(3, upTo(7)...)
	w.kill(6)
	w.goOn(100, 0, 1, 2, 3, 4, 5)
	w.start(6, 7)
	w.settle(upTo(8)...)
}

// Every node is restarted in turn, every other one without a warning.
func TestLongRolling(t *testing.T) {
	program.Long(t)
	w := newWorld(t, 7, 0)
	w.start()
	w.goOn(3, upTo(7)...)
	for i := range 7 {
		if i%2 == 0 {
			w.stop(i)
		} else {
			w.kill(i)
		}
		w.goOn(2, (i+1)%7, (i+3)%7)
		w.start(i)
		w.goOn(2, upTo(7)...)
	}
	w.settle(upTo(7)...)
}

// Links of 100 to 200 ms leave less than half of a block's time, and connections
// that break leave nobody behind.
func TestLongDelayAndLoss(t *testing.T) {
	program.Long(t)
	w := newWorld(t, 7, 0)
	w.Delay(func(from, to int) time.Duration {
		return time.Duration(100+17*(from+to)%101) * time.Millisecond
	})
	w.start()
	w.goOn(20, upTo(7)...)
	for round := range 8 {
		w.Break(func(from, to int) bool { return (from*7+to*3)%8 == round })
		goal := w.final() + 2
		w.await("finality of most", func(s []testnet.State) bool {
			n := 0
			for i := range s {
				if s[i].Final >= goal {
					n++
				}
			}
			return n >= 5
		})
	}
	w.Delay(func(int, int) time.Duration { return 0 })
	w.settle(upTo(7)...)
	if first := types.BlockNumber(20); w.final() < first {
		t.Errorf("only %d blocks are final", w.final())
	}
}
