package babe_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	engine "github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/babe"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/pallets/validatorset"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

const epochLength = 10

// world is a chain whose blocks are authored with real keys, and whose headers
// the engine verifies.
type world struct {
	*frametest.Chain
	p     *babe.Pallet
	s     *session.Pallet
	pairs []engine.Key
	head  engine.Head
}

func acc(n int) types.AccountID { return types.AccountID{byte(n), 1} }

func keysOf(n int, pair engine.Key) session.Keys {
	return session.Keys{Grandpa: session.GrandpaID{byte(n)}, Babe: pair.Public(), ImOnline: session.ImOnlineID{byte(n)}, AuthorityDiscovery: session.AuthorityDiscoveryID{byte(n)}}
}

func newWorld(t testing.TB, n int, allowed babe.AllowedSlots) *world {
	t.Helper()
	return newWorldOf(t, n, allowed, epochLength)
}

func newWorldOf(t testing.TB, n int, allowed babe.AllowedSlots, length uint64) *world {
	t.Helper()
	sys := frametest.NewSystem()
	w := &world{
		p: &babe.Pallet{EpochDuration: frame.ConstOf(length), ExpectedBlockTime: frame.ConstOf(types.Moment(6000)), MaxAuthorities: frame.ConstOf(uint32(100))},
		s: &session.Pallet{Accounts: sys},
	}
	set := &validatorset.Pallet{MaxValidators: frame.ConstOf(uint32(100)), Session: w.s}
	w.p.Session = w.s
	w.s.Trigger, w.s.Manager, w.s.Identity, w.s.Handlers = w.p, set, set, []session.Handler{w.p}
	var g session.Genesis
	for i := range n {
		w.pairs = append(w.pairs, sr25519.FromSeed([32]byte{9, byte(i)}))
		g.Keys = append(g.Keys, session.GenesisKeys{Validator: acc(i), Keys: keysOf(i, w.pairs[i])})
	}
	w.Chain = frametest.NewWith(t, sys, frametest.Module(2, "Babe", w.p), frametest.Module(10, "Session", w.s), frametest.Module(41, "ValidatorSet", set),
		func(c *frame.Config) { c.APIs = w.p.APIs() })
	w.Genesis(map[string]any{"Session": g, "Babe": babe.Genesis{C: [2]uint64{1, 4}, AllowedSlots: allowed}})
	var config engine.Config
	w.call("BabeApi_configuration", &config)
	w.head = engine.GenesisHead(&config)
	return w
}

// call calls a runtime API and decodes what it returns with the engine's type.
func (w *world) call(name string, into scale.Unmarshaler) {
	w.T.Helper()
	raw, err := w.Runtime.Call(w.State, name, nil)
	if err != nil {
		w.T.Fatal(err)
	}
	if err := scale.Decode(raw, into); err != nil {
		w.T.Fatalf("%s: %v", name, err)
	}
}

// author makes the block of a slot, if somebody may, and verifies it.
func (w *world) author(slot types.Slot, f func(*frame.Env)) (*engine.Verified, bool) {
	w.T.Helper()
	epoch, _ := w.head.Epochs.At(slot)
	claim, key, ok := engine.Claim(slot, epoch, w.pairs)
	if !ok {
		return nil, false
	}
	w.Digest = types.Digest{claim.Item()}
	h := w.Header()
	out := w.Block(func(e *frame.Env) {
		if err := w.p.OnTimestampSet(e, types.Moment(slot)*6000+17); err != nil {
			w.T.Fatal(err)
		}
		if f != nil {
			f(e)
		}
	})
	h.Digest = out.Digest
	if err := engine.Seal(h, key); err != nil {
		w.T.Fatal(err)
	}
	v, err := engine.Verify(h, w.head, slot)
	if err != nil {
		w.T.Fatalf("block %d: %v", w.Number, err)
	}
	w.head = v.Head
	w.agree(&v)
	return &v, true
}

// agree checks that the pallet's epochs are those that the engine read from the headers.
func (w *world) agree(v *engine.Verified) {
	w.T.Helper()
	for name, want := range map[string]*engine.Epoch{"BabeApi_current_epoch": v.Epoch, "BabeApi_next_epoch": v.Head.Epochs.Next} {
		var got engine.Epoch
		if w.call(name, &got); !cmp.Equal(*want, got) {
			w.T.Fatalf("block %d: %s\n%s", w.Number, name, cmp.Diff(*want, got))
		}
	}
	raw, err := w.Runtime.Call(w.State, "BabeApi_current_epoch_start", nil)
	if err != nil || !slices.Equal(raw, scale.AppendU64(nil, uint64(v.Epoch.Start))) {
		w.T.Fatalf("current_epoch_start %x, %v", raw, err)
	}
}

func TestConformance(t *testing.T) {
	w := newWorld(t, 2, 2)
	w.author(1000, nil)
	w.Digest = nil
	frametest.Conformance(t, w.Chain)
}

// TestChain runs chains over many epochs; author compares them with the engine at every block.
func TestChain(t *testing.T) {
	for _, tc := range []struct {
		name    string
		n       int
		allowed babe.AllowedSlots
	}{{"one author", 1, 2}, {"four authors", 4, 2}, {"four authors, plain", 4, 1}, {"seven authors, primary only", 7, 0}} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, tc.n, tc.allowed)
			firsts := map[types.EpochIndex]int{}
			for slot := types.Slot(5000); slot < 5000+6*epochLength; slot++ {
				if v, ok := w.author(slot, nil); ok && v.First {
					firsts[v.Epoch.Index]++
				}
			}
			if len(firsts) < 5 {
				t.Errorf("epochs %v", firsts)
			}
			for i, n := range firsts {
				if n != 1 {
					t.Errorf("epoch %d began %d times", i, n)
				}
			}
		})
	}
}

// TestSkippedEpochs lets a chain sleep again and again, for anything from a slot
// to several epochs. The engine agrees at every block, and sessions are found.
func TestSkippedEpochs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, 2, 2)
		sessions := map[types.EpochIndex]types.SessionIndex{}
		slot := types.Slot(100)
		for range rapid.IntRange(2, 12).Draw(rt, "blocks") {
			v, ok := w.author(slot, nil)
			if !ok {
				rt.Fatalf("nobody may author in slot %d", slot)
			}
			sessions[v.Epoch.Index] = w.s.SessionIndex(w.Env())
			slot += types.Slot(rapid.OneOf(rapid.IntRange(1, 3), rapid.IntRange(1, 5*epochLength)).Draw(rt, "gap"))
		}
		e := w.Env()
		for epoch, want := range sessions {
			if got := w.p.SessionOfEpoch(e, epoch); got != want {
				rt.Fatalf("epoch %d was in session %d, not %d", epoch, want, got)
			}
		}
	})
}

// TestRandomness recomputes the randomness of every epoch from the claims of
// the blocks: no output is left out, also when an epoch has many segments.
func TestRandomness(t *testing.T) {
	w := newWorldOf(t, 8, 0, 150)
	var outputs [][32]byte
	next, most := [32]byte{}, 0
	for slot := types.Slot(7000); slot < 7000+4*150; slot++ {
		var early [32]byte // what other pallets see before the block ends
		v, ok := w.author(slot, func(e *frame.Env) { early, _ = w.p.Output(e) })
		if !ok {
			continue
		}
		if v.First && v.Epoch.Index > 0 {
			most = max(most, len(outputs))
			next = engine.MixRandomness(next, v.Epoch.Index+1, outputs)
			outputs = nil
			if v.Head.Epochs.Next.Randomness != next {
				t.Fatalf("epoch %d announces another randomness", v.Epoch.Index)
			}
		}
		tr := sr25519.BABETranscript(v.Epoch.Randomness, uint64(slot), uint64(v.Epoch.Index))
		out, ok := sr25519.VRFVerify(v.Author, tr, v.Claim.PreOutput, v.Claim.Proof)
		if !ok {
			t.Fatal("a verified claim does not verify")
		}
		if v.Claim.Kind == engine.Primary {
			outputs = append(outputs, out.Randomness())
		}
		if got, _ := w.p.AuthorVrfRandomness.Get(w.Env()).Get(); got != out.Randomness() || got != early {
			t.Fatalf("block %d keeps another output", w.Number)
		}
	}
	if most <= 32 {
		t.Errorf("at most %d outputs in an epoch: the test does not reach a second segment", most)
	}
}

func TestOnTimestampSet(t *testing.T) {
	w := newWorld(t, 7, 2)
	claim := engine.PreDigest{Kind: engine.SecondaryPlain, Slot: 500}
	for _, tc := range []struct {
		name   string
		digest types.Digest
		now    types.Moment
		ok     bool
	}{
		{"first moment of the slot", types.Digest{claim.Item()}, 3_000_000, true},
		{"last moment of the slot", types.Digest{claim.Item()}, 3_005_999, true},
		{"before the slot", types.Digest{claim.Item()}, 2_999_999, false},
		{"after the slot", types.Digest{claim.Item()}, 3_006_000, false},
		{"no claim", nil, 3_000_000, false},
		{"a claim cut short", types.Digest{types.PreRuntime(types.EngineBABE, claim.Item().Data[:5])}, 3_000_000, false},
		{"no such authority", types.Digest{engine.PreDigest{Kind: engine.SecondaryPlain, Slot: 500, Authority: 7}.Item()}, 3_000_000, false},
		{"a disabled authority", types.Digest{engine.PreDigest{Kind: engine.SecondaryPlain, Slot: 500, Authority: 3}.Item()}, 3_000_000, false},
	} {
		c := *w.Chain
		c.State, c.Digest = w.State.Clone(), tc.digest
		c.Block(func(e *frame.Env) {
			w.s.DisableIndex(e, 3)
			if err := w.p.OnTimestampSet(e, tc.now); (err == nil) != tc.ok {
				t.Errorf("%s: %v", tc.name, err)
			}
		})
	}
}

func TestPlanConfigChange(t *testing.T) {
	w := newWorld(t, 3, 2)
	plan := func(e *frame.Env, o frame.Origin, num, den uint64, allowed babe.AllowedSlots) error {
		return w.Call(e, o, "Babe", "plan_config_change", &babe.PlanConfigChangeArgs{Config: babe.NextConfigDescriptor{
			V1: &babe.EpochConfiguration{C: babe.Ratio{A: num, B: den}, AllowedSlots: allowed}}})
	}
	var configs []engine.EpochConfig
	for slot := types.Slot(0); slot < 5*epochLength; slot++ {
		v, ok := w.author(200+slot, func(e *frame.Env) {
			if slot != 3 {
				return
			}
			if err := plan(e, frame.Signed(acc(1)), 1, 2, 1); !errors.Is(err, frame.ErrBadOrigin) {
				t.Errorf("anybody may plan: %v", err)
			}
			for _, bad := range [][2]uint64{{1, 0}, {1, 1}, {3, 2}} {
				if err := plan(e, frame.Root(), bad[0], bad[1], 1); !errors.Is(err, babe.ErrInvalidConfiguration) {
					t.Errorf("c = %v: %v", bad, err)
				}
			}
			if err := plan(e, frame.Root(), 1, 2, 1); err != nil {
				t.Error(err)
			}
		})
		if ok && v.First {
			configs = append(configs, v.Epoch.Config)
		}
	}
	before := engine.EpochConfig{C: engine.Ratio{Num: 1, Den: 4}, Allowed: engine.PrimaryAndSecondaryVRF}
	after := engine.EpochConfig{C: engine.Ratio{Num: 1, Den: 2}, Allowed: engine.PrimaryAndSecondaryPlain}
	if want := []engine.EpochConfig{before, before, after, after, after}; !slices.Equal(configs, want) {
		t.Errorf("configurations of the epochs: %v", configs)
	}
}

// TestKeysChange replaces a validator's key; from the announced epoch on the new one authors.
func TestKeysChange(t *testing.T) {
	w := newWorld(t, 2, 2)
	fresh := sr25519.FromSeed([32]byte{77})
	w.pairs = append(w.pairs, fresh)
	authors := map[types.EpochIndex]map[[32]byte]bool{}
	for slot := types.Slot(300); slot < 300+6*epochLength; slot++ {
		v, ok := w.author(slot, func(e *frame.Env) {
			if slot == 303 {
				if err := w.Call(e, frame.Signed(acc(1)), "Session", "set_keys", &session.SetKeysArgs{Keys: keysOf(50, fresh)}); err != nil {
					t.Fatal(err)
				}
			}
		})
		if !ok {
			t.Fatalf("nobody authored slot %d", slot)
		}
		if authors[v.Epoch.Index] == nil {
			authors[v.Epoch.Index] = map[[32]byte]bool{}
		}
		authors[v.Epoch.Index][v.Author] = true
	}
	for i := range types.EpochIndex(6) {
		if has := authors[i][fresh.Public()]; has && i < 2 || !has && i > 3 && len(authors[i]) > 1 {
			t.Errorf("epoch %d: the new key authors: %v", i, has)
		}
	}
}

func TestWire(t *testing.T) {
	w := newWorld(t, 2, 2)
	w.author(1000, nil)
	e := w.Env()
	if _, ok := w.p.Initialized.Lookup(e); ok {
		t.Error("a block leaves Initialized behind")
	}
	raw, _, _ := w.State.Get(w.p.Authorities.Key())
	pub := w.pairs[0].Public()
	if want := append(append([]byte{8}, pub[:]...), 1, 0, 0, 0, 0, 0, 0, 0); !slices.Equal(raw[:41], want) || len(raw) != 81 {
		t.Errorf("authorities are stored as %x", raw)
	}
	for _, kind := range []engine.ClaimKind{engine.Primary, engine.SecondaryPlain, engine.SecondaryVRF} {
		p := engine.PreDigest{Kind: kind, Authority: 3, Slot: 9}
		if got, want := (babe.Claim{PreDigest: p}).AppendSCALE(nil), p.AppendSCALE(nil); !slices.Equal(got, want) {
			t.Errorf("claim %x, want %x", got, want)
		}
	}
	change := babe.NextConfigDescriptor{V1: &babe.EpochConfiguration{C: babe.Ratio{A: 1, B: 2}, AllowedSlots: 1}}
	codec := scale.CodecOf[babe.NextConfigDescriptor]()
	log := engine.NextConfig(engine.EpochConfig{C: engine.Ratio{Num: 1, Den: 2}, Allowed: 1}).AppendSCALE(nil)
	if got := codec.Append(nil, &change); !slices.Equal(got, log[1:]) {
		t.Errorf("planned configuration %x, the log holds %x", got, log[1:])
	}
}

func TestGenesis(t *testing.T) {
	w := newWorld(t, 1, 2)
	for _, tc := range []struct {
		config string
		ok     bool
	}{
		{`{}`, true},
		{`{"c":[1,4],"allowedSlots":"PrimaryAndSecondaryPlainSlots"}`, true},
		{`{"c":[1,1]}`, false},
		{`{"c":[1,0]}`, false},
		{`{"allowedSlots":"Any"}`, false},
	} {
		if _, err := w.Runtime.Genesis(map[string]json.RawMessage{"Babe": json.RawMessage(tc.config)}); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.config, err)
		}
	}
}

func BenchmarkBlock(b *testing.B) {
	w := newWorld(b, 4, 2)
	w.author(1000, nil)
	epoch, _ := w.head.Epochs.At(1001)
	claim, _, _ := engine.Claim(1001, epoch, w.pairs)
	w.Digest = types.Digest{claim.Item()}
	h := w.Header()
	b.ReportAllocs()
	for b.Loop() {
		w.Runtime.End(w.Runtime.Begin(w.State, h))
	}
}
