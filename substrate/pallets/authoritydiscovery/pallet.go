package authoritydiscovery

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"fmt"
	"slices"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the authority discovery pallet.
type Pallet struct {
	frame.Base

	MaxAuthorities frame.Const[uint32] // how many keys are kept of a session

	Keys     frame.Value[[]session.AuthorityDiscoveryID] // keys of the validators of the current session
	NextKeys frame.Value[[]session.AuthorityDiscoveryID] // keys of the validators of the next session
}

// Spec lists the wire surface: there is none but storage and API.
func (p *Pallet) Spec() frame.Spec { return frame.Spec{} }

func (p *Pallet) keys(entries []session.Entry) []session.AuthorityDiscoveryID {
	out := make([]session.AuthorityDiscoveryID, min(len(entries), int(p.MaxAuthorities.Get())))
	for i := range out {
		out[i] = entries[i].Keys.AuthorityDiscovery
	}
	return out
}

// OnGenesisSession sets the first keys.
func (p *Pallet) OnGenesisSession(e *frame.Env, validators []session.Entry) {
	keys := p.keys(validators)
	p.Keys.Put(e, keys)
	p.NextKeys.Put(e, keys)
}

// OnNewSession sets the keys of a session and of the one after it.
func (p *Pallet) OnNewSession(e *frame.Env, _ types.SessionIndex, changed bool, validators, queued []session.Entry) {
	if changed {
		p.Keys.Put(e, p.keys(validators))
	}
	p.NextKeys.Put(e, p.keys(queued))
}

// OnBeforeSessionEnding does nothing.
func (p *Pallet) OnBeforeSessionEnding(*frame.Env) {}

// OnDisabled does nothing: a disabled validator can be reached.
func (p *Pallet) OnDisabled(*frame.Env, uint32) {}

// Authorities are the keys of the current and the next session, each once, ascending.
func (p *Pallet) Authorities(e *frame.Env) []session.AuthorityDiscoveryID {
	all := slices.Concat(p.Keys.Get(e), p.NextKeys.Get(e))
	slices.SortFunc(all, func(a, b session.AuthorityDiscoveryID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(all)
}

// APIs lists the runtime API AuthorityDiscoveryApi.
func (p *Pallet) APIs() []frame.API {
	return []frame.API{{Name: "AuthorityDiscoveryApi", Version: 1, Doc: "Tells which validators' addresses to look for.", Methods: []frame.Method{
		frame.Method0("authorities", "Returns the keys of the validators of the current and the next session.", func(e *frame.Env) ([]session.AuthorityDiscoveryID, error) {
			return p.Authorities(e), nil
		}),
	}}}
}

// Check verifies that there are not too many keys.
func (p *Pallet) Check(e *frame.Env) error {
	limit := int(p.MaxAuthorities.Get())
	if n := max(len(p.Keys.Get(e)), len(p.NextKeys.Get(e))); n > limit {
		return fmt.Errorf("authority discovery: %d keys, at most %d are allowed", n, limit)
	}
	return nil
}
