package sync

import (
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// Machine follows the chains of peers. It belongs to one goroutine. After every
// call, or after several, Ready says what is to be done.
type Machine struct {
	chain Chain
	cfg   Config
}

// New returns a machine without peers.
func New(chain Chain, cfg Config) *Machine { return &Machine{chain: chain, cfg: cfg} }

// Connected adds a peer, whose best block is known from its handshake.
func (m *Machine) Connected(now types.Moment, peer types.PeerID, best Target) {}

// Disconnected removes a peer. Its open requests are forgotten; they need no answer.
func (m *Machine) Disconnected(now types.Moment, peer types.PeerID) {}

// Announced takes a block announce. The header is not copied.
func (m *Machine) Announced(now types.Moment, peer types.PeerID, header *types.Header, best bool) {}

// Responded takes a peer's answer. The blocks are not copied.
func (m *Machine) Responded(now types.Moment, peer types.PeerID, id RequestID, blocks []protocol.BlockData) {
}

// Failed says that a request will have no answer: refused, broken off, timed out
// in the transport, or not to be decoded.
func (m *Machine) Failed(now types.Moment, peer types.PeerID, id RequestID) {}

// Imported takes what became of blocks that were handed out for import, in order.
func (m *Machine) Imported(now types.Moment, results []Result) {}

// ChainMoved says that the chain changed otherwise: an own block, or finality.
func (m *Machine) ChainMoved(now types.Moment) {}

// WantJustification asks for a proof of finality of a block that is imported:
// import met an unfinalised change of authorities, or the voter heard that the
// block is final. It is asked for until one is accepted or the block is final.
func (m *Machine) WantJustification(now types.Moment, t Target) {}

// JustificationChecked says what became of a justification, of Ready or of a
// Block: ok is false if it proves nothing, which is the sender's fault.
func (m *Machine) JustificationChecked(now types.Moment, t Target, peer types.PeerID, ok bool) {}

// Tick does what is due.
func (m *Machine) Tick(now types.Moment) {}

// Ready returns what is to be done since the last call.
func (m *Machine) Ready() Ready { return Ready{} }

// Status says how far the machine is.
func (m *Machine) Status() Status { return Status{} }

// PeerBest returns a peer's best block as far as it has told; ok is false for a peer that is not used.
func (m *Machine) PeerBest(peer types.PeerID) (best Target, ok bool) { return Target{}, false }
