package staking_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/types"
)

func TestConformance(t *testing.T) {
	w := mock().build(t)
	w.toEra(1)
	frametest.Conformance(t, w.Chain)
}

// TestNames holds the wire surface to what published clients know.
func TestNames(t *testing.T) {
	raw, err := os.ReadFile("testdata/surface.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Prefixes              map[string]string
		Calls, Events, Errors []string
		Constants             []string
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	w := mock().build(t)
	for _, p := range w.Runtime.Model().Pallets {
		if p.Name != "Staking" {
			continue
		}
		for _, s := range p.Storage {
			at := hash.Twox128([]byte(s.Name))
			if known, ok := want.Prefixes[s.Name]; ok && known != hex.EncodeToString(at[:]) {
				t.Errorf("%s is stored under %x, not %s", s.Name, at, known)
			}
			delete(want.Prefixes, s.Name)
		}
		if len(want.Prefixes) > 0 {
			t.Errorf("no storage items %v", slices.Sorted(maps.Keys(want.Prefixes)))
		}
		for i, name := range want.Calls {
			if got := p.Calls.Def.Variants[i]; got.Name != name || int(got.Index) != i {
				t.Errorf("call %d is %s %d, not %s", i, got.Name, got.Index, name)
			}
		}
		for i, name := range want.Events {
			if got := p.Events.Def.Variants[i]; got.Name != name || int(got.Index) != i {
				t.Errorf("event %d is %s %d, not %s", i, got.Name, got.Index, name)
			}
		}
		for i, name := range want.Errors {
			if got := p.Errors.Def.Variants[i]; got.Name != name || int(got.Index) != i {
				t.Errorf("error %d is %s %d, not %s", i, got.Name, got.Index, name)
			}
		}
		var constants []string
		for _, c := range p.Constants {
			constants = append(constants, c.Name)
		}
		if !slices.Equal(constants, want.Constants) {
			t.Errorf("constants %v", constants)
		}
	}
}

// TestGenesisScale is the family genesis_storage_scale: the genesis of a network of
// the original, byte by byte.
func TestGenesisScale(t *testing.T) {
	raw, err := os.ReadFile("testdata/genesis-rocky.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]string
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	var stash types.AccountID
	copy(stash[:], unhex(t, want["stash"]))
	m := mock()
	m.ed, m.keys = 100_000_000, nil
	m.balances = nil
	bond := coins(1_250_000).MulSat(coins(1_000_000_000_000))
	m.genesis = staking.Genesis{HistoryDepth: 84, StartRewardEra: 100_000, ValidatorCount: 10, MinimumValidatorCount: 1, SlashRewardFraction: 100_000_000,
		Invulnerables: []types.AccountID{stash}, Stakers: []staking.Staker{{Stash: stash, Controller: acc(1), Bond: bond, Validator: true}}}
	w := m.buildWith(t, map[types.AccountID]frame.Balance{stash: bond.AddSat(bond)}, map[types.AccountID]int{stash: 5})
	p, era := w.p, eraStash{B: stash}
	for name, key := range map[string][]byte{
		"Ledger": p.Ledger.Key(acc(1)), "Payee": p.Payee.Key(stash), "Validators": p.Validators.Key(stash), "ErasValidatorPrefs(0,stash)": p.ErasValidatorPrefs.Key(era),
		"StakeLimit": p.StakeLimit.Key(stash), "ErasStakers(0,stash)": p.ErasStakers.Key(era), "ErasTotalStakes(0)": p.ErasTotalStakes.Key(0),
		"ActiveEra": p.ActiveEra.Key(), "BondedEras": p.BondedEras.Key(), "CurrentEra": p.CurrentEra.Key(), "ErasStartSessionIndex(0)": p.ErasStartSessionIndex.Key(0),
		"HistoryDepth": p.HistoryDepth.Key(), "StartRewardEra": p.StartRewardEra.Key(), "ForceEra": p.ForceEra.Key(), "SlashRewardFraction": p.SlashRewardFraction.Key(),
		"ValidatorCount": p.ValidatorCount.Key(), "MinimumValidatorCount": p.MinimumValidatorCount.Key(), "Balances.Locks(stash)": w.balances.Locks.Key(stash),
	} {
		text, ok := want["Staking."+name]
		if !ok {
			text = want[name]
		}
		if got, _, _ := w.State.Get(key); text == "" || !bytes.Equal(got, unhex(t, text)) {
			t.Errorf("%s is %x, want %s", name, got, text)
		}
	}
	if got := p.ErasStakers.Key(era); !bytes.Equal(got, unhex(t, want["key ErasStakers(0,stash)"])) {
		t.Errorf("exposures lie under %x", got)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAddresses refuses addresses that name no account.
func TestAddresses(t *testing.T) {
	w := mock().build(t)
	nobody := types.MultiAddress{Kind: types.AddressIndex, Index: 7}
	for name, args := range map[string]any{
		"bond": &staking.BondArgs{Controller: nobody, Value: coins(5)}, "set_controller": &staking.SetControllerArgs{Controller: nobody},
		"guarantee": &staking.GuaranteeArgs{Target: staking.Target{A: nobody, B: coins(5)}}, "cut_guarantee": &staking.GuaranteeArgs{Target: staking.Target{A: nobody, B: coins(5)}},
	} {
		if _, err := w.dispatch(frame.Signed(acc(100)), name, args); !errors.Is(err, frame.ErrCannotLookup) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGenesisRefuses lists geneses that no chain can begin with.
func TestGenesisRefuses(t *testing.T) {
	for name, change := range map[string]func(*terms){
		"poor staker":       func(m *terms) { m.staker(11).Bond = coins(1001) },
		"dust":              func(m *terms) { m.staker(11).Bond = coins(0) },
		"bonded twice":      func(m *terms) { m.stake(11, 5, false) },
		"controller of two": func(m *terms) { m.staker(11).Controller = acc(20) },
		"guarantee of none": func(m *terms) { m.staker(101).Guarantees[0].Who = acc(999) },
		"unknown forcing":   func(m *terms) { m.genesis.ForceEra = 4 },
		"too many guarantees": func(m *terms) {
			m.staker(101).Guarantees = append(m.staker(101).Guarantees, staking.AmountOf{Who: acc(11), Amount: coins(9)})
		},
	} {
		m := mock()
		change(m)
		chain, config := m.chain(t, nil, nil)
		raw := map[string]json.RawMessage{}
		for name, v := range config {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			raw[name] = b
		}
		if _, err := chain.Runtime.Genesis(raw); err == nil {
			t.Errorf("%s: the chain begins", name)
		}
	}
}

// TestErrorsReached finds every error that can be raised in the scenarios.
func TestErrorsReached(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var stories strings.Builder
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		stories.Write(raw)
	}
	for _, p := range mock().build(t).Runtime.Model().Pallets {
		if p.Name != "Staking" {
			continue
		}
		for _, v := range p.Errors.Def.Variants {
			never := v.Name == staking.ErrInsufficientCurrency.Error()
			if reached := strings.Contains(stories.String(), "error Staking."+v.Name+"\n"); reached == never {
				t.Errorf("%s is reached: %v", v.Name, reached)
			}
		}
	}
}
