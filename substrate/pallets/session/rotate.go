package session

import (
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// OnInitialize ends the session if it is over.
func (p *Pallet) OnInitialize(e *frame.Env) types.Weight {
	if !p.Trigger.ShouldEndSession(e) {
		return weights.noRotation
	}
	p.rotate(e)
	return weights.rotation.At(len(p.QueuedKeys.Get(e)))
}

// rotate ends the session: the queue becomes active, a new one is planned, and
// everybody is told.
func (p *Pallet) rotate(e *frame.Env) {
	index, changed := p.CurrentIndex.Get(e), p.QueuedChanged.Get(e)
	for _, h := range p.Handlers {
		h.OnBeforeSessionEnding(e)
	}
	p.Manager.EndSession(e, index)

	active := p.QueuedKeys.Get(e)
	p.Validators.Put(e, validatorsOf(active))
	if changed {
		p.DisabledValidators.Kill(e) // positions mean other validators now
	}
	index++
	p.CurrentIndex.Put(e, index)
	p.Manager.StartSession(e, index)

	queued, elected := p.plan(e, index+1)
	if len(queued) == 0 {
		queued, elected = active, false // a chain without authors would never end another session
	}
	p.QueuedKeys.Put(e, queued)
	p.QueuedChanged.Put(e, elected || !slices.Equal(queued, active))
	p.Emit(e, NewSession{index})
	for _, h := range p.Handlers {
		h.OnNewSession(e, index, changed, active, queued)
	}
}

// plan asks for the validators of a session and looks up their keys; those
// without keys stay out. elected is false if the manager lets them stay as they are.
func (p *Pallet) plan(e *frame.Env, index types.SessionIndex) (queued []Entry, elected bool) {
	next, elected := p.Manager.NewSession(e, index)
	if !elected {
		next = p.Validators.Get(e)
	}
	queued = make([]Entry, 0, len(next))
	for _, v := range next {
		if keys, ok := p.NextKeys.Lookup(e, v); ok {
			queued = append(queued, Entry{v, keys})
		}
	}
	return queued, elected
}

func validatorsOf(entries []Entry) []types.AccountID {
	out := make([]types.AccountID, len(entries))
	for i := range entries {
		out[i] = entries[i].Validator
	}
	return out
}

// Genesis is the pallet's genesis configuration.
type Genesis struct {
	// Keys are the session keys of the first validators, in their order unless the
	// manager says otherwise, and of any others that file keys in advance.
	Keys []GenesisKeys `json:"keys"`
}

// GenesisKeys are the session keys of a validator.
type GenesisKeys struct {
	Validator types.AccountID `json:"validator"`
	Keys      Keys            `json:"keys"`
}

// NewGenesis returns the default configuration: no validators.
func (p *Pallet) NewGenesis() any { return &Genesis{} }

// BuildGenesis files the keys, plans the first two sessions and starts session 0.
func (p *Pallet) BuildGenesis(e *frame.Env, config any) error {
	g := config.(*Genesis)
	validators := make([]types.AccountID, 0, len(g.Keys))
	for _, k := range g.Keys {
		if p.NextKeys.Exists(e, k.Validator) {
			return fmt.Errorf("validator %v is listed twice", k.Validator)
		}
		if !p.available(e, k.Validator, &k.Keys) {
			return fmt.Errorf("a session key of validator %v is another's", k.Validator)
		}
		if p.Accounts.IncConsumers(e, k.Validator) != nil { // an account without funds: its keys keep it
			p.Accounts.IncProviders(e, k.Validator)
			if err := p.Accounts.IncConsumers(e, k.Validator); err != nil {
				return err
			}
		}
		p.file(e, k.Validator, k.Keys)
		validators = append(validators, k.Validator)
	}
	p.Validators.Put(e, validators) // what the manager finds if it leaves them as they are
	first, _ := p.plan(e, 0)
	p.Validators.Put(e, validatorsOf(first))
	if queued, _ := p.plan(e, 1); !slices.Equal(first, queued) {
		return fmt.Errorf("session 1 has other validators than session 0: %v, not %v", validatorsOf(queued), validatorsOf(first))
	}
	p.QueuedKeys.Put(e, first)
	p.QueuedChanged.Put(e, false)
	for _, h := range p.Handlers {
		h.OnGenesisSession(e, first)
	}
	p.Manager.StartSession(e, 0)
	return nil
}
