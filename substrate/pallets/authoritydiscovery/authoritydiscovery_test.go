package authoritydiscovery_test

import (
	"slices"
	"testing"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/authoritydiscovery"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/types"
)

func entries(ids ...byte) []session.Entry {
	var out []session.Entry
	for _, n := range ids {
		out = append(out, session.Entry{Validator: types.AccountID{n}, Keys: session.Keys{AuthorityDiscovery: session.AuthorityDiscoveryID{n}}})
	}
	return out
}

func ids(keys []session.AuthorityDiscoveryID) []byte {
	var out []byte
	for _, k := range keys {
		out = append(out, k[0])
	}
	return out
}

func newChain(t testing.TB) (*frametest.Chain, *authoritydiscovery.Pallet) {
	p := &authoritydiscovery.Pallet{MaxAuthorities: frame.ConstOf(uint32(4))}
	c := frametest.New(t, frametest.Module(13, "AuthorityDiscovery", p), func(c *frame.Config) { c.APIs = p.APIs() }).Genesis(nil)
	e := c.Env()
	p.OnGenesisSession(e, entries(2, 1))
	c.State.Apply(e.Changes())
	return c, p
}

func TestConformance(t *testing.T) {
	c, _ := newChain(t)
	frametest.Conformance(t, c)
}

func TestAuthorities(t *testing.T) {
	c, p := newChain(t)
	if got := ids(p.Authorities(c.Env())); !slices.Equal(got, []byte{1, 2}) {
		t.Errorf("at genesis %v", got)
	}
	for i, tc := range []struct {
		changed            bool
		validators, queued []byte
		keys, next, all    []byte
	}{
		{false, []byte{2, 1}, []byte{3, 1}, []byte{2, 1}, []byte{3, 1}, []byte{1, 2, 3}},
		{true, []byte{3, 1}, []byte{3, 1}, []byte{3, 1}, []byte{3, 1}, []byte{1, 3}},
		{true, []byte{9, 8, 7, 6, 5}, nil, []byte{9, 8, 7, 6}, nil, []byte{6, 7, 8, 9}},
	} {
		c.Block(func(e *frame.Env) {
			p.OnNewSession(e, types.SessionIndex(i+1), tc.changed, entries(tc.validators...), entries(tc.queued...))
		})
		e := c.Env()
		if got := ids(p.Keys.Get(e)); !slices.Equal(got, tc.keys) {
			t.Errorf("session %d: keys %v", i+1, got)
		}
		if got := ids(p.NextKeys.Get(e)); !slices.Equal(got, tc.next) {
			t.Errorf("session %d: next keys %v", i+1, got)
		}
		raw, err := c.Runtime.Call(c.State, "AuthorityDiscoveryApi_authorities", nil)
		if err != nil || len(raw) != 1+32*len(tc.all) || raw[0] != byte(4*len(tc.all)) || raw[1] != tc.all[0] {
			t.Errorf("session %d: the API answers %x, %v", i+1, raw, err)
		}
		if got := ids(p.Authorities(e)); !slices.Equal(got, tc.all) {
			t.Errorf("session %d: authorities %v", i+1, got)
		}
	}
}
