package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/p2p"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "liar:", err)
		os.Exit(1)
	}
}

func run() error {
	var genesis types.Hash
	address := flag.String("node", "", "address of the `node` that is asked")
	at := flag.Uint("at", 0, "the last `block`; 0 means the node's last final one")
	flag.TextVar(&genesis, "genesis", genesis, "`hash` of the chain")
	flag.Parse()

	ctx, cancel := context.WithCancel(context.Background())
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	g.Go("stdin", func(ctx context.Context) error { // whoever started us has gone when it closes
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
		return nil
	})
	g.Go("liar", func(ctx context.Context) error {
		n, err := connect(ctx, g, *address, genesis)
		if err != nil {
			return err
		}
		addresses := map[string]string{}
		for _, lie := range flag.Args() {
			l := &liar{node: n, lie: lie}
			if addresses[lie], err = l.start(ctx, g, types.BlockNumber(*at)); err != nil {
				return fmt.Errorf("%s: %w", lie, err)
			}
		}
		return json.NewEncoder(os.Stdout).Encode(addresses)
	})
	return g.Wait()
}

// The protocols, by their index at the hosts.
const (
	blocks = iota
	transactions
	votes
)

const (
	sync2 = iota
	light2
	warp
)

// hostConfig is what the hosts have in common.
func hostConfig(genesis types.Hash, status func() []byte) p2p.Config {
	role := func() []byte { return status()[:1] }
	return p2p.Config{
		Key: p2p.NewKey(), Genesis: genesis, Agent: "liar",
		Notifications: []p2p.Notification{
			blocks:       {Name: "block-announces/1", Handshake: status},
			transactions: {Name: "transactions/1", Handshake: role, Lossy: true},
			votes:        {Name: "grandpa/1", Handshake: role},
		},
		Requests: []p2p.RequestProtocol{sync2: {Name: "sync/2"}, light2: {Name: "light/2"}, warp: {Name: "sync/warp"}},
	}
}

// node is the node that is asked.
type node struct {
	host    *p2p.Host
	genesis types.Hash
	peer    types.PeerID
	opened  chan struct{}
}

// connect becomes a light peer of the node.
func connect(ctx context.Context, g *lifecycle.Group, address string, genesis types.Hash) (*node, error) {
	n := &node{genesis: genesis, opened: make(chan struct{})}
	me := protocol.Status{Role: types.RoleLight, BestHash: genesis, Genesis: genesis}
	c := hostConfig(genesis, func() []byte { return me.Append(nil) })
	c.Reserved, c.ReservedOnly = []string{address}, true
	var err error
	if n.host, err = p2p.Open(c); err != nil {
		return nil, err
	}
	g.Go("node", func(ctx context.Context) error { return n.host.Run(ctx, n) })
	select {
	case <-n.opened:
		return n, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept takes any handshake.
func (*node) Accept(types.PeerID, []byte) error { return nil }

// Opened takes the first peer for the node.
func (n *node) Opened(peer types.PeerID, _ []byte, _ bool) {
	if n.peer == "" {
		n.peer = peer
		close(n.opened)
	}
}

// Closed changes nothing: later questions fail.
func (*node) Closed(types.PeerID) {}

// Notified ignores what the node says by itself.
func (*node) Notified(types.PeerID, int, []byte) {}

// ask asks the node.
func (n *node) ask(ctx context.Context, protocol int, request []byte) ([]byte, error) {
	return n.host.Request(ctx, n.peer, protocol, request)
}

// header asks for the header of a block; the number counts if the hash is zero.
func (n *node) header(ctx context.Context, h types.Hash, number types.BlockNumber) (*types.Header, error) {
	q := protocol.BlockRequest{Fields: protocol.FieldHeader, FromHash: h, FromNumber: number, Max: 1}
	answer, err := n.ask(ctx, sync2, q.Append(nil))
	if err != nil {
		return nil, err
	}
	r, err := protocol.DecodeBlockResponse(answer, &q)
	if err == nil && len(r.Blocks) == 0 {
		err = errors.New("the node does not have the block")
	}
	if err != nil {
		return nil, err
	}
	return r.Blocks[0].Header, nil
}

// liar is the peer that tells one lie.
type liar struct {
	node *node
	lie  string
	host *p2p.Host
	head *types.Header     // the last block, as it is told
	true types.Hash        // the last block, as it is
	far  grandpa.WarpProof // of the last block, if that is final for the node now
}

// last is the block that the peer says is the last one: by number, or the one that the node
// proves to be final now. The node goes on, so that a later proof would lead past it.
func (l *liar) last(ctx context.Context, at types.BlockNumber) (*types.Header, error) {
	l.far.Finished = true
	if at != 0 {
		return l.node.header(ctx, types.Hash{}, at)
	}
	answer, err := l.node.ask(ctx, warp, l.node.genesis[:])
	if err != nil {
		return nil, err
	}
	p, err := grandpa.DecodeWarpProof(answer)
	if err != nil {
		return nil, err
	}
	if len(p.Fragments) == 0 || !p.Finished {
		return nil, fmt.Errorf("the node's warp proof has %d fragments, and %v is its end", len(p.Fragments), p.Finished)
	}
	l.far = *p
	return &p.Fragments[len(p.Fragments)-1].Header, nil
}

// start prepares the lie and listens; it returns where.
func (l *liar) start(ctx context.Context, g *lifecycle.Group, at types.BlockNumber) (string, error) {
	head, err := l.last(ctx, at)
	if err != nil {
		return "", err
	}
	l.true = head.Hash()
	if l.head, err = falsify(l.lie, head); err != nil {
		return "", err
	}
	me := protocol.Status{Role: types.RoleFull, BestNumber: l.head.Number, BestHash: l.head.Hash(), Genesis: l.node.genesis}
	c := hostConfig(l.node.genesis, func() []byte { return me.Append(nil) })
	c.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	c.Requests[sync2].Serve, c.Requests[light2].Serve, c.Requests[warp].Serve = l.blocks, l.light, l.warp
	if l.host, err = p2p.Open(c); err != nil {
		return "", err
	}
	g.Go(l.lie, func(ctx context.Context) error { return l.host.Run(ctx, l) })
	return l.host.Addresses()[0], nil
}

// Accept takes any handshake.
func (*liar) Accept(types.PeerID, []byte) error { return nil }

// Opened tells a client of the last block, and that its parent is final.
func (l *liar) Opened(peer types.PeerID, _ []byte, _ bool) {
	a := protocol.Announce{Header: *l.head, Best: true}
	l.host.Notify(peer, blocks, a.Append(nil))
	for _, m := range finality(l.lie, l.head, &l.far) {
		l.host.Notify(peer, votes, m)
	}
}

// Closed changes nothing.
func (*liar) Closed(types.PeerID) {}

// Notified ignores what clients say.
func (*liar) Notified(types.PeerID, int, []byte) {}

// blocks answers with the node's blocks, and the last one as it is told.
func (l *liar) blocks(ctx context.Context, _ types.PeerID, request []byte) ([]byte, error) {
	q, err := protocol.DecodeBlockRequest(request)
	if err != nil {
		return nil, err
	}
	if q.FromHash == l.head.Hash() {
		q.FromHash = l.true
	}
	answer, err := l.node.ask(ctx, sync2, q.Append(nil))
	if err != nil {
		return nil, err
	}
	r, err := protocol.DecodeBlockResponse(answer, &q)
	if err != nil {
		return nil, err
	}
	for i := range r.Blocks {
		if b := &r.Blocks[i]; b.Hash == l.true {
			b.Hash = l.head.Hash()
			if b.Header != nil {
				b.Header = l.head
			}
		}
	}
	return r.Append(nil), nil
}

// light answers with the node's proofs, or false ones.
func (l *liar) light(ctx context.Context, _ types.PeerID, request []byte) ([]byte, error) {
	q, err := protocol.DecodeLightRequest(request)
	if err != nil {
		return nil, err
	}
	answer, err := l.node.ask(ctx, light2, request)
	code := q.Read == nil || slices.ContainsFunc(q.Read.Keys, func(k []byte) bool { return string(k) == ":code" })
	if err != nil || l.lie != "storage" || code {
		return answer, err
	}
	return falseProof(answer)
}

// warp proves the last block from genesis, or falsely; from elsewhere there is nothing to prove.
func (l *liar) warp(_ context.Context, _ types.PeerID, request []byte) ([]byte, error) {
	p := l.far
	if !bytes.Equal(request, l.node.genesis[:]) {
		p.Fragments = nil
	}
	answer := p.AppendSCALE(nil)
	if l.lie != "warp" || len(p.Fragments) == 0 {
		return answer, nil
	}
	return falseWarp(answer)
}
