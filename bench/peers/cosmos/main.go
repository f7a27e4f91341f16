package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"cosmossdk.io/depinject"
	"cosmossdk.io/log/v2"
	sdkmath "cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"
	comet "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/store/v2"
	"github.com/cosmos/cosmos-sdk/testutil/configurator"
	"github.com/cosmos/cosmos-sdk/testutil/sims"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	_ "github.com/cosmos/cosmos-sdk/x/auth" // modules of the application
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	_ "github.com/cosmos/cosmos-sdk/x/auth/tx/config"
	auth "github.com/cosmos/cosmos-sdk/x/auth/types"
	_ "github.com/cosmos/cosmos-sdk/x/bank"
	bank "github.com/cosmos/cosmos-sdk/x/bank/types"
	_ "github.com/cosmos/cosmos-sdk/x/consensus"
	_ "github.com/cosmos/cosmos-sdk/x/genutil"
	_ "github.com/cosmos/cosmos-sdk/x/staking"

	"github.com/crustgo/crust/bench/peers/turns"
)

const chainID = "bench-1"

func main() {
	accounts := flag.Int("accounts", 20_000, "accounts that have money")
	blocks := flag.Int("blocks", 20, "blocks in a turn")
	txs := flag.Int("txs", 1000, "transfers in a block")
	flag.Parse()
	m, err := prepare(*accounts, *blocks, *txs)
	if err != nil {
		turns.Exit(err)
	}
	turns.Exit(turns.Serve("github.com/cosmos/cosmos-sdk", m.turn))
}

// app is the application.
type app struct {
	*runtime.App
	config client.TxConfig
	codec  codec.Codec
}

func newApp(db dbm.DB) (*app, error) {
	var b *runtime.AppBuilder
	a := &app{}
	modules := configurator.NewAppConfig(configurator.AuthModule(), configurator.BankModule(), configurator.StakingModule(),
		configurator.ConsensusModule(), configurator.TxModule(), configurator.GenutilModule())
	if err := depinject.Inject(depinject.Configs(modules, depinject.Supply(log.NewNopLogger())), &b, &a.config, &a.codec); err != nil {
		return nil, err
	}
	const iavlNodes = 781_250 // the default of a node
	a.App = b.Build(db, baseapp.SetChainID(chainID), baseapp.SetIAVLCacheSize(iavlNodes),
		baseapp.SetInterBlockCache(store.NewCommitKVStoreCacheManager()), baseapp.SetMinGasPrices("0stake"))
	return a, a.Load(true)
}

// executing has blocks of signed transfers, each sender another account as long
// as there are enough.
type executing struct {
	genesis []byte
	blocks  [][][]byte
	txs     int
}

func prepare(accounts, blocks, txs int) (*executing, error) {
	a, err := newApp(dbm.NewMemDB())
	if err != nil {
		return nil, err
	}
	keys, addresses := make([]*secp256k1.PrivKey, accounts), make([]sdk.AccAddress, accounts)
	var all []auth.GenesisAccount
	var balances []bank.Balance
	for i := range keys {
		keys[i] = secp256k1.GenPrivKeyFromSecret(fmt.Append(nil, "account", i))
		addresses[i] = sdk.AccAddress(keys[i].PubKey().Address())
		all = append(all, auth.NewBaseAccount(addresses[i], nil, uint64(i), 0))
		balances = append(balances, bank.Balance{Address: addresses[i].String(), Coins: stake(1_000_000_000_000)})
	}
	validators := comet.NewValidatorSet([]*comet.Validator{comet.NewValidator(ed25519.GenPrivKey().PubKey(), 1)})
	state, err := sims.GenesisStateWithValSet(a.codec, a.DefaultGenesis(), validators, all, balances...)
	if err != nil {
		return nil, err
	}
	m := &executing{txs: blocks * txs}
	if m.genesis, err = json.Marshal(state); err != nil {
		return nil, err
	}
	for n := 0; n < m.txs; n++ {
		if n%txs == 0 {
			m.blocks = append(m.blocks, nil)
		}
		i := n % accounts
		raw, err := transfer(a.config, keys[i], addresses[(n*7919+13)%accounts], uint64(i), uint64(n/accounts))
		if err != nil {
			return nil, err
		}
		m.blocks[n/txs] = append(m.blocks[n/txs], raw)
	}
	return m, nil
}

func stake(n int64) sdk.Coins { return sdk.NewCoins(sdk.NewCoin("stake", sdkmath.NewInt(n))) }

// transfer is a signed transfer of account number's.
func transfer(config client.TxConfig, key *secp256k1.PrivKey, to sdk.AccAddress, number, sequence uint64) ([]byte, error) {
	from := sdk.AccAddress(key.PubKey().Address())
	mode, err := authsigning.APISignModeToInternal(config.SignModeHandler().DefaultMode())
	if err != nil {
		return nil, err
	}
	b := config.NewTxBuilder()
	if err := b.SetMsgs(bank.NewMsgSend(from, to, stake(1))); err != nil {
		return nil, err
	}
	const gas = 200_000
	b.SetGasLimit(gas)
	data := &signing.SingleSignatureData{SignMode: mode}
	signature := signing.SignatureV2{PubKey: key.PubKey(), Data: data, Sequence: sequence}
	if err := b.SetSignatures(signature); err != nil {
		return nil, err
	}
	payload, err := authsigning.GetSignBytesAdapter(context.Background(), config.SignModeHandler(), mode,
		authsigning.SignerData{Address: from.String(), ChainID: chainID, AccountNumber: number, Sequence: sequence, PubKey: key.PubKey()}, b.GetTx())
	if err != nil {
		return nil, err
	}
	if data.Signature, err = key.Sign(payload); err != nil {
		return nil, err
	}
	if err := b.SetSignatures(signature); err != nil {
		return nil, err
	}
	return config.TxEncoder()(b.GetTx())
}

// turn executes and commits the blocks on a new chain on disk.
func (m *executing) turn() (t turns.Turn, err error) {
	dir, err := os.MkdirTemp("", "cosmos-")
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := dbm.NewDB("application", dbm.GoLevelDBBackend, dir) // the default of a node
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	a, err := newApp(db)
	if err != nil {
		return t, err
	}
	limits := comet.DefaultConsensusParams().ToProto()
	if _, err := a.InitChain(&abci.RequestInitChain{ChainId: chainID, Time: time.Now(), ConsensusParams: &limits, AppStateBytes: m.genesis, InitialHeight: 1}); err != nil {
		return t, err
	}
	height := int64(0)
	execute := func(txs [][]byte) error {
		height++
		r, err := a.FinalizeBlock(&abci.RequestFinalizeBlock{Height: height, Time: time.Now(), Txs: txs})
		if err != nil {
			return err
		}
		for _, x := range r.TxResults {
			if x.Code != 0 {
				return fmt.Errorf("a transfer failed: %s", x.Log)
			}
		}
		_, err = a.Commit()
		return err
	}
	if err := execute(nil); err != nil { // the genesis
		return t, err
	}
	before := turns.DirBytes(dir)
	t, err = turns.Measure(func() error {
		for _, txs := range m.blocks {
			if err := execute(txs); err != nil {
				return err
			}
		}
		return nil
	})
	t.Work, t.Disk = m.txs, turns.DirBytes(dir)-before
	return t, err
}
