package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/types"
)

// StatusKind says what became of a transaction so far.
type StatusKind uint8

// The kinds of statuses.
const (
	Ready           StatusKind = iota // in the pool, valid now
	Future                            // in the pool, waits for an earlier nonce
	Broadcast                         // sent to peers
	InBlock                           // in a best block
	Retracted                         // that block is no longer in the best chain
	Finalized                         // in a finalised block; ends the stream
	FinalityTimeout                   // in a block that was not finalised for long; ends the stream
	Usurped                           // replaced by another of the same nonce; ends the stream
	Dropped                           // pushed out of a full pool; ends the stream
	Invalid                           // cannot be valid any more; ends the stream
	statusCount
)

var statusNames = [statusCount]string{"ready", "future", "broadcast", "inBlock", "retracted", "finalized", "finalityTimeout", "usurped", "dropped", "invalid"}

// String is the status as nodes write it.
func (k StatusKind) String() string { return statusNames[k] }

// MarshalText returns what String does.
func (k StatusKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Final reports whether nothing follows the status.
func (k StatusKind) Final() bool { return k >= Finalized }

// Status is one report about a transaction.
type Status struct {
	Kind  StatusKind `json:"status"`
	Block types.Hash `json:"block,omitzero"` // InBlock, Retracted, Finalized, FinalityTimeout
	Other types.Hash `json:"other,omitzero"` // Usurped: the transaction that took the place
}

// UnmarshalJSON reads "ready" or {"inBlock": "0x…"}.
func (s *Status) UnmarshalJSON(b []byte) error {
	var name string
	var detail json.RawMessage
	if err := json.Unmarshal(b, &name); err != nil {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(b, &object); err != nil || len(object) != 1 {
			return fmt.Errorf("%.60q is not the status of a transaction", b)
		}
		for name, detail = range object {
			break
		}
	}
	for k, n := range statusNames {
		if n == name {
			s.Kind = StatusKind(k)
			return s.detail(detail)
		}
	}
	return fmt.Errorf("%.60q is not the status of a transaction", name)
}

func (s *Status) detail(raw json.RawMessage) error {
	switch s.Kind {
	case InBlock, Retracted, Finalized, FinalityTimeout:
		return json.Unmarshal(raw, &s.Block)
	case Usurped:
		return json.Unmarshal(raw, &s.Other)
	}
	return nil
}

// SubmitError says that the node refuses a transaction.
type SubmitError struct {
	Reason string // the node's words
	Hint   string // what to do about it; may be empty
	Err    *jsonrpc.Error
}

// Error gives the reason and the hint.
func (e *SubmitError) Error() string {
	text := "the node refuses the transaction: " + e.Reason
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// Unwrap returns the node's answer.
func (e *SubmitError) Unwrap() error { return e.Err }

// hints explain the reasons of Substrate's pool, by a part of their text.
var hints = []struct{ part, hint string }{
	{"pay some fees", "send the account what the fee costs, or sign with another one"},
	{"outdated", "the nonce has been used; leave it out to take the next one"},
	{"will be valid in the future", "an earlier nonce is missing; leave the nonce out to take the next one"},
	{"bad signature", "it was signed for another chain or runtime version, or with another key; sign it again"},
	{"ancient birth block", "the signature's time is over; sign it again"},
	{"exhaust", "it is too large for a block; split it"},
	{"temporarily banned", "it was refused a moment ago; wait, or change it"},
	{"already imported", "it is in the pool already; wait for it"},
	{"priority is too low", "another transaction with this nonce waits; raise the tip to replace it"},
	{"pool is full", "wait, or raise the tip"},
}

// codes of the transaction pool in JSON-RPC errors.
const firstPoolCode, lastPoolCode = 1000, 1099

// refusal turns an answer of the transaction pool into a SubmitError.
func refusal(err error) error {
	answer, ok := errors.AsType[*jsonrpc.Error](err)
	if !ok || answer.Code < firstPoolCode || answer.Code > lastPoolCode {
		return err
	}
	e := &SubmitError{Reason: answer.Message, Err: answer}
	if data, ok := answer.Data.(string); ok && data != "" {
		e.Reason = answer.Message + ": " + data
	}
	for _, h := range hints {
		if strings.Contains(strings.ToLower(e.Reason), h.part) {
			e.Hint = h.hint
			break
		}
	}
	return e
}

// Submit hands a transaction to the node and returns its hash.
func (c *Client) Submit(ctx context.Context, xt types.Extrinsic) (types.Hash, error) {
	var h types.Hash
	if err := c.rpc.Call(ctx, "author_submitExtrinsic", []any{jsonrpc.Hex(xt)}, &h); err != nil {
		return h, refusal(err)
	}
	return h, nil
}

// SubmitAndWatch hands a transaction to the node and returns the stream of its
// statuses.
func (c *Client) SubmitAndWatch(ctx context.Context, xt types.Extrinsic) (*Stream[Status], error) {
	s, err := subscribe(ctx, c, "author_submitAndWatchExtrinsic", "author_unwatchExtrinsic", []any{jsonrpc.Hex(xt)},
		func(raw json.RawMessage) (Status, error) {
			var s Status
			err := json.Unmarshal(raw, &s)
			return s, err
		})
	if err != nil {
		return nil, refusal(err)
	}
	return s, nil
}

// WatchError says that a transaction ended outside the chain.
type WatchError struct{ Status Status }

// Error says how and what to do.
func (e *WatchError) Error() string {
	switch e.Status.Kind {
	case FinalityTimeout:
		return fmt.Sprintf("block %v with the transaction was not finalised in time; see whether finality is stuck", e.Status.Block)
	case Usurped:
		return fmt.Sprintf("transaction %v took the place of this one; it has the same nonce", e.Status.Other)
	case Dropped:
		return "the node's pool is full and dropped the transaction; try again, with a tip to be preferred"
	default:
		return "the transaction is not valid any more; sign it again"
	}
}

// SubmitAndWait submits a transaction and waits until it is in a best block
// (InBlock) or in a finalised one (Finalized). progress, if not nil, is told every
// status. That the call failed is not an error: it is in Outcome.Err.
func (c *Client) SubmitAndWait(ctx context.Context, xt types.Extrinsic, until StatusKind, progress func(Status)) (*Outcome, error) {
	if until != InBlock && until != Finalized {
		return nil, fmt.Errorf("a transaction can be waited for until it is inBlock or finalized, not %v", until)
	}
	watch, err := c.SubmitAndWatch(ctx, xt)
	if err != nil {
		return nil, err
	}
	for {
		s, err := watch.Next(ctx)
		if err != nil {
			return nil, err
		}
		if progress != nil {
			progress(s)
		}
		if s.Kind == until || s.Kind == Finalized {
			if !s.Kind.Final() {
				_ = watch.Close(ctx) // the node forgets it with the connection anyway
			}
			return c.Outcome(ctx, s.Block, xt)
		}
		if s.Kind.Final() {
			return nil, &WatchError{s}
		}
	}
}

// Outcome is what a transaction in a block did.
type Outcome struct {
	Hash   types.Hash              // of the transaction
	Block  types.Hash              // that holds it
	Number types.BlockNumber       // of that block
	Index  uint32                  // of the transaction in the block
	Events []metadata.Event        // that it caused
	Err    *metadata.DispatchError // why its call failed; nil if it did not
	Fee    *big.Int                // plancks paid, tip included; nil if the chain does not tell
	Tip    *big.Int                // plancks of it that were the tip; nil if the chain does not tell
}

// Outcome reads what a transaction did in a block.
func (c *Client) Outcome(ctx context.Context, block types.Hash, xt types.Extrinsic) (*Outcome, error) {
	b, err := c.Block(ctx, block)
	if err != nil {
		return nil, err
	}
	o := &Outcome{Hash: xt.Hash(), Block: block, Number: b.Header.Number}
	found := false
	for i, x := range b.Body {
		if bytes.Equal(x, xt) {
			o.Index, found = uint32(i), true
		}
	}
	if !found {
		return nil, fmt.Errorf("block %v does not hold transaction %v", block, o.Hash)
	}
	all, rt, err := c.events(ctx, block)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.Extrinsic == nil || *e.Extrinsic != o.Index {
			continue
		}
		o.Events = append(o.Events, e)
		switch {
		case e.Is("System", "ExtrinsicFailed"):
			cause, ok := e.Member("dispatch_error")
			if !ok {
				cause, _ = e.Member("0") // older runtimes do not name the fields
			}
			o.Err = rt.Metadata.DispatchError(cause)
		case e.Is("TransactionPayment", "TransactionFeePaid"):
			fee, _ := e.Member("actual_fee")
			tip, _ := e.Member("tip")
			o.Fee, _ = metadata.BigInt(fee)
			o.Tip, _ = metadata.BigInt(tip)
		}
	}
	return o, nil
}

// Events reads the events of a block.
func (c *Client) Events(ctx context.Context, block types.Hash) ([]metadata.Event, error) {
	all, _, err := c.events(ctx, block)
	return all, err
}

func (c *Client) events(ctx context.Context, block types.Hash) ([]metadata.Event, *Runtime, error) {
	rt, err := c.RuntimeAt(ctx, block)
	if err != nil {
		return nil, nil, err
	}
	s, err := rt.Metadata.Storage("System", "Events")
	if err != nil {
		return nil, nil, err
	}
	key, err := s.Key()
	if err != nil {
		return nil, nil, err
	}
	var raw *jsonrpc.Hex
	if err := c.rpc.Call(ctx, "state_getStorage", atParams(block, jsonrpc.Hex(key)), &raw); err != nil {
		return nil, nil, err
	}
	if raw == nil {
		return nil, rt, nil
	}
	all, err := rt.Metadata.DecodeEvents(*raw)
	return all, rt, err
}

// FeeInfo is what a transaction would cost.
type FeeInfo struct {
	RefTime   uint64   // picoseconds of execution
	ProofSize uint64   // bytes of storage proof
	Class     string   // normal, operational or mandatory
	Fee       *big.Int // plancks, without tip
}

// Fee asks the node what a signed transaction would cost now.
func (c *Client) Fee(ctx context.Context, xt types.Extrinsic) (*FeeInfo, error) {
	var answer struct {
		Weight struct {
			RefTime   hexNumber `json:"refTime"`
			ProofSize hexNumber `json:"proofSize"`
		} `json:"weight"`
		Class      string          `json:"class"`
		PartialFee json.RawMessage `json:"partialFee"`
	}
	if err := c.rpc.Call(ctx, "payment_queryInfo", []any{jsonrpc.Hex(xt)}, &answer); err != nil {
		return nil, err
	}
	fee, ok := new(big.Int).SetString(strings.Trim(string(answer.PartialFee), `"`), 0)
	if !ok || fee.Sign() < 0 || fee.BitLen() > 128 {
		return nil, fmt.Errorf("payment_queryInfo: %.60q is not a fee", answer.PartialFee)
	}
	return &FeeInfo{uint64(answer.Weight.RefTime), uint64(answer.Weight.ProofSize), answer.Class, fee}, nil
}
