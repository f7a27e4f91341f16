package network

import "testing"

func TestBacklog(t *testing.T) {
	var b backlog
	took := 0
	for b.take("a", 1<<20) {
		took++
	}
	if took != maxBacklog>>20 {
		t.Errorf("a peer may have %d MiB wait", took)
	}
	if !b.take("b", 1) {
		t.Error("another peer has to wait for it")
	}
	b.give("a", 1<<20)
	if !b.take("a", 1) {
		t.Error("there is room again")
	}
	b.give("a", 1)
	b.give("b", 1)
	for range took - 1 {
		b.give("a", 1<<20)
	}
	if len(b.bytes) != 0 {
		t.Errorf("left: %v", b.bytes)
	}
}
