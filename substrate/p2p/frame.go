package p2p

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// oversizedError says that a frame is longer than its protocol allows.
type oversizedError struct{ size, limit uint64 }

func (e *oversizedError) Error() string {
	return fmt.Sprintf("a frame of %d bytes where at most %d are allowed", e.size, e.limit)
}

var errVarint = errors.New("a frame's length is no varint")

// firstRead is how much memory the mere announcement of a long frame gets; the
// rest follows as bytes arrive.
const firstRead = 1 << 20

// readFrame reads a varint length and as many bytes, at most limit.
func readFrame(r *bufio.Reader, limit int) ([]byte, error) {
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
				return nil, errVarint // not minimal
			}
			break
		}
		if shift >= 28 {
			return nil, errVarint // 2³⁵ is beyond any limit
		}
	}
	if n > uint64(limit) {
		return nil, &oversizedError{n, uint64(limit)}
	}
	msg := make([]byte, min(int(n), firstRead))
	for read := 0; ; {
		if _, err := io.ReadFull(r, msg[read:]); err != nil {
			return nil, noEOF(err)
		}
		if read = len(msg); read == int(n) {
			return msg, nil
		}
		grown := min(int(n), 4*read)
		msg = slices.Grow(msg, grown-read)[:grown]
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// writeFrame writes a length and the message; big messages are not copied by w.
func writeFrame(w *bufio.Writer, msg []byte) error {
	var length [binary.MaxVarintLen64]byte
	_, _ = w.Write(length[:binary.PutUvarint(length[:], uint64(len(msg)))]) // a failure is returned again
	_, err := w.Write(msg)
	return err
}
