package shell

import (
	"slices"
	"testing"

	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/sync"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
)

// told is the core of a node with three peers, and what it has said.
type told struct {
	t    *testing.T
	node *chaintest.Node
	core *network.Core
	network.Ready
	forget func() // ends the last await
}

func newTold(t *testing.T, n *chaintest.Node) *told {
	c := &told{t: t, node: n, core: network.NewCore(n.Manager, types.RoleFull)}
	for id, role := range map[types.PeerID]types.Role{"near": types.RoleFull, "far": types.RoleAuthority, "light": types.RoleLight} {
		c.core.Connected(n.Net.Now(), id, protocol.Status{Role: role, Genesis: n.Genesis()})
	}
	return c
}

// grown is a node with a block, and its core.
func grown(t *testing.T) (*chaintest.Node, *told) {
	n := chaintest.New(t, nil).Start(t)
	n.Grow()
	return n, newTold(t, n)
}

// announce has a peer tell of a block.
func (c *told) announce(peer types.PeerID, b *types.Block) {
	a := protocol.Announce{Header: b.Header, Best: true}
	c.core.Announced(c.node.Net.Now(), peer, a.Append(nil))
	c.Ready = c.core.Ready()
}

// respond has the peer that was asked send a block, which is imported.
func (c *told) respond(b *types.Block) {
	c.t.Helper()
	if len(c.Requests) != 1 {
		c.t.Fatalf("asks %+v", c.Requests)
	}
	answer := protocol.BlockResponse{Blocks: []protocol.BlockData{{Hash: b.Header.Hash(), Body: b.Body, HasBody: true}}}
	c.core.Responded(c.node.Net.Now(), &c.Requests[0], answer.Append(nil))
	done := network.Import(c.node.Manager, c.core.Ready().Import, nil)
	c.core.Imported(c.node.Net.Now(), done)
	c.core.Followed(c.node.Net.Now())
	c.Ready = c.core.Ready()
}

// tells checks whom the core has told of a block since.
func (c *told) tells(when string, b *types.Block, want ...types.PeerID) {
	c.t.Helper()
	var got []types.PeerID
	for _, n := range c.Notices {
		a, err := protocol.DecodeAnnounce(n.Message)
		if err != nil || n.Protocol != network.ProtocolBlocks || a.Header.Hash() != b.Header.Hash() || !a.Best {
			c.t.Fatalf("%s: tells %+v (%v)", when, a, err)
		}
		got = append(got, n.Peers...)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		c.t.Errorf("%s: tells %v, want %v", when, got, want)
	}
}

// blames checks who was reported since, for 1000 each.
func (c *told) blames(when string, want ...types.PeerID) {
	c.t.Helper()
	var got []types.PeerID
	for _, r := range c.Reports {
		if r.Cost != sync.SentBadBlock.Cost() {
			c.t.Errorf("%s: reports %+v", when, r)
		}
		got = append(got, r.Peer)
	}
	if !slices.Equal(got, want) {
		c.t.Errorf("%s: blames %v, want %v", when, got, want)
	}
}

// await asks for a block as a peer that was told of it.
func (c *told) await(b *types.Block) (waits bool, here *bool) {
	here = new(bool)
	q := protocol.BlockRequest{Fields: protocol.FieldBody, FromHash: b.Header.Hash(), Direction: protocol.Descending, Max: 1}
	c.forget = c.core.Await(c.node.Net.Now(), "far", q.Append(nil), func() { *here = true })
	return c.forget != nil, here
}

// TestForesee has a node tell of a block when its header is there.
func TestForesee(t *testing.T) {
	net := chaintest.New(t, nil)
	author, node := net.Start(t), net.Start(t)
	node.Take(author.Make(chaintest.Plan{}))
	c := newTold(t, node)

	b := node.Make(chaintest.Plan{Txs: []types.Extrinsic{node.Transfer(chaintest.User(1), 0, "//Bob", chaintest.CRU)}})
	if waits, _ := c.await(b); waits {
		t.Error("who asks for a block that nobody has heard of waits")
	}
	c.announce("near", b)
	c.tells("by its header", b, "far")
	waits, here := c.await(b)
	if !waits || *here {
		t.Errorf("who asks for the block that is coming: waits %v, here %v", waits, *here)
	}
	asked := c.Requests
	c.announce("far", b)
	c.tells("by another peer", b)
	if c.Requests = append(asked, c.Requests...); c.Requests[0].Peer != "near" {
		t.Errorf("asks %v", c.Requests[0].Peer)
	}
	c.respond(b)
	c.tells("once it is imported", b, "light")
	c.blames("a good block")
	if !*here || node.Heads().Best.Hash != b.Header.Hash() {
		t.Errorf("here %v, best %v", *here, node.Heads().Best)
	}
	if waits, _ := c.await(b); waits {
		t.Error("who asks for a block that is here waits")
	}
}

// TestForeseeTwins has an author seal a second block for a slot: it is passed on, but not ahead of itself.
func TestForeseeTwins(t *testing.T) {
	node, c := grown(t)
	first := node.Make(chaintest.Plan{})
	second := node.Make(chaintest.Plan{Late: true})
	if first.Header.Hash() == second.Header.Hash() {
		t.Fatal("the blocks are one")
	}
	c.announce("near", first)
	c.tells("the first", first, "far")
	c.respond(first)
	c.announce("near", second)
	if len(c.Notices) > 0 {
		t.Errorf("a second block of its author for a slot is told before it is here: %v", c.Notices)
	}
	if waits, _ := c.await(second); waits {
		t.Error("who asks for the second waits")
	}
	c.respond(second)
	if got := c.Notices; len(got) != 1 || len(got[0].Peers) != 2 {
		t.Errorf("once it is imported: %v", got)
	}
}

// TestForeseeWrong has peers tell of blocks that are wrong. Whoever sends a header that its author has
// not sealed is to blame; of a block that turns out wrong when it is executed, who sent it, and not who passed its header on.
func TestForeseeWrong(t *testing.T) {
	node, c := grown(t)

	forged := node.Make(chaintest.Plan{})
	forged.Header.StateRoot[0] ^= 1 // after it was sealed
	c.announce("near", forged)
	c.tells("a forged block", forged)
	c.blames("a forged block", "near")
	if len(c.Requests) > 0 {
		t.Errorf("asks for a forged block: %v", c.Requests)
	}

	c = newTold(t, node)
	wrong, _, key := node.Draft(chaintest.Plan{})
	wrong.Header.StateRoot[0] ^= 1
	chaintest.Seal(t, wrong, key)
	c.announce("near", wrong)
	c.tells("a wrong block", wrong, "far")
	asked := c.Requests
	waits, here := c.await(wrong)
	c.announce("far", wrong) // by its header alone, as this node
	c.Requests = append(asked, c.Requests...)
	c.respond(wrong)
	c.blames("a wrong block", "near")
	c.tells("a wrong block that was executed", wrong)
	if !waits || !*here {
		t.Errorf("who asked: waits %v, answered %v", waits, *here)
	}
	c.announce("light", wrong)
	c.announce("far", wrong)
	c.blames("its header again")
	child := *wrong
	child.Header.ParentHash, child.Header.Number = wrong.Header.Hash(), wrong.Header.Number+1
	c.announce("far", &child)
	c.blames("a block on it", "far")
}

// TestForeseeLate has a peer wait in vain for a block that comes late: it is told again.
func TestForeseeLate(t *testing.T) {
	node, c := grown(t)
	b := node.Make(chaintest.Plan{})
	c.announce("near", b)
	c.tells("by its header", b, "far")
	if waits, _ := c.await(b); !waits {
		t.Fatal("nobody waits")
	}
	c.forget()
	c.respond(b)
	c.tells("once it is imported", b, "far", "light", "near")
}

// TestForeseeOld has an author seal what nobody has to hear of at once: a block of a slot long ago, and one
// with a long header. They are passed on when they are here.
func TestForeseeOld(t *testing.T) {
	node, c := grown(t)
	old := node.Make(chaintest.Plan{})
	node.Net.Advance(5)
	c.announce("near", old)
	c.tells("a block of an old slot", old)
	if len(c.Requests) != 1 {
		t.Errorf("asks for a block of an old slot: %v", c.Requests)
	}

	long, _, key := node.Draft(chaintest.Plan{Skip: 5})
	long.Header.Digest = append(long.Header.Digest, types.DigestItem{Kind: types.DigestOther, Data: make([]byte, 1<<15)})
	chaintest.Seal(t, long, key)
	c = newTold(t, node)
	c.announce("near", long)
	c.tells("a block with a long header", long)
	if len(c.Requests) != 1 {
		t.Errorf("asks for a block with a long header: %v", c.Requests)
	}
}
