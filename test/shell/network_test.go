package shell

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/mempool"
	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/p2p"
	"github.com/crustgo/crust/substrate/txpool"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/substrate/voter"
	"github.com/crustgo/crust/test/chaintest"
)

// connected is a chain in a network, with a pool and a voter without keys.
type connected struct {
	*chaintest.Node
	pool  *mempool.Pool
	peers *network.Network
}

type noVotes struct{}

func (noVotes) GRANDPA() []grandpa.Key { return nil }

// connect gives a chain a place in the network until the test ends.
func connect(t *testing.T, n *chaintest.Node, bootnodes ...string) *connected {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	c := &connected{Node: n, pool: startPool(t, n, txpool.Config{})}
	core, err := voter.NewCore(n.Manager, n.DB, noVotes{}, n.Net.Now(), grandpa.VoterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	clock := func() types.Moment { return types.Moment(time.Now().UnixMilli()) } // the chain's own stands still
	votes := voter.New(core, voter.Config{Now: clock, Log: log})
	c.peers, err = network.New(n.Manager, c.pool, votes, network.Config{
		P2P:  p2p.Config{Key: p2p.NewKey(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Bootnodes: bootnodes, Agent: "test"},
		Role: types.RoleFull, Keys: n.Net.Runtime.View.Keys, Now: clock, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- c.peers.Run(ctx) }()
	go func() { done <- votes.Run(ctx, c.peers) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return c
}

// until waits for a condition of a chain.
func until(t *testing.T, n *connected, what string, ok func() bool) {
	t.Helper()
	wake, cancel := n.Wake()
	defer cancel()
	timeout := time.After(2 * time.Minute)
	for !ok() {
		select {
		case <-wake:
		case <-n.pool.News():
		case <-time.After(50 * time.Millisecond):
		case <-timeout:
			t.Fatalf("%s: %s; %+v", what, n.Describe(), n.peers.Sync())
		}
	}
}

// TestNetworkSync has a new node follow a chain of several sets of voters by what
// another one sends, then blocks and transactions as they come.
func TestNetworkSync(t *testing.T) {
	if testing.Short() {
		t.Skip("opens sockets")
	}
	net := chaintest.New(t, chaintest.FourValidators(10))
	source := net.Start(t)
	v := chaintest.NewVoters(source)
	for range 130 {
		v.Step()
	}
	v.FinaliseBest()
	if source.Voters().ID() < 5 {
		t.Fatalf("set %d", source.Voters().ID())
	}
	a := connect(t, source)
	b := connect(t, net.Start(t), a.peers.Host().Addresses()...)
	until(t, b, "synchronised", func() bool { return b.Heads().Best == source.Heads().Best })
	// The changes of the set come with their proofs, and with them finality.
	until(t, b, "final up to the last change", func() bool { return b.Voters().ID() == source.Voters().ID() })

	// A block at the tip, announced.
	ref := v.Step(source.Transfer(chaintest.User(1), 0, "//Bob", chaintest.CRU))
	until(t, b, "the next block", func() bool { return b.Heads().Best == ref })

	// A transaction, both ways.
	for i, way := range [][2]*connected{{a, b}, {b, a}} {
		x := source.Transfer(chaintest.User(7+i), 0, "//Bob", chaintest.CRU)
		submit(t, way[0].pool, x)
		until(t, way[1], "the transaction", func() bool {
			for _, have := range way[1].pool.Pending() {
				if bytes.Equal(have, x) {
					return true
				}
			}
			return false
		})
	}
	// Whoever comes later is told of what waits.
	c := connect(t, net.Start(t), a.peers.Host().Addresses()...)
	until(t, c, "a new node", func() bool { return c.Heads().Best == ref && len(c.pool.Pending()) == 2 })
	until(t, a, "both others", func() bool { // the new node may have opened a before a has opened it
		peers := a.peers.Peers()
		return len(peers) == 2 && peers[0].Role == types.RoleFull
	})
}

// Peers that were told of two siblings hear which one is the best when finality has decided:
// light clients ask only who has the block.
func TestAnnounceAfterFinality(t *testing.T) {
	if testing.Short() {
		t.Skip("opens sockets")
	}
	net := chaintest.New(t, nil)
	source := net.Start(t)
	root := source.Grow()
	a := connect(t, source)
	b := connect(t, net.Start(t), a.peers.Host().Addresses()...)
	heard := func(want chain.Ref) func() bool {
		return func() bool {
			peers := b.peers.Peers()
			return len(peers) == 1 && peers[0].Best.Hash == want.Hash
		}
	}
	until(t, b, "the first block", heard(root))
	until(t, b, "each other", func() bool { return len(a.peers.Peers()) == 1 })
	siblings := []chain.Ref{source.Add(chaintest.Plan{Parent: root.Hash}), source.Add(chaintest.Plan{Parent: root.Hash, Skip: 1})}
	best := source.Heads().Best
	lost := slices.IndexFunc(siblings, func(r chain.Ref) bool { return r != best })
	until(t, b, "the best block", heard(best))
	source.FinaliseRef(siblings[lost])
	until(t, b, "the final block as the best", heard(siblings[lost]))
}
