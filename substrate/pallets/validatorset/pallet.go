package validatorset

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"errors"
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the validator set pallet.
type Pallet struct {
	frame.Base

	MaxValidators frame.Const[uint32] // how many validators there may be

	Validators frame.Value[[]types.AccountID] // validators that Root wants, in the order of the session

	Session     Session     // tells who validates now
	Controllers Controllers // knows who acts for whom; nil if all act for themselves
}

// Session is what the pallet needs of package session.
type Session interface {
	// ActiveValidators are the validators of the current session.
	ActiveValidators(e *frame.Env) []types.AccountID
}

// Controllers knows for which validator an account acts.
type Controllers interface {
	StashOf(e *frame.Env, controller types.AccountID) (stash types.AccountID, ok bool)
}

// Events.
type (
	// ValidatorAdded says that an account was added to the validators.
	ValidatorAdded struct{ Validator types.AccountID }
	// ValidatorRemoved says that an account was taken from the validators.
	ValidatorRemoved struct{ Validator types.AccountID }
)

// Errors.
var (
	// ErrDuplicate says that the account is among the validators already.
	ErrDuplicate = frame.NewError("Duplicate")
	// ErrNotValidator says that the account is not among the validators.
	ErrNotValidator = frame.NewError("NotValidator")
	// ErrLastValidator says that the last validator cannot be removed.
	ErrLastValidator = frame.NewError("LastValidator")
	// ErrTooManyValidators says that there is no room for another validator.
	ErrTooManyValidators = frame.NewError("TooManyValidators")
)

// Spec lists the wire surface.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			0: frame.NewCall("add_validator", p.addValidator, weights.change).Class(frame.Operational),
			1: frame.NewCall("remove_validator", p.removeValidator, weights.change).Class(frame.Operational),
		},
		Events: []any{ValidatorAdded{}, ValidatorRemoved{}},
		Errors: []*frame.Error{ErrDuplicate, ErrNotValidator, ErrLastValidator, ErrTooManyValidators},
	}
}

// ValidatorArgs are the arguments of both calls.
type ValidatorArgs struct{ Who types.AccountID }

// addValidator appends an account to the validators; Root only.
func (p *Pallet) addValidator(e *frame.Env, o frame.Origin, a ValidatorArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	list := p.list(e)
	switch {
	case slices.Contains(list, a.Who):
		return p.Fail(ErrDuplicate)
	case len(list) >= int(p.MaxValidators.Get()):
		return p.Fail(ErrTooManyValidators)
	}
	p.Validators.Put(e, append(slices.Clone(list), a.Who))
	p.Emit(e, ValidatorAdded{a.Who})
	return nil
}

// removeValidator takes an account from the validators; Root only.
func (p *Pallet) removeValidator(e *frame.Env, o frame.Origin, a ValidatorArgs) error {
	if err := o.EnsureRoot(); err != nil {
		return err
	}
	list := p.list(e)
	i := slices.Index(list, a.Who)
	switch {
	case i < 0:
		return p.Fail(ErrNotValidator)
	case len(list) == 1:
		return p.Fail(ErrLastValidator)
	}
	p.Validators.Put(e, slices.Delete(slices.Clone(list), i, i+1))
	p.Emit(e, ValidatorRemoved{a.Who})
	return nil
}

// list is what Root changes: at first, if genesis said nothing, what validates now.
func (p *Pallet) list(e *frame.Env) []types.AccountID {
	if list, ok := p.Validators.Lookup(e); ok && len(list) > 0 {
		return list
	}
	return p.Session.ActiveValidators(e)
}

// NewSession is the list, if it is not what validates now. At a genesis whose
// list is not there yet, the session keys decide.
func (p *Pallet) NewSession(e *frame.Env, _ types.SessionIndex) ([]types.AccountID, bool) {
	list := p.Validators.Get(e)
	if len(list) == 0 || slices.Equal(list, p.Session.ActiveValidators(e)) {
		return nil, false
	}
	return list, true
}

// StartSession does nothing.
func (p *Pallet) StartSession(*frame.Env, types.SessionIndex) {}

// EndSession does nothing.
func (p *Pallet) EndSession(*frame.Env, types.SessionIndex) {}

// ValidatorIDOf is the validator that an account acts for.
func (p *Pallet) ValidatorIDOf(e *frame.Env, account types.AccountID) (types.AccountID, bool) {
	if p.Controllers == nil {
		return account, true
	}
	return p.Controllers.StashOf(e, account)
}

// Genesis is the pallet's genesis configuration.
type Genesis struct {
	// Validators are the first validators; if empty, those of the session pallet.
	Validators []types.AccountID `json:"validators"`
}

// NewGenesis returns the default configuration.
func (p *Pallet) NewGenesis() any { return &Genesis{} }

// BuildGenesis files the list. The pallet may stand before or behind session in
// the table; behind it, the list cannot differ from what session started with.
func (p *Pallet) BuildGenesis(e *frame.Env, config any) error {
	list, active := config.(*Genesis).Validators, p.Session.ActiveValidators(e)
	switch {
	case len(list) == 0:
		list = active
	case len(active) > 0 && !slices.Equal(list, active):
		return fmt.Errorf("the validators are %v, but session 0 has %v", list, active)
	}
	p.Validators.Put(e, slices.Clone(list))
	return p.Check(e)
}

var errListed = errors.New("a validator is listed twice")

// Check verifies that nobody is listed twice and that there are not too many.
func (p *Pallet) Check(e *frame.Env) error {
	list := p.Validators.Get(e)
	if limit := p.MaxValidators.Get(); len(list) > int(limit) {
		return fmt.Errorf("%d validators, at most %d are allowed", len(list), limit)
	}
	seen := make(map[types.AccountID]bool, len(list))
	for _, v := range list {
		if seen[v] {
			return fmt.Errorf("%w: %v", errListed, v)
		}
		seen[v] = true
	}
	return nil
}
