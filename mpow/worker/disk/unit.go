package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"unsafe"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// hashSize is the length of a hash in a unit's rows.
const hashSize = len(proof.Hash{})

// rowsLen is how many hashes the tree of a unit of n leaves has.
func rowsLen(n uint32) int {
	total := int(n)
	for n > 1 {
		n = (n + 1) / 2
		total += int(n)
	}
	return total
}

// FileSize is how many bytes the file of a unit has: its leaves and the rows of its
// tree.
func FileSize(leaves uint32) uint64 {
	return uint64(leaves)*proof.LeafSize + uint64(rowsLen(leaves)*hashSize)
}

// Writer is a unit that is being written. It belongs to one goroutine.
type Writer struct {
	d      *Disk
	no     uint64
	f      *os.File
	limit  uint32     // leaves
	end    uint64     // bytes that were appended
	buf    []byte     // the last of them, which are not on their way yet
	full   chan piece // on their way
	done   chan piece // written, or not: memory for the next; it has room for all that there are
	writes *lifecycle.Group
	hashes []proof.Hash // of complete leaves
	err    error        // of an Append that failed: the unit is of no use
}

// writeStep is how many bytes are written at a time, past the system's cache: what is sealed is
// not soon read, and its way through the cache can take more of the processor than sealing it.
const writeStep = 1 << 20

// onTheirWay is how many steps may wait for the disk while the next is gathered.
const onTheirWay = 3

// steps are memory for them, used for one unit after the other.
var steps = sync.Pool{New: func() any { return new(aligned(writeStep)) }}

// piece is some bytes of a unit, and what became of them.
type piece struct {
	at  uint64
	b   []byte
	err error
}

// align is of what offsets, lengths and addresses are multiples where bytes go past the cache.
const align = 4096

// up is the next multiple of it.
func up(n uint64) uint64 { return (n + align - 1) &^ (align - 1) }

// aligned makes room for some bytes at such an address.
func aligned(size int) []byte {
	b := make([]byte, size+align)
	skip := -uintptr(unsafe.Pointer(&b[0])) & (align - 1)
	end := skip + uintptr(size)
	return b[skip:end:end]
}

// Create begins a unit of at most some number of leaves, for which space is set
// aside. A number is used once.
func (d *Disk) Create(no uint64, leaves uint32) (*Writer, error) {
	size := FileSize(leaves)
	if free := d.Free(); free < size {
		d.mu.Lock()
		failed := d.failed
		d.mu.Unlock()
		if failed != nil {
			return nil, failed
		}
		return nil, &Error{Dir: d.dir, Do: "beginning a unit", Kind: ErrFull, Err: fmt.Errorf("%d bytes are free, a unit takes %d", free, size)}
	}
	path := d.path(no)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, d.giveUp(d.fail("beginning a unit", err, ErrWrite))
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, d.giveUp(d.fail("beginning a unit", err, ErrWrite))
	}
	if err := preallocate(f, int64(size)); err != nil {
		f.Close()
		os.Remove(path)
		return nil, d.giveUp(d.fail("beginning a unit", err, ErrWrite))
	}
	pastCache(f, true)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used += size
	d.open[no] = true
	full := make(chan piece, onTheirWay)
	w := &Writer{d: d, no: no, f: f, limit: leaves, buf: (*steps.Get().(*[]byte))[:0], hashes: make([]proof.Hash, 0, leaves),
		full: full, done: make(chan piece, onTheirWay+1), writes: lifecycle.NewGroup(context.Background(), 0)}
	for range onTheirWay {
		w.done <- piece{b: *steps.Get().(*[]byte)}
	}
	w.writes.Go(fmt.Sprintf("writing unit %d", no), func(context.Context) error { w.write(full); return nil })
	return w, nil
}

// Number is that of the unit.
func (w *Writer) Number() uint64 { return w.no }

// Disk is the one that the unit lies on.
func (w *Writer) Disk() *Disk { return w.d }

// Append writes the next bytes, which begin at some offset, and keeps the hashes of
// the leaves that are complete with them. After an error the unit has to be discarded.
func (w *Writer) Append(offset uint64, b []byte, hashes []proof.Hash) error {
	if w.err != nil {
		return w.err
	}
	if w.full == nil {
		return fmt.Errorf("disk %s: unit %d is complete", w.d.dir, w.no)
	}
	if offset != w.end || offset+uint64(len(b)) > uint64(w.limit)*proof.LeafSize || len(w.hashes)+len(hashes) > int(w.limit) {
		return fmt.Errorf("disk %s: %d bytes at %d of unit %d, which has %d of at most %d", w.d.dir, len(b), offset, w.no, w.end, uint64(w.limit)*proof.LeafSize)
	}
	w.hashes = append(w.hashes, hashes...)
	return w.append(b)
}

// append gathers bytes, and sends what makes a step on its way.
func (w *Writer) append(b []byte) error {
	for len(b) > 0 {
		n := copy(w.buf[len(w.buf):cap(w.buf)], b)
		w.buf, b, w.end = w.buf[:len(w.buf)+n], b[n:], w.end+uint64(n)
		if len(w.buf) == cap(w.buf) {
			if err := w.send(); err != nil {
				return err
			}
		}
	}
	return nil
}

// send sends what was gathered on its way, with zeros up to what can be written. The error is that
// of an earlier piece.
func (w *Writer) send() error {
	n := uint64(len(w.buf))
	b := w.buf[:up(n)]
	clear(b[n:])
	w.full <- piece{at: w.end - n, b: b}
	return w.take()
}

// take takes a piece that is written.
func (w *Writer) take() error {
	p := <-w.done
	w.buf = p.b[:0]
	if p.err != nil {
		w.err = w.d.giveUp(w.d.fail(fmt.Sprintf("writing unit %d", w.no), p.err, ErrWrite))
	}
	return w.err
}

// write writes pieces until there are no more.
func (w *Writer) write(full <-chan piece) {
	for p := range full {
		_, p.err = w.f.WriteAt(p.b, int64(p.at))
		if errors.Is(p.err, syscall.EINVAL) { // a file system that wants more than we align to
			pastCache(w.f, false)
			_, p.err = w.f.WriteAt(p.b, int64(p.at))
		}
		w.done <- p
	}
}

// wait waits for what is on its way.
func (w *Writer) wait() error {
	if w.full == nil {
		return w.err
	}
	close(w.full)
	w.full = nil
	if err := w.writes.Wait(); err != nil {
		return err
	}
	var err error
	for b := w.buf; ; b = w.buf {
		steps.Put(&b)
		if len(w.done) == 0 {
			break
		}
		err = w.take()
	}
	w.buf = nil
	return err
}

// Close completes the unit with the rows of its tree, and returns once all of it, its
// name included, is durable. Root is what the tree has to have: another one means that what was
// written is not what the enclave made.
func (w *Writer) Close(root proof.Hash) error {
	if err := w.close(root); err != nil {
		w.Discard()
		return err
	}
	d := w.d
	size := FileSize(uint32(len(w.hashes)))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used -= FileSize(w.limit) - size
	d.files[w.no] = size
	delete(d.open, w.no)
	return nil
}

func (w *Writer) close(root proof.Hash) error {
	if w.err != nil {
		return w.err
	}
	n := len(w.hashes)
	if n == 0 || w.end != uint64(n)*proof.LeafSize {
		return fmt.Errorf("disk %s: unit %d of %d bytes has %d hashes of leaves", w.d.dir, w.no, w.end, n)
	}
	rows := proof.UnitRows(w.hashes)
	if rows[len(rows)-1] != root {
		return fmt.Errorf("disk %s: unit %d does not have the root that the enclave says", w.d.dir, w.no)
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&rows[0])), len(rows)*hashSize) // arrays of bytes, one after the other
	do := fmt.Sprintf("completing unit %d", w.no)
	if err := w.append(b); err != nil {
		return err
	}
	if err := w.send(); err != nil {
		return err
	}
	if err := w.wait(); err != nil {
		return err
	}
	if err := w.f.Truncate(int64(FileSize(uint32(n)))); err != nil {
		return w.d.giveUp(w.d.fail(do, err, ErrWrite))
	}
	if err := datasync(w.f); err != nil {
		return w.d.giveUp(w.d.fail(do, err, ErrWrite))
	}
	f := w.f
	w.f = nil
	if err := f.Close(); err != nil {
		return w.d.giveUp(w.d.fail(do, err, ErrWrite))
	}
	if err := syncDir(filepath.Dir(w.d.path(w.no))); err != nil {
		return w.d.giveUp(w.d.fail(do, err, ErrWrite))
	}
	return nil
}

// Discard gives the unit up and deletes it.
func (w *Writer) Discard() {
	if w.f != nil {
		_ = w.wait() // the unit is of no use anyway
		w.f.Close()
		w.f = nil
	}
	if w.err == nil {
		w.err = errors.New("disk: the unit was discarded")
	}
	d := w.d
	err := os.Remove(d.path(w.no)) // if that fails, the next Sweep tries again
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.open[w.no] {
		return
	}
	delete(d.open, w.no)
	d.used -= FileSize(w.limit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.files[w.no] = FileSize(w.limit)
		d.used += FileSize(w.limit)
	}
}

// read opens a unit and reads from it.
func (d *Disk) read(no uint64, from func(f *os.File) error) error {
	f, err := os.Open(d.path(no))
	if err == nil {
		err = from(f)
		f.Close()
	}
	if err != nil {
		return d.failRead(no, err)
	}
	return nil
}

// ReadAt fills b with the bytes of a unit from some offset on.
func (d *Disk) ReadAt(no uint64, b []byte, offset uint64) error {
	return d.read(no, func(f *os.File) error {
		_, err := f.ReadAt(b, int64(offset))
		return err
	})
}

// Leaves makes room for some leaves, of which ReadLeaf fills one at a time: at addresses where the
// disk can put them.
func Leaves(n int) []byte { return aligned(n * proof.LeafSize) }

// ReadLeaf fills b, which has the size of a leaf and is best made by Leaves, with leaf i of a unit.
// It reads past the system's cache: what a slot asks for once is not soon asked for again.
func (d *Disk) ReadLeaf(no uint64, i uint32, b []byte) error {
	err := readPastCache(d.path(no), b[:proof.LeafSize], int64(i)*proof.LeafSize)
	if errors.Is(err, syscall.EINVAL) { // a file system that cannot, or b lies elsewhere
		return d.ReadAt(no, b[:proof.LeafSize], uint64(i)*proof.LeafSize)
	}
	if err != nil {
		return d.failRead(no, err)
	}
	return nil
}

func (d *Disk) failRead(no uint64, err error) error {
	return d.fail(fmt.Sprintf("reading unit %d", no), err, ErrRead)
}

// Path reads the path of leaf i in a unit of some number of leaves.
func (d *Disk) Path(no uint64, i, leaves uint32) ([]proof.Hash, error) {
	at := proof.UnitPath(i, leaves)
	path := make([]proof.Hash, len(at))
	base := uint64(leaves) * proof.LeafSize
	return path, d.read(no, func(f *os.File) error {
		for k, row := range at {
			if _, err := f.ReadAt(path[k][:], int64(base+uint64(row*hashSize))); err != nil {
				return err
			}
		}
		return nil
	})
}
