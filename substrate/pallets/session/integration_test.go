package session_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	babeengine "github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/crypto/sr25519"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	grandpaengine "github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/pallets/authoritydiscovery"
	"github.com/crustgo/crust/substrate/pallets/authorship"
	"github.com/crustgo/crust/substrate/pallets/babe"
	"github.com/crustgo/crust/substrate/pallets/grandpa"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/pallets/validatorset"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// network is the consensus half of a chain, wired as a runtime wires it, and a
// light client that knows nothing of it but its headers.
type network struct {
	*frametest.Chain
	session    *session.Pallet
	babe       *babe.Pallet
	grandpa    *grandpa.Pallet
	historical *historical.Pallet
	author     *authorship.Pallet
	discovery  *authoritydiscovery.Pallet

	keys  []babeengine.Key // all that ever were, in the hands of the test
	owner map[[32]byte]types.AccountID

	head        babeengine.Head // the light client's
	set         types.SetID
	authorities []grandpaengine.Authority
	firsts      map[types.EpochIndex]types.BlockNumber
	changes     []types.SetID // sets that began, with repetitions if something is wrong
}

const epochSlots = 10

// make files keys of a validator with the test.
func (n *network) make(who, version byte) session.Keys {
	pair := sr25519.FromSeed([32]byte{who, version, 3})
	if _, known := n.owner[pair.Public()]; !known {
		n.keys = append(n.keys, pair)
		n.owner[pair.Public()] = acc(who)
	}
	other := [32]byte{who, version}
	return session.Keys{Grandpa: other, Babe: pair.Public(), ImOnline: other, AuthorityDiscovery: other}
}

func newNetwork(t testing.TB, validators ...byte) *network {
	sys := frametest.NewSystem()
	n := &network{
		babe:       &babe.Pallet{EpochDuration: frame.ConstOf(uint64(epochSlots)), ExpectedBlockTime: frame.ConstOf(types.Moment(6000)), MaxAuthorities: frame.ConstOf(uint32(100))},
		grandpa:    &grandpa.Pallet{MaxAuthorities: frame.ConstOf(uint32(100)), MaxSetIdSessionEntries: frame.ConstOf(uint64(100))},
		historical: &historical.Pallet{KeepSessions: frame.ConstOf(uint32(50))},
		discovery:  &authoritydiscovery.Pallet{MaxAuthorities: frame.ConstOf(uint32(100))},
		session:    &session.Pallet{Accounts: sys},
		owner:      map[[32]byte]types.AccountID{}, firsts: map[types.EpochIndex]types.BlockNumber{},
	}
	set := &validatorset.Pallet{MaxValidators: frame.ConstOf(uint32(100)), Session: n.session}
	n.author = &authorship.Pallet{Claims: n.babe, Session: n.session}
	n.babe.Session = n.session
	n.session.Trigger, n.session.Manager, n.session.Identity = n.babe, set, set
	n.session.Handlers = []session.Handler{n.babe, n.grandpa, n.discovery, n.historical}
	var g session.Genesis
	for _, v := range validators {
		g.Keys = append(g.Keys, session.GenesisKeys{Validator: acc(v), Keys: n.make(v, 0)})
	}
	n.Chain = frametest.NewWith(t, sys, frametest.Module(2, "Babe", n.babe), frametest.Module(7, "Authorship", n.author),
		frametest.Module(9, "Historical", n.historical), frametest.Module(10, "Session", n.session), frametest.Module(11, "Grandpa", n.grandpa),
		frametest.Module(13, "AuthorityDiscovery", n.discovery), frametest.Module(41, "ValidatorSet", set),
		func(c *frame.Config) {
			c.Modules[9].Prefix, c.Modules[11].Prefix = "Session", "GrandpaFinality"
			c.APIs = slices.Concat(n.babe.APIs(), n.grandpa.APIs(), n.discovery.APIs(), n.session.APIs())
		})
	n.Genesis(map[string]any{"Session": g})
	var config babeengine.Config
	if err := scale.Decode(n.api("BabeApi_configuration"), &config); err != nil {
		t.Fatal(err)
	}
	n.head = babeengine.GenesisHead(&config)
	n.authorities = grandpaengine.DecodeAuthorities(scale.NewCursor(n.api("GrandpaApi_grandpa_authorities")))
	return n
}

func (n *network) api(name string) []byte {
	n.T.Helper()
	raw, err := n.Runtime.Call(n.State, name, nil)
	if err != nil {
		n.T.Fatal(err)
	}
	return raw
}

// step authors the block of a slot, shows its header to the light client, and
// compares what that has learned with what the runtime says.
func (n *network) step(slot types.Slot, f func(*frame.Env)) babeengine.Verified {
	n.T.Helper()
	epoch, _ := n.head.Epochs.At(slot)
	claim, key, ok := babeengine.Claim(slot, epoch, n.keys)
	if !ok {
		n.T.Fatalf("nobody may author in slot %d", slot)
	}
	n.Digest = types.Digest{claim.Item()}
	h := n.Header()
	out := n.Block(func(e *frame.Env) {
		if err := n.babe.OnTimestampSet(e, babeengine.SlotStart(slot, 6000)); err != nil {
			n.T.Fatal(err)
		}
		if who, ok := n.author.BlockAuthor(e); !ok || who != n.owner[key.Public()] {
			n.T.Fatalf("the author is %v, not %v", who, n.owner[key.Public()])
		}
		if f != nil {
			f(e)
		}
	})
	h.Digest = out.Digest
	if err := babeengine.Seal(h, key); err != nil {
		n.T.Fatal(err)
	}
	v, err := babeengine.Verify(h, n.head, slot)
	if err != nil {
		n.T.Fatalf("block %d: %v", n.Number, err)
	}
	n.head = v.Head
	n.follow(h, &v)
	n.compare(&v)
	return v
}

// follow does with a header what a light client does with it, and demands that
// announcements are where they belong.
func (n *network) follow(h *types.Header, v *babeengine.Verified) {
	n.T.Helper()
	if v.First {
		if at, began := n.firsts[v.Epoch.Index]; began {
			n.T.Fatalf("epoch %d began in block %d and again in %d", v.Epoch.Index, at, h.Number)
		}
		n.firsts[v.Epoch.Index] = h.Number
	}
	change, err := grandpaengine.ReadLogs(h.Digest)
	if err != nil {
		n.T.Fatal(err)
	}
	if change == nil {
		return
	}
	if !v.First || change.Delay != 0 {
		n.T.Fatalf("block %d changes the set: first of its epoch %v, delay %d", h.Number, v.First, change.Delay)
	}
	if sameVoters(change.Next, n.authorities) {
		n.T.Fatalf("block %d changes the set to itself", h.Number)
	}
	n.set++
	n.authorities = change.Next
	n.changes = append(n.changes, n.set)
	if _, err := grandpaengine.NewVoterSet(n.set, change.Next); err != nil {
		n.T.Fatal(err)
	}
}

func sameVoters(a, b []grandpaengine.Authority) bool {
	byKey := func(x, y grandpaengine.Authority) int { return slices.Compare(x.Key[:], y.Key[:]) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), byKey), slices.SortedFunc(slices.Values(b), byKey))
}

func (n *network) compare(v *babeengine.Verified) {
	n.T.Helper()
	for name, want := range map[string][]byte{
		"BabeApi_current_epoch":          v.Epoch.AppendSCALE(nil),
		"BabeApi_next_epoch":             v.Head.Epochs.Next.AppendSCALE(nil),
		"BabeApi_current_epoch_start":    scale.AppendU64(nil, uint64(v.Epoch.Start)),
		"GrandpaApi_grandpa_authorities": grandpaengine.AppendAuthorities(nil, n.authorities),
		"GrandpaApi_current_set_id":      scale.AppendU64(nil, uint64(n.set)),
	} {
		if got := n.api(name); !slices.Equal(got, want) {
			n.T.Fatalf("block %d: %s is %x, the headers say %x", n.Number, name, got, want)
		}
	}
	e := n.Env()
	index := n.session.SessionIndex(e)
	if got := n.babe.SessionOfEpoch(e, v.Epoch.Index); got != index {
		n.T.Fatalf("epoch %d is session %d, not %d", v.Epoch.Index, index, got)
	}
	if first, last, ok := n.grandpa.SessionsOfSet(e, n.set); !ok || first > index || last != index {
		n.T.Fatalf("set %d: sessions %d to %d, now is %d", n.set, first, last, index)
	}
	author := session.OwnedKey{Type: session.KeyBabe, Key: v.Author}
	proof, err := n.historical.Prove(e, author, index)
	if err != nil {
		n.T.Fatal(err)
	}
	if who, err := n.historical.Verify(e, author, &proof); err != nil || who.Validator != n.owner[v.Author] {
		n.T.Fatalf("the author is proved to be %v, %v", who, err)
	}
}

func (n *network) must(e *frame.Env, o frame.Origin, pallet, call string, args any) {
	n.T.Helper()
	if err := n.Call(e, o, pallet, call, args); err != nil {
		n.T.Fatalf("%s.%s: %v", pallet, call, err)
	}
}

// join lets an account file keys and Root add it to the validators.
func (n *network) join(e *frame.Env, ids ...byte) {
	for _, v := range ids {
		n.System.IncProviders(e, acc(v))
		n.must(e, frame.Signed(acc(v)), "Session", "set_keys", &session.SetKeysArgs{Keys: n.make(v, 0)})
		n.must(e, frame.Root(), "ValidatorSet", "add_validator", &validatorset.ValidatorArgs{Who: acc(v)})
	}
}

// TestGrowth follows a chain that grows from one validator to four, sleeps
// through epochs, and loses one.
func TestGrowth(t *testing.T) {
	n := newNetwork(t, 1)
	type row struct {
		Session    types.SessionIndex
		Validators int
		Set        types.SetID
	}
	history := map[types.EpochIndex]row{}
	for slot := types.Slot(1000); slot < 1000+13*epochSlots; slot++ {
		if slot >= 1053 && slot < 1087 {
			continue // from epoch 5 to epoch 8
		}
		v := n.step(slot, func(e *frame.Env) {
			switch slot {
			case 1004:
				n.join(e, 2, 3, 4)
			case 1095:
				n.must(e, frame.Root(), "ValidatorSet", "remove_validator", &validatorset.ValidatorArgs{Who: acc(2)})
			}
		})
		e := n.Env()
		history[v.Epoch.Index] = row{n.session.SessionIndex(e), len(n.session.ActiveValidators(e)), n.set}
		if got := len(v.Epoch.Authorities); got != history[v.Epoch.Index].Validators {
			t.Fatalf("epoch %d has %d authorities", v.Epoch.Index, got)
		}
	}
	want := map[types.EpochIndex]row{
		0: {0, 1, 0}, 1: {1, 1, 0}, 2: {2, 4, 1}, 3: {3, 4, 1}, 4: {4, 4, 1}, 5: {5, 4, 1},
		8: {6, 4, 1}, 9: {7, 4, 1}, 10: {8, 4, 1}, 11: {9, 3, 2}, 12: {10, 3, 2},
	}
	if diff := cmp.Diff(want, history); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(n.changes, []types.SetID{1, 2}) {
		t.Errorf("sets began: %v", n.changes)
	}
	if got := len(n.discovery.Authorities(n.Env())); got != 3 {
		t.Errorf("%d validators can be found", got)
	}
}

// TestHistories lets validators come, go, change and withdraw keys while slots
// and epochs are skipped; step checks everything at every block.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := newNetwork(t, 1, 2)
		slot, version := types.Slot(100), byte(0)
		for range rapid.IntRange(1, 20).Draw(rt, "blocks") {
			n.step(slot, func(e *frame.Env) {
				who := rapid.ByteRange(1, 5).Draw(rt, "who")
				switch rapid.IntRange(0, 7).Draw(rt, "action") {
				case 0:
					_ = n.Call(e, frame.Root(), "ValidatorSet", "add_validator", &validatorset.ValidatorArgs{Who: acc(who)})
				case 1:
					_ = n.Call(e, frame.Root(), "ValidatorSet", "remove_validator", &validatorset.ValidatorArgs{Who: acc(who)})
				case 2, 3:
					version++
					n.System.IncProviders(e, acc(who))
					n.must(e, frame.Signed(acc(who)), "Session", "set_keys", &session.SetKeysArgs{Keys: n.make(who, version)})
				case 4:
					_ = n.purge(e, who)
				}
			})
			slot += types.Slot(rapid.OneOf(rapid.IntRange(1, 4), rapid.IntRange(1, 3*epochSlots)).Draw(rt, "gap"))
		}
	})
}

func (n *network) purge(e *frame.Env, who byte) error {
	return n.Call(e, frame.Signed(acc(who)), "Session", "purge_keys", &frame.NoArgs{})
}

// TestWholeSetsChange hands the chain from one set of validators to another of
// the same size, again and again.
func TestWholeSetsChange(t *testing.T) {
	for _, size := range []byte{1, 4} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var ids []byte
			for i := range size {
				ids = append(ids, 1+i)
			}
			n := newNetwork(t, ids...)
			next := size + 1
			for slot := types.Slot(0); slot < 8*epochSlots; slot++ {
				n.step(500+slot, func(e *frame.Env) {
					if slot%(2*epochSlots) != 5 {
						return
					}
					for i := range size {
						n.join(e, next+i)
						n.must(e, frame.Root(), "ValidatorSet", "remove_validator", &validatorset.ValidatorArgs{Who: acc(next + i - size)})
					}
					next += size
				})
			}
			if !slices.Equal(n.changes, []types.SetID{1, 2, 3}) {
				t.Errorf("sets began: %v", n.changes)
			}
		})
	}
}
