package enclave

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/crustgo/crust/mpow/trusted"
)

// readStep is how much memory a frame gets before more of it has come.
const readStep = 4 << 20

// errFrame reports a length that no frame has.
var errFrame = errors.New("enclave: a frame that is too long or empty")

// readFrame reads a body into buf, which grows as bytes come: a length alone takes
// no memory.
func readFrame(r io.Reader, buf []byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return buf, err
	}
	n := int(binary.LittleEndian.Uint32(head[:]))
	if n == 0 || n > trusted.MaxFrame {
		return buf, fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	buf = buf[:0]
	for len(buf) < n {
		at, step := len(buf), min(n-len(buf), readStep)
		if cap(buf) < at+step {
			grown := make([]byte, at, max(at+step, min(2*cap(buf), n)))
			copy(grown, buf)
			buf = grown
		}
		buf = buf[:at+step]
		if _, err := io.ReadFull(r, buf[at:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return buf, err
		}
	}
	return buf, nil
}

// writeFrame writes what was encoded behind headSize bytes of room.
func writeFrame(w io.Writer, framed []byte) error {
	n := len(framed) - headSize
	if n > trusted.MaxFrame {
		return fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	binary.LittleEndian.PutUint32(framed, uint32(n))
	_, err := w.Write(framed)
	return err
}

// headSize is the length of a frame's length.
const headSize = 4
