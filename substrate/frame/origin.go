package frame

import "github.com/crustgo/crust/substrate/types"

// Origin says on whose authority a call runs. The zero Origin is None: the call
// came in an unsigned extrinsic or inherent.
type Origin struct {
	kind originKind
	who  types.AccountID
}

type originKind uint8

const (
	originNone originKind = iota
	originRoot
	originSigned
)

// Root is the origin of the chain's own authority.
func Root() Origin { return Origin{kind: originRoot} }

// None is the origin of unsigned extrinsics and inherents.
func None() Origin { return Origin{} }

// Signed is the origin of an extrinsic that who signed.
func Signed(who types.AccountID) Origin { return Origin{originSigned, who} }

// Signed returns the signer, or ErrBadOrigin.
func (o Origin) Signed() (types.AccountID, error) {
	if o.kind != originSigned {
		return types.AccountID{}, ErrBadOrigin
	}
	return o.who, nil
}

// EnsureRoot returns ErrBadOrigin unless the origin is Root.
func (o Origin) EnsureRoot() error { return o.ensure(originRoot) }

// EnsureNone returns ErrBadOrigin unless the origin is None.
func (o Origin) EnsureNone() error { return o.ensure(originNone) }

// IsRoot reports whether the origin is Root.
func (o Origin) IsRoot() bool { return o.kind == originRoot }

func (o Origin) ensure(k originKind) error {
	if o.kind != k {
		return ErrBadOrigin
	}
	return nil
}
