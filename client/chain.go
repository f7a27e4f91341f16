package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// header is a header as nodes write it in JSON.
type header struct {
	ParentHash     types.Hash `json:"parentHash"`
	Number         hexNumber  `json:"number"`
	StateRoot      types.Hash `json:"stateRoot"`
	ExtrinsicsRoot types.Hash `json:"extrinsicsRoot"`
	Digest         struct {
		Logs []jsonrpc.Hex `json:"logs"`
	} `json:"digest"`
}

// hexNumber is a number that nodes write as 0x and hexadecimal digits without
// leading zeros; some write plain numbers.
type hexNumber uint64

// UnmarshalJSON reads either form.
func (n *hexNumber) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	v, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return fmt.Errorf("%.40q is not a number", text)
	}
	*n = hexNumber(v)
	return nil
}

func (h *header) decode() (*types.Header, error) {
	if h.Number > hexNumber(^types.BlockNumber(0)) {
		return nil, fmt.Errorf("block number %d exceeds 32 bits", h.Number)
	}
	out := &types.Header{ParentHash: h.ParentHash, Number: types.BlockNumber(h.Number), StateRoot: h.StateRoot, ExtrinsicsRoot: h.ExtrinsicsRoot}
	if len(h.Digest.Logs) > types.MaxDigestItems {
		return nil, fmt.Errorf("block %d: %d digest items; at most %d are allowed", h.Number, len(h.Digest.Logs), types.MaxDigestItems)
	}
	for _, log := range h.Digest.Logs {
		var item types.DigestItem
		if err := scale.Decode(log, &item); err != nil {
			return nil, fmt.Errorf("block %d: %w", h.Number, err)
		}
		out.Digest = append(out.Digest, item)
	}
	return out, nil
}

func decodeHeader(raw json.RawMessage) (*types.Header, error) {
	var h header
	if err := json.Unmarshal(raw, &h); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return h.decode()
}

// UnknownBlockError says that the node does not have a block.
type UnknownBlockError struct{ Block string }

// Error names the block.
func (e *UnknownBlockError) Error() string {
	return "the node does not have block " + e.Block + "; check the number or hash, or ask an archive node"
}

// Header returns a block's header.
func (c *Client) Header(ctx context.Context, at types.Hash) (*types.Header, error) {
	var h *header
	if err := c.rpc.Call(ctx, "chain_getHeader", atParams(at), &h); err != nil {
		return nil, err
	}
	if h == nil {
		return nil, &UnknownBlockError{at.String()}
	}
	return h.decode()
}

// BlockHash returns the hash of the best chain's block with a number.
func (c *Client) BlockHash(ctx context.Context, number types.BlockNumber) (types.Hash, error) {
	var h *types.Hash
	if err := c.rpc.Call(ctx, "chain_getBlockHash", []any{uint64(number)}, &h); err != nil {
		return types.Hash{}, err
	}
	if h == nil {
		return types.Hash{}, &UnknownBlockError{strconv.FormatUint(uint64(number), 10)}
	}
	return *h, nil
}

// BestHash returns the hash of the best block.
func (c *Client) BestHash(ctx context.Context) (types.Hash, error) {
	var h types.Hash
	err := c.rpc.Call(ctx, "chain_getBlockHash", nil, &h)
	return h, err
}

// FinalizedHash returns the hash of the last finalised block.
func (c *Client) FinalizedHash(ctx context.Context) (types.Hash, error) {
	var h types.Hash
	err := c.rpc.Call(ctx, "chain_getFinalizedHead", nil, &h)
	return h, err
}

// Block returns a block with its extrinsics.
func (c *Client) Block(ctx context.Context, at types.Hash) (*types.Block, error) {
	var answer *struct {
		Block struct {
			Header     header        `json:"header"`
			Extrinsics []jsonrpc.Hex `json:"extrinsics"`
		} `json:"block"`
	}
	if err := c.rpc.Call(ctx, "chain_getBlock", atParams(at), &answer); err != nil {
		return nil, err
	}
	if answer == nil {
		return nil, &UnknownBlockError{at.String()}
	}
	h, err := answer.Block.Header.decode()
	if err != nil {
		return nil, err
	}
	b := &types.Block{Header: *h}
	for _, x := range answer.Block.Extrinsics {
		b.Body = append(b.Body, types.Extrinsic(x))
	}
	return b, nil
}
