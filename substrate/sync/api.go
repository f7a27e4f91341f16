package sync

import (
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// Target names a block.
type Target struct {
	Hash   types.Hash
	Number types.BlockNumber
}

// Chain is what the machine asks of the chain. The answers are those of the moment:
// they may run ahead of what the machine has been told by Imported.
type Chain interface {
	// Best returns the best block that is imported.
	Best() Target
	// Finalised returns the highest final block.
	Finalised() Target
	// Head returns a block's number and what its children inherit; ok is false unless
	// the block is the finalised one or an imported one above it, so that it can be
	// built on.
	Head(types.Hash) (number types.BlockNumber, head babe.Head, ok bool)
}

// Config is what a Machine is given.
type Config struct {
	// Check makes the cheap checks of a header whose parent's head is known, and
	// returns its own: babe.Inspect. An error that is babe.ErrFuture makes the
	// header wait; any other makes it a bad block. Without it nothing is checked.
	Check func(h *types.Header, parent babe.Head, now types.Moment) (babe.Head, error)
	// Limits are DefaultLimits if they are zero.
	Limits Limits
}

// Limits bound what a Machine holds and asks for.
type Limits struct {
	Peers     int // peers that are used; more are ignored, so the network's own limit should be lower
	PerPeer   int // requests to one peer at once; at least 2
	Headers   int // headers that wait for their body or their import
	Bytes     int // bytes of bodies that wait for import, and that are expected
	Importing int // blocks handed out for import whose result has not come back
}

// DefaultLimits are meant for a node with some hundred MiB to spare.
func DefaultLimits() Limits {
	return Limits{Peers: 256, PerPeer: 4, Headers: 4096, Bytes: 48 << 20, Importing: 512}
}

// RequestID names a request. They count up and are never used again.
type RequestID uint64

// Request is a request to a peer, which is answered by Responded or Failed.
type Request struct {
	ID   RequestID
	Peer types.PeerID
	protocol.BlockRequest
}

// Block is a block to import.
type Block struct {
	Hash types.Hash
	types.Block
	// Justification is the GRANDPA proof that came with the block, or nil. It is
	// not checked; once the block is imported it can be, and JustificationChecked
	// takes what came of it.
	Justification []byte
	Peer          types.PeerID // who sent the body
}

// Outcome is what became of a block that was handed out for import.
type Outcome uint8

// The outcomes. A shell has to tell BadBody from BadBlock: else a peer that sends
// a wrong body could have a good block refused for good.
const (
	ImportOK      Outcome = iota // it is imported
	Known                        // it was imported before
	UnknownParent                // its parent is not imported, or finality has discarded it
	Future                       // its slot has not begun by our clock
	BadBody                      // the body is not the one that the header's extrinsics root names
	BadBlock                     // the block is wrong, whoever sends it
	OurFailure                   // import is halted, or the store failed: nobody's fault
)

// Result is what became of one block.
type Result struct {
	Hash types.Hash
	Outcome
}

// Justification is a GRANDPA proof that a peer sent for a block which the node
// asked to have proven.
type Justification struct {
	Target
	Proof []byte
	Peer  types.PeerID
}

// Reason is why a peer is reported.
type Reason uint8

// The reasons. The first three can happen to honest peers.
const (
	Slow             Reason = iota // no answer before the deadline
	Useless                        // did not deliver what it advertised, again and again
	Conflict                       // its chain contradicts what is final here
	Unlinked                       // blocks of one answer that do not follow each other
	WrongHash                      // a block that is not the one it is said to be, or that was asked for
	TooMuch                        // more than was asked for
	Unrequested                    // an answer to no question
	SentBadBlock                   // a block that is wrong, or a descendant of one
	SentBadBody                    // a body that is not the block's
	BadJustification               // a justification that proves nothing
	TooManyAnnounces               // more open announces than a peer may have
)

// Cost is how much a report weighs: 1000 and more is reason to part with the peer.
func (r Reason) Cost() int {
	return [...]int{Slow: 20, Useless: 100, Conflict: 20, Unlinked: 1000, WrongHash: 1000, TooMuch: 1000,
		Unrequested: 50, SentBadBlock: 1000, SentBadBody: 1000, BadJustification: 500, TooManyAnnounces: 10}[r]
}

// String names the reason.
func (r Reason) String() string {
	return [...]string{Slow: "slow", Useless: "useless", Conflict: "conflicts with finality", Unlinked: "unlinked blocks",
		WrongHash: "wrong block", TooMuch: "too many blocks", Unrequested: "unrequested answer", SentBadBlock: "bad block",
		SentBadBody: "bad body", BadJustification: "bad justification", TooManyAnnounces: "too many announces"}[r]
}

// Report says that a peer did something that costs it reputation.
type Report struct {
	Peer types.PeerID
	Reason
}

// Ready is what the machine wants done. Nothing needs to be durable first, and the
// parts may be acted on in any order, each in its own.
type Ready struct {
	Requests []Request
	// Cancel names requests whose answers are of no use any more.
	Cancel []RequestID
	// Import holds runs of blocks, each block the parent of the next. The runs
	// are in order too: a block comes after its parent. Every block gets a Result.
	Import [][]Block
	// Justifications are to be checked; each gets a JustificationChecked.
	Justifications []Justification
	Reports        []Report
	// Wake is when Tick has something to do, if nothing happens before; 0 if nothing.
	Wake types.Moment
}

// Status is how far the machine is.
type Status struct {
	// Syncing says that the node is so far behind that it should not author
	// blocks: the median of its peers' best numbers is more than 5 above its own.
	Syncing bool
	// Start is the best number when the machine began, or last fell behind.
	Start types.BlockNumber
	// Highest is the median of the peers' best numbers, or our own if that is higher.
	Highest types.BlockNumber
	Peers   int
	// Headers wait for a body or for import, and Bytes is the size of the bodies
	// that came; Importing blocks are with the importer, and Requests are open.
	Headers, Bytes, Importing, Requests int
}
