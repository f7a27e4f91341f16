package frame

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Balance is an amount in plancks, the smallest unit of the currency.
type Balance = fixed.U128

// Tx is a decoded extrinsic, format version 4.
type Tx struct {
	Raw       types.Extrinsic // with its length prefix
	Signed    bool
	Address   types.MultiAddress
	Signer    types.AccountID // Signed only
	Signature crypto.MultiSignature
	Era       types.Era
	Nonce     types.Nonce
	Tip       Balance
	Call      RuntimeCall
	Info      DispatchInfo

	call, extra []byte // alias Raw
}

// Len is the number of bytes of the whole extrinsic.
func (t *Tx) Len() uint32 { return uint32(len(t.Raw)) }

// Hash identifies the extrinsic.
func (t *Tx) Hash() types.Hash { return t.Raw.Hash() }

// Versions of the extrinsic format; the high bit says that it is signed.
const (
	extrinsicVersion = 4
	extrinsicSigned  = 0x80
)

// DecodeTx reads an extrinsic with its length prefix. raw must not change while
// the result is in use.
func (rt *Runtime) DecodeTx(raw types.Extrinsic) (*Tx, error) {
	c := scale.NewCursor(raw).WithEnv(rt)
	n := c.Compact()
	if c.Err() != nil || n != uint64(c.Remaining()) {
		return nil, fmt.Errorf("extrinsic: the length prefix says %d, the bytes are %d", n, c.Remaining())
	}
	t := &Tx{Raw: raw}
	switch version := c.U8(); version {
	case extrinsicVersion:
	case extrinsicVersion | extrinsicSigned:
		t.Signed = true
		t.Address.DecodeSCALE(c)
		t.Signature.DecodeSCALE(c)
		from := c.Offset()
		for _, x := range rt.extensions {
			x.DecodeExtra(c, t)
		}
		t.extra = c.Since(from)
	default:
		return nil, fmt.Errorf("extrinsic: version %#02x is not supported; this chain takes version 4", version)
	}
	from := c.Offset()
	t.Call.DecodeSCALE(c)
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("extrinsic: %w", err)
	}
	t.call = c.Since(from)
	t.Info = t.Call.Info()
	if t.Signed {
		var ok bool
		if t.Signer, ok = t.Address.Account(); !ok {
			return nil, ErrUnknownLookup
		}
	}
	return t, nil
}

// IsUndecodable tells an extrinsic that is no extrinsic of this chain from one that is refused.
// A state that could not be read says nothing about the extrinsic.
func IsUndecodable(err error) bool {
	var v *Validity
	var c *Corruption
	return err != nil && !errors.As(err, &v) && !errors.As(err, &c)
}

// EncodeBare makes an unsigned extrinsic or inherent of a call.
func EncodeBare(call RuntimeCall) types.Extrinsic {
	return withLength(call.AppendSCALE([]byte{extrinsicVersion}))
}

func withLength(body []byte) types.Extrinsic {
	return append(scale.AppendCompact(make([]byte, 0, len(body)+4), uint64(len(body))), body...)
}

// maxPayload is the length over which the hash of a payload is signed instead of the payload.
const maxPayload = 256

// Payload is what the signer of t signs, given the state that t is checked against.
func (rt *Runtime) Payload(e *Env, t *Tx) ([]byte, error) {
	p := make([]byte, 0, len(t.call)+len(t.extra)+96)
	p = append(append(p, t.call...), t.extra...)
	var err error
	for _, x := range rt.extensions {
		if p, err = x.AppendAdditional(e, p, t); err != nil {
			return nil, err
		}
	}
	if len(p) > maxPayload {
		h := Blake2b256(p)
		return h[:], nil
	}
	return p, nil
}

// Sign makes a signed extrinsic of a call. The fields Era, Nonce, Tip and Call
// of t are used; sign returns the signature of the payload it is given.
func (rt *Runtime) Sign(e *Env, t Tx, signer types.AccountID, sign func(payload []byte) (crypto.MultiSignature, error)) (types.Extrinsic, error) {
	t.call, t.extra = t.Call.AppendSCALE(nil), nil
	for _, x := range rt.extensions {
		t.extra = x.AppendExtra(t.extra, &t)
	}
	p, err := rt.Payload(e, &t)
	if err != nil {
		return nil, err
	}
	sig, err := sign(p)
	if err != nil {
		return nil, err
	}
	body := types.Address(signer).AppendSCALE([]byte{extrinsicVersion | extrinsicSigned})
	body = sig.AppendSCALE(body)
	return withLength(append(append(body, t.extra...), t.call...)), nil
}

// ValidTransaction is how a transaction stands in the pool:
// sp_runtime::transaction_validity::ValidTransaction.
type ValidTransaction struct {
	Priority  uint64
	Requires  [][]byte // tags that must be provided before
	Provides  [][]byte // tags that this transaction provides
	Longevity uint64   // blocks that this stays true
	Propagate bool
}

// SCALEPath names the type for clients.
func (ValidTransaction) SCALEPath() string {
	return "sp_runtime::transaction_validity::ValidTransaction"
}

// newValid is the transaction that every extension agrees to.
func newValid() ValidTransaction { return ValidTransaction{Longevity: ^uint64(0), Propagate: true} }

// Source says where a transaction came from.
type Source uint8

// Where transactions come from.
const (
	SourceInBlock Source = iota
	SourceLocal
	SourceExternal
)

// Variants names the sources for metadata.
func (Source) Variants() []string { return []string{"InBlock", "Local", "External"} }

// SCALEPath names the type for clients.
func (Source) SCALEPath() string { return "sp_runtime::transaction_validity::TransactionSource" }

// Extension is a signed extension: data that extrinsics carry beside the call,
// data that is only signed, and checks before and after dispatch. Embed
// NoExtension and implement what is needed.
type Extension interface {
	// Identifier is the name by which clients know the extension.
	Identifier() string
	// Extra is the type of its data in the extrinsic, Additional of what is only signed.
	Extra() reflect.Type
	Additional() reflect.Type
	// DecodeExtra and AppendExtra move the data between the wire and t.
	DecodeExtra(c *scale.Cursor, t *Tx)
	AppendExtra(dst []byte, t *Tx) []byte
	// AppendAdditional appends what is only signed.
	AppendAdditional(e *Env, dst []byte, t *Tx) ([]byte, error)
	// Validate judges t for the pool and adds to v.
	Validate(e *Env, t *Tx, v *ValidTransaction) error
	// Prepare is run before dispatch; an error makes the block invalid.
	Prepare(e *Env, t *Tx) error
	// Settle is run after dispatch with the weight that was really used.
	Settle(e *Env, t *Tx, used types.Weight, pays Pays, result error) error
}

// BareExtension is implemented by extensions that check unsigned extrinsics too.
type BareExtension interface {
	ValidateBare(e *Env, t *Tx) error
	PrepareBare(e *Env, t *Tx) error
}

// NoExtension does nothing; extensions embed it.
type NoExtension struct{}

// Extra is the type of no data.
func (NoExtension) Extra() reflect.Type { return reflect.TypeFor[scale.Unit]() }

// Additional is the type of no data.
func (NoExtension) Additional() reflect.Type { return reflect.TypeFor[scale.Unit]() }

// DecodeExtra reads nothing.
func (NoExtension) DecodeExtra(*scale.Cursor, *Tx) {}

// AppendExtra appends nothing.
func (NoExtension) AppendExtra(dst []byte, _ *Tx) []byte { return dst }

// AppendAdditional appends nothing.
func (NoExtension) AppendAdditional(_ *Env, dst []byte, _ *Tx) ([]byte, error) { return dst, nil }

// Validate agrees.
func (NoExtension) Validate(*Env, *Tx, *ValidTransaction) error { return nil }

// Prepare does nothing.
func (NoExtension) Prepare(*Env, *Tx) error { return nil }

// Settle does nothing.
func (NoExtension) Settle(*Env, *Tx, types.Weight, Pays, error) error { return nil }
