package network

import (
	"fmt"
	"testing"

	"github.com/crustgo/crust/substrate/types"
)

// Who waits in vain and forgets it makes room for others, and the oldest blocks make room for younger ones.
func TestComingIsBounded(t *testing.T) {
	var c coming
	called := 0
	wait := func(at types.Moment, peer int, h byte) func() {
		return c.wait(at, types.PeerID(fmt.Sprint(peer)), types.Hash{h}, func() { called++ })
	}
	if wait(0, 0, 1) != nil {
		t.Error("a block that nobody expects is waited for")
	}
	c.expect(1000, types.Hash{1})
	c.expect(1000, types.Hash{2})
	var forget []func()
	for i := range maxWaiting {
		f := wait(1000, i, byte(1+i%2))
		if f == nil {
			t.Fatalf("%d wait, and another one may not", i)
		}
		forget = append(forget, f)
	}
	if wait(1000, maxWaiting, 1) != nil {
		t.Errorf("more than %d wait", maxWaiting)
	}
	forget[0]()
	forget[0]() // once more does not count
	if wait(1000, 1, 2) != nil {
		t.Error("a peer waits twice")
	}
	if wait(1000+comingAge+1, 0, 2) != nil {
		t.Error("a block that does not come is waited for")
	}
	if wait(1000+comingAge, 0, 2) == nil || wait(1000, maxWaiting, 2) != nil {
		t.Error("who forgot made room for one")
	}
	if missed := c.settle(types.Hash{2}); !missed || called != maxWaiting/2+1 {
		t.Errorf("%d were called, want %d; some missed it: %v", called, maxWaiting/2+1, missed)
	}
	if c.settle(types.Hash{2}) {
		t.Error("it is settled twice")
	}
	for i := range maxComing { // the first goes
		c.expect(2000, types.Hash{byte(10 + i)})
	}
	if called != maxWaiting || c.count != 0 || len(c.blocks) != maxComing {
		t.Errorf("%d were called, %d wait for %d blocks", called, c.count, len(c.blocks))
	}
	forget[2]() // of a block that has come
	if c.count != 0 || c.settle(types.Hash{10}) {
		t.Errorf("%d wait", c.count)
	}
}
