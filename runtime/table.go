package runtime

import (
	"math"

	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/gpos/benefits"
	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/authoritydiscovery"
	"github.com/crustgo/crust/substrate/pallets/authorship"
	"github.com/crustgo/crust/substrate/pallets/babe"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/grandpa"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/imonline"
	"github.com/crustgo/crust/substrate/pallets/offences"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/pallets/sudo"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/pallets/timestamp"
	"github.com/crustgo/crust/substrate/pallets/treasury"
	"github.com/crustgo/crust/substrate/pallets/txpayment"
	"github.com/crustgo/crust/substrate/pallets/utility"
	"github.com/crustgo/crust/substrate/queryview"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Version identifies this runtime. SpecVersion rises with every change of
// rules, state or metadata; TransactionVersion with every change of what a
// signature covers.
var version = types.RuntimeVersion{
	SpecName: "crust", ImplName: "crust-go", AuthoringVersion: 1, SpecVersion: 107, ImplVersion: 1, TransactionVersion: 1, StateVersion: 1,
}

// Runtime is Crust's runtime with the constants of one chain.
type Runtime struct {
	Frame  *frame.Runtime
	View   *queryview.View // what light clients query, under :code
	Preset Preset

	pallets any // *Pallets
	modules []frame.Module
}

// PalletsOf are the pallets of a runtime, wired to each other.
func PalletsOf(r *Runtime) *Pallets { return r.pallets.(*Pallets) }

// PalletOf is the pallet of that type, for who needs few of them; nil if the runtime has
// none.
func PalletOf[P any](r *Runtime) (pallet P) {
	for _, m := range r.modules {
		if p, ok := m.Pallet.(P); ok {
			return p
		}
	}
	return pallet
}

// Pallets are the pallets of a runtime; [PalletsOf] gives them. They are not fields of
// [Runtime], nor do its methods name them, because the compiler makes every storage item
// that a type reaches anew in each package that mentions the type: half a minute of CPU
// a package.
type Pallets struct {
	System             *system.Pallet
	Babe               *babe.Pallet
	Timestamp          *timestamp.Pallet
	Balances           *balances.Pallet
	TransactionPayment *txpayment.Pallet
	Authorship         *authorship.Pallet
	Staking            *staking.Pallet
	Historical         *historical.Pallet
	Session            *session.Pallet
	Grandpa            *grandpa.Pallet
	ImOnline           *imonline.Pallet
	AuthorityDiscovery *authoritydiscovery.Pallet
	Offences           *offences.Pallet
	Treasury           *treasury.Pallet
	Utility            *utility.Pallet
	Swork              *swork.Pallet
	Market             *market.Pallet
	Benefits           *benefits.Pallet
	Sudo               *sudo.Pallet
	Attest             *attest.Pallet
}

// SS58Prefix is the network's number in addresses.
const SS58Prefix uint16 = 66

// grandpaPrefix is the storage prefix of the Grandpa pallet.
const grandpaPrefix = "GrandpaFinality"

// New builds the runtime. A preset that Validate refuses panics.
func New(p Preset) *Runtime {
	if err := p.Validate(); err != nil {
		panic(err)
	}
	rt, r := &Runtime{Preset: p}, &Pallets{}
	rt.pallets = r
	weights, length := limits(&p)
	r.construct(&p, weights, length)
	r.System.Code = rt.code
	r.wire(&p)
	rt.modules = []frame.Module{
		0:  {Name: "System", Pallet: r.System},
		2:  {Name: "Babe", Pallet: r.Babe},
		3:  {Name: "Timestamp", Pallet: r.Timestamp},
		5:  {Name: "Balances", Pallet: r.Balances},
		6:  {Name: "TransactionPayment", Pallet: r.TransactionPayment},
		7:  {Name: "Authorship", Pallet: r.Authorship},
		8:  {Name: "Staking", Pallet: r.Staking},
		9:  {Name: "Historical", Pallet: r.Historical},
		10: {Name: "Session", Pallet: r.Session},
		11: {Name: "Grandpa", Prefix: grandpaPrefix, Pallet: r.Grandpa},
		12: {Name: "ImOnline", Pallet: r.ImOnline},
		13: {Name: "AuthorityDiscovery", Pallet: r.AuthorityDiscovery},
		14: {Name: "Offences", Pallet: r.Offences},
		15: {Name: "Treasury", Pallet: r.Treasury},
		23: {Name: "Utility", Pallet: r.Utility},
		25: {Name: "Swork", Pallet: r.Swork},
		26: {Name: "Market", Pallet: r.Market},
		28: {Name: "Benefits", Pallet: r.Benefits},
		40: {Name: "Sudo", Pallet: r.Sudo},
		42: {Name: "Attest", Pallet: r.Attest},
	}
	rt.Frame = frame.New(frame.Config{
		Version:    version,
		Modules:    rt.modules,
		System:     r.System,
		Extensions: append(r.System.Extensions(), r.TransactionPayment.Extension()),
		Inherents:  []string{"Timestamp"},
		APIs:       r.apis(),
		Weights:    weights,
		Length:     length,
	})
	rt.buildView()
	return rt
}

// construct makes the pallets with their constants.
func (r *Pallets) construct(p *Preset, weights frame.BlockWeights, length frame.BlockLength) {
	r.System = &system.Pallet{
		BlockWeights: frame.ConstOf(weights), BlockLength: frame.ConstOf(length), BlockHashCount: frame.ConstOf(p.BlockHashCount),
		DbWeight: frame.ConstOf(system.DbWeight{Read: 3_000_000, Write: 6_000_000}), Version: frame.ConstOf(version), SS58Prefix: frame.ConstOf(SS58Prefix),
	}
	r.Babe = &babe.Pallet{
		EpochDuration: frame.ConstOf(p.EpochLength), ExpectedBlockTime: frame.ConstOf(types.Moment(p.SlotDuration)), MaxAuthorities: frame.ConstOf(p.MaxAuthorities),
	}
	r.Timestamp = &timestamp.Pallet{MinimumPeriod: frame.ConstOf(types.Moment(p.SlotDuration / 2))}
	r.Balances = &balances.Pallet{
		ExistentialDeposit: frame.ConstOf(fixed.FromUint64(100_000_000)), MaxLocks: frame.ConstOf(uint32(50)), MaxReserves: frame.ConstOf(uint32(50)),
	}
	r.Authorship = &authorship.Pallet{}
	r.Staking = &staking.Pallet{
		SessionsPerEra: frame.ConstOf(p.Staking.SessionsPerEra), BondingDuration: frame.ConstOf(p.Staking.BondingDuration), SlashDeferDuration: frame.ConstOf(p.Staking.SlashDeferDuration),
		MaxGuarantorRewardedPerValidator: frame.ConstOf(uint32(64)), MarketStakingPotDuration: frame.ConstOf(p.Staking.MarketPotEras), SPowerRatio: frame.ConstOf(p.Staking.SPowerRatio),
		UncheckedFrozenBondFund: frame.ConstOf(fixed.FromUint64(CRU)), ErasPerYear: p.erasPerYear(), DisabledThreshold: fixed.Perbill(170_000_000),
	}
	r.Benefits = &benefits.Pallet{
		BenefitReportWorkCost: frame.ConstOf(fixed.FromUint64(3 * CRU)), BenefitsLimitRatio: frame.ConstOf(fixed.Perbill(2_000_000)),
		BenefitMarketCostRatio: frame.ConstOf(fixed.PerbillOne()), BondingDuration: frame.ConstOf(p.Staking.BondingDuration),
	}
	r.constructStorage(p)
	r.Historical = &historical.Pallet{KeepSessions: frame.ConstOf(keepSessions)}
	r.Session = &session.Pallet{}
	r.AuthorityDiscovery = &authoritydiscovery.Pallet{}
	r.ImOnline = &imonline.Pallet{UnsignedPriority: frame.ConstOf(uint64(math.MaxUint64)), MaxKeys: frame.ConstOf(p.MaxAuthorities), SessionLength: types.BlockNumber(p.EpochLength)}
	r.Offences = &offences.Pallet{KeepSessions: frame.ConstOf(keepSessions)}
	r.Utility = &utility.Pallet{BatchedCallsLimit: frame.ConstOf(uint32(1000))}
	r.Sudo = &sudo.Pallet{}
	r.Grandpa = &grandpa.Pallet{MaxAuthorities: frame.ConstOf(p.MaxAuthorities), MaxSetIdSessionEntries: frame.ConstOf(maxSetSessions)}
	r.Treasury = &treasury.Pallet{PalletID: frame.ConstOf(treasury.PalletID([]byte("py/trsry")))}
	r.TransactionPayment = &txpayment.Pallet{
		BaseFee: frame.ConstOf(baseFee), FeePerByte: frame.ConstOf(p.PerByteFee), FeePerWeight: frame.ConstOf(fixed.Perbill(p.WeightFee)),
		TargetBlockFullness: frame.ConstOf(fixed.Perquintill(250_000_000_000_000_000)), AdjustmentVariable: frame.ConstOf(fixed.FixedFromInner(fixed.FromUint64(fixed.FixedScale / 100_000))),
		MinimumMultiplier: frame.ConstOf(p.FeeMultiplierMin), OperationalFeeMultiplier: frame.ConstOf(uint8(5)),
	}
}

// constructStorage makes the pallets of storage.
func (r *Pallets) constructStorage(p *Preset) {
	r.Swork = p.swork()
	r.Attest = &attest.Pallet{
		AnchorAge: frame.ConstOf(types.BlockNumber(300)), Period: frame.ConstOf(types.Moment(p.Storage.AttestPeriod)), Delay: frame.ConstOf(types.Moment(90 * day)),
		NewGrace: frame.ConstOf(types.Moment(7 * day)), OldGrace: frame.ConstOf(types.Moment(30 * day)), FullCap: frame.ConstOf(p.Storage.PlatformCap),
		LesserCap: frame.ConstOf(min(p.Storage.PlatformCap, 64<<40)), KeysPerPlatform: frame.ConstOf(uint32(8)),
	}
	var bonus scale.Option[uint64] // unlimited
	if p.Market.BonusPerFee != 0 {
		bonus = scale.Some(p.Market.BonusPerFee)
	}
	r.Market = &market.Pallet{
		FileDuration: frame.ConstOf(p.Market.FileDuration), PendingLife: frame.ConstOf(p.Market.PendingLife), ReportSlot: frame.ConstOf(p.Storage.ReportSlot),
		InitFileByteFee: frame.ConstOf(fixed.FromUint64(10_000)), MaximumFileSize: frame.ConstOf(uint64(8 << 30)), RenewRewardRatio: frame.ConstOf(fixed.Perbill(50_000_000)),
		CollateralRatio: frame.ConstOf(uint32(1)), BonusPerFee: frame.ConstOf(bonus), MaxWork: frame.ConstOf(types.Weight{RefTime: p.NormalWeight / 5, ProofSize: math.MaxUint64}),
		Defaults: market.Defaults{FileKeysCountFee: fixed.FromUint64(1_000_000), MaxFileBaseFee: fixed.FromUint64(50_000_000_000), MaxFileByteFee: fixed.FromUint64(1_000_000),
			MaxFileKeysCountFee: fixed.FromUint64(10_000_000), SpowerReadyPeriod: uint32(p.Market.SpowerReadyPeriod)},
	}
}

// day is one in milliseconds.
const day = 86_400_000

// swork makes the pallet of the work reports, which judges its constants itself.
func (p *Preset) swork() *swork.Pallet {
	s := &p.Storage
	return &swork.Pallet{
		ReportSlot: frame.ConstOf(s.ReportSlot), UpdateOffset: frame.ConstOf(s.UpdateOffset), Deadline: frame.ConstOf(s.Deadline), AuditWindow: frame.ConstOf(s.AuditWindow),
		PunishmentSlots: frame.ConstOf(s.PunishmentSlots), MaxGroupSize: frame.ConstOf(uint32(1000)), Samples: frame.ConstOf(s.Samples), AuditOdds: frame.ConstOf(s.AuditOdds),
		UnitLeaves: frame.ConstOf(s.UnitLeaves), PublicAddresses: frame.ConstOf(s.PublicAddresses),
	}
}

// limits are the block limits: three quarters for what users send, the rest for
// what keeps the chain working.
func limits(p *Preset) (frame.BlockWeights, frame.BlockLength) {
	weight := func(ref uint64) types.Weight { return types.Weight{RefTime: ref, ProofSize: math.MaxUint64} }
	whole := p.NormalWeight / 3 * 4
	normal := frame.ClassWeights{BaseExtrinsic: weights.baseExtrinsic, MaxTotal: scale.Some(weight(p.NormalWeight)), Reserved: scale.Some(types.Weight{}),
		MaxExtrinsic: scale.Some(weight(p.NormalWeight - whole/40 - weights.baseExtrinsic.RefTime))}
	operational := frame.ClassWeights{BaseExtrinsic: weights.baseExtrinsic, MaxTotal: scale.Some(weight(whole)), Reserved: scale.Some(weight(whole - p.NormalWeight)),
		MaxExtrinsic: scale.Some(weight(whole - whole/40 - weights.baseExtrinsic.RefTime))}
	mandatory := frame.ClassWeights{BaseExtrinsic: weights.baseExtrinsic}
	const length = 5 << 20
	return frame.BlockWeights{BaseBlock: weights.baseBlock, MaxBlock: weight(whole),
			PerClass: frame.PerClass[frame.ClassWeights]{Normal: normal, Operational: operational, Mandatory: mandatory}},
		frame.BlockLength{Max: frame.PerClass[uint32]{Normal: length / 4 * 3, Operational: length, Mandatory: length}}
}

// keepSessions is for how many sessions the roots of their validators, and the
// reports of their offences, are kept: for as long as an offence can be reported.
const keepSessions uint32 = 1000

// maxSetSessions is for how many GRANDPA sets their last session is kept: for
// longer than an offence can be reported.
const maxSetSessions uint64 = 1000
