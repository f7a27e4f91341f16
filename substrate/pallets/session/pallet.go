package session

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

var (
	typeKeyTypeID = reflect.TypeFor[KeyTypeID]()
	typeBytes     = reflect.TypeFor[[]byte]()
	typeAccountID = reflect.TypeFor[types.AccountID]()
	typeKeys      = reflect.TypeFor[Keys]()
)

// Pallet is the session pallet.
type Pallet struct {
	frame.Base

	Validators         frame.Value[[]types.AccountID]       // validators of the current session
	CurrentIndex       frame.Value[types.SessionIndex]      // index of the current session
	QueuedChanged      frame.Value[bool]                    // whether the queued validators or their keys differ from the current ones
	QueuedKeys         frame.Value[[]Entry]                 // validators of the next session, with the keys they will act by
	DisabledValidators frame.Value[[]uint32]                // positions of the validators that are disabled for the rest of the session, ascending
	NextKeys           frame.Map[types.AccountID, Keys]     `frame:"twox_64_concat,optional"` // keys that each validator has filed
	KeyOwner           frame.Map[OwnedKey, types.AccountID] `frame:"twox_64_concat,optional"` // validator that has filed a key

	Trigger  Trigger   // ends sessions
	Manager  Manager   // chooses validators
	Identity Identity  // knows for whom an account acts
	Accounts Accounts  // counts references
	Handlers []Handler `frame:"-"` // are told of sessions, in order
	// Generate makes session keys in the node's keystore and returns them, encoded.
	// Nil where there is no keystore.
	Generate func(seed []byte) ([]byte, error) `frame:"-"`
}

// Trigger decides when a session ends.
type Trigger interface {
	// ShouldEndSession reports whether the block that begins is the first of a new session.
	ShouldEndSession(e *frame.Env) bool
}

// Manager chooses the validators.
type Manager interface {
	// NewSession plans a session, one ahead: ok is false if the validators stay
	// as they are. It is called for sessions 0 and 1 at genesis, which have one set.
	NewSession(e *frame.Env, index types.SessionIndex) (validators []types.AccountID, ok bool)
	// StartSession tells that a session begins.
	StartSession(e *frame.Env, index types.SessionIndex)
	// EndSession tells that a session ends.
	EndSession(e *frame.Env, index types.SessionIndex)
}

// Identity knows for which validator an account acts.
type Identity interface {
	// ValidatorIDOf is the validator (stash) that an account (controller) acts for.
	ValidatorIDOf(e *frame.Env, account types.AccountID) (validator types.AccountID, ok bool)
}

// Accounts is what the pallet needs of package system.
type Accounts interface {
	IncConsumers(e *frame.Env, who types.AccountID) error
	DecConsumers(e *frame.Env, who types.AccountID)
	IncProviders(e *frame.Env, who types.AccountID)
}

// Handler is a pallet that acts with session keys.
type Handler interface {
	// OnGenesisSession tells the validators of sessions 0 and 1.
	OnGenesisSession(e *frame.Env, validators []Entry)
	// OnNewSession tells, in the first block of session index, its validators and
	// those of the session after it. changed is false if the validators and their
	// keys are those of the session before.
	OnNewSession(e *frame.Env, index types.SessionIndex, changed bool, validators, queued []Entry)
	// OnBeforeSessionEnding tells that the session ends, before anything changes.
	OnBeforeSessionEnding(e *frame.Env)
	// OnDisabled tells that the validator at a position is disabled until the set changes.
	OnDisabled(e *frame.Env, position uint32)
}

// NewSession says that a session has begun.
type NewSession struct{ SessionIndex types.SessionIndex }

// Errors.
var (
	// ErrInvalidProof says that the proof of ownership of the keys is wrong.
	ErrInvalidProof = frame.NewError("InvalidProof")
	// ErrNoAssociatedValidatorID says that the account acts for no validator.
	ErrNoAssociatedValidatorID = frame.NewError("NoAssociatedValidatorId")
	// ErrDuplicatedKey says that another validator has filed the key.
	ErrDuplicatedKey = frame.NewError("DuplicatedKey")
	// ErrNoKeys says that the validator has filed no keys.
	ErrNoKeys = frame.NewError("NoKeys")
	// ErrNoAccount says that the validator's account does not exist, so that nothing can refer to it.
	ErrNoAccount = frame.NewError("NoAccount")
)

// Spec lists the wire surface.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			0: frame.NewCall("set_keys", p.setKeys, weights.setKeys),
			1: frame.NewCall("purge_keys", p.purgeKeys, weights.purgeKeys),
		},
		Events: []any{NewSession{}},
		Errors: []*frame.Error{ErrInvalidProof, ErrNoAssociatedValidatorID, ErrDuplicatedKey, ErrNoKeys, ErrNoAccount},
	}
}

// SetKeysArgs are the arguments of set_keys. Proof is reserved; any bytes do.
type SetKeysArgs struct {
	Keys  Keys
	Proof []byte
}

// setKeys files the session keys of the sender's validator; they act from the next session but one on.
func (p *Pallet) setKeys(e *frame.Env, o frame.Origin, a SetKeysArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	validator, ok := p.Identity.ValidatorIDOf(e, who)
	if !ok {
		return p.Fail(ErrNoAssociatedValidatorID)
	}
	if !p.available(e, validator, &a.Keys) {
		return p.Fail(ErrDuplicatedKey)
	}
	if !p.NextKeys.Exists(e, validator) && p.Accounts.IncConsumers(e, validator) != nil {
		return p.Fail(ErrNoAccount)
	}
	p.file(e, validator, a.Keys)
	return nil
}

// purgeKeys withdraws the session keys of the sender's validator, which is no validator any more from the next session but one on.
func (p *Pallet) purgeKeys(e *frame.Env, o frame.Origin, _ frame.NoArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	validator, known := p.Identity.ValidatorIDOf(e, who)
	if !known {
		validator = who // a validator that is bonded no more may still clear up
	}
	keys, ok := p.NextKeys.Lookup(e, validator)
	switch {
	case !ok && !known:
		return p.Fail(ErrNoAssociatedValidatorID)
	case !ok:
		return p.Fail(ErrNoKeys)
	}
	for _, k := range keys.Raw() {
		p.KeyOwner.Kill(e, k)
	}
	p.NextKeys.Kill(e, validator)
	p.Accounts.DecConsumers(e, validator)
	return nil
}

// available reports whether no other validator has filed any of the keys.
func (p *Pallet) available(e *frame.Env, validator types.AccountID, keys *Keys) bool {
	for _, k := range keys.Raw() {
		if owner, ok := p.KeyOwner.Lookup(e, k); ok && owner != validator {
			return false
		}
	}
	return true
}

// file records keys that are available.
func (p *Pallet) file(e *frame.Env, validator types.AccountID, keys Keys) {
	if old, ok := p.NextKeys.Lookup(e, validator); ok {
		for _, k := range old.Raw() {
			p.KeyOwner.Kill(e, k)
		}
	}
	for _, k := range keys.Raw() {
		p.KeyOwner.Put(e, k, validator)
	}
	p.NextKeys.Put(e, validator, keys)
}

// SessionIndex is the index of the current session.
func (p *Pallet) SessionIndex(e *frame.Env) types.SessionIndex { return p.CurrentIndex.Get(e) }

// ActiveValidators are the validators of the current session, by position. The
// caller must not change the slice.
func (p *Pallet) ActiveValidators(e *frame.Env) []types.AccountID { return p.Validators.Get(e) }

// KeysOf are the keys that a validator has filed, which need not be those of the current session.
func (p *Pallet) KeysOf(e *frame.Env, validator types.AccountID) (Keys, bool) {
	return p.NextKeys.Lookup(e, validator)
}

// Disable disables a validator until the set changes; see DisableIndex.
func (p *Pallet) Disable(e *frame.Env, validator types.AccountID) bool {
	i := slices.Index(p.Validators.Get(e), validator)
	return i >= 0 && p.DisableIndex(e, uint32(i))
}

// DisableIndex disables the validator at a position until the set changes, and
// reports whether it did: not if it was disabled before, nor if more than a
// third would be, for then the chain could finalise no block.
func (p *Pallet) DisableIndex(e *frame.Env, position uint32) bool {
	n := len(p.Validators.Get(e))
	disabled := p.DisabledValidators.Get(e)
	at, found := slices.BinarySearch(disabled, position)
	if found || int64(position) >= int64(n) || len(disabled) >= (n-1)/3 {
		return false
	}
	p.DisabledValidators.Put(e, slices.Insert(slices.Clone(disabled), at, position))
	for _, h := range p.Handlers {
		h.OnDisabled(e, position)
	}
	return true
}

// Disabled are the positions of the validators that are disabled, ascending.
func (p *Pallet) Disabled(e *frame.Env) []uint32 { return p.DisabledValidators.Get(e) }

// IsDisabled reports whether the validator at a position is disabled.
func (p *Pallet) IsDisabled(e *frame.Env, position uint32) bool {
	_, found := slices.BinarySearch(p.DisabledValidators.Get(e), position)
	return found
}

// Check verifies that keys and owners agree and that disabled positions exist.
func (p *Pallet) Check(e *frame.Env) error {
	filed := 0
	for who, keys := range p.NextKeys.All(e) {
		for _, k := range keys.Raw() {
			if owner, ok := p.KeyOwner.Lookup(e, k); !ok || owner != who {
				return fmt.Errorf("key %v %x of %v is owned by %v", k.Type, k.Key, who, owner)
			}
			filed++
		}
	}
	owned := 0
	for range p.KeyOwner.All(e) {
		owned++
	}
	if owned != filed {
		return fmt.Errorf("%d keys are owned, %d are filed", owned, filed)
	}
	disabled := p.DisabledValidators.Get(e)
	n := len(p.Validators.Get(e))
	for i, d := range disabled {
		if int64(d) >= int64(n) || i > 0 && disabled[i-1] >= d {
			return fmt.Errorf("disabled positions %v of %d validators", disabled, n)
		}
	}
	return nil
}
