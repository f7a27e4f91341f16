package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/types"
)

// PresetKey is the storage key under which a chain keeps its Preset, as JSON.
const PresetKey = ":crust:preset"

// Preset holds the constants in which networks differ. Times are in
// milliseconds, counts in blocks, slots or sessions as named, amounts in plancks,
// weights in picoseconds of execution.
type Preset struct {
	Name             string            `json:"name"`
	SlotDuration     uint64            `json:"slotDuration"`     // ms
	EpochLength      uint64            `json:"epochLength"`      // slots; also the length of a session
	NormalWeight     uint64            `json:"normalWeight"`     // per block, of calls that users send
	BlockHashCount   types.BlockNumber `json:"blockHashCount"`   // blocks
	MaxAuthorities   uint32            `json:"maxAuthorities"`   // of BABE and GRANDPA
	FeeMultiplierMin fixed.FixedU128   `json:"feeMultiplierMin"` // floor of the fee multiplier, times 10^18
	PerByteFee       fixed.U128        `json:"perByteFee"`       // plancks
	WeightFee        uint32            `json:"weightFee"`        // Perbill of a planck for each picosecond
	Staking          StakingPreset     `json:"staking"`
	Storage          StoragePreset     `json:"storage"`
	Market           MarketPreset      `json:"market"`
}

// StoragePreset holds the constants of work reports and attestation in which networks
// differ: slots and windows in blocks, 3 < deadline < auditWindow < reportSlot − updateOffset.
type StoragePreset struct {
	ReportSlot      types.BlockNumber `json:"reportSlot"`
	UpdateOffset    types.BlockNumber `json:"updateOffset"`    // before a slot's end, when its recount begins
	Deadline        types.BlockNumber `json:"deadline"`        // after a slot's first block, until which heartbeats are taken
	AuditWindow     types.BlockNumber `json:"auditWindow"`     // after a slot's first block, in which audits are answered
	PunishmentSlots uint32            `json:"punishmentSlots"` // heartbeats in a row that free space must have stood
	Samples         uint32            `json:"samples"`         // leaves of a challenge
	AuditOdds       uint32            `json:"auditOdds"`       // a worker is audited once in this many slots
	UnitLeaves      uint32            `json:"unitLeaves"`      // leaves of 64 KiB in a unit
	PublicAddresses bool              `json:"publicAddresses"` // whether endpoints have to be reachable from everywhere
	AttestPeriod    uint64            `json:"attestPeriod"`    // ms within which enclaves attest again; 0 for never
	PlatformCap     uint64            `json:"platformCap"`     // bytes that a platform may count
}

// MarketPreset holds the constants of the storage market in which networks differ, in
// blocks but for the last.
type MarketPreset struct {
	FileDuration      types.BlockNumber `json:"fileDuration"`
	SpowerReadyPeriod types.BlockNumber `json:"spowerReadyPeriod"` // until a replica has the file's power
	PendingLife       types.BlockNumber `json:"pendingLife"`       // how long an order waits for its first replica
	BonusPerFee       uint64            `json:"bonusPerFee"`       // bytes of power above the size for a planck paid; 0 for unlimited
}

// StakingPreset holds the constants of staking in which networks differ. The last
// five are what a chain begins with: Root can change four of them.
type StakingPreset struct {
	SessionsPerEra     uint32         `json:"sessionsPerEra"`
	BondingDuration    types.EraIndex `json:"bondingDuration"`    // eras for which a bond still answers after it was unbonded
	SlashDeferDuration types.EraIndex `json:"slashDeferDuration"` // eras for which slashes wait
	MarketPotEras      uint32         `json:"marketPotEras"`      // instalments, one an era, in which the market's pot is paid
	SPowerRatio        fixed.U128     `json:"sPowerRatio"`        // plancks of stake limit for a byte of workload

	HistoryDepth          types.EraIndex `json:"historyDepth"`   // eras for which rewards can be claimed
	ValidatorCount        uint32         `json:"validatorCount"` // how many are elected
	MinimumValidatorCount uint32         `json:"minimumValidatorCount"`
	StartRewardEra        types.EraIndex `json:"startRewardEra"` // first era that pays out of new coins
	ElectionBounds        staking.Bounds `json:"electionBounds"` // what candidates and guarantees have to keep to
}

// tenth is 0.1 as a fixed-point number.
func tenth() fixed.FixedU128 { return fixed.FixedFromInner(fixed.FromUint64(fixed.FixedScale / 10)) }

// Production is the preset of real networks.
func Production() Preset {
	return Preset{
		Name: "production", SlotDuration: 6000, EpochLength: 600, NormalWeight: 1_500_000_000_000, BlockHashCount: 2400,
		MaxAuthorities: 1000, FeeMultiplierMin: tenth(), PerByteFee: fixed.FromUint64(100_000), WeightFee: 300_000_000,
		Staking: StakingPreset{SessionsPerEra: 6, BondingDuration: 112, SlashDeferDuration: 108, MarketPotEras: 60, SPowerRatio: fixed.FromUint64(1),
			HistoryDepth: 84, ValidatorCount: 100, MinimumValidatorCount: 4, StartRewardEra: 1,
			ElectionBounds: staking.Bounds{LeastStake: fixed.FromUint64(CRU), Candidates: 10_000, Guarantees: 100_000}},
		Storage: StoragePreset{ReportSlot: 600, UpdateOffset: 100, Deadline: 50, AuditWindow: 100, PunishmentSlots: 8, Samples: 1024, AuditOdds: 100, UnitLeaves: 1 << 14,
			PublicAddresses: true, AttestPeriod: 30 * day, PlatformCap: 1 << 50},
		Market: MarketPreset{FileDuration: 2_592_000, SpowerReadyPeriod: 1_296_000, PendingLife: 100_800, BonusPerFee: 20},
	}
}

// Development is the preset of the networks dev and local: a block a second.
func Development() Preset {
	p := Production()
	p.Name, p.SlotDuration, p.EpochLength, p.NormalWeight = "development", 1000, 20, 500_000_000_000
	p.Staking = StakingPreset{SessionsPerEra: 3, BondingDuration: 4, SlashDeferDuration: 2, MarketPotEras: 6, SPowerRatio: fixed.FromUint64(1_000_000),
		HistoryDepth: 84, ValidatorCount: 5, MinimumValidatorCount: 1, StartRewardEra: 1, ElectionBounds: staking.Bounds{Candidates: 10_000, Guarantees: 100_000}}
	p.Storage = StoragePreset{ReportSlot: 20, UpdateOffset: 3, Deadline: 12, AuditWindow: 16, PunishmentSlots: 2, Samples: 64, AuditOdds: 4, UnitLeaves: 256, PlatformCap: 1 << 40}
	p.Market = MarketPreset{FileDuration: 3600, SpowerReadyPeriod: 120, PendingLife: 200}
	return p
}

// eraSlots is how many slots an era has.
func (p *Preset) eraSlots() uint64 { return uint64(p.Staking.SessionsPerEra) * p.EpochLength }

// erasPerYear is how many eras a year of 365.25 days has.
func (p *Preset) erasPerYear() uint32 {
	const year = 31_557_600_000 // ms
	return uint32(year / p.SlotDuration / p.eraSlots())
}

// Validate reports numbers that no chain could run with.
func (p *Preset) Validate() error {
	switch {
	case p.SlotDuration < 100 || p.SlotDuration > 3_600_000:
		return fmt.Errorf("preset %q: slotDuration is %d ms; it must be between 100 ms and an hour", p.Name, p.SlotDuration)
	case p.EpochLength < 2 || p.EpochLength > 1_000_000:
		return fmt.Errorf("preset %q: epochLength is %d slots; it must be between 2 and 1,000,000", p.Name, p.EpochLength)
	case p.NormalWeight < 1_000_000_000 || p.NormalWeight > 60_000_000_000_000:
		return fmt.Errorf("preset %q: normalWeight is %d ps; it must be between a millisecond and a minute", p.Name, p.NormalWeight)
	case p.BlockHashCount < 64:
		return fmt.Errorf("preset %q: blockHashCount is %d; transactions are valid for 64 blocks, so it must be at least that", p.Name, p.BlockHashCount)
	case p.MaxAuthorities == 0 || p.MaxAuthorities > 100_000:
		return fmt.Errorf("preset %q: maxAuthorities is %d; it must be between 1 and 100,000", p.Name, p.MaxAuthorities)
	case p.FeeMultiplierMin.IsZero():
		return fmt.Errorf("preset %q: feeMultiplierMin is zero; a fee that falls to nothing never rises again", p.Name)
	case p.WeightFee > 1_000_000_000:
		return fmt.Errorf("preset %q: weightFee is %d; it is a Perbill, at most 1,000,000,000", p.Name, p.WeightFee)
	}
	if err := p.validateStaking(); err != nil {
		return err
	}
	return p.validateStorage()
}

func (p *Preset) validateStorage() error {
	const year = 31_557_600_000 // ms
	longest := types.BlockNumber(10 * year / p.SlotDuration)
	switch s, m := &p.Storage, &p.Market; {
	case s.AttestPeriod > 10*year:
		return fmt.Errorf("preset %q: storage.attestPeriod is %d ms; it must be at most ten years, or 0 for never", p.Name, s.AttestPeriod)
	case s.PlatformCap == 0:
		return fmt.Errorf("preset %q: storage.platformCap is zero; no storage would count", p.Name)
	case m.FileDuration < s.ReportSlot || m.FileDuration > longest:
		return fmt.Errorf("preset %q: market.fileDuration is %d blocks; it must be between a report slot and ten years", p.Name, m.FileDuration)
	case m.SpowerReadyPeriod > m.FileDuration:
		return fmt.Errorf("preset %q: market.spowerReadyPeriod is %d blocks; files last for %d", p.Name, m.SpowerReadyPeriod, m.FileDuration)
	case m.PendingLife < s.ReportSlot || m.PendingLife > longest:
		return fmt.Errorf("preset %q: market.pendingLife is %d blocks; it must be between a report slot and ten years", p.Name, m.PendingLife)
	}
	if err := p.swork().Validate(); err != nil {
		return fmt.Errorf("preset %q: storage: %w", p.Name, err)
	}
	return nil
}

func (p *Preset) validateStaking() error {
	switch s := &p.Staking; {
	case s.SessionsPerEra == 0 || s.SessionsPerEra > 1000 || p.erasPerYear() == 0:
		return fmt.Errorf("preset %q: staking.sessionsPerEra is %d; it must be between 1 and 1,000, and an era no longer than a year", p.Name, s.SessionsPerEra)
	case s.BondingDuration == 0 || s.BondingDuration > 10_000:
		return fmt.Errorf("preset %q: staking.bondingDuration is %d eras; it must be between 1 and 10,000", p.Name, s.BondingDuration)
	case s.SlashDeferDuration >= s.BondingDuration:
		return fmt.Errorf("preset %q: staking.slashDeferDuration is %d eras; bonds answer for %d, so it must be less", p.Name, s.SlashDeferDuration, s.BondingDuration)
	case s.MarketPotEras == 0 || s.MarketPotEras > 10_000:
		return fmt.Errorf("preset %q: staking.marketPotEras is %d; it must be between 1 and 10,000", p.Name, s.MarketPotEras)
	case s.SPowerRatio.IsZero():
		return fmt.Errorf("preset %q: staking.sPowerRatio is zero; storage would allow no stake", p.Name)
	case s.HistoryDepth == 0 || s.HistoryDepth > 10_000:
		return fmt.Errorf("preset %q: staking.historyDepth is %d eras; it must be between 1 and 10,000", p.Name, s.HistoryDepth)
	case s.ValidatorCount < max(s.MinimumValidatorCount, 1) || s.ValidatorCount > p.MaxAuthorities:
		return fmt.Errorf("preset %q: staking.validatorCount is %d; it must be between %d and %d", p.Name, s.ValidatorCount, max(s.MinimumValidatorCount, 1), p.MaxAuthorities)
	}
	return nil
}

// Encode is the form under PresetKey.
func (p *Preset) Encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // plain numbers always encode
	}
	return b
}

// DecodePreset reads what Encode wrote; unknown fields are errors.
func DecodePreset(b []byte) (Preset, error) {
	var p Preset
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("preset: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return p, errors.New("preset: trailing text")
	}
	return p, p.Validate()
}
