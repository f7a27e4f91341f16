package queryview

import (
	"errors"
	"math/bits"
	"slices"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Metadata is a runtime's metadata in one format, from "meta" on.
type Metadata struct {
	Format uint32
	Blob   []byte
}

// FeeEstimate is what query_info answers for every transaction: Weight, class
// Normal, and a fee of Base + PerByte · length, in plancks.
type FeeEstimate struct {
	Weight  types.Weight
	Base    uint64
	PerByte uint64
}

// Standard describes a chain with BABE and GRANDPA whose pallets store what
// polkadot-sdk's do.
type Standard struct {
	Version types.RuntimeVersion
	// Metadata in all formats that the runtime writes, ascending; the first answers
	// Metadata_metadata.
	Metadata []Metadata

	// Storage prefixes of the pallets; empty means System, Babe and Grandpa.
	System, Babe, Grandpa string

	SlotDuration  types.Moment // in milliseconds
	EpochDuration uint64       // in slots

	Fee FeeEstimate
}

func (s *Standard) validate() error {
	for i, m := range s.Metadata {
		if i > 0 && s.Metadata[i-1].Format >= m.Format {
			return errors.New("query view: the formats of the metadata do not ascend")
		}
	}
	if len(s.Metadata) == 0 {
		return errors.New("query view: the metadata is missing")
	}
	high, low := bits.Mul64(s.Fee.PerByte, 1<<32-1)
	if _, carry := bits.Add64(low, s.Fee.Base, 0); high+carry != 0 {
		return errors.New("query view: the fee of the longest transaction exceeds 64 bits")
	}
	return nil
}

// View generates the view of the chain.
func (s Standard) View() (*View, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	return New(s.Version, s.Functions()...)
}

// Functions describes the functions of the chain, to which others may be added.
func (s Standard) Functions() []Function {
	return slices.Concat(s.core(), s.accounts(), s.babe(), s.grandpa())
}

func (s *Standard) core() []Function {
	versions := scale.AppendCompact(nil, uint64(len(s.Metadata)))
	var cases []Case
	for _, m := range s.Metadata {
		versions = scale.AppendU32(versions, m.Format)
		cases = append(cases, Case{m.Format, append([]byte{1}, vec(m.Blob)...)})
	}
	return []Function{
		Const("Core_version", s.Version.AppendSCALE(nil)),
		Const("Metadata_metadata", vec(s.Metadata[0].Blob)),
		Const("Metadata_metadata_versions", versions),
		Match("Metadata_metadata_at_version", cases, []byte{0}),
	}
}

func (s *Standard) accounts() []Function {
	accounts := Item(orElse(s.System, "System"), "Account")
	w := s.Fee.Weight
	info := scale.AppendCompact(scale.AppendCompact(nil, w.RefTime), w.ProofSize)
	const classNormal = 0
	return []Function{
		Concat("AccountNonceApi_account_nonce",
			Value(MapKey(accounts, 0, accountSize)).Slice(0, 4).Or(make([]byte, 4))).Args(accountSize),
		TransactionValidity("TaggedTransactionQueue_validate_transaction", accounts),
		Concat("TransactionPaymentApi_query_info",
			Bytes(append(info, classNormal)),
			LittleEndian(16, Sum(N(s.Fee.Base), Product(N(s.Fee.PerByte), LastU32()))),
		).ArgsFrom(5).Estimate(),
	}
}

// babe assembles configuration and epochs as the pallet does: an epoch begins at
// GenesisSlot + index · EpochDuration, and the next one has the configuration
// NextEpochConfig, if that was ever set. Without a configuration there is no answer.
func (s *Standard) babe() []Function {
	item := func(name string) Key { return Item(orElse(s.Babe, "Babe"), name) }
	epoch := func(index Num, next string, configs ...Key) []Part {
		start := Sum(U64(item("GenesisSlot")), Product(index, N(s.EpochDuration)))
		return []Part{
			LittleEndian(8, index), LittleEndian(8, start), Bytes(scale.AppendU64(nil, s.EpochDuration)),
			Value(item(next + "Authorities")).Or([]byte{0}),
			Value(item(next + "Randomness")).Exactly(32).Or(make([]byte, 32)),
			Value(configs...).Exactly(17), // (u64, u64), AllowedSlots
		}
	}
	index := U64(item("EpochIndex"))
	config := Value(item("EpochConfig")).Exactly(17)
	return []Function{
		Concat("BabeApi_configuration",
			Bytes(scale.AppendU64(scale.AppendU64(nil, uint64(s.SlotDuration)), s.EpochDuration)),
			config.Slice(0, 16),
			Value(item("Authorities")).Or([]byte{0}),
			Value(item("Randomness")).Exactly(32).Or(make([]byte, 32)),
			config.Slice(16, 1)),
		Concat("BabeApi_current_epoch_start",
			LittleEndian(8, Sum(U64(item("GenesisSlot")), Product(index, N(s.EpochDuration))))),
		Concat("BabeApi_current_epoch", epoch(index, "", item("EpochConfig"))...),
		Concat("BabeApi_next_epoch", epoch(Sum(index, N(1)), "Next", item("NextEpochConfig"), item("EpochConfig"))...),
	}
}

func (s *Standard) grandpa() []Function {
	item := func(name string) Key { return Item(orElse(s.Grandpa, "Grandpa"), name) }
	return []Function{
		Concat("GrandpaApi_current_set_id", Value(item("CurrentSetId")).Exactly(8).Or(make([]byte, 8))),
		Concat("GrandpaApi_grandpa_authorities", Value(item("Authorities")).Or([]byte{0})),
	}
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
