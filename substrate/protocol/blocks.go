package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// BlockFields says which parts of blocks a request asks for.
type BlockFields uint32

// The parts of blocks; the values are wire bits.
const (
	FieldHeader        BlockFields = 1 << 24
	FieldBody          BlockFields = 1 << 25
	FieldJustification BlockFields = 1 << 28
)

// Direction says which way a block request walks from its first block.
type Direction uint8

// The directions; the values are wire tags.
const (
	Ascending  Direction = 0 // to higher numbers, on the best chain
	Descending Direction = 1 // to the parents
)

const (
	// MaxBlocks is the most blocks that one response carries.
	MaxBlocks = 128
	// MaxExtrinsics is the most extrinsics in all blocks of a response: it bounds
	// what many tiny ones cost to hold.
	MaxExtrinsics = 1 << 18
)

// BlockRequest asks for consecutive blocks (sync/2).
type BlockRequest struct {
	Fields BlockFields
	// FromHash is the first block; if it is zero, FromNumber is.
	FromHash   types.Hash
	FromNumber types.BlockNumber
	Direction  Direction
	Max        uint32 // blocks; 0 means MaxBlocks
}

// Append appends the request's encoding.
func (r *BlockRequest) Append(dst []byte) []byte {
	dst = appendUint(dst, 1, uint64(r.Fields))
	if r.FromHash != (types.Hash{}) {
		dst = appendBytes(dst, 2, r.FromHash[:])
	} else {
		var number [4]byte
		binary.LittleEndian.PutUint32(number[:], uint32(r.FromNumber))
		dst = appendBytes(dst, 3, number[:])
	}
	dst = appendUint(dst, 5, uint64(r.Direction))
	dst = appendUint(dst, 6, uint64(r.Max))
	return appendBool(dst, 7, true) // justifications of several engines are understood
}

// DecodeBlockRequest reads a request. A Max beyond MaxBlocks becomes MaxBlocks.
func DecodeBlockRequest(b []byte) (r BlockRequest, err error) {
	if err := within("a block request", b, MaxRequestBytes); err != nil {
		return r, err
	}
	from := false
	err = fields(b, func(x field) error {
		switch {
		case x.isVarint(1):
			r.Fields = BlockFields(x.value)
		case x.is(2):
			from, r.FromNumber = true, 0
			return x.hash(&r.FromHash)
		case x.is(3):
			if len(x.bytes) != 4 {
				return fmt.Errorf("a block number of %d bytes", len(x.bytes))
			}
			from, r.FromHash = true, types.Hash{}
			r.FromNumber = types.BlockNumber(binary.LittleEndian.Uint32(x.bytes))
		case x.isVarint(5):
			if x.value > uint64(Descending) {
				return fmt.Errorf("unknown direction %d", x.value)
			}
			r.Direction = Direction(x.value)
		case x.isVarint(6):
			r.Max = uint32(min(x.value, MaxBlocks))
		}
		return nil
	})
	if err == nil && !from {
		err = errors.New("a block request without a first block")
	}
	return r, err
}

// BlockData is one block of a response, with the parts that were asked for and
// that the sender has.
type BlockData struct {
	Hash           types.Hash
	Header         *types.Header // nil if not asked for
	Body           []types.Extrinsic
	HasBody        bool // tells an empty body from none
	Justifications types.Justifications
}

// BlockResponse is the answer to a BlockRequest. No blocks means that the sender
// has not even the first one.
type BlockResponse struct {
	Blocks []BlockData
}

// Append appends the response's encoding.
func (r *BlockResponse) Append(dst []byte) []byte {
	for i := range r.Blocks {
		dst = r.Blocks[i].Append(dst)
	}
	return dst
}

// Append appends the block as a part of a response: a response is its blocks, one
// after the other, so that a server can stop when there are bytes enough.
func (d *BlockData) Append(dst []byte) []byte {
	var buf [1024]byte
	header := buf[:0]
	if d.Header != nil {
		header = d.Header.AppendSCALE(header)
	}
	var just []byte
	if len(d.Justifications) > 0 {
		just = d.Justifications.AppendSCALE(nil)
	}
	size := sizeBytes(1, len(d.Hash))
	if len(header) > 0 {
		size += sizeBytes(2, len(header))
	}
	for _, x := range d.Body {
		size += sizeBytes(3, len(x))
	}
	if len(just) > 0 {
		size += sizeBytes(8, len(just))
	}
	dst = appendMessage(dst, 1, size)
	dst = appendBytes(dst, 1, d.Hash[:])
	dst = appendSet(dst, 2, header)
	for _, x := range d.Body {
		dst = appendBytes(dst, 3, x)
	}
	return appendSet(dst, 8, just)
}

// DecodeBlockResponse reads the answer to a request, of which it takes the fields
// and the number of blocks: the wire does not tell an empty body from none.
// Extrinsics alias b. That the blocks are those asked for is left to check.
func DecodeBlockResponse(b []byte, req *BlockRequest) (r BlockResponse, err error) {
	if err := within("a block response", b, MaxResponseBytes); err != nil {
		return r, err
	}
	most := MaxBlocks
	if req.Max > 0 {
		most = min(most, int(req.Max))
	}
	left := MaxExtrinsics
	err = fields(b, func(x field) error {
		if !x.is(1) {
			return nil
		}
		if len(r.Blocks) == most {
			return fmt.Errorf("more than the %d blocks that were asked for", most)
		}
		d := BlockData{HasBody: req.Fields&FieldBody != 0}
		if err := d.decode(x.bytes, &left); err != nil {
			return fmt.Errorf("block %d of a response: %w", len(r.Blocks), err)
		}
		r.Blocks = append(r.Blocks, d)
		return nil
	})
	if err != nil {
		return BlockResponse{}, err
	}
	return r, nil
}

// decode reads a block; left is how many extrinsics the response may still have.
func (d *BlockData) decode(b []byte, left *int) error {
	var old, just []byte // the justification of GRANDPA alone, and those of all engines
	var hasHash, emptyOld bool
	count := 0
	err := fields(b, func(x field) error {
		switch {
		case x.is(1):
			hasHash = true
			return x.hash(&d.Hash)
		case x.is(2):
			if len(x.bytes) == 0 {
				return nil // as other implementations write "none"
			}
			d.Header = new(types.Header)
			return scale.Decode(x.bytes, d.Header)
		case x.is(3):
			count++
		case x.is(6):
			old = x.bytes
		case x.isVarint(7):
			emptyOld = x.value != 0
		case x.is(8):
			just = x.bytes
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !hasHash:
		return errors.New("it has no hash")
	case count > *left:
		return fmt.Errorf("the response has more than %d extrinsics", MaxExtrinsics)
	}
	*left -= count
	if count > 0 && d.HasBody {
		d.Body = make([]types.Extrinsic, 0, count)
		_ = fields(b, func(x field) error { // read without an error above
			if x.is(3) {
				d.Body = append(d.Body, x.bytes)
			}
			return nil
		})
	}
	switch {
	case len(just) > 0:
		return scale.Decode(just, &d.Justifications)
	case len(old) > 0 || emptyOld:
		d.Justifications = types.Justifications{{Engine: types.EngineGRANDPA, Data: append([]byte(nil), old...)}}
	}
	return nil
}
