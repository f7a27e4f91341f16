package system

import (
	"reflect"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Extensions are the signed extensions of this pallet in their usual order;
// what charges the fee comes after them.
func (p *Pallet) Extensions() []frame.Extension {
	return []frame.Extension{
		CheckNonZeroSender{}, CheckSpecVersion{Pallet: p}, CheckTxVersion{Pallet: p}, CheckGenesis{Pallet: p},
		CheckMortality{Pallet: p}, CheckNonce{Pallet: p}, CheckWeight{Pallet: p},
	}
}

// CheckNonZeroSender refuses the account of 32 zero bytes, whose key anybody can forge.
type CheckNonZeroSender struct{ frame.NoExtension }

// Identifier is the name by which clients know the extension.
func (CheckNonZeroSender) Identifier() string { return "CheckNonZeroSender" }

// Validate refuses the zero account.
func (c CheckNonZeroSender) Validate(e *frame.Env, t *frame.Tx, _ *frame.ValidTransaction) error {
	return c.Prepare(e, t)
}

// Prepare refuses the zero account.
func (CheckNonZeroSender) Prepare(_ *frame.Env, t *frame.Tx) error {
	if t.Signer == (types.AccountID{}) {
		return frame.ErrBadSigner
	}
	return nil
}

// CheckSpecVersion makes the signature hold for one version of the runtime only.
type CheckSpecVersion struct {
	frame.NoExtension
	Pallet *Pallet
}

// Identifier is the name by which clients know the extension.
func (CheckSpecVersion) Identifier() string { return "CheckSpecVersion" }

// Additional is the type of the spec version.
func (CheckSpecVersion) Additional() reflect.Type { return reflect.TypeFor[uint32]() }

// AppendAdditional appends the spec version.
func (c CheckSpecVersion) AppendAdditional(_ *frame.Env, dst []byte, _ *frame.Tx) ([]byte, error) {
	v := c.Pallet.Version.Get()
	return scale.AppendU32(dst, v.SpecVersion), nil
}

// CheckTxVersion makes the signature hold for one version of the transaction format only.
type CheckTxVersion struct {
	frame.NoExtension
	Pallet *Pallet
}

// Identifier is the name by which clients know the extension.
func (CheckTxVersion) Identifier() string { return "CheckTxVersion" }

// Additional is the type of the transaction version.
func (CheckTxVersion) Additional() reflect.Type { return reflect.TypeFor[uint32]() }

// AppendAdditional appends the transaction version.
func (c CheckTxVersion) AppendAdditional(_ *frame.Env, dst []byte, _ *frame.Tx) ([]byte, error) {
	v := c.Pallet.Version.Get()
	return scale.AppendU32(dst, v.TransactionVersion), nil
}

// CheckGenesis makes the signature hold on one chain only.
type CheckGenesis struct {
	frame.NoExtension
	Pallet *Pallet
}

// Identifier is the name by which clients know the extension.
func (CheckGenesis) Identifier() string { return "CheckGenesis" }

// Additional is the type of the genesis hash.
func (CheckGenesis) Additional() reflect.Type { return reflect.TypeFor[types.Hash]() }

// AppendAdditional appends the hash of block 0.
func (c CheckGenesis) AppendAdditional(e *frame.Env, dst []byte, _ *frame.Tx) ([]byte, error) {
	h, ok := c.Pallet.HashOf(e, 0)
	if !ok {
		return nil, frame.ErrUnknownLookup
	}
	return append(dst, h[:]...), nil
}

// HashOf is the hash of a recent block, or of genesis.
func (p *Pallet) HashOf(e *frame.Env, n types.BlockNumber) (types.Hash, bool) {
	if n+1 == e.Number() {
		return e.ParentHash(), true
	}
	return p.BlockHash.Lookup(e, n)
}

// CheckMortality limits how long a signature holds: the signer names a span of
// blocks and signs the hash of its first one.
type CheckMortality struct {
	frame.NoExtension
	Pallet *Pallet
}

// Identifier is the name by which clients know the extension.
func (CheckMortality) Identifier() string { return "CheckMortality" }

// SCALEPath names the extension's data for clients.
func (CheckMortality) SCALEPath() string {
	return "frame_system::extensions::check_mortality::CheckMortality"
}

// Extra is the type of the era.
func (CheckMortality) Extra() reflect.Type { return reflect.TypeFor[types.Era]() }

// Additional is the type of the hash of the era's first block.
func (CheckMortality) Additional() reflect.Type { return reflect.TypeFor[types.Hash]() }

// DecodeExtra reads the era.
func (CheckMortality) DecodeExtra(c *scale.Cursor, t *frame.Tx) { t.Era.DecodeSCALE(c) }

// AppendExtra appends the era.
func (CheckMortality) AppendExtra(dst []byte, t *frame.Tx) []byte { return t.Era.AppendSCALE(dst) }

// AppendAdditional appends the hash of the era's first block; the chain has
// forgotten it if the era is too old.
func (c CheckMortality) AppendAdditional(e *frame.Env, dst []byte, t *frame.Tx) ([]byte, error) {
	birth := t.Era.Birth(uint64(e.Number()))
	h, ok := c.Pallet.HashOf(e, types.BlockNumber(birth))
	if !ok {
		return nil, frame.ErrAncientBirthBlock
	}
	return append(dst, h[:]...), nil
}

// Validate bounds how long the pool may keep the transaction.
func (c CheckMortality) Validate(e *frame.Env, t *frame.Tx, v *frame.ValidTransaction) error {
	if !t.Era.IsImmortal() {
		now := uint64(e.Number())
		v.Longevity = min(v.Longevity, t.Era.Death(now)-now) // an era ends after the block that it is judged at
	}
	return nil
}

// CheckNonce makes an account's extrinsics come in order, each once.
type CheckNonce struct {
	frame.NoExtension
	Pallet *Pallet
}

// Identifier is the name by which clients know the extension.
func (CheckNonce) Identifier() string { return "CheckNonce" }

// SCALEPath names the extension's data for clients.
func (CheckNonce) SCALEPath() string { return "frame_system::extensions::check_nonce::CheckNonce" }

// Extra is the type of the nonce.
func (CheckNonce) Extra() reflect.Type { return reflect.TypeFor[types.Nonce]() }

// CompactExtra says that the nonce is compact.
func (CheckNonce) CompactExtra() bool { return true }

// DecodeExtra reads the nonce.
func (CheckNonce) DecodeExtra(c *scale.Cursor, t *frame.Tx) { t.Nonce = types.Nonce(c.CompactU32()) }

// AppendExtra appends the nonce.
func (CheckNonce) AppendExtra(dst []byte, t *frame.Tx) []byte {
	return scale.AppendCompact(dst, uint64(t.Nonce))
}

// Validate refuses a nonce of the past and tags the transaction so that the
// pool keeps the order of an account.
func (c CheckNonce) Validate(e *frame.Env, t *frame.Tx, v *frame.ValidTransaction) error {
	a := c.Pallet.Account.Get(e, t.Signer)
	if !a.Live() {
		return frame.ErrPayment // nothing to pay with, and no nonce to count
	}
	if t.Nonce < a.Nonce {
		return frame.ErrStale
	}
	v.Provides = append(v.Provides, nonceTag(t.Signer, t.Nonce))
	if t.Nonce > a.Nonce {
		v.Requires = append(v.Requires, nonceTag(t.Signer, t.Nonce-1))
	}
	return nil
}

// nonceTag is what a transaction provides in the pool: signer and nonce.
func nonceTag(who types.AccountID, n types.Nonce) []byte {
	return scale.AppendU32(append(make([]byte, 0, 36), who[:]...), uint32(n))
}

// Prepare demands the next nonce and counts it.
func (c CheckNonce) Prepare(e *frame.Env, t *frame.Tx) error {
	a := c.Pallet.Account.Get(e, t.Signer)
	switch {
	case !a.Live():
		return frame.ErrPayment
	case t.Nonce < a.Nonce:
		return frame.ErrStale
	case t.Nonce > a.Nonce:
		return frame.ErrFuture
	}
	a.Nonce++
	c.Pallet.Account.Put(e, t.Signer, a)
	return nil
}

// CheckWeight keeps blocks within their limits of weight and length.
type CheckWeight struct {
	frame.NoExtension
	Pallet *Pallet
}

// Identifier is the name by which clients know the extension.
func (CheckWeight) Identifier() string { return "CheckWeight" }

// Validate refuses what could not be in any block.
func (c CheckWeight) Validate(e *frame.Env, t *frame.Tx, _ *frame.ValidTransaction) error {
	return c.ValidateBare(e, t)
}

// Prepare charges the extrinsic to the block.
func (c CheckWeight) Prepare(e *frame.Env, t *frame.Tx) error { return c.PrepareBare(e, t) }

// ValidateBare refuses what could not be in any block.
func (c CheckWeight) ValidateBare(e *frame.Env, t *frame.Tx) error {
	weights, length := e.Runtime().Limits()
	if !weights.FitsAlone(t.Info) || t.Len() > *length.Max.Of(t.Info.Class) {
		return frame.ErrExhaustsResources
	}
	return nil
}

// PrepareBare charges the extrinsic to the block.
func (c CheckWeight) PrepareBare(e *frame.Env, t *frame.Tx) error {
	weights, length := e.Runtime().Limits()
	return e.Consume(weights, length, t.Info, t.Len())
}
