package validatorset_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/pallets/validatorset"
	"github.com/crustgo/crust/substrate/types"
)

func acc(n byte) types.AccountID { return types.AccountID{n} }

// every ends a session every n blocks.
type every types.BlockNumber

func (n every) ShouldEndSession(e *frame.Env) bool { return e.Number()%types.BlockNumber(n) == 0 }

type world struct {
	*frametest.Chain
	p *validatorset.Pallet
	s *session.Pallet
}

func keys(n byte) session.Keys {
	return session.Keys{Grandpa: session.GrandpaID{n}, Babe: session.BabeID{n}, ImOnline: session.ImOnlineID{n}, AuthorityDiscovery: session.AuthorityDiscoveryID{n}}
}

// build makes a chain with the pallet at an index, before or behind session.
func build(t testing.TB, index int) *world {
	sys := frametest.NewSystem()
	w := &world{p: &validatorset.Pallet{MaxValidators: frame.ConstOf(uint32(4))}, s: &session.Pallet{Trigger: every(2), Accounts: sys}}
	w.s.Manager, w.s.Identity, w.p.Session = w.p, w.p, w.s
	w.Chain = frametest.NewWith(t, sys, frametest.Module(10, "Session", w.s), frametest.Module(index, "ValidatorSet", w.p))
	return w
}

func sessionGenesis(validators ...byte) session.Genesis {
	g := session.Genesis{}
	for _, v := range validators {
		g.Keys = append(g.Keys, session.GenesisKeys{Validator: acc(v), Keys: keys(v)})
	}
	return g
}

func newWorld(t testing.TB) *world {
	w := build(t, 41)
	w.Genesis(map[string]any{"Session": sessionGenesis(1, 2)})
	return w
}

func (w *world) call(e *frame.Env, o frame.Origin, name string, who byte) error {
	return w.Call(e, o, "ValidatorSet", name, &validatorset.ValidatorArgs{Who: acc(who)})
}

func TestConformance(t *testing.T) { frametest.Conformance(t, newWorld(t).Chain) }

func TestCalls(t *testing.T) {
	w := newWorld(t)
	root := frame.Root()
	w.Block(func(e *frame.Env) {
		for i, tc := range []struct {
			origin frame.Origin
			call   string
			who    byte
			want   error
		}{
			{frame.Signed(acc(1)), "add_validator", 3, frame.ErrBadOrigin},
			{frame.Signed(acc(1)), "remove_validator", 1, frame.ErrBadOrigin},
			{root, "add_validator", 1, validatorset.ErrDuplicate},
			{root, "remove_validator", 3, validatorset.ErrNotValidator},
			{root, "add_validator", 3, nil},
			{root, "add_validator", 4, nil},
			{root, "add_validator", 5, validatorset.ErrTooManyValidators},
			{root, "remove_validator", 2, nil},
			{root, "remove_validator", 1, nil},
			{root, "remove_validator", 4, nil},
			{root, "remove_validator", 3, validatorset.ErrLastValidator},
			{root, "add_validator", 1, nil},
		} {
			if err := w.call(e, tc.origin, tc.call, tc.who); !errors.Is(err, tc.want) {
				t.Errorf("step %d: %v, want %v", i, err, tc.want)
			}
		}
		if got := w.p.Validators.Get(e); !slices.Equal(got, []types.AccountID{acc(3), acc(1)}) {
			t.Errorf("validators %v", got)
		}
	})
}

// TestChangeActsLater follows an added validator, which files its keys late, and a removed one.
func TestChangeActsLater(t *testing.T) {
	w := newWorld(t)
	validators := map[types.SessionIndex][]types.AccountID{}
	for w.Number < 14 {
		w.Block(func(e *frame.Env) {
			validators[w.s.SessionIndex(e)] = w.s.ActiveValidators(e)
			var err error
			switch e.Number() {
			case 3: // session 1
				w.System.IncProviders(e, acc(3))
				err = errors.Join(w.call(e, frame.Root(), "add_validator", 3), w.call(e, frame.Root(), "remove_validator", 1))
			case 7: // session 3
				err = w.Call(e, frame.Signed(acc(3)), "Session", "set_keys", &session.SetKeysArgs{Keys: keys(3)})
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	for i, want := range [][]types.AccountID{{acc(1), acc(2)}, {acc(1), acc(2)}, {acc(1), acc(2)}, {acc(2)}, {acc(2)}, {acc(2), acc(3)}, {acc(2), acc(3)}} {
		if got := validators[types.SessionIndex(i)]; !slices.Equal(got, want) {
			t.Errorf("session %d: %v, want %v", i, got, want)
		}
	}
	if w.s.QueuedChanged.Get(w.Env()) {
		t.Error("an unchanged set counts as changed")
	}
}

func TestGenesis(t *testing.T) {
	for _, tc := range []struct {
		name    string
		index   int
		list    []types.AccountID
		want    []types.AccountID // nil: refused
		session []types.AccountID
	}{
		{"behind session, no list", 41, nil, []types.AccountID{acc(1), acc(2)}, []types.AccountID{acc(1), acc(2)}},
		{"behind session, its list", 41, []types.AccountID{acc(1), acc(2)}, []types.AccountID{acc(1), acc(2)}, []types.AccountID{acc(1), acc(2)}},
		{"behind session, another list", 41, []types.AccountID{acc(2)}, nil, nil},
		{"before session, a list", 8, []types.AccountID{acc(2), acc(1)}, []types.AccountID{acc(2), acc(1)}, []types.AccountID{acc(2), acc(1)}},
		{"before session, listed twice", 8, []types.AccountID{acc(2), acc(2)}, nil, nil},
		{"before session, too many", 8, []types.AccountID{acc(1), acc(2), acc(3), acc(4), acc(5)}, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := build(t, tc.index)
			raw := map[string]json.RawMessage{}
			for name, g := range map[string]any{"Session": sessionGenesis(1, 2), "ValidatorSet": validatorset.Genesis{Validators: tc.list}} {
				raw[name], _ = json.Marshal(g)
			}
			changes, err := w.Runtime.Genesis(raw)
			if (err == nil) != (tc.want != nil) {
				t.Fatalf("genesis: %v", err)
			}
			if err != nil {
				return
			}
			w.State.Apply(changes)
			e := w.Env()
			if got := w.p.Validators.Get(e); !slices.Equal(got, tc.want) {
				t.Errorf("list %v", got)
			}
			if got := w.s.ActiveValidators(e); !slices.Equal(got, tc.session) {
				t.Errorf("session 0 has %v", got)
			}
		})
	}
}

type controllers struct{}

func (controllers) StashOf(_ *frame.Env, c types.AccountID) (types.AccountID, bool) {
	return types.AccountID{c[0] - 100}, c[0] > 100
}

func TestControllers(t *testing.T) {
	w := newWorld(t)
	w.p.Controllers = controllers{}
	w.Block(func(e *frame.Env) {
		if v, ok := w.p.ValidatorIDOf(e, acc(101)); !ok || v != acc(1) {
			t.Errorf("controller acts for %v, %v", v, ok)
		}
		if err := w.Call(e, frame.Signed(acc(1)), "Session", "set_keys", &session.SetKeysArgs{Keys: keys(1)}); !errors.Is(err, session.ErrNoAssociatedValidatorID) {
			t.Errorf("a stash that has a controller filed keys: %v", err)
		}
	})
}

// TestFirstChangeKeepsTheOthers adds a validator where genesis left the list empty.
func TestFirstChangeKeepsTheOthers(t *testing.T) {
	w := build(t, 8)
	w.Genesis(map[string]any{"Session": sessionGenesis(1, 2)})
	w.Block(func(e *frame.Env) {
		if err := w.call(e, frame.Root(), "add_validator", 3); err != nil {
			t.Fatal(err)
		}
		if got := w.p.Validators.Get(e); !slices.Equal(got, []types.AccountID{acc(1), acc(2), acc(3)}) {
			t.Errorf("validators %v", got)
		}
	})
}
