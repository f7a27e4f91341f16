package index

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/crustgo/crust/mpow/proof"
)

// A copy has lines of the index, so that an index that is lost can be made again: magic,
// the worker's lineage, the age; then lines, each with the lengths of key and value in front;
// then an empty key, and the SHA-256 of all before it.
const (
	copyMagic  = "crust index 1\n"
	copyHeader = len(copyMagic) + len(proof.Lineage{}) + 4
	maxKey     = 1 << 10
	maxValue   = 64 << 20
)

// ErrCopy reports bytes that are no whole copy of this worker's index.
var ErrCopy = errors.New("index: not a whole copy of this worker's index")

// copier writes a copy.
type copier struct {
	w   *bufio.Writer
	sum hash.Hash
	err error
}

func newCopier(w io.Writer, worker proof.Lineage, age uint32) *copier {
	c := &copier{w: bufio.NewWriter(w), sum: sha256.New()}
	c.put(binary.LittleEndian.AppendUint32(append([]byte(copyMagic), worker[:]...), age))
	return c
}

func (c *copier) put(b []byte) {
	if c.err == nil {
		c.sum.Write(b)
		_, c.err = c.w.Write(b)
	}
}

func (c *copier) line(key, value []byte) {
	c.put(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(len(key))), uint32(len(value))))
	c.put(key)
	c.put(value)
}

func (c *copier) close() error {
	c.put(make([]byte, 8))
	if c.err != nil {
		return c.err
	}
	if _, err := c.w.Write(c.sum.Sum(nil)); err != nil {
		return err
	}
	return c.w.Flush()
}

// CopyStep writes a copy of the step that leads to a counter and of the lines of units and
// files that come with it. Of two copies of one counter the one with the greater age holds.
func (x *DB) CopyStep(w io.Writer, worker proof.Lineage, age uint32, counter uint64, s *Step, units []*Unit, files []*File) error {
	c := newCopier(w, worker, age)
	c.line(numbered(keyStep, counter), s.appendSCALE(nil))
	for _, u := range units {
		c.line(numbered(keyUnit, u.Number), u.appendSCALE(nil))
	}
	for _, f := range files {
		c.line(fileKey(f.Entry.ID), f.appendSCALE(nil))
	}
	g, err := x.get([]byte{keyGroup})
	if err == nil {
		c.line([]byte{keyGroup}, g)
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	return c.close()
}

// CopySnapshot writes a copy of the snapshot of a counter, and of the lines of all units and files.
func (x *DB) CopySnapshot(w io.Writer, worker proof.Lineage, age uint32, counter uint64) error {
	c := newCopier(w, worker, age)
	for _, span := range [][2][]byte{
		{numbered(keySnapshot, counter), numbered(keySnapshot, counter+1)}, {{keyUnit}, {keyUnit + 1}}, {{keyFile}, {keyFile + 1}}, {{keyGroup}, {keyGroup + 1}},
	} {
		for e, err := range x.scan(span[0], span[1]) {
			if err != nil {
				return err
			}
			c.line(e.key, e.value)
		}
	}
	return c.close()
}

// CheckCopy reads a copy to its end and returns its age.
func CheckCopy(r io.Reader, worker proof.Lineage) (age uint32, err error) {
	return readCopy(r, worker, func([]byte, []byte) error { return nil })
}

// readCopy goes through the lines of a copy. Whether they are right is known at its end.
func readCopy(r io.Reader, worker proof.Lineage, each func(key, value []byte) error) (age uint32, err error) {
	sum := sha256.New()
	from := bufio.NewReader(r)
	in := io.TeeReader(from, sum)
	fail := func(what string) (uint32, error) { return 0, fmt.Errorf("%w: %s", ErrCopy, what) }
	head := make([]byte, copyHeader)
	if _, err := io.ReadFull(in, head); err != nil || string(head[:len(copyMagic)]) != copyMagic {
		return fail("no header")
	}
	if !bytes.Equal(head[len(copyMagic):copyHeader-4], worker[:]) {
		return fail("it belongs to another worker")
	}
	age = binary.LittleEndian.Uint32(head[copyHeader-4:])
	var lengths [8]byte
	var line bytes.Buffer
	for {
		if _, err := io.ReadFull(in, lengths[:]); err != nil {
			return fail("it has no end")
		}
		k, v := binary.LittleEndian.Uint32(lengths[:]), binary.LittleEndian.Uint32(lengths[4:])
		if k == 0 {
			break
		}
		if k > maxKey || v > maxValue {
			return fail("a line that is too long")
		}
		line.Reset()
		if n, _ := io.CopyN(&line, in, int64(k)+int64(v)); n != int64(k)+int64(v) {
			return fail("it has no end")
		}
		if err := each(line.Bytes()[:k], line.Bytes()[k:]); err != nil {
			return 0, err
		}
	}
	want := sum.Sum(nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(from, got); err != nil || !bytes.Equal(got, want) {
		return fail("its end is another")
	}
	return age, nil
}

// Paste puts the lines of a copy that CheckCopy found whole into the index.
func (x *DB) Paste(r io.Reader, worker proof.Lineage) error {
	b := x.Batch()
	_, err := readCopy(r, worker, func(key, value []byte) error {
		switch key[0] {
		case keyUnit, keyFile, keyStep, keySnapshot, keyGroup:
		default:
			return fmt.Errorf("%w: a line of kind %q", ErrCopy, key[0])
		}
		must(b.b.Set(key, value, nil))
		if b.b.Len() < pasteSize {
			return nil
		}
		err := b.Flush()
		b = x.Batch()
		return err
	})
	if err != nil {
		return err
	}
	return b.Flush()
}

// pasteSize is after how many bytes lines are handed to the database.
const pasteSize = 4 << 20

// Steps goes through the counters of which there are steps, upwards.
func (x *DB) Steps() (counters []uint64, err error) {
	for e, err := range x.scan([]byte{keyStep}, []byte{keyStep + 1}) {
		if err != nil {
			return nil, err
		}
		counters = append(counters, number(e.key))
	}
	return counters, nil
}

// DropUnit removes the line of a unit, without those of the blocks in it.
func (b *Batch) DropUnit(no uint64) { must(b.b.Delete(numbered(keyUnit, no), nil)) }

// DropFile removes the line of a file, without those of its blocks.
func (b *Batch) DropFile(id proof.FileID) { must(b.b.Delete(fileKey(id), nil)) }
