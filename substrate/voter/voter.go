package voter

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/types"
)

// maxInbox is how many messages may wait for the voter. More are dropped: votes are
// sent again.
const maxInbox = 8192

// maxPeerInbox is how many bytes of messages, each counted with messageOverhead,
// make that one peer's further ones are dropped.
const (
	maxPeerInbox    = 1 << 20
	messageOverhead = 256
)

// Network sends messages to peers. Its methods must not block.
type Network interface {
	SendVotes(peers []types.PeerID, message []byte)
	// Announce tells all peers of a block that they may need to count votes.
	Announce(block types.Hash)
	Report(peer types.PeerID, cost int, reason string)
}

// SoloDelay is how long a new block waits for its finality if one authority decides
// alone. Clients tell the two steps apart only if time passes between them, as it
// does wherever finality takes messages.
const SoloDelay = 200 * time.Millisecond

// Config is what a Voter is given.
type Config struct {
	Now func() types.Moment // the node's clock
	Log *slog.Logger
	// SoloDelay is the delay of the same name, or 0.
	SoloDelay time.Duration
	// Equivocated is told of proofs that a voter signed two votes; it may be nil,
	// and must not block.
	Equivocated func(grandpa.EquivocationProof)
}

// Voter takes part in finality: it owns the machine of package grandpa.
type Voter struct {
	core    *Core
	cfg     Config
	calls   chan func() // questions to the loop
	wake    chan struct{}
	stopped chan struct{} // closed when Run returns
	due     types.Moment  // when the machine has something to do, if nothing happens before; 0: never

	mu      sync.Mutex // guards what follows
	inbox   []event
	waiting map[types.PeerID]int // bytes of a peer's messages in the inbox
}

// event is a message, or a peer that came or went.
type event struct {
	peer    types.PeerID
	message grandpa.Message // nil: the peer came, or went
	role    types.Role      // 0: it went
}

// New makes a voter around a core. It does nothing until Run.
func New(core *Core, cfg Config) *Voter {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Voter{core: core, cfg: cfg, calls: make(chan func()), wake: make(chan struct{}, 1), stopped: make(chan struct{}), waiting: map[types.PeerID]int{}}
}

// Connected adds a peer.
func (v *Voter) Connected(peer types.PeerID, role types.Role) {
	v.push(event{peer: peer, role: role}, 0)
}

// Disconnected removes a peer.
func (v *Voter) Disconnected(peer types.PeerID) { v.push(event{peer: peer}, 0) }

// Receive takes a message of a peer.
func (v *Voter) Receive(peer types.PeerID, message []byte) error {
	m, err := grandpa.DecodeMessage(message)
	if err != nil {
		return err
	}
	v.push(event{peer: peer, message: m}, len(message)+messageOverhead)
	return nil
}

// push puts an event into the inbox; a message, which has a size, only if there is
// room for it and for more of its peer.
func (v *Voter) push(e event, size int) {
	v.mu.Lock()
	room := size == 0 || len(v.inbox) < maxInbox && v.waiting[e.peer] < maxPeerInbox
	v.waiting[e.peer] += size
	if room {
		v.inbox = append(v.inbox, e)
	}
	v.mu.Unlock()
	select {
	case v.wake <- struct{}{}:
	default: // the loop will look anyway
	}
}

// Run votes until ctx ends. network carries the messages; nil is a node without peers.
func (v *Voter) Run(ctx context.Context, network Network) error {
	defer close(v.stopped)
	wake, cancel := v.core.chain.Wake()
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	// When news of the chain are looked at: there may have been some since the core was made.
	due := time.After(v.cfg.SoloDelay)
	for {
		news, late := false, false
		select {
		case <-ctx.Done():
			return nil
		case <-v.wake:
		case <-wake:
			if v.cfg.SoloDelay > 0 && len(v.core.chain.Voters().Authorities()) == 1 {
				due = time.After(v.cfg.SoloDelay)
				continue
			}
			news = true
		case <-due:
			due, news = nil, true
		case <-timer.C:
			late = true
		case f := <-v.calls:
			f()
			continue
		}
		next, err := v.step(network, news, late)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		timer.Reset(next)
	}
}

// idle is how long a voter sleeps that waits for nothing.
const idle = time.Minute

// step takes what has arrived, and acts; late says that what it waited for is due. It returns how long there is time.
func (v *Voter) step(network Network, news, late bool) (time.Duration, error) {
	now := v.cfg.Now()
	v.take(now)
	if news {
		if err := v.core.Followed(now); err != nil {
			return 0, err
		}
	}
	if late || v.due != 0 && now >= v.due { // else nothing but what has arrived could change anything
		v.core.Tick(now)
	}
	r, err := v.core.Act(now)
	if err != nil {
		return 0, err
	}
	if network != nil {
		for _, m := range r.Send {
			network.SendVotes(m.To, grandpa.AppendMessage(nil, m.Message))
		}
		for _, h := range r.Announce {
			network.Announce(h)
		}
		for _, p := range r.Reports {
			network.Report(p.Peer, -int(p.Cost), p.Reason)
		}
	}
	for _, e := range r.Equivocations {
		v.cfg.Log.Warn("a voter signed two votes in one round", "voter", fmt.Sprintf("%x", e.First.ID), "set", uint64(e.Round.Set), "round", e.Round.Number)
		if v.cfg.Equivocated != nil {
			v.cfg.Equivocated(e)
		}
	}
	if v.due = r.Wake; v.due == 0 {
		return idle, nil
	}
	return time.Duration(max(r.Wake, now)-now) * time.Millisecond, nil
}

// take gives the machine what has arrived, messages in batches.
func (v *Voter) take(now types.Moment) {
	v.mu.Lock()
	events := v.inbox
	v.inbox = nil
	clear(v.waiting)
	v.mu.Unlock()
	var batch []grandpa.Inbound
	flush := func() {
		if len(batch) > 0 {
			v.core.Receive(now, batch)
			batch = nil
		}
	}
	for _, e := range events {
		switch {
		case e.message != nil:
			batch = append(batch, grandpa.Inbound{Peer: e.peer, Message: e.message})
		case e.role != 0:
			flush()
			v.core.Connected(now, e.peer, e.role)
		default:
			flush()
			v.core.Disconnected(e.peer)
		}
	}
	flush()
}

// Rounds describes the rounds in progress; ok is false if the voter does not run.
func (v *Voter) Rounds() (s grandpa.RoundStates, ok bool) {
	done := make(chan struct{})
	select {
	case v.calls <- func() { defer close(done); s = v.core.Rounds() }:
		<-done
		return s, true
	case <-v.stopped:
		return s, false
	}
}
