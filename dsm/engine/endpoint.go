package engine

import (
	"fmt"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// Limits of what the chain publishes of a node (docs/protocol/mpow.md §12).
const (
	maxPublished     = 4
	maxPublishedSize = 256
)

// Endpoint is where a node is, as the chain publishes it: the peer id, and multiaddresses
// in binary form without it.
type Endpoint struct {
	Peer      []byte
	Addresses [][]byte
}

// Endpoint is where others reach this engine: the first addresses that fit.
func (e *Engine) Endpoint() Endpoint {
	p := Endpoint{Peer: []byte(e.host.ID())}
	size := 0
	for _, a := range e.host.Addrs() {
		b := a.Bytes()
		if len(p.Addresses) < maxPublished && size+len(b) <= maxPublishedSize && publishable(a) {
			p.Addresses, size = append(p.Addresses, b), size+len(b)
		}
	}
	return p
}

// publishable reports whether the chain takes an address: TCP, WebSocket or QUIC on a host.
func publishable(a ma.Multiaddr) bool {
	for _, p := range a.Protocols() {
		switch p.Code {
		case ma.P_IP4, ma.P_IP6, ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_TCP, ma.P_WS, ma.P_WSS, ma.P_TLS, ma.P_UDP, ma.P_QUIC_V1, ma.P_WEBTRANSPORT:
		default:
			return false
		}
	}
	return true
}

// Texts are the addresses as text, each with /p2p/ and the peer id: what [Origins] reads.
// Strangers publish endpoints, so what is none is left out.
func (p Endpoint) Texts() (texts []string) {
	id, err := peer.IDFromBytes(p.Peer)
	if err != nil {
		return nil
	}
	for _, b := range p.Addresses {
		if a, err := ma.NewMultiaddrBytes(b); err == nil {
			texts = append(texts, fmt.Sprintf("%s/p2p/%s", a, id))
		}
	}
	return texts
}

// OriginsIn finds the sources that somebody names in free text, as the memo of an order does: its
// words that are multiaddresses with a peer id. Others are ignored.
func OriginsIn(text string) (origins []peer.AddrInfo) {
	for _, word := range strings.Fields(text) {
		if len(origins) == MaxOrigins {
			break
		}
		if list, err := Origins([]string{word}); err == nil {
			origins = append(origins, list...)
		}
	}
	return origins
}
