package authorship_test

import (
	"slices"
	"testing"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/authorship"
	"github.com/crustgo/crust/substrate/types"
)

// chain plays the engine, the session and a handler.
type chain struct {
	position   uint32
	claimed    bool
	validators []types.AccountID
	noted      []types.AccountID
}

func (c *chain) FindAuthor(*frame.Env) (uint32, bool)          { return c.position, c.claimed }
func (c *chain) ActiveValidators(*frame.Env) []types.AccountID { return c.validators }
func (c *chain) NoteAuthor(_ *frame.Env, who types.AccountID)  { c.noted = append(c.noted, who) }

func acc(n byte) types.AccountID { return types.AccountID{n} }

func newChain(t testing.TB) (*frametest.Chain, *authorship.Pallet, *chain) {
	c := &chain{claimed: true, validators: []types.AccountID{acc(1), acc(2)}}
	p := &authorship.Pallet{Claims: c, Session: c, Handlers: []authorship.Handler{c}}
	return frametest.New(t, frametest.Module(7, "Authorship", p)).Genesis(nil), p, c
}

func TestConformance(t *testing.T) {
	c, _, _ := newChain(t)
	frametest.Conformance(t, c)
}

func TestAuthor(t *testing.T) {
	ch, p, c := newChain(t)
	for _, tc := range []struct {
		name     string
		position uint32
		claimed  bool
		want     types.AccountID
		ok       bool
	}{
		{"first", 0, true, acc(1), true},
		{"second", 1, true, acc(2), true},
		{"no such validator", 2, true, types.AccountID{}, false},
		{"far beyond", 1<<32 - 1, true, types.AccountID{}, false},
		{"no claim", 0, false, types.AccountID{}, false},
	} {
		c.position, c.claimed, c.noted = tc.position, tc.claimed, nil
		ch.Block(func(e *frame.Env) {
			if got, ok := p.BlockAuthor(e); got != tc.want || ok != tc.ok {
				t.Errorf("%s: %v, %v", tc.name, got, ok)
			}
			c.validators = []types.AccountID{acc(9), acc(9)} // what is found stays for the block
			if got, _ := p.BlockAuthor(e); tc.ok && got != tc.want {
				t.Errorf("%s: the author became %v", tc.name, got)
			}
		})
		c.validators = []types.AccountID{acc(1), acc(2)}
		if tc.ok != slices.Equal(c.noted, []types.AccountID{tc.want}) {
			t.Errorf("%s: the handler was told %v", tc.name, c.noted)
		}
	}
}

// asking is a pallet that asks for the author before authorship's hook runs,
// while the validators are still the old ones.
type asking struct {
	frame.Base
	p     *authorship.Pallet
	c     *chain
	early types.AccountID
}

func (a *asking) Spec() frame.Spec { return frame.Spec{} }
func (a *asking) OnInitialize(e *frame.Env) types.Weight {
	a.early, _ = a.p.BlockAuthor(e)
	a.c.validators = []types.AccountID{acc(7)} // the session rotates
	return types.Weight{RefTime: 1}
}

func TestEarlyQuestionIsNotKept(t *testing.T) {
	c := &chain{claimed: true, validators: []types.AccountID{acc(1)}}
	p := &authorship.Pallet{Claims: c, Session: c, Handlers: []authorship.Handler{c}}
	a := &asking{p: p, c: c}
	ch := frametest.New(t, frametest.Module(7, "Authorship", p), frametest.Module(10, "Asking", a)).Genesis(nil)
	ch.Block(func(e *frame.Env) {
		if got, _ := p.BlockAuthor(e); got != acc(7) || a.early != acc(1) {
			t.Errorf("author %v, early %v", got, a.early)
		}
	})
}
