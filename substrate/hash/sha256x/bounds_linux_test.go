package sha256x

import (
	"os"
	"syscall"
	"testing"
)

// Nothing is read outside of what is to be hashed: it lies at the end of a page after which
// there is none, or at the beginning of one before which there is none.
func TestBounds(t *testing.T) {
	page := os.Getpagesize()
	const pages = 4
	b, err := syscall.Mmap(-1, 0, (pages+2)*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(b); err != nil {
			t.Error(err)
		}
	})
	for _, edge := range [][]byte{b[:page], b[(pages+1)*page:]} {
		if err := syscall.Mprotect(edge, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	in := b[page : (pages+1)*page]
	copy(in, random(7, len(in)))
	for size := range 200 {
		for _, n := range counts {
			for _, data := range [][]byte{in[:n*size], in[len(in)-n*size:]} {
				checkEach(t, 1, data, size, n)
				messages := make([][]byte, n)
				for i := range messages {
					messages[i] = data[i*size : (i+1)*size]
				}
				checkAll(t, messages)
				for i := range messages { // and each of them at an edge
					if n := len(data) - size; i%2 == 1 {
						messages[i] = data[n:]
					} else {
						messages[i] = data[:size]
					}
				}
				checkAll(t, messages)
			}
		}
	}
}
