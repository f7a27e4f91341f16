package network

import (
	"testing"

	"github.com/crustgo/crust/substrate/types"
)

// Who waits in vain and forgets it makes room for others, and the oldest blocks make room for younger ones.
func TestComingIsBounded(t *testing.T) {
	var c coming
	if c.wait(types.Hash{1}, func() {}) != nil {
		t.Error("a block that nobody expects is waited for")
	}
	c.expect(types.Hash{1})
	c.expect(types.Hash{2})
	called := 0
	var forget []func()
	for i := range maxWaiting {
		f := c.wait(types.Hash{byte(1 + i%2)}, func() { called++ })
		if f == nil {
			t.Fatalf("%d wait, and another one may not", i)
		}
		forget = append(forget, f)
	}
	if c.wait(types.Hash{1}, func() {}) != nil {
		t.Errorf("more than %d wait", maxWaiting)
	}
	forget[0]()
	forget[0]() // once more does not count
	if c.wait(types.Hash{2}, func() { called++ }) == nil || c.wait(types.Hash{2}, func() {}) != nil {
		t.Error("who forgot made room for one")
	}
	c.settle(types.Hash{2})
	if want := maxWaiting/2 + 1; called != want {
		t.Errorf("%d were called, want %d", called, want)
	}
	c.settle(types.Hash{2})
	for i := range maxComing { // the first goes
		c.expect(types.Hash{byte(10 + i)})
	}
	if called != maxWaiting || c.count != 0 || len(c.waiting) != maxComing || len(c.order) != maxComing {
		t.Errorf("%d were called, %d wait for %d (%d) blocks", called, c.count, len(c.waiting), len(c.order))
	}
	forget[2]() // of a block that has come
	if c.count != 0 {
		t.Errorf("%d wait", c.count)
	}
}
