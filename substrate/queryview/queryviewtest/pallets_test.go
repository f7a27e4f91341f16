package queryviewtest

import (
	"testing"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/frame/frametest"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/queryview"
	"github.com/crustgo/crust/substrate/types"

	babepallet "github.com/crustgo/crust/substrate/pallets/babe"
	"github.com/crustgo/crust/substrate/pallets/grandpa"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/pallets/validatorset"
)

const (
	epochSlots  = 4
	validators  = 3
	genesisSlot = 1_000
)

// chain is a runtime with the pallets that the view speaks for.
type chain struct {
	*frametest.Chain
	babe    *babepallet.Pallet
	grandpa *grandpa.Pallet
}

func newChain(t *testing.T) *chain {
	sys := frametest.NewSystem()
	c := &chain{
		babe:    &babepallet.Pallet{EpochDuration: frame.ConstOf(uint64(epochSlots)), ExpectedBlockTime: frame.ConstOf(types.Moment(6000)), MaxAuthorities: frame.ConstOf(uint32(100))},
		grandpa: &grandpa.Pallet{MaxAuthorities: frame.ConstOf(uint32(100)), MaxSetIdSessionEntries: frame.ConstOf(uint64(8))},
	}
	s := &session.Pallet{Accounts: sys}
	set := &validatorset.Pallet{MaxValidators: frame.ConstOf(uint32(100)), Session: s}
	c.babe.Session = s
	s.Trigger, s.Manager, s.Identity, s.Handlers = c.babe, set, set, []session.Handler{c.babe, c.grandpa}
	var g session.Genesis
	for i := range byte(validators) {
		g.Keys = append(g.Keys, session.GenesisKeys{Validator: types.AccountID{i, 1}, Keys: session.Keys{
			Grandpa: session.GrandpaID{1, i}, Babe: session.BabeID{2, i}, ImOnline: session.ImOnlineID{3, i}, AuthorityDiscovery: session.AuthorityDiscoveryID{4, i},
		}})
	}
	c.Chain = frametest.NewWith(t, sys, frametest.Module(2, "Babe", c.babe), frametest.Module(10, "Session", s),
		frametest.Module(11, "Grandpa", c.grandpa), frametest.Module(41, "ValidatorSet", set),
		func(cfg *frame.Config) {
			cfg.Modules[11].Prefix = "GrandpaFinality"
			cfg.APIs = append(append(cfg.APIs, c.babe.APIs()...), c.grandpa.APIs()...)
		})
	c.Genesis(map[string]any{"Session": g, "Babe": babepallet.Genesis{C: [2]uint64{1, 4}, AllowedSlots: babepallet.AllowedSlots(babe.PrimaryAndSecondaryPlain)}})
	return c
}

// view is generated from the runtime itself, as a node does it.
func (c *chain) view(t *testing.T) *queryview.View {
	s := queryview.Standard{Version: c.Runtime.Version(), Grandpa: "GrandpaFinality", SlotDuration: 6000, EpochDuration: epochSlots}
	for _, format := range []uint32{14, 15} {
		blob, ok := c.Runtime.Metadata(uint8(format))
		if !ok {
			t.Fatalf("no metadata in format %d", format)
		}
		s.Metadata = append(s.Metadata, queryview.Metadata{Format: format, Blob: blob})
	}
	return view(t, s)
}

// block makes the block of a slot with a secondary claim.
func (c *chain) block(slot types.Slot, f func(*frame.Env)) {
	claim := babe.PreDigest{Kind: babe.SecondaryPlain, Authority: 0, Slot: slot}
	c.Digest = types.Digest{claim.Item()}
	c.Block(func(e *frame.Env) {
		if f != nil {
			f(e)
		}
	})
}

// TestRealPallets compares the view with the pallets of the framework, from
// genesis over epochs, a skipped one, a change of configuration and of authorities.
func TestRealPallets(t *testing.T) {
	c := newChain(t)
	v := c.view(t)
	who := types.AccountID{7}
	calls := []Call{
		{"AccountNonceApi_account_nonce", who[:]}, {"AccountNonceApi_account_nonce", make([]byte, 32)}, {"AccountNonceApi_account_nonce", make([]byte, 33)},
		{"Metadata_metadata_at_version", []byte{14, 0, 0, 0}}, {"Metadata_metadata_at_version", []byte{15, 0, 0, 0}},
		{"Metadata_metadata_at_version", []byte{16, 0, 0, 0}}, {"Metadata_metadata_at_version", []byte{14, 0, 0}},
		{"TaggedTransactionQueue_validate_transaction", validateArgs(signedBody(who[:], 1, types.Era{}, 3))},
		{"TransactionPaymentApi_query_info", []byte{8, 4, 1, 2, 0, 0, 0}},
		{"BabeApi_current_epoch", []byte{0}},
	}
	for _, name := range []string{"Core_version", "Metadata_metadata", "Metadata_metadata_versions", "BabeApi_configuration", "BabeApi_current_epoch_start",
		"BabeApi_current_epoch", "BabeApi_next_epoch", "GrandpaApi_current_set_id", "GrandpaApi_grandpa_authorities"} {
		calls = append(calls, Call{Name: name})
	}
	check := func() {
		t.Helper()
		native := func(name string, args []byte) ([]byte, error) { return c.Runtime.Call(c.State, name, args) }
		Check(t, v, c.State, native, calls)
	}
	check()
	for slot := types.Slot(genesisSlot); slot < genesisSlot+6*epochSlots; slot++ {
		switch slot {
		case genesisSlot + 2*epochSlots:
			slot += epochSlots + 1 // nobody authored for more than an epoch
		case genesisSlot + 1:
			config := babepallet.EpochConfiguration{C: babepallet.Ratio{A: 1, B: 3}, AllowedSlots: babepallet.AllowedSlots(babe.PrimaryAndSecondaryVRF)}
			c.block(slot, func(e *frame.Env) {
				c.babe.PendingEpochConfigChange.Put(e, babepallet.NextConfigDescriptor{V1: &config})
				c.System.Account.Put(e, who, system.AccountInfo{Nonce: 5, Providers: 1})
			})
			check()
			continue
		}
		c.block(slot, nil)
		check()
	}
	e := c.Env()
	if c.babe.EpochIndex.Get(e) != 5 || !c.babe.NextEpochConfig.Exists(e) {
		t.Errorf("the test did not get where it should: epoch %d", c.babe.EpochIndex.Get(e))
	}
	c.Block(func(e *frame.Env) {
		var next []session.Entry
		for i := range byte(2) {
			next = append(next, session.Entry{Validator: types.AccountID{i, 1}, Keys: session.Keys{Grandpa: session.GrandpaID{9, i}}})
		}
		c.grandpa.OnNewSession(e, 99, true, next, next)
	})
	if c.grandpa.CurrentSetId.Get(c.Env()) != 1 {
		t.Error("the authorities of GRANDPA did not change")
	}
	check()
}
