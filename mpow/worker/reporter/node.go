package reporter

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/mpow/worker/index"
	"github.com/crustgo/crust/mpow/worker/slots"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Node is the chain through the RPC of a node. All methods may be called at the same time.
type Node struct {
	url  string
	pair crypto.Pair
	turn chan struct{} // held while something that is signed is on its way

	mu    sync.Mutex // guards all below
	c     *client.Client
	heads *client.Stream[*types.Header]
}

// Dial connects to a node, for the member whose key is given.
func Dial(ctx context.Context, url string, pair crypto.Pair) (*Node, error) {
	n := &Node{url: url, pair: pair, turn: make(chan struct{}, 1)}
	return n, n.Connect(ctx)
}

// Connect connects again, after the connection was lost.
func (n *Node) Connect(ctx context.Context) error {
	c, err := client.Dial(ctx, n.url, client.Config{})
	if err != nil {
		return err
	}
	heads, err := c.SubscribeHeads(ctx)
	if err != nil {
		c.Close()
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.c != nil {
		n.c.Close()
	}
	n.c, n.heads = c, heads
	return nil
}

// Close ends the connection.
func (n *Node) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.c.Close()
}

// Client is the connection, for what is not here.
func (n *Node) Client() *client.Client {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.c
}

// Account is the member's.
func (n *Node) Account() types.AccountID { return n.pair.Account() }

// constant reads a number that the runtime fixes.
func constant(c *client.Client, name string) (uint32, error) {
	v, err := c.Constant("Swork", name)
	if err != nil {
		return 0, fmt.Errorf("the chain has no storage: %w", err)
	}
	b, ok := metadata.BigInt(v)
	if !ok || !b.IsUint64() || b.Uint64() > 1<<32-1 {
		return 0, fmt.Errorf("constant Swork.%s is %v", name, v)
	}
	return uint32(b.Uint64()), nil
}

// Params are the chain's parameters for enclaves, and how many blocks a slot has.
func (n *Node) Params() (p proof.Params, reportSlot uint32, err error) {
	c := n.Client()
	for name, into := range map[string]*uint32{"UnitLeaves": &p.UnitLeaves, "Samples": &p.Samples, "Deadline": &p.Deadline,
		"AuditWindow": &p.AuditWindow, "ReportSlot": &reportSlot} {
		if *into, err = constant(c, name); err != nil {
			return p, 0, err
		}
	}
	return p, reportSlot, p.Validate()
}

// Next waits for a new best block; of several that came meanwhile it is the last.
func (n *Node) Next(ctx context.Context) (at types.Hash, number uint32, err error) {
	n.mu.Lock()
	heads := n.heads
	n.mu.Unlock()
	h, err := heads.Latest(ctx)
	if err != nil {
		return at, 0, err
	}
	return h.Hash(), uint32(h.Number), nil
}

// View reads what a block's state says of a worker.
func (n *Node) View(ctx context.Context, at types.Hash, number uint32, lineage proof.Lineage) (v slots.View, audit *worker.Audit, err error) {
	c := n.Client()
	v.Number = number
	raw, ok, err := c.QueryRaw(ctx, at, "Swork", "Slot")
	if err != nil {
		return v, nil, err
	}
	if ok {
		cur := scale.NewCursor(raw)
		v.Start = cur.U32()
		cur.Fixed(v.Hash[:])
		cur.Fixed(v.Beacon[:])
		if err := cur.Finish(); err != nil {
			return v, nil, fmt.Errorf("Swork.Slot: %w", err)
		}
	}
	raw, ok, err = c.QueryRaw(ctx, at, "Swork", "Records", metadata.Bytes(n.account()))
	if err != nil {
		return v, nil, err
	}
	if !ok {
		return v, nil, nil
	}
	if err := scale.Decode(raw, &v.Record); err != nil {
		return v, nil, fmt.Errorf("Swork.Records: %w", err)
	}
	if v.Registered = v.Record.Lineage == lineage; !v.Registered {
		return v, nil, nil
	}
	if err := worked(ctx, c, at, lineage, &v); err != nil {
		return v, nil, err
	}
	raw, ok, err = c.QueryRaw(ctx, at, "Swork", "Audits", metadata.Bytes(lineage[:]))
	if err != nil || !ok {
		return v, nil, err
	}
	if audit, err = decodeAudit(raw); err != nil {
		return v, nil, err
	}
	v.Audit = audit.Slot
	return v, audit, nil
}

func (n *Node) account() []byte { a := n.pair.Account(); return a[:] }

// worked reads where the living worker stands.
func worked(ctx context.Context, c *client.Client, at types.Hash, lineage proof.Lineage, v *slots.View) error {
	w, err := c.Query(ctx, at, "Swork", "Workers", metadata.Bytes(lineage[:]))
	if err != nil {
		return err
	}
	slot, ok := metadata.Get(w, "slot")
	failed, ok2 := metadata.Get(w, "failed")
	if !ok || !ok2 {
		return errors.New("Swork.Workers: no worker where there is a record")
	}
	b, ok := metadata.BigInt(slot)
	if !ok {
		return fmt.Errorf("Swork.Workers: a slot of %v", slot)
	}
	v.Reported = uint32(b.Uint64())
	v.Failed, _ = failed.(bool)
	return nil
}

func decodeAudit(raw []byte) (*worker.Audit, error) {
	a := new(worker.Audit)
	c := scale.NewCursor(raw)
	a.Slot = c.U32()
	c.Fixed(a.Seed[:])
	a.Plan.DecodeSCALE(c)
	bad := c.Len(32)
	if bad > proof.MaxBad {
		return nil, fmt.Errorf("Swork.Audits: %d bad units", bad)
	}
	a.Bad = make([]proof.UnitID, bad)
	for i := range a.Bad {
		c.Fixed(a.Bad[i][:])
	}
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("Swork.Audits: %w", err)
	}
	return a, nil
}

// Group is for whom the member's worker counts, or will from the next slot on.
func (n *Node) Group(ctx context.Context, at types.Hash) (g index.Group, err error) {
	raw, ok, err := n.Client().QueryRaw(ctx, at, "Swork", "Members", metadata.Bytes(n.account()))
	if err != nil || !ok {
		return g, err
	}
	return decodeMember(raw)
}

func decodeMember(raw []byte) (g index.Group, err error) {
	c := scale.NewCursor(raw)
	if c.Bool() {
		c.Fixed(g.Owner[:])
	}
	if c.Bool() {
		c.Fixed(new(proof.Hash)[:]) // for whom it counted before
	}
	g.Since = c.U32()
	if err := c.Finish(); err != nil {
		return index.Group{}, fmt.Errorf("Swork.Members: %w", err)
	}
	return g, nil
}

// Attested is how long ago a key attested last, by a block's time, and within which time
// it has to do so again; 0 for never.
func (n *Node) Attested(ctx context.Context, at types.Hash, key proof.Hash) (age, period time.Duration, err error) {
	c := n.Client()
	v, err := c.Constant("Attest", "Period")
	if err != nil {
		return 0, 0, err
	}
	if period, err = milliseconds(v); err != nil || period == 0 {
		return 0, 0, err
	}
	k, err := c.Query(ctx, at, "Attest", "Keys", metadata.Bytes(key[:]))
	if err != nil {
		return 0, 0, err
	}
	then, _ := metadata.Get(k, "at")
	last, err := milliseconds(then)
	if err != nil {
		return 0, 0, err
	}
	if v, err = c.Query(ctx, at, "Timestamp", "Now"); err != nil {
		return 0, 0, err
	}
	now, err := milliseconds(v)
	return now - last, period, err
}

// milliseconds reads a time or a span.
func milliseconds(v metadata.Value) (time.Duration, error) {
	b, ok := metadata.BigInt(v)
	if !ok || !b.IsInt64() || b.Int64() > int64(1<<63-1)/int64(time.Millisecond) {
		return 0, fmt.Errorf("%v is no time", v)
	}
	return time.Duration(b.Int64()) * time.Millisecond, nil
}

// Final is the number of the last final block.
func (n *Node) Final(ctx context.Context) (uint32, error) {
	c := n.Client()
	h, err := c.FinalizedHash(ctx)
	if err != nil {
		return 0, err
	}
	head, err := c.Header(ctx, h)
	if err != nil {
		return 0, err
	}
	return uint32(head.Number), nil
}

// Proofs leads an enclave from a final block, by its number, to a later one: by a warp
// proof, which is nil if there is nothing later, and a proof of the member's record there,
// which is nil while the warp proof is not the last.
func (n *Node) Proofs(ctx context.Context, from uint32) (warp []byte, nodes [][]byte, err error) {
	c := n.Client()
	at, err := c.BlockHash(ctx, types.BlockNumber(from))
	if err != nil {
		return nil, nil, err
	}
	var hex jsonrpc.Hex
	if err := c.RPC().Call(ctx, "crust_warpProof", []any{at}, &hex); err != nil {
		return nil, nil, err
	}
	p, err := grandpa.DecodeWarpProof(hex)
	if err != nil {
		return nil, nil, err
	}
	if k := len(p.Fragments); k > 0 {
		warp = hex
		at = p.Fragments[k-1].Header.Hash()
	}
	if !p.Finished {
		return warp, nil, nil
	}
	var read struct {
		Proof []jsonrpc.Hex `json:"proof"`
	}
	if err := c.RPC().Call(ctx, "state_getReadProof", []any{[]jsonrpc.Hex{proof.RecordKey(n.Account())}, at}, &read); err != nil {
		return nil, nil, err
	}
	for _, b := range read.Proof {
		nodes = append(nodes, b)
	}
	return warp, nodes, nil
}

// Free sends a call that nobody signs. One that waits in the node's pool already is sent.
func (n *Node) Free(ctx context.Context, call []byte) error {
	const version4 = 4
	body := append([]byte{version4}, call...)
	_, err := n.Client().Submit(ctx, append(scale.AppendCompact(nil, uint64(len(body))), body...))
	var refused *jsonrpc.Error
	if errors.As(err, &refused) && refused.Code == codeImported {
		return nil
	}
	return err
}

// codeImported is how nodes say that they have a transaction.
const codeImported = 1013

// Signed sends a call that the member signs, and waits until it is in a best block. One
// is sent at a time, so that no two have the same nonce. An
// error of the call itself, which is in the block and paid for, is a *metadata.DispatchError.
func (n *Node) Signed(ctx context.Context, call []byte) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case n.turn <- struct{}{}:
		defer func() { <-n.turn }()
	}
	c := n.Client()
	xt, err := c.SignEncoded(ctx, call, n.pair, client.SignOptions{})
	if err != nil {
		return err
	}
	done, err := c.SubmitAndWait(ctx, xt, client.InBlock, nil)
	if err == nil && done.Err != nil {
		err = done.Err
	}
	return err
}

// Anchor is a recent block that quotes are made after: the last final one.
func (n *Node) Anchor(ctx context.Context) (number uint32, at types.Hash, err error) {
	c := n.Client()
	if at, err = c.FinalizedHash(ctx); err != nil {
		return 0, at, err
	}
	h, err := c.Header(ctx, at)
	if err != nil {
		return 0, at, err
	}
	return uint32(h.Number), at, nil
}

// Balance is what the member has to pay fees with, in plancks.
func (n *Node) Balance(ctx context.Context) (*big.Int, error) {
	v, err := n.Client().Query(ctx, client.Best, "System", "Account", metadata.Bytes(n.account()))
	if err != nil {
		return nil, err
	}
	free, _ := metadata.Get(v, "data", "free")
	b, ok := metadata.BigInt(free)
	if !ok {
		return nil, fmt.Errorf("System.Account: free is %v", free)
	}
	return b, nil
}
