package protocol

import (
	"fmt"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Announce tells peers of a block (block-announces/1).
type Announce struct {
	Header types.Header
	Best   bool // the sender's best block
}

// maxAnnounceData bounds the data that other chains attach to announcements; this
// one attaches none.
const maxAnnounceData = 4 << 10

// Append appends the announcement's encoding.
func (a *Announce) Append(dst []byte) []byte {
	dst = scale.AppendBool(a.Header.AppendSCALE(dst), a.Best)
	return append(dst, 0) // no data
}

// DecodeAnnounce reads an announcement.
func DecodeAnnounce(b []byte) (a Announce, err error) {
	if err := within("an announcement", b, MaxNotificationBytes); err != nil {
		return a, err
	}
	c := scale.NewCursor(b)
	a.Header.DecodeSCALE(c)
	a.Best = c.Bool()
	c.BytesRef(maxAnnounceData)
	if err := c.Finish(); err != nil {
		return Announce{}, fmt.Errorf("announcement: %w", err)
	}
	return a, nil
}

// Status is the handshake of block-announces/1.
type Status struct {
	Role       types.Role
	BestNumber types.BlockNumber
	BestHash   types.Hash
	Genesis    types.Hash
}

// Append appends the handshake's encoding.
func (s *Status) Append(dst []byte) []byte {
	dst = scale.AppendU32(append(dst, byte(s.Role)), uint32(s.BestNumber))
	return append(append(dst, s.BestHash[:]...), s.Genesis[:]...)
}

// DecodeStatus reads a handshake, whose role must be one that is known.
func DecodeStatus(b []byte) (s Status, err error) {
	c := scale.NewCursor(b)
	s.Role = types.Role(c.U8())
	s.BestNumber = types.BlockNumber(c.U32())
	c.Fixed(s.BestHash[:])
	c.Fixed(s.Genesis[:])
	switch s.Role {
	case types.RoleFull, types.RoleLight, types.RoleAuthority:
	default:
		c.Fail(fmt.Errorf("unknown role %d", s.Role))
	}
	if err := c.Finish(); err != nil {
		return Status{}, fmt.Errorf("status: %w", err)
	}
	return s, nil
}

// MaxTransactions is the most transactions that one message carries.
const MaxTransactions = 8192

// AppendTransactions appends a message of transactions/1.
func AppendTransactions(dst []byte, xts []types.Extrinsic) []byte { return types.AppendBody(dst, xts) }

// DecodeTransactions reads a message of transactions/1; the extrinsics alias b.
func DecodeTransactions(b []byte) ([]types.Extrinsic, error) {
	if err := within("a message of transactions", b, MaxNotificationBytes); err != nil {
		return nil, err
	}
	if n := scale.NewCursor(b).Compact(); n > MaxTransactions {
		return nil, fmt.Errorf("%d transactions in a message", n)
	}
	c := scale.NewCursor(b)
	xts := types.DecodeBody(c)
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("transactions: %w", err)
	}
	return xts, nil
}

// DecodeWarpRequest reads a request of sync/warp, which is a block's hash: the
// proof begins behind that block. Package grandpa makes the answer.
func DecodeWarpRequest(b []byte) (types.Hash, error) {
	if len(b) != len(types.Hash{}) {
		return types.Hash{}, fmt.Errorf("a warp request of %d bytes", len(b))
	}
	return types.Hash(b), nil
}
