package node

import (
	"context"
	"fmt"

	"github.com/crustgo/crust/substrate/network"
)

// Health is what a plain GET of /health on the RPC port answers.
type Health struct {
	Peers           int  `json:"peers"`
	IsSyncing       bool `json:"isSyncing"`
	ShouldHavePeers bool `json:"shouldHavePeers"`
}

// health reports how the node is; a node whose import is halted is not well.
func (n *node) health(peers *network.Network) func(context.Context) (any, error) {
	return func(context.Context) (any, error) {
		if err := n.data.Chain.Halted(); err != nil {
			return nil, fmt.Errorf("import is halted: %w", err)
		}
		s := peers.Sync()
		return Health{Peers: s.Connected, IsSyncing: s.Syncing, ShouldHavePeers: n.wantsPeers()}, nil
	}
}
