package hash

import (
	"os"
	"syscall"
	"testing"
)

// Nothing is read outside of a message: it lies at the end of a page after which there is none,
// or at the beginning of one before which there is none.
func TestBounds(t *testing.T) {
	page := os.Getpagesize()
	b, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(b); err != nil {
			t.Error(err)
		}
	})
	for _, edge := range [][]byte{b[:page], b[2*page:]} {
		if err := syscall.Mprotect(edge, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	in := b[page : 2*page]
	for i := range in {
		in[i] = byte(i * 7)
	}
	for n := range 700 {
		for _, m := range [][]byte{in[:n], in[len(in)-n:]} {
			checkBlake2b(t, m)
			want := Blake2b256(m)
			jobs := make([]Job, 5)
			for i := range jobs {
				jobs[i] = Job{m, make([]byte, 32)}
			}
			Blake2b256All(jobs)
			for _, j := range jobs {
				if [32]byte(j.Sum) != want {
					t.Fatalf("%d bytes beside others: %x, want %x", n, j.Sum, want)
				}
			}
		}
	}
}
