package client

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/ss58"
	"github.com/crustgo/crust/substrate/types"
)

// Tx is a call by names. Args are a list in the order of the arguments, or a map
// or metadata.Record by their names; package metadata says what values may be.
type Tx struct {
	Pallet string
	Call   string
	Args   any
}

// Encode encodes the call for a runtime.
func (t Tx) Encode(m *metadata.Metadata) ([]byte, error) {
	return m.EncodeCall(t.Pallet, t.Call, t.Args)
}

// DefaultPeriod is how many blocks a signature holds unless SignOptions say
// otherwise.
const DefaultPeriod = 64

// SignOptions adjust a signature. The zero value takes the account's next nonce,
// gives no tip and holds for DefaultPeriod blocks.
type SignOptions struct {
	Nonce    *uint32  // nil: the account's next one, by the node's pool
	Tip      *big.Int // plancks; nil: none
	Period   uint64   // blocks that the signature holds, 4 to 65536; 0: DefaultPeriod
	Immortal bool     // it holds for ever
}

// SignParams are all that a signature depends on beside the call and the runtime.
type SignParams struct {
	Genesis  types.Hash
	Nonce    uint32
	Tip      *big.Int   // plancks; nil: none
	Era      types.Era  // the zero Era holds for ever
	EraBlock types.Hash // hash of the era's first block; ignored for the zero Era
}

// Signer is who signs: a crypto.Pair, or a device that holds one.
type Signer interface {
	// Account is the account that signs.
	Account() [32]byte
	// Sign signs a message. The second argument is as in crypto.Pair.
	Sign(msg []byte, rand *[32]byte) crypto.MultiSignature
}

// Sign makes a signed transaction of a call.
func (c *Client) Sign(ctx context.Context, tx Tx, by Signer, o SignOptions) (types.Extrinsic, error) {
	rt, err := c.RuntimeAt(ctx, Best)
	if err != nil {
		return nil, err
	}
	call, err := tx.Encode(rt.Metadata)
	if err != nil {
		return nil, err
	}
	return c.SignEncoded(ctx, call, by, o)
}

// SignEncoded is Sign for a call that is encoded already.
func (c *Client) SignEncoded(ctx context.Context, call []byte, by Signer, o SignOptions) (types.Extrinsic, error) {
	rt, err := c.RuntimeAt(ctx, Best)
	if err != nil {
		return nil, err
	}
	p := SignParams{Genesis: c.genesis, Tip: o.Tip}
	if o.Nonce != nil {
		p.Nonce = *o.Nonce
	} else if p.Nonce, err = c.Nonce(ctx, by.Account()); err != nil {
		return nil, err
	}
	if !o.Immortal {
		if p.Era, p.EraBlock, err = c.era(ctx, o.Period); err != nil {
			return nil, err
		}
	}
	return SignCall(rt, call, by, p)
}

// Nonce is the account's next nonce, counting what waits in the node's pool.
func (c *Client) Nonce(ctx context.Context, account types.AccountID) (uint32, error) {
	var n uint32
	err := c.rpc.Call(ctx, "system_accountNextIndex", []any{ss58.Encode(c.format.Prefix, account)}, &n)
	return n, err
}

// era chooses the span of blocks that a signature holds for. It begins at the
// finalised block, which no fork can take away, unless finality lags so far
// behind that much of the span would be over.
func (c *Client) era(ctx context.Context, period uint64) (types.Era, types.Hash, error) {
	if period == 0 {
		period = DefaultPeriod
	}
	if period < 4 || period > 1<<16 {
		return types.Era{}, types.Hash{}, fmt.Errorf("a signature cannot hold for %d blocks; use 4 to 65536, or immortal", period)
	}
	from, err := c.FinalizedHash(ctx)
	if err != nil {
		return types.Era{}, types.Hash{}, err
	}
	final, err := c.Header(ctx, from)
	if err != nil {
		return types.Era{}, types.Hash{}, err
	}
	best, err := c.Header(ctx, Best)
	if err != nil {
		return types.Era{}, types.Hash{}, err
	}
	current := uint64(final.Number)
	if uint64(best.Number) > current+period/4 {
		current = uint64(best.Number)
	}
	era := types.MortalEra(period, current)
	birth := era.Birth(current)
	if birth != uint64(final.Number) {
		if from, err = c.BlockHash(ctx, types.BlockNumber(birth)); err != nil {
			return types.Era{}, types.Hash{}, err
		}
	}
	return era, from, nil
}

// Limits and numbers of the transaction format.
const (
	txVersion  = 4
	txSigned   = 0x80
	maxPayload = 256 // bytes; of what is longer, the hash is signed
)

// SignCall makes a signed transaction of an encoded call, without a node.
func SignCall(rt *Runtime, call []byte, by Signer, p SignParams) (types.Extrinsic, error) {
	if v := rt.Metadata.Extrinsic.Version; v != txVersion {
		return nil, fmt.Errorf("the chain wants transactions of format %d; only format %d is supported", v, txVersion)
	}
	extra, additional, err := extensions(rt, p)
	if err != nil {
		return nil, err
	}
	sig := by.Sign(payload(call, extra, additional), nil)
	body := []byte{txVersion | txSigned}
	account := types.AccountID(by.Account())
	if id := rt.Metadata.Extrinsic.Address; id != metadata.NoType {
		if body, err = rt.Metadata.Encode(body, id, metadata.Account{ID: account}); err != nil {
			return nil, fmt.Errorf("the signer's address: %w", err)
		}
	} else {
		body = types.Address(account).AppendSCALE(body)
	}
	body = append(append(sig.AppendSCALE(body), extra...), call...)
	return scale.AppendBytes(nil, body), nil
}

// Payload is what is signed for a call: for signing elsewhere.
func Payload(rt *Runtime, call []byte, p SignParams) ([]byte, error) {
	extra, additional, err := extensions(rt, p)
	if err != nil {
		return nil, err
	}
	return payload(call, extra, additional), nil
}

func payload(call, extra, additional []byte) []byte {
	out := make([]byte, 0, len(call)+len(extra)+len(additional))
	out = append(append(append(out, call...), extra...), additional...)
	if len(out) > maxPayload {
		h := hash.Blake2b256(out)
		return h[:]
	}
	return out
}

var errTip = errors.New("the tip must be between 0 and 2^128-1 plancks")

// extensions encodes what the runtime's signed extensions want: extra goes into
// the transaction, additional is only signed.
func extensions(rt *Runtime, p SignParams) (extra, additional []byte, err error) {
	m := rt.Metadata
	if p.Tip != nil && (p.Tip.Sign() < 0 || p.Tip.BitLen() > 128) {
		return nil, nil, errTip
	}
	for _, x := range m.Extrinsic.Extensions {
		in, add, known := extension(x.Identifier, rt, p)
		if !known && !(m.IsEmpty(x.Extra) && m.IsEmpty(x.Additional)) {
			return nil, nil, fmt.Errorf("the chain's signed extension %s is not known here; update crust, or sign with a wallet made for this chain", x.Identifier)
		}
		// The metadata has the last word on the layout.
		if _, err := m.Decode(x.Extra, in); err != nil {
			return nil, nil, fmt.Errorf("signed extension %s is not as expected: %w", x.Identifier, err)
		}
		if _, err := m.Decode(x.Additional, add); err != nil {
			return nil, nil, fmt.Errorf("signed extension %s is not as expected: %w", x.Identifier, err)
		}
		extra, additional = append(extra, in...), append(additional, add...)
	}
	return extra, additional, nil
}

// extension encodes one extension. The identifiers are those of FRAME.
func extension(identifier string, rt *Runtime, p SignParams) (extra, additional []byte, known bool) {
	switch identifier {
	case "CheckNonZeroSender", "CheckWeight":
		return nil, nil, true
	case "CheckSpecVersion":
		return nil, scale.AppendU32(nil, rt.Version.SpecVersion), true
	case "CheckTxVersion":
		return nil, scale.AppendU32(nil, rt.Version.TransactionVersion), true
	case "CheckGenesis":
		return nil, p.Genesis[:], true
	case "CheckMortality", "CheckEra":
		if p.Era.IsImmortal() {
			return p.Era.AppendSCALE(nil), p.Genesis[:], true
		}
		return p.Era.AppendSCALE(nil), p.EraBlock[:], true
	case "CheckNonce":
		return scale.AppendCompact(nil, uint64(p.Nonce)), nil, true
	case "ChargeTransactionPayment":
		return appendTip(nil, p.Tip), nil, true
	case "ChargeAssetTxPayment":
		return append(appendTip(nil, p.Tip), 0), nil, true // paid in the chain's own currency
	case "CheckMetadataHash":
		return []byte{0}, []byte{0}, true // disabled, so no hash
	}
	return nil, nil, false
}

func appendTip(dst []byte, tip *big.Int) []byte {
	if tip == nil {
		return append(dst, 0)
	}
	lo := new(big.Int).And(tip, new(big.Int).SetUint64(^uint64(0)))
	return scale.AppendCompact128(dst, lo.Uint64(), new(big.Int).Rsh(tip, 64).Uint64())
}
