package p2p

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
)

// dialTick is how often the dialler looks for pauses that are over.
const dialTick = 500 * time.Millisecond

// maxDials bounds the sessions that begin at once.
const maxDials = 16

// dialLoop keeps the slots full until the context ends.
func (h *Host) dialLoop(ctx context.Context) {
	tick := time.NewTicker(min(dialTick, h.cfg.Limits.RetryMin))
	defer tick.Stop()
	for ctx.Err() == nil {
		h.mu.Lock()
		for _, id := range h.book.next(maxDials, time.Now()) {
			h.begin(ctx, id, false)
		}
		h.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-h.dial:
		case <-tick.C:
		}
	}
}

// discover learns of peers until the context ends: those that identify
// themselves as of this chain, and those that walks through Kademlia find. Only
// nodes of this chain speak its Kademlia.
func (h *Host) discover(ctx context.Context) error {
	if h.cfg.ReservedOnly {
		<-ctx.Done()
		return nil
	}
	identified, err := h.libp2p.EventBus().Subscribe(new(event.EvtPeerIdentificationCompleted))
	if err != nil {
		return fmt.Errorf("subscribe to identify: %w", err)
	}
	defer func() { _ = identified.Close() }()
	kad, err := dht.New(h.libp2p, dht.ProtocolPrefix(h.protocol("")), dht.V1ProtocolOverride(h.protocol("kad")), dht.Mode(dht.ModeServer), dht.DisableProviders(), dht.DisableValues(),
		dht.RoutingTablePeerDiversityFilter(nil), dht.BootstrapPeers(h.boot...), dht.DisableAutoRefresh())
	if err != nil {
		return fmt.Errorf("start Kademlia: %w", err)
	}
	h.start("p2p walks", func() { h.walk(ctx, kad) })
	for {
		select {
		case <-ctx.Done():
			return kad.Close()
		case e := <-identified.Out():
			if e, ok := e.(event.EvtPeerIdentificationCompleted); ok && len(e.ListenAddrs) > 0 && slices.Contains(e.Protocols, h.protocol(h.cfg.Notifications[0].Name)) {
				h.learn(e.Peer)
			}
		}
	}
}

// walk looks up random keys, which fills the routing table and meets peers.
func (h *Host) walk(ctx context.Context, kad *dht.IpfsDHT) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		var key [32]byte
		_, _ = rand.Read(key[:]) // never fails
		lookup, cancel := context.WithTimeout(ctx, h.cfg.Limits.Discover)
		found, err := kad.GetClosestPeers(lookup, string(key[:]))
		cancel()
		if err != nil {
			h.log.Debug("found no peers", "err", err)
		}
		for _, id := range found {
			h.learn(id)
		}
		pause := h.cfg.Limits.Discover
		if kad.RoutingTable().Size() == 0 {
			pause /= 10
		}
		timer.Reset(pause)
	}
}

func (h *Host) learn(id peer.ID) {
	if id == h.libp2p.ID() {
		return
	}
	h.mu.Lock()
	h.book.learn(id, time.Now())
	h.mu.Unlock()
	h.wake()
}
