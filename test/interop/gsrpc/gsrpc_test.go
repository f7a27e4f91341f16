package gsrpc

import (
	"math/big"
	"slices"
	"testing"
	"time"

	gsrpc "github.com/centrifuge/go-substrate-rpc-client/v4"
	"github.com/centrifuge/go-substrate-rpc-client/v4/registry/retriever"
	"github.com/centrifuge/go-substrate-rpc-client/v4/registry/state"
	"github.com/centrifuge/go-substrate-rpc-client/v4/signature"
	"github.com/centrifuge/go-substrate-rpc-client/v4/types"
	"github.com/centrifuge/go-substrate-rpc-client/v4/types/codec"
)

// finality is how long a transaction may take to be finalised.
const finality = 2 * time.Minute

// bob is the public key of //Bob.
const bob = "0x8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48"

func TestGSRPC(t *testing.T) {
	api := startNode(t)
	meta, err := api.RPC.State.GetMetadataLatest()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("metadata", func(t *testing.T) { testMetadata(t, api, meta) })
	t.Run("blocks", func(t *testing.T) { testBlocks(t, api) })
	t.Run("transfer", func(t *testing.T) { testTransfer(t, api, meta) })
	t.Run("refusal", func(t *testing.T) { testRefusal(t, api, meta) })
	t.Run("events", func(t *testing.T) { testEvents(t, api) })
}

func testMetadata(t *testing.T, api *gsrpc.SubstrateAPI, meta *types.Metadata) {
	if meta.Version != 14 {
		t.Errorf("metadata version %d, want 14", meta.Version)
	}
	for _, call := range []string{"System.remark", "Balances.transfer_keep_alive", "Timestamp.set", "Utility.batch", "Sudo.sudo"} {
		if _, err := meta.FindCallIndex(call); err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
	version, err := api.RPC.State.GetRuntimeVersionLatest()
	if err != nil {
		t.Fatal(err)
	}
	if version.SpecName != "crust" {
		t.Errorf("spec name %q", version.SpecName)
	}
}

func testBlocks(t *testing.T, api *gsrpc.SubstrateAPI) {
	heads, err := api.RPC.Chain.SubscribeNewHeads()
	if err != nil {
		t.Fatal(err)
	}
	defer heads.Unsubscribe()
	var last types.BlockNumber
	for range 3 {
		select {
		case head := <-heads.Chan():
			if last != 0 && head.Number != last+1 {
				t.Errorf("head %d follows %d", head.Number, last)
			}
			last = head.Number
		case err := <-heads.Err():
			t.Fatal(err)
		case <-time.After(time.Minute):
			t.Fatal("no new head")
		}
	}
	hash, err := api.RPC.Chain.GetBlockHash(uint64(last))
	if err != nil {
		t.Fatal(err)
	}
	block, err := api.RPC.Chain.GetBlock(hash)
	if err != nil {
		t.Fatal(err)
	}
	if block.Block.Header.Number != last || len(block.Block.Extrinsics) == 0 {
		t.Errorf("block %d has %d extrinsics", block.Block.Header.Number, len(block.Block.Extrinsics))
	}
}

// account reads the account's entry; a missing one is the zero value.
func account(t *testing.T, api *gsrpc.SubstrateAPI, meta *types.Metadata, key []byte) types.AccountInfo {
	t.Helper()
	storageKey, err := types.CreateStorageKey(meta, "System", "Account", key)
	if err != nil {
		t.Fatal(err)
	}
	var info types.AccountInfo
	if _, err := api.RPC.State.GetStorageLatest(storageKey, &info); err != nil {
		t.Fatal(err)
	}
	return info
}

// signed builds and signs an extrinsic of //Alice with the given nonce.
func signed(t *testing.T, api *gsrpc.SubstrateAPI, meta *types.Metadata, nonce uint32, call string, args ...any) types.Extrinsic {
	t.Helper()
	c, err := types.NewCall(meta, call, args...)
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := api.RPC.Chain.GetBlockHash(0)
	if err != nil {
		t.Fatal(err)
	}
	version, err := api.RPC.State.GetRuntimeVersionLatest()
	if err != nil {
		t.Fatal(err)
	}
	ext := types.NewExtrinsic(c)
	err = ext.Sign(signature.TestKeyringPairAlice, types.SignatureOptions{
		BlockHash:          genesis,
		Era:                types.ExtrinsicEra{IsImmortalEra: true},
		GenesisHash:        genesis,
		Nonce:              types.NewUCompactFromUInt(uint64(nonce)),
		SpecVersion:        version.SpecVersion,
		Tip:                types.NewUCompactFromUInt(0),
		TransactionVersion: version.TransactionVersion,
	})
	if err != nil {
		t.Fatal(err)
	}
	return ext
}

func testTransfer(t *testing.T, api *gsrpc.SubstrateAPI, meta *types.Metadata) {
	alice := account(t, api, meta, signature.TestKeyringPairAlice.PublicKey)
	dest, err := types.NewMultiAddressFromHexAccountID(bob)
	if err != nil {
		t.Fatal(err)
	}
	key := codec.MustHexDecodeString(bob)
	before := account(t, api, meta, key)
	const amount = 1_000_000_000_000
	ext := signed(t, api, meta, uint32(alice.Nonce), "Balances.transfer_keep_alive", dest, types.NewUCompactFromUInt(amount))

	watch, err := api.RPC.Author.SubmitAndWatchExtrinsic(ext)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Unsubscribe()
	timeout := time.After(finality)
	for inBlock := false; ; {
		select {
		case status := <-watch.Chan():
			if status.IsInBlock {
				inBlock = true
			}
			if status.IsInvalid || status.IsDropped || status.IsUsurped {
				t.Fatalf("status %+v", status)
			}
			if !status.IsFinalized {
				continue
			}
			if !inBlock {
				t.Error("finalised without having been in a block")
			}
		case err := <-watch.Err():
			t.Fatal(err)
		case <-timeout:
			t.Fatal("not finalised in time")
		}
		break
	}
	after := account(t, api, meta, key)
	got := new(big.Int).Sub(after.Data.Free.Int, before.Data.Free.Int)
	if got.Cmp(big.NewInt(amount)) != 0 {
		t.Errorf("the receiver got %v, want %d", got, int64(amount))
	}
	if nonce := account(t, api, meta, signature.TestKeyringPairAlice.PublicKey).Nonce; nonce != alice.Nonce+1 {
		t.Errorf("nonce %d, want %d", nonce, alice.Nonce+1)
	}
}

func testRefusal(t *testing.T, api *gsrpc.SubstrateAPI, meta *types.Metadata) {
	stale := signed(t, api, meta, 0, "System.remark", []byte{1})
	if _, err := api.RPC.Author.SubmitExtrinsic(stale); err == nil {
		t.Error("a stale nonce was accepted")
	}
	alice := account(t, api, meta, signature.TestKeyringPairAlice.PublicKey)
	forged := signed(t, api, meta, uint32(alice.Nonce), "System.remark", []byte{1})
	forged.Signature.Signature.AsSr25519[7] ^= 1
	if _, err := api.RPC.Author.SubmitExtrinsic(forged); err == nil {
		t.Error("a bad signature was accepted")
	}
}

// testEvents decodes the events of every finalised block by the metadata alone.
func testEvents(t *testing.T, api *gsrpc.SubstrateAPI) {
	events, err := retriever.NewDefaultEventRetriever(state.NewEventProvider(api.RPC.State), api.RPC.State)
	if err != nil {
		t.Fatal(err)
	}
	head, err := api.RPC.Chain.GetFinalizedHead()
	if err != nil {
		t.Fatal(err)
	}
	header, err := api.RPC.Chain.GetHeader(head)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for number := uint64(1); number <= uint64(header.Number); number++ {
		hash, err := api.RPC.Chain.GetBlockHash(number)
		if err != nil {
			t.Fatal(err)
		}
		list, err := events.GetEvents(hash)
		if err != nil {
			t.Fatalf("events of block %d: %v", number, err)
		}
		for _, e := range list {
			names = append(names, e.Name)
		}
	}
	for _, want := range []string{"System.ExtrinsicSuccess", "Balances.Transfer", "TransactionPayment.TransactionFeePaid"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s among %d events", want, len(names))
		}
	}
}
