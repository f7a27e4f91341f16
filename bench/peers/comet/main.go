package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cometbft/cometbft/abci/example/kvstore"
	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/types"

	"github.com/crustgo/crust/bench/peers/turns"
)

func main() {
	var c running
	flag.IntVar(&c.validators, "validators", 4, "validators of the network")
	flag.IntVar(&c.rate, "rate", 500, "transactions a second")
	seconds := flag.Int("seconds", 20, "how long a turn is")
	flag.Parse()
	c.length = time.Duration(*seconds) * time.Second
	turns.Exit(turns.Serve("github.com/cometbft/cometbft", c.turn))
}

type running struct {
	validators, rate int
	length           time.Duration
}

// network is one that runs.
type network struct {
	nodes []*node.Node

	mu    sync.Mutex          // guards what follows
	begun map[int64]time.Time // when the first validator began with a height
	final map[int64]time.Time // when the last validator had committed it
	told  map[int64]int       // by how many it was
}

// turn starts a network and sends transactions to it. The times are those of
// blocks, from when the first validator began with the block's round until the
// last validator had executed and committed it.
func (c running) turn() (t turns.Turn, err error) {
	dir, err := os.MkdirTemp("", "comet-")
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	n := &network{begun: map[int64]time.Time{}, final: map[int64]time.Time{}, told: map[int64]int{}}
	var listeners sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	defer func() {
		cancel()
		for _, x := range n.nodes {
			err = errors.Join(err, x.Stop())
			x.Wait()
		}
		listeners.Wait()
	}()
	if err := n.make(dir, c.validators); err != nil {
		return t, err
	}
	for _, x := range n.nodes {
		if err := n.listen(ctx, x, &listeners); err != nil {
			return t, err
		}
		if err := x.Start(); err != nil {
			return t, err
		}
	}
	const first = 3 // blocks that are not counted
	if err := n.await(first); err != nil {
		return t, err
	}
	sent := 0
	t, err = turns.Measure(func() error {
		for start := time.Now(); time.Since(start) < c.length; sent++ {
			time.Sleep(time.Until(start.Add(time.Duration(sent) * time.Second / time.Duration(c.rate))))
			if err := n.nodes[sent%c.validators].Mempool().CheckTx(fmt.Appendf(nil, "%d=%d", sent, sent), nil, mempool.TxInfo{}); err != nil {
				return err
			}
		}
		return nil
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	for height, at := range n.final {
		if begun, ok := n.begun[height]; ok && height > first && n.told[height] == c.validators {
			t.Times = append(t.Times, at.Sub(begun).Seconds())
		}
	}
	slices.Sort(t.Times)
	t.Work = sent
	return t, err
}

// make makes the validators, each knowing all the others.
func (n *network) make(dir string, validators int) error {
	genesis := &types.GenesisDoc{ChainID: "bench", GenesisTime: time.Now(), ConsensusParams: types.DefaultConsensusParams()}
	configs := make([]*config.Config, validators)
	keys, signers := make([]*p2p.NodeKey, validators), make([]*privval.FilePV, validators)
	var peers []string
	for i := range configs {
		home := filepath.Join(dir, fmt.Sprint(i))
		config.EnsureRoot(home)
		c := config.DefaultConfig()
		c.SetRoot(home)
		c.RPC.ListenAddress = ""
		c.P2P.AddrBookStrict, c.P2P.AllowDuplicateIP, c.P2P.PexReactor = false, true, false
		c.Consensus.TimeoutCommit = 0
		port, err := freePort()
		if err != nil {
			return err
		}
		c.P2P.ListenAddress = fmt.Sprintf("tcp://127.0.0.1:%d", port)
		if keys[i], err = p2p.LoadOrGenNodeKey(c.NodeKeyFile()); err != nil {
			return err
		}
		peers = append(peers, fmt.Sprintf("%s@127.0.0.1:%d", keys[i].ID(), port))
		signers[i] = privval.LoadOrGenFilePV(c.PrivValidatorKeyFile(), c.PrivValidatorStateFile())
		key, err := signers[i].GetPubKey()
		if err != nil {
			return err
		}
		genesis.Validators = append(genesis.Validators, types.GenesisValidator{Address: key.Address(), PubKey: key, Power: 1})
		configs[i] = c
	}
	for i, c := range configs {
		c.P2P.PersistentPeers = strings.Join(slices.Delete(slices.Clone(peers), i, i+1), ",")
		x, err := node.NewNode(c, signers[i], keys[i], proxy.NewLocalClientCreator(kvstore.NewPersistentApplication(c.DBDir())),
			func() (*types.GenesisDoc, error) { return genesis, nil }, config.DefaultDBProvider, node.DefaultMetricsProvider(c.Instrumentation), log.NewNopLogger())
		if err != nil {
			return err
		}
		n.nodes = append(n.nodes, x)
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// listen notes when a validator begins and commits blocks.
func (n *network) listen(ctx context.Context, x *node.Node, tasks *sync.WaitGroup) error {
	const room = 10_000 // events
	begun, err := x.EventBus().Subscribe(ctx, "begun", types.EventQueryNewRound, room)
	if err != nil {
		return err
	}
	final, err := x.EventBus().Subscribe(ctx, "final", types.EventQueryNewBlock, room)
	if err != nil {
		return err
	}
	tasks.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case m := <-begun.Out():
				if e := m.Data().(types.EventDataNewRound); e.Round == 0 {
					n.note(func(now time.Time) {
						if _, ok := n.begun[e.Height]; !ok {
							n.begun[e.Height] = now
						}
					})
				}
			case m := <-final.Out():
				height := m.Data().(types.EventDataNewBlock).Block.Height
				n.note(func(now time.Time) {
					n.final[height] = now
					n.told[height]++
				})
			}
		}
	})
	return nil
}

func (n *network) note(f func(now time.Time)) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	f(now)
}

// await waits until all validators have committed a height.
func (n *network) await(height int64) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		n.mu.Lock()
		told := n.told[height]
		n.mu.Unlock()
		if told == len(n.nodes) {
			return nil
		}
	}
	return fmt.Errorf("block %d is not final after a minute", height)
}
