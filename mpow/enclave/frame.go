package enclave

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/crustgo/crust/mpow/trusted"
)

// readStep is how much memory a frame gets before more of it has come.
const readStep = 4 << 20

// errFrame reports a length that no frame has.
var errFrame = errors.New("enclave: a frame that is too long or empty")

// headSize is the length of a frame's length.
const headSize = 4

// inMemory in a frame's length says that the body lies in the shared memory. Without a length
// it asks for that memory.
const inMemory = 1 << 31

// readHead reads the length of a body, and where it is.
func readHead(r io.Reader) (n int, shared bool, err error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, false, err
	}
	h := binary.LittleEndian.Uint32(head[:])
	return int(h &^ inMemory), h&inMemory != 0, nil
}

// readBody reads a body of n bytes into buf, which grows as bytes come: a length alone takes
// no memory.
func readBody(r io.Reader, n int, buf []byte) ([]byte, error) {
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

// writeHead says that a body of n bytes lies in the shared memory.
func writeHead(w io.Writer, n int) error {
	_, err := w.Write(binary.LittleEndian.AppendUint32(nil, uint32(n)|inMemory))
	return err
}

// writeFrame sends a body through the socket.
func writeFrame(w io.Writer, body []byte) error {
	if len(body) > trusted.MaxFrame {
		return fmt.Errorf("%w: %d bytes", errFrame, len(body))
	}
	frame := net.Buffers{binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body}
	_, err := frame.WriteTo(w)
	return err
}
