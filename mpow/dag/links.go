package dag

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrBlock reports a block that is not in the form of its codec.
var ErrBlock = errors.New("dag: malformed block")

// Links returns the links of a block in the order in which they stand there.
func Links(codec Codec, block []byte) ([]CID, error) {
	switch codec {
	case Raw:
		return nil, nil
	case DagPB:
		return pbLinks(block)
	case DagCBOR:
		return cborLinks(block)
	}
	return nil, fmt.Errorf("%w: codec %#x", ErrBlock, codec)
}

// pbField reads one field of a protobuf message that is not empty; wire type 0 gives
// no bytes.
func pbField(b []byte) (number, wire uint64, value, rest []byte, err error) {
	bad := fmt.Errorf("%w: protobuf ends early", ErrBlock)
	tag, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, 0, nil, nil, bad
	}
	b = b[n:]
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, 0, nil, nil, bad
	}
	b = b[n:]
	switch number, wire = tag>>3, tag&7; wire {
	case 0:
		return number, wire, nil, b, nil
	case 2:
		if v > uint64(len(b)) {
			return 0, 0, nil, nil, bad
		}
		return number, wire, b[:v], b[v:], nil
	}
	return 0, 0, nil, nil, fmt.Errorf("%w: protobuf wire type %d", ErrBlock, wire)
}

// pbLinks reads a PBNode: Links (2) in one run, Data (1) before or after them.
func pbLinks(b []byte) (links []CID, err error) {
	var data, run, ended bool // data was seen; links were seen; and data after them
	for len(b) > 0 {
		number, wire, value, rest, err := pbField(b)
		if err != nil {
			return nil, err
		}
		switch {
		case number == 1 && wire == 2 && !data:
			data, ended = true, run
		case number == 2 && wire == 2 && !ended:
			c, err := pbLink(value)
			if err != nil {
				return nil, err
			}
			links, run = append(links, c), true
		default:
			return nil, fmt.Errorf("%w: field %d of type %d in a node, or out of place", ErrBlock, number, wire)
		}
		b = rest
	}
	return links, nil
}

// pbLink reads a PBLink: Hash (1), Name (2), Tsize (3), in this order.
func pbLink(b []byte) (c CID, err error) {
	last := uint64(0)
	for len(b) > 0 {
		number, wire, value, rest, err := pbField(b)
		if err != nil {
			return CID{}, err
		}
		if ok := (number == 1 || number == 2) && wire == 2 || number == 3 && wire == 0; !ok || number <= last {
			return CID{}, fmt.Errorf("%w: field %d of type %d in a link, or out of place", ErrBlock, number, wire)
		}
		if number == 1 {
			if c, err = ParseCID(value); err != nil {
				return CID{}, err
			}
		}
		last, b = number, rest
	}
	if c.text == "" {
		return CID{}, fmt.Errorf("%w: a link without a hash", ErrBlock)
	}
	return c, nil
}
