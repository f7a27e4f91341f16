package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee/dcap"
)

// Founding is who and what a network begins with, beside its preset. Amounts are in
// plancks, accounts hexadecimal or SS58.
type Founding struct {
	// Sudo is who may do everything, until there is governance: on a real network an
	// account of several people.
	Sudo       *types.AccountID     `json:"sudo"`
	Balances   []balances.Endowment `json:"balances"`
	Validators []Founder            `json:"validators"`
	// Enclaves are the programs that storage may be proven by.
	Enclaves []swork.GenesisCode `json:"enclaves"`
	// EvaluationLimit is the highest evaluation number of the vendor's collateral that is
	// taken, until Root raises it.
	EvaluationLimit uint32     `json:"evaluationLimit"`
	FileBaseFee     fixed.U128 `json:"fileBaseFee"` // what an order costs at first beside its size
}

// Founder is a validator of the first session.
type Founder struct {
	Stash        types.AccountID `json:"stash"`
	Controller   types.AccountID `json:"controller"`
	Keys         session.Keys    `json:"keys"`
	Bond         fixed.U128      `json:"bond"`
	Limit        fixed.U128      `json:"limit"` // what may be staked behind it before it has proven any storage
	Invulnerable bool            `json:"invulnerable,omitempty"`
}

// DecodeFounding reads a founding from JSON; unknown fields are errors.
func DecodeFounding(b []byte) (f Founding, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, fmt.Errorf("founding: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return f, errors.New("founding: trailing text")
	}
	return f, nil
}

// IntelRoot is the key of the Intel SGX Root CA: the only root of trust of networks
// with the production preset.
var IntelRoot = mustKey("0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f567918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394")

func mustKey(text string) (k dcap.Key) {
	if err := k.UnmarshalText([]byte(text)); err != nil {
		panic(err) // a constant of the program
	}
	return k
}

// production are the names of real networks, by the name that --chain takes.
var production = map[string]struct {
	name string
	kind chainspec.ChainType
}{
	"mainnet": {"Crust", chainspec.Live},
	"testnet": {"Crust Testnet", chainspec.Live},
}

// ProductionSpec is the chain specification, not raw, of a real network: "mainnet" or
// "testnet", with the production preset. It refuses a founding that would leave the
// network without blocks, storage, orders or anybody who can change that.
func ProductionSpec(network string, f Founding) (*chainspec.Spec, error) {
	n, ok := production[network]
	if !ok {
		return nil, fmt.Errorf("there is no network %q; there are mainnet and testnet", network)
	}
	p := Production()
	switch {
	case f.Sudo == nil:
		return nil, errors.New("founding: sudo is missing: until there is governance nobody could allow the next enclave program")
	case len(f.Validators) < int(p.Staking.MinimumValidatorCount):
		return nil, fmt.Errorf("founding: %d validators; the network needs %d for its first election", len(f.Validators), p.Staking.MinimumValidatorCount)
	case len(f.Enclaves) == 0:
		return nil, errors.New("founding: no enclaves: nobody could prove storage")
	case f.EvaluationLimit == 0:
		return nil, errors.New("founding: evaluationLimit is 0: no collateral would be taken")
	case f.FileBaseFee.IsZero():
		return nil, errors.New("founding: fileBaseFee is 0: orders of nothing would cost nothing")
	}
	return f.spec(n.name, network, n.kind, p, attest.Genesis{Roots: []dcap.Key{IntelRoot}, EvaluationLimit: f.EvaluationLimit})
}

// spec puts the sections of a specification together.
func (f *Founding) spec(name, id string, kind chainspec.ChainType, p Preset, trust attest.Genesis) (*chainspec.Spec, error) {
	var keys []session.GenesisKeys
	g := &staking.Genesis{HistoryDepth: p.Staking.HistoryDepth, StartRewardEra: p.Staking.StartRewardEra, MinimumValidatorCount: p.Staking.MinimumValidatorCount,
		ValidatorCount: max(p.Staking.ValidatorCount, uint32(len(f.Validators))), SlashRewardFraction: 100_000_000, Bounds: p.Staking.ElectionBounds}
	for _, v := range f.Validators {
		keys = append(keys, session.GenesisKeys{Validator: v.Stash, Keys: v.Keys})
		if v.Invulnerable {
			g.Invulnerables = append(g.Invulnerables, v.Stash)
		}
		g.Stakers = append(g.Stakers, staking.Staker{Stash: v.Stash, Controller: v.Controller, Bond: v.Bond, Validator: true})
		g.BootstrapLimits = append(g.BootstrapLimits, staking.AmountOf{Who: v.Stash, Amount: v.Limit})
	}
	sections := map[string]any{
		presetSection: p, "Balances": balances.Genesis{Balances: f.Balances}, "Session": session.Genesis{Keys: keys}, "Staking": g,
		"Attest": trust, "Swork": swork.Genesis{Codes: f.Enclaves}, "Market": market.Genesis{EnableMarket: true, FileBaseFee: f.FileBaseFee},
	}
	if f.Sudo != nil {
		sections["Sudo"] = map[string]any{"key": f.Sudo}
	}
	spec := &chainspec.Spec{Name: name, ID: id, ChainType: kind, ProtocolID: "cru", Properties: properties()}
	spec.Genesis.Runtime = map[string]json.RawMessage{}
	for section, v := range sections { //arch:allow maprange copied to another map
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		spec.Genesis.Runtime[section] = raw
	}
	return spec, nil
}
