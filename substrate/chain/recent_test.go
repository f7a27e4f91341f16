package chain

import (
	"testing"

	"github.com/crustgo/crust/substrate/crypto/sr25519"
)

func TestRecent(t *testing.T) {
	c := newRecent[sr25519.Point](8) // two generations of four
	key := func(i int) (k [32]byte) { k[0] = byte(i); return k }
	points := make([]*sr25519.Point, 20)
	for i := range points {
		points[i] = new(sr25519.Point)
		c.Put(key(i), points[i])
		if p, ok := c.Get(key(0)); !ok || p != points[0] { // in use: it stays
			t.Fatalf("after %d keys the one in use is gone", i+1)
		}
		if n := len(c.young) + len(c.old); n > 8 {
			t.Fatalf("%d keys are kept, not 8", n)
		}
	}
	if _, ok := c.Get(key(1)); ok {
		t.Error("a key that nobody used was kept")
	}
	if p, ok := c.Get(key(19)); !ok || p != points[19] {
		t.Error("the latest key was not kept")
	}
}
