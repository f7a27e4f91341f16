package sim

import (
	"errors"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/network"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// half says which of two stories a peer is told by a validator that lies.
func (n *node) half(peer types.PeerID) int { return (n.w.nodeOf(peer).index + n.index) / 2 % 2 }

// double makes a second block in the slot of one that was made.
func (n *node) double(first types.Hash) {
	h, err := n.chain.Header(first)
	if err == nil {
		var second types.Hash
		if second, err = n.remake(h); errors.Is(err, chain.ErrKnown) {
			return // its clock is so late that the time in both is the least one allowed
		} else if err == nil {
			n.twin[first], n.twin[second] = 0, 1
			n.w.note("twin", n.index, second[:]...)
			n.w.inject("equivocate")
		}
	}
	if err != nil {
		n.w.fail("node %d makes no second block: %w", n.index, err)
	}
}

// remake makes a block like the one with a header, a millisecond later and without
// transactions.
func (n *node) remake(h *types.Header) (types.Hash, error) {
	head, ok := n.chain.Head(h.ParentHash)
	if !ok {
		return types.Hash{}, errors.New("the parent is gone")
	}
	logs, err := babe.ReadLogs(h.Digest)
	if err != nil {
		return types.Hash{}, err
	}
	epoch, _ := head.Epochs.At(logs.Claim.Slot)
	claim, key, ok := babe.Claim(logs.Claim.Slot, epoch, n.keys.BABE())
	if !ok {
		return types.Hash{}, errors.New("the slot is not ours")
	}
	view, err := n.chain.ViewAt(h.ParentHash)
	if err != nil {
		return types.Hash{}, err
	}
	b := &types.Block{Header: types.Header{ParentHash: h.ParentHash, Number: h.Number, Digest: types.Digest{claim.Item()}}}
	builder, err := n.chain.Runtime().NewBlock(view, &b.Header)
	if err != nil {
		return types.Hash{}, err
	}
	if err := builder.Inherents(n.chain.InherentsAt(n.now() + 1)); err != nil {
		return types.Hash{}, err
	}
	var out frame.Outcome
	if b.Body, b.Header.ExtrinsicsRoot, out, err = builder.Finish(); err != nil {
		return types.Hash{}, err
	}
	b.Header.Digest = out.Digest
	if b.Header.StateRoot, err = n.chain.StateRoot(h.ParentHash, out); err != nil {
		return types.Hash{}, err
	}
	if err := babe.Seal(&b.Header, key); err != nil {
		return types.Hash{}, err
	}
	_, err = n.chain.ImportOwn(b, out)
	return b.Header.Hash(), err
}

// tells reports whether a peer is told of a block: of two twins, only one.
func (n *node) tells(peer types.PeerID, proto int, msg []byte) bool {
	if proto != network.ProtocolBlocks {
		return true
	}
	a, err := protocol.DecodeAnnounce(msg)
	if err != nil {
		return true
	}
	side, ok := n.twin[a.Header.Hash()]
	return !ok || side == n.half(peer)
}

// contradict turns a vote of ours into one for another block, for half of the
// peers.
func (n *node) contradict(peer types.PeerID, m grandpa.Message, encoded []byte) []byte {
	v, ok := m.(*grandpa.VoteMessage)
	if !ok || v.Stage == grandpa.PrimaryPropose || n.half(peer) == 0 {
		return encoded
	}
	for _, k := range n.keys.grandpa {
		if k.Public() != v.Vote.ID {
			continue
		}
		s := n.chain.Snapshot()
		to := grandpa.Target{Hash: s.Finalised.Hash, Number: s.Finalised.Number}
		for _, b := range s.Unfinalised { // the last one that is not the same
			if b.Hash != v.Vote.Target.Hash {
				to = grandpa.Target{Hash: b.Hash, Number: b.Number}
			}
		}
		n.w.inject("equivocate")
		return grandpa.AppendMessage(nil, &grandpa.VoteMessage{Round: v.Round, Stage: v.Stage, Vote: grandpa.Sign(k, v.Stage, to, v.Round)})
	}
	return encoded
}
