package node

import (
	"fmt"
	"hash/fnv"
	"io"
	"path/filepath"

	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/mempool"
	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/p2p"
	"github.com/crustgo/crust/substrate/reporter"
	"github.com/crustgo/crust/substrate/rpc"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/substrate/voter"
)

// PeerID is the peer identity of the secret in a file, which is made if it is not there.
func PeerID(file string) (string, error) {
	key, err := p2p.LoadKey(file)
	if err != nil {
		return "", err
	}
	return p2p.FormatPeer(key.PeerID()), nil
}

// host is what the settings say of the peer-to-peer network.
func (n *node) host() (p2p.Config, error) {
	c := &n.cfg
	file := c.NodeKeyFile
	if file == "" {
		file = filepath.Join(n.data.Dir, "node.key")
	}
	key, err := p2p.LoadKey(file)
	if err != nil {
		return p2p.Config{}, err
	}
	slots := func(n int) int {
		if n == 0 {
			return -1 // none, where 0 is the default
		}
		return n
	}
	agent := "crust/" + c.Version
	if c.Name != "" {
		agent += " (" + c.Name + ")"
	}
	return p2p.Config{
		Key: key, Listen: c.listen(c.Port, c.WSPort), Public: c.PublicAddrs, ForkID: n.data.Spec.ForkID, Agent: agent,
		Bootnodes: append(append([]string{}, n.data.Spec.BootNodes...), c.Bootnodes...), Reserved: c.ReservedNodes, ReservedOnly: c.ReservedOnly,
		NoPrivate: c.NoPrivateIP,
		Limits:    p2p.Limits{Out: slots(c.OutPeers), In: slots(c.InPeers), InLight: slots(c.InPeersLight)},
		Metrics:   n.metrics.p2p, Log: n.log.With("part", "p2p"),
	}, nil
}

// listen lists the multiaddresses to accept connections on.
func (c *Config) listen(port, wsPort uint16) []string {
	if len(c.ListenAddrs) > 0 {
		return c.ListenAddrs
	}
	return []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port), fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/ws", wsPort)}
}

// connect makes the node's place in the network.
func (n *node) connect(pool *mempool.Pool, votes *voter.Voter) (*network.Network, error) {
	role := types.RoleFull
	if n.cfg.Validator {
		role = types.RoleAuthority
	}
	host, err := n.host()
	if err != nil {
		return nil, err
	}
	cfg := network.Config{P2P: host, Role: role, Keys: n.data.Runtime.View.Keys, Now: clock, Log: n.log.With("part", "network")}
	net, err := network.New(n.data.Chain, pool, votes, cfg)
	if err != nil && n.cfg.Port == defaultPort && n.cfg.WSPort == defaultWSPort && len(n.cfg.ListenAddrs) == 0 {
		n.log.Info("the usual ports of the network are taken; choosing others", "err", err)
		cfg.P2P.Listen = n.cfg.listen(0, 0)
		net, err = network.New(n.data.Chain, pool, votes, cfg)
	}
	return net, err
}

// wantsPeers reports whether the node has been told of any.
func (n *node) wantsPeers() bool {
	return len(n.data.Spec.BootNodes)+len(n.cfg.Bootnodes)+len(n.cfg.ReservedNodes) > 0
}

// voter makes the voter, which tells reports of equivocations.
func (n *node) voter(reports *reporter.Reporter) (*voter.Voter, error) {
	cfg := voter.Config{Now: clock, SoloDelay: voter.SoloDelay, Log: n.log.With("part", "voter")}
	var keys voter.Keys = noKeys{}
	if n.cfg.Validator {
		keys, cfg.Equivocated = n.keys, reports.ReportGRANDPA
	}
	core, err := voter.NewCore(n.data.Chain, n.data.DB, keys, clock(), grandpa.VoterConfig{Seed: n.seed()})
	if err != nil {
		return nil, err
	}
	return voter.New(core, cfg), nil
}

// noKeys are the voting keys of a node that is no validator.
type noKeys struct{}

// GRANDPA returns none.
func (noKeys) GRANDPA() []grandpa.Key { return nil }

// seed differs from node to node: it decides which peers are told first.
func (n *node) seed() uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, n.cfg.Name+n.data.Dir) // it never fails
	return h.Sum64()
}

// peersView is the network as RPC shows it.
type peersView struct {
	*network.Network
	wanted bool
}

// PeerID is the node's peer identity.
func (v peersView) PeerID() string { return p2p.FormatPeer(v.Host().PeerID()) }

// Addresses are where the node listens.
func (v peersView) Addresses() []string { return v.Host().Addresses() }

// roles are the names that Substrate has for them.
var roles = map[types.Role]string{types.RoleFull: "FULL", types.RoleLight: "LIGHT", types.RoleAuthority: "AUTHORITY"}

// Peers lists the peers.
func (v peersView) Peers() []rpc.Peer {
	var out []rpc.Peer
	for _, p := range v.Network.Peers() {
		out = append(out, rpc.Peer{ID: p2p.FormatPeer(p.ID), Roles: roles[p.Role], BestHash: p.Best.Hash, BestNumber: p.Best.Number})
	}
	return out
}

// PeerCount is the number of peers.
func (v peersView) PeerCount() int { return v.Sync().Connected }

// Wanted reports whether the node should have peers.
func (v peersView) Wanted() bool { return v.wanted }

// Syncing reports whether the node is far behind its peers.
func (v peersView) Syncing() bool { return v.Sync().Syncing }

// Highest is the highest block of the peers.
func (v peersView) Highest() types.BlockNumber { return v.Sync().Highest }

// AddReserved adds a peer that is always kept.
func (v peersView) AddReserved(multiaddr string) error { return v.Host().AddReserved(multiaddr) }

// RemoveReserved makes a peer like any other.
func (v peersView) RemoveReserved(id string) error { return v.Host().RemoveReserved(id) }

// Reserved lists the peers that are always kept.
func (v peersView) Reserved() []string { return v.Host().Reserved() }

// roundsView is the voter as RPC shows it.
type roundsView struct{ *voter.Voter }

// Rounds describes the rounds in progress.
func (v roundsView) Rounds() (set types.SetID, best rpc.Round, background []rpc.Round, ok bool) {
	s, ok := v.Voter.Rounds()
	for i := range s.Background {
		background = append(background, roundOf(&s.Background[i]))
	}
	return s.Set, roundOf(&s.Best), background, ok
}

func roundOf(r *grandpa.RoundState) rpc.Round {
	return rpc.Round{Number: r.Number, Total: r.Total, Threshold: r.Threshold, Prevotes: votesOf(&r.Prevotes), Precommits: votesOf(&r.Precommits)}
}

func votesOf(s *grandpa.StageState) rpc.Votes {
	v := rpc.Votes{Weight: s.Weight}
	for _, key := range s.Missing {
		v.Missing = append(v.Missing, key)
	}
	return v
}
