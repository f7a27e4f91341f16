package babe

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Config is what a chain starts with: the genesis configuration of BABE.
type Config struct {
	SlotDuration uint64 // milliseconds
	EpochLength  uint64 // slots
	EpochConfig
	Authorities []Authority // of epoch 0
	Randomness  [32]byte    // of epoch 0
}

// Validate reports a configuration that no chain can start with.
func (g *Config) Validate() error {
	if g.SlotDuration == 0 || g.EpochLength == 0 {
		return errors.New("babe: slots and epochs cannot be empty")
	}
	if err := checkAuthorities(g.Authorities); err != nil {
		return err
	}
	return g.EpochConfig.Validate()
}

// AppendSCALE appends what BabeApi_configuration (version 2) returns.
func (g Config) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU64(scale.AppendU64(dst, g.SlotDuration), g.EpochLength)
	dst = scale.AppendU64(scale.AppendU64(dst, g.C.Num), g.C.Den)
	dst = append(appendAuthorities(dst, g.Authorities), g.Randomness[:]...)
	return append(dst, byte(g.Allowed))
}

// DecodeSCALE reads what BabeApi_configuration (version 2) returns.
func (g *Config) DecodeSCALE(c *scale.Cursor) {
	*g = Config{SlotDuration: c.U64(), EpochLength: c.U64()}
	g.C = Ratio{Num: c.U64(), Den: c.U64()}
	g.Authorities = decodeAuthorities(c)
	c.Fixed(g.Randomness[:])
	g.Allowed = AllowedSlots(c.U8())
	if c.Err() == nil {
		if err := g.Validate(); err != nil {
			c.Fail(err)
		}
	}
}

// Epoch is what holds in a span of slots. Index and Start are effective: they
// count epochs that passed without a block.
type Epoch struct {
	Index       types.EpochIndex
	Start       types.Slot
	Duration    uint64 // slots
	Authorities []Authority
	Randomness  [32]byte
	Config      EpochConfig
}

// End is the first slot after the epoch.
func (e *Epoch) End() types.Slot { return e.Start + types.Slot(e.Duration) }

// AppendSCALE appends what BabeApi_current_epoch and BabeApi_next_epoch return.
func (e Epoch) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU64(scale.AppendU64(dst, uint64(e.Index)), uint64(e.Start))
	dst = scale.AppendU64(dst, e.Duration)
	dst = append(appendAuthorities(dst, e.Authorities), e.Randomness[:]...)
	return e.Config.append(dst)
}

// DecodeSCALE reads what BabeApi_current_epoch and BabeApi_next_epoch return.
func (e *Epoch) DecodeSCALE(c *scale.Cursor) {
	*e = Epoch{Index: types.EpochIndex(c.U64()), Start: types.Slot(c.U64()), Duration: c.U64()}
	if c.Err() == nil && e.Duration == 0 {
		c.Fail(errors.New("babe: an epoch without slots"))
	}
	e.Authorities = decodeAuthorities(c)
	c.Fixed(e.Randomness[:])
	e.Config.decode(c)
}

// EpochState is what a block and its descendants know of epochs. It never
// changes; blocks of one epoch on one chain share it, so that a store can keep
// it once, under First.
type EpochState struct {
	First   types.Hash // the block that began Current; zero at genesis
	Current *Epoch     // nil at genesis: epoch 0 starts with block 1
	Next    *Epoch
}

// GenesisState is the state before block 1.
func GenesisState(g *Config) *EpochState {
	return &EpochState{Next: &Epoch{
		Duration: g.EpochLength, Authorities: g.Authorities, Randomness: g.Randomness, Config: g.EpochConfig,
	}}
}

// At returns the epoch of a child in a slot, and whether the child is the first
// block of that epoch and so has to announce the next one. Slots of epochs that
// passed without a block advance the index and the start, but the authorities
// and the randomness are those that were announced last (Polkadot's rule for
// skipped epochs, substrate-compat §4.5). Slot must not be before the parent's.
func (s *EpochState) At(slot types.Slot) (e *Epoch, first bool) {
	if s.Current == nil {
		zero := *s.Next
		zero.Start = slot
		return &zero, true
	}
	if slot < s.Next.Start {
		return s.Current, false
	}
	passed := uint64(slot-s.Next.Start) / s.Next.Duration
	if passed == 0 {
		return s.Next, true
	}
	shifted := *s.Next
	shifted.Index += types.EpochIndex(passed)
	shifted.Start += types.Slot(passed * s.Next.Duration)
	return &shifted, true
}

// advance returns the state after the first block of e, which announced the
// epoch after it.
func advance(first types.Hash, e *Epoch, announced, config *Log) *EpochState {
	next := &Epoch{
		Index: e.Index + 1, Start: e.End(), Duration: e.Duration,
		Authorities: announced.Authorities, Randomness: announced.Randomness, Config: e.Config,
	}
	if config != nil {
		next.Config = config.Config
	}
	return &EpochState{First: first, Current: e, Next: next}
}

// AppendSCALE appends the state in this program's own storage format.
func (s EpochState) AppendSCALE(dst []byte) []byte {
	dst = append(dst, s.First[:]...)
	dst = scale.AppendBool(dst, s.Current != nil)
	if s.Current != nil {
		dst = s.Current.AppendSCALE(dst)
	}
	return s.Next.AppendSCALE(dst)
}

// DecodeSCALE reads the state in this program's own storage format.
func (s *EpochState) DecodeSCALE(c *scale.Cursor) {
	*s = EpochState{Next: new(Epoch)}
	c.Fixed(s.First[:])
	if c.Bool() {
		s.Current = new(Epoch)
		s.Current.DecodeSCALE(c)
	}
	s.Next.DecodeSCALE(c)
	if c.Err() == nil && s.Current != nil && s.Next.Start < s.Current.Start {
		c.Fail(fmt.Errorf("babe: the next epoch starts in slot %d, before the current one in slot %d", s.Next.Start, s.Current.Start))
	}
}

// Head is what a block's children inherit from it.
type Head struct {
	Slot   types.Slot // 0 at genesis
	Epochs *EpochState
}

// GenesisHead is the head of the genesis block.
func GenesisHead(g *Config) Head { return Head{Epochs: GenesisState(g)} }

// MixRandomness is the randomness of the epoch after the next: the hash of the
// next epoch's, of the index of the new one, and of every VRF output of the
// epoch that ends. Substrate's pallet leaves out the last, unfilled segment of
// outputs; here every output counts.
func MixRandomness(next [32]byte, index types.EpochIndex, outputs [][32]byte) [32]byte {
	b := make([]byte, 0, 40+32*len(outputs))
	b = scale.AppendU64(append(b, next[:]...), uint64(index))
	for i := range outputs {
		b = append(b, outputs[i][:]...)
	}
	return hash.Blake2b256(b)
}

// SlotAt is the slot of a moment; duration is a slot's length in milliseconds, not 0.
func SlotAt(now types.Moment, duration uint64) types.Slot {
	return types.Slot(uint64(now) / duration)
}

// SlotStart is the first moment of a slot; it saturates.
func SlotStart(slot types.Slot, duration uint64) types.Moment {
	if duration != 0 && uint64(slot) > ^uint64(0)/duration {
		return types.Moment(^uint64(0))
	}
	return types.Moment(uint64(slot) * duration)
}

// UntilSlot is how many milliseconds are left before a slot starts; 0 if it has.
func UntilSlot(now types.Moment, slot types.Slot, duration uint64) uint64 {
	start := SlotStart(slot, duration)
	return uint64(start - min(start, now))
}
