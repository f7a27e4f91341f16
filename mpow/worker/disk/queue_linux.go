//go:build linux && (amd64 || arm64)

package disk

import (
	"runtime"
	"syscall"
	"unsafe"

	"github.com/crustgo/crust/mpow/proof"
)

// queue is a queue of the system's asynchronous reads (io_submit(2)), which are asynchronous where
// they go past the cache. What it points to is on the heap, so that it stays where it is.
type queue struct {
	context  uintptr // 0: the system gives none
	requests []request
	order    []*request
	events   []event
	files    []int
}

// request is the kernel's struct iocb.
type request struct {
	index   uint64 // comes back with the event
	_       [2]uint32
	_       uint16 // what to do: 0 reads
	_       int16  // the priority
	file    uint32
	address uint64
	length  uint64
	offset  int64
	_       uint64
	_       [2]uint32
}

// event is the kernel's struct io_event.
type event struct {
	index  uint64
	_      uint64
	result int64 // bytes, or the negative of an error
	_      int64
}

func newQueue(n int) *queue {
	q := &queue{requests: make([]request, n), order: make([]*request, n), events: make([]event, n), files: make([]int, n)}
	if _, _, no := syscall.Syscall(syscall.SYS_IO_SETUP, uintptr(n), uintptr(unsafe.Pointer(&q.context)), 0); no != 0 {
		q.context = 0 // too many are in use, or it is forbidden: leaves are read one by one
	}
	return q
}

// close waits for what is on its way.
func (q *queue) close() {
	if q.context != 0 {
		_, _, _ = syscall.Syscall(syscall.SYS_IO_DESTROY, q.context, 0, 0)
		q.context = 0
	}
}

// read reads what can be read so, and marks it done.
func (q *queue) read(leaves []LeafRead) {
	if q.context == 0 || len(leaves) > len(q.requests) {
		return
	}
	n := 0
	for i := range leaves {
		l := &leaves[i]
		if len(l.Into) < proof.LeafSize {
			continue // the system would write beyond it
		}
		fd, err := openPastCache(l.Disk.path(l.Unit))
		if err != nil {
			continue // alone it will be told why, or read through the cache
		}
		q.files[n] = fd
		q.requests[n] = request{
			index: uint64(i), file: uint32(fd), address: uint64(uintptr(unsafe.Pointer(&l.Into[0]))),
			length: proof.LeafSize, offset: int64(l.Leaf) * proof.LeafSize,
		}
		q.order[n] = &q.requests[n]
		n++
	}
	q.wait(leaves, q.submit(n))
	for _, fd := range q.files[:n] {
		_ = syscall.Close(fd) // nothing was written
	}
	runtime.KeepAlive(leaves)
}

// submit hands over the first n requests, and returns how many the system has taken.
func (q *queue) submit(n int) (taken int) {
	for taken < n {
		k, _, no := syscall.Syscall(syscall.SYS_IO_SUBMIT, q.context, uintptr(n-taken), uintptr(unsafe.Pointer(&q.order[taken])))
		if no == syscall.EINTR {
			continue
		}
		if no != 0 || k == 0 {
			break // the next one cannot be read so, or there is no room
		}
		taken += int(k)
	}
	return taken
}

// wait waits for all that was submitted: until then the memory is the system's.
func (q *queue) wait(leaves []LeafRead, submitted int) {
	for submitted > 0 {
		k, _, no := syscall.Syscall6(syscall.SYS_IO_GETEVENTS, q.context, uintptr(submitted), uintptr(submitted), uintptr(unsafe.Pointer(&q.events[0])), 0, 0)
		if no == syscall.EINTR {
			continue
		}
		if no != 0 {
			q.close() // cannot be; but it waits, too
			return
		}
		for _, e := range q.events[:k] {
			// One that failed or came short is read once more, alone, and so are its errors told.
			leaves[e.index].done = e.result == proof.LeafSize
		}
		submitted -= int(k)
	}
}
