package engine

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"net"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	libp2pquic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/quicreuse"
	"github.com/quic-go/quic-go"

	"github.com/crustgo/crust/substrate/p2p/endpoint"
)

// useTLS is the channel of libp2p's TLS specification.
func useTLS(key crypto.PrivKey, muxers []upgrader.StreamMuxer) (sec.SecureTransport, error) {
	return libp2ptls.New(libp2ptls.ID, key, muxers)
}

// useQUIC counts connections from their first datagram on, and asks for proof of a
// remote's address when there are many.
func useQUIC(p *endpoint.Parts) (transport.Transport, error) {
	raw, err := p.Key.Raw()
	if err != nil {
		return nil, err
	}
	// They stay the same over a restart, so that others notice it at once. The labels are libp2p's.
	reset, err := hkdf.Key(sha256.New, raw, nil, "libp2p quic stateless reset key", len(quic.StatelessResetKey{}))
	token, tokenErr := hkdf.Key(sha256.New, raw, nil, "libp2p quic token generator key", len(quic.TokenGeneratorKey{}))
	if err := errors.Join(err, tokenErr); err != nil {
		return nil, err
	}
	conns, err := quicreuse.NewConnManager(quic.StatelessResetKey(reset), quic.TokenGeneratorKey(token),
		quicreuse.ConnContext(func(ctx context.Context, remote *quic.ClientInfo) (context.Context, error) {
			addr, err := quicreuse.ToQuicMultiaddr(remote.RemoteAddr, quic.Version1)
			if err != nil {
				addr = nil // the limits that do not depend on it still hold
			}
			scope, err := p.Resources.OpenConnection(network.DirInbound, false, addr)
			if err != nil {
				return ctx, err
			}
			ctx = network.WithConnManagementScope(ctx, scope)
			context.AfterFunc(ctx, scope.Done)
			return ctx, nil
		}),
		quicreuse.VerifySourceAddress(func(remote net.Addr) bool { return p.Resources.VerifySourceAddress(remote) }))
	if err != nil {
		return nil, err
	}
	p.Closes(conns.Close)
	return libp2pquic.NewTransport(p.Key, conns, nil, p.Gater, p.Resources)
}
