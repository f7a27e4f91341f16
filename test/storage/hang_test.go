package storage

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/test/program"
)

// TestLongHungEnclave stops an enclave so that it answers nothing any more. The storage
// node kills it, starts it again from its state, and stores the next file.
func TestLongHungEnclave(t *testing.T) {
	program.Long(t)
	w := start(t, 1, func(*runtime.Preset) {})
	n := w.fetcher()
	from := w.newSource(1 << 30)
	store := func(blocks int) {
		t.Helper()
		root, content, size := file(blocks, 64<<10)
		from.add(root, content, size)
		file := w.order(root, size, from.address())
		w.await("the replica", func() bool { _, n := w.stage(file); return n == 1 })
	}
	store(3)
	first := enclaveOf(t, n.PID())
	w.ok(syscall.Kill(first, syscall.SIGSTOP))
	w.await("another enclave", func() bool { now := enclaveOf(t, n.PID()); return now != 0 && now != first })
	if err := syscall.Kill(first, 0); err == nil {
		t.Errorf("the enclave that hung, process %d, is still there", first)
	}
	store(4)
}

// enclaveOf is the process of a storage node's enclave: its only child. 0 if there is none.
func enclaveOf(t *testing.T, node int) int {
	t.Helper()
	all, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		id, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id)) // number (name) state parent …
		if err != nil {
			continue // it ended
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(node) && f[0] != "Z" {
			return id
		}
	}
	return 0
}
