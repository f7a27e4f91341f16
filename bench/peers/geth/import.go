package main

import (
	"crypto/ecdsa"
	"errors"
	"math/big"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus/ethash"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethdb/pebble"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/crustgo/crust/bench/peers/turns"
)

// importing has blocks of signed transfers, each sender another account as long
// as there are enough.
type importing struct {
	genesis *core.Genesis
	blocks  [][]byte // as on the wire, so that no sender is known from having been made here
	txs     int
}

func newImport(accounts, blocks, txs int) (*importing, error) {
	keys, addresses := make([]*ecdsa.PrivateKey, accounts), make([]common.Address, accounts)
	alloc := types.GenesisAlloc{}
	for i := range keys {
		var err error
		if keys[i], err = crypto.GenerateKey(); err != nil {
			return nil, err
		}
		addresses[i] = crypto.PubkeyToAddress(keys[i].PublicKey)
		alloc[addresses[i]] = types.Account{Balance: new(big.Int).Lsh(big.NewInt(1), 100)}
	}
	const gas, price = 21_000, 2_000_000_000
	m := &importing{txs: blocks * txs, genesis: &core.Genesis{Config: params.AllEthashProtocolChanges, Alloc: alloc, GasLimit: uint64(txs)*gas*2 + 1_000_000}}
	next, failed := 0, error(nil)
	_, made, _ := core.GenerateChainWithGenesis(m.genesis, ethash.NewFaker(), blocks, func(_ int, g *core.BlockGen) {
		for range txs {
			tx, err := types.SignNewTx(keys[next%accounts], g.Signer(), &types.DynamicFeeTx{
				ChainID: m.genesis.Config.ChainID, Nonce: uint64(next / accounts), To: &addresses[(next*7919+13)%accounts], Value: big.NewInt(1),
				Gas: gas, GasFeeCap: big.NewInt(price), GasTipCap: new(big.Int),
			})
			if err != nil {
				failed = err
				return
			}
			g.AddTx(tx)
			next++
		}
	})
	for _, b := range made {
		raw, err := rlp.EncodeToBytes(b)
		failed = errors.Join(failed, err)
		m.blocks = append(m.blocks, raw)
	}
	return m, failed
}

// turn inserts all blocks at once, which is how go-ethereum is fastest, into a new
// chain on disk. Decoding blocks and closing the chain are not counted.
func (m *importing) turn() (t turns.Turn, err error) {
	blocks := make(types.Blocks, len(m.blocks))
	for i, raw := range m.blocks {
		blocks[i] = new(types.Block)
		if err := rlp.DecodeBytes(raw, blocks[i]); err != nil {
			return t, err
		}
	}
	dir, err := os.MkdirTemp("", "geth-")
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	const megabytes, files = 256, 256
	kv, err := pebble.New(dir, megabytes, files, "", false)
	if err != nil {
		return t, err
	}
	db := rawdb.NewDatabase(kv)
	chain, err := core.NewBlockChain(db, m.genesis, ethash.NewFaker(), core.DefaultConfig().WithStateScheme(rawdb.PathScheme))
	if err != nil {
		return t, err
	}
	time.Sleep(2 * time.Second) // it builds the flat state of its genesis meanwhile
	before := turns.DirBytes(dir)
	t, err = turns.Measure(func() error {
		_, err := chain.InsertChain(blocks)
		return err
	})
	if got := chain.CurrentBlock().Number.Uint64(); err == nil && got != uint64(len(blocks)) {
		err = errors.New("the last block did not become the chain's head")
	}
	chain.Stop()
	err = errors.Join(err, db.Close())
	t.Work, t.Disk = m.txs, turns.DirBytes(dir)-before
	return t, err
}
