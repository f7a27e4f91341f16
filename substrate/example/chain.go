package example

import (
	"encoding/json"
	"fmt"

	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/example/notary"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/babe"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/grandpa"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/pallets/timestamp"
	"github.com/crustgo/crust/substrate/pallets/txpayment"
	"github.com/crustgo/crust/substrate/pallets/validatorset"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Constants of the chain.
const (
	SlotDuration types.Moment = 500         // between two blocks, in milliseconds
	EpochLength  uint64       = 20          // slots of an epoch, which is also a session
	Unit         uint64       = 1e9         // one coin, in its smallest units
	MaxNote      uint32       = 256         // bytes of a note
	Deposit      uint64       = 2 * Unit    // for a note
	Endowment    uint64       = 1000 * Unit // of each account at genesis

	ss58Prefix uint16 = 42 // of addresses: the generic one
)

// version names the chain's rules. A change of rules raises SpecVersion.
var version = types.RuntimeVersion{
	SpecName: "notary", ImplName: "notary-go", AuthoringVersion: 1, SpecVersion: 1, ImplVersion: 1, TransactionVersion: 1, StateVersion: 1,
}

// Runtime is the chain's state transition function: a table of pallets.
type Runtime struct {
	*frame.Runtime

	System *system.Pallet
	Notary *notary.Pallet
}

// NewRuntime makes the pallets, plugs them into each other and puts them into the
// table, where the position is what clients call a pallet by.
func NewRuntime() *Runtime {
	weights, length := limits()
	sys := &system.Pallet{
		BlockWeights: frame.ConstOf(weights), BlockLength: frame.ConstOf(length), BlockHashCount: frame.ConstOf(types.BlockNumber(256)),
		DbWeight: frame.ConstOf(system.DbWeight{Read: 3_000_000, Write: 6_000_000}), Version: frame.ConstOf(version), SS58Prefix: frame.ConstOf(ss58Prefix),
	}
	bal := &balances.Pallet{ExistentialDeposit: frame.ConstOf(fixed.FromUint64(Unit / 1000)), MaxLocks: frame.ConstOf(uint32(50)), Accounts: sys}
	// Without AdjustmentVariable the price of weight stays where MinimumMultiplier puts
	// it, and without Treasury and Authors fees are burned.
	pay := &txpayment.Pallet{
		BaseFee: frame.ConstOf(fixed.FromUint64(Unit / 10_000)), FeePerByte: frame.ConstOf(fixed.FromUint64(Unit / 1_000_000)),
		FeePerWeight: frame.ConstOf(fixed.Perbill(1_000_000)), OperationalFeeMultiplier: frame.ConstOf(uint8(5)), Currency: bal,
		TargetBlockFullness: frame.ConstOf(fixed.Perquintill(250_000_000_000_000_000)), MinimumMultiplier: frame.ConstOf(fixed.FixedOne()),
	}
	bab := &babe.Pallet{EpochDuration: frame.ConstOf(EpochLength), ExpectedBlockTime: frame.ConstOf(SlotDuration), MaxAuthorities: frame.ConstOf(uint32(16))}
	gra := &grandpa.Pallet{MaxAuthorities: frame.ConstOf(uint32(16)), MaxSetIdSessionEntries: frame.ConstOf(uint64(100))}
	val := &validatorset.Pallet{MaxValidators: frame.ConstOf(uint32(16))}
	ses := &session.Pallet{Trigger: bab, Manager: val, Identity: val, Accounts: sys, Handlers: []session.Handler{bab, gra}}
	bab.Session, val.Session = ses, ses
	tim := &timestamp.Pallet{MinimumPeriod: frame.ConstOf(SlotDuration / 2), OnSet: []timestamp.OnTimestampSet{bab}}
	not := &notary.Pallet{MaxLen: frame.ConstOf(MaxNote), Deposit: frame.ConstOf(fixed.FromUint64(Deposit)), Currency: bal}

	var apis []frame.API
	for _, p := range []interface{ APIs() []frame.API }{bab, gra, ses, pay} {
		apis = append(apis, p.APIs()...)
	}
	rt := frame.New(frame.Config{
		Version: version,
		Modules: []frame.Module{
			0: {Name: "System", Pallet: sys},
			1: {Name: "Timestamp", Pallet: tim},
			2: {Name: "Babe", Pallet: bab},
			3: {Name: "Session", Pallet: ses},
			4: {Name: "Grandpa", Pallet: gra},
			5: {Name: "ValidatorSet", Pallet: val},
			6: {Name: "Balances", Pallet: bal},
			7: {Name: "TransactionPayment", Pallet: pay},
			8: {Name: "Notary", Pallet: not},
		},
		System:     sys,
		Extensions: append(sys.Extensions(), pay.Extension()),
		Inherents:  []string{"Timestamp"},
		APIs:       apis,
		Weights:    weights,
		Length:     length,
	})
	return &Runtime{Runtime: rt, System: sys, Notary: not}
}

// limits bounds blocks: half a slot's time of execution, three quarters of it for
// what users send, and a mebibyte of extrinsics.
func limits() (frame.BlockWeights, frame.BlockLength) {
	const whole, proof, size = 250_000_000_000, 5 << 20, 1 << 20
	class := func(quarters uint64) frame.ClassWeights {
		return frame.ClassWeights{
			BaseExtrinsic: types.Weight{RefTime: 50_000_000},
			MaxExtrinsic:  scale.Some(types.Weight{RefTime: whole / 8 * quarters, ProofSize: proof}),
			MaxTotal:      scale.Some(types.Weight{RefTime: whole / 4 * quarters, ProofSize: proof}),
			Reserved:      scale.Some(types.Weight{}),
		}
	}
	return frame.BlockWeights{
			BaseBlock: types.Weight{RefTime: 500_000_000}, MaxBlock: types.Weight{RefTime: whole, ProofSize: proof},
			PerClass: frame.PerClass[frame.ClassWeights]{Normal: class(3), Operational: class(4), Mandatory: frame.ClassWeights{BaseExtrinsic: types.Weight{RefTime: 50_000_000}}},
		},
		frame.BlockLength{Max: frame.PerClass[uint32]{Normal: size / 4 * 3, Operational: size, Mandatory: size}}
}

// Spec is the specification of the chain, with its state of block 0: one
// validator, //Alice, and money for her and for //Bob.
func Spec(rt *Runtime) (*chainspec.Spec, error) {
	alice, err := crypto.ParseURI("//Alice", crypto.Sr25519)
	if err != nil {
		return nil, err
	}
	votes, err := crypto.ParseURI("//Alice", crypto.Ed25519)
	if err != nil {
		return nil, err
	}
	bob, err := crypto.ParseURI("//Bob", crypto.Sr25519)
	if err != nil {
		return nil, err
	}
	who := alice.Account()
	keys := session.Keys{Grandpa: [32]byte(votes.Account()), Babe: [32]byte(who), ImOnline: [32]byte(who), AuthorityDiscovery: [32]byte(who)}
	money := fixed.FromUint64(Endowment)
	spec := &chainspec.Spec{
		Name: "Notary Example", ID: "notary", ChainType: chainspec.Development,
		Properties: chainspec.Properties{"ss58Format": json.RawMessage("42"), "tokenDecimals": json.RawMessage("9"), "tokenSymbol": json.RawMessage(`"NOTE"`)},
	}
	spec.Genesis.Runtime = map[string]json.RawMessage{}
	for name, config := range map[string]any{
		"Balances":     balances.Genesis{Balances: []balances.Endowment{{Account: who, Amount: money}, {Account: bob.Account(), Amount: money}}},
		"Session":      session.Genesis{Keys: []session.GenesisKeys{{Validator: who, Keys: keys}}},
		"ValidatorSet": validatorset.Genesis{Validators: []types.AccountID{who}},
	} {
		if spec.Genesis.Runtime[name], err = json.Marshal(config); err != nil {
			return nil, fmt.Errorf("genesis of %s: %w", name, err)
		}
	}
	return spec.Raw(rt.Genesis)
}
