package pinning

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/crustgo/crust/client"
	orders "github.com/crustgo/crust/client/market"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/types"
)

// Order is how the chain says that an order stands, in its last finalised block.
type Order struct {
	Stage    string `json:"stage"` // Ordered, Reported, Live or Expired
	Size     uint64 `json:"size"`
	Replicas uint32 `json:"replicas"`
	Live     uint32 `json:"live"`
	Wanted   uint32 `json:"wanted"`
	Expires  uint32 `json:"expires,omitempty"` // block; 0 while no replica is reported
	Height   uint32 `json:"height"`            // of the block that says so
}

// Chain is what the service asks of the chain and of the account that pays.
type Chain interface {
	// Quote is what an order of so many bytes costs, in plancks; ok is false if the
	// market takes no such file.
	Quote(ctx context.Context, size uint64) (cost *big.Int, ok bool, err error)
	// Free is what the payer can spend, in plancks.
	Free(ctx context.Context) (*big.Int, error)
	// Height is the number of the last finalised block.
	Height(ctx context.Context) (uint32, error)
	// Order is how the order of a file stands; nil if there is none.
	Order(ctx context.Context, root dag.CID) (*Order, error)
	// Sign makes a transaction that orders a file and that no block after ends takes.
	Sign(ctx context.Context, root dag.CID, size uint64, memo string) (tx []byte, ends uint32, err error)
	// Refund says whether the payer can take back what it paid for a file.
	Refund(ctx context.Context, root dag.CID) (Refund, error)
	// SignCancel makes a transaction that takes it back.
	SignCancel(ctx context.Context, root dag.CID) (tx []byte, err error)
	// Send hands a transaction to the chain, again if need be, and waits until a block
	// has it. It calls taken at most once, when the node has it. A [RefusedError]
	// says that a block has it and its call failed.
	Send(ctx context.Context, tx []byte, taken func()) error
}

// Refund says whether an order can be cancelled.
type Refund uint8

// The answers of Refund.
const (
	RefundNever Refund = iota // the payer has paid nothing, or a storage node has reported the file
	RefundLater               // it was ordered too short a time ago
	RefundNow
)

// RefusedError says that the chain took a transaction and refused its call.
type RefusedError struct{ Err error }

// Error gives the chain's reason.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Err }

// period is how many blocks a transaction may wait for its block.
const period = 64

// Node is a [Chain] by a node's RPC.
type Node struct {
	client *client.Client
	payer  client.Signer

	mu    sync.Mutex // guards what follows
	asked time.Time
	hash  types.Hash // of the last finalised block when it was asked for
	final uint32     // its number
}

// NewNode returns the chain as a node knows it; payer signs orders and pays for them.
func NewNode(c *client.Client, payer client.Signer) *Node { return &Node{client: c, payer: payer} }

// fresh is how long the last finalised block is not asked for again: thousands of
// orders may be looked at one after the other.
const fresh = 500 * time.Millisecond

// head is the last finalised block.
func (n *Node) head(ctx context.Context) (types.Hash, uint32, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Since(n.asked) < fresh {
		return n.hash, n.final, nil
	}
	hash, err := n.client.FinalizedHash(ctx)
	if err != nil {
		return hash, 0, err
	}
	h, err := n.client.Header(ctx, hash)
	if err != nil {
		return hash, 0, err
	}
	n.asked, n.hash, n.final = time.Now(), hash, uint32(h.Number)
	return n.hash, n.final, nil
}

// Quote asks the market.
func (n *Node) Quote(ctx context.Context, size uint64) (*big.Int, bool, error) {
	v, err := n.client.Call(ctx, client.Best, "MarketApi", "quote", size, 0)
	if err != nil || v == nil {
		return nil, false, err
	}
	total, ok := field(v, "total")
	if !ok {
		return nil, false, errors.New("the node's market gives no total; is it of another version?")
	}
	return total, true, nil
}

func field(v metadata.Value, path ...string) (*big.Int, bool) {
	x, ok := metadata.Get(v, path...)
	if !ok {
		return nil, false
	}
	return metadata.BigInt(x)
}

func number(v metadata.Value, path ...string) uint64 {
	if n, ok := field(v, path...); ok && n.IsUint64() {
		return n.Uint64()
	}
	return 0
}

// Free reads the payer's balance, less what is locked.
func (n *Node) Free(ctx context.Context) (*big.Int, error) {
	v, err := n.client.Query(ctx, client.Best, "System", "Account", n.payer.Account())
	if err != nil {
		return nil, err
	}
	free, ok := field(v, "data", "free")
	if !ok {
		return nil, errors.New("the node does not tell the payer's balance; is it of another version?")
	}
	locked := new(big.Int)
	for _, name := range []string{"misc_frozen", "fee_frozen", "frozen"} {
		if l, ok := field(v, "data", name); ok && l.Cmp(locked) > 0 {
			locked = l
		}
	}
	return new(big.Int).Sub(free, locked), nil
}

// Height asks for the finalised head.
func (n *Node) Height(ctx context.Context) (uint32, error) {
	_, height, err := n.head(ctx)
	return height, err
}

// Order asks the market, at the finalised head.
func (n *Node) Order(ctx context.Context, root dag.CID) (*Order, error) {
	at, height, err := n.head(ctx)
	if err != nil {
		return nil, err
	}
	v, err := n.client.Call(ctx, at, "MarketApi", "order", metadata.Bytes(root.String()))
	if err != nil || v == nil {
		return nil, err
	}
	o := &Order{Size: number(v, "file_size"), Replicas: uint32(number(v, "replicas")), Live: uint32(number(v, "live_replicas")),
		Wanted: uint32(number(v, "wanted_replicas")), Expires: uint32(number(v, "expires_at")), Height: height}
	stage, _ := metadata.Get(v, "stage")
	variant, ok := stage.(metadata.Variant)
	if !ok {
		return nil, errors.New("the node's market gives no stage; is it of another version?")
	}
	o.Stage = variant.Name
	return o, nil
}

// Refund reads the payer's contribution and the file's replicas, at the finalised head.
func (n *Node) Refund(ctx context.Context, root dag.CID) (Refund, error) {
	at, height, err := n.head(ctx)
	if err != nil {
		return RefundNever, err
	}
	paid, err := n.client.Query(ctx, at, "Market", "Contributions", metadata.Bytes(root.String()), n.payer.Account())
	if err != nil || paid == nil {
		return RefundNever, err
	}
	o, err := n.Order(ctx, root)
	if err != nil || o == nil || o.Replicas > 0 {
		return RefundNever, err
	}
	m, err := orders.OpenAt(ctx, n.client, at)
	if err != nil {
		return RefundNever, err
	}
	if ordered := number(paid, "ordered_at"); ordered != 0 && uint64(height) < ordered+uint64(m.Day()) {
		return RefundLater, nil
	}
	return RefundNow, nil
}

// SignCancel signs market.cancelOrder.
func (n *Node) SignCancel(ctx context.Context, root dag.CID) ([]byte, error) {
	tx := client.Tx{Pallet: "Market", Call: "cancel_order", Args: []any{metadata.Bytes(root.String())}}
	return n.client.Sign(ctx, tx, n.payer, client.SignOptions{Period: period})
}

// Sign signs market.placeStorageOrder.
func (n *Node) Sign(ctx context.Context, root dag.CID, size uint64, memo string) ([]byte, uint32, error) {
	height, err := n.Height(ctx)
	if err != nil {
		return nil, 0, err
	}
	tx := client.Tx{Pallet: "Market", Call: "place_storage_order", Args: []any{metadata.Bytes(root.String()), size, 0, metadata.Bytes(memo)}}
	xt, err := n.client.Sign(ctx, tx, n.payer, client.SignOptions{Period: period})
	if err != nil {
		return nil, 0, err
	}
	// The signature begins at the finalised block or, if finality lags, later: it
	// is over at the latest a period after what comes after both.
	best, err := n.client.Header(ctx, client.Best)
	if err != nil {
		return nil, 0, err
	}
	return xt, max(height, uint32(best.Number)) + period, nil
}

// Send submits a transaction and waits until it is in a block.
func (n *Node) Send(ctx context.Context, tx []byte, taken func()) error {
	once := sync.OnceFunc(taken)
	done, err := n.client.SubmitAndWait(ctx, tx, client.InBlock, func(client.Status) { once() })
	if err != nil {
		return fmt.Errorf("send order: %w", err)
	}
	if done.Err != nil {
		return &RefusedError{done.Err}
	}
	return nil
}
