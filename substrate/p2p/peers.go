package p2p

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/crustgo/crust/substrate/p2p/wire"
	"github.com/crustgo/crust/substrate/types"
)

// errReported marks the end of a session that a report caused.
var errReported = errors.New("reported")

// misbehaviour is what an error costs the peer that caused it. It drops the peer,
// unless it costs nothing.
func misbehaviour(err error) Reputation {
	var big *wire.OversizedError
	switch {
	case errors.As(err, &big):
		return CostOversized
	case errors.Is(err, errFlood):
		return CostFlood
	case errors.Is(err, errSlow):
		return CostStall
	case errors.Is(err, wire.ErrLength), errors.Is(err, errTalks), errors.Is(err, errHandshake):
		return CostGarbage
	}
	return 0
}

// punish drops a peer if an error was its fault.
func (h *Host) punish(id peer.ID, err error) {
	if misbehaviour(err) == 0 {
		return
	}
	h.mu.Lock()
	s := h.sessions[id]
	h.mu.Unlock()
	if s != nil {
		s.end(err) // finish drops the peer
		return
	}
	h.drop(id, err, slog.LevelDebug)
}

// drop closes the connections of a peer that has no session, and says so.
func (h *Host) drop(id peer.ID, reason error, level slog.Level) {
	h.mu.Lock()
	now := time.Now()
	h.book.report(id, misbehaviour(reason), now)
	banned := h.book.get(id, now).banned.After(now)
	h.mu.Unlock()
	h.cfg.Metrics.Dropped.Inc()
	h.log.Log(context.Background(), level, "dropped a peer", "peer", id, "reason", reason, "banned", banned)
	h.start("p2p close", func() { _ = h.libp2p.Network().ClosePeer(id) })
}

// Report changes a peer's reputation; see BanThreshold. The reason is for the
// operator. It may be called from a Handler, and does not block.
func (h *Host) Report(id types.PeerID, change Reputation, reason string) {
	h.mu.Lock()
	s := h.sessions[peer.ID(id)]
	banned := h.book.report(peer.ID(id), change, time.Now())
	h.mu.Unlock()
	h.log.Debug("reported a peer", "peer", peer.ID(id), "change", int(change), "reason", reason)
	if !banned {
		return
	}
	err := fmt.Errorf("%w: %s", errReported, reason)
	if s != nil {
		s.end(err) // finish drops the peer
		return
	}
	h.drop(peer.ID(id), err, slog.LevelInfo)
}

// Disconnect ends the session of a peer without a change of its reputation. It
// may return soon.
func (h *Host) Disconnect(id types.PeerID, reason string) {
	h.mu.Lock()
	s := h.sessions[peer.ID(id)]
	h.mu.Unlock()
	if s != nil {
		s.end(errors.New(reason))
	}
}

// AddReserved keeps a peer connected from now on, by a multiaddress with its id.
func (h *Host) AddReserved(address string) error {
	infos, err := addrInfos("reserved peer", []string{address})
	if err != nil {
		return err
	}
	h.know(infos[0], func(now time.Time) { h.book.reserve(infos[0].ID, true, now) })
	h.wake()
	return nil
}

// RemoveReserved makes a peer an ordinary one, by its id as FormatPeer renders
// it. It stays connected, unless only reserved peers are wanted.
func (h *Host) RemoveReserved(id string) error {
	decoded, err := ParsePeer(id)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if r, ok := h.book.records[peer.ID(decoded)]; !ok || !r.reserved {
		return fmt.Errorf("peer %s is not reserved", id)
	}
	h.book.reserve(peer.ID(decoded), false, time.Now())
	if s := h.sessions[peer.ID(decoded)]; s != nil && h.cfg.ReservedOnly {
		s.end(errOnly)
	}
	return nil
}

// Reserved lists the ids of the reserved peers, sorted.
func (h *Host) Reserved() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ids []string
	for id, r := range h.book.records {
		if r.reserved {
			ids = append(ids, id.String())
		}
	}
	slices.Sort(ids)
	return ids
}

// Peer is one that is there.
type Peer struct {
	ID        types.PeerID
	Role      types.Role // from its handshake
	Handshake []byte     // its latest, of the gate
	Inbound   bool       // it began
	Reserved  bool
	Since     time.Time
}

// Peers lists the peers that are there, the oldest first.
func (h *Host) Peers() []Peer {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []Peer
	for id, s := range h.sessions {
		if p, ok := s.peer(); ok {
			p.Reserved = h.book.records[id].reserved
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b Peer) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return all
}

// peer describes the session's peer; ok is false before it is there.
func (s *session) peer() (p Peer, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened.IsZero() || s.ctx.Err() != nil {
		return Peer{}, false
	}
	return Peer{ID: types.PeerID(s.id), Role: types.Role(s.status[0]), Handshake: s.status, Inbound: s.inbound, Since: s.opened}, true
}

// Counts says how many slots are taken, those of peers that are being opened
// included, and how much went over all streams.
type Counts struct {
	Out, In, Light, Reserved int
	Known                    int // peers that the node remembers
	BytesIn, BytesOut        int64
}

// Counts returns the present figures.
func (h *Host) Counts() Counts {
	h.mu.Lock()
	defer h.mu.Unlock()
	u, t := &h.book.used, &h.cfg.Metrics.traffic
	return Counts{Out: u[slotOut], In: u[slotIn], Light: u[slotLight], Reserved: u[slotReserved], Known: len(h.book.records),
		BytesIn: t.in.Load(), BytesOut: t.out.Load()}
}

// PeerID is the node's own.
func (h *Host) PeerID() types.PeerID { return types.PeerID(h.libp2p.ID()) }

// Addresses are the multiaddresses that others may reach the node at, with /p2p/
// and its id.
func (h *Host) Addresses() []string {
	var all []string
	for _, a := range h.libp2p.Addrs() {
		all = append(all, a.String()+"/p2p/"+h.libp2p.ID().String())
	}
	return all
}

func multiaddrs(what string, texts []string) ([]ma.Multiaddr, error) {
	var all []ma.Multiaddr
	for _, text := range texts {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			return nil, fmt.Errorf("p2p: %s %q: %w; write it like /ip4/127.0.0.1/tcp/30333 or /ip4/127.0.0.1/tcp/30334/ws", what, text, err)
		}
		all = append(all, a)
	}
	return all, nil
}

func addrInfos(what string, texts []string) ([]peer.AddrInfo, error) {
	var all []peer.AddrInfo
	for _, text := range texts {
		info, err := peer.AddrInfoFromString(text)
		if err == nil && len(info.Addrs) == 0 {
			err = errors.New("there is no address before /p2p/")
		}
		if err != nil {
			return nil, fmt.Errorf("p2p: %s %q: %w; write it like /dns/node.example.org/tcp/30333/p2p/12D3KooW…", what, text, err)
		}
		all = append(all, *info)
	}
	return all, nil
}
