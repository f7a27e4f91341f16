package blockfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Version is the version of the format.
const Version = 1

// Limits of a record.
const (
	MaxJustificationBytes = 16 << 20
	MaxRecordBytes        = types.MaxBlockBytes + MaxJustificationBytes + 16
)

var magic = [8]byte{'C', 'R', 'U', 'S', 'T', 'B', 'L', 'K'}

// headerSize is the length of what comes before the records.
const headerSize = len(magic) + 4 + 32

// Errors of files.
var (
	// ErrFormat says that the file is no file of blocks, or a damaged one.
	ErrFormat = errors.New("not a file of blocks")
	// ErrTruncated says that the file ends before its end mark.
	ErrTruncated = errors.New("the file of blocks is cut off")
)

// Record is a block and its GRANDPA justification, nil if it has none.
type Record struct {
	Block         types.Block
	Justification []byte
}

// Writer writes a file of blocks.
type Writer struct {
	w     *bufio.Writer
	buf   []byte
	count uint64
	last  types.BlockNumber
}

// NewWriter begins a file of the chain with that genesis.
func NewWriter(w io.Writer, genesis types.Hash) (*Writer, error) {
	out := &Writer{w: bufio.NewWriterSize(w, 1<<18)}
	head := binary.LittleEndian.AppendUint32(magic[:], Version)
	_, err := out.w.Write(append(head, genesis[:]...))
	return out, err
}

// Write appends a block, the one after that of the last call.
func (w *Writer) Write(b *types.Block, justification []byte) error {
	if w.count > 0 && b.Header.Number != w.last+1 {
		return fmt.Errorf("block %d cannot follow block %d", b.Header.Number, w.last)
	}
	w.buf = b.AppendSCALE(append(w.buf[:0], 0, 0, 0, 0))
	size := len(w.buf) - 4
	if justification == nil {
		w.buf = append(w.buf, 0)
	} else {
		w.buf = scale.AppendBytes(append(w.buf, 1), justification)
	}
	if size > types.MaxBlockBytes || len(justification) > MaxJustificationBytes {
		return fmt.Errorf("block %d has %d bytes and a justification of %d: no reader would take them", b.Header.Number, size, len(justification))
	}
	binary.LittleEndian.PutUint32(w.buf, uint32(len(w.buf)-4))
	w.count, w.last = w.count+1, b.Header.Number
	_, err := w.w.Write(w.buf)
	return err
}

// Close writes the end mark and what is buffered. It does not close the file.
func (w *Writer) Close() error {
	end := binary.LittleEndian.AppendUint64(make([]byte, 4, 12), w.count)
	if _, err := w.w.Write(end); err != nil {
		return err
	}
	return w.w.Flush()
}

// Reader reads a file of blocks.
type Reader struct {
	r       *bufio.Reader
	genesis types.Hash
	offset  int64
	count   uint64
	last    types.BlockNumber
	done    bool
}

// NewReader reads the beginning of a file.
func NewReader(r io.Reader) (*Reader, error) {
	in := &Reader{r: bufio.NewReaderSize(r, 1<<18)}
	var head [headerSize]byte
	if _, err := io.ReadFull(in.r, head[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: it is too short", ErrFormat)
		}
		return nil, err
	}
	if !bytes.Equal(head[:len(magic)], magic[:]) {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrFormat, magic)
	}
	if v := binary.LittleEndian.Uint32(head[len(magic):]); v != Version {
		return nil, fmt.Errorf("%w: version %d, this program reads %d", ErrFormat, v, Version)
	}
	copy(in.genesis[:], head[len(magic)+4:])
	in.offset = int64(len(head))
	return in, nil
}

// Genesis is the hash of block 0 of the chain.
func (r *Reader) Genesis() types.Hash { return r.genesis }

// Offset is how many bytes of the file are read.
func (r *Reader) Offset() int64 { return r.offset }

// Next returns the next record, whose memory is the caller's, or io.EOF after
// the end mark. Other errors are ErrTruncated, ErrFormat, or of the file.
func (r *Reader) Next() (*Record, error) {
	if r.done {
		return nil, io.EOF
	}
	prefix, err := r.read(4)
	if err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(prefix))
	switch {
	case n == 0:
		return nil, r.end()
	case n > MaxRecordBytes:
		return nil, fmt.Errorf("%w: a record of %d bytes at byte %d", ErrFormat, n, r.offset-4)
	}
	raw, err := r.read(n)
	if err != nil {
		return nil, err
	}
	rec, err := decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: record at byte %d: %w", ErrFormat, r.offset-n, err)
	}
	number := rec.Block.Header.Number
	if r.count > 0 && (number == 0 || number-1 != r.last) {
		return nil, fmt.Errorf("%w: block %d follows block %d at byte %d", ErrFormat, number, r.last, r.offset-n)
	}
	r.count, r.last = r.count+1, number
	return rec, nil
}

// decode reads a record.
func decode(raw []byte) (*Record, error) {
	rec := &Record{}
	c := scale.NewCursor(raw)
	rec.Block.DecodeSCALE(c)
	if c.Err() == nil && c.Offset() > types.MaxBlockBytes {
		return nil, fmt.Errorf("a block of %d bytes", c.Offset())
	}
	if c.Bool() {
		rec.Justification = c.BytesRef(MaxJustificationBytes)
	}
	return rec, c.Finish()
}

// read reads n bytes. Memory grows with what is really there.
func (r *Reader) read(n int64) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(int(min(n, 1<<16)))
	got, err := io.CopyN(&buf, r.r, n)
	r.offset += got
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w after %d blocks, at byte %d", ErrTruncated, r.count, r.offset)
	}
	return buf.Bytes(), err
}

// end reads the end mark and makes sure that nothing follows.
func (r *Reader) end() error {
	b, err := r.read(8)
	if err != nil {
		return err
	}
	if n := binary.LittleEndian.Uint64(b); n != r.count {
		return fmt.Errorf("%w: it has %d blocks, its end says %d", ErrFormat, r.count, n)
	}
	if _, err := r.r.ReadByte(); err == nil {
		return fmt.Errorf("%w: bytes follow its end", ErrFormat)
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	r.done = true
	return io.EOF
}
