package session_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// every ends a session every n blocks.
type every types.BlockNumber

func (n every) ShouldEndSession(e *frame.Env) bool { return e.Number()%types.BlockNumber(n) == 0 }

// manager returns what the test sets, once.
type manager struct {
	next []types.AccountID
	log  []string
}

func (m *manager) NewSession(*frame.Env, types.SessionIndex) ([]types.AccountID, bool) {
	next := m.next
	m.next = nil
	return next, next != nil
}
func (m *manager) StartSession(*frame.Env, types.SessionIndex) { m.log = append(m.log, "start") }
func (m *manager) EndSession(*frame.Env, types.SessionIndex)   { m.log = append(m.log, "end") }

// identity knows everybody but account 99; controller 100+n acts for n.
type identity struct{}

func (identity) ValidatorIDOf(_ *frame.Env, who types.AccountID) (types.AccountID, bool) {
	if who[0] > 100 {
		return types.AccountID{who[0] - 100}, true
	}
	return who, who[0] != 99
}

// told is what a handler was told in one session.
type told struct {
	Index              types.SessionIndex
	Changed            bool
	Validators, Queued []session.Entry
}

type recorder struct {
	genesis  []session.Entry
	sessions []told
	disabled []uint32
	endings  int
}

func (r *recorder) OnGenesisSession(_ *frame.Env, v []session.Entry) { r.genesis = v }
func (r *recorder) OnNewSession(_ *frame.Env, i types.SessionIndex, changed bool, v, q []session.Entry) {
	r.sessions = append(r.sessions, told{i, changed, v, q})
}
func (r *recorder) OnBeforeSessionEnding(*frame.Env) { r.endings++ }
func (r *recorder) OnDisabled(_ *frame.Env, position uint32) {
	r.disabled = append(r.disabled, position)
}

func acc(n byte) types.AccountID { return types.AccountID{n} }

// keys are session keys that differ for different seeds.
func keys(seed byte) session.Keys {
	return session.Keys{Grandpa: session.GrandpaID{1, seed}, Babe: session.BabeID{2, seed},
		ImOnline: session.ImOnlineID{3, seed}, AuthorityDiscovery: session.AuthorityDiscoveryID{4, seed}}
}

type world struct {
	*frametest.Chain
	p *session.Pallet
	m *manager
	r *recorder
}

func newWorld(t testing.TB, validators ...byte) *world {
	sys := frametest.NewSystem()
	w := &world{m: &manager{}, r: &recorder{}}
	w.p = &session.Pallet{Trigger: every(3), Manager: w.m, Identity: identity{}, Accounts: sys, Handlers: []session.Handler{w.r}}
	g := session.Genesis{Keys: []session.GenesisKeys{}}
	for _, v := range validators {
		g.Keys = append(g.Keys, session.GenesisKeys{Validator: acc(v), Keys: keys(v)})
	}
	w.Chain = frametest.NewWith(t, sys, frametest.Module(10, "Session", w.p), func(c *frame.Config) { c.APIs = w.p.APIs() }).
		Genesis(map[string]any{"Session": g})
	return w
}

// live makes accounts exist.
func (w *world) live(ns ...byte) {
	w.Block(func(e *frame.Env) {
		for _, n := range ns {
			w.System.IncProviders(e, acc(n))
		}
	})
}

func (w *world) setKeys(e *frame.Env, who byte, k session.Keys) error {
	return w.Call(e, frame.Signed(acc(who)), "Session", "set_keys", &session.SetKeysArgs{Keys: k})
}

func (w *world) purge(e *frame.Env, who byte) error {
	return w.Call(e, frame.Signed(acc(who)), "Session", "purge_keys", &frame.NoArgs{})
}

func entries(ids ...byte) []session.Entry {
	out := []session.Entry{}
	for _, n := range ids {
		out = append(out, session.Entry{Validator: acc(n), Keys: keys(n)})
	}
	return out
}

func TestConformance(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.live(1)
	frametest.Conformance(t, w.Chain)
}

func TestGenesis(t *testing.T) {
	w := newWorld(t, 1, 2)
	if diff := cmp.Diff(entries(1, 2), w.r.genesis); diff != "" {
		t.Error(diff)
	}
	e := w.Env()
	if got := w.p.ActiveValidators(e); !slices.Equal(got, []types.AccountID{acc(1), acc(2)}) {
		t.Errorf("validators %v", got)
	}
	if a := w.System.Get(e, acc(1)); a.Consumers != 1 || a.Providers != 1 {
		t.Errorf("account %+v: session keys refer to it", a)
	}
	bad := map[string]session.Genesis{
		"is another's":    {Keys: []session.GenesisKeys{{Validator: acc(1), Keys: keys(1)}, {Validator: acc(2), Keys: keys(1)}}},
		"is listed twice": {Keys: []session.GenesisKeys{{Validator: acc(1), Keys: keys(1)}, {Validator: acc(1), Keys: keys(2)}}},
	}
	for want, g := range bad {
		raw, _ := json.Marshal(g)
		if _, err := w.Runtime.Genesis(map[string]json.RawMessage{"Session": raw}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestNewSetWaits checks that a set and keys act two sessions after they are known.
func TestNewSetWaits(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.live(3)
	w.Block(func(e *frame.Env) {
		if err := w.setKeys(e, 3, keys(3)); err != nil {
			t.Fatal(err)
		}
	})
	w.m.next = []types.AccountID{acc(3), acc(1), acc(8)} // 8 has no keys
	w.Run(12)
	want := []told{
		{1, false, entries(1, 2), entries(3, 1)},
		{2, true, entries(3, 1), entries(3, 1)},
		{3, false, entries(3, 1), entries(3, 1)},
		{4, false, entries(3, 1), entries(3, 1)},
	}
	if diff := cmp.Diff(want, w.r.sessions); diff != "" {
		t.Error(diff)
	}
	if got := w.p.SessionIndex(w.Env()); got != 4 || w.r.endings != 4 {
		t.Errorf("session %d, %d endings", got, w.r.endings)
	}
	if want := []string{"start", "end", "start", "end", "start", "end", "start", "end", "start"}; !slices.Equal(w.m.log, want) {
		t.Errorf("the manager was told %v", w.m.log)
	}
}

func TestKeyCalls(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.live(3, 4)
	w.Block(func(e *frame.Env) {
		for _, tc := range []struct {
			name string
			err  error
			want error
		}{
			{"no validator", w.setKeys(e, 99, keys(9)), session.ErrNoAssociatedValidatorID},
			{"no account", w.setKeys(e, 50, keys(50)), session.ErrNoAccount},
			{"another's keys", w.setKeys(e, 3, keys(1)), session.ErrDuplicatedKey},
			{"one key of another's", w.setKeys(e, 3, session.Keys{Grandpa: keys(3).Grandpa, Babe: keys(2).Babe}), session.ErrDuplicatedKey},
			{"purge nothing", w.purge(e, 3), session.ErrNoKeys},
			{"purge for nobody", w.purge(e, 99), session.ErrNoAssociatedValidatorID},
			{"file", w.setKeys(e, 3, keys(3)), nil},
			{"file the same", w.setKeys(e, 3, keys(3)), nil},
			{"change by the controller", w.setKeys(e, 103, keys(33)), nil},
			{"take what is free again", w.setKeys(e, 4, keys(3)), nil},
		} {
			if !errors.Is(tc.err, tc.want) {
				t.Errorf("%s: %v, want %v", tc.name, tc.err, tc.want)
			}
		}
		if a := w.System.Get(e, acc(3)); a.Consumers != 1 {
			t.Errorf("%d consumers of an account that filed keys three times", a.Consumers)
		}
		if err := w.purge(e, 103); err != nil {
			t.Error(err)
		}
		if a := w.System.Get(e, acc(3)); a.Consumers != 0 {
			t.Errorf("%d consumers after purge_keys", a.Consumers)
		}
		if _, ok := w.p.KeyOwner.Lookup(e, session.OwnedKey{Type: session.KeyBabe, Key: keys(33).Babe}); ok {
			t.Error("a purged key is still owned")
		}
	})
}

// TestSetNeverEmpties purges all keys: the last set goes on.
func TestSetNeverEmpties(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.Block(func(e *frame.Env) {
		if err := errors.Join(w.purge(e, 1), w.purge(e, 2)); err != nil {
			t.Fatal(err)
		}
	})
	w.Run(9)
	if last := w.r.sessions[len(w.r.sessions)-1]; !slices.Equal(last.Queued, entries(1, 2)) || last.Changed {
		t.Errorf("after all keys are gone: %+v", last)
	}
}

// TestShorterSetIsChanged purges the keys of the last validator only, which a
// comparison of the entries that remain would not notice.
func TestShorterSetIsChanged(t *testing.T) {
	w := newWorld(t, 1, 2, 3)
	w.Block(func(e *frame.Env) {
		if err := w.purge(e, 3); err != nil {
			t.Fatal(err)
		}
	})
	w.Run(6)
	if s := w.r.sessions[1]; !s.Changed || !slices.Equal(s.Validators, entries(1, 2)) {
		t.Errorf("session 2: %+v", s)
	}
}

func TestDisable(t *testing.T) {
	w := newWorld(t, 1, 2, 3, 4, 5, 6, 7)
	w.Block(func(e *frame.Env) {
		for _, tc := range []struct {
			who  byte
			want bool
		}{{6, true}, {6, false}, {9, false}, {2, true}, {3, false}} { // two of seven at most
			if got := w.p.Disable(e, acc(tc.who)); got != tc.want {
				t.Errorf("disable %d: %v", tc.who, got)
			}
		}
		if w.p.DisableIndex(e, 7) {
			t.Error("disabled a position that does not exist")
		}
		if !w.p.IsDisabled(e, 5) || !w.p.IsDisabled(e, 1) || w.p.IsDisabled(e, 0) {
			t.Errorf("disabled %v", w.p.DisabledValidators.Get(e))
		}
	})
	if !slices.Equal(w.r.disabled, []uint32{5, 1}) {
		t.Errorf("told of %v", w.r.disabled)
	}
	w.Run(6)
	if !w.p.IsDisabled(w.Env(), 5) {
		t.Error("enabled again though the set is the same")
	}
	w.m.next = []types.AccountID{acc(1), acc(2), acc(3), acc(4)}
	w.Run(12)
	if d := w.p.DisabledValidators.Get(w.Env()); len(d) != 0 {
		t.Errorf("disabled %v in a new set", d)
	}
}

func TestWire(t *testing.T) {
	w := newWorld(t, 1)
	k := keys(1)
	value, ok, _ := w.State.Get(w.p.NextKeys.Key(acc(1)))
	if !ok || len(value) != 128 || value[0] != 1 || value[32] != 2 || value[64] != 3 || value[96] != 4 {
		t.Errorf("keys are stored as %x", value)
	}
	owned := session.OwnedKey{Type: session.KeyImOnline, Key: k.ImOnline}
	key := w.p.KeyOwner.Key(owned)
	if want := append([]byte("imon\x80"), k.ImOnline[:]...); !slices.Equal(key[40:], want) {
		t.Errorf("owner is stored under %x", key)
	}
	// the prefix that polkadot.js asks for Session.Validators
	if got := hex.EncodeToString(w.p.Validators.Key()); got != "cec5070d609dd3497f72bde07fc96ba088dcde934c658227ee1dfafcd6e16903" {
		t.Errorf("Session.Validators is at %s", got)
	}
	var short session.OwnedKey
	if err := scale.Decode(append([]byte("imon\x7c"), make([]byte, 32)...), &short); err == nil {
		t.Error("a key of 31 bytes was accepted")
	}
}

func TestAPI(t *testing.T) {
	w := newWorld(t, 1)
	codec := scale.CodecOf[session.Keys]()
	k := keys(7)
	raw := codec.Append(nil, &k)
	out, err := w.Runtime.Call(w.State, "SessionKeys_decode_session_keys", scale.AppendBytes(nil, raw))
	if err != nil || len(out) != 2+4*(1+32+4) || string(out[35:39]) != "gran" || string(out[len(out)-4:]) != "audi" {
		t.Errorf("decoded %x, %v", out, err)
	}
	if out, err = w.Runtime.Call(w.State, "SessionKeys_decode_session_keys", scale.AppendBytes(nil, raw[1:])); err != nil || !slices.Equal(out, []byte{0}) {
		t.Errorf("127 bytes decode to %x, %v", out, err)
	}
	if _, err = w.Runtime.Call(w.State, "SessionKeys_generate_session_keys", []byte{0}); err == nil {
		t.Error("keys were made without a keystore")
	}
	w.p.Generate = func(seed []byte) ([]byte, error) { return append([]byte("made of "), seed...), nil }
	if out, err = w.Runtime.Call(w.State, "SessionKeys_generate_session_keys", append([]byte{1}, scale.AppendString(nil, "a")...)); err != nil || string(out[1:]) != "made of a" {
		t.Errorf("generated %q, %v", out, err)
	}
}

// TestModel compares random histories with a model that keeps everything in maps.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, 1, 2, 3)
		w.live(1, 2, 3, 4, 5)
		filed := map[byte]session.Keys{1: keys(1), 2: keys(2), 3: keys(3)}
		current, queued := []byte{1, 2, 3}, entries(1, 2, 3)
		for range rapid.IntRange(1, 20).Draw(rt, "blocks") {
			var plan []byte
			if rapid.Bool().Draw(rt, "elect") {
				plan = rapid.SliceOfNDistinct(rapid.ByteRange(1, 5), 1, 5, rapid.ID[byte]).Draw(rt, "elected")
				w.m.next = nil
				for _, n := range plan {
					w.m.next = append(w.m.next, acc(n))
				}
			}
			if (w.Number+1)%3 == 0 { // the session rotates before the block's calls
				current = current[:0]
				for _, q := range queued {
					current = append(current, q.Validator[0])
				}
				if plan == nil {
					plan = current
				}
				next := []session.Entry{}
				for _, n := range plan {
					if k, ok := filed[n]; ok {
						next = append(next, session.Entry{Validator: acc(n), Keys: k})
					}
				}
				if len(next) > 0 {
					queued = next
				}
			}
			w.Block(func(e *frame.Env) {
				who, seed := rapid.ByteRange(1, 5).Draw(rt, "who"), rapid.ByteRange(1, 8).Draw(rt, "seed")
				_, has := filed[who]
				if rapid.Bool().Draw(rt, "purge") {
					if err := w.purge(e, who); (err == nil) != has {
						rt.Fatalf("purge by %d: %v", who, err)
					}
					delete(filed, who)
					return
				}
				free := true
				for other, k := range filed {
					free = free && (other == who || k != keys(seed))
				}
				if err := w.setKeys(e, who, keys(seed)); (err == nil) != free {
					rt.Fatalf("%d files %d: %v", who, seed, err)
				}
				if free {
					filed[who] = keys(seed)
				}
			})
			w.m.next = nil
			e := w.Env()
			if got := w.p.QueuedKeys.Get(e); !slices.Equal(got, queued) {
				rt.Fatalf("queued %v, want %v", got, queued)
			}
			for i, v := range w.p.ActiveValidators(e) {
				if v != acc(current[i]) {
					rt.Fatalf("validators %v, want %v", w.p.ActiveValidators(e), current)
				}
			}
			for n := byte(1); n <= 5; n++ {
				_, has := filed[n]
				if want := map[bool]uint32{true: 1}[has]; w.System.Get(e, acc(n)).Consumers != want {
					rt.Fatalf("account %d has %d consumers", n, w.System.Get(e, acc(n)).Consumers)
				}
			}
		}
	})
}
