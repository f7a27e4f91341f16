package protocol

import "github.com/crustgo/crust/substrate/types"

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

// MaxBlocks is the most blocks that one response carries.
const MaxBlocks = 128

// BlockRequest asks for consecutive blocks (sync/2).
type BlockRequest struct {
	Fields BlockFields
	// FromHash is the first block; if it is zero, FromNumber is.
	FromHash   types.Hash
	FromNumber types.BlockNumber
	Direction  Direction
	Max        uint32 // blocks; 0 means MaxBlocks
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

// Announce tells peers of a block (block-announces/1).
type Announce struct {
	Header types.Header
	Best   bool // the sender's best block
}

// Status is the handshake of block-announces/1.
type Status struct {
	Role       types.Role
	BestNumber types.BlockNumber
	BestHash   types.Hash
	Genesis    types.Hash
}
