package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

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
}

// tenth is 0.1 as a fixed-point number.
func tenth() fixed.FixedU128 { return fixed.FixedFromInner(fixed.FromUint64(fixed.FixedScale / 10)) }

// Production is the preset of real networks.
func Production() Preset {
	return Preset{
		Name: "production", SlotDuration: 6000, EpochLength: 600, NormalWeight: 1_500_000_000_000, BlockHashCount: 2400,
		MaxAuthorities: 1000, FeeMultiplierMin: tenth(), PerByteFee: fixed.FromUint64(100_000), WeightFee: 300_000_000,
	}
}

// Development is the preset of the networks dev and local: a block a second.
func Development() Preset {
	p := Production()
	p.Name, p.SlotDuration, p.EpochLength, p.NormalWeight = "development", 1000, 20, 500_000_000_000
	return p
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
