package sudo

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the sudo pallet.
type Pallet struct {
	frame.Base

	Key frame.Value[types.AccountID] `frame:"optional"` // account that may act as Root
}

// Events.
type (
	// Sudid says that a call was made as Root, or as another account's, and how it ended.
	Sudid struct{ SudoResult frame.DispatchResult }
	// KeyChanged says that the key was handed over.
	KeyChanged struct {
		Old scale.Option[types.AccountID]
		New types.AccountID
	}
	// KeyRemoved says that the key was given up for good.
	KeyRemoved struct{}
	// SudoAsDone says that a call was made in the name of another account, and how it ended.
	SudoAsDone struct{ SudoResult frame.DispatchResult }
)

// ErrRequireSudo says that the sender does not hold the key.
var ErrRequireSudo = frame.NewError("RequireSudo")

// Arguments of the calls, in wire order.
type (
	// SudoArgs are the arguments of sudo.
	SudoArgs struct{ Call frame.RuntimeCall }
	// SudoWeightArgs are the arguments of sudo_unchecked_weight.
	SudoWeightArgs struct {
		Call   frame.RuntimeCall
		Weight types.Weight
	}
	// SetKeyArgs are the arguments of set_key.
	SetKeyArgs struct{ New types.MultiAddress }
	// SudoAsArgs are the arguments of sudo_as.
	SudoAsArgs struct {
		Who  types.MultiAddress
		Call frame.RuntimeCall
	}
)

// Spec lists the wire surface.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			0: frame.NewCall("sudo", p.sudo, weights.sudo).Info(func(a *SudoArgs) frame.DispatchInfo { return around(a.Call) }),
			1: frame.NewCall("sudo_unchecked_weight", p.sudoUncheckedWeight, weights.sudo).Info(func(a *SudoWeightArgs) frame.DispatchInfo {
				return frame.DispatchInfo{Weight: a.Weight.Add(weights.sudo), Class: around(a.Call).Class}
			}),
			2: frame.NewCall("set_key", p.setKey, weights.setKey),
			3: frame.NewCall("sudo_as", p.sudoAs, weights.sudo).Info(func(a *SudoAsArgs) frame.DispatchInfo { return around(a.Call) }),
			4: frame.NewCall("remove_key", p.removeKey, weights.setKey),
		},
		Events: []any{Sudid{}, KeyChanged{}, KeyRemoved{}, SudoAsDone{}},
		Errors: []*frame.Error{ErrRequireSudo},
	}
}

// around is the cost of a call with sudo around it. Mandatory is for inherents
// alone: what is signed never is.
func around(c frame.RuntimeCall) frame.DispatchInfo {
	inner := c.Info()
	info := frame.DispatchInfo{Weight: inner.Weight.Add(weights.sudo)}
	if inner.Class == frame.Operational {
		info.Class = frame.Operational
	}
	return info
}

// ensure admits the holder of the key.
func (p *Pallet) ensure(e *frame.Env, o frame.Origin) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	if key, ok := p.Key.Lookup(e); !ok || key != who {
		return p.Fail(ErrRequireSudo)
	}
	return nil
}

// sudo makes a call as Root.
func (p *Pallet) sudo(e *frame.Env, o frame.Origin, a SudoArgs) error {
	if err := p.ensure(e, o); err != nil {
		return err
	}
	p.Emit(e, Sudid{frame.ResultOf(a.Call.Dispatch(e, frame.Root()))})
	e.WaiveFee()
	return nil
}

// sudoUncheckedWeight makes a call as Root and charges the given weight for it.
func (p *Pallet) sudoUncheckedWeight(e *frame.Env, o frame.Origin, a SudoWeightArgs) error {
	return p.sudo(e, o, SudoArgs{a.Call})
}

// setKey hands the key over.
func (p *Pallet) setKey(e *frame.Env, o frame.Origin, a SetKeyArgs) error {
	if err := p.ensure(e, o); err != nil {
		return err
	}
	next, ok := a.New.Account()
	if !ok {
		return frame.ErrCannotLookup
	}
	p.Emit(e, KeyChanged{scale.Some(p.Key.Get(e)), next})
	p.Key.Put(e, next)
	e.WaiveFee()
	return nil
}

// sudoAs makes a call in the name of another account.
func (p *Pallet) sudoAs(e *frame.Env, o frame.Origin, a SudoAsArgs) error {
	if err := p.ensure(e, o); err != nil {
		return err
	}
	who, ok := a.Who.Account()
	if !ok {
		return frame.ErrCannotLookup
	}
	p.Emit(e, SudoAsDone{frame.ResultOf(a.Call.Dispatch(e, frame.Signed(who)))})
	e.WaiveFee()
	return nil
}

// removeKey gives the key up for good.
func (p *Pallet) removeKey(e *frame.Env, o frame.Origin, _ frame.NoArgs) error {
	if err := p.ensure(e, o); err != nil {
		return err
	}
	p.Key.Kill(e)
	p.Emit(e, KeyRemoved{})
	e.WaiveFee()
	return nil
}

// Genesis is the pallet's genesis configuration.
type Genesis struct {
	Key *types.AccountID `json:"key"` // hex or SS58 address; null: nobody acts as Root
}

// NewGenesis returns the default configuration.
func (p *Pallet) NewGenesis() any { return &Genesis{} }

// BuildGenesis files the key.
func (p *Pallet) BuildGenesis(e *frame.Env, config any) error {
	if key := config.(*Genesis).Key; key != nil {
		p.Key.Put(e, *key)
	}
	return nil
}
