package endpoint

import (
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
)

// Noise is the channel of libp2p's noise specification.
func Noise(key crypto.PrivKey, muxers []upgrader.StreamMuxer) (sec.SecureTransport, error) {
	return noise.New(noise.ID, key, muxers)
}

// TCP dials from a port of its own for each connection.
func TCP(p *Parts) (transport.Transport, error) {
	return tcp.NewTCPTransport(p.Upgrader, p.Resources, nil, tcp.DisableReuseport())
}

// WebSocket is what browsers dial.
func WebSocket(p *Parts) (transport.Transport, error) {
	return websocket.New(p.Upgrader, p.Resources, nil)
}
