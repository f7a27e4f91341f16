package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// OversizedError says that a frame is longer than its protocol allows.
type OversizedError struct{ Size, Limit uint64 }

// Error tells both sizes.
func (e *OversizedError) Error() string {
	return fmt.Sprintf("a frame of %d bytes where at most %d are allowed", e.Size, e.Limit)
}

// ErrLength says that a frame does not begin with a length.
var ErrLength = errors.New("a frame's length is no varint")

// firstRead is how much memory the mere announcement of a long frame gets; the
// rest follows as bytes arrive.
const firstRead = 1 << 20

// Read reads a varint length and as many bytes, at most limit.
func Read(r *bufio.Reader, limit int) ([]byte, error) {
	var n uint64
	for shift := 0; ; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			if shift > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if b == 0 && shift > 0 {
				return nil, ErrLength // not minimal
			}
			break
		}
		if shift >= 28 {
			return nil, ErrLength // 2³⁵ is beyond any limit
		}
	}
	if n > uint64(limit) {
		return nil, &OversizedError{n, uint64(limit)}
	}
	msg := make([]byte, min(int(n), firstRead))
	for read := 0; ; {
		if _, err := io.ReadFull(r, msg[read:]); err != nil {
			return nil, Broken(err)
		}
		if read = len(msg); read == int(n) {
			return msg, nil
		}
		grown := min(int(n), 4*read)
		msg = slices.Grow(msg, grown-read)[:grown]
	}
}

// Broken makes the end of a stream, where a frame was to come, an error of its own.
func Broken(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Write writes a length and the message; big messages are not copied by w.
func Write(w *bufio.Writer, msg []byte) error {
	var length [binary.MaxVarintLen64]byte
	_, _ = w.Write(length[:binary.PutUvarint(length[:], uint64(len(msg)))]) // a failure is returned again
	_, err := w.Write(msg)
	return err
}
