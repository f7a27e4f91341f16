package dag

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a dag-cbor block.
const maxDepth = 128

// cborReader reads one block of dag-cbor in its strict form, for its links.
type cborReader struct {
	b     []byte
	links []CID
}

func cborLinks(b []byte) ([]CID, error) {
	r := cborReader{b: b}
	if err := r.item(0); err != nil {
		return nil, err
	}
	if len(r.b) > 0 {
		return nil, cborError("%d bytes after the item", len(r.b))
	}
	return r.links, nil
}

func cborError(format string, args ...any) error {
	return fmt.Errorf("%w: dag-cbor: "+format, append([]any{ErrBlock}, args...)...)
}

// head reads an item's major type and argument; arguments are in the shortest form,
// but for major type 7, whose forms mean different things.
func (r *cborReader) head() (major, short byte, arg uint64, err error) {
	if len(r.b) == 0 {
		return 0, 0, 0, cborError("ends early")
	}
	major, short = r.b[0]>>5, r.b[0]&31
	r.b = r.b[1:]
	if short < 24 {
		return major, short, uint64(short), nil
	}
	if short > 27 {
		return 0, 0, 0, cborError("an indefinite or reserved length")
	}
	n := 1 << (short - 24)
	if len(r.b) < n {
		return 0, 0, 0, cborError("ends early")
	}
	var wide [8]byte
	copy(wide[8-n:], r.b[:n])
	r.b = r.b[n:]
	arg = binary.BigEndian.Uint64(wide[:])
	least := [4]uint64{24, 1 << 8, 1 << 16, 1 << 32}[short-24]
	if major != 7 && arg < least {
		return 0, 0, 0, cborError("%d in %d bytes", arg, n)
	}
	return major, short, arg, nil
}

// take returns the next n bytes.
func (r *cborReader) take(n uint64) ([]byte, error) {
	if n > uint64(len(r.b)) {
		return nil, cborError("ends early")
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b, nil
}

func (r *cborReader) text(n uint64) (string, error) {
	b, err := r.take(n)
	if err == nil && !utf8.Valid(b) {
		err = cborError("a string that is not UTF-8")
	}
	return string(b), err
}

func (r *cborReader) item(depth int) error {
	if depth > maxDepth {
		return cborError("nested deeper than %d", maxDepth)
	}
	major, short, arg, err := r.head()
	if err != nil {
		return err
	}
	switch major {
	case 0, 1: // integers
	case 2:
		_, err = r.take(arg)
	case 3:
		_, err = r.text(arg)
	case 4:
		for ; arg > 0 && err == nil; arg-- { // every element takes a byte, so this ends
			err = r.item(depth + 1)
		}
	case 5:
		err = r.mapping(arg, depth+1)
	case 6:
		err = r.link(arg)
	case 7:
		f := math.Float64frombits(arg) //arch:allow float only to ask whether bits of a file are a finite number
		switch {
		case short == 27 && !math.IsNaN(f) && !math.IsInf(f, 0):
		case short >= 20 && short <= 22:
		default:
			err = cborError("a simple value or float that it does not have")
		}
	}
	return err
}

// mapping reads n pairs whose keys are strings, shorter ones first.
func (r *cborReader) mapping(n uint64, depth int) error {
	last := ""
	for i := uint64(0); i < n; i++ {
		major, _, arg, err := r.head()
		if err != nil {
			return err
		}
		if major != 3 {
			return cborError("a key that is no string")
		}
		key, err := r.text(arg)
		if err != nil {
			return err
		}
		if i > 0 && (len(key) < len(last) || len(key) == len(last) && key <= last) {
			return cborError("keys out of order")
		}
		if err := r.item(depth); err != nil {
			return err
		}
		last = key
	}
	return nil
}

// link reads what follows a tag.
func (r *cborReader) link(tag uint64) error {
	if tag != 42 {
		return cborError("tag %d", tag)
	}
	major, _, arg, err := r.head()
	if err != nil {
		return err
	}
	if major != 2 {
		return cborError("a link that is no byte string")
	}
	b, err := r.take(arg)
	if err != nil {
		return err
	}
	if len(b) == 0 || b[0] != 0 {
		return cborError("a link that does not begin with 0")
	}
	c, err := ParseCID(b[1:])
	r.links = append(r.links, c)
	return err
}
