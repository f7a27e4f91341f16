package runtime

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
	"github.com/crustgo/crust/tee/dev"
)

// presetSection is the place of the Preset among the pallets of a chain spec that is not raw.
const presetSection = "Preset"

// CRU is one coin in plancks.
const CRU = 1_000_000_000_000

// Load returns the runtime of the chain that a specification describes, and the
// specification in raw form. A chain with the production preset has Intel's root of
// trust and no other.
func Load(spec *chainspec.Spec) (*Runtime, *chainspec.Spec, error) {
	rt, raw, err := describe(spec)
	if err == nil && rt.Preset.Name == Production().Name {
		err = rt.checkRoots(raw)
	}
	if err != nil {
		return nil, nil, err
	}
	return rt, raw, nil
}

func (r *Runtime) checkRoots(raw *chainspec.Spec) error {
	entries, err := raw.Entries()
	if err != nil {
		return err
	}
	if roots := PalletsOf(r).Attest.Roots.Get(r.Frame.NewEnv(state.NewMem(entries))); !slices.Equal(roots, []dcap.Key{IntelRoot}) {
		return fmt.Errorf("chain spec %q has the constants of a real network, but trusts another root than Intel's: its storage could be made up; give its preset another name if that is meant", raw.ID)
	}
	return nil
}

func describe(spec *chainspec.Spec) (*Runtime, *chainspec.Spec, error) {
	if !spec.IsRaw() {
		rt, err := fromConfig(spec)
		if err != nil {
			return nil, nil, err
		}
		raw, err := spec.Raw(rt.genesis)
		return rt, raw, err
	}
	for _, e := range spec.Genesis.Raw {
		if string(e.Key) == PresetKey {
			p, err := DecodePreset(e.Value)
			if err != nil {
				return nil, nil, fmt.Errorf("chain spec %q: %w", spec.ID, err)
			}
			return New(p), spec, nil
		}
	}
	return nil, nil, fmt.Errorf("chain spec %q has no constants under %q: it is not a Crust chain, or was made by another program; make one with `crust build-spec`", spec.ID, PresetKey)
}

func fromConfig(spec *chainspec.Spec) (*Runtime, error) {
	raw, ok := spec.Genesis.Runtime[presetSection]
	if !ok {
		return nil, fmt.Errorf("chain spec %q has no section %q under genesis.runtime; start from `crust build-spec --chain dev`", spec.ID, presetSection)
	}
	p, err := DecodePreset(raw)
	if err != nil {
		return nil, fmt.Errorf("chain spec %q: %w", spec.ID, err)
	}
	return New(p), nil
}

// genesis builds the state of block 0 from the sections of a chain spec.
func (r *Runtime) genesis(sections map[string]json.RawMessage) ([]state.Change, error) {
	pallets := map[string]json.RawMessage{}
	for name, raw := range sections { //arch:allow maprange copied to another map
		if name != presetSection {
			pallets[name] = raw
		}
	}
	changes, err := r.Frame.Genesis(pallets)
	if err != nil {
		return nil, err
	}
	return append(changes, state.Change{Key: []byte(PresetKey), Value: r.Preset.Encode()}), nil
}

// Network is a network that ships with the program.
type Network struct {
	Name, ID   string
	Type       chainspec.ChainType
	Preset     Preset
	Validators []string // names: //Alice is the controller and session keys, //Alice//stash the validator
	Endowed    []string // secret URIs
	Sudo       string   // secret URI
	Punished   bool     // whether the first validators are slashed and chilled for offences
	Authority  [32]byte // seed of the authority that attests development enclaves
}

// Networks are the networks that ship with the program, by the name that --chain takes.
func Networks() map[string]Network {
	local := Devnet(2)
	local.Name, local.ID = "Crust Local Testnet", "local_testnet"
	return map[string]Network{
		"dev": {Name: "Crust Development", ID: "dev", Type: chainspec.Development, Preset: Development(),
			Validators: []string{"Alice"}, Endowed: endowed("Alice", "Bob", "Charlie"), Sudo: "//Alice", Authority: dev.DevelopmentSeed()},
		"local": local,
	}
}

// people have a flag of their own on the command line.
var people = []string{"Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"}

// Devnet is the development network of n validators: Alice, Bob, Charlie, Dave,
// Eve, Ferdie, and after them Validator//7, Validator//8 and so on.
func Devnet(n int) Network {
	names := slices.Clone(people)
	for i := len(names); i < n; i++ {
		names = append(names, fmt.Sprintf("Validator//%d", i+1))
	}
	return Network{Name: "Crust Devnet", ID: "devnet", Type: chainspec.Local, Preset: Development(),
		Validators: names[:n], Endowed: endowed(names...), Sudo: "//Alice", Authority: dev.DevelopmentSeed()}
}

// endowed are the accounts of these people, and those of the services.
func endowed(names ...string) (uris []string) {
	for _, n := range names {
		uris = append(uris, "//"+n, "//"+n+"//stash")
	}
	return append(uris, "//Faucet", "//User")
}

// Endowment is what each endowed account of a development network holds: a million CRU.
const Endowment = 1_000_000

// Spec returns the chain specification of a network, not raw.
func (n Network) Spec() (*chainspec.Spec, error) {
	f := Founding{FileBaseFee: fixed.FromUint64(fileBaseFee)}
	cru := fixed.FromUint64(CRU)
	for _, uri := range n.Endowed {
		who, err := account(uri)
		if err != nil {
			return nil, err
		}
		f.Balances = append(f.Balances, balances.Endowment{Account: who, Amount: cru.MulSat(fixed.FromUint64(Endowment))})
	}
	for _, name := range n.Validators {
		v, err := founder(name)
		if err != nil {
			return nil, err
		}
		v.Bond, v.Limit, v.Invulnerable = cru.MulSat(fixed.FromUint64(bonded)), cru.MulSat(fixed.FromUint64(bootstrapLimit)), !n.Punished
		f.Validators = append(f.Validators, v)
	}
	if n.Sudo != "" {
		who, err := account(n.Sudo)
		if err != nil {
			return nil, err
		}
		f.Sudo = &who
	}
	ca := dev.NewCA(n.Authority)
	trust := attest.Genesis{Roots: []dcap.Key{ca.Root()}, EvaluationLimit: dev.Evaluation, Time: dev.ValidFrom}
	for _, kind := range []tee.Kind{tee.SGX, tee.TDX} {
		trust.Collateral = append(trust.Collateral, attest.NewCollateral(ca.Authorities(), ca.Collateral(kind)))
		f.Enclaves = append(f.Enclaves, swork.GenesisCode{Code: types.Hash(dev.CodeOf(kind, 1)), Version: 1, Until: math.MaxUint32})
	}
	return f.spec(n.Name, n.ID, n.Type, n.Preset, trust)
}

// What the founders of development networks begin with, in CRU. Most networks do not
// punish them, so that one can be stopped for a test.
const (
	bonded         = 20_000
	bootstrapLimit = 100_000 // what may be staked behind each of them without any storage
)

// fileBaseFee is what an order costs at first beside its size: a thousandth of a CRU.
const fileBaseFee = CRU / 1000

// founder is a validator of a development network, by its name.
func founder(name string) (f Founder, err error) {
	if f.Stash, err = account("//" + name + "//stash"); err != nil {
		return f, err
	}
	if f.Controller, err = account("//" + name); err != nil {
		return f, err
	}
	f.Keys, err = SessionKeysOf("//" + name)
	return f, err
}

func properties() chainspec.Properties {
	return chainspec.Properties{"ss58Format": json.RawMessage("66"), "tokenDecimals": json.RawMessage("12"), "tokenSymbol": json.RawMessage(`"CRU"`)}
}

func account(uri string) (types.AccountID, error) {
	pair, err := crypto.ParseURI(uri, crypto.Sr25519)
	if err != nil {
		return types.AccountID{}, err
	}
	return pair.Account(), nil
}

// SessionKeysOf are the session keys that all derive from one secret URI, as
// those of development validators do.
func SessionKeysOf(uri string) (session.Keys, error) {
	ed, err := crypto.ParseURI(uri, crypto.Ed25519)
	if err != nil {
		return session.Keys{}, err
	}
	sr, err := crypto.ParseURI(uri, crypto.Sr25519)
	if err != nil {
		return session.Keys{}, err
	}
	e, s := [32]byte(ed.Account()), [32]byte(sr.Account())
	return session.Keys{Grandpa: e, Babe: s, ImOnline: s, AuthorityDiscovery: s}, nil
}
